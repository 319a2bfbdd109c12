//! Legs whose audio goes over a bot's WebSocket.

use crate::world::*;
use call_model::{Codec, MediaCommand, Selector};

const A: u8 = 0x90;
const D: u8 = 0xb0;
const VOICE: u8 = 0xa0;

fn with_bot(codec: Codec) -> World {
    let mut world = World::new();
    world.open(CALLER);
    world.command(MediaCommand::Remote { leg: leg(CALLER), media: remote(CALLER, codec) });
    world.command(MediaCommand::OpenStream { leg: leg(BOT) });
    world.feed(CALLER, Selector::Leg(leg(BOT)));
    world.feed(BOT, Selector::Leg(leg(CALLER)));
    world
}

fn frames(world: &mut World) -> Vec<u8> {
    core::mem::take(&mut world.frames).into_iter().map(|(_, frame)| frame[0]).collect()
}

#[test]
fn the_bot_hears_the_caller_as_mu_law_as_it_comes() {
    let mut world = with_bot(Codec::Pcma);
    let mut caller = Sender { payload_type: 8, ..Sender::new(CALLER, A) };
    for _ in 0..10 {
        world.send(&mut caller);
        assert_eq!(frames(&mut world), [rtp_proto::g711::alaw_to_mulaw(A)]);
        world.pass(20);
        assert!(frames(&mut world).is_empty(), "no silence between packets");
    }
}

#[test]
fn packets_of_thirty_milliseconds_become_frames_of_twenty() {
    let mut world = with_bot(Codec::Pcmu);
    let mut caller = Sender::new(CALLER, A);
    for i in 0..4u32 {
        let packet = caller.build(0, i * 240, false, &[A; 240]);
        world.deliver(leg(CALLER), caller.from, &packet);
        world.pass(30);
    }
    assert_eq!(frames(&mut world), [A; 6]);
}

#[test]
fn a_bot_that_hears_nobody_hears_silence() {
    let mut world = with_bot(Codec::Pcmu);
    world.pass(1000);
    let heard = frames(&mut world);
    assert!((39..=41).contains(&heard.len()), "{} frames after the first 200 ms", heard.len());
    world.feed(BOT, Selector::Silence);
    world.pass(200);
    assert_eq!(frames(&mut world), [0xff; 10]);
}

#[test]
fn what_the_bot_says_is_paced_and_what_is_not_said_is_silence() {
    let mut world = with_bot(Codec::Pcma);
    world.pass(100);
    world.got.clear();
    world.engine.handle_stream_audio(leg(BOT), &[VOICE; 1600], world.now);
    world.pass(400);
    let got = world.take(CALLER);
    check_stream(&got);
    assert_eq!(got.len(), 20);
    let voice = rtp_proto::g711::mulaw_to_alaw(VOICE);
    let spoken = got.iter().filter(|packet| packet.payload[0] == voice).count();
    assert_eq!(spoken, 10);
    assert_eq!(got.last().expect("packets").payload, vec![0xd5; 160]);
    assert!(got.windows(2).all(|pair| pair[1].at.since(pair[0].at).as_millis() == 20));
}

#[test]
fn marks_come_when_their_audio_has_been_heard() {
    let mut world = with_bot(Codec::Pcmu);
    world.engine.handle_stream_audio(leg(BOT), &[VOICE; 800], world.now);
    world.engine.handle_stream_mark(leg(BOT), "greeting".into(), world.now);
    world.pass(80);
    assert!(world.marks.is_empty());
    world.pass(60);
    assert_eq!(world.marks, ["greeting"]);
}

#[test]
fn clear_silences_the_bot_at_once_and_reports_its_marks() {
    let mut world = with_bot(Codec::Pcmu);
    world.engine.handle_stream_audio(leg(BOT), &[VOICE; 16_000], world.now);
    world.engine.handle_stream_mark(leg(BOT), "one".into(), world.now);
    world.pass(200);
    world.engine.handle_stream_clear(leg(BOT), world.now);
    world.drain();
    assert_eq!(world.marks, ["one"]);
    world.got.clear();
    world.pass(200);
    assert!(world.take(CALLER).iter().all(|packet| packet.payload[0] == 0xff));
}

#[test]
fn what_the_bot_says_after_the_join_reaches_nobody() {
    let mut world = with_bot(Codec::Pcmu);
    world.open(DESK);
    world.command(MediaCommand::Remote { leg: leg(DESK), media: remote(DESK, Codec::Pcmu) });
    world.engine.handle_stream_audio(leg(BOT), &[VOICE; 16_000], world.now);
    let mut desk = Sender::new(DESK, D);
    world.talk(&mut [&mut desk], 10);
    let before = world.take(CALLER);
    world.feed(CALLER, Selector::Leg(leg(DESK)));
    world.talk(&mut [&mut desk], 50);
    let after = world.take(CALLER);
    assert!(before.iter().any(|packet| packet.payload[0] == VOICE));
    assert!(after.iter().all(|packet| packet.payload[0] == D));
    // Back to the bot two seconds later: what it had to say is over.
    world.pass(2000);
    world.got.clear();
    world.feed(CALLER, Selector::Leg(leg(BOT)));
    world.pass(100);
    assert!(world.take(CALLER).iter().all(|packet| packet.payload[0] == 0xff));
}

#[test]
fn the_callers_key_presses_reach_the_bot_once() {
    let mut world = with_bot(Codec::Pcmu);
    let mut caller = Sender::new(CALLER, A);
    for end in [false, true, true, true] {
        let packet = caller.event(5, end, 400, !end);
        world.deliver(leg(CALLER), caller.from, &packet);
    }
    assert_eq!(world.stream_digits, ['5']);
    assert!(world.frames.is_empty(), "tones are no audio");
}

#[test]
fn a_bot_that_floods_is_cut_at_a_minute() {
    let mut world = with_bot(Codec::Pcmu);
    world.engine.handle_stream_audio(leg(BOT), &vec![VOICE; 70 * 8000], world.now);
    assert_eq!(world.engine.stats(leg(BOT)).expect("open").refused, 500);
}
