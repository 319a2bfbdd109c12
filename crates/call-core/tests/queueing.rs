//! Two desks and more callers than they can take, on one clock.

#[path = "support/town.rs"]
mod town;

use call_core::{Queueing, Release, Route, RouteTo};
use call_model::{CallId, HandoffOutcome, MediaEvent, TransferState};
use core::time::Duration;
use sip_proto::DialogId;
use town::{CALLER, Town, TownPlan, route_to};

const CALLERS: usize = 12;
const TALK: Duration = Duration::from_secs(20);

fn town(max_length: usize) -> Town {
    let queue = Some(Queueing { max_wait: Duration::from_secs(600), max_length });
    let route = Route { queue, ..route_to(RouteTo::Bot("bot".to_owned())) };
    let (release, rtp_ports) = (Release::Stay, (20_000, 20_499));
    Town::new(TownPlan { release, routes: vec![route], call_limit: 40, rtp_ports, ..TownPlan::default() })
}

/// Another caller, who wants a human three seconds later.
fn comes(town: &mut Town, before: &[(CallId, DialogId)]) -> (CallId, DialogId) {
    let dialog = town.call("1000");
    let known = |id: CallId| before.iter().any(|(known, _)| *known == id);
    let call = town.switchboard.calls().find(|call| !known(call.id)).expect("a new call");
    let leg = call.legs[0].0;
    town.media_event(MediaEvent::Digit { leg, digit: '0', held: Duration::from_millis(100) });
    town.wait(Duration::from_secs(3));
    (leg.call, dialog)
}

fn joined(town: &Town) -> Vec<(CallId, Duration)> {
    let joined = town.switchboard.calls().filter(|call| call.state == TransferState::Joined);
    joined.map(|call| (call.id, town.now.since(call.since))).collect()
}

#[test]
fn two_desks_serve_many_callers_in_the_order_in_which_they_came() {
    let mut town = town(50);
    let mut callers: Vec<(CallId, DialogId)> = Vec::new();
    for _ in 0..CALLERS {
        callers.push(comes(&mut town, &callers));
    }
    let mut served: Vec<CallId> = Vec::new();
    let mut known = Vec::new();
    for _ in 0..200 {
        for desk in ["anna", "ben"] {
            assert!(town.switchboard.callers_at(desk) <= 1, "{desk} has two callers");
        }
        let mut hung_up = false;
        for (call, since) in joined(&town) {
            if !served.contains(&call) {
                served.push(call);
            }
            // One at a time, so that the order shows.
            if since >= TALK && !core::mem::replace(&mut hung_up, true) {
                let (_, dialog) = callers.iter().find(|(id, _)| *id == call).expect("one of ours");
                town.hang_up(CALLER, *dialog);
            }
        }
        let waiting = town.switchboard.waiting(town.now);
        let order: Vec<CallId> = waiting.iter().map(|one| one.call).collect();
        let rest: Vec<CallId> = callers.iter().map(|(id, _)| *id).filter(|id| order.contains(id)).collect();
        assert_eq!(order, rest, "in the order in which they came");
        known.extend(waiting.first().map(|first| first.expected));
        town.wait(Duration::from_secs(1));
    }
    assert_eq!(served, callers.iter().map(|(id, _)| *id).collect::<Vec<_>>(), "everybody, in order");
    assert_eq!(town.outcomes(), [HandoffOutcome::Joined; CALLERS]);
    assert_eq!(known.first(), Some(&None), "nobody says what was not measured");
    let told: Vec<Duration> = known.iter().flatten().copied().collect();
    // Some 22 s a caller at two desks.
    assert!(!told.is_empty() && told.iter().all(|wait| (9..16).contains(&wait.as_secs())), "{told:?}");
    town.expect_empty();
}

#[test]
fn behind_too_many_nobody_begins_to_wait() {
    let mut town = town(2);
    let mut callers: Vec<(CallId, DialogId)> = Vec::new();
    for _ in 0..5 {
        callers.push(comes(&mut town, &callers));
    }
    assert_eq!((joined(&town).len(), town.switchboard.waiting_count()), (2, 2));
    assert_eq!(town.outcomes().last(), Some(&HandoffOutcome::NoTarget));
    assert!(town.notes().contains(&"does not wait: too many wait already".to_owned()), "{:?}", town.notes());
    let states = town.switchboard.calls().filter(|call| call.state == TransferState::WithBot).count();
    assert_eq!(states, 1, "the bot has the last one");
    for (_, dialog) in callers {
        town.hang_up(CALLER, dialog);
    }
    town.expect_empty();
}
