//! Trace events as JSON, for `GET /v1/trace` and `GET /v1/calls/{id}`.

use crate::shapes::{DecisionShape, LegShape, VoiceShape, speaker, state};
use call_model::{EndCause, FactKind, Instant, Selector, TraceEvent, TraceKind, WallAnchor};
use serde_json::{Map, Value, json};

/// `{at_unix_ms, elapsed_ms, call, kind, line, ..}`; the rest depends on the kind. Callers' numbers stay redacted:
/// a tail is read over shoulders.
pub(crate) fn trace_json(event: &TraceEvent, started: Instant, wall: &WallAnchor) -> Value {
    let (kind, rest) = kind(event, wall);
    let mut object = Map::new();
    object.insert("at_unix_ms".into(), wall.unix_ms(event.at).into());
    object.insert("elapsed_ms".into(), millis(started, event.at).into());
    object.insert("call".into(), event.call.map_or(Value::Null, |call| call.to_string().into()));
    object.insert("kind".into(), kind.into());
    object.insert("line".into(), call_trace::render_line(event, started).into());
    if let Value::Object(rest) = rest {
        object.extend(rest);
    }
    Value::Object(object)
}

fn millis(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX)
}

fn kind(event: &TraceEvent, wall: &WallAnchor) -> (&'static str, Value) {
    match &event.kind {
        TraceKind::Began { from, to, trunk, session_id } => {
            ("began", json!({"from": from.to_string(), "to": to.to_string(), "trunk": trunk, "session_id": session_id}))
        }
        TraceKind::Sip { leg, role, sent, what, sip_call_id, cseq, again } => (
            "sip",
            json!({
                "leg": leg.map(|leg| leg.to_string()), "role": role.map(|role| role.to_string()), "sent": sent,
                "what": what, "sip_call_id": sip_call_id, "cseq": cseq, "again": again,
            }),
        ),
        TraceKind::State { from, to } => ("state", json!({"from": state(*from), "to": state(*to)})),
        TraceKind::Fed { leg, role, from, source } => (
            "fed",
            json!({
                "leg": leg.to_string(), "role": role.to_string(), "from": selector(*from),
                "source": source.map(|role| role.to_string()),
            }),
        ),
        TraceKind::Fact(fact) => ("fact", fact_json(event.at, &fact.kind, wall)),
        TraceKind::Speech { speaker: who, speaks } => ("speech", json!({"speaker": speaker(*who), "speaks": speaks})),
        TraceKind::Decided(decision) => ("decided", to_value(DecisionShape::from_model(decision, wall))),
        TraceKind::Routed { handoff, desk, because } => {
            ("routed", json!({"handoff": handoff.to_string(), "desk": desk.0, "because": because}))
        }
        TraceKind::Queued { handoff, place, of, wait, because } => (
            "queued",
            json!({
                "handoff": handoff.to_string(), "place": place, "of": of, "wait_s": wait.map(|wait| wait.as_secs()),
                "because": because,
            }),
        ),
        TraceKind::Dequeued { handoff, waited, how } => {
            ("dequeued", json!({"handoff": handoff.to_string(), "waited_ms": waited.as_millis(), "how": how}))
        }
        TraceKind::Pop { handoff, desk, what } => {
            ("pop", json!({"handoff": handoff.to_string(), "desk": desk.0, "what": what}))
        }
        TraceKind::Release { what, status } => ("release", json!({"what": what, "status": status})),
        TraceKind::Flowing { leg, role } => ("flowing", json!({"leg": leg.to_string(), "role": role.to_string()})),
        TraceKind::Quality { leg, role, name, stats, last } => {
            let mut shape = to_value(LegShape::from_model(*leg, *role, name, stats));
            shape["last"] = (*last).into();
            ("quality", shape)
        }
        TraceKind::HandoffEnded { handoff, outcome, stage, sip, method, corrects } => (
            "handoff_ended",
            json!({
                "handoff": handoff.to_string(), "outcome": outcome.as_str(), "stage": stage.to_string(), "sip": sip,
                "retryable": outcome.retryable(), "method": method.as_str(), "corrects": corrects,
            }),
        ),
        TraceKind::Callback { callback, what, text } => {
            ("callback", json!({"callback": callback.to_string(), "what": what, "text": text}))
        }
        TraceKind::EarlyDrop { handoff, desk, by, after, cause } => (
            "early_drop",
            json!({
                "handoff": handoff.to_string(), "desk": desk.0, "by": by.to_string(), "after_ms": after.as_millis(),
                "cause": cause,
            }),
        ),
        TraceKind::Recording { name, what } => ("recording", json!({"name": name, "what": what})),
        TraceKind::Disposed { handoff, desk, disposition } => (
            "disposed",
            json!({
                "handoff": handoff.to_string(), "desk": desk.0, "code": disposition.code, "notes": disposition.notes,
            }),
        ),
        TraceKind::LegEnded { leg, role, cause } => {
            ("leg_ended", with_cause(json!({"leg": leg.to_string(), "role": role.to_string()}), *cause))
        }
        TraceKind::Ended { cause } => ("ended", with_cause(json!({}), *cause)),
        TraceKind::Dropped { what } => ("dropped", json!({"what": what})),
        TraceKind::Note { about, text } => ("note", json!({"about": about.to_string(), "text": text})),
    }
}

fn fact_json(at: Instant, fact: &FactKind, wall: &WallAnchor) -> Value {
    match fact {
        FactKind::Voice(score) => json!({"fact": "voice", "voice": to_value(VoiceShape::from_model(at, score, wall))}),
        FactKind::Turn { speaker: who, text, confidence } => {
            json!({"fact": "turn", "speaker": speaker(*who), "text": text, "confidence": confidence})
        }
        FactKind::Intent { name, confidence } => json!({"fact": "intent", "name": name, "confidence": confidence}),
        FactKind::Entity { name, value } => json!({"fact": "entity", "name": name, "value": value}),
        FactKind::Action { name, succeeded, result } => {
            json!({"fact": "action", "name": name, "succeeded": succeeded, "result": result})
        }
        FactKind::AskedForHuman => json!({"fact": "asked_for_human"}),
        FactKind::BotEscalates { because } => json!({"fact": "bot_escalates", "because": because}),
        FactKind::LoneDigit(digit) => json!({"fact": "lone_digit", "digit": digit.to_string()}),
        FactKind::Summary(text) => json!({"fact": "summary", "text": text}),
        FactKind::Recording(wish) => json!({"fact": "recording", "wish": wish.as_str()}),
        FactKind::Callback(wish) => {
            json!({"fact": "callback", "number": wish.number, "at": wish.at, "zone": wish.zone})
        }
        FactKind::Withdrawn => json!({"fact": "withdrawn"}),
        FactKind::Introduced => json!({"fact": "introduced"}),
        FactKind::Announcement { mark } => json!({"fact": "announcement", "mark": mark}),
        FactKind::NextSteps(steps) => json!({"fact": "next_steps", "steps": steps}),
        FactKind::Opening(text) => json!({"fact": "opening", "text": text}),
        FactKind::Articles(articles) => {
            let titles: Vec<&str> = articles.iter().map(|article| article.title.as_str()).collect();
            json!({"fact": "articles", "titles": titles})
        }
        FactKind::BotDown { why } => json!({"fact": "bot_down", "why": why}),
    }
}

fn with_cause(mut value: Value, cause: EndCause) -> Value {
    value["by"] = cause.by.to_string().into();
    value["reason"] = cause.reason.as_str().into();
    value["sip"] = cause.sip.into();
    value
}

fn selector(selector: Selector) -> String {
    match selector {
        Selector::Leg(leg) => leg.to_string(),
        Selector::Mix(one, other) => format!("{one} and {other}"),
        Selector::Prompt(prompt) => format!("prompt {prompt:?}"),
        Selector::Music => "music".into(),
        Selector::Silence => "silence".into(),
    }
}

fn to_value(shape: impl serde::Serialize) -> Value {
    serde_json::to_value(shape).unwrap_or(Value::Null)
}
