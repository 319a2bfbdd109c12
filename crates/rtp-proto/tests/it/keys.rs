//! A key pressed by one means is heard by the other, once.

use crate::world::*;
use call_model::{Codec, DialStep, KeysBy, MediaCommand, MediaEvent, RemoteMedia, Role, Selector};
use core::f32::consts::TAU;
use core::time::Duration;
use rtp_proto::{TelephoneEvent, g711};

const A: u8 = 0x90;

/// A caller and a desk that hear each other; whether they know telephone-event, and how the desk is told of keys.
fn bridged(codecs: [Codec; 2], events: [Option<u8>; 2], keys_by: KeysBy) -> World {
    let mut world = World::new();
    world.open(CALLER);
    let opening = MediaCommand::Open {
        leg: leg(DESK),
        role: Role::Desk,
        port: 20_004,
        interface: call_model::InterfaceId::default(),
        allowed: vec![],
        keys_by,
    };
    world.command(opening);
    for (index, (codec, telephone_event)) in [CALLER, DESK].into_iter().zip(codecs.into_iter().zip(events)) {
        let media = RemoteMedia { telephone_event, ..remote(index, codec) };
        world.command(MediaCommand::Remote { leg: leg(index), media });
    }
    world.feed(CALLER, Selector::Leg(leg(DESK)));
    world.feed(DESK, Selector::Leg(leg(CALLER)));
    world
}

/// The caller presses 1 for 100 ms by telephone-event.
fn press_by_event(world: &mut World, caller: &mut Sender) {
    for i in 1..=5u16 {
        let packet = caller.event(1, i == 5, 160 * i, i == 1);
        world.deliver(leg(CALLER), caller.from, &packet);
        world.pass(20);
    }
    caller.timestamp += 800;
}

/// The caller presses 1 for 100 ms as a tone.
fn press_by_tone(world: &mut World, caller: &mut Sender) {
    for i in 0..5 {
        let sample = |n: usize| {
            let seconds = (i * 160 + n) as f32 / 8_000.0;
            ((TAU * 697.0 * seconds).sin() * 6_000.0 + (TAU * 1_209.0 * seconds).sin() * 6_000.0) as i16
        };
        let payload: [u8; 160] = core::array::from_fn(|n| g711::encode_mulaw(sample(n)));
        let packet = caller.build(0, caller.timestamp, false, &payload);
        caller.timestamp += 160;
        world.deliver(leg(CALLER), caller.from, &packet);
        world.pass(20);
    }
}

/// The telephone-events among what was received, by their timestamps: key, longest duration, times ended.
fn events(got: &[Got], payload_type: u8) -> Vec<(char, u16, usize)> {
    let mut out: Vec<(u32, char, u16, usize)> = Vec::new();
    for packet in got.iter().filter(|packet| packet.header.payload_type == payload_type) {
        let event = TelephoneEvent::parse(&packet.payload).expect("an event");
        let digit = event.digit().expect("a key");
        match out.iter_mut().find(|(timestamp, ..)| *timestamp == packet.header.timestamp) {
            Some((_, _, duration, ends)) => {
                *duration = event.duration.max(*duration);
                *ends += usize::from(event.end);
            }
            None => out.push((packet.header.timestamp, digit, event.duration, usize::from(event.end))),
        }
    }
    out.into_iter().map(|(_, digit, duration, ends)| (digit, duration, ends)).collect()
}

/// The power of a tone in mu-law audio, as an amplitude.
fn loudness(audio: &[u8], hertz: f32) -> f32 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, octet) in audio.iter().enumerate() {
        let sample = f32::from(g711::decode_mulaw(*octet));
        let angle = TAU * hertz * n as f32 / 8_000.0;
        re += sample * angle.cos();
        im += sample * angle.sin();
    }
    2.0 * (re * re + im * im).sqrt() / audio.len() as f32
}

/// Milliseconds of the key 1 as a tone, mu-law, in what was received.
fn tone_ms(got: &[Got]) -> usize {
    let audio = got.iter().filter(|packet| packet.payload.len() == 160);
    20 * audio
        .filter(|packet| [697.0, 1_209.0].into_iter().all(|hertz| loudness(&packet.payload, hertz) > 3_000.0))
        .count()
}

#[test]
fn an_event_is_heard_as_a_tone_where_the_listener_knows_no_events() {
    for codec in [Codec::Pcmu, Codec::G722] {
        let mut world = bridged([codec, Codec::Pcmu], [Some(101), None], KeysBy::Rtp);
        let payload_type = codec.payload_type();
        let mut caller = Sender { payload_type, ..Sender::new(CALLER, A) };
        world.talk(&mut [&mut caller], 10);
        world.take(DESK);
        press_by_event(&mut world, &mut caller);
        world.talk(&mut [&mut caller], 20);
        let got = world.take(DESK);
        check_stream(&got);
        assert_eq!(tone_ms(&got), 100, "{codec:?}");
        assert_eq!(world.digits(), [(leg(CALLER), '1')]);
    }
}

#[test]
fn a_tone_is_heard_as_an_event_where_the_listener_knows_them_and_hardly_as_a_tone() {
    let mut world = bridged([Codec::Pcmu; 2], [None, Some(96)], KeysBy::Rtp);
    let mut caller = Sender::new(CALLER, A);
    world.talk(&mut [&mut caller], 10);
    world.take(DESK);
    press_by_tone(&mut world, &mut caller);
    world.talk(&mut [&mut caller], 20);
    let got = world.take(DESK);
    check_stream(&got);
    let pressed = events(&got, 96);
    assert!(matches!(pressed[..], [('1', 720..=960, 3..)]), "{pressed:?}");
    assert!(tone_ms(&got) <= 40, "{} ms of the tone went through", tone_ms(&got));
    assert_eq!(world.digits(), [(leg(CALLER), '1')]);
}

#[test]
fn a_tone_between_two_who_know_nothing_else_goes_through_untouched() {
    let mut world = bridged([Codec::Pcmu; 2], [None, None], KeysBy::Rtp);
    let mut caller = Sender::new(CALLER, A);
    world.talk(&mut [&mut caller], 10);
    world.take(DESK);
    press_by_tone(&mut world, &mut caller);
    world.talk(&mut [&mut caller], 20);
    assert_eq!(tone_ms(&world.take(DESK)), 100);
    assert_eq!(world.digits(), [(leg(CALLER), '1')]);
}

#[test]
fn who_agreed_on_events_is_not_listened_to_for_tones_and_who_sends_both_is_heard_once() {
    let mut world = bridged([Codec::Pcmu; 2], [Some(101), None], KeysBy::Rtp);
    let mut caller = Sender::new(CALLER, A);
    world.talk(&mut [&mut caller], 10);
    world.take(DESK);
    for i in 1..=5u16 {
        let event = caller.event(1, i == 5, 160 * i, i == 1);
        world.deliver(leg(CALLER), caller.from, &event);
        let sample = |n: usize| ((TAU * 697.0 * n as f32 / 8_000.0).sin() * 9_000.0) as i16;
        let payload: [u8; 160] = core::array::from_fn(|n| g711::encode_mulaw(sample(n)));
        let audio = caller.build(0, caller.timestamp + u32::from(i) * 160, false, &payload);
        world.deliver(leg(CALLER), caller.from, &audio);
        world.pass(20);
    }
    caller.timestamp += 960;
    world.talk(&mut [&mut caller], 20);
    let got = world.take(DESK);
    assert_eq!(tone_ms(&got), 100, "ours");
    let theirs = got.iter().filter(|packet| packet.payload.len() == 160 && loudness(&packet.payload, 697.0) > 3_000.0);
    assert!(theirs.count() <= 6, "what the caller played beside its events is not heard");
    assert_eq!(world.digits(), [(leg(CALLER), '1')]);
}

#[test]
fn a_key_by_info_is_an_event_and_the_same_key_by_events_is_not_another() {
    let mut world = bridged([Codec::Pcmu; 2], [Some(101), Some(96)], KeysBy::Rtp);
    let mut caller = Sender::new(CALLER, A);
    world.talk(&mut [&mut caller], 10);
    world.take(DESK);
    let held = Duration::from_millis(160);
    world.command(MediaCommand::Pressed { leg: leg(CALLER), digit: '1', held });
    press_by_event(&mut world, &mut caller);
    world.talk(&mut [&mut caller], 20);
    let got = world.take(DESK);
    check_stream(&got);
    assert_eq!(events(&got, 96).iter().map(|(digit, held, _)| (*digit, *held)).collect::<Vec<_>>(), [('1', 1_280)]);
    assert_eq!(world.digits(), [(leg(CALLER), '1')]);
}

#[test]
fn who_is_told_by_info_hears_neither_events_nor_tones() {
    for events_of_caller in [Some(101), None] {
        let mut world = bridged([Codec::Pcmu; 2], [events_of_caller, Some(96)], KeysBy::Info);
        let mut caller = Sender::new(CALLER, A);
        world.talk(&mut [&mut caller], 10);
        world.take(DESK);
        if events_of_caller.is_some() {
            press_by_event(&mut world, &mut caller);
        } else {
            press_by_tone(&mut world, &mut caller);
        }
        world.talk(&mut [&mut caller], 20);
        let got = world.take(DESK);
        assert_eq!(events(&got, 96), []);
        assert!(tone_ms(&got) <= 40);
        let told = world.events.iter().filter(|event| matches!(event, MediaEvent::Key { digit: '1', .. }));
        assert_eq!(told.count(), 1);
    }
}

#[test]
fn the_end_of_a_key_pressed_before_the_listener_came_is_not_for_it() {
    let mut world = bridged([Codec::Pcmu; 2], [None, Some(96)], KeysBy::Rtp);
    world.feed(DESK, Selector::Silence);
    let mut caller = Sender::new(CALLER, A);
    world.talk(&mut [&mut caller], 10);
    press_by_tone(&mut world, &mut caller);
    world.feed(DESK, Selector::Leg(leg(CALLER)));
    world.talk(&mut [&mut caller], 20);
    assert_eq!(events(&world.take(DESK), 96), []);
    assert_eq!(world.digits(), [(leg(CALLER), '1')]);
}

#[test]
fn a_sequence_is_pressed_with_its_pauses_and_its_end_is_told() {
    let mut world = bridged([Codec::Pcmu; 2], [Some(101), Some(96)], KeysBy::Rtp);
    world.feed(DESK, Selector::Silence);
    let began = world.now;
    let pause = Duration::from_millis(500);
    let steps = vec![DialStep::Pause(pause), DialStep::Key('1'), DialStep::Pause(pause), DialStep::Key('#')];
    world.command(MediaCommand::Dial { leg: leg(DESK), steps });
    world.pass(3_000);
    let got = world.take(DESK);
    check_stream(&got);
    assert_eq!(events(&got, 96), [('1', 800, 4), ('#', 800, 4)]);
    let begun = |event: u8| {
        let is = |got: &&Got| got.header.payload_type == 96 && got.payload[0] == event;
        got.iter().find(is).expect("pressed").at.since(began).as_millis()
    };
    assert!((500..=540).contains(&begun(1)) && (1_160..=1_200).contains(&begun(11)), "{} {}", begun(1), begun(11));
    let silence = got.iter().filter(|packet| packet.payload.len() == 160).count();
    assert!(silence >= 130, "silence goes on around the keys");
    let ends = world.events.iter().filter(|event| matches!(event, MediaEvent::Dialled { .. })).count();
    assert_eq!(ends, 1);
}
