//! Parties whose codecs differ hear each other all the same, from the first second to the last.

use crate::support::{asks_for_a_human, heard, judge, scenario};
use call_model::Codec;
use core::time::Duration;
use sim::{BOT, BOT_TONE, CALLER_TONE, DESK, DESK_TONE, Do, Link, Setup, TRUNK};

/// Bot, handoff, human, and what each of them hears.
fn whole_call(setup: &Setup) -> sim::World {
    let mut world = asks_for_a_human(setup);
    world.at(8_000, Do::Press(DESK, '1')).at(14_000, Do::HangUp(TRUNK));
    world
}

fn everybody_is_heard(world: &sim::World) {
    heard(world, TRUNK, 600, 8_050, &[BOT_TONE]);
    heard(world, BOT, 600, 2_950, &[CALLER_TONE]);
    heard(world, TRUNK, 8_300, 13_950, &[DESK_TONE]);
    heard(world, DESK, 8_300, 13_950, &[CALLER_TONE]);
}

#[test]
fn a_g722_caller_is_handed_to_a_pcmu_desk() {
    let setup = Setup { codecs: [Codec::G722, Codec::G722, Codec::Pcmu], ..Setup::default() };
    let mut world = whole_call(&setup);
    scenario("g722_caller_pcmu_desk", &mut world, 60_000);
    everybody_is_heard(&world);
}

#[test]
fn every_mix_of_codecs_is_carried() {
    for (i, trunk) in Codec::ALL.into_iter().enumerate() {
        for (j, desk) in Codec::ALL.into_iter().enumerate() {
            let bot = Codec::ALL[(i + j) % Codec::ALL.len()];
            let mut world = whole_call(&Setup { codecs: [trunk, bot, desk], ..Setup::default() });
            world.run_until(60_000);
            judge(&format!("{trunk:?}, {bot:?}, {desk:?}"), &world);
            everybody_is_heard(&world);
        }
    }
}

#[test]
fn an_opus_caller_is_handed_to_a_pcma_desk() {
    let setup = Setup { codecs: [Codec::Opus, Codec::Pcmu, Codec::Pcma], ..Setup::default() };
    let mut world = whole_call(&setup);
    scenario("opus_caller_pcma_desk", &mut world, 60_000);
    everybody_is_heard(&world);
}

#[test]
fn a_bot_on_a_websocket_and_a_g722_caller_hear_each_other() {
    let setup = Setup { codecs: [Codec::G722, Codec::Pcmu, Codec::Opus], stream_bot: true, ..Setup::default() };
    let mut world = whole_call(&setup);
    world.run_until(60_000);
    judge("G.722 and a stream", &world);
    everybody_is_heard(&world);
}

#[test]
fn a_bad_network_between_codecs_leaves_nobody_in_silence() {
    let rtp_link = Link { loss: 50, jitter: Duration::from_millis(30), ..Link::GOOD };
    let setup = Setup { codecs: [Codec::G722, Codec::Pcma, Codec::Pcmu], rtp_link, ..Setup::default() };
    let mut world = whole_call(&setup);
    world.run_until(60_000);
    judge("a bad network", &world);
    for (party, from, to) in [(TRUNK, 600, 8_050), (TRUNK, 8_300, 13_950), (DESK, 8_300, 13_950)] {
        let gap = world.phones[party]
            .media
            .longest_gap(call_model::Instant::from_millis(from), call_model::Instant::from_millis(to));
        assert!(gap < Duration::from_millis(200), "party {party}: {gap:?}");
    }
}
