//! One event in one line of words.

use crate::text::{one_line, quoted};
use call_model::{
    Decision, FactKind, HandoffOutcome, HandoffStage, Instant, LegStats, Method, Prompt, Role, Selector, Speaker,
    TraceEvent, TraceKind, Urgency,
};
use core::fmt::Write as _;

/// One line without line break: call id, seconds since `started` as `s.mmm`, what happened.
///
/// ```text
/// 0C3V8X1Q7ZK4M   12.480  desk -> gateway: 180 Ringing
/// ```
pub fn render_line(event: &TraceEvent, started: Instant) -> String {
    let call = event.call.map_or_else(|| "-".repeat(13), |call| call.to_string());
    format!("{call} {:>8}  {}", seconds(event.at, started), describe(&event.kind))
}

/// What happened, in one line of words. Control characters that peers sent are replaced.
pub fn describe(kind: &TraceKind) -> String {
    one_line(&match kind {
        TraceKind::Began { from, to, trunk, session_id } => {
            format!("call from {from} to {to} on trunk {trunk}, session {session_id}")
        }
        TraceKind::Sip { role, sent, what, again, .. } => sip(*role, *sent, what, *again),
        TraceKind::State { from, to } => format!("{from} -> {to}"),
        TraceKind::Fed { role, from, source, .. } => format!("{role} hears {}", hears(*role, *from, *source)),
        TraceKind::Fact(fact) => fact_words(&fact.kind),
        TraceKind::Speech { speaker, speaks } => {
            let who = if *speaker == Speaker::Caller { "caller" } else { "bot" };
            format!("{who} {} to speak", if *speaks { "begins" } else { "ends" })
        }
        TraceKind::Decided(decision) => decided(decision),
        TraceKind::Routed { handoff, desk, because } => format!("handoff {handoff} to desk {desk}: {because}"),
        TraceKind::Queued { place, of, wait, because, .. } => {
            let wait = wait.map_or("time not known".to_owned(), |wait| format!("about {} s", wait.as_secs()));
            let because = if because.is_empty() { String::new() } else { format!(": {because}") };
            format!("waits at place {place} of {of}, {wait}{because}")
        }
        TraceKind::Dequeued { waited, how, .. } => {
            format!("waits no longer, after {} s: {}", waited.as_secs(), how.replace('_', " "))
        }
        TraceKind::Pop { handoff, desk, what } => format!("pop {what} on the page of {desk}, handoff {handoff}"),
        TraceKind::Release { what, status } => release(what, *status),
        TraceKind::Flowing { role, .. } => format!("RTP flows from {role}"),
        TraceKind::Quality { role, name, stats, .. } => format!("quality of {role} {name}: {}", quality(stats)),
        TraceKind::HandoffEnded { handoff, outcome, stage, sip, method, corrects } => {
            let ended = if *corrects { "ended after all" } else { "ended" };
            format!("handoff {handoff} {ended}: {}", outcome_words(*outcome, *stage, *sip, *method))
        }
        TraceKind::EarlyDrop { desk, by, after, cause, .. } => {
            format!("early drop: {by} left {desk} {} s after the join: {cause}", after.as_secs())
        }
        TraceKind::Recording { name, what } if what.starts_with("recorder ") => format!("{what}: {name}"),
        TraceKind::Recording { name, what } => format!("recording {what}: {name}"),
        TraceKind::Callback { callback, what, text } => {
            format!("callback {callback} {}: {text}", what.replace('_', " "))
        }
        TraceKind::Voicemail { what, text } if text.is_empty() => format!("message {what}"),
        TraceKind::Voicemail { what, text } => format!("message {what}: {text}"),
        TraceKind::Disposed { desk, disposition, .. } => {
            let notes = match disposition.notes.as_str() {
                "" => String::new(),
                notes => format!(", {}", quoted(notes, 160)),
            };
            format!("{desk} says of it: {}{notes}", disposition.code)
        }
        TraceKind::LegEnded { role, cause, .. } => format!("{role} leg ended: {cause}"),
        TraceKind::Ended { cause } => format!("call ended: {cause}"),
        TraceKind::Dropped { what } => format!("dropped: {what}"),
        TraceKind::Note { about, text } => format!("{about}: {text}"),
    })
}

/// Seconds and milliseconds between two instants: `12.480`.
pub(crate) fn seconds(at: Instant, started: Instant) -> String {
    let ms = at.since(started).as_millis();
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

fn sip(role: Option<Role>, sent: bool, what: &str, again: bool) -> String {
    let peer = role.map_or("peer", wire_name);
    let again = if again { " (again)" } else { "" };
    if sent { format!("gateway -> {peer}: {what}{again}") } else { format!("{peer} -> gateway: {what}{again}") }
}

/// Who it is on the wire: the caller is behind the trunk.
pub(crate) fn wire_name(role: Role) -> &'static str {
    match role {
        Role::Caller => "trunk",
        Role::Bot => "bot",
        Role::Desk => "desk",
        Role::Recorder => "recorder",
    }
}

/// What a leg hears, in words.
pub(crate) fn hears(listener: Role, from: Selector, source: Option<Role>) -> String {
    match (from, source) {
        // Nobody is mixed with themselves, so a mix is everybody else.
        (Selector::Mix(..), _) => match listener {
            Role::Caller => "bot and desk".to_owned(),
            Role::Bot => "caller and desk".to_owned(),
            Role::Desk => "caller and bot".to_owned(),
            Role::Recorder => "both".to_owned(),
        },
        (Selector::Leg(_), Some(role)) => role.to_string(),
        (Selector::Leg(leg), None) => format!("leg {}", leg.index),
        (Selector::Prompt(Prompt::BotLost), _) => "\"one moment\"".to_owned(),
        (Selector::Prompt(Prompt::NobodyAvailable), _) => "\"nobody there\"".to_owned(),
        (Selector::Prompt(Prompt::StillTrying), _) => "\"still trying\"".to_owned(),
        (Selector::Prompt(Prompt::Place(place)), _) => format!("\"place {place}\""),
        (Selector::Prompt(Prompt::LeaveMessage), _) => "\"leave a message\"".to_owned(),
        (Selector::Prompt(Prompt::Recorded), _) => "\"you are recorded\"".to_owned(),
        (Selector::Prompt(Prompt::Why(trigger)), _) => format!("\"why: {trigger}\""),
        (Selector::Prompt(Prompt::PressOne), _) => "\"press 1\"".to_owned(),
        (Selector::Prompt(Prompt::CallerGone), _) => "\"caller gone\"".to_owned(),
        (Selector::Music, _) => "music".to_owned(),
        (Selector::Silence, _) => "silence".to_owned(),
    }
}

/// A fact in words.
pub(crate) fn fact_words(kind: &FactKind) -> String {
    match kind {
        FactKind::Voice(v) => {
            let baseline = if v.baselined { "" } else { ", no baseline yet" };
            format!(
                "voice distress {:.2}, {} {:.2}, arousal {:.2}{baseline}",
                v.distress, v.emotion, v.confidence, v.arousal
            )
        }
        FactKind::Turn { speaker, text, confidence } => {
            let who = if *speaker == Speaker::Caller { "caller" } else { "bot" };
            format!("{who} says {}{}", quoted(text, 160), sure(*confidence))
        }
        FactKind::Intent { name, confidence } => format!("intent {name}{}", sure(*confidence)),
        FactKind::Entity { name, value } => format!("entity {name} = {}", quoted(value, 80)),
        FactKind::Action { name, succeeded, result } => {
            let how = if *succeeded { "worked" } else { "failed" };
            if result.is_empty() { format!("{name} {how}") } else { format!("{name} {how}: {result}") }
        }
        FactKind::AskedForHuman => "bot reports: the caller asked for a human".to_owned(),
        FactKind::BotEscalates { because } => format!("bot asks for a human: {because}"),
        FactKind::LoneDigit(digit) => format!("caller pressed {digit} alone"),
        FactKind::Summary(text) => format!("summary: {}", quoted(text, 160)),
        FactKind::Recording(wish) => format!("recording: {} is asked for", wish.as_str()),
        FactKind::Callback(wish) => {
            let number = wish.number.as_ref().map_or("the caller".to_owned(), |number| quoted(number, 40));
            let at = wish.at.as_ref().map_or("as soon as possible".to_owned(), |at| quoted(at, 60));
            format!("a callback is asked for: {number}, {at}")
        }
        FactKind::Withdrawn => "bot reports: no human is needed any more".to_owned(),
        FactKind::Introduced => "the bot has introduced the human".to_owned(),
        FactKind::Announcement { mark: Some(mark) } => format!("announcement up to mark {}", quoted(mark, 40)),
        FactKind::Announcement { mark: None } => "announcement".to_owned(),
        FactKind::NextSteps(steps) => format!("next steps: {}", steps.join("; ")),
        FactKind::Opening(text) => format!("opening: {}", quoted(text, 160)),
        FactKind::Articles(articles) => {
            let titles: Vec<&str> = articles.iter().map(|article| article.title.as_str()).collect();
            format!("articles: {}", titles.join("; "))
        }
        FactKind::BotDown { why } => format!("bot gone: {why}"),
    }
}

fn decided(decision: &Decision) -> String {
    let because: Vec<&str> = decision.because.iter().map(|reason| reason.text.as_str()).collect();
    format!("{}, {}: {}", headline(decision), decision.layer, because.join("; "))
}

/// What was decided, without the reasons.
pub(crate) fn headline(decision: &Decision) -> String {
    let urgency = match decision.urgency {
        Urgency::Normal => "",
        Urgency::High => ", urgent",
        Urgency::Emergency => ", EMERGENCY",
    };
    let Decision { trigger, rule, .. } = decision;
    format!("a human is needed: {trigger}{urgency} (rule {rule})")
}

/// Statistics of a leg in words.
pub(crate) fn quality(stats: &LegStats) -> String {
    let LegStats { received, sent, lost, jitter_ms, longest_gap_ms, .. } = stats;
    let mut out =
        format!("{received} in, {sent} out, {lost} lost, jitter {jitter_ms:.1} ms, longest gap {longest_gap_ms:.0} ms");
    if let Some(round_trip) = stats.round_trip_ms {
        let _ = write!(out, ", round trip {round_trip:.0} ms");
    }
    if let Some(loss) = stats.remote_loss {
        let _ = write!(out, ", peer lost {:.1} %", loss * 100.0);
    }
    for (whose, mos) in [("MOS", stats.mos), ("MOS there", stats.remote_mos)] {
        if let Some(mos) = mos {
            let _ = write!(out, ", {whose} {mos:.1}");
        }
    }
    if stats.refused > 0 {
        let _ = write!(out, ", {} refused", stats.refused);
    }
    out
}

fn sure(confidence: Option<f32>) -> String {
    confidence.map_or(String::new(), |c| format!(" ({c:.2})"))
}

fn release(what: &str, status: Option<u16>) -> String {
    let unsaid = status.filter(|status| !what.contains(&status.to_string()));
    format!("release: {what}{}", status_words(unsaid))
}

/// How a handoff ended; where, only when it went wrong.
pub(crate) fn outcome_words(outcome: HandoffOutcome, stage: HandoffStage, sip: Option<u16>, method: Method) -> String {
    match outcome {
        HandoffOutcome::Joined | HandoffOutcome::Released if method == Method::Stay => outcome.to_string(),
        HandoffOutcome::Joined | HandoffOutcome::Released => format!("{outcome} by {method}"),
        HandoffOutcome::Unproven if method == Method::Blind => {
            format!("{outcome} by {method}: the trunk never reported")
        }
        HandoffOutcome::Unproven => format!("{outcome}: no speech from both sides"),
        _ => format!("{outcome} at {stage}{}", status_words(sip)),
    }
}

fn status_words(status: Option<u16>) -> String {
    status.map_or(String::new(), |status| format!(" ({status})"))
}
