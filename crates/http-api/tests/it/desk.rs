//! Desks over real HTTP: pops, resumption, answering, and who may not.

use crate::support::{WALL, World, sample, world, world_with_ring};
use call_model::{
    CallId, DeskAction, DeskId, DeskState, EndCause, EndReason, HandoffId, HandoffOutcome, Instant, Party, PopUpdate,
    TraceEvent, TraceKind,
};
use http_api::Refused;

const EVENTS: &str = "/v1/desks/anna/events";
const TOKEN: &str = "anna-token";

fn offer(world: &World, id: u128) -> HandoffId {
    world.hub.pop(&sample::offered(sample::package(id, &WALL, Instant::from_millis(1000))));
    HandoffId(id)
}

fn path(id: HandoffId, action: &str) -> String {
    format!("/v1/desks/anna/handoffs/{id}/{action}")
}

fn retract(world: &World, handoff: HandoffId) {
    world.hub.pop(&PopUpdate::Retracted { desk: sample::desk(), handoff, why: "the caller hung up" });
}

#[tokio::test]
async fn a_pop_reaches_the_page_whole() {
    let world = world().await;
    let mut events = world.events(EVENTS, TOKEN, None).await;
    assert_eq!(events.next().await.expect("a snapshot").data["pops"], serde_json::json!([]));
    let id = offer(&world, 1);
    let event = events.next().await.expect("the pop");
    assert_eq!((event.name.as_str(), event.data["status"].as_str()), ("offered", Some("offered")));
    assert_eq!(event.data["handoff"], id.to_string());
    assert_eq!(event.data["sip_call_id"], "consult-1@127.0.0.1");
    let package = &event.data["package"];
    assert_eq!(package["caller"], "+447700900123");
    assert_eq!(package["trigger"], "distress");
    assert_eq!(package["started_unix_ms"], WALL.unix_ms + 1000 + 84_000);
    assert_eq!(package["completeness"], 100);
    assert_eq!(package["transcript"][7]["confidence"], 0.41);
    assert_eq!(package, &world.get(&format!("/v1/handoffs/{id}"), TOKEN).await.json());
}

#[tokio::test]
async fn a_page_that_opens_late_sees_the_pop_in_its_snapshot() {
    let world = world().await;
    let id = offer(&world, 1);
    assert_eq!(world.post(&path(id, "ack"), TOKEN, b"").await.status, 200);
    let snapshot = world.events(EVENTS, TOKEN, None).await.next().await.expect("a snapshot");
    assert_eq!(snapshot.name, "snapshot");
    assert_eq!(snapshot.data["pops"][0]["status"], "acknowledged");
    assert_eq!(snapshot.data["pops"][0]["package"]["id"], id.to_string());
}

#[tokio::test]
async fn a_page_that_returns_gets_strictly_what_it_missed() {
    let world = world().await;
    let mut first = world.events(EVENTS, TOKEN, None).await;
    first.next().await.expect("a snapshot");
    let one = offer(&world, 1);
    let seen = first.next().await.expect("the offer");
    drop(first);
    retract(&world, one);
    let two = offer(&world, 2);
    let mut second = world.events(EVENTS, TOKEN, Some(&seen.id)).await;
    let names: Vec<_> = [second.next().await, second.next().await]
        .into_iter()
        .flatten()
        .map(|event| (event.name, event.data["handoff"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(names, [("retracted".to_owned(), one.to_string()), ("offered".to_owned(), two.to_string())]);
    // Nothing is repeated: the next thing it hears is new.
    retract(&world, two);
    assert_eq!(second.next().await.expect("news").name, "retracted");
}

#[tokio::test]
async fn every_position_resumes_without_loss_or_repetition() {
    let world = world().await;
    let mut all = world.events(EVENTS, TOKEN, None).await;
    let mut sent = vec![all.next().await.expect("a snapshot")];
    for id in 1..=20 {
        let handoff = offer(&world, id);
        retract(&world, handoff);
    }
    for _ in 0..40 {
        sent.push(all.next().await.expect("an event"));
    }
    for from in 0..sent.len() - 1 {
        let mut resumed = world.events(EVENTS, TOKEN, Some(&sent[from].id)).await;
        for expected in &sent[from + 1..] {
            assert_eq!(resumed.next().await.as_ref(), Some(expected));
        }
    }
}

#[tokio::test]
async fn a_position_the_ring_forgot_or_never_had_gives_a_snapshot() {
    let world = world_with_ring(4).await;
    let mut events = world.events(EVENTS, TOKEN, None).await;
    let old = events.next().await.expect("a snapshot").id;
    for id in 1..=5 {
        offer(&world, id);
    }
    let boot = old.split_once('-').expect("boot and number").0;
    let future = format!("{boot}-999");
    for id in [old.as_str(), "1-2", "nonsense", "-", future.as_str(), "18446744073709551616-1"] {
        let event = world.events(EVENTS, TOKEN, Some(id)).await.next().await.expect("an event");
        assert_eq!(event.name, "snapshot", "{id}");
        assert_eq!(event.data["pops"].as_array().map(Vec::len), Some(5), "{id}");
    }
}

#[tokio::test]
async fn accepting_reaches_the_switchboard_once_and_every_tab() {
    let world = world().await;
    let id = offer(&world, 1);
    let mut other = world.events(EVENTS, TOKEN, None).await;
    other.next().await.expect("a snapshot");
    assert_eq!(world.post(&path(id, "ack"), TOKEN, b"{}").await.json()["status"], "acknowledged");
    assert_eq!(other.next().await.expect("news").name, "acknowledged");
    assert_eq!(world.post_from_tab(&path(id, "accept"), TOKEN, "one").await.json()["status"], "accepted");
    assert_eq!(other.next().await.expect("news").name, "accepted");
    // The same tab asks again (a lost answer, a double click): nothing happens twice.
    assert_eq!(world.post_from_tab(&path(id, "accept"), TOKEN, "one").await.status, 200);
    let anna = || "anna".to_owned();
    let asked = world.control.actions.lock().unwrap().clone();
    assert_eq!(asked, [(anna(), DeskAction::Acknowledged(id)), (anna(), DeskAction::Accepted(id))]);
    world.hub.pop(&PopUpdate::Joined { desk: sample::desk(), handoff: id });
    assert_eq!(other.next().await.expect("news").name, "joined");
}

#[tokio::test]
async fn the_human_hands_the_caller_back_with_notes_and_hears_whether_the_bot_came() {
    let world = world().await;
    let id = offer(&world, 1);
    world.hub.pop(&PopUpdate::Joined { desk: sample::desk(), handoff: id });
    let mut page = world.events(EVENTS, TOKEN, None).await;
    let first = page.next().await.expect("a snapshot");
    let earlier = &first.data["pops"][0]["package"]["earlier"][0];
    assert_eq!((&earlier["desk"], &earlier["ended_by"]), (&"ben".into(), &"handed_back".into()));

    let answer = world.post(&path(id, "hand-back"), TOKEN, br#"{"notes": "call \"Bob\""}"#).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &"handing_back".into()));
    world.post(&path(id, "hand-back"), TOKEN, b"").await;
    let asked: Vec<_> = world.control.actions.lock().unwrap().iter().map(|(_, action)| action.clone()).collect();
    let with = |notes: &str| DeskAction::HandBack { handoff: id, notes: notes.to_owned() };
    assert_eq!(asked, [with("call \"Bob\""), with("")]);

    let desk = sample::desk();
    world.hub.pop(&PopUpdate::HandingBack { desk: desk.clone(), handoff: id });
    assert_eq!(page.next().await.expect("news").name, "handing_back");
    world.hub.pop(&PopUpdate::NotHandedBack { desk: desk.clone(), handoff: id, why: "no answer".into() });
    let kept = page.next().await.expect("news");
    assert_eq!((kept.name.as_str(), &kept.data["why"]), ("not_handed_back", &"no answer".into()));
    world.hub.pop(&PopUpdate::Retracted { desk, handoff: id, why: "handed back" });
    assert_eq!(page.next().await.expect("news").name, "retracted");
    assert_eq!(world.post(&path(id, "hand-back"), TOKEN, b"").await.status, 404);
}

#[tokio::test]
async fn a_hand_back_that_cannot_be_is_refused_with_a_reason() {
    let world = world().await;
    let id = offer(&world, 1);
    let long = format!(r#"{{"notes": "{}"}}"#, "x".repeat(1001));
    for body in [long.as_bytes(), br#"{"notes": 7}"#, b"[]", b"notes"] {
        let answer = world.post(&path(id, "hand-back"), TOKEN, body).await;
        assert_eq!((answer.status, answer.error_code()), (422, "invalid".to_owned()), "{answer:?}");
    }
    assert!(world.control.actions.lock().unwrap().is_empty());
    *world.control.refuse.lock().unwrap() = Some(http_api::Refused::NotNow("the caller has been released".into()));
    let answer = world.post(&path(id, "hand-back"), TOKEN, b"{}").await;
    assert_eq!((answer.status, answer.error_code()), (409, "not_now".to_owned()));
    assert_eq!(world.post(&path(id, "hand-back"), "wrong", b"{}").await.status, 401);
}

#[tokio::test]
async fn of_two_tabs_one_wins_and_the_other_is_told() {
    let world = world().await;
    let id = offer(&world, 1);
    let (accept, decline) = (path(id, "accept"), path(id, "decline"));
    let (one, two) =
        tokio::join!(world.post_from_tab(&accept, TOKEN, "one"), world.post_from_tab(&decline, TOKEN, "two"));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{one:?} {two:?}");
    let loser = if one.status == 409 { &one } else { &two };
    assert_eq!(loser.error_code(), "taken");
    assert_eq!(world.control.actions.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_tab_cannot_decline_what_it_accepted() {
    let world = world().await;
    let id = offer(&world, 1);
    assert_eq!(world.post_from_tab(&path(id, "accept"), TOKEN, "one").await.status, 200);
    assert_eq!(world.post_from_tab(&path(id, "decline"), TOKEN, "one").await.error_code(), "not_now");
    assert_eq!(world.control.actions.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_click_after_the_key_on_the_phone_is_no_error() {
    let world = world().await;
    let id = offer(&world, 1);
    let kind = TraceKind::Pop { handoff: id, desk: sample::desk(), what: "accepted" };
    world.hub.trace(&TraceEvent { at: Instant::ZERO, call: None, kind });
    assert_eq!(world.post_from_tab(&path(id, "accept"), TOKEN, "one").await.status, 200);
    assert!(world.control.actions.lock().unwrap().is_empty());
}

#[tokio::test]
async fn after_a_refusal_another_try_is_possible() {
    let world = world().await;
    let id = offer(&world, 1);
    *world.control.refuse.lock().unwrap() = Some(Refused::NotNow("the phone does not ring yet".into()));
    let answer = world.post_from_tab(&path(id, "accept"), TOKEN, "one").await;
    assert_eq!((answer.status, answer.error_code()), (409, "not_now".into()));
    *world.control.refuse.lock().unwrap() = None;
    assert_eq!(world.post_from_tab(&path(id, "accept"), TOKEN, "two").await.status, 200);
}

/// Without sockets, whose readiness the paused clock would overtake.
#[tokio::test(start_paused = true)]
async fn a_silent_switchboard_is_reported_as_such() {
    let (api, control) = crate::support::api(1024);
    api.hub.pop(&sample::offered(sample::package(1, &WALL, Instant::ZERO)));
    *control.silent.lock().unwrap() = true;
    let request = axum::http::Request::post(path(HandoffId(1), "accept"))
        .header("Host", "127.0.0.1")
        .header("Authorization", "Bearer anna-token")
        .body(axum::body::Body::empty())
        .unwrap();
    let answer = tower_service::Service::call(&mut http_api::router(api), request).await.unwrap();
    assert_eq!(answer.status(), 503);
    let body = axum::body::to_bytes(answer.into_body(), 1000).await.unwrap();
    assert!(String::from_utf8_lossy(&body).contains("\"no_answer\""));
}

#[tokio::test]
async fn too_late_says_why() {
    let world = world().await;
    let id = offer(&world, 1);
    retract(&world, id);
    for action in ["ack", "accept", "decline"] {
        let answer = world.post(&path(id, action), TOKEN, b"").await;
        assert_eq!((answer.status, answer.error_code()), (410, "gone".into()));
        assert!(answer.body.contains("the caller hung up"), "{}", answer.body);
    }
    assert!(world.control.actions.lock().unwrap().is_empty());
    assert_eq!(world.get(&format!("/v1/handoffs/{id}"), TOKEN).await.status, 404);
}

#[tokio::test]
async fn nobody_sees_or_answers_another_desks_callers() {
    let world = world().await;
    let id = offer(&world, 1);
    for token in ["", "wrong", "ben-token", "admin-token", "anna-token2", "anna-toke"] {
        let answer = world.post(&path(id, "accept"), token, b"").await;
        assert_eq!((answer.status, answer.error_code()), (401, "unauthorized".into()), "{token}");
        assert_eq!(world.get(EVENTS, token).await.status, 401, "{token}");
    }
    assert_eq!(world.get("/v1/desks/nobody/events", TOKEN).await.status, 401);
    let own = world.post(&format!("/v1/desks/ben/handoffs/{id}/accept"), "ben-token", b"").await;
    assert_eq!((own.status, own.error_code()), (404, "not_found".into()));
    let package = format!("/v1/handoffs/{id}");
    assert_eq!(world.get(&package, "ben-token").await.status, 404);
    assert_eq!(world.get(&package, "wrong").await.status, 401);
    assert_eq!(world.get(&package, "admin-token").await.status, 200);
    assert!(world.control.actions.lock().unwrap().is_empty());
}

#[tokio::test]
async fn bad_ids_bodies_and_tabs_are_refused_with_a_reason() {
    let world = world().await;
    let id = offer(&world, 1);
    assert_eq!(world.post("/v1/desks/anna/handoffs/xyz/accept", TOKEN, b"").await.error_code(), "bad_id");
    for body in [&b"nonsense"[..], b"[1]", b"{", b"\xff\xfe"] {
        let answer = world.post(&path(id, "accept"), TOKEN, body).await;
        assert_eq!((answer.status, answer.error_code()), (422, "invalid".into()));
    }
    let large = vec![b' '; 65 * 1024];
    assert_eq!(world.post(&path(id, "accept"), TOKEN, &large).await.status, 413);
    let tab = "t".repeat(65);
    assert_eq!(world.post_from_tab(&path(id, "accept"), TOKEN, &tab).await.error_code(), "bad_tab");
    assert_eq!(world.request("GET", &path(id, "accept"), &[], b"").await.error_code(), "wrong_method");
    assert!(world.control.actions.lock().unwrap().is_empty());
}

#[tokio::test]
async fn other_names_and_other_origins_are_refused() {
    let world = world().await;
    let id = offer(&world, 1);
    let token = ("Authorization", "Bearer anna-token");
    let rebound = world.request("POST", &path(id, "accept"), &[token, ("Host", "evil.test:8088")], b"").await;
    assert_eq!((rebound.status, rebound.error_code()), (421, "unknown_host".into()));
    let forged = world.request("POST", &path(id, "accept"), &[token, ("Origin", "http://evil.test")], b"").await;
    assert_eq!((forged.status, forged.error_code()), (403, "other_origin".into()));
    let proxied = [token, ("Host", "desk.example.com"), ("Origin", "https://desk.example.com")];
    assert_eq!(world.request("POST", &path(id, "accept"), &proxied, b"").await.status, 200);
}

#[tokio::test]
async fn an_amendment_replaces_the_story() {
    let world = world().await;
    let id = offer(&world, 1);
    let mut events = world.events(EVENTS, TOKEN, None).await;
    events.next().await.expect("a snapshot");
    let mut package = sample::package(1, &WALL, Instant::from_millis(1000));
    (package.version, package.summary) = (2, "Now with more.".into());
    world.hub.pop(&PopUpdate::Amended { desk: sample::desk(), package: Box::new(package) });
    let event = events.next().await.expect("the amendment");
    assert_eq!((event.name.as_str(), &event.data["package"]["version"]), ("amended", &2.into()));
    assert_eq!(world.get(&format!("/v1/handoffs/{id}"), TOKEN).await.json()["summary"], "Now with more.");
}

#[tokio::test]
async fn a_failed_handoff_leaves_the_desk_and_a_joined_one_stays_until_the_call_ends() {
    let world = world().await;
    let (one, two) = (offer(&world, 1), offer(&world, 2));
    let end = |handoff, outcome| PopUpdate::Ended { desk: sample::desk(), handoff, outcome };
    world.hub.pop(&end(one, HandoffOutcome::NoAnswer));
    world.hub.pop(&PopUpdate::Joined { desk: sample::desk(), handoff: two });
    world.hub.pop(&end(two, HandoffOutcome::Joined));
    let mut events = world.events(EVENTS, TOKEN, None).await;
    let pops = events.next().await.expect("a snapshot").data["pops"].clone();
    assert_eq!((pops.as_array().map(Vec::len), &pops[0]["status"]), (Some(1), &"joined".into()));
    let call = Some(CallId(7_000_000_002));
    let cause = EndCause::new(Party::Caller, EndReason::HungUp);
    world.hub.trace(&TraceEvent { at: Instant::ZERO, call, kind: TraceKind::Ended { cause } });
    let event = events.next().await.expect("the end");
    assert_eq!((event.name.as_str(), &event.data["handoff"]), ("retracted", &two.to_string().into()));
}

#[tokio::test]
async fn after_a_release_the_story_stays_until_the_human_is_done() {
    let world = world().await;
    let id = offer(&world, 1);
    let mut events = world.events(EVENTS, TOKEN, None).await;
    events.next().await.expect("a snapshot");
    let done_path = path(id, "done");
    let done = || world.post(&done_path, TOKEN, b"");
    world.hub.pop(&PopUpdate::Joined { desk: sample::desk(), handoff: id });
    assert_eq!(done().await.error_code(), "not_now");
    let outcome = HandoffOutcome::Released;
    world.hub.pop(&PopUpdate::Ended { desk: sample::desk(), handoff: id, outcome });
    world.hub.pop(&PopUpdate::Retracted { desk: sample::desk(), handoff: id, why: "the call is over" });
    let cause = EndCause::new(Party::Gateway, EndReason::Released);
    let call = Some(CallId(7_000_000_001));
    world.hub.trace(&TraceEvent { at: Instant::ZERO, call, kind: TraceKind::Ended { cause } });
    assert_eq!(world.get(&format!("/v1/handoffs/{id}"), TOKEN).await.status, 200);
    assert_eq!((done().await.status, done().await.status), (200, 200));
    let mut names = Vec::new();
    for _ in 0..3 {
        names.push(events.next().await.expect("an event").name);
    }
    assert_eq!(names, ["joined", "released", "retracted"]);
    assert_eq!(world.get(&format!("/v1/handoffs/{id}"), TOKEN).await.status, 404);
}

#[tokio::test]
async fn a_caller_who_leaves_while_the_desk_rings_is_reported_once_and_in_words() {
    let world = world().await;
    let id = offer(&world, 1);
    let mut events = world.events(EVENTS, TOKEN, None).await;
    events.next().await.expect("a snapshot");
    // In the order in which the switchboard tells it.
    world.hub.pop(&PopUpdate::Ended { desk: sample::desk(), handoff: id, outcome: HandoffOutcome::CallerGone });
    retract(&world, id);
    let event = events.next().await.expect("the end");
    assert_eq!((event.name.as_str(), &event.data["why"]), ("ended", &"the caller hung up".into()));
    let next = offer(&world, 2);
    assert_eq!(events.next().await.expect("the next caller").data["handoff"], next.to_string());
}

#[tokio::test]
async fn a_reader_that_does_not_read_costs_the_others_nothing() {
    let world = world_with_ring(8).await;
    let lazy = world.events(EVENTS, TOKEN, None).await;
    let mut keen = world.events(EVENTS, TOKEN, None).await;
    keen.next().await.expect("a snapshot");
    for id in 1..=2000 {
        let handoff = offer(&world, id);
        assert_eq!(keen.next().await.expect("the offer").data["handoff"], handoff.to_string());
        retract(&world, handoff);
        assert_eq!(keen.next().await.expect("the end").name, "retracted");
    }
    drop(lazy);
}

#[tokio::test]
async fn the_page_is_whole_and_admits_nothing_from_elsewhere() {
    let world = world().await;
    for (path, kind) in [("/desk", "text/html"), ("/desk/desk.js", "text/javascript"), ("/desk/desk.css", "text/css")] {
        let answer = world.request("GET", path, &[], b"").await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.head.contains(&format!("content-type: {kind}")), "{}", answer.head);
        assert!(answer.head.contains("content-security-policy: default-src 'none'; script-src 'self'"));
        for forbidden in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style=\""] {
            assert!(!answer.body.contains(forbidden), "{forbidden} in {path}");
        }
        let outside = answer.body.replace("http://www.w3.org/2000/svg", "");
        assert!(!outside.contains("http://") && !outside.contains("https://"), "{path} refers to elsewhere");
    }
}

#[tokio::test]
async fn stopping_ends_event_streams_and_the_server() {
    let mut world = world().await;
    let mut events = world.events(EVENTS, TOKEN, None).await;
    events.next().await.expect("a snapshot");
    world.stop.take().expect("running").send(()).expect("the server listens");
    assert_eq!(events.next().await, None);
    (&mut world.server).await.expect("no panic").expect("a good end");
}

#[tokio::test]
async fn sign_in_tells_the_name_to_show() {
    let world = world().await;
    assert_eq!(world.get("/v1/desks/anna", TOKEN).await.json()["display"], "Desk of anna");
    assert_eq!(world.get("/v1/desks/anna", "ben-token").await.status, 401);
}

#[tokio::test]
async fn a_desk_is_present_while_a_page_of_it_is_open() {
    let world = world().await;
    let mut told = world.control.pages.subscribe();
    let open = world.events("/v1/desks/anna/events", "anna-token", None).await;
    told.wait_for(|pages| *pages == [("anna".to_owned(), true)]).await.unwrap();
    // A second page, and the end of the first: nobody came, nobody went.
    let second = world.events("/v1/desks/anna/events", "anna-token", None).await;
    drop(open);
    drop(second);
    let patience = std::time::Duration::from_secs(60);
    let gone = told.wait_for(|pages| pages.last() == Some(&("anna".to_owned(), false)));
    tokio::time::timeout(patience, gone).await.expect("told in time").unwrap();
    assert_eq!(*world.control.pages.borrow(), [("anna".to_owned(), true), ("anna".to_owned(), false)]);
}

#[tokio::test]
async fn what_the_human_does_with_the_caller_reaches_the_switchboard_and_every_tab() {
    let world = world().await;
    let id = offer(&world, 1);
    world.hub.pop(&PopUpdate::Joined { desk: sample::desk(), handoff: id });
    let mut page = world.events(EVENTS, TOKEN, None).await;
    page.next().await.expect("a snapshot");
    for (action, body) in [
        ("hold", r#"{"on": true}"#),
        ("mute", r#"{"on": false}"#),
        ("keys", r#"{"keys": "12*#"}"#),
        ("pass-on", r#"{"desk": "ben", "reason": "a claim"}"#),
        ("pass-on", "{}"),
        ("end", ""),
    ] {
        let answer = world.post(&path(id, action), TOKEN, body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{action}: {}", answer.json());
    }
    let asked: Vec<_> = world.control.actions.lock().unwrap().iter().map(|(_, action)| action.clone()).collect();
    let to = |desk: Option<&str>, reason: &str| DeskAction::PassOn {
        handoff: id,
        desk: desk.map(|name| DeskId(name.to_owned())),
        reason: reason.to_owned(),
    };
    let wanted = [
        DeskAction::Hold { handoff: id, on: true },
        DeskAction::Mute { handoff: id, on: false },
        DeskAction::Keys { handoff: id, keys: "12*#".to_owned() },
        to(Some("ben"), "a claim"),
        to(None, ""),
        DeskAction::End(id),
    ];
    assert_eq!(asked, wanted);
    for (action, body) in [
        ("hold", "{}"),
        ("mute", r#"{"on": "yes"}"#),
        ("keys", r#"{"keys": ""}"#),
        ("keys", r#"{"keys": "1x"}"#),
        ("pass-on", r#"{"desk": 7}"#),
        ("decline", r#"{"reason": 1}"#),
    ] {
        assert_eq!(world.post(&path(id, action), TOKEN, body.as_bytes()).await.status, 422, "{action} {body}");
    }
    let stranger = path(HandoffId(99), "hold");
    assert_eq!(world.post(&stranger, TOKEN, br#"{"on": true}"#).await.status, 404);
    assert_eq!(world.post(&path(id, "end"), "ben-token", b"").await.status, 401);

    world.hub.pop(&PopUpdate::Controls { desk: sample::desk(), handoff: id, held: true, muted: false });
    let told = page.next().await.expect("news");
    assert_eq!((told.name.as_str(), &told.data["held"]), ("controls", &true.into()));
    world.hub.pop(&PopUpdate::PassingOn { desk: sample::desk(), handoff: id });
    assert_eq!(page.next().await.expect("news").name, "passing_on");
    let late = world.events(EVENTS, TOKEN, None).await.next().await.expect("a snapshot");
    assert_eq!((&late.data["pops"][0]["held"], &late.data["pops"][0]["leaving"]), (&true.into(), &"passing_on".into()));
    world.hub.pop(&PopUpdate::NotPassedOn { desk: sample::desk(), handoff: id, why: "nobody answered" });
    assert_eq!(page.next().await.expect("news").data["why"], "nobody answered");
}

#[tokio::test]
async fn a_human_says_whether_they_take_callers_and_every_tab_shows_it() {
    let world = world().await;
    assert_eq!(world.post("/v1/desks/anna/state", TOKEN, br#"{"state": "busy"}"#).await.status, 200);
    assert_eq!(world.post("/v1/desks/anna/state", TOKEN, br#"{"state": "asleep"}"#).await.status, 422);
    assert_eq!(world.post("/v1/desks/anna/state", "ben-token", br#"{"state": "busy"}"#).await.status, 401);
    assert_eq!(world.control.states.lock().unwrap().clone(), [("anna".to_owned(), DeskState::Busy)]);
    let until = Some(Instant::from_millis(30_000));
    world.hub.pop(&PopUpdate::State { desk: sample::desk(), state: DeskState::AfterCall, until });
    let snapshot = world.events(EVENTS, TOKEN, None).await.next().await.expect("a snapshot");
    assert_eq!(snapshot.data["state"], "after_call");
    assert_eq!(snapshot.data["until_unix_ms"], WALL.unix_ms + 30_000);
}

#[tokio::test]
async fn what_became_of_a_conversation_is_said_by_who_had_it_also_when_it_is_over() {
    let world = world().await;
    let id = offer(&world, 1);
    let dispose = |code: &str| format!(r#"{{"code": "{code}", "notes": "a refund"}}"#);
    assert_eq!(
        world.post(&path(id, "disposition"), TOKEN, dispose("resolved").as_bytes()).await.status,
        404,
        "no talk yet"
    );
    world.hub.pop(&PopUpdate::Joined { desk: sample::desk(), handoff: id });
    retract(&world, id);
    assert_eq!(world.post(&path(id, "disposition"), TOKEN, dispose("bliss").as_bytes()).await.status, 422);
    assert_eq!(world.post(&path(id, "disposition"), TOKEN, dispose("resolved").as_bytes()).await.status, 200);
    let said = world.control.dispositions.lock().unwrap().clone();
    assert_eq!(said.len(), 1);
    assert_eq!((said[0].0.as_str(), said[0].2, said[0].3.code.as_str()), ("anna", id, "resolved"));
}

#[tokio::test]
async fn the_audio_of_a_caller_is_for_the_window_that_accepted_them() {
    let world = world().await;
    let id = offer(&world, 1);
    let headers = |tab: &'static str| [("Authorization", "Bearer anna-token"), ("X-Warmline-Tab", tab)];
    let (at, body) = (path(id, "audio"), br#"{"sdp": "v=0"}"#);
    let early = world.request("POST", &at, &headers("one"), body).await;
    assert_eq!((early.status, early.error_code().as_str()), (409, "not_now"));
    assert_eq!(world.post_from_tab(&path(id, "accept"), TOKEN, "one").await.status, 200, "and nobody's claim is taken");
    let answer = world.request("POST", &at, &headers("one"), body).await;
    assert_eq!((answer.status, answer.json()["sdp"].as_str()), (200, Some("answer of anna to v=0")));
    let other = world.request("POST", &at, &headers("two"), body).await;
    assert_eq!((other.status, other.error_code().as_str()), (409, "taken"));
    // Again, after a reload, also while they talk.
    world.hub.pop(&PopUpdate::Joined { desk: sample::desk(), handoff: id });
    assert_eq!(world.request("POST", &at, &headers("one"), body).await.status, 200);

    *world.control.refuse.lock().expect("one") = Some(Refused::Invalid("It has no a=rtcp-mux.".into()));
    let refused = world.request("POST", &at, &headers("one"), body).await;
    assert_eq!((refused.status, refused.error_code().as_str()), (422, "invalid"));
    retract(&world, id);
    assert_eq!(world.request("POST", &at, &headers("one"), body).await.status, 410);
}

#[tokio::test]
async fn a_desk_is_told_with_what_it_talks() {
    let world = world().await;
    let anna = world.get("/v1/desks/anna", TOKEN).await.json();
    assert_eq!((anna["audio"].as_str(), anna.get("ice_servers")), (Some("telephone"), None));
    let ben = world.get("/v1/desks/ben", "ben-token").await.json();
    assert_eq!(ben["audio"], "browser");
    assert_eq!(ben["ice_servers"], serde_json::json!([{"urls": ["stun:192.0.2.1:3478"]}]));
}
