//! A desk that is reached in two places, of which the first is no good. The caller waits a little longer, and that is all.

use crate::support::{asks_for_a_human, ring, scenario, they_talk};
use call_core::{Target, TargetView, Timers};
use call_model::{Instant, Party};
use core::time::Duration;
use phone::{Answer, Arrival};
use sim::{DESK, DESK2, Do, Setup, TRUNK, World};
use sip_proto::Transport;

/// One desk, at the second desk's telephone first.
fn at_desk2_first(arrival: Arrival) -> Setup {
    let answers = ring(Answer::After(Duration::from_secs(2)));
    Setup { desk_at: vec![Some(DESK2), Some(DESK)], desk: [answers, arrival], ..Setup::default() }
}

#[test]
fn where_nobody_is_nobody_is_waited_for() {
    let setup = Setup { desk_at: vec![None, Some(DESK)], ..Setup::default() };
    let mut world = asks_for_a_human(&setup);
    world.at(10_000, Do::Press(DESK, '1')).at(14_000, Do::HangUp(TRUNK));
    scenario("first_target_silent", &mut world, 60_000);
    they_talk(&world, 10_200, 13_950);
}

#[test]
fn a_target_that_has_no_room_is_passed_over_in_the_same_attempt() {
    let mut world = asks_for_a_human(&at_desk2_first(Arrival::Refuse(503)));
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
    scenario("first_target_refuses_503", &mut world, 60_000);
    they_talk(&world, 8_200, 11_950);
    let call_id = |party| {
        let invite = String::from_utf8_lossy(world.invites(party).next().expect("an INVITE"));
        invite.lines().find(|line| line.starts_with("Call-ID:")).map(str::to_owned).expect("a Call-ID")
    };
    assert_eq!(call_id(DESK), call_id(DESK2), "the pop named one call");
}

/// The next caller is not sent there again.
#[test]
fn a_target_that_failed_is_tried_last_for_a_while() {
    let mut world = asks_for_a_human(&at_desk2_first(Arrival::Refuse(503)));
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
    world.at(20_000, Do::Dial("7001")).at(23_000, Do::Press(TRUNK, '0'));
    world.at(28_000, Do::Press(DESK, '1')).at(32_000, Do::HangUp(TRUNK));
    world.run_until(90_000);
    assert_eq!(world.invites(DESK2).count(), 1);
    assert_eq!(world.invites(DESK).count(), 2);
    they_talk(&world, 28_200, 31_950);
}

/// It is the telephone's own word, not its line's: no other place is tried.
#[test]
fn whoever_rang_is_whom_we_called() {
    let refuses = ring(Answer::Refuse(Duration::from_secs(1), 503));
    let mut world = asks_for_a_human(&at_desk2_first(refuses));
    world.at(12_000, Do::HangUp(TRUNK));
    scenario("first_target_rings_then_503", &mut world, 60_000);
    assert_eq!(world.invites(DESK).count(), 0);
}

#[test]
fn a_caller_who_goes_is_not_fetched_a_human() {
    let setup = Setup { desk_at: vec![None, Some(DESK)], ..Setup::default() };
    let mut world = asks_for_a_human(&setup);
    world.at(4_000, Do::HangUp(TRUNK));
    scenario("first_target_silent_caller_gone", &mut world, 60_000);
    assert_eq!(world.invites(DESK).count(), 0);
}

/// OPTIONS tell which of them is there before a caller needs to know.
#[test]
fn a_target_that_is_known_to_be_down_is_not_tried_first() {
    let timers = Timers { ping_every: Some(Duration::from_secs(10)), ..Timers::default() };
    let mut world = World::new(&Setup { desk_at: vec![None, Some(DESK)], timers, ..Setup::default() });
    world.at(100_000, Do::Dial("7001")).at(103_000, Do::Press(TRUNK, '0'));
    world.at(108_000, Do::Press(DESK, '1')).at(112_000, Do::HangUp(TRUNK));
    world.run_until(160_000);
    they_talk(&world, 108_200, 111_950);
    let up: Vec<_> = world.switchboard.targets(Party::Desk, "ada").iter().map(|view| view.up).collect();
    assert_eq!(up, [Some(false), Some(true)]);
    assert_eq!(world.switchboard.is_up(Party::Desk, "ada", world.now()), Some(true));
}

/// The name server gives another address while the caller talks to the human at the first.
#[test]
fn a_desk_that_moves_keeps_its_call_and_gets_the_next_one_elsewhere() {
    let target = |last| Target::new(Transport::Udp, ([10, 0, 0, last], 5060).into());
    let mut world = asks_for_a_human(&Setup::default());
    world.at(8_000, Do::Press(DESK, '1')).run_until(9_000);
    assert!(world.switchboard.handle_resolved(Party::Desk, "ada", vec![target(14)], Instant::from_millis(9_000)));
    assert!(!world.switchboard.handle_resolved(Party::Desk, "ada", vec![target(14)], Instant::from_millis(9_000)));
    let (old, new) = (target(13).address.ip(), target(14).address.ip());
    assert!(world.switchboard.peers().knows(old) && world.switchboard.peers().knows(new));
    assert_eq!(world.switchboard.targets(Party::Desk, "ada"), [TargetView { target: target(14), up: None }]);

    world.at(12_000, Do::HangUp(DESK)).at(14_000, Do::HangUp(TRUNK));
    world.at(60_000, Do::Dial("7001")).at(63_000, Do::Press(TRUNK, '0'));
    world.at(68_000, Do::Press(DESK2, '1')).at(72_000, Do::HangUp(TRUNK));
    world.run_until(120_000);
    they_talk(&world, 8_200, 11_950);
    assert_eq!((world.invites(DESK).count(), world.invites(DESK2).count()), (1, 1));
    // Nobody there has a call any more when the name moves again.
    assert!(world.switchboard.handle_resolved(Party::Desk, "ada", vec![target(13)], Instant::from_millis(120_000)));
    assert!(!world.switchboard.peers().knows(new));
}
