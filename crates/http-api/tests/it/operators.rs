//! Operators and bots over real HTTP: calls, the live trace, metrics, health, the control channel.

use crate::support::{CALL_TOKEN, WALL, World, sample, world, world_with_ring};
use call_model::{
    CallId, Callback, CallbackId, CallbackState, CallbackWish, Decision, EndCause, EndReason, Fact, FactKind,
    HandoffId, HandoffOutcome, HandoffStage, Instant, Layer, LegId, LegStats, Party, RecordingWish, Redacted, Role,
    TraceEvent, TraceKind, TransferState, Trigger, Urgency, VoiceScore,
};
use http_api::{CallbackChange, Metric};
use std::collections::BTreeSet;
use std::sync::Arc;

const ADMIN: &str = "admin-token";
const CALL: CallId = CallId(77);

fn trace(world: &World, call: CallId, ms: u64, kind: TraceKind) {
    let event = TraceEvent { at: Instant::from_millis(ms), call: Some(call), kind };
    world.hub.trace(&event);
    world.ledger.record(&event);
}

fn begin(world: &World, call: CallId, ms: u64) {
    let kind = TraceKind::Began {
        from: Redacted::new("+447700900123"),
        to: Redacted::new("+442079460958"),
        trunk: "carrier".into(),
        session_id: "a".repeat(32),
    };
    trace(world, call, ms, kind);
}

/// A call that is handed over and ends.
fn whole_call(world: &World) {
    let handoff = HandoffId(5);
    let at = Instant::from_millis(40_000);
    let voice = VoiceScore { distress: 0.7, ..VoiceScore::default() };
    let because = vec![call_model::Because { at, text: "confidence 0.41".into() }];
    let decision = Decision {
        at,
        rule: "unsure".into(),
        trigger: Trigger::LowConfidence,
        layer: Layer::Tunable,
        urgency: Urgency::Normal,
        because,
    };
    let leg = LegId { call: CALL, index: 0 };
    let stats = LegStats { received: 500, lost: 2, jitter_ms: 1.25, mos: Some(4.1), ..LegStats::default() };
    let quality = TraceKind::Quality { leg, role: Role::Caller, name: "carrier".into(), stats, last: true };
    begin(world, CALL, 1000);
    trace(world, CALL, 4000, TraceKind::Fact(Fact { at, kind: FactKind::Voice(voice) }));
    trace(world, CALL, 40_000, TraceKind::Decided(decision));
    trace(world, CALL, 40_000, TraceKind::State { from: TransferState::WithBot, to: TransferState::Consulting });
    trace(world, CALL, 40_001, TraceKind::Routed { handoff, desk: sample::desk(), because: "free".into() });
    trace(world, CALL, 40_002, TraceKind::Pop { handoff, desk: sample::desk(), what: "offered" });
    trace(world, CALL, 40_003, quality);
    let ended = TraceKind::HandoffEnded {
        handoff,
        outcome: HandoffOutcome::NoAnswer,
        stage: HandoffStage::Consult,
        sip: Some(480),
        method: call_model::Method::Stay,
        corrects: false,
    };
    trace(world, CALL, 65_000, ended);
    trace(world, CALL, 70_000, TraceKind::Ended { cause: EndCause::new(Party::Caller, EndReason::HungUp) });
}

#[tokio::test]
async fn a_call_is_listed_from_beginning_to_end() {
    let world = world().await;
    whole_call(&world);
    begin(&world, CallId(78), 80_000);
    let calls = world.get("/v1/calls", ADMIN).await.json()["calls"].clone();
    assert_eq!(calls.as_array().map(Vec::len), Some(2));
    assert_eq!((&calls[0]["state"], &calls[0]["ended_reason"]), (&"with_bot".into(), &serde_json::Value::Null));
    let call = &calls[1];
    assert_eq!(call["id"], CALL.to_string());
    assert_eq!((&call["from"], &call["trunk"]), (&"+447700900123".into(), &"carrier".into()));
    assert_eq!(call["decision"]["because"][0]["text"], "confidence 0.41");
    assert_eq!((&call["handoff"]["outcome"], &call["handoff"]["sip"]), (&"no_answer".into(), &480.into()));
    assert_eq!((&call["legs"][0]["lost"], &call["legs"][0]["jitter_ms"]), (&2.into(), &1.25.into()));
    assert_eq!((&call["legs"][0]["name"], &call["legs"][0]["mos"]), (&"carrier".into(), &4.1.into()));
    assert_eq!((&call["ended_by"], &call["ended_reason"]), (&"caller".into(), &"hung_up".into()));
    assert_eq!(call["ended_unix_ms"], WALL.unix_ms + 70_000);

    let one = world.get(&format!("/v1/calls/{CALL}"), ADMIN).await.json();
    assert_eq!(&one["call"], call);
    assert_eq!(one["events"].as_array().map(Vec::len), Some(9));
    assert_eq!((&one["events"][0]["kind"], &one["events"][0]["elapsed_ms"]), (&"began".into(), &0.into()));
    assert_eq!(world.get("/v1/calls?limit=1", ADMIN).await.json()["calls"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_past_comes_from_the_ledger() {
    let world = world().await;
    whole_call(&world);
    let calls = world.get("/v1/reports/calls", ADMIN).await.json()["calls"].clone();
    assert_eq!((&calls[0]["call"], &calls[0]["caller"]), (&CALL.to_string().into(), &"+447700900123".into()));
    let story = world.get(&format!("/v1/reports/calls/{CALL}"), ADMIN).await.json();
    assert_eq!((&story["legs"][0]["role"], &story["legs"][0]["mos"]), (&"caller".into(), &4.1.into()));
    assert_eq!(story["decisions"][0]["because"][0]["text"], "confidence 0.41");
    assert_eq!(world.get("/v1/reports/handoffs?limit=5", ADMIN).await.json()["handoffs"][0]["outcome"], "no_answer");
    let outcomes = world.get("/v1/reports/outcomes?since_ms=0", ADMIN).await.json();
    assert_eq!(
        (&outcomes["outcomes"][0]["outcome"], &outcomes["outcomes"][0]["count"]),
        (&"no_answer".into(), &1.into())
    );
    assert_eq!(world.get("/v1/reports/calls/0000000000000", ADMIN).await.error_code(), "not_found");
    assert_eq!(world.get("/v1/reports/outcomes?since_ms=x", ADMIN).await.error_code(), "bad_query");
    world.ledger.close().unwrap();
    let answer = world.get("/v1/reports/calls", ADMIN).await;
    assert_eq!((answer.status, answer.error_code()), (503, "ledger_failed".into()));
}

#[tokio::test]
async fn ended_calls_are_forgotten_beyond_the_limit_and_live_ones_never() {
    let world = world().await;
    begin(&world, CallId(1), 1);
    for call in 2..=700 {
        begin(&world, CallId(call), call);
        trace(&world, CallId(call), call, TraceKind::Ended { cause: EndCause::new(Party::Bot, EndReason::Finished) });
    }
    let calls = world.get("/v1/calls?limit=1000", ADMIN).await.json()["calls"].clone();
    assert_eq!(calls.as_array().map(Vec::len), Some(513));
    assert_eq!(calls[512]["id"], CallId(1).to_string());
}

#[tokio::test]
async fn a_tail_sees_one_call_or_all_and_lines_for_people() {
    let world = world().await;
    begin(&world, CALL, 1000);
    let mut all = world.events("/v1/trace", ADMIN, None).await;
    let mut one = world.events(&format!("/v1/trace?call={CALL}&backlog=true"), ADMIN, None).await;
    assert_eq!(one.next().await.expect("the past").data["kind"], "began");
    begin(&world, CallId(78), 1500);
    trace(&world, CALL, 2500, TraceKind::Note { about: Party::Bot, text: "hello\u{1b}[2J\nthere".into() });
    let event = one.next().await.expect("the note");
    assert_eq!((&event.data["kind"], &event.data["elapsed_ms"]), (&"note".into(), &1500.into()));
    let line = event.data["line"].as_str().expect("a line");
    assert!(line.contains("hello") && !line.contains('\n') && !line.contains('\u{1b}'), "{line:?}");
    let kinds: Vec<_> =
        [all.next().await, all.next().await].into_iter().flatten().map(|e| e.data["call"].clone()).collect();
    assert_eq!(kinds, [CallId(78).to_string(), CALL.to_string()]);
}

#[tokio::test]
async fn a_tail_never_shows_a_whole_number() {
    let world = world().await;
    let mut tail = world.events("/v1/trace", ADMIN, None).await;
    begin(&world, CALL, 1000);
    let data = tail.next().await.expect("the call").data.to_string();
    assert!(data.contains("**23") && !data.contains("7700900123"), "{data}");
}

#[tokio::test]
async fn a_tail_resumes_after_its_last_event_and_is_told_what_is_lost() {
    let world = world_with_ring(10).await;
    let mut tail = world.events("/v1/trace", ADMIN, None).await;
    begin(&world, CALL, 1);
    let first = tail.next().await.expect("the call");
    drop(tail);
    let note = |n: u64| trace(&world, CALL, n, TraceKind::Note { about: Party::Gateway, text: format!("n{n}") });
    (1..=3).for_each(note);
    let mut tail = world.events("/v1/trace", ADMIN, Some(&first.id)).await;
    for n in 1..=3 {
        assert_eq!(tail.next().await.expect("a note").data["text"], format!("n{n}"));
    }
    (4..=20).for_each(note);
    let mut late = world.events("/v1/trace", ADMIN, Some(&first.id)).await;
    let lost = late.next().await.expect("a word about the loss");
    assert_eq!((lost.name.as_str(), &lost.data["lost"]), ("lost", &10.into()));
    assert_eq!(late.next().await.expect("a note").data["text"], "n11");
}

#[tokio::test]
async fn a_busy_switchboard_is_followed_in_order() {
    let world = world().await;
    let mut tail = world.events("/v1/trace", ADMIN, None).await;
    let hub = world.hub.clone();
    let pusher = std::thread::spawn(move || {
        for n in 0..500u64 {
            let kind = TraceKind::Dropped { what: n.to_string() };
            hub.trace(&TraceEvent { at: Instant::from_millis(n), call: None, kind });
        }
    });
    for n in 0..500u64 {
        assert_eq!(tail.next().await.expect("an event").data["what"], n.to_string());
    }
    pusher.join().expect("no panic");
}

#[tokio::test]
async fn operators_need_the_admin_token() {
    let world = world().await;
    let paths = [
        "/v1/calls",
        "/v1/trace",
        "/v1/calls/0000000000000",
        "/v1/reports/calls",
        "/v1/reports/handoffs",
        "/v1/reports/outcomes",
    ];
    for path in paths {
        for token in ["", "anna-token", "wrong"] {
            assert_eq!(world.get(path, token).await.error_code(), "unauthorized", "{path}");
        }
    }
    assert!(world.request("GET", "/metrics", &[], b"").await.body.contains("warmline_http_unauthorized_total 18\n"));
    assert_eq!(world.get("/v1/calls/xyz", ADMIN).await.error_code(), "bad_id");
    assert_eq!(world.get("/v1/calls/0000000000000", ADMIN).await.error_code(), "not_found");
    assert_eq!(world.get("/v1/trace?call=xyz", ADMIN).await.error_code(), "bad_id");
    assert_eq!(world.get("/v1/trace?nonsense=1", ADMIN).await.error_code(), "bad_query");
    assert_eq!(world.get("/v1/calls?limit=-1", ADMIN).await.error_code(), "bad_query");
    assert_eq!(world.get("/nowhere", ADMIN).await.error_code(), "no_route");
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let world = world().await;
    whole_call(&world);
    world.hub.metrics().add(Metric::PacketsRelayed, 42);
    let text = world.request("GET", "/metrics", &[], b"").await.body;
    for expected in [
        "warmline_calls_total{trunk=\"carrier\"} 1",
        "warmline_active_calls 0",
        "warmline_calls_ended_total{by=\"caller\",reason=\"hung_up\"} 1",
        "warmline_decisions_total{trigger=\"low_confidence\",layer=\"tunable\"} 1",
        "warmline_handoffs_total{outcome=\"no_answer\",trigger=\"low_confidence\",method=\"stay\"} 1",
        "warmline_pops_total{what=\"offered\"} 1",
        "warmline_voice_facts_total 1",
        "warmline_rtp_packets_relayed_total 42",
    ] {
        assert!(text.lines().any(|line| line == expected), "{expected} not in\n{text}");
    }
}

#[tokio::test]
async fn the_documentation_names_every_metric_and_no_other() {
    let world = world().await;
    world.hub.metrics().set_voice_model("one", "tract");
    let text = world.request("GET", "/metrics", &[], b"").await.body;
    let served: BTreeSet<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let page = include_str!("../../../../docs/http-api.md");
    let written: BTreeSet<_> = page.split('`').filter(|word| word.starts_with("warmline_")).collect();
    assert_eq!(served, written);
}

#[tokio::test]
async fn a_pops_acknowledgement_is_timed() {
    let world = world().await;
    world.hub.pop(&sample::offered(sample::package(1, &WALL, Instant::ZERO)));
    let path = format!("/v1/desks/anna/handoffs/{}/ack", HandoffId(1));
    for _ in 0..2 {
        assert_eq!(world.post(&path, "anna-token", b"").await.status, 200);
    }
    let text = world.request("GET", "/metrics", &[], b"").await.body;
    assert!(text.contains("warmline_pop_ack_seconds_count 1\n"), "{text}");
}

#[tokio::test]
async fn health_is_open_and_readiness_says_why_not() {
    let world = world().await;
    let host = [("Host", "10-1-2-3.pod.cluster.local")];
    assert_eq!(world.request("GET", "/healthz", &host, b"").await.body, "ok\n");
    assert_eq!(world.request("GET", "/readyz", &host, b"").await.body, "ready\n");
    *world.control.not_ready.lock().unwrap() = Some("draining".into());
    let answer = world.request("GET", "/readyz", &host, b"").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "not ready: draining\n"));
}

#[tokio::test]
async fn a_bot_reports_with_its_calls_token() {
    let world = world().await;
    let path = format!("/v1/calls/{CALL}/control");
    let answer = world.post(&path, CALL_TOKEN, br#"{"event":"ask"}"#).await;
    assert_eq!((answer.status, &answer.json()["accepted"]), (202, &1.into()));
    assert_eq!(*world.control.facts.lock().unwrap(), [(CALL, FactKind::AskedForHuman)]);
    for (token, body, status) in [
        ("wrong", &br#"{"event":"ask"}"#[..], 401),
        ("", br#"{"event":"ask"}"#, 401),
        (CALL_TOKEN, b"{", 422),
        (CALL_TOKEN, b"", 422),
    ] {
        let answer = world.post(&path, token, body).await;
        assert_eq!(answer.status, status, "{token} {body:?}");
        answer.error_code();
    }
    assert_eq!(world.post("/v1/calls/!/control", CALL_TOKEN, b"{}").await.error_code(), "bad_id");
    assert_eq!(world.post(&path, CALL_TOKEN, &vec![b'x'; 70_000]).await.error_code(), "too_large");
    assert_eq!(world.control.facts.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn broken_http_harms_nobody() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let world = world().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"GET\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"\0\0\0\r\n\r\n",
    ] {
        let mut stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{bytes:?}");
    }
    assert_eq!(world.request("GET", "/healthz", &[], b"").await.status, 200);
}

#[tokio::test]
async fn rules_are_shown_and_a_file_that_is_refused_tells_everything_that_is_wrong() {
    let world = world().await;
    assert_eq!(world.get("/v1/rules", "wrong").await.error_code(), "unauthorized");
    assert_eq!(world.post("/v1/rules/reload", "wrong", b"").await.error_code(), "unauthorized");
    let shown = world.get("/v1/rules", ADMIN).await.json();
    assert_eq!((shown["file"].as_str(), shown["version"].as_str()), (Some("rules.toml"), Some("0123456789abcdef")));
    assert_eq!(shown["rules"][0]["trigger"], "asked");
    assert_eq!(world.post("/v1/rules/reload", ADMIN, b"").await.status, 200);
    *world.control.rules_refused.lock().unwrap() = vec!["rule[0].kind: one".to_owned(), "rule[1].name: two".to_owned()];
    let refused = world.post("/v1/rules/reload", ADMIN, b"").await;
    assert_eq!((refused.status, refused.error_code().as_str()), (422, "rules_refused"));
    assert_eq!(refused.json()["complaints"], serde_json::json!(["rule[0].kind: one", "rule[1].name: two"]));
    assert_eq!(world.get("/v1/rules", ADMIN).await.json()["refused"][1], "rule[1].name: two");
}

#[tokio::test]
async fn operations_may_pause_a_recording_and_nobody_else() {
    let world = world().await;
    let path = format!("/v1/calls/{CALL}/recording");
    for wish in RecordingWish::ALL {
        let body = format!("{{\"recording\": \"{}\"}}", wish.as_str());
        assert_eq!(world.post(&path, ADMIN, body.as_bytes()).await.status, 204);
    }
    assert_eq!(*world.control.wishes.lock().unwrap(), RecordingWish::ALL.map(|wish| (CALL, wish)));
    let pause: &[u8] = br#"{"recording": "pause"}"#;
    assert_eq!(world.post(&path, CALL_TOKEN, pause).await.status, 401);
    for body in [b"".as_slice(), br#"{"recording": "erase"}"#, br#"{"recording": "pause", "because": "card"}"#] {
        assert_eq!(world.post(&path, ADMIN, body).await.error_code(), "invalid");
    }
    *world.control.refuse.lock().unwrap() = Some(http_api::Refused::NotNow("it is over".into()));
    assert_eq!(world.post(&path, ADMIN, pause).await.status, 409);
}

#[tokio::test]
async fn operations_see_cancel_and_move_callbacks_and_nobody_else_does() {
    let world = world().await;
    let package = sample::package(7, &WALL, Instant::from_millis(5));
    let id = CallbackId(HandoffId(9));
    *world.control.callbacks.lock().unwrap() = vec![Callback {
        id,
        version: 1,
        state: CallbackState::Promised,
        number: Redacted::new("+447700900123"),
        trunk: "carrier".into(),
        call: CALL,
        asked_ms: 1,
        promised_ms: 2,
        due_ms: 3,
        attempts: 0,
        note: String::new(),
        package: Arc::new(package),
    }];
    let one = world.get("/v1/callbacks", ADMIN).await.json()["callbacks"][0].clone();
    assert_eq!((&one["id"], &one["state"]), (&id.to_string().into(), &"promised".into()), "{one}");
    assert_eq!((&one["number"], &one["due_unix_ms"]), (&"+447700900123".into(), &3.into()), "{one}");
    assert_eq!(world.get("/v1/callbacks", CALL_TOKEN).await.status, 401);
    let path = format!("/v1/callbacks/{id}");
    assert_eq!(world.request("DELETE", &path, &[], b"").await.status, 401);
    let admin = [("Authorization", "Bearer admin-token")];
    assert_eq!(world.request("DELETE", &path, &admin, b"").await.status, 204);
    let body: &[u8] = br#"{"at": "2026-11-23T10:00", "zone": "UTC"}"#;
    assert_eq!(world.post(&path, ADMIN, body).await.status, 204);
    for wrong in [b"".as_slice(), b"{}", br#"{"at": 7}"#, br#"{"at": "x", "number": "1"}"#] {
        assert_eq!(world.post(&path, ADMIN, wrong).await.status, 422);
    }
    assert_eq!(world.request("DELETE", "/v1/callbacks/nonsense", &admin, b"").await.error_code(), "bad_id");
    let wish = CallbackWish { number: None, at: Some("2026-11-23T10:00".into()), zone: Some("UTC".into()) };
    assert_eq!(
        *world.control.changes.lock().unwrap(),
        [(id, CallbackChange::Cancel), (id, CallbackChange::Reschedule(wish))]
    );
    *world.control.refuse.lock().unwrap() = Some(http_api::Refused::UnknownCallback);
    assert_eq!(world.request("DELETE", &path, &admin, b"").await.error_code(), "not_found");
}
