//! Ears: what is recorded of a call, judged on the tones in it and on its clock.

use crate::mixing::{Singer, sing, tones};
use crate::world::*;
use call_model::{Codec, MediaCommand, Prompt, Selector};

const OTHER: u8 = EARS + 1;

/// A call whose caller hears the desk, and two ears, one for each side.
fn recorded(caller: Codec, desk: Codec) -> World {
    let mut world = World::call([caller, Codec::Pcmu, desk]);
    world.feed(CALLER, Selector::Leg(leg(DESK)));
    world.feed(DESK, Selector::Leg(leg(CALLER)));
    for (ear, heard) in [(EARS, CALLER), (OTHER, DESK)] {
        world.command(MediaCommand::OpenEar { leg: leg(ear) });
        world.feed(ear, Selector::Leg(leg(heard)));
    }
    world
}

/// What an ear heard, and that it left nothing out.
fn side(world: &World, ear: u8) -> Vec<i16> {
    let frames: Vec<_> = world.recorded.iter().filter(|(of, ..)| *of == leg(ear)).collect();
    assert!(frames.windows(2).all(|pair| pair[1].1 == pair[0].1 + 1), "one frame every 20 ms");
    frames.iter().flat_map(|(_, _, samples)| *samples).collect()
}

#[test]
fn each_side_is_in_its_own_channel_and_both_begin_and_end_together() {
    for (one, other) in [(Codec::Pcmu, Codec::Pcmu), (Codec::Pcmu, Codec::Pcma)] {
        let mut world = recorded(one, other);
        let [mut caller, mut desk] = [(CALLER, one), (DESK, other)].map(|(index, codec)| Singer::new(index, codec));
        sing(&mut world, &mut [&mut caller, &mut desk], 100);
        let (left, right) = (side(&world, EARS), side(&world, OTHER));
        assert_eq!(left.len(), right.len());
        assert!((98 * 160..=101 * 160).contains(&left.len()), "two seconds: {}", left.len());
        assert_eq!(tones(&left[1600..]), [400.0]);
        assert_eq!(tones(&right[1600..]), [800.0]);
        assert!(world.take(CALLER).len() >= 99, "those who talk are relayed as before");
    }
}

#[test]
fn lost_packets_and_silence_take_their_time() {
    let mut world = recorded(Codec::Pcmu, Codec::Pcmu);
    let mut caller = Singer::new(CALLER, Codec::Pcmu);
    sing(&mut world, &mut [&mut caller], 50);
    // A third of the packets is lost, then a second of nothing at all.
    for step in 0..60 {
        let packet = caller.packet();
        if step % 3 != 0 {
            world.deliver(caller.sender.leg, caller.sender.from, &packet);
        }
        world.pass(20);
    }
    world.pass(1_000);
    sing(&mut world, &mut [&mut caller], 50);
    let left = side(&world, EARS);
    assert!((208 * 160..=211 * 160).contains(&left.len()), "4.2 s: {}", left.len());
    assert_eq!(left.len(), side(&world, OTHER).len());
    assert_eq!(tones(&left[left.len() - 40 * 160..]), [400.0]);
    let silence = &left[130 * 160..155 * 160];
    assert!(silence.iter().all(|sample| sample.abs() < 200), "nobody spoke");
}

#[test]
fn two_on_one_side_are_mixed_and_what_is_played_is_not_heard() {
    let mut world = recorded(Codec::Pcmu, Codec::Pcmu);
    world.feed(OTHER, Selector::Mix(leg(BOT), leg(DESK)));
    world.feed(CALLER, Selector::Prompt(Prompt::PressOne));
    let [mut bot, mut desk] = [BOT, DESK].map(|index| Singer::new(index, Codec::Pcmu));
    sing(&mut world, &mut [&mut bot, &mut desk], 50);
    assert_eq!(tones(&side(&world, OTHER)[1600..]), [600.0, 800.0]);
    assert!(side(&world, EARS).iter().all(|sample| *sample == 0), "the caller said nothing");
}

#[test]
fn keys_are_not_recorded() {
    let mut world = recorded(Codec::Pcmu, Codec::Pcmu);
    let mut caller = Singer::new(CALLER, Codec::Pcmu);
    sing(&mut world, &mut [&mut caller], 20);
    let before = side(&world, EARS).len();
    // A telephone that sends the tone beside the event.
    let begun = caller.sender.timestamp;
    for step in 1..=10u16 {
        let now = core::mem::replace(&mut caller.sender.timestamp, begun);
        let event = caller.sender.event(7, step > 8, step * 160, step == 1);
        caller.sender.timestamp = now;
        world.deliver(caller.sender.leg, caller.sender.from, &event);
        let packet = caller.packet();
        world.deliver(caller.sender.leg, caller.sender.from, &packet);
        world.pass(20);
    }
    let heard = side(&world, EARS);
    let during = &heard[before + 3 * 160..before + 8 * 160];
    assert!(during.iter().all(|sample| *sample == 0), "the key is silence");
    assert_eq!(world.digits(), [(leg(CALLER), '7')]);
}

#[test]
fn a_bot_on_a_websocket_is_recorded_and_a_pause_is_silence() {
    let mut world = recorded(Codec::G722, Codec::Pcmu);
    world.command(MediaCommand::OpenStream { leg: leg(3) });
    world.feed(OTHER, Selector::Leg(leg(3)));
    let mut bot = Singer::new(BOT, Codec::Pcmu);
    for step in 0..100 {
        if step == 50 {
            world.feed(OTHER, Selector::Silence);
        }
        let audio = bot.audio();
        world.engine.handle_stream_audio(leg(3), &audio, world.now);
        world.pass(20);
    }
    let heard = side(&world, OTHER);
    assert_eq!(tones(&heard[1600..48 * 160]), [600.0]);
    assert!(heard[51 * 160..].iter().all(|sample| *sample == 0), "paused");
}
