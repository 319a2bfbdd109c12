//! A handoff's outcome, stage, method and SIP status are the same words on every surface: each is driven through all.

use crate::support::{World, world};
use call_model::{
    CallId, DeskId, DeskState, EndCause, EndReason, HandoffId, HandoffOutcome, HandoffStage, Instant, Method, Party,
    Redacted, TraceEvent, TraceKind, Trigger, Urgency,
};
use http_api::{AbilityView, PeerView, PresenceShown, QueueView, RegistrationShown, TelephoneShown, WaitingShown};
use serde_json::Value;
use std::time::Duration;

const ADMIN: &str = "admin-token";

fn trace(world: &World, call: CallId, ms: u64, kind: TraceKind) {
    let event = TraceEvent { at: Instant::from_millis(ms), call: Some(call), kind };
    world.hub.trace(&event);
    world.ledger.record(&event);
}

/// A call whose handoff ended so; it ended soon after the join when it was joined.
fn call(world: &World, n: u64, outcome: HandoffOutcome, stage: HandoffStage, method: Method) {
    let (call, handoff, desk) = (CallId(n), HandoffId(u128::from(n)), DeskId("anna".into()));
    let began = TraceKind::Began {
        from: Redacted::new("+447700900123"),
        to: Redacted::new("1000"),
        trunk: "carrier".into(),
        session_id: "a".repeat(32),
    };
    trace(world, call, n, began);
    trace(world, call, n + 1, TraceKind::Routed { handoff, desk: desk.clone(), because: "free".into() });
    trace(
        world,
        call,
        n + 2,
        TraceKind::HandoffEnded { handoff, outcome, stage, sip: Some(480), method, corrects: false },
    );
    if outcome == HandoffOutcome::Joined {
        let (by, after, cause) = (Party::Desk, Duration::from_secs(9), "BYE".to_owned());
        trace(world, call, n + 3, TraceKind::EarlyDrop { handoff, desk, by, after, cause });
    }
    let cause = EndCause::new(Party::Caller, EndReason::HungUp);
    trace(world, call, n + 4, TraceKind::Ended { cause });
}

fn words(value: &Value) -> Value {
    serde_json::json!([value["outcome"], value["stage"], value["method"], value["sip"], value["retryable"]])
}

/// Every outcome, with the stages and methods dealt out over them so that each of those comes as well.
fn cases() -> Vec<(u64, HandoffOutcome, HandoffStage, Method)> {
    let stages = HandoffStage::ALL.into_iter().cycle();
    let methods = Method::ALL.into_iter().cycle();
    let outcomes = HandoffOutcome::ALL.into_iter().zip(stages).zip(methods);
    outcomes.zip(1..).map(|(((outcome, stage), method), n)| (n * 100, outcome, stage, method)).collect()
}

#[tokio::test]
async fn the_words_are_the_same_everywhere() {
    let world = world().await;
    for (n, outcome, stage, method) in cases() {
        call(&world, n, outcome, stage, method);
    }
    let metrics = world.get("/metrics", ADMIN).await.body;
    let cdrs = world.get("/v1/reports/cdrs", ADMIN).await;
    assert!(cdrs.head.contains("application/x-ndjson"), "{}", cdrs.head);
    let cdrs: Vec<Value> = cdrs.body.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let csv = world.get("/v1/reports/cdrs?format=csv", ADMIN).await.body;
    let tallies = world.get("/v1/reports/outcomes", ADMIN).await.json();
    assert_eq!((cdrs.len(), csv.lines().count()), (10, 11));
    for ((n, outcome, stage, method), cdr) in cases().into_iter().zip(&cdrs) {
        let (call, handoff) = (CallId(n), HandoffId(u128::from(n)));
        let expected =
            serde_json::json!([outcome.as_str(), stage.to_string(), method.as_str(), 480, outcome.retryable()]);
        let status = world.get(&format!("/v1/handoffs/{handoff}/status"), ADMIN).await.json();
        assert_eq!(words(&status), expected, "the resource");
        let live = world.get(&format!("/v1/calls/{call}"), ADMIN).await.json();
        assert_eq!(words(&live["call"]["handoff"]), expected, "the call");
        let ended = live["events"].as_array().expect("events").iter().find(|event| event["kind"] == "handoff_ended");
        assert_eq!(words(ended.expect("an event")), expected, "the trace");
        let past = world.get(&format!("/v1/reports/calls/{call}"), ADMIN).await.json();
        assert_eq!(words(&past["handoffs"][0]), expected, "the ledger");
        assert_eq!(words(cdr), expected, "the CDR");
        assert_eq!(cdr["early_drop"], outcome == HandoffOutcome::Joined);
        assert_eq!(cdr["early_drop"], !status["early_drop"].is_null());
        let line = format!(",{outcome},{stage},{method},480,{},", outcome.retryable());
        assert!(csv.lines().any(|row| row.starts_with(&call.to_string()) && row.contains(&line)), "{line} in {csv}");
        let metric =
            format!("warmline_handoffs_total{{outcome=\"{outcome}\",trigger=\"direct\",method=\"{method}\"}} 1\n");
        assert!(metrics.contains(&metric), "{metric} in {metrics}");
        let tally =
            tallies["outcomes"].as_array().expect("rows").iter().filter(|row| row["outcome"] == outcome.as_str());
        assert_eq!(tally.count(), 1, "the report: {outcome}");
        let text = ended.expect("an event")["line"].as_str().unwrap_or_default();
        assert!(text.contains(outcome.as_str()), "{text}");
    }
    assert!(metrics.contains("warmline_early_drops_total{desk=\"anna\",by=\"desk\"} 1\n"), "{metrics}");
    let desks = world.get("/v1/reports/desks", ADMIN).await.json();
    let desk = &desks["desks"][0];
    assert_eq!(
        (&desk["handoffs"], &desk["unproven"], &desk["early_drops"]),
        (&10.into(), &1.into(), &1.into()),
        "{desks}"
    );
}

#[tokio::test]
async fn downloads_are_for_operators_and_bounded() {
    let world = world().await;
    for (n, outcome, stage, method) in cases() {
        call(&world, n, outcome, stage, method);
    }
    assert_eq!(world.get("/v1/reports/cdrs", "anna-token").await.status, 401);
    assert_eq!(world.get("/v1/reports/cdrs?format=xml", ADMIN).await.error_code(), "bad_query");
    assert_eq!(world.get("/v1/reports/cdrs?limit=3", ADMIN).await.body.lines().count(), 3);
    let first = crate::support::WALL.unix_ms;
    let path = format!("/v1/reports/cdrs?since_ms={}&until_ms={}", first + 200, first + 400);
    assert_eq!(world.get(&path, ADMIN).await.body.lines().count(), 2);
}

#[tokio::test]
async fn trunks_and_desks_are_told_with_what_is_known_of_them() {
    let world = world().await;
    let able = |evidence, until| AbilityView {
        evidence,
        setting: "learn",
        usable: evidence == "proven",
        because: "seen".into(),
        since: Some(Instant::from_millis(5)),
        until,
    };
    let peer = |trunk, name: &str| PeerView {
        trunk,
        name: name.into(),
        up: (!trunk).then_some(true),
        targets: vec![("192.0.2.7:5060/udp".into(), Some(false)); usize::from(!trunk)],
        busy: 2,
        state: DeskState::Busy,
        skills: vec!["billing".into()],
        languages: vec!["es".into()],
        seniority: 3,
        presence: (!trunk).then(|| PresenceShown {
            what: "busy",
            source: Some("human"),
            since: Some(Instant::from_millis(4)),
        }),
        refer: able("refused", Some(Instant::from_millis(9))),
        replaces: able("proven", None),
        blind: trunk.then(|| able("proven", None)),
        registration: trunk.then(|| RegistrationShown {
            registrar: "sip:carrier.example".into(),
            aor: "sip:1@carrier.example".into(),
            since: Some(Instant::from_millis(3)),
            until: Some(Instant::from_millis(7)),
            because: None,
            again: Some(Instant::from_millis(6)),
        }),
        telephones: (!trunk).then(|| {
            let (since, until) = (Instant::from_millis(3), Instant::from_millis(7));
            vec![TelephoneShown { at: "udp 192.0.2.9:5060".into(), agent: "baresip".into(), since, until }]
        }),
        resting_until: None,
        handoffs: 40,
        early_drops: 3,
    };
    *world.control.peers.lock().unwrap() = vec![peer(true, "carrier"), peer(false, "anna")];
    call(&world, 100, HandoffOutcome::Released, HandoffStage::Release, Method::ReferTrunk);
    let call_up = TraceKind::Began {
        from: Redacted::new("a"),
        to: Redacted::new("b"),
        trunk: "carrier".into(),
        session_id: "a".repeat(32),
    };
    trace(&world, CallId(200), 200, call_up);
    trace(&world, CallId(200), 201, TraceKind::Release { what: "REFER refused".into(), status: Some(603) });
    let told = world.get("/v1/trunks", ADMIN).await.json();
    let (trunk, desk) = (&told["trunks"][0], &told["desks"][0]);
    assert_eq!(
        (&trunk["name"], &trunk["calls"], &trunk["released"], &trunk["refer_refused"], &trunk["up"]),
        (&"carrier".into(), &1.into(), &1.into(), &1.into(), &Value::Null)
    );
    assert_eq!((&trunk["refer"]["evidence"], &trunk["refer"]["usable"]), (&"refused".into(), &false.into()));
    assert_eq!(trunk["refer"]["until_unix_ms"], crate::support::WALL.unix_ms + 9);
    assert_eq!((&trunk["blind"]["usable"], &desk["blind"]), (&true.into(), &Value::Null));
    assert_eq!(
        (&desk["name"], &desk["calls"], &desk["handoffs"], &desk["early_drops"], &desk["up"]),
        (&"anna".into(), &2.into(), &40.into(), &3.into(), &true.into())
    );
    assert_eq!(desk["targets"][0], serde_json::json!({"at": "192.0.2.7:5060/udp", "up": false}));
    assert_eq!(trunk["targets"].as_array().map(Vec::len), Some(0));
    assert_eq!(trunk["registration"]["registered"], true);
    assert_eq!(trunk["registration"]["until_unix_ms"], crate::support::WALL.unix_ms + 7);
    assert_eq!((&desk["registration"], &trunk["telephones"]), (&Value::Null, &Value::Null));
    let since = crate::support::WALL.unix_ms + 4;
    assert_eq!(desk["presence"], serde_json::json!({"is": "busy", "source": "human", "since_unix_ms": since}));
    assert_eq!((&desk["languages"][0], &desk["seniority"]), (&"es".into(), &3.into()));
    assert_eq!(desk["telephones"][0]["at"], "udp 192.0.2.9:5060");
    assert_eq!(world.get("/v1/trunks", "anna-token").await.status, 401);
}

#[tokio::test]
async fn operators_see_who_waits_and_at_which_place() {
    let world = world().await;
    let one = |n: u128, expected| WaitingShown {
        handoff: HandoffId(n),
        call: CallId(7),
        trigger: Trigger::Asked,
        urgency: Urgency::High,
        desk: None,
        skill: Some("billing".into()),
        language: None,
        since: Instant::from_millis(5),
        until: Some(Instant::from_millis(9)),
        expected,
        tried: 1,
    };
    let waiting = vec![one(1, Some(Duration::from_secs(90))), one(2, None)];
    *world.control.queue.lock().unwrap() = QueueView { service: Some(Duration::from_secs(180)), waiting };
    let told = world.get("/v1/queue", ADMIN).await.json();
    assert_eq!(told["service_s"], 180);
    let wall = crate::support::WALL.unix_ms;
    assert_eq!(
        told["waiting"][0],
        serde_json::json!({
            "handoff": HandoffId(1).to_string(), "call": CallId(7).to_string(), "place": 1, "trigger": "asked",
            "urgency": "high", "desk": null, "skill": "billing", "language": null, "since_unix_ms": wall + 5,
            "until_unix_ms": wall + 9, "wait_s": 90, "tried": 1,
        })
    );
    assert_eq!((&told["waiting"][1]["place"], &told["waiting"][1]["wait_s"]), (&2.into(), &Value::Null));
    assert_eq!(world.get("/v1/queue", "anna-token").await.status, 401);
}

#[tokio::test]
async fn a_handoff_that_waits_says_at_which_place_and_the_metrics_how_it_ended() {
    let world = world().await;
    let (call, handoff) = (CallId(9), HandoffId(9));
    let queued = |place, because: &str| TraceKind::Queued {
        handoff,
        place,
        of: 2,
        wait: Some(Duration::from_secs(60)),
        because: because.to_owned(),
    };
    trace(&world, call, 10, queued(2, "anna has a caller"));
    trace(&world, call, 20, queued(1, ""));
    let url = format!("/v1/handoffs/{handoff}/status");
    let now = world.get(&url, ADMIN).await.json();
    assert_eq!((&now["place"], &now["wait_s"], &now["because"]), (&1.into(), &60.into(), &"anna has a caller".into()));
    let waited = Duration::from_secs(31);
    trace(&world, call, 30, TraceKind::Dequeued { handoff, waited, how: "caller_gone" });
    assert_eq!(world.get(&url, ADMIN).await.json()["place"], Value::Null);
    let metrics = world.get("/metrics", ADMIN).await.body;
    for line in [
        "warmline_queue_left_total{how=\"caller_gone\"} 1",
        "warmline_queue_waited_seconds_total{how=\"caller_gone\"} 31",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}
