//! Two legs at once for one listener, judged on what is heard: tones.

use crate::world::*;
use call_model::{Codec, MediaCommand, MediaEvent, Prompt, Selector};
use proptest::prelude::*;
use rtp_proto::g711;

const TONES: [f64; 3] = [400.0, 600.0, 800.0];

/// Somebody who sings: one of [`TONES`], by leg.
pub(crate) struct Singer {
    pub(crate) sender: Sender,
    codec: Codec,
    position: u64,
    silent: bool,
}

impl Singer {
    pub(crate) fn new(index: u8, codec: Codec) -> Self {
        let sender = Sender { payload_type: codec.payload_type(), ..Sender::new(index, 0) };
        Self { sender, codec, position: 0, silent: false }
    }

    pub(crate) fn audio(&mut self) -> [u8; 160] {
        let hertz = TONES[usize::from(self.sender.leg.index)];
        let start = self.position;
        self.position += 160;
        core::array::from_fn(|i| {
            let phase = core::f64::consts::TAU * hertz * (start + i as u64) as f64 / 8000.0;
            let sample = if self.silent { 0 } else { (phase.sin() * 8000.0) as i16 };
            match self.codec {
                Codec::Pcma => g711::encode_alaw(sample),
                _ => g711::encode_mulaw(sample),
            }
        })
    }

    pub(crate) fn packet(&mut self) -> Vec<u8> {
        let audio = self.audio();
        let timestamp = self.sender.timestamp;
        self.sender.timestamp += 160;
        self.sender.build(self.codec.payload_type(), timestamp, false, &audio)
    }
}

/// Everybody sings for so many times 20 ms.
pub(crate) fn sing(world: &mut World, singers: &mut [&mut Singer], steps: u32) {
    for _ in 0..steps {
        for singer in singers.iter_mut() {
            let packet = singer.packet();
            world.deliver(singer.sender.leg, singer.sender.from, &packet);
        }
        world.pass(20);
    }
}

fn linear(codec: Codec, octets: &[u8]) -> Vec<i16> {
    let decode = match codec {
        Codec::Pcma => g711::decode_alaw,
        _ => g711::decode_mulaw,
    };
    octets.iter().map(|octet| decode(*octet)).collect()
}

/// The tones in a stretch of audio (Goertzel), each a tenth of its energy at least.
pub(crate) fn tones(samples: &[i16]) -> Vec<f64> {
    let energy: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let power = |hertz: f64| {
        let (mut re, mut im) = (0.0, 0.0);
        for (i, sample) in samples.iter().enumerate() {
            let phase = core::f64::consts::TAU * hertz * i as f64 / 8000.0;
            re += f64::from(*sample) * phase.cos();
            im += f64::from(*sample) * phase.sin();
        }
        2.0 * (re * re + im * im) / samples.len() as f64
    };
    let loud = energy / samples.len() as f64 > 100.0;
    TONES.into_iter().filter(|hertz| loud && power(*hertz) / energy > 0.1).collect()
}

fn heard(codec: Codec, got: &[Got]) -> Vec<f64> {
    let audio: Vec<u8> =
        got.iter().filter(|got| got.payload.len() == 160).flat_map(|got| got.payload.clone()).collect();
    tones(&linear(codec, &audio))
}

#[test]
fn the_listener_hears_both_and_never_themselves() {
    let codecs = [Codec::Pcmu, Codec::Pcma, Codec::Pcma];
    let mut world = World::call(codecs);
    let [mut caller, mut bot, mut desk] =
        [CALLER, BOT, DESK].map(|index| Singer::new(index, codecs[usize::from(index)]));
    for index in [CALLER, BOT, DESK] {
        let [one, other] = [CALLER, BOT, DESK].into_iter().filter(|other| *other != index).collect::<Vec<_>>()[..]
        else {
            unreachable!("two others")
        };
        world.feed(index, Selector::Mix(leg(one), leg(other)));
    }
    sing(&mut world, &mut [&mut caller, &mut bot, &mut desk], 10);
    world.got.clear();
    sing(&mut world, &mut [&mut caller, &mut bot, &mut desk], 50);
    for (index, expected) in [(CALLER, [600.0, 800.0]), (BOT, [400.0, 800.0]), (DESK, [400.0, 600.0])] {
        let got = world.take(index);
        check_stream(&got);
        assert_eq!(got.len(), 50, "one packet every 20 ms");
        for block in got.chunks(5) {
            assert_eq!(heard(codecs[usize::from(index)], block), expected, "leg {index}");
        }
    }
}

#[test]
fn what_is_added_is_the_sum_to_the_sample() {
    let mut world = World::call([Codec::Pcmu; 3]);
    let (mut bot, mut desk) = (Sender::new(BOT, 0xa0), Sender::new(DESK, 0xb0));
    world.feed(CALLER, Selector::Mix(leg(BOT), leg(DESK)));
    world.talk(&mut [&mut bot, &mut desk], 20);
    let sum = g711::encode_mulaw(g711::decode_mulaw(0xa0) + g711::decode_mulaw(0xb0));
    assert_eq!(world.take(CALLER).last().expect("packets").payload, vec![sum; 160]);
}

#[test]
fn who_is_silent_or_not_there_adds_silence() {
    let mut world = World::call([Codec::Pcmu; 3]);
    let [mut bot, mut desk] = [BOT, DESK].map(|index| Singer::new(index, Codec::Pcmu));
    world.feed(CALLER, Selector::Mix(leg(BOT), leg(DESK)));
    world.pass(1_000);
    assert!(world.take(CALLER).iter().all(|packet| packet.payload == [0xff; 160]), "nobody sends");
    sing(&mut world, &mut [&mut desk], 50);
    assert_eq!(heard(Codec::Pcmu, &world.take(CALLER)[10..]), [800.0], "the bot sends nothing");
    bot.silent = true;
    sing(&mut world, &mut [&mut bot, &mut desk], 50);
    assert_eq!(heard(Codec::Pcmu, &world.take(CALLER)[10..]), [800.0], "the bot sends silence");
    bot.silent = false;
    world.command(MediaCommand::Close { leg: leg(DESK) });
    sing(&mut world, &mut [&mut bot], 50);
    assert_eq!(heard(Codec::Pcmu, &world.take(CALLER)[10..]), [600.0], "the desk is gone");
    world.open(DESK);
    world.command(MediaCommand::Remote { leg: leg(DESK), media: remote(DESK, Codec::Pcmu) });
    desk = Singer::new(DESK, Codec::Pcmu);
    sing(&mut world, &mut [&mut bot, &mut desk], 50);
    let got = world.take(CALLER);
    assert_eq!(heard(Codec::Pcmu, &got[10..]), [600.0, 800.0], "and is back");
}

#[test]
fn going_into_a_mix_and_out_of_it_leaves_no_gap_above_sixty_milliseconds() {
    for codecs in [[Codec::Pcmu; 3], [Codec::Pcma, Codec::Pcmu, Codec::Pcma]] {
        let mut world = World::call(codecs);
        let [mut bot, mut desk] = [BOT, DESK].map(|index| Singer::new(index, codecs[usize::from(index)]));
        let mut all = Vec::new();
        for selector in [
            Selector::Leg(leg(BOT)),
            Selector::Mix(leg(BOT), leg(DESK)),
            Selector::Leg(leg(DESK)),
            Selector::Mix(leg(DESK), leg(BOT)),
            Selector::Music,
            Selector::Mix(leg(BOT), leg(DESK)),
        ] {
            world.pass(7);
            all.extend(world.take(CALLER));
            world.feed(CALLER, selector);
            sing(&mut world, &mut [&mut bot, &mut desk], 20);
            let got = world.take(CALLER);
            let quiet = got.iter().take_while(|packet| tones(&linear(codecs[0], &packet.payload)).is_empty()).count();
            assert!(quiet <= 3 || selector == Selector::Music, "{selector:?}: {quiet} packets without its audio");
            assert!(got[0].header.marker, "{selector:?}: a switch is marked");
            all.extend(got);
        }
        check_stream(&all);
        let stats = world.engine.stats(leg(CALLER)).expect("open");
        assert!(stats.longest_gap_ms <= 60.0, "gap of {} ms", stats.longest_gap_ms);
    }
}

#[test]
fn a_bot_on_a_stream_is_heard_in_a_mix_and_hears_one() {
    let mut world = World::new();
    for index in [CALLER, DESK] {
        world.open(index);
        world.command(MediaCommand::Remote { leg: leg(index), media: remote(index, Codec::Pcma) });
    }
    world.command(MediaCommand::OpenStream { leg: leg(BOT) });
    world.feed(CALLER, Selector::Mix(leg(BOT), leg(DESK)));
    world.feed(BOT, Selector::Mix(leg(CALLER), leg(DESK)));
    let [mut caller, mut desk] = [CALLER, DESK].map(|index| Singer::new(index, Codec::Pcma));
    let mut bot = Singer::new(BOT, Codec::Pcmu);
    for _ in 0..50 {
        let audio = bot.audio();
        world.engine.handle_stream_audio(leg(BOT), &audio, world.now);
        sing(&mut world, &mut [&mut caller, &mut desk], 1);
    }
    let got = world.take(CALLER);
    check_stream(&got);
    assert_eq!(heard(Codec::Pcma, &got[10..]), [600.0, 800.0]);
    let frames: Vec<u8> = world.frames.iter().skip(10).flat_map(|(_, frame)| *frame).collect();
    assert!((49..=51).contains(&world.frames.len()), "one frame every 20 ms: {}", world.frames.len());
    assert_eq!(tones(&linear(Codec::Pcmu, &frames)), [400.0, 800.0]);
}

#[test]
fn a_key_takes_the_place_of_the_audio_and_no_press_is_heard_twice() {
    let mut world = World::call([Codec::Pcmu; 3]);
    let [mut bot, mut desk] = [BOT, DESK].map(|index| Singer::new(index, Codec::Pcmu));
    world.feed(CALLER, Selector::Mix(leg(BOT), leg(DESK)));
    sing(&mut world, &mut [&mut bot, &mut desk], 10);
    world.got.clear();
    for step in 1..=8u16 {
        let end = step > 5;
        let packet = desk.sender.event(7, end, step.min(5) * 160, step == 1);
        world.deliver(leg(DESK), desk.sender.from, &packet);
        let ours = bot.packet();
        world.deliver(leg(BOT), bot.sender.from, &ours);
        world.pass(20);
    }
    desk.sender.timestamp += 8 * 160;
    let pressed = world.take(CALLER);
    check_stream(&pressed);
    assert_eq!(pressed.len(), 8, "events, and nothing between them");
    assert!(pressed.iter().all(|packet| packet.header.payload_type == 101 && packet.payload[0] == 7));
    let first = pressed[0].header.timestamp;
    assert!(pressed.iter().all(|packet| packet.header.timestamp == first), "RFC 4733 §2.5.1.2");
    assert_eq!(pressed.iter().filter(|packet| packet.header.marker).count(), 1);
    sing(&mut world, &mut [&mut bot, &mut desk], 20);
    let after = world.take(CALLER);
    check_stream(&[pressed, after.clone()].concat());
    assert!(after[0].header.marker);
    assert_eq!(heard(Codec::Pcmu, &after[5..]), [600.0, 800.0]);
    assert_eq!(world.digits(), [(leg(DESK), '7')]);
}

#[test]
fn the_key_that_was_held_when_the_mix_began_is_not_passed_on() {
    let mut world = World::call([Codec::Pcmu; 3]);
    let mut desk = Sender::new(DESK, 0xb0);
    world.talk(&mut [&mut desk], 5);
    for step in 1..=8u16 {
        if step == 4 {
            world.feed(CALLER, Selector::Mix(leg(BOT), leg(DESK)));
        }
        let packet = desk.event(1, step > 6, step * 160, step == 1);
        world.deliver(leg(DESK), desk.from, &packet);
        world.pass(20);
    }
    assert!(world.take(CALLER).iter().all(|packet| packet.header.payload_type == 0));
    assert_eq!(world.digits(), [(leg(DESK), '1')]);
}

#[test]
fn a_source_whose_clock_is_fast_is_never_far_behind() {
    let mut world = World::call([Codec::Pcmu; 3]);
    let mut bot = Sender::new(BOT, 0xa0);
    world.feed(CALLER, Selector::Mix(leg(BOT), leg(DESK)));
    // A packet every 19 ms for 20 s would pile up a second.
    for _ in 0..1_050 {
        world.send(&mut bot);
        world.pass(19);
    }
    world.got.clear();
    bot.octet = 0xb0;
    for _ in 0..20 {
        world.send(&mut bot);
        world.pass(19);
    }
    let late = world.take(CALLER).iter().take_while(|packet| packet.payload[0] != 0xb0).count();
    assert!(late <= 7, "{} ms behind", late * 20);
}

#[test]
fn a_prompt_after_a_mix_is_played_whole() {
    let mut world = World::call([Codec::Pcmu; 3]);
    world.feed(CALLER, Selector::Mix(leg(BOT), leg(DESK)));
    world.pass(100);
    world.feed(CALLER, Selector::Prompt(Prompt::PressOne));
    world.pass(200);
    assert!(world.events.contains(&MediaEvent::Played { leg: leg(CALLER), prompt: Prompt::PressOne }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_mix_goes_on_every_twenty_milliseconds_whatever_its_sources_do(
        packets in prop::collection::vec((0u64..4_000, any::<bool>(), 1usize..400), 0..400),
    ) {
        let mut world = World::call([Codec::Pcmu, Codec::Pcma, Codec::Pcmu]);
        world.feed(CALLER, Selector::Mix(leg(BOT), leg(DESK)));
        let mut senders = [Sender { payload_type: 8, ..Sender::new(BOT, 0) }, Sender::new(DESK, 0)];
        let mut packets = packets;
        packets.sort_by_key(|(at, ..)| *at);
        let start = world.now;
        for (at, which, len) in packets {
            let target = start + core::time::Duration::from_millis(at);
            world.pass(target.since(world.now).as_millis() as u64);
            let sender = &mut senders[usize::from(which)];
            let packet = sender.build(sender.payload_type, sender.timestamp, false, &vec![0x55; len]);
            sender.timestamp = sender.timestamp.wrapping_add(len as u32);
            world.deliver(sender.leg, sender.from, &packet);
        }
        world.pass(200);
        let got = world.take(CALLER);
        check_stream(&got);
        prop_assert!(got.iter().all(|packet| packet.payload.len() == 160));
        for pair in got.windows(2) {
            prop_assert_eq!(pair[1].at.since(pair[0].at).as_millis(), 20);
            prop_assert_eq!(pair[1].header.timestamp.wrapping_sub(pair[0].header.timestamp), 160);
            prop_assert_eq!(pair[1].header.sequence, pair[0].header.sequence.wrapping_add(1));
        }
    }
}
