//! A handoff is a success once both people were heard, and not before: the bot stays until then, and we stay too.

use crate::support::{asks_for_a_human, heard, scenario};
use call_core::Release;
use phone::OnRefer;
use sim::{BOT, BOT_TONE, CALLER_TONE, DESK, DESK_TONE, Do, Setup, TRUNK, World};

/// Joined at 8 s; the desk's microphone is dead from 7 s on.
fn dumb_desk(release: Release) -> World {
    let mut world = asks_for_a_human(&Setup { release, on_refer: OnRefer::Follow, ..Setup::default() });
    world.at(8_000, Do::Press(DESK, '1')).at(8_300, Do::Mute(DESK, true));
    world
}

/// Says when the bot's leg was hung up, in milliseconds.
fn bot_left(world: &World) -> Option<u128> {
    let gone = |event: &phone::PhoneEvent| matches!(event, phone::PhoneEvent::Ended { .. });
    let left = world.events().iter().find(|(_, party, event)| *party == BOT && gone(event));
    left.map(|(at, ..)| at.since(call_model::Instant::ZERO).as_millis())
}

/// The human says nothing until five seconds after the join: so long the bot waits, and nothing is released.
#[test]
fn the_bot_waits_until_the_human_has_spoken() {
    let mut world = asks_for_a_human(&Setup { release: Release::Auto, on_refer: OnRefer::Follow, ..Setup::default() });
    world.at(6_000, Do::Mute(DESK, true)).at(6_900, Do::Page(sim::Click::Accept)).at(13_000, Do::Mute(DESK, false));
    world.at(30_000, Do::HangUp(DESK)).at(32_000, Do::HangUp(TRUNK));
    scenario("proof_comes_late", &mut world, 90_000);
    heard(&world, DESK, 7_100, 12_900, &[CALLER_TONE]);
    heard(&world, TRUNK, 13_150, 29_950, &[DESK_TONE]);
    assert!(bot_left(&world).is_some_and(|at| (13_100..13_300).contains(&at)), "{}", world.ladder());
}

/// The human is not heard for ten seconds: the two stay together, and we with them; the bot waits until they are heard.
#[test]
fn without_speech_from_the_human_the_handoff_is_unproven_and_stays() {
    let mut world = asks_for_a_human(&Setup { release: Release::Refer, on_refer: OnRefer::Follow, ..Setup::default() });
    world.at(6_000, Do::Mute(DESK, true)).at(6_900, Do::Page(sim::Click::Accept));
    world.at(25_000, Do::Mute(DESK, false)).at(40_000, Do::HangUp(TRUNK));
    scenario("proof_never_comes", &mut world, 90_000);
    heard(&world, DESK, 7_100, 39_900, &[CALLER_TONE]);
    heard(&world, TRUNK, 25_200, 39_900, &[DESK_TONE]);
    assert!(bot_left(&world).is_some_and(|at| (25_000..25_300).contains(&at)), "{}", world.ladder());
    assert!(!world.ladder().contains("REFER"), "{}", world.ladder());
}

/// The human hangs up two seconds after the join without a word: the bot has not gone yet, and has the caller at once.
#[test]
fn a_human_who_leaves_without_a_word_leaves_the_caller_to_the_bot_that_waited() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(6_000, Do::Mute(DESK, true)).at(6_900, Do::Page(sim::Click::Accept));
    world.at(9_000, Do::HangUp(DESK)).at(14_000, Do::HangUp(TRUNK));
    scenario("proof_is_cut_short", &mut world, 60_000);
    heard(&world, TRUNK, 9_100, 13_950, &[BOT_TONE]);
    heard(&world, BOT, 9_100, 13_950, &[CALLER_TONE]);
}

/// A microphone that dies just before the join, the desk's or the caller's, while its owner was heard until then.
#[test]
fn what_was_heard_before_the_join_proves_nothing() {
    for (party, name) in [(DESK, "proof_desk_mute_at_the_join"), (TRUNK, "proof_caller_mute_at_the_join")] {
        let mut world =
            asks_for_a_human(&Setup { release: Release::Refer, on_refer: OnRefer::Follow, ..Setup::default() });
        world.at(6_600, Do::Mute(party, true)).at(6_900, Do::Page(sim::Click::Accept));
        world.at(30_000, Do::HangUp(TRUNK));
        scenario(name, &mut world, 90_000);
        assert!(bot_left(&world).is_some_and(|at| (30_000..30_200).contains(&at)), "{}", world.ladder());
        assert!(!world.ladder().contains("REFER"), "{}", world.ladder());
    }
}

/// A desk whose voice was heard when it took the call, and whose microphone dies right after.
#[test]
fn what_was_heard_after_the_join_counts() {
    let mut world = dumb_desk(Release::Stay);
    world.at(20_000, Do::HangUp(TRUNK));
    scenario("proof_in_the_first_words", &mut world, 60_000);
    heard(&world, DESK, 8_200, 19_900, &[CALLER_TONE]);
    assert!(bot_left(&world).is_some_and(|at| at < 8_300), "{}", world.ladder());
}
