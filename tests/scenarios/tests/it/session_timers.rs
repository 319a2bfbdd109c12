//! Calls that last, and calls whose other end is dead without a word (RFC 4028).

use crate::support::{asks_for_a_human, heard, scenario, they_talk};
use call_core::{Release, Timers};
use call_model::{Direction, Instant};
use core::time::Duration;
use phone::{OnRefer, PhoneEvent};
use sim::{BOT_TONE, DESK, Do, Setup, TRUNK, World};

const MINUTES: fn(u64) -> u64 = |minutes| minutes * 60_000;

fn talk_for_fifteen_minutes(name: &str, setup: &Setup) {
    let mut world = asks_for_a_human(setup);
    world.at(8_000, Do::Press(DESK, '1')).at(MINUTES(16), Do::HangUp(TRUNK));
    scenario(name, &mut world, MINUTES(17));
    they_talk(&world, 8_200, MINUTES(16) - 50);
}

/// The trunk refreshes, and would hang up were it not answered.
#[test]
fn fifteen_minutes_on_a_trunk_that_refreshes() {
    let setup = Setup { trunk_sessions: Some((600, false)), ..Setup::default() };
    talk_for_fifteen_minutes("fifteen_minutes_refreshed_by_the_trunk", &setup);
}

/// The trunk demands that we refresh, and hangs up where nobody does.
#[test]
fn fifteen_minutes_on_a_trunk_that_has_to_be_refreshed() {
    let setup = Setup { trunk_sessions: Some((600, true)), ..Setup::default() };
    talk_for_fifteen_minutes("fifteen_minutes_refreshed_by_us", &setup);
}

#[test]
fn a_desk_that_wants_longer_sessions_is_asked_again() {
    let mut world = asks_for_a_human(&Setup { desk_min_se: 3_600, ..Setup::default() });
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
    scenario("session_too_short_422", &mut world, 60_000);
    they_talk(&world, 8_200, 11_950);
}

/// A caller on hold sends nothing, so that silence says nothing either: the session timer does.
#[test]
fn a_caller_who_holds_and_stops_dead_is_ended_when_the_session_expires() {
    let mut world = asks_for_a_human(&Setup { trunk_sessions: Some((90, false)), ..Setup::default() });
    world
        .at(8_000, Do::Press(DESK, '1'))
        .at(12_000, Do::Hold(TRUNK, Direction::Inactive))
        .at(15_000, Do::Stop { party: TRUNK, loud: false });
    scenario("held_caller_stops_dead", &mut world, 130_000);
    assert!(world.ladder().contains("INVITE (hold)"));
}

/// The trunk wants to be refreshed, and takes no UPDATE: a re-INVITE is what it gets, after 45 s.
fn refreshed_by_reinvite() -> World {
    let mut world = asks_for_a_human(&Setup { trunk_sessions: Some((90, true)), ..Setup::default() });
    world.at(8_000, Do::Press(DESK, '1')).at(8_500, Do::Answer(TRUNK, "UPDATE", 405, 100));
    world
}

#[test]
fn a_re_invite_that_is_refused_changes_nothing() {
    let mut world = refreshed_by_reinvite();
    world.at(9_000, Do::Answer(TRUNK, "INVITE", 488, 1)).at(80_000, Do::HangUp(TRUNK));
    scenario("refresh_refused_488", &mut world, 120_000);
    they_talk(&world, 8_200, 79_950);
}

#[test]
fn a_re_invite_to_a_telephone_that_knows_of_no_call_ends_it() {
    let mut world = refreshed_by_reinvite();
    world.at(40_000, Do::Stop { party: TRUNK, loud: false }).at(40_000, Do::Answer(TRUNK, "INVITE", 481, 1));
    scenario("refresh_refused_481", &mut world, 120_000);
    assert!(!world.phones[DESK].is_busy(), "{}", world.ladder());
}

#[test]
fn a_re_invite_that_nobody_answers_ends_the_call() {
    let mut world = refreshed_by_reinvite();
    world.at(9_000, Do::Hold(TRUNK, Direction::Inactive)).at(40_000, Do::Stop { party: TRUNK, loud: false });
    scenario("refresh_unanswered", &mut world, 150_000);
    assert!(!world.phones[DESK].is_busy(), "{}", world.ladder());
}

/// The trunk answers no REFER, and its refreshes are lost meanwhile.
#[test]
fn a_session_that_expires_while_we_leave_ends_the_call() {
    let setup = Setup {
        release: Release::Refer,
        on_refer: OnRefer::Ignore,
        trunk_sessions: Some((90, false)),
        ..Setup::default()
    };
    let timers = Timers { release_after: Duration::from_secs(40), ..Timers::default() };
    let mut world = asks_for_a_human(&Setup { timers, ..setup });
    world.at(8_000, Do::Press(DESK, '1')).at(40_000, Do::Lose(TRUNK, "UPDATE", 100));
    scenario("session_expires_while_releasing", &mut world, 100_000);
    they_talk(&world, 8_200, 60_000);
}

/// Nothing from the gateway arrives any more, as if its process had died: the trunk finds out by itself.
#[test]
fn the_trunk_finds_out_that_the_gateway_is_dead() {
    let mut world = World::new(&Setup { trunk_sessions: Some((90, true)), ..Setup::default() });
    world.at(0, Do::Dial("7001")).at(5_000, Do::LoseTo(TRUNK, "", 1_000)).at(5_000, Do::Lose(TRUNK, "", 1_000));
    world.run_until(140_000);
    heard(&world, TRUNK, 500, 4_950, &[BOT_TONE]);
    let ended =
        world.events().iter().find(|(_, party, event)| *party == TRUNK && matches!(event, PhoneEvent::Ended { .. }));
    let at = ended.map(|(at, ..)| *at).expect("the trunk hangs up by itself");
    assert!(at < Instant::from_millis(62_000), "{at:?}");
    scenario("gateway_dies_and_the_trunk_finds_out", &mut world, 140_000);
}
