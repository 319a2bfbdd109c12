//! Both sides change a session at once, or a message is lost just then (RFC 3261 §14, RFC 3311 §5, RFC 3262 §3): nobody
//! stays in silence for it, and what was wanted last holds in the end.

use crate::support::{asks_for_a_human, heard, scenario};
use call_core::Release;
use call_model::Direction;
use phone::OnRefer;
use sim::{BOT, BOT_TONE, CALLER_TONE, DESK, DESK_TONE, Do, Setup, TRUNK, World};

fn they_talk(world: &World, from: u64, to: u64) {
    heard(world, TRUNK, from, to, &[DESK_TONE]);
    heard(world, DESK, from, to, &[CALLER_TONE]);
}

/// The gateway refreshes the trunk's session 45 s after the answer, at 45.160: what the trunk sends then crosses that.
fn refreshed() -> World {
    let mut world = asks_for_a_human(&Setup { trunk_sessions: Some((90, true)), ..Setup::default() });
    world.at(8_000, Do::Press(DESK, '1')).at(70_000, Do::HangUp(TRUNK));
    world
}

/// The same by re-INVITE, at 45.170, as the trunk refuses the UPDATE.
fn refreshed_by_reinvite() -> World {
    let mut world = refreshed();
    world.at(8_500, Do::Answer(TRUNK, "UPDATE", 405, 1));
    world
}

/// Both are refused, and who does not own the Call-ID tries again first.
#[test]
fn re_invites_that_cross() {
    let mut world = refreshed_by_reinvite();
    world.at(45_172, Do::Hold(TRUNK, Direction::Inactive)).at(60_000, Do::Hold(TRUNK, Direction::SendRecv));
    scenario("reinvite_crosses_reinvite", &mut world, 120_000);
    assert_eq!(world.ladder().matches("491").count(), 2, "{}", world.ladder());
    they_talk(&world, 8_300, 45_100);
    heard(&world, DESK, 50_500, 59_950, &[]);
    they_talk(&world, 60_300, 69_950);
}

/// The trunk's offer in an UPDATE is refused while ours is out, and taken when it comes again.
#[test]
fn an_update_that_crosses_our_re_invite() {
    let mut world = refreshed_by_reinvite();
    world
        .at(45_172, Do::Update(TRUNK, Direction::Inactive))
        .at(47_000, Do::Update(TRUNK, Direction::Inactive))
        .at(60_000, Do::Update(TRUNK, Direction::SendRecv));
    scenario("update_crosses_reinvite", &mut world, 120_000);
    assert_eq!(world.ladder().matches("491").count(), 1, "{}", world.ladder());
    they_talk(&world, 8_300, 46_950);
    heard(&world, DESK, 47_300, 59_950, &[]);
    they_talk(&world, 60_300, 69_950);
}

/// Ours offers nothing, so that both are answered.
#[test]
fn updates_that_cross() {
    let mut world = refreshed();
    world.at(45_165, Do::Update(TRUNK, Direction::Inactive)).at(60_000, Do::Update(TRUNK, Direction::SendRecv));
    scenario("update_crosses_update", &mut world, 120_000);
    assert!(!world.ladder().contains("491"), "{}", world.ladder());
    heard(&world, DESK, 45_500, 59_950, &[]);
    they_talk(&world, 60_300, 69_950);
}

/// Twice the trunk is in the middle of something else when it is refreshed.
#[test]
fn a_refresh_that_comes_at_a_bad_moment_comes_again() {
    let mut world = refreshed();
    world.at(8_500, Do::Answer(TRUNK, "UPDATE", 491, 1)).at(45_500, Do::Answer(TRUNK, "UPDATE", 500, 1));
    scenario("refresh_refused_491_and_500", &mut world, 120_000);
    they_talk(&world, 8_300, 69_950);
}

/// Our acknowledgement of the desk's ringing is lost twice, then its answer: the ringing that comes again meanwhile is not
/// acknowledged anew.
#[test]
fn acknowledgements_that_are_lost_are_sent_again() {
    let mut world = asks_for_a_human(&Setup { reliable: vec![TRUNK, DESK], ..Setup::default() });
    world
        .at(4_000, Do::LoseTo(DESK, "PRACK", 2))
        .at(5_800, Do::Lose(DESK, "SIP/2.0 200", 1))
        .at(9_500, Do::Press(DESK, '1'))
        .at(14_000, Do::HangUp(TRUNK));
    scenario("prack_lost", &mut world, 60_000);
    they_talk(&world, 9_800, 13_950);
}

/// The caller holds while the desk rings, and resumes while the human listens to why: joined, they hear each other.
#[test]
fn a_caller_who_holds_while_a_desk_rings() {
    let mut world = asks_for_a_human(&Setup::default());
    world
        .at(5_000, Do::Hold(TRUNK, Direction::Inactive))
        .at(7_000, Do::Hold(TRUNK, Direction::SendRecv))
        .at(9_000, Do::Press(DESK, '1'))
        .at(13_000, Do::HangUp(TRUNK));
    scenario("caller_holds_while_ringing", &mut world, 60_000);
    heard(&world, BOT, 500, 2_950, &[CALLER_TONE]);
    heard(&world, TRUNK, 7_300, 8_950, &[BOT_TONE]);
    they_talk(&world, 9_300, 12_950);
}

/// The caller's re-INVITE and the human's key arrive together: the human has a caller on hold, who then resumes.
#[test]
fn a_caller_who_holds_at_the_moment_of_the_join() {
    let mut world = asks_for_a_human(&Setup::default());
    world
        .at(8_000, Do::Press(DESK, '1'))
        .at(8_085, Do::Hold(TRUNK, Direction::Inactive))
        .at(12_000, Do::Hold(TRUNK, Direction::SendRecv))
        .at(18_000, Do::HangUp(TRUNK));
    scenario("caller_holds_at_the_join", &mut world, 60_000);
    heard(&world, DESK, 8_500, 11_950, &[]);
    they_talk(&world, 12_300, 17_950);
}

/// The trunk's re-INVITE crosses our REFER, and is answered like any other; the caller stays the human's.
#[test]
fn a_hold_that_crosses_our_refer() {
    let setup = Setup { release: Release::Refer, on_refer: OnRefer::Stall, ..Setup::default() };
    let mut world = asks_for_a_human(&setup);
    world
        .at(8_000, Do::Press(DESK, '1'))
        .at(11_095, Do::Hold(TRUNK, Direction::Inactive))
        .at(20_000, Do::Hold(TRUNK, Direction::SendRecv))
        .at(30_000, Do::HangUp(TRUNK));
    scenario("hold_crosses_refer", &mut world, 90_000);
    heard(&world, DESK, 11_500, 19_950, &[]);
    they_talk(&world, 20_300, 29_950);
}
