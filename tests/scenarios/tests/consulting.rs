//! What may happen between the decision and the join, row by row of the failure matrix, and what the people hear then.

mod support;

use call_core::WhileConsulting;
use core::time::Duration;
use phone::Answer;
use sim::{
    BOT_TONE, CALLER_TONE, DESK, DESK_TONE, Do, MUSIC_TONE, PRESS_ONE_TONE, STILL_TRYING_TONE, Setup, TRUNK, WHY_TONE,
};
use support::{asks_for_a_human, heard, ring, scenario};

const S: fn(u64) -> Duration = Duration::from_secs;

#[test]
fn the_human_hears_why_then_the_key_and_the_key_again() {
    let mut world = asks_for_a_human(&Setup::default());
    world.at(14_000, Do::Press(DESK, '1')).at(18_000, Do::HangUp(TRUNK));
    scenario("whisper_until_the_human_accepts", &mut world, 60_000);
    // The desk answers at 6.7 s; a prompt takes 0.8 s.
    heard(&world, DESK, 6_750, 7_450, &[WHY_TONE]);
    heard(&world, DESK, 7_600, 8_250, &[PRESS_ONE_TONE]);
    heard(&world, DESK, 8_400, 10_200, &[]);
    heard(&world, DESK, 10_400, 11_050, &[PRESS_ONE_TONE]);
    heard(&world, DESK, 13_200, 13_850, &[PRESS_ONE_TONE]);
    heard(&world, TRUNK, 500, 14_050, &[BOT_TONE]);
    heard(&world, TRUNK, 14_200, 17_950, &[DESK_TONE]);
    heard(&world, DESK, 14_200, 17_950, &[CALLER_TONE]);
}

#[test]
fn a_desk_without_whisper_hears_the_key_at_once() {
    let mut world = asks_for_a_human(&Setup { whisper: false, ..Setup::default() });
    world.at(9_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK)).run_until(60_000);
    support::judge("no whisper", &world);
    heard(&world, DESK, 6_750, 7_450, &[PRESS_ONE_TONE]);
    heard(&world, DESK, 9_200, 11_950, &[CALLER_TONE]);
}

/// Waits 44 s for a desk that rings and rings, with music, and tells how long after the beginning of the music the
/// caller was told that it is not forgotten.
fn told_while_waiting(every: Option<Duration>) -> Vec<u64> {
    let mut setup =
        Setup { while_consulting: WhileConsulting::Music, desk: [ring(Answer::After(S(44))); 2], ..Setup::default() };
    setup.timers.ring_timeout = S(60);
    setup.timers.waiting_prompt_every = every;
    let mut world = asks_for_a_human(&setup);
    world.at(51_000, Do::Press(DESK, '1')).at(54_000, Do::HangUp(TRUNK));
    if every == Some(S(20)) {
        scenario("waiting_with_music", &mut world, 100_000);
        heard(&world, TRUNK, 4_700, 24_500, &[MUSIC_TONE]);
        heard(&world, TRUNK, 24_700, 25_300, &[STILL_TRYING_TONE]);
        heard(&world, TRUNK, 25_600, 44_500, &[MUSIC_TONE]);
    } else {
        world.run_until(100_000);
        support::judge("waiting", &world);
    }
    heard(&world, TRUNK, 51_200, 53_950, &[DESK_TONE]);
    let mut told: Vec<u64> = Vec::new();
    for block in world.ear(TRUNK).heard().iter().filter(|block| block.tones == [STILL_TRYING_TONE]) {
        let seconds = (block.at.as_millis() - 4_590) / 1_000;
        if told.last().is_none_or(|last| seconds > last + 1) {
            told.push(seconds);
        }
    }
    told
}

#[test]
fn a_caller_who_waits_with_music_is_told_so_every_twenty_seconds() {
    assert_eq!(told_while_waiting(Some(S(20))), [20, 40]);
    assert_eq!(told_while_waiting(Some(S(15))), [15, 30, 45]);
    assert_eq!(told_while_waiting(None), [0; 0]);
}
