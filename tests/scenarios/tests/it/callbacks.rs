//! Promises to call back: told only when written down, kept at their time, and never a caller dialled for nobody.

use crate::support::{heard, ring, scenario, they_talk};
use call_core::{CallbackFixed, Callbacks, Hours, OpenSpan, Otherwise, Way};
use call_model::{
    BotCommand, BotUpdate, Callback, CallbackState, CallbackWish, DeskState, FactKind, PopUpdate, TraceKind, Urgency,
};
use core::time::Duration;
use phone::{Answer, Arrival};
use sim::{BOT_TONE, DESK, DESK2, DESK2_TONE, Do, MUSIC_TONE, Setup, TRUNK, World};

const NUMBER: &str = "+442079460001";

pub(crate) fn policy() -> Callbacks {
    Callbacks {
        allowed: vec!["+44".to_owned()],
        forbidden: vec![],
        hours: Hours::always("Europe/London").expect("a zone"),
        trunk: None,
        per_number: 2,
        per_day: 10,
        attempts: 2,
        retry_after: Duration::from_secs(60),
        ring: Duration::from_secs(15),
        give_up_after: Duration::from_secs(3600),
        furthest: Duration::from_secs(7 * 86_400),
    }
}

fn setup() -> Setup {
    Setup { stream_bot: true, callbacks: Some(policy()), ..Setup::default() }
}

fn wish(number: &str, at: Option<&str>) -> CallbackWish {
    CallbackWish { number: Some(number.to_owned()), at: at.map(str::to_owned), zone: None }
}

/// The bot asks for a callback after three seconds, the caller hangs up after six, and answers from then on.
fn asked(setup: &Setup, wish: CallbackWish) -> World {
    let mut world = World::new(setup);
    world.at(0, Do::Dial("7001"));
    world.at(2_000, Do::Fact(FactKind::Summary("Wants the refund of an order.".to_owned())));
    world.at(3_000, Do::Fact(FactKind::Callback(wish))).at(6_000, Do::HangUp(TRUNK));
    world.at(10_000, Do::Arrival(TRUNK, ring(Answer::After(Duration::from_secs(2)))));
    world
}

fn as_soon_as_possible(setup: &Setup) -> World {
    asked(setup, wish("+44 (20) 7946-0001", None))
}

fn told(world: &World) -> Vec<&BotUpdate> {
    let update = |(_, command): &'_ (_, BotCommand)| matches!(command, BotCommand::Tell(_));
    let all = world.told().iter().filter(|told| update(told));
    all.filter_map(|(_, command)| if let BotCommand::Tell(update) = command { Some(update) } else { None }).collect()
}

/// What happened to callbacks, in one word each.
fn happened(world: &World) -> Vec<&'static str> {
    let what = |event: &call_model::TraceEvent| match event.kind {
        TraceKind::Callback { what, .. } => Some(what),
        _ => None,
    };
    world.trace().iter().filter_map(what).collect()
}

fn only(world: &World) -> Callback {
    let mut all = world.callbacks();
    let one = all.next().expect("a callback").clone();
    assert_eq!(all.next(), None);
    one
}

#[test]
fn a_promise_is_told_when_it_is_written_down_and_kept_at_its_time() {
    let mut world = as_soon_as_possible(&setup());
    world.at(70_000, Do::Press(DESK, '1')).at(80_000, Do::HangUp(TRUNK));
    scenario("callback_kept", &mut world, 150_000);
    let callback = only(&world);
    let at = "2026-11-21T08:34:23+00:00[Europe/London]".to_owned();
    assert_eq!(told(&world), [&BotUpdate::CallbackAccepted { callback: callback.id, at, moved: false }]);
    assert_eq!((callback.state, callback.attempts, callback.number.reveal()), (CallbackState::Kept, 1, NUMBER));
    assert_eq!(happened(&world), ["promised", "due", "calling", "kept"]);
    let package = world.pops().iter().find_map(|(_, pop)| match pop {
        PopUpdate::Offered { package, .. } => Some(package),
        _ => None,
    });
    let package = package.expect("the human reads the story before the telephone rings");
    assert_eq!(package.summary, "Wants the refund of an order.");
    assert_eq!(package.callback.map(|note| (note.id, note.attempt)), Some((callback.id, 1)));
    let invite = world.invites(TRUNK).next().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).expect("dialled");
    assert!(invite.starts_with("INVITE sip:+442079460001@"), "{invite}");
    assert!(invite.contains("From: <sip:+442079460000@"), "the caller sees the trunk's number: {invite}");
    heard(&world, TRUNK, 500, 5_950, &[BOT_TONE]);
    heard(&world, DESK, 70_300, 71_900, &[MUSIC_TONE]);
    they_talk(&world, 72_500, 79_950);
}

#[test]
fn a_promise_waits_for_the_next_opening_and_the_bot_is_told_so() {
    let mut hours = Hours::always("Europe/London").expect("a zone");
    hours.spans = vec![OpenSpan::parse("mon-fri 09:00-17:30").expect("hours")];
    let policy = Callbacks { hours, ..policy() };
    let mut world = as_soon_as_possible(&Setup { callbacks: Some(policy), ..setup() });
    // A Saturday, 08:33: Monday at nine is two days later.
    let monday = 174_400_000;
    world.at(monday + 7_000, Do::Press(DESK, '1')).at(monday + 15_000, Do::HangUp(TRUNK));
    scenario("callback_after_the_weekend", &mut world, monday + 90_000);
    let at = "2026-11-23T09:00:00+00:00[Europe/London]".to_owned();
    assert_eq!(told(&world), [&BotUpdate::CallbackAccepted { callback: only(&world).id, at, moved: true }]);
    they_talk(&world, monday + 9_500, monday + 14_950);
}

#[test]
fn nobody_is_promised_what_will_not_be_done() {
    let later = |at| wish(NUMBER, Some(at));
    for (wish, reason) in [
        (wish("+19005551234", None), "not_allowed"),
        (wish("the usual one", None), "bad_number"),
        (CallbackWish::default(), "no_number"),
        (later("yesterday"), "bad_time"),
        (later("2026-11-20T10:00:00Z"), "past"),
        (later("2026-12-24T10:00:00Z"), "too_far"),
    ] {
        let mut world = asked(&setup(), wish);
        world.run_until(200_000);
        let refused =
            |update: &BotUpdate| matches!(update, BotUpdate::CallbackRefused { reason: why, .. } if *why == reason);
        assert!(matches!(told(&world)[..], [update] if refused(update)), "{reason}: {:?}", told(&world));
        assert_eq!((world.callbacks().count(), world.invites(TRUNK).count()), (0, 0), "{reason}");
    }
    let mut world = asked(&Setup { callbacks: None, ..setup() }, wish(NUMBER, None));
    scenario("callback_refused", &mut world, 90_000);
    assert!(matches!(told(&world)[..], [BotUpdate::CallbackRefused { reason: "off", .. }]), "{:?}", told(&world));
}

#[test]
fn a_number_is_promised_only_so_many() {
    let mut world = as_soon_as_possible(&setup());
    for at in [3_500, 4_000] {
        world.at(at, Do::Fact(FactKind::Callback(wish(NUMBER, Some("2026-11-22T10:00:00Z")))));
    }
    world.run_until(10_000);
    assert_eq!(happened(&world), ["promised", "promised", "refused"]);
    assert!(matches!(told(&world)[2], BotUpdate::CallbackRefused { reason: "many_for_number", .. }));
}

#[test]
fn a_human_who_declines_leaves_it_to_the_next() {
    let mut world = as_soon_as_possible(&Setup { desks: 2, ..setup() });
    world.at(64_000, Do::Decline("at lunch")).at(72_000, Do::Press(DESK2, '1')).at(80_000, Do::HangUp(TRUNK));
    scenario("callback_declined_once", &mut world, 150_000);
    assert_eq!((only(&world).state, world.invites(TRUNK).count()), (CallbackState::Kept, 1));
    heard(&world, TRUNK, 74_500, 79_950, &[DESK2_TONE]);
}

#[test]
fn without_a_human_the_caller_is_not_dialled() {
    let mut world = as_soon_as_possible(&setup());
    world.at(0, Do::State("ada", DeskState::Away)).at(100_000, Do::State("ada", DeskState::Available));
    world.at(130_000, Do::Press(DESK, '1')).at(140_000, Do::HangUp(TRUNK));
    scenario("callback_when_somebody_is_there", &mut world, 200_000);
    assert_eq!(happened(&world), ["promised", "due", "postponed", "due", "calling", "kept"]);
    assert_eq!((only(&world).attempts, world.invites(TRUNK).count()), (1, 1));
    they_talk(&world, 132_500, 139_950);
}

#[test]
fn a_caller_who_does_not_answer_is_dialled_again_and_the_human_hears_why() {
    let mut world = as_soon_as_possible(&setup());
    world.at(20_000, Do::Arrival(TRUNK, ring(Answer::Never)));
    world.at(70_000, Do::Press(DESK, '1')).at(100_000, Do::Arrival(TRUNK, ring(Answer::After(Duration::from_secs(2)))));
    world.at(155_000, Do::Press(DESK, '1')).at(165_000, Do::HangUp(TRUNK));
    scenario("callback_second_attempt", &mut world, 230_000);
    assert_eq!(happened(&world), ["promised", "due", "calling", "postponed", "due", "calling", "kept"]);
    heard(&world, DESK, 70_300, 84_800, &[MUSIC_TONE]);
    heard(&world, DESK, 85_200, 85_600, &[sim::CALLER_GONE_TONE]);
    they_talk(&world, 157_500, 164_950);
}

#[test]
fn a_caller_whose_line_stays_busy_is_given_up_and_everybody_can_see_it() {
    let mut world = as_soon_as_possible(&setup());
    world.at(20_000, Do::Arrival(TRUNK, Arrival::Refuse(486)));
    world.at(70_000, Do::Press(DESK, '1')).at(140_000, Do::Press(DESK, '1'));
    scenario("callback_given_up", &mut world, 300_000);
    assert_eq!(happened(&world), ["promised", "due", "calling", "postponed", "due", "calling", "given_up"]);
    let callback = only(&world);
    assert_eq!((callback.state, callback.note.as_str()), (CallbackState::GivenUp, "the caller's line is busy"));
}

#[test]
fn a_human_who_leaves_while_the_caller_rings_stops_the_ringing() {
    let mut world = as_soon_as_possible(&setup());
    world.at(20_000, Do::Arrival(TRUNK, ring(Answer::Never)));
    world.at(70_000, Do::Press(DESK, '1')).at(75_000, Do::HangUp(DESK));
    scenario("callback_human_leaves", &mut world, 115_000);
    assert_eq!(happened(&world), ["promised", "due", "calling", "postponed"]);
    assert!(!world.is_busy(TRUNK), "nobody answers a call without a human");
}

#[test]
fn what_is_cancelled_is_not_made_and_what_is_moved_is_made_then() {
    let mut world = as_soon_as_possible(&setup());
    world.run_until(20_000);
    let (id, now) = (only(&world).id, world.now());
    assert!(world.switchboard.cancel_callback(id, now).is_ok());
    scenario("callback_cancelled", &mut world, 120_000);
    assert_eq!((happened(&world), world.invites(DESK).count()), (vec!["promised", "cancelled"], 0));
    assert_eq!(world.switchboard.cancel_callback(id, now), Err(CallbackFixed::Unknown));

    let mut world = as_soon_as_possible(&setup());
    world.run_until(20_000);
    let (id, now) = (only(&world).id, world.now());
    let later = CallbackWish { at: Some("2026-11-21T08:36:00Z".to_owned()), ..CallbackWish::default() };
    assert!(world.switchboard.reschedule_callback(id, &later, now).is_ok());
    world.at(166_000, Do::Press(DESK, '1')).at(175_000, Do::HangUp(TRUNK));
    scenario("callback_moved", &mut world, 240_000);
    they_talk(&world, 168_500, 174_950);
}

#[test]
fn a_promise_outlives_the_gateway() {
    let mut world = as_soon_as_possible(&setup());
    world.at(40_000, Do::Restart).at(70_000, Do::Press(DESK, '1')).at(80_000, Do::HangUp(TRUNK));
    scenario("callback_after_a_restart", &mut world, 150_000);
    assert_eq!(happened(&world), ["promised", "due", "calling", "kept"]);
    they_talk(&world, 72_500, 79_950);
}

#[test]
fn a_gateway_killed_while_it_dials_the_caller_dials_again_but_not_at_once() {
    let mut world = as_soon_as_possible(&only_once());
    world.at(20_000, Do::Arrival(TRUNK, ring(Answer::Never)));
    world.at(70_000, Do::Press(DESK, '1')).at(73_000, Do::Restart);
    world.at(74_000, Do::Arrival(TRUNK, ring(Answer::After(Duration::from_secs(2)))));
    // The telephones do not know that the gateway is new, and hang up themselves.
    world.at(74_000, Do::HangUp(DESK)).at(74_000, Do::HangUp(TRUNK));
    world.at(260_000, Do::Press(DESK, '1')).at(270_000, Do::HangUp(TRUNK));
    world.run_until(340_000);
    assert_eq!(happened(&world), ["promised", "due", "calling", "postponed", "due", "calling", "kept"]);
    let dialled: Vec<u64> = world
        .trace()
        .iter()
        .filter(|event| matches!(event.kind, TraceKind::Callback { what: "calling", .. }))
        .map(|event| event.at.as_millis() / 1000)
        .collect();
    assert!(dialled[1] - dialled[0] >= 180, "{dialled:?}");
}

/// The caller's telephone has not rung.
#[test]
fn a_trunk_that_fails_costs_no_attempt() {
    let mut world = as_soon_as_possible(&only_once());
    world.at(20_000, Do::Arrival(TRUNK, Arrival::Refuse(503))).at(70_000, Do::Press(DESK, '1'));
    world.at(100_000, Do::Arrival(TRUNK, ring(Answer::After(Duration::from_secs(2)))));
    world.at(140_000, Do::Press(DESK, '1')).at(150_000, Do::HangUp(TRUNK));
    world.run_until(200_000);
    assert_eq!(happened(&world), ["promised", "due", "calling", "postponed", "due", "calling", "kept"]);
    assert_eq!(only(&world).attempts, 1);
}

#[test]
fn a_promise_that_is_far_overdue_is_not_kept() {
    let mut world = as_soon_as_possible(&setup());
    world.at(40_000, Do::Drain).at(4_000_000, Do::Restart);
    world.run_until(4_100_000);
    assert_eq!(happened(&world), ["promised", "given_up"]);
    assert_eq!(world.invites(DESK).count(), 0);
}

fn only_once() -> Setup {
    Setup { callbacks: Some(Callbacks { attempts: 1, ..policy() }), ..setup() }
}

#[test]
fn whom_no_human_can_take_is_called_back_where_the_route_says_so() {
    let unless_urgent = |then| Otherwise { urgency: Some(Urgency::Normal), open: Some(true), wish: None, then };
    for (then, promised) in [(Way::Callback, true), (Way::Bot, false)] {
        let mut world = World::new(&Setup { otherwise: vec![unless_urgent(then)], ..setup() });
        let identity = format!("<sip:{NUMBER}@trunk.invalid>");
        world.at(0, Do::State("ada", DeskState::Away));
        world.at(100, Do::DialWith("7001", vec![("P-Asserted-Identity", identity)]));
        world.at(3_000, Do::Press(TRUNK, '0')).at(8_000, Do::HangUp(TRUNK));
        world.run_until(20_000);
        let told = told(&world);
        assert!(told.iter().any(|update| matches!(update, BotUpdate::HandoffFailed { .. })), "{told:?}");
        let accepted = matches!(told.last(), Some(BotUpdate::CallbackAccepted { .. }));
        assert_eq!((accepted, world.callbacks().count()), (promised, usize::from(promised)), "{told:?}");
    }
}

#[test]
fn who_calls_again_before_that_is_known_to_wait_for_it() {
    let mut world = asked(&setup(), wish(NUMBER, Some("2026-11-21T08:40:00Z")));
    let identity = format!("<sip:{NUMBER}@trunk.invalid>");
    world.at(20_000, Do::DialWith("7001", vec![("P-Asserted-Identity", identity)]));
    world.at(23_000, Do::Press(TRUNK, '0')).at(30_000, Do::Press(DESK, '1')).at(35_000, Do::HangUp(TRUNK));
    world.run_until(120_000);
    let known = world.pops().iter().any(|(_, pop)| match pop {
        PopUpdate::Offered { package, .. } => package.entities.iter().any(|(name, _)| name == "callback"),
        _ => false,
    });
    assert!(known, "the human reads of the promise");
}
