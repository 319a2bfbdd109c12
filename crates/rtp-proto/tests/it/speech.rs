//! Who speaks, and who has paused.

use crate::world::*;
use call_model::{Codec, MediaCommand, Selector};

/// A loud octet in either law, and silence in either.
const LOUD: u8 = 0xa0;
const MULAW_SILENCE: u8 = 0xff;
const ALAW_SILENCE: u8 = 0xd5;

#[test]
fn speech_and_pause_are_told_once_each() {
    let mut world = World::call([Codec::Pcmu, Codec::Pcma, Codec::Pcmu]);
    let mut caller = Sender::new(CALLER, LOUD);
    let mut bot = Sender { payload_type: 8, ..Sender::new(BOT, ALAW_SILENCE) };
    world.talk(&mut [&mut caller, &mut bot], 4);
    assert_eq!(world.speech(), [], "80 ms are no speech yet");
    world.talk(&mut [&mut caller, &mut bot], 100);
    assert_eq!(world.speech(), [(leg(CALLER), true)]);
    caller.octet = MULAW_SILENCE;
    bot.octet = LOUD;
    world.talk(&mut [&mut caller, &mut bot], 30);
    assert_eq!(world.speech(), [(leg(CALLER), true), (leg(BOT), true)], "600 ms are no pause yet");
    world.talk(&mut [&mut caller, &mut bot], 60);
    assert_eq!(world.speech(), [(leg(CALLER), true), (leg(BOT), true), (leg(CALLER), false)]);
}

#[test]
fn who_stops_sending_has_paused() {
    let mut world = World::call([Codec::Pcmu; 3]);
    let mut caller = Sender::new(CALLER, LOUD);
    world.talk(&mut [&mut caller], 10);
    world.pass(600);
    assert_eq!(world.speech(), [(leg(CALLER), true)]);
    world.pass(200);
    assert_eq!(world.speech(), [(leg(CALLER), true), (leg(CALLER), false)]);
}

#[test]
fn keys_and_comfort_noise_are_no_speech() {
    let mut world = World::call([Codec::Pcmu; 3]);
    let mut caller = Sender::new(CALLER, LOUD);
    for duration in 1..50u16 {
        let packet = caller.event(5, false, duration * 160, duration == 1);
        world.deliver(leg(CALLER), caller.from, &packet);
        let noise = caller.build(13, u32::from(duration) * 160, false, &[LOUD; 20]);
        world.deliver(leg(CALLER), caller.from, &noise);
        world.pass(20);
    }
    assert_eq!(world.speech(), []);
}

#[test]
fn a_bot_on_a_stream_speaks_when_it_is_played_and_not_when_it_sends() {
    let mut world = World::new();
    world.open(CALLER);
    world.command(MediaCommand::Remote { leg: leg(CALLER), media: remote(CALLER, Codec::Pcmu) });
    world.command(MediaCommand::OpenStream { leg: leg(BOT) });
    world.feed(CALLER, Selector::Leg(leg(BOT)));
    world.engine.handle_stream_audio(leg(BOT), &[LOUD; 16_000], world.now);
    world.drain();
    assert_eq!(world.speech(), [], "two seconds at once, and none played");
    world.pass(2_600);
    assert_eq!(world.speech(), [(leg(BOT), true)], "its last word was less than 700 ms ago");
    world.pass(300);
    assert_eq!(world.speech(), [(leg(BOT), true), (leg(BOT), false)]);
}
