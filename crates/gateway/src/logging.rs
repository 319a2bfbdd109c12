//! Logs: constant sentences, ids as fields, nobody's number.

use crate::log_writer::{LogGuard, LogWriter};
use call_model::{TraceEvent, TraceKind};
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

/// Sends logs to standard error, at the level of `WARMLINE_LOG` or `default`. A bare level (`debug`) is for our own
/// crates; anything else is a filter as `tracing-subscriber` has it (`gateway=trace,hyper=debug`).
///
/// Keep the guard until the end: dropping it writes what still waits.
///
/// # Errors
/// When the system gives no thread.
pub fn init(default: &str) -> io::Result<LogGuard> {
    let (writer, guard) = LogWriter::start(io::stderr())?;
    let wanted = std::env::var("WARMLINE_LOG").unwrap_or_else(|_| default.to_owned());
    let filter = match wanted.parse::<tracing::Level>() {
        Ok(level) => EnvFilter::new(format!(
            "warn,rtc_dtls=error,gateway={level},http_api={level},ledger={level},prosody={level}"
        )),
        Err(_) => EnvFilter::new(wanted),
    };
    // A second call, as in tests, changes nothing.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(io::stderr().is_terminal())
        .try_init();
    Ok(guard)
}

/// One log line per thing that happened: milestones of a call at info, the rest at debug. Words that were spoken and
/// values that were heard stay out of logs; `warmline tail` and the desk have them.
pub(crate) fn trace(event: &TraceEvent) {
    let call = event.call.map(|call| call.to_string()).unwrap_or_default();
    match &event.kind {
        TraceKind::Decided(decision) => {
            tracing::info!(call, rule = decision.rule, trigger = %decision.trigger, layer = %decision.layer, "a human is needed");
        }
        TraceKind::Began { from, to, trunk, .. } => tracing::info!(call, %from, %to, trunk, "call began"),
        TraceKind::State { from, to } => tracing::info!(call, %from, %to, "state"),
        TraceKind::Routed { handoff, desk, .. } => tracing::info!(call, %handoff, %desk, "desk chosen"),
        TraceKind::Queued { handoff, place, of, wait, because } => {
            tracing::info!(call, %handoff, place, of, ?wait, because, "waits in line");
        }
        TraceKind::Dequeued { handoff, waited, how } => {
            tracing::info!(call, %handoff, ?waited, how, "waits no longer");
        }
        TraceKind::HandoffEnded { handoff, outcome, stage, sip, method, corrects } => {
            tracing::info!(call, %handoff, %outcome, %stage, sip, %method, corrects, "handoff ended");
        }
        TraceKind::EarlyDrop { handoff, desk, by, after, cause } => {
            tracing::warn!(call, %handoff, %desk, %by, ?after, cause, "the call ended soon after the handoff");
        }
        TraceKind::Recording { name, what: "incomplete" } => {
            tracing::warn!(call, name, "some of a recording could not be written");
        }
        TraceKind::Recording { name, what: what @ ("recorder failed" | "recorder lost") } => {
            tracing::warn!(call, name, what, "the external recorder");
        }
        TraceKind::Recording { name, what } => tracing::info!(call, name, what, "recording"),
        TraceKind::Callback { callback, what: what @ ("refused" | "given_up"), text } => {
            tracing::warn!(call, %callback, what, text, "callback");
        }
        TraceKind::Callback { callback, what, text } => tracing::info!(call, %callback, what, text, "callback"),
        TraceKind::Voicemail { what, text } => tracing::info!(call, what, text, "voicemail"),
        TraceKind::Disposed { handoff, desk, disposition } => {
            tracing::info!(call, %handoff, %desk, code = disposition.code, "what became of it");
        }
        TraceKind::LegEnded { leg, role, cause } => tracing::debug!(call, %leg, %role, %cause, "leg ended"),
        TraceKind::Ended { cause } => tracing::info!(call, %cause, "call ended"),
        TraceKind::Sip { what, sent, again, .. } => tracing::debug!(call, what, sent, again, "sip"),
        TraceKind::Release { what, status } => tracing::info!(call, what, status, "release"),
        TraceKind::Pop { handoff, desk, what } => tracing::debug!(call, %handoff, %desk, what, "pop"),
        TraceKind::Fact(_) => tracing::debug!(call, "a fact was observed"),
        TraceKind::Fed { .. } | TraceKind::Flowing { .. } | TraceKind::Quality { .. } | TraceKind::Speech { .. } => {
            tracing::trace!(call, line = %call_trace::describe(&event.kind), "media");
        }
        TraceKind::Dropped { what } => tracing::debug!(call, what, "dropped"),
        TraceKind::Note { about, text } => tracing::info!(call, %about, text, "note"),
    }
}
