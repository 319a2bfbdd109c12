//! Who hears whom: each selector delivers exactly its source, and a switch leaves nothing behind.

use crate::world::*;
use call_model::{Codec, Direction, MediaCommand, MediaEvent, Prompt, Selector};
use rtp_proto::g711;

const A: u8 = 0x90;
const B: u8 = 0xa0;
const D: u8 = 0xb0;

fn octets(got: &[Got]) -> Vec<u8> {
    let mut heard: Vec<u8> = got.iter().map(|packet| packet.payload[0]).collect();
    heard.dedup();
    heard
}

#[test]
fn each_selector_delivers_exactly_the_right_source() {
    let mut world = World::call([Codec::Pcmu; 3]);
    let (mut caller, mut bot, mut desk) = (Sender::new(CALLER, A), Sender::new(BOT, B), Sender::new(DESK, D));
    let cases = [
        (Selector::Leg(leg(BOT)), B),
        (Selector::Leg(leg(DESK)), D),
        (Selector::Music, MUSIC),
        (Selector::Leg(leg(BOT)), B),
        (Selector::Silence, g711::MULAW_SILENCE),
        (Selector::Leg(leg(DESK)), D),
        (Selector::Leg(leg(CALLER)), A),
    ];
    world.talk(&mut [&mut caller, &mut bot, &mut desk], 10);
    let mut all = world.take(CALLER);
    for (selector, octet) in cases {
        world.feed(CALLER, selector);
        world.talk(&mut [&mut caller, &mut bot, &mut desk], 50);
        let got = world.take(CALLER);
        assert_eq!(octets(&got), [octet], "{selector:?}");
        assert!((49..=51).contains(&got.len()), "{selector:?}: {} packets", got.len());
        assert!(got[0].header.marker, "{selector:?} begins with the marker");
        assert!(got[1..].iter().all(|packet| !packet.header.marker), "{selector:?} has one marker");
        all.extend(got);
    }
    check_stream(&all);
    let stats = world.engine.stats(leg(CALLER)).expect("open");
    assert!(stats.longest_gap_ms <= 60.0, "gap of {} ms", stats.longest_gap_ms);
}

#[test]
fn a_switch_keeps_the_timeline_of_the_wall_clock() {
    let mut world = World::call([Codec::Pcmu; 3]);
    let (mut bot, mut desk) = (Sender::new(BOT, B), Sender::new(DESK, D));
    world.feed(CALLER, Selector::Leg(leg(BOT)));
    world.talk(&mut [&mut bot, &mut desk], 50);
    world.feed(CALLER, Selector::Leg(leg(DESK)));
    world.talk(&mut [&mut bot, &mut desk], 50);
    let got = world.take(CALLER);
    check_stream(&got);
    for packet in &got {
        let wall = packet.at.since(got[0].at).as_millis() as i64 * 8;
        let media = i64::from(packet.header.timestamp.wrapping_sub(got[0].header.timestamp));
        assert!((wall - media).abs() <= 160, "{wall} against {media}");
    }
}

#[test]
fn a_prompt_is_played_once_then_silence_and_reported_at_its_end() {
    let mut world = World::call([Codec::Pcmu, Codec::Pcmu, Codec::Pcma]);
    world.feed(DESK, Selector::Prompt(Prompt::PressOne));
    world.pass(200);
    let got = world.take(DESK);
    // 400 octets are two frames and a half.
    let spoken: Vec<u8> = got.iter().flat_map(|packet| packet.payload.clone()).collect();
    let prompt = spoken.iter().filter(|octet| **octet == g711::mulaw_to_alaw(PRESS_ONE)).count();
    assert_eq!(prompt, 400);
    assert_eq!(octets(&got[3..]), [g711::ALAW_SILENCE]);
    let played = world.events.iter().filter(|event| matches!(event, MediaEvent::Played { .. })).count();
    assert_eq!(played, 1);
    assert_eq!(got.len(), 11, "one every 20 ms, both ends of the 200 ms included");
    check_stream(&got);
    world.feed(DESK, Selector::Prompt(Prompt::PressOne));
    world.pass(200);
    let played = world.events.iter().filter(|event| matches!(event, MediaEvent::Played { .. })).count();
    assert_eq!(played, 2, "the same prompt again is played again");
}

#[test]
fn an_empty_prompt_is_over_at_once() {
    let mut world = World::call([Codec::Pcmu; 3]);
    world.feed(CALLER, Selector::Prompt(Prompt::BotLost));
    world.pass(20);
    assert!(world.events.contains(&MediaEvent::Played { leg: leg(CALLER), prompt: Prompt::BotLost }));
}

#[test]
fn the_bot_keeps_hearing_the_caller_while_the_desk_does_too() {
    let mut world = World::call([Codec::Pcmu, Codec::Pcma, Codec::Pcmu]);
    let mut caller = Sender::new(CALLER, A);
    world.feed(BOT, Selector::Leg(leg(CALLER)));
    world.feed(DESK, Selector::Leg(leg(CALLER)));
    world.feed(CALLER, Selector::Leg(leg(DESK)));
    world.pass(40);
    world.got.clear();
    world.talk(&mut [&mut caller], 20);
    let (bot, desk) = (world.take(BOT), world.take(DESK));
    assert_eq!((bot.len(), desk.len()), (20, 20));
    assert_eq!(octets(&bot), [g711::mulaw_to_alaw(A)]);
    assert_eq!(octets(&desk), [A]);
    assert!(bot.iter().all(|packet| packet.header.payload_type == 8));
    check_stream(&bot);
    check_stream(&desk);
}

#[test]
fn a_law_and_mu_law_are_converted_both_ways() {
    let mut world = World::call([Codec::Pcma, Codec::Pcmu, Codec::Pcma]);
    let mut caller = Sender { payload_type: 8, ..Sender::new(CALLER, A) };
    let mut bot = Sender::new(BOT, B);
    world.feed(BOT, Selector::Leg(leg(CALLER)));
    world.feed(CALLER, Selector::Leg(leg(BOT)));
    world.pass(40);
    world.got.clear();
    world.talk(&mut [&mut caller, &mut bot], 5);
    assert_eq!(octets(&world.take(BOT)), [g711::alaw_to_mulaw(A)]);
    assert_eq!(octets(&world.take(CALLER)), [g711::mulaw_to_alaw(B)]);
}

#[test]
fn a_quiet_source_is_filled_with_silence_and_taken_back_when_it_speaks() {
    let mut world = World::call([Codec::Pcmu; 3]);
    let mut bot = Sender::new(BOT, B);
    world.feed(CALLER, Selector::Leg(leg(BOT)));
    world.talk(&mut [&mut bot], 20);
    world.pass(1000);
    world.talk(&mut [&mut bot], 20);
    let got = world.take(CALLER);
    check_stream(&got);
    let gaps = got.windows(2).map(|pair| pair[1].at.since(pair[0].at).as_millis()).max();
    assert!(gaps.expect("packets") <= 240, "{gaps:?} ms");
    assert_eq!(octets(&got).last(), Some(&B));
    assert_eq!(octets(&got).iter().filter(|octet| **octet == B).count(), 2);
}

#[test]
fn the_end_of_the_source_leaves_its_listener_with_packets() {
    let mut world = World::call([Codec::Pcmu; 3]);
    let mut desk = Sender::new(DESK, D);
    world.feed(CALLER, Selector::Leg(leg(DESK)));
    world.talk(&mut [&mut desk], 20);
    world.command(MediaCommand::Close { leg: leg(DESK) });
    // Another leg takes the same slot; its audio is nobody's.
    world.open(3);
    world.command(MediaCommand::Remote { leg: leg(3), media: remote(3, Codec::Pcmu) });
    let mut other = Sender::new(3, 0xc0);
    world.talk(&mut [&mut other], 20);
    let got = world.take(CALLER);
    check_stream(&got);
    assert!(!octets(&got).contains(&0xc0));
    let longest = got.windows(2).map(|pair| pair[1].at.since(pair[0].at).as_millis()).max();
    assert!(longest.expect("packets") <= 40, "{longest:?} ms");
}

#[test]
fn a_source_that_opens_later_is_heard() {
    let mut world = World::new();
    world.open(CALLER);
    world.command(MediaCommand::Remote { leg: leg(CALLER), media: remote(CALLER, Codec::Pcmu) });
    world.feed(CALLER, Selector::Leg(leg(DESK)));
    world.open(DESK);
    world.command(MediaCommand::Remote { leg: leg(DESK), media: remote(DESK, Codec::Pcmu) });
    world.talk(&mut [&mut Sender::new(DESK, D)], 5);
    assert_eq!(octets(&world.take(CALLER)).last(), Some(&D));
}

#[test]
fn a_leg_of_another_call_is_never_heard() {
    let mut world = World::call([Codec::Pcmu; 3]);
    let foreign = call_model::LegId { call: call_model::CallId(8), index: 0 };
    world.command(MediaCommand::Open {
        leg: foreign,
        role: call_model::Role::Caller,
        port: 1,
        interface: call_model::InterfaceId::default(),
        allowed: vec![],
        keys_by: call_model::KeysBy::Rtp,
    });
    world.command(MediaCommand::Remote { leg: foreign, media: remote(9, Codec::Pcmu) });
    world.feed(CALLER, Selector::Leg(foreign));
    let mut sender = Sender { leg: foreign, ..Sender::new(9, 0xc0) };
    world.talk(&mut [&mut sender], 20);
    assert_eq!(octets(&world.take(CALLER)), [g711::MULAW_SILENCE]);
}

#[test]
fn nothing_is_sent_against_the_direction() {
    let mut world = World::call([Codec::Pcmu; 3]);
    let (mut caller, mut bot) = (Sender::new(CALLER, A), Sender::new(BOT, B));
    world.feed(CALLER, Selector::Leg(leg(BOT)));
    world.feed(BOT, Selector::Leg(leg(CALLER)));
    for (direction, to_caller, to_bot) in [
        (Direction::RecvOnly, false, true),
        (Direction::Inactive, false, false),
        (Direction::SendOnly, true, false),
        (Direction::SendRecv, true, true),
    ] {
        let media = call_model::RemoteMedia { direction, ..remote(CALLER, Codec::Pcmu) };
        world.command(MediaCommand::Remote { leg: leg(CALLER), media });
        world.got.clear();
        world.talk(&mut [&mut caller, &mut bot], 5);
        assert_eq!(octets(&world.take(CALLER)) == [B], to_caller, "{direction:?}");
        assert_eq!(octets(&world.take(BOT)).contains(&A), to_bot, "{direction:?}");
    }
    // A hold is no gap.
    let media = call_model::RemoteMedia { direction: Direction::RecvOnly, ..remote(CALLER, Codec::Pcmu) };
    world.command(MediaCommand::Remote { leg: leg(CALLER), media });
    world.pass(10_000);
    world.command(MediaCommand::Remote { leg: leg(CALLER), media: remote(CALLER, Codec::Pcmu) });
    world.talk(&mut [&mut bot], 10);
    assert!(world.engine.stats(leg(CALLER)).expect("open").longest_gap_ms <= 60.0);
}

#[test]
fn an_address_of_zeros_is_a_hold() {
    let mut world = World::call([Codec::Pcmu; 3]);
    world.feed(CALLER, Selector::Music);
    let mut media = remote(CALLER, Codec::Pcmu);
    media.rtp = "0.0.0.0:4000".parse().expect("address");
    media.rtcp = "0.0.0.0:4001".parse().expect("address");
    world.command(MediaCommand::Remote { leg: leg(CALLER), media });
    world.got.clear();
    world.rtcp.clear();
    world.pass(20_000);
    assert!(world.take(CALLER).is_empty());
    assert!(world.rtcp.iter().all(|(sender, ..)| *sender != leg(CALLER)));
}

#[test]
fn silence_is_sent_at_once_so_that_two_symmetric_peers_do_not_wait() {
    let mut world = World::call([Codec::Pcma; 3]);
    world.pass(20);
    let got = world.take(CALLER);
    assert_eq!(got[0].to, address(CALLER));
    assert_eq!((got[0].header.payload_type, octets(&got)), (8, vec![g711::ALAW_SILENCE]));
}
