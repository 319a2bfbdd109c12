//! The control channel: every event of docs/control-events.md, and what is refused.

use bot_proto::control::{MAX_BODY, encode, parse};
use call_model::{BotUpdate, FactKind, RecordingWish, Speaker};
use core::time::Duration;

#[test]
fn every_event_becomes_its_fact() {
    for (json, fact) in [
        (
            r#"{"turn": {"speaker": "caller", "text": "Where is it?", "confidence": 0.93}}"#,
            FactKind::Turn { speaker: Speaker::Caller, text: "Where is it?".to_owned(), confidence: Some(0.93) },
        ),
        (
            r#"{"turn": {"speaker": "bot", "text": "Let me look.", "confidence": null}}"#,
            FactKind::Turn { speaker: Speaker::Bot, text: "Let me look.".to_owned(), confidence: None },
        ),
        (
            r#"{"intent": {"name": "dispute_fee", "confidence": 1}}"#,
            FactKind::Intent { name: "dispute_fee".to_owned(), confidence: Some(1.0) },
        ),
        (r#"{"entity": {"name": "order", "value": 42}}"#, entity("order", "42")),
        (r#"{"entities": {"vip": true}}"#, entity("vip", "true")),
        (
            r#"{"action": {"name": "lookup", "succeeded": false, "result": "timed out"}}"#,
            FactKind::Action { name: "lookup".to_owned(), succeeded: false, result: "timed out".to_owned() },
        ),
        (r#"{"asked_for_human": true}"#, FactKind::AskedForHuman),
        (
            r#"{"escalate": {"because": "I am not allowed to refund"}}"#,
            FactKind::BotEscalates { because: "I am not allowed to refund".to_owned() },
        ),
        (r#"{"summary": "Wants a refund."}"#, FactKind::Summary("Wants a refund.".to_owned())),
        (r#"{"introduced": true}"#, FactKind::Introduced),
        (r#"{"withdrawn": true}"#, FactKind::Withdrawn),
        (
            r#"{"callback": {"at": "2026-11-23T10:00", "zone": "UTC"}}"#,
            FactKind::Callback(call_model::CallbackWish {
                number: None,
                at: Some("2026-11-23T10:00".to_owned()),
                zone: Some("UTC".to_owned()),
            }),
        ),
        (r#"{"recording": "pause"}"#, FactKind::Recording(RecordingWish::Pause)),
        (r#"{"announcement": {"mark": "end"}}"#, FactKind::Announcement { mark: Some("end".to_owned()) }),
        (r#"{"announcement": {}}"#, FactKind::Announcement { mark: None }),
        (r#"{"next_steps": ["check the order"]}"#, FactKind::NextSteps(vec!["check the order".to_owned()])),
    ] {
        assert_eq!(parse(json), Ok(vec![fact]), "{json}");
    }
    assert_eq!(parse(r#"{"asked_for_human": false}"#), Ok(vec![]));
}

#[test]
fn what_informs_comes_before_what_calls_a_human() {
    let json = r#"{"escalate": {"because": "b"}, "summary": "s", "asked_for_human": true, "event": "warmline",
        "entities": {"b": 1, "a": 2}, "streamSid": "MZ"}"#;
    let facts = vec![
        entity("a", "2"),
        entity("b", "1"),
        FactKind::Summary("s".to_owned()),
        FactKind::AskedForHuman,
        FactKind::BotEscalates { because: "b".to_owned() },
    ];
    assert_eq!(parse(json), Ok(facts));
}

#[test]
fn a_bad_event_is_refused_whole_with_field_and_advice() {
    let known = "turn, intent, entity, entities, action, summary, next_steps, opening, articles, introduced, announcement, recording, callback, withdrawn, asked_for_human, escalate";
    for (json, complaint) in [
        ("", "body: not JSON: EOF while parsing a value at line 1 column 0"),
        ("[]", "body: send a JSON object, such as {\"asked_for_human\": true}"),
        ("{}", &format!("body: nothing in it; send one or more of {known}")),
        (r#"{"event": "media"}"#, "event: leave it out or send \"warmline\""),
        (r#"{"summry": "x"}"#, &format!("summry: not known here; fields are {known}")),
        (r#"{"summary": "ok", "turn": {}}"#, "turn.speaker: missing; \"caller\" or \"bot\""),
        (r#"{"turn": "hello"}"#, "turn: expected an object, found a text"),
        (r#"{"turn": {"speaker": "caller", "text": "  "}}"#, "turn.text: missing; the words that were said"),
        (r#"{"turn": {"speaker": "caller", "text": 5}}"#, "turn.text: expected a text, found a number"),
        (
            r#"{"turn": {"speaker": "caller", "text": "x", "confidence": 41}}"#,
            "turn.confidence: send a number from 0 to 1, not 41",
        ),
        (
            r#"{"turn": {"speaker": "caller", "text": "x", "lang": "de"}}"#,
            "turn.lang: not known here; fields are speaker, text, confidence",
        ),
        (r#"{"intent": {}}"#, "intent.name: missing; a short name, such as \"dispute_fee\""),
        (r#"{"entity": {"name": "a"}}"#, "entity.value: missing; a text, number or boolean"),
        (r#"{"entities": {"a": [1]}}"#, "entities.a: expected a text, number or boolean, found a list"),
        (r#"{"entities": {"": 1}}"#, "entities: a name has 1 to 100 characters"),
        (r#"{"action": {"name": "a"}}"#, "action.succeeded: missing; true or false"),
        (r#"{"action": {"name": "a", "succeeded": "yes"}}"#, "action.succeeded: expected true or false, found a text"),
        (r#"{"next_steps": "call back"}"#, "next_steps: send a list of at most 20 texts"),
        (r#"{"next_steps": [3]}"#, "next_steps[0]: send a text of at most 500 characters"),
        (r#"{"opening": 3}"#, "opening: expected a text, found a number"),
        (r#"{"articles": {}}"#, "articles: send a list of at most 12 objects"),
        (r#"{"articles": [{"text": "a"}]}"#, "articles[0].title: missing; what it is called"),
        (
            r#"{"articles": [{"title": "a", "url": "javascript:alert(1)"}]}"#,
            "articles[0].url: send an address that begins with https:// or http://",
        ),
        (r#"{"escalate": true}"#, "escalate: expected an object, found a boolean"),
        (r#"{"escalate": {}}"#, "escalate.because: missing; why, in words for the human"),
        (r#"{"asked_for_human": 1}"#, "asked_for_human: expected true or false, found a number"),
    ] {
        assert_eq!(parse(json).map_err(|error| error.to_string()), Err(complaint.to_owned()), "{json}");
    }
}

#[test]
fn sizes_are_bounded() {
    let long = |n| "x".repeat(n);
    let many: Vec<String> = (0..51).map(|i| format!("\"k{i}\": 1")).collect();
    for (json, complaint) in [
        (format!(r#"{{"summary": "{}"}}"#, long(4001)), "summary: 4001 characters; send at most 4000".to_owned()),
        (
            format!(r#"{{"entities": {{{}}}}}"#, many.join(",")),
            "entities: 51 values; send at most 50 in one event".to_owned(),
        ),
        (
            format!(r#"{{"{}": 1}}"#, long(5000)),
            format!(
                "{}: not known here; fields are turn, intent, entity, entities, action, summary, next_steps, opening, articles, introduced, announcement, recording, callback, withdrawn, asked_for_human, escalate",
                long(100)
            ),
        ),
        (long(MAX_BODY + 1), format!("body: {} octets; send at most {MAX_BODY}", MAX_BODY + 1)),
    ] {
        assert_eq!(parse(&json).map_err(|error| error.to_string()), Err(complaint));
    }
    assert!(parse(&format!(r#"{{"summary": "{}"}}"#, "é".repeat(4000))).is_ok(), "characters, not octets");
    assert!(parse(&"[".repeat(60_000)).is_err());
}

#[test]
fn what_the_bot_is_told() {
    for (update, json) in [
        (
            BotUpdate::HandoffQueued { place: 2, wait: Some(Duration::from_millis(90_100)) },
            r#"{"event":"warmline","type":"handoff.queued","place":2,"wait_s":91}"#,
        ),
        (
            BotUpdate::HandoffQueued { place: 1, wait: None },
            r#"{"event":"warmline","type":"handoff.queued","place":1,"wait_s":null}"#,
        ),
        (
            BotUpdate::HandoffStarted { trigger: "distress", wait: None },
            r#"{"event":"warmline","type":"handoff.started","trigger":"distress","wait_s":null}"#,
        ),
        (
            BotUpdate::HandoffStarted { trigger: "asked", wait: Some(Duration::from_secs(25)) },
            r#"{"event":"warmline","type":"handoff.started","trigger":"asked","wait_s":25}"#,
        ),
        (
            BotUpdate::Introduce { desk: "anna".to_owned(), display: "Anna".to_owned() },
            r#"{"event":"warmline","type":"handoff.introduce","desk":"anna","display":"Anna"}"#,
        ),
        (
            BotUpdate::CoPilot { desk: "anna".to_owned() },
            r#"{"event":"warmline","type":"handoff.co_pilot","desk":"anna"}"#,
        ),
        (BotUpdate::HandoffAccepted, r#"{"event":"warmline","type":"handoff.accepted"}"#),
        (
            BotUpdate::HandedBack {
                handoff: call_model::HandoffId(7),
                notes: "call \"Bob\"\r\nback".to_owned(),
                by: "anna".to_owned(),
                outcome: "joined",
            },
            r#"{"event":"warmline","type":"handoff.handed_back","handoff":"00000000000000000000000007","notes":"call \"Bob\"\r\nback","by":"anna","outcome":"joined"}"#,
        ),
        (
            BotUpdate::CallbackAccepted {
                callback: call_model::CallbackId(call_model::HandoffId(8)),
                at: "2026-11-23T10:00:00+00:00[UTC]".to_owned(),
                moved: true,
            },
            r#"{"event":"warmline","type":"callback.accepted","callback":"00000000000000000000000008","at":"2026-11-23T10:00:00+00:00[UTC]","moved":true}"#,
        ),
        (
            BotUpdate::CallbackRefused { reason: "not_allowed", why: "we cannot call that number" },
            r#"{"event":"warmline","type":"callback.refused","reason":"not_allowed","why":"we cannot call that number"}"#,
        ),
        (
            BotUpdate::HandoffFailed { outcome: "no_answer", why: "nobody \"picked up\"".to_owned() },
            r#"{"event":"warmline","type":"handoff.failed","outcome":"no_answer","why":"nobody \"picked up\""}"#,
        ),
    ] {
        assert_eq!(encode(&update), json);
    }
}

#[test]
fn every_example_of_the_documentation_is_accepted() {
    let page = include_str!("../../../docs/control-events.md");
    let (to_us, told) = page.split_once("## What the bot is told").expect("the page has both directions");
    let examples = |text: &'static str| text.split("```json\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let mut fields = std::collections::BTreeSet::new();
    for (example, _) in examples(to_us) {
        let parsed = parse(example);
        assert!(parsed.as_ref().is_ok_and(|facts| !facts.is_empty()), "{example}: {parsed:?}");
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(example).expect("parsed before");
        fields.extend(object.keys().cloned());
    }
    let expected = "action announcement asked_for_human callback entities entity escalate event intent introduced next_steps recording summary turn withdrawn";
    assert_eq!(fields.into_iter().collect::<Vec<_>>().join(" "), expected, "every field has an example");
    assert_eq!(
        examples(told).filter(|(example, _)| serde_json::from_str::<serde_json::Value>(example).is_ok()).count(),
        9
    );
}

fn entity(name: &str, value: &str) -> FactKind {
    FactKind::Entity { name: name.to_owned(), value: value.to_owned() }
}
