//! A handoff as a resource over real HTTP: asked for, named at once, looked at until it has its outcome.

use crate::support::{Answer, CALL_TOKEN, World, sample, world};
use call_model::{
    CallId, DeskId, EndCause, EndReason, HandoffId, HandoffOutcome, HandoffRefused, HandoffStage, Instant, Method,
    Party, Redacted, Role, TraceEvent, TraceKind, TransferState,
};

const ADMIN: &str = "admin-token";
const CALL: CallId = CallId(77);
const ID: HandoffId = HandoffId(7);

fn trace(world: &World, ms: u64, kind: TraceKind) {
    world.hub.trace(&TraceEvent { at: Instant::from_millis(ms), call: Some(CALL), kind });
}

fn begin(world: &World) {
    let (from, to, session_id) = (Redacted::new("+44"), Redacted::new("+45"), "a".repeat(32));
    trace(world, 1, TraceKind::Began { from, to, trunk: "carrier".into(), session_id });
}

async fn ask(world: &World, token: &str, key: Option<&str>, body: &str) -> Answer {
    let authorization = format!("Bearer {token}");
    let mut headers = vec![("Authorization", authorization.as_str())];
    headers.extend(key.map(|key| ("Idempotency-Key", key)));
    world.request("POST", &format!("/v1/calls/{CALL}/handoffs"), &headers, body.as_bytes()).await
}

#[tokio::test]
async fn a_request_is_accepted_at_once_with_its_name_and_where_to_look() {
    let world = world().await;
    let body = r#"{"desk": "anna", "reason": "a refund", "summary": "Wants 20 back"}"#;
    let answer = ask(&world, ADMIN, Some("\"k-1\""), body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let url = format!("/v1/handoffs/{ID}/status");
    let expected = serde_json::json!({
        "handoff": ID.to_string(), "call": CALL.to_string(), "status": "accepted", "status_url": url,
    });
    assert_eq!(answer.json(), expected);
    assert!(answer.head.contains(&format!("location: {}", url.to_ascii_lowercase())), "{}", answer.head);
    let (call, request) = world.control.requests.lock().unwrap()[0].clone();
    assert_eq!((call, request.by_bot, request.key.as_deref()), (CALL, false, Some("k-1")));
    assert_eq!(request.desk, Some(DeskId("anna".into())));
    assert_eq!((request.because.as_deref(), request.summary.as_deref()), (Some("a refund"), Some("Wants 20 back")));
    // The bot of the call, with nothing to add.
    assert_eq!(ask(&world, CALL_TOKEN, None, "").await.status, 202);
    assert!(world.control.requests.lock().unwrap()[1].1.by_bot);
}

#[tokio::test]
async fn every_refusal_comes_at_once_with_its_own_code() {
    let world = world().await;
    begin(&world);
    for (refused, status, code, about) in [
        (HandoffRefused::UnknownDesk, 422, "unknown_desk", None),
        (HandoffRefused::UnknownSkill, 422, "unknown_skill", None),
        (HandoffRefused::UnderWay(ID), 409, "under_way", Some(ID)),
        (HandoffRefused::KeyTaken(ID), 422, "key_taken", Some(ID)),
        (HandoffRefused::NotNow("the caller is not answered yet"), 409, "not_now", None),
        (HandoffRefused::UnknownCall, 410, "gone", None),
        (HandoffRefused::WrongToken, 401, "unauthorized", None),
    ] {
        *world.control.refuse_handoff.lock().unwrap() = Some(refused.clone());
        let answer = ask(&world, ADMIN, None, r#"{"desk": "anna"}"#).await;
        assert_eq!((answer.status, answer.error_code().as_str()), (status, code), "{refused:?}");
        assert_eq!(answer.json()["handoff"].as_str().map(str::to_owned), about.map(|id| id.to_string()));
    }
    *world.control.refuse_handoff.lock().unwrap() = Some(HandoffRefused::UnknownCall);
    assert_eq!(world.post("/v1/calls/0000000000001/handoffs", ADMIN, b"").await.error_code(), "not_found");
}

#[tokio::test]
async fn what_is_not_a_request_reaches_no_call() {
    let world = world().await;
    let long = format!(r#"{{"reason": "{}"}}"#, "x".repeat(501));
    for body in ["[]", "{", r#"{"dsek": "anna"}"#, r#"{"desk": "anna", "skill": "tax"}"#, r#"{"desk": " "}"#, &long] {
        let answer = ask(&world, ADMIN, None, body).await;
        assert_eq!((answer.status, answer.error_code().as_str()), (422, "invalid"), "{body}");
    }
    let list = ask(&world, ADMIN, None, "[]").await;
    assert_eq!(list.json()["error"]["message"], "The body must be a JSON object.");
    assert_eq!(ask(&world, ADMIN, Some("a"), r#"{"id": "b"}"#).await.status, 422);
    assert_eq!(world.request("POST", &format!("/v1/calls/{CALL}/handoffs"), &[], b"").await.status, 401);
    assert!(world.control.requests.lock().unwrap().is_empty());
    assert_eq!(ask(&world, "guess", None, "").await.status, 401);
}

#[tokio::test]
async fn the_status_tells_state_outcome_and_evidence_to_those_it_concerns() {
    let world = world().await;
    let path = format!("/v1/handoffs/{ID}/status");
    assert_eq!(world.get(&path, ADMIN).await.error_code(), "not_found");
    assert_eq!(world.get(&path, CALL_TOKEN).await.status, 401);
    begin(&world);
    trace(&world, 5, TraceKind::Routed { handoff: ID, desk: sample::desk(), because: "free".into() });
    trace(&world, 6, TraceKind::State { from: TransferState::WithBot, to: TransferState::Consulting });
    let (what, sip_call_id, cseq) = ("INVITE".to_owned(), "c@gw".to_owned(), "1 INVITE".to_owned());
    trace(
        &world,
        7,
        TraceKind::Sip { leg: None, role: Some(Role::Desk), sent: true, what, sip_call_id, cseq, again: false },
    );
    let now = world.get(&path, CALL_TOKEN).await.json();
    assert_eq!((now["state"].as_str(), now["stage"].as_str()), (Some("consulting"), Some("consult")));
    assert_eq!(now["evidence"][0]["sip_call_id"], "c@gw");
    let (outcome, stage, method) = (HandoffOutcome::Joined, HandoffStage::Join, Method::Stay);
    trace(&world, 9, TraceKind::HandoffEnded { handoff: ID, outcome, stage, sip: None, method, corrects: false });
    let cause = EndCause::new(Party::Caller, EndReason::HungUp);
    trace(&world, 10, TraceKind::Ended { cause });
    let now = world.get(&path, ADMIN).await.json();
    let words = ["state", "stage", "outcome", "method"].map(|field| now[field].as_str().unwrap_or_default().to_owned());
    assert_eq!(words, ["ended", "join", "joined", "stay"]);
    assert_eq!(now["retryable"], false);
    assert_eq!(world.get(&path, "guess").await.status, 401);
}
