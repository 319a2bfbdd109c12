//! Codecs that differ: relayed untouched where both sides agree, decoded and encoded again where they do not. Judged on
//! what is heard.

use crate::world::*;
use audio_codec::g722::{G722Decoder, G722Encoder};
use audio_codec::{Decoder as _, Encoder as _};
use call_model::{Codec, MediaCommand, MediaEvent, RemoteMedia, Selector};
use opus_rs::{Application, OpusDecoder, OpusEncoder};
use rtp_proto::g711;

const TONES: [f64; 4] = [400.0, 600.0, 800.0, 5000.0];

/// Somebody who sings one tone in one codec.
struct Singer {
    sender: Sender,
    codec: Codec,
    hertz: f64,
    position: usize,
    g722: G722Encoder,
    opus: OpusEncoder,
}

impl Singer {
    fn new(index: u8, codec: Codec, hertz: f64) -> Self {
        let sender = Sender { payload_type: codec.payload_type(), ..Sender::new(index, 0) };
        let opus = OpusEncoder::new(16_000, 1, Application::Voip).expect("a rate of Opus");
        Self { sender, codec, hertz, position: 0, g722: G722Encoder::new(), opus }
    }

    fn packet(&mut self) -> Vec<u8> {
        let rate = rate(self.codec);
        let samples: Vec<i16> = (0..rate / 50)
            .map(|i| core::f64::consts::TAU * self.hertz * (self.position + i) as f64 / rate as f64)
            .map(|phase| (phase.sin() * 8000.0) as i16)
            .collect();
        self.position += samples.len();
        let payload = match self.codec {
            Codec::Pcmu => samples.into_iter().map(g711::encode_mulaw).collect(),
            Codec::Pcma => samples.into_iter().map(g711::encode_alaw).collect(),
            Codec::G722 => self.g722.encode(&samples),
            Codec::Opus => {
                let mut octets = [0; 400];
                let length = self.opus.encode_i16(&samples, samples.len(), &mut octets).expect("20 ms");
                octets[..length].to_vec()
            }
        };
        let timestamp = self.sender.timestamp;
        self.sender.timestamp = timestamp.wrapping_add(self.codec.clock() / 50);
        self.sender.build(self.codec.payload_type(), timestamp, false, &payload)
    }
}

fn rate(codec: Codec) -> usize {
    if codec.is_g711() { 8_000 } else { 16_000 }
}

fn sing(world: &mut World, singers: &mut [&mut Singer], steps: u32) {
    for _ in 0..steps {
        for singer in singers.iter_mut() {
            let packet = singer.packet();
            world.deliver(singer.sender.leg, singer.sender.from, &packet);
        }
        world.pass(20);
    }
}

/// The tones in what was got (Goertzel), each a tenth of its energy at least.
fn heard(codec: Codec, got: &[Got]) -> Vec<f64> {
    let mut wide = G722Decoder::new();
    let mut opus = OpusDecoder::new(16_000, 1).expect("a rate of Opus");
    let packets = got.iter().filter(|got| got.header.payload_type == codec.payload_type());
    let mut decode = |payload: &Vec<u8>| -> Vec<i16> {
        match codec {
            Codec::Pcmu => payload.iter().map(|octet| g711::decode_mulaw(*octet)).collect(),
            Codec::Pcma => payload.iter().map(|octet| g711::decode_alaw(*octet)).collect(),
            Codec::G722 => wide.decode(payload),
            Codec::Opus => {
                let mut samples = [0.0; 1920];
                let decoded = opus.decode(payload, 1920, &mut samples).expect("Opus");
                samples[..decoded].iter().map(|sample| (sample * 32_768.0) as i16).collect()
            }
        }
    };
    let samples: Vec<i16> = packets.map(|got| &got.payload).flat_map(&mut decode).collect();
    let rate = rate(codec) as f64;
    let energy: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let share = |hertz: f64| {
        let (mut re, mut im) = (0.0, 0.0);
        for (i, sample) in samples.iter().enumerate() {
            let phase = core::f64::consts::TAU * hertz * i as f64 / rate;
            re += f64::from(*sample) * phase.cos();
            im += f64::from(*sample) * phase.sin();
        }
        2.0 * (re * re + im * im) / samples.len() as f64 / energy
    };
    TONES.into_iter().filter(|hertz| energy / samples.len() as f64 > 10_000.0 && share(*hertz) > 0.1).collect()
}

#[test]
fn every_pair_of_codecs_hears_each_other_on_one_continuous_stream() {
    for one in Codec::ALL {
        for other in Codec::ALL {
            let mut world = World::call([one, other, Codec::Pcmu]);
            let (mut caller, mut bot) = (Singer::new(CALLER, one, 400.0), Singer::new(BOT, other, 800.0));
            world.feed(CALLER, Selector::Leg(leg(BOT)));
            world.feed(BOT, Selector::Leg(leg(CALLER)));
            sing(&mut world, &mut [&mut caller, &mut bot], 60);
            for (index, codec, hertz) in [(CALLER, one, 800.0), (BOT, other, 400.0)] {
                let got = world.take(index);
                check_stream(&got);
                assert!(got.len() >= 58, "{one:?} to {other:?}: {} packets", got.len());
                assert_eq!(heard(codec, &got[10..]), [hertz], "leg {index} of {one:?} and {other:?}");
            }
        }
    }
}

#[test]
fn the_same_codec_is_relayed_untouched_and_at_once_under_the_listeners_number() {
    for codec in [Codec::G722, Codec::Opus] {
        let mut world = World::call([codec, codec, Codec::Pcmu]);
        let number = if codec == Codec::Opus { 96 } else { codec.payload_type() };
        let media = RemoteMedia { payload_type: number, ..remote(CALLER, codec) };
        world.command(MediaCommand::Remote { leg: leg(CALLER), media });
        world.feed(CALLER, Selector::Leg(leg(BOT)));
        let mut bot = Singer::new(BOT, codec, 5000.0);
        let mut all = Vec::new();
        world.got.clear();
        for _ in 0..30 {
            let packet = bot.packet();
            world.deliver(leg(BOT), bot.sender.from, &packet);
            let got = world.take(CALLER);
            assert_eq!(got.len(), 1, "at once, and nothing besides");
            assert_eq!((&got[0].payload[..], got[0].header.payload_type), (&packet[12..], number), "untouched");
            all.extend(got);
            world.pass(20);
        }
        for pair in all.windows(2) {
            assert_eq!(pair[1].header.timestamp.wrapping_sub(pair[0].header.timestamp), codec.clock() / 50);
        }
    }
}

#[test]
fn a_key_keeps_its_length_where_the_clocks_of_events_differ() {
    let mut world = World::call([Codec::Opus, Codec::Pcmu, Codec::Opus]);
    let fine = RemoteMedia { event_clock: 48_000, telephone_event: Some(110), ..remote(CALLER, Codec::Opus) };
    world.command(MediaCommand::Remote { leg: leg(CALLER), media: fine });
    world.feed(BOT, Selector::Leg(leg(CALLER)));
    world.feed(DESK, Selector::Leg(leg(CALLER)));
    let mut caller = Singer::new(CALLER, Codec::Opus, 600.0);
    sing(&mut world, &mut [&mut caller], 10);
    world.got.clear();
    let timestamp = caller.sender.timestamp;
    for step in 1..=8u16 {
        let [high, low] = (step.min(5) * 960).to_be_bytes();
        let packet = caller.sender.build(110, timestamp, step == 1, &[7, if step > 5 { 0x8a } else { 10 }, high, low]);
        world.deliver(leg(CALLER), caller.sender.from, &packet);
        world.pass(20);
    }
    for index in [BOT, DESK] {
        let events: Vec<_> = world.take(index).into_iter().filter(|got| got.header.payload_type == 101).collect();
        let durations: Vec<_> = events.iter().map(|got| u16::from_be_bytes([got.payload[2], got.payload[3]])).collect();
        assert_eq!(durations, [160, 320, 480, 640, 800, 800, 800, 800], "leg {index}");
        assert!(events.iter().all(|got| got.header.timestamp == events[0].header.timestamp));
    }
    let held = world.events.iter().find_map(|event| match event {
        MediaEvent::Digit { held, .. } => Some(held.as_millis()),
        _ => None,
    });
    assert_eq!(held, Some(100));
}

/// Two seconds of which every tenth packet is lost.
fn sing_with_losses(caller: &mut Singer, world: &mut World) {
    for step in 0..100 {
        let packet = caller.packet();
        if step % 10 != 5 {
            world.deliver(leg(CALLER), caller.sender.from, &packet);
        }
        world.pass(20);
    }
}

#[test]
fn opus_recovers_what_was_lost_from_the_packet_after_it() {
    let mut world = World::call([Codec::Opus, Codec::Pcmu, Codec::Pcmu]);
    world.feed(BOT, Selector::Leg(leg(CALLER)));
    let mut caller = Singer::new(CALLER, Codec::Opus, 600.0);
    (caller.opus.use_inband_fec, caller.opus.packet_loss_perc) = (true, 20);
    sing_with_losses(&mut caller, &mut world);
    let got = world.take(BOT);
    check_stream(&got);
    for block in got[10..].chunks_exact(5) {
        assert_eq!(heard(Codec::Pcmu, block), [600.0], "every loss was filled");
    }
}

#[test]
fn two_wide_codecs_keep_what_a_narrow_one_cannot_carry() {
    for (desk, expected) in
        [(Codec::G722, vec![400.0, 5000.0]), (Codec::Opus, vec![400.0, 5000.0]), (Codec::Pcma, vec![400.0])]
    {
        let mut world = World::call([Codec::G722, Codec::Pcmu, desk]);
        let mut caller = Singer::new(CALLER, Codec::G722, 5000.0);
        let mut bot = Singer::new(BOT, Codec::Pcmu, 400.0);
        world.feed(DESK, Selector::Mix(leg(CALLER), leg(BOT)));
        sing(&mut world, &mut [&mut caller, &mut bot], 60);
        assert_eq!(heard(desk, &world.take(DESK)[10..]), expected, "{desk:?}");
    }
}

#[test]
fn music_and_a_bot_on_a_stream_reach_a_wide_caller() {
    let mut world = World::new();
    world.open(CALLER);
    world.command(MediaCommand::Remote { leg: leg(CALLER), media: remote(CALLER, Codec::G722) });
    world.command(MediaCommand::OpenStream { leg: leg(BOT) });
    world.feed(BOT, Selector::Leg(leg(CALLER)));
    world.feed(CALLER, Selector::Leg(leg(BOT)));
    let (mut caller, mut bot) = (Singer::new(CALLER, Codec::G722, 600.0), Singer::new(BOT, Codec::Pcmu, 800.0));
    for _ in 0..50 {
        let audio = bot.packet()[12..].to_vec();
        world.engine.handle_stream_audio(leg(BOT), &audio, world.now);
        sing(&mut world, &mut [&mut caller], 1);
    }
    assert_eq!(heard(Codec::G722, &world.take(CALLER)[10..]), [800.0]);
    let frames: Vec<Got> = world.frames[10..].iter().map(|(_, mulaw)| got_mulaw(&world, mulaw)).collect();
    assert!((48..=51).contains(&world.frames.len()), "a frame every 20 ms: {}", world.frames.len());
    assert_eq!(heard(Codec::Pcmu, &frames), [600.0]);
    world.feed(CALLER, Selector::Music);
    world.pass(500);
    let got = world.take(CALLER);
    assert!(got.len() >= 24 && got.iter().all(|packet| packet.payload.len() == 160));
}

fn got_mulaw(world: &World, mulaw: &[u8; 160]) -> Got {
    let header =
        rtp_proto::Header { marker: false, payload_type: 0, sequence: 0, timestamp: 0, ssrc: 0, payload: 0..0 };
    Got { at: world.now, to: address(BOT), header, payload: mulaw.to_vec() }
}

#[test]
fn the_tap_gets_a_wide_callers_audio_as_mu_law_and_their_speech_is_noticed() {
    let mut world = World::call([Codec::G722, Codec::G722, Codec::Pcmu]);
    world.feed(BOT, Selector::Leg(leg(CALLER)));
    world.command(MediaCommand::Tap { leg: leg(CALLER), on: true });
    let mut caller = Singer::new(CALLER, Codec::G722, 600.0);
    sing(&mut world, &mut [&mut caller], 50);
    world.pass(1000);
    assert_eq!(world.speech(), [(leg(CALLER), true), (leg(CALLER), false)]);
    let frames = world.taps.0.lock().expect("one thread").clone();
    assert!((46..=52).contains(&frames.len()), "{} frames", frames.len());
    for pair in frames.windows(2) {
        assert_eq!(pair[1].sequence.wrapping_sub(pair[0].sequence), 1);
        assert_eq!(pair[1].timestamp.wrapping_sub(pair[0].timestamp), 160);
    }
    let got: Vec<Got> = frames
        .iter()
        .map(|frame| {
            assert_eq!((frame.payload_type, frame.audio().len()), (0, 160));
            got_mulaw(&world, frame.audio().first_chunk().expect("20 ms"))
        })
        .collect();
    assert_eq!(heard(Codec::Pcmu, &got[3..]), [600.0]);
}

#[test]
fn what_the_network_lost_is_a_gap_for_the_tap_and_not_for_the_listener() {
    let mut world = World::call([Codec::G722, Codec::Pcmu, Codec::Pcmu]);
    world.feed(BOT, Selector::Leg(leg(CALLER)));
    world.command(MediaCommand::Tap { leg: leg(CALLER), on: true });
    let mut caller = Singer::new(CALLER, Codec::G722, 600.0);
    sing_with_losses(&mut caller, &mut world);
    let got = world.take(BOT);
    check_stream(&got);
    assert!(got.len() >= 98, "a packet every 20 ms: {}", got.len());
    for block in got[10..].chunks_exact(10) {
        assert_eq!(heard(Codec::Pcmu, block), [600.0], "every loss was filled");
    }
    let frames = world.taps.0.lock().expect("one thread").clone();
    let missing = frames.windows(2).filter(|pair| pair[1].sequence.wrapping_sub(pair[0].sequence) == 2).count();
    assert!((8..=10).contains(&missing), "{missing} gaps of one frame");
}

#[test]
fn comfort_noise_of_the_source_is_heard_where_its_audio_is_decoded() {
    let mut world = World::call([Codec::Pcmu, Codec::G722, Codec::Pcmu]);
    world.feed(BOT, Selector::Leg(leg(CALLER)));
    let mut caller = Singer::new(CALLER, Codec::Pcmu, 400.0);
    sing(&mut world, &mut [&mut caller], 20);
    let timestamp = caller.sender.timestamp;
    let noise = caller.sender.build(13, timestamp, false, &[40]);
    world.deliver(leg(CALLER), caller.sender.from, &noise);
    world.pass(200);
    world.got.clear();
    world.pass(400);
    let got = world.take(BOT);
    assert_eq!(got.len(), 20, "packets go on");
    let mut wide = G722Decoder::new();
    let samples: Vec<i16> = got.iter().flat_map(|got| wide.decode(&got.payload)).collect();
    let rms = (samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64).sqrt();
    assert!((150.0..600.0).contains(&rms), "-40 dBov are 328, and this is {rms}");
}

#[test]
fn a_key_crosses_between_codecs_once_and_keeps_its_timestamp() {
    let mut world = World::call([Codec::G722, Codec::Pcmu, Codec::Pcmu]);
    world.feed(BOT, Selector::Leg(leg(CALLER)));
    let mut caller = Singer::new(CALLER, Codec::G722, 600.0);
    sing(&mut world, &mut [&mut caller], 10);
    world.got.clear();
    for step in 1..=8u16 {
        let packet = caller.sender.event(7, step > 5, step.min(5) * 160, step == 1);
        world.deliver(leg(CALLER), caller.sender.from, &packet);
        world.pass(20);
    }
    caller.sender.timestamp += 8 * 160;
    let pressed = world.take(BOT);
    check_stream(&pressed);
    let events: Vec<_> = pressed.iter().filter(|packet| packet.header.payload_type == 101).collect();
    assert_eq!((events.len(), pressed.len()), (8, 8), "events, and nothing between them");
    assert!(events.iter().all(|packet| packet.header.timestamp == events[0].header.timestamp));
    sing(&mut world, &mut [&mut caller], 20);
    let after = world.take(BOT);
    check_stream(&[pressed, after.clone()].concat());
    assert_eq!(heard(Codec::Pcmu, &after[8..]), [600.0]);
    assert_eq!(world.digits(), [(leg(CALLER), '7')]);
}

#[test]
fn a_codec_that_changes_in_the_middle_leaves_no_noise_and_no_gap() {
    let mut world = World::call([Codec::G722, Codec::Pcmu, Codec::Pcmu]);
    world.feed(BOT, Selector::Leg(leg(CALLER)));
    let mut caller = Singer::new(CALLER, Codec::G722, 600.0);
    sing(&mut world, &mut [&mut caller], 30);
    let mut all = world.take(BOT);
    world.command(MediaCommand::Remote { leg: leg(CALLER), media: remote(CALLER, Codec::Pcmu) });
    // The peer sends its former codec for three packets more.
    sing(&mut world, &mut [&mut caller], 3);
    let mut changed = Singer { position: caller.position / 2, ..Singer::new(CALLER, Codec::Pcmu, 600.0) };
    changed.sender = Sender { payload_type: 0, ..caller.sender };
    sing(&mut world, &mut [&mut changed], 30);
    let got = world.take(BOT);
    assert_eq!(heard(Codec::Pcmu, &got[6..]), [600.0]);
    let noise = got[..6].iter().flat_map(|got| &got.payload).filter(|octet| g711::decode_mulaw(**octet).abs() > 12_000);
    assert_eq!(noise.count(), 0, "G.722 was not taken for mu-law");
    all.extend(got);
    check_stream(&all);
    assert!(!world.events.iter().any(|event| matches!(event, MediaEvent::Silent { .. })));
    let stats = world.engine.stats(leg(BOT)).expect("open");
    assert!(stats.longest_gap_ms <= 80.0, "gap of {} ms", stats.longest_gap_ms);
}
