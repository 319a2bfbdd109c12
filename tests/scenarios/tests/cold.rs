//! Passing the caller on without asking the human first: joined on answer.

mod support;

use call_core::{Handover, Release};
use core::time::Duration;
use phone::{Answer, Arrival, OnRefer};
use sim::{BOT_TONE, CALLER_TONE, DESK, DESK_TONE, DESK2, DESK2_TONE, Do, Setup, TRUNK, World};
use support::{asks_for_a_human, heard, ring, scenario};

fn cold() -> Setup {
    Setup { handover: [Handover::Cold, Handover::Warm], ..Setup::default() }
}

/// From `from` to `to`, caller and human hear each other and nothing else.
fn they_talk(world: &World, from: u64, to: u64) {
    heard(world, TRUNK, from, to, &[DESK_TONE]);
    heard(world, DESK, from, to, &[CALLER_TONE]);
}

fn says(world: &World, what: &str) {
    assert!(world.ladder().contains(what), "no {what:?}\n{}", world.ladder());
}

/// The desk answers at 6.7 s: no whisper, no key, and the caller had the bot until then.
#[test]
fn joined_as_soon_as_the_desk_answers() {
    let mut world = asks_for_a_human(&cold());
    world.at(20_000, Do::HangUp(DESK)).at(25_000, Do::HangUp(TRUNK));
    scenario("cold", &mut world, 60_000);
    heard(&world, TRUNK, 3_200, 6_650, &[BOT_TONE]);
    they_talk(&world, 6_900, 19_950);
    heard(&world, TRUNK, 21_500, 24_950, &[BOT_TONE]);
    says(&world, "handoff: joined by cold");
    assert!(!world.ladder().contains("Accepting"), "{}", world.ladder());
}

/// A desk that is busy gives place to the next one, which is asked first as it is set.
#[test]
fn busy_cold_then_the_next_desk_warm() {
    let mut world = asks_for_a_human(&Setup {
        desks: 2,
        desk: [Arrival::Refuse(486), ring(Answer::After(Duration::from_secs(2)))],
        ..cold()
    });
    world.at(8_000, Do::Press(DESK2, '1')).at(20_000, Do::HangUp(TRUNK));
    scenario("cold_busy_then_warm", &mut world, 60_000);
    heard(&world, TRUNK, 3_200, 7_950, &[BOT_TONE]);
    heard(&world, TRUNK, 8_200, 19_950, &[DESK2_TONE]);
    says(&world, "handoff: joined");
}

/// Nobody answers: the bot is told, and keeps the caller.
#[test]
fn a_cold_desk_that_does_not_answer_leaves_the_caller_with_the_bot() {
    let mut world = asks_for_a_human(&Setup { desk: [ring(Answer::Never); 2], ..cold() });
    world.at(35_000, Do::HangUp(TRUNK));
    scenario("cold_no_answer", &mut world, 70_000);
    heard(&world, TRUNK, 3_200, 34_950, &[BOT_TONE]);
}

/// The caller hangs up while it rings.
#[test]
fn the_caller_leaves_while_a_cold_desk_rings() {
    let mut world = asks_for_a_human(&cold());
    world.at(6_000, Do::HangUp(TRUNK));
    scenario("cold_caller_gone", &mut world, 40_000);
    says(&world, "CANCEL");
}

/// A machine that answers and says nothing is joined, and counts as unproven.
#[test]
fn a_cold_join_still_wants_proof() {
    let mut world = asks_for_a_human(&cold());
    world.at(2_000, Do::Mute(DESK, true)).at(20_000, Do::HangUp(TRUNK));
    scenario("cold_unproven", &mut world, 60_000);
    says(&world, "handoff: unproven: no speech");
}

/// Joined cold, then out of the path as after any other join; a trunk that refuses changes nothing.
#[test]
fn a_cold_join_is_released_like_any_other() {
    for (name, on_refer, method) in
        [("follows", OnRefer::Follow, "released by refer_trunk"), ("refuses", OnRefer::Refuse(603), "joined by cold")]
    {
        let mut world = asks_for_a_human(&Setup { release: Release::Refer, on_refer, ..cold() });
        world.at(30_000, Do::HangUp(DESK)).at(32_000, Do::HangUp(TRUNK));
        scenario(&format!("cold_then_trunk_{name}"), &mut world, 90_000);
        they_talk(&world, 6_900, 9_650);
        they_talk(&world, 10_300, 29_950);
        says(&world, method);
    }
}
