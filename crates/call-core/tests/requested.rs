//! Handoffs that are asked for by name, through the switchboard.

#[path = "support/town.rs"]
mod town;

use call_core::Release;
use call_model::package::SummaryBy;
use call_model::{CallId, DeskId, HandoffOutcome, HandoffRefused, HandoffRequest, TransferState};
use core::time::Duration;
use sip_proto::DialogId;
use sip_wire::Method;
use town::{BOT, CALLER, DESK, Town, TownPlan};

fn talking() -> (Town, CallId, DialogId) {
    let mut town = Town::new(TownPlan { release: Release::Stay, ..TownPlan::default() });
    let caller = town.call("1000");
    let call = town.switchboard.calls().last().expect("a call").id;
    (town, call, caller)
}

fn to(desk: &str) -> HandoffRequest {
    HandoffRequest { desk: Some(DeskId(desk.to_owned())), ..HandoffRequest::default() }
}

#[test]
fn a_request_rings_the_desk_it_names_and_joins_it() {
    let (mut town, call, _) = talking();
    let request =
        HandoffRequest { because: Some("a refund".into()), summary: Some("Wants 20 back".into()), ..to("anna") };
    let id = town.switchboard.request_handoff(call, None, request, town.now).expect("begins");
    town.wait(Duration::from_secs(2));
    let consult = town.received(DESK, &Method::Invite);
    assert_eq!(consult.headers.get("X-Handoff-Id"), Some(id.to_string().as_str()));
    assert_eq!(consult.headers.get("X-Handoff-Trigger"), Some("operator"));
    assert_eq!((town.states(), town.outcomes()), (vec![TransferState::Joined], vec![HandoffOutcome::Joined]));
    assert_eq!(town.handoff(), id);
}

#[test]
fn what_cannot_begin_is_refused_at_once_and_changes_nothing() {
    let (mut town, call, _) = talking();
    let now = town.now;
    let skill = HandoffRequest { skill: Some("tax".into()), ..HandoffRequest::default() };
    for (call, token, request, refused) in [
        (call, None, to("nobody"), HandoffRefused::UnknownDesk),
        (call, None, skill, HandoffRefused::UnknownSkill),
        (call, Some("guess"), to("anna"), HandoffRefused::WrongToken),
        (CallId(1), None, to("anna"), HandoffRefused::UnknownCall),
        (CallId(1), Some("guess"), to("anna"), HandoffRefused::UnknownCall),
    ] {
        assert_eq!(town.switchboard.request_handoff(call, token, request, now), Err(refused));
    }
    town.wait(Duration::from_secs(1));
    assert_eq!((town.states(), town.outcomes().len()), (vec![TransferState::WithBot], 0));
    assert_eq!(town.try_received(DESK, &Method::Invite), None);
}

#[test]
fn the_same_request_with_the_same_key_is_one_handoff_also_after_the_call() {
    let (mut town, call, caller) = talking();
    let request = HandoffRequest { key: Some("once".into()), ..to("anna") };
    let id = town.switchboard.request_handoff(call, None, request.clone(), town.now).expect("begins");
    let other = HandoffRequest { key: Some("once".into()), ..to("ben") };
    let second = HandoffRequest { key: Some("twice".into()), ..to("anna") };
    let now = town.now;
    assert_eq!(town.switchboard.request_handoff(call, None, request.clone(), now), Ok(id));
    assert_eq!(town.switchboard.request_handoff(call, None, other, now), Err(HandoffRefused::KeyTaken(id)));
    assert_eq!(town.switchboard.request_handoff(call, None, second.clone(), now), Err(HandoffRefused::UnderWay(id)));
    town.wait(Duration::from_secs(2));
    assert_eq!(town.count_received(DESK, &Method::Invite), 1);
    town.hang_up(CALLER, caller);
    town.wait(Duration::from_secs(1));
    let now = town.now;
    assert_eq!(town.switchboard.request_handoff(call, None, request, now), Ok(id));
    assert_eq!(town.switchboard.request_handoff(call, None, second, now), Err(HandoffRefused::UnknownCall));
}

#[test]
fn a_named_desk_that_fails_is_not_replaced_by_another_and_the_bot_has_the_caller_again() {
    let mut town = Town::new(TownPlan { release: Release::Stay, desk_answers: false, ..TownPlan::default() });
    town.call("1000");
    let call = town.switchboard.calls().last().expect("a call").id;
    let request = to("anna");
    let first = town.switchboard.request_handoff(call, None, request.clone(), town.now).expect("begins");
    town.wait(Duration::from_secs(40));
    assert_eq!((town.states(), town.outcomes()), (vec![TransferState::WithBot], vec![HandoffOutcome::NoAnswer]));
    assert_eq!(town.count_received(BOT, &Method::Bye), 0);
    let again = town.switchboard.request_handoff(call, None, request, town.now).expect("begins again");
    assert_ne!(first, again);
}

#[test]
fn a_desk_that_must_have_its_page_open_is_rung_only_then() {
    let mut town = Town::new(TownPlan { release: Release::Stay, require_page: true, ..TownPlan::default() });
    town.call("1000");
    let call = town.switchboard.calls().last().expect("a call").id;
    town.switchboard.request_handoff(call, None, to("anna"), town.now).expect("begins");
    town.wait(Duration::from_secs(1));
    assert_eq!(town.outcomes(), [HandoffOutcome::NoTarget]);
    assert!(town.notes().iter().any(|note| note.contains("anna has no page open")), "{:?}", town.notes());
    let (anna, now) = (DeskId("anna".into()), town.now);
    assert!(town.switchboard.handle_page(&anna, true, now));
    town.wait(Duration::from_secs(7));
    town.switchboard.request_handoff(call, None, to("anna"), town.now).expect("begins");
    town.wait(Duration::from_secs(2));
    assert_eq!(town.count_received(DESK, &Method::Invite), 1);
    assert!(!town.switchboard.handle_page(&DeskId("nobody".into()), true, town.now));
}

const MADE_HERE: &str = "Handed over because: the bot sent REFER.";

#[test]
fn a_bots_refer_may_carry_a_control_event_and_one_that_cannot_be_read_is_ignored_aloud() {
    let event =
        r#"{"summary":"Order 42 came broken.","intent":{"name":"refund"},"escalate":{"because":"over my limit"}}"#;
    for (body, taken) in [(event, true), (&event[1..], false), (r#"{"mood":"bad"}"#, false)] {
        let mut town = Town::new(TownPlan::default());
        town.call("1000");
        town.refer_with(BOT, "sip:handoff@127.0.0.1", "application/json", body);
        town.wait(Duration::from_secs(1));
        assert_eq!(town.received_response(BOT, 202).cseq().map(|cseq| cseq.method), Ok(Method::Refer));
        let package = town.package();
        assert_eq!(package.intent.as_deref(), taken.then_some("refund"), "{body}");
        let by = if taken { ("Order 42 came broken.", SummaryBy::Bot) } else { (MADE_HERE, SummaryBy::Gateway) };
        assert_eq!((package.summary.as_str(), package.summary_by), by, "{body}");
        assert_eq!(package.because[0].text, if taken { "REFER: over my limit" } else { "the bot sent REFER" });
        let ignored = town.notes().iter().any(|note| note.starts_with("the control event in its REFER is ignored"));
        assert_eq!(ignored, !taken, "{:?}", town.notes());
    }
}
