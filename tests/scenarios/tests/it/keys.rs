//! Keys between parties who know different ways to press them, and keys for a desk's phone system before its human.

use crate::support::{asks_for_a_human, heard, judge, scenario};
use call_core::KeysOut;
use call_model::{DialStep, Instant};
use core::time::Duration;
use sim::{BOT_TONE, CALLER_TONE, DESK, DESK_TONE, Do, Setup, TRUNK, World};

/// Bot, handoff, human; the caller presses 5 when they are joined, the human 5 a second later.
fn keys_after_the_join(setup: &Setup) -> World {
    let mut world = asks_for_a_human(setup);
    world.at(8_000, Do::Press(DESK, '1')).at(10_000, Do::Press(TRUNK, '5')).at(11_000, Do::Press(DESK, '5'));
    world.at(14_000, Do::HangUp(TRUNK));
    world
}

/// The keys that a party's telephone took from telephone-events.
fn keys(world: &World, party: usize) -> Vec<char> {
    world.phones[party].media.measured().digits.iter().map(|(_, digit)| *digit).collect()
}

/// Whether the party heard the key 5 as a tone within this time.
fn heard_five(world: &World, party: usize, from: u64, to: u64) -> bool {
    let five = |tones: &[f32]| tones.contains(&770.0) && tones.contains(&1_336.0);
    world.ear(party).between(Instant::from_millis(from), Instant::from_millis(to)).any(|block| five(&block.tones))
}

#[test]
fn a_caller_without_events_asks_for_a_human_by_tone_and_both_understand_each_others_keys() {
    let setup = Setup { no_events: vec![TRUNK], ..Setup::default() };
    let mut world = keys_after_the_join(&setup);
    scenario("caller_without_events", &mut world, 60_000);
    heard(&world, TRUNK, 8_300, 9_950, &[DESK_TONE]);
    assert_eq!(keys(&world, DESK), ['5'], "the caller's tone, as an event\n{}", world.ladder());
    assert!(heard_five(&world, TRUNK, 10_900, 11_600), "the human's event, as a tone\n{}", world.ladder());
    assert!(!heard_five(&world, DESK, 9_000, 13_000), "the tone itself stays here");
}

#[test]
fn a_human_without_events_accepts_by_tone() {
    let setup = Setup { no_events: vec![DESK], ..Setup::default() };
    let mut world = keys_after_the_join(&setup);
    scenario("desk_without_events", &mut world, 60_000);
    heard(&world, DESK, 8_500, 9_950, &[CALLER_TONE]);
    assert_eq!(keys(&world, TRUNK), ['5']);
    assert!(heard_five(&world, DESK, 9_900, 10_600));
}

#[test]
fn a_desk_that_wants_info_is_told_of_the_callers_keys_by_info() {
    let setup = Setup { keys_out: [KeysOut::Rtp, KeysOut::Rtp, KeysOut::InfoRelay], ..Setup::default() };
    let mut world = keys_after_the_join(&setup);
    scenario("keys_by_info", &mut world, 60_000);
    assert_eq!(keys(&world, DESK), Vec::<char>::new(), "not by events as well");
    assert_eq!(keys(&world, TRUNK), ['5']);
}

#[test]
fn a_desk_behind_a_conference_gets_its_digits_before_the_human_is_asked() {
    let half = DialStep::Pause(Duration::from_millis(500));
    let post_digits = [vec![half; 4], "1234#".chars().map(DialStep::Key).collect()].concat();
    let setup = Setup { post_digits, ..Setup::default() };
    let mut world = asks_for_a_human(&setup);
    world.at(12_500, Do::Press(DESK, '1')).at(16_000, Do::HangUp(TRUNK));
    scenario("post_digits", &mut world, 60_000);
    assert_eq!(keys(&world, DESK), ['1', '2', '3', '4', '#']);
    heard(&world, TRUNK, 600, 12_400, &[BOT_TONE]);
    heard(&world, TRUNK, 12_800, 15_900, &[DESK_TONE]);
    let first = world.phones[DESK].media.measured().digits[0].0;
    assert!(first >= Instant::from_millis(8_600), "two seconds after the answer at 6.65: {first:?}");
}

#[test]
fn a_desk_without_events_gets_its_digits_as_tones_and_one_by_info_by_info() {
    let post_digits = vec![DialStep::Key('5')];
    for (no_events, keys_out) in [(vec![DESK], KeysOut::Rtp), (vec![], KeysOut::InfoPlain)] {
        let keys_out = [KeysOut::Rtp, KeysOut::Rtp, keys_out];
        let setup = Setup { post_digits: post_digits.clone(), no_events, keys_out, ..Setup::default() };
        let mut world = asks_for_a_human(&setup);
        world.at(9_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
        world.run_until(60_000);
        judge("post digits", &world);
        let told = world.ladder().contains("INFO");
        assert_eq!(
            (heard_five(&world, DESK, 6_000, 7_500), told),
            (keys_out[2] == KeysOut::Rtp, keys_out[2] != KeysOut::Rtp)
        );
        heard(&world, TRUNK, 9_300, 11_950, &[DESK_TONE]);
    }
}

#[test]
fn a_desk_that_hangs_up_while_its_digits_are_pressed_is_followed_by_the_bot() {
    let post_digits = vec![DialStep::Pause(Duration::from_secs(5)), DialStep::Key('5')];
    let mut world = asks_for_a_human(&Setup { post_digits, ..Setup::default() });
    world.at(8_000, Do::HangUp(DESK)).at(14_000, Do::HangUp(TRUNK));
    world.run_until(60_000);
    judge("hung up while typing", &world);
    heard(&world, TRUNK, 600, 13_900, &[BOT_TONE]);
}
