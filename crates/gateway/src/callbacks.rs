//! `warmline callbacks`: what was promised to whom, and what became of it. And the way of promises to the disk.

use crate::cli::Callbacks;
use crate::inbox::{Inbox, Input};
use crate::tail::connect;
use anyhow::{Context, bail};
use call_core::{CallbackFixed, Switchboard};
use call_model::{Callback, CallbackId, Instant};
use http_api::{CallbackChange, Refused};
use ledger::Ledger;
use serde_json::Value;
use std::io::{self, Write};
use tokio::sync::oneshot;

/// Writes a callback down; the switchboard is told whether it is on the disk.
pub(crate) fn keep(ledger: &Ledger, inbox: &Inbox, callback: &Callback) {
    let (id, version, inbox) = (callback.id, callback.version, inbox.clone());
    ledger.keep(callback, move |kept| inbox.insist(Input::CallbackKept { id, version, kept }));
}

/// Whoever asked for a change.
type Asker = oneshot::Sender<Result<(), Refused>>;

/// Those who are answered once a version is on the disk.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Vec<(CallbackId, u32, Asker)>);

impl Waiting {
    /// Changes a promise as somebody in operations wants.
    pub(crate) fn change(
        &mut self,
        board: &mut Switchboard,
        (id, change): (CallbackId, CallbackChange),
        reply: Asker,
        now: Instant,
    ) {
        let changed = match change {
            CallbackChange::Cancel => board.cancel_callback(id, now),
            CallbackChange::Reschedule(wish) => board.reschedule_callback(id, &wish, now),
        };
        match changed {
            Ok(version) => self.0.push((id, version, reply)),
            Err(fixed) => _ = reply.send(Err(refused(fixed))),
        }
    }

    /// Tells them. Whoever has gone is not told.
    pub(crate) fn tell(&mut self, id: CallbackId, version: u32, kept: bool) {
        for (_, _, reply) in self.0.extract_if(.., |(of, at, _)| *of == id && *at == version) {
            let lost = || Refused::NotNow("it could not be written down".to_owned());
            _ = reply.send(if kept { Ok(()) } else { Err(lost()) });
        }
    }
}

fn refused(fixed: CallbackFixed) -> Refused {
    match fixed {
        CallbackFixed::Unknown => Refused::UnknownCallback,
        CallbackFixed::UnderWay => Refused::NotNow("it is being made now".to_owned()),
        CallbackFixed::Time(refusal) => Refused::Invalid(format!("Not at that time: {}.", refusal.why())),
    }
}

/// Prints them once.
///
/// # Errors
/// The gateway is not there, or refuses the token; the text says what to do.
pub fn callbacks(options: &Callbacks) -> anyhow::Result<()> {
    let server = connect(&options.server.url, options.server.token.as_deref())?;
    let answer = server.get("/v1/callbacks").with_context(|| {
        format!("cannot reach a gateway at {}: is it running, and is http.listen the same?", options.server.url)
    })?;
    if answer.status != 200 {
        bail!("the gateway answered {}: {}", answer.status, answer.body.trim());
    }
    let text = if options.json {
        answer.body.trim_end().to_owned() + "\n"
    } else {
        render(&serde_json::from_str(&answer.body).context("the gateway's answer is no JSON")?)
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

fn render(value: &Value) -> String {
    let all = value["callbacks"].as_array().map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        return "No callback is promised, and none was within the last day.\n".to_owned();
    }
    let line = |one: &Value| {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        let at = |name: &str| one[name].as_i64().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let when = at("due_unix_ms").or(at("promised_unix_ms")).map(|at| at.to_string()).unwrap_or_default();
        let attempts = one["attempts"].as_u64().unwrap_or_default();
        format!(
            "{}  {:9}  {:16}  {when:24}  {attempts} dialled  {}\n",
            text("id"),
            text("state"),
            text("number"),
            text("note")
        )
    };
    all.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_line() {
        let one = serde_json::json!({"callbacks": [{
            "id": "01JD4XK7Z9Q2M5R8T3V6W1Y4B7", "state": "promised", "number": "+442079460000",
            "due_unix_ms": 1_795_250_000_000_u64, "attempts": 1, "note": "the caller's line is busy",
        }]});
        assert_eq!(
            render(&one),
            "01JD4XK7Z9Q2M5R8T3V6W1Y4B7  promised   +442079460000     2026-11-21T08:33:20Z      1 dialled  the caller's line is busy\n"
        );
    }
}
