//! One leg and its peer: latching, codecs, key presses, reports, the tap.

use crate::world::*;
use call_model::{Codec, Direction, LegStats, MediaCommand, MediaEvent, RemoteMedia, Selector};
use core::net::SocketAddr;
use core::time::Duration;

const A: u8 = 0x90;
const B: u8 = 0xa0;

fn nat(port: u16) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 9], port))
}

fn bridged() -> World {
    let mut world = World::call([Codec::Pcmu; 3]);
    world.feed(CALLER, Selector::Leg(leg(BOT)));
    world.feed(BOT, Selector::Leg(leg(CALLER)));
    world
}

fn flows(world: &World) -> Vec<SocketAddr> {
    let from = |event: &MediaEvent| match event {
        MediaEvent::Flowing { leg: flowing, from } if *flowing == leg(CALLER) => Some(*from),
        _ => None,
    };
    world.events.iter().filter_map(from).collect()
}

#[test]
fn a_caller_behind_nat_is_answered_where_it_really_is() {
    let mut world = bridged();
    let mut caller = Sender { from: nat(9), ..Sender::new(CALLER, A) };
    world.talk(&mut [&mut caller, &mut Sender::new(BOT, B)], 5);
    assert_eq!(flows(&world), [nat(9)]);
    assert!(world.take(CALLER).iter().any(|packet| packet.to == nat(9)));
}

#[test]
fn a_stranger_is_neither_heard_nor_answered() {
    let mut world = bridged();
    let mut caller = Sender::new(CALLER, A);
    world.talk(&mut [&mut caller], 5);
    world.pass(6000);
    world.got.clear();
    for from in [nat(9), "203.0.113.5:4000".parse().expect("address"), "192.0.2.1:5555".parse().expect("address")] {
        let mut thief = Sender { from, ssrc: 66, ..Sender::new(CALLER, 0x66) };
        world.talk(&mut [&mut thief], 5);
    }
    assert!(world.take(BOT).iter().all(|packet| packet.payload[0] != 0x66));
    assert!(world.take(CALLER).iter().all(|packet| packet.to == address(CALLER)));
    assert_eq!(world.engine.stats(leg(CALLER)).expect("open").refused, 15);
}

#[test]
fn a_new_ssrc_from_the_latched_address_goes_on_in_the_same_stream() {
    let mut world = bridged();
    let mut first = Sender::new(CALLER, A);
    world.talk(&mut [&mut first], 25);
    let mut second = Sender { ssrc: 4242, sequence: 60_000, timestamp: 9, ..Sender::new(CALLER, B) };
    world.talk(&mut [&mut second], 25);
    let got = world.take(BOT);
    check_stream(&got);
    assert_eq!(got.iter().filter(|packet| packet.payload[0] == B).count(), 25);
    assert_eq!(world.engine.stats(leg(CALLER)).expect("open").lost, 0);
}

#[test]
fn the_former_codec_is_taken_for_half_a_second() {
    let mut world = bridged();
    world.command(MediaCommand::Remote { leg: leg(CALLER), media: remote(CALLER, Codec::Pcma) });
    world.got.clear();
    let mut old = Sender::new(CALLER, A);
    world.talk(&mut [&mut old], 25);
    let heard = world.take(BOT).iter().filter(|packet| packet.payload[0] == A).count();
    assert_eq!(heard, 25);
    world.talk(&mut [&mut old], 25);
    assert!(world.take(BOT).iter().all(|packet| packet.payload[0] != A));
    assert_eq!(world.engine.stats(leg(CALLER)).expect("open").refused, 25);
}

#[test]
fn a_key_press_is_relayed_with_the_listeners_type_and_reported_once() {
    let mut world = bridged();
    let media = RemoteMedia { telephone_event: Some(96), ..remote(BOT, Codec::Pcmu) };
    world.command(MediaCommand::Remote { leg: leg(BOT), media });
    let mut caller = Sender::new(CALLER, A);
    world.talk(&mut [&mut caller], 5);
    world.got.clear();
    for i in 1..=5u16 {
        let packet = caller.event(1, false, 160 * i, i == 1);
        world.deliver(leg(CALLER), caller.from, &packet);
        world.pass(20);
    }
    for _ in 0..3 {
        let packet = caller.event(1, true, 960, false);
        world.deliver(leg(CALLER), caller.from, &packet);
    }
    caller.timestamp += 960;
    world.talk(&mut [&mut caller], 5);
    let got = world.take(BOT);
    let events: Vec<_> = got.iter().filter(|packet| packet.header.payload_type == 96).collect();
    assert_eq!(events.len(), 8);
    assert!(events.iter().all(|packet| packet.header.timestamp == events[0].header.timestamp));
    assert!(events[0].header.marker && !events[1].header.marker);
    assert!(got.iter().all(|packet| packet.header.payload_type != 101));
    assert_eq!(got[8].header.timestamp.wrapping_sub(events[0].header.timestamp), 960, "audio goes on after the press");
    assert_eq!(world.digits(), [(leg(CALLER), '1')]);
    check_stream(&got);
}

#[test]
fn a_listener_without_telephone_event_gets_none_and_the_digit_is_still_reported() {
    let mut world = bridged();
    let media = RemoteMedia { telephone_event: None, ..remote(BOT, Codec::Pcmu) };
    world.command(MediaCommand::Remote { leg: leg(BOT), media });
    world.got.clear();
    let mut caller = Sender::new(CALLER, A);
    let packet = caller.event(11, true, 800, true);
    world.deliver(leg(CALLER), caller.from, &packet);
    assert!(world.take(BOT).is_empty());
    assert_eq!(world.digits(), [(leg(CALLER), '#')]);
}

#[test]
fn a_key_press_whose_end_is_lost_is_reported_in_time() {
    let mut world = bridged();
    let mut caller = Sender::new(CALLER, A);
    let packet = caller.event(9, false, 320, true);
    world.deliver(leg(CALLER), caller.from, &packet);
    assert!(world.digits().is_empty());
    world.pass(150);
    assert_eq!(world.digits(), [(leg(CALLER), '9')]);
}

#[test]
fn comfort_noise_becomes_silence_and_is_no_fault() {
    let mut world = bridged();
    let mut caller = Sender::new(CALLER, A);
    world.talk(&mut [&mut caller], 5);
    world.got.clear();
    let timestamp = caller.timestamp;
    let packet = caller.build(13, timestamp, false, &[60]);
    world.deliver(leg(CALLER), caller.from, &packet);
    let got = world.take(BOT);
    assert_eq!(got.len(), 1);
    assert_eq!((got[0].header.payload_type, got[0].payload.clone()), (0, vec![0xff; 160]));
    assert_eq!(world.engine.stats(leg(CALLER)).expect("open").refused, 0);
}

#[test]
fn extra_header_parts_are_not_passed_on() {
    let mut world = bridged();
    let mut caller = Sender::new(CALLER, A);
    let plain = caller.packet();
    let mut packet = vec![0xb1];
    packet.extend(&plain[1..12]);
    packet.extend([7; 4]);
    packet.extend([0xbe, 0xde, 0, 1, 1, 2, 3, 4]);
    packet.extend(&plain[12..]);
    packet.extend([0, 0, 3]);
    world.got.clear();
    world.deliver(leg(CALLER), caller.from, &packet);
    assert_eq!(world.take(BOT)[0].payload, vec![A; 160]);
}

#[test]
fn only_the_callers_packets_are_tapped_and_only_while_asked() {
    let mut world = bridged();
    let (mut caller, mut bot) = (Sender::new(CALLER, A), Sender::new(BOT, B));
    world.talk(&mut [&mut caller, &mut bot], 3);
    world.command(MediaCommand::Tap { leg: leg(CALLER), on: true });
    world.command(MediaCommand::Tap { leg: leg(BOT), on: true });
    let (sequence, timestamp) = (caller.sequence, caller.timestamp);
    world.talk(&mut [&mut caller, &mut bot], 3);
    let event = caller.event(1, true, 800, true);
    world.deliver(leg(CALLER), caller.from, &event);
    world.command(MediaCommand::Tap { leg: leg(CALLER), on: false });
    world.talk(&mut [&mut caller, &mut bot], 3);
    let taps = world.taps.0.lock().expect("one thread");
    assert_eq!(taps.len(), 4);
    assert!(taps.iter().all(|frame| frame.leg == leg(CALLER)));
    assert_eq!((taps[0].sequence, taps[0].timestamp, taps[0].payload_type), (sequence, timestamp, 0));
    assert_eq!(taps[0].audio(), [A; 160]);
    assert_eq!((taps[3].payload_type, taps[3].len), (101, 4));
}

#[test]
fn silence_from_a_peer_is_reported_again_and_again_and_its_end_too() {
    let mut world = bridged();
    let mut caller = Sender::new(CALLER, A);
    world.talk(&mut [&mut caller], 5);
    world.pass(7000);
    let silent = |world: &World| {
        let lasted = |event: &MediaEvent| match event {
            MediaEvent::Silent { leg: silent, lasted } if *silent == leg(CALLER) => Some(lasted.as_secs()),
            _ => None,
        };
        world.events.iter().filter_map(lasted).collect::<Vec<_>>()
    };
    assert_eq!(silent(&world), [3, 6]);
    world.talk(&mut [&mut caller], 5);
    assert_eq!(flows(&world).len(), 2);
    let media = RemoteMedia { direction: Direction::SendOnly, ..remote(CALLER, Codec::Pcmu) };
    world.command(MediaCommand::Remote { leg: leg(CALLER), media });
    world.pass(10_000);
    assert_eq!(silent(&world), [3, 6], "on hold nothing is expected");
    world.command(MediaCommand::Remote { leg: leg(CALLER), media: remote(CALLER, Codec::Pcmu) });
    world.pass(3500);
    assert_eq!(silent(&world), [3, 6, 3]);
}

#[test]
fn reports_carry_our_stream_and_understand_the_peers() {
    let mut world = bridged();
    let mut caller = Sender::new(CALLER, A);
    world.talk(&mut [&mut caller], 500);
    let reports: Vec<_> = world.rtcp.iter().filter(|(sender, ..)| *sender == leg(CALLER)).cloned().collect();
    assert!((1..=5).contains(&reports.len()), "{} reports in ten seconds", reports.len());
    let (_, to, muxed, report) = reports[0].clone();
    assert_eq!((to, muxed), (SocketAddr::new(address(CALLER).ip(), 4001), false));
    assert_eq!((report[0], report[1]), (0x81, 200), "a sender report with one block");
    assert_eq!(report[28..32], caller.ssrc.to_be_bytes());
    assert!(report.windows(13).any(|part| part == b"warmline@test"));
    // The peer answers 50 ms later: lost a quarter, saw our report just now.
    let ours = &report[4..8];
    let mut answer = vec![0x81, 201, 0, 7, 0, 0, 0, 9];
    answer.extend(ours);
    answer.extend([64, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0]);
    let sent_at = world.rtcp.len();
    let mut last = Vec::new();
    while world.rtcp.len() == sent_at || last.is_empty() {
        world.pass(10);
        last = world.rtcp[sent_at..].iter().find(|(sender, ..)| *sender == leg(CALLER)).map_or(vec![], |r| r.3.clone());
    }
    answer.extend(&last[10..14]);
    answer.extend([0, 0, 0, 0]);
    world.pass(50);
    let slot = world.engine.slot_of(leg(CALLER)).expect("open");
    world.engine.handle_rtcp(slot, to, &mut answer, world.now);
    let stats = world.engine.stats(leg(CALLER)).expect("open");
    assert_eq!(stats.remote_loss, Some(0.25));
    let round_trip = stats.round_trip_ms.expect("measured");
    assert!((49.0..75.0).contains(&round_trip), "{round_trip} ms");
}

#[test]
fn rtcp_on_the_rtp_port_is_answered_there() {
    let mut world = bridged();
    let mut caller = Sender::new(CALLER, A);
    world.talk(&mut [&mut caller], 5);
    world.deliver(leg(CALLER), address(CALLER), &[0x80, 201, 0, 1, 0, 0, 0, 9]);
    world.rtcp.clear();
    world.pass(10_000);
    let (_, to, muxed, _) = world.rtcp.iter().find(|(sender, ..)| *sender == leg(CALLER)).expect("a report").clone();
    assert_eq!((to, muxed), (address(CALLER), true));
}

#[test]
fn a_leg_ends_with_goodbye_and_its_last_numbers() {
    let mut world = bridged();
    let mut caller = Sender::new(CALLER, A);
    world.talk(&mut [&mut caller], 10);
    caller.packet();
    caller.packet();
    world.talk(&mut [&mut caller], 1);
    world.rtcp.clear();
    let slot = world.engine.slot_of(leg(CALLER)).expect("open");
    world.command(MediaCommand::Close { leg: leg(CALLER) });
    let bye = &world.rtcp[0].3;
    assert_eq!(bye[bye.len() - 8..][..4], [0x81, 203, 0, 1]);
    let last = world.events.iter().rev().find_map(|event| match event {
        MediaEvent::Quality { leg: closed, stats, last: true } => Some((*closed, *stats)),
        _ => None,
    });
    let (closed, LegStats { received, lost, refused, .. }) = last.expect("final numbers");
    assert_eq!((closed, received, lost, refused), (leg(CALLER), 11, 2, 0));
    // What is still under way finds nobody.
    let mut late = caller.packet();
    let length = late.len();
    world.open(CALLER);
    assert!(world.engine.handle_rtp(slot, caller.from, &mut late, length, world.now).is_none());
    assert_eq!(world.engine.stats(leg(CALLER)).expect("reopened").refused, 0);
}

#[test]
fn an_engine_without_legs_asks_for_no_time() {
    let mut world = bridged();
    world.pass(1000);
    for index in [CALLER, BOT, DESK] {
        world.command(MediaCommand::Close { leg: leg(index) });
    }
    world.pass(60_000);
    assert_eq!(world.engine.poll_timeout(), None);
    assert_eq!(world.engine.legs(), 0);
}

#[test]
fn a_thread_that_was_late_makes_up_a_little_and_skips_the_rest() {
    let mut world = World::call([Codec::Pcmu; 3]);
    world.feed(CALLER, Selector::Music);
    world.pass(100);
    world.got.clear();
    world.now += Duration::from_millis(60);
    world.engine.handle_timeout(world.now);
    world.drain();
    assert_eq!(world.take(CALLER).len(), 3);
    world.now += Duration::from_secs(30);
    world.engine.handle_timeout(world.now);
    world.drain();
    world.pass(100);
    let got = world.take(CALLER);
    assert!(got.len() <= 11, "{} packets", got.len());
    check_stream(&got);
}

/// The join follows the first end packet of the accepting key; RFC 4733 sends it three times.
#[test]
fn the_rest_of_a_key_pressed_before_a_switch_is_not_for_the_new_listener() {
    let mut world = World::call([Codec::Pcmu; 3]);
    let mut desk = Sender::new(DESK, 0xb0);
    let press = |world: &mut World, desk: &mut Sender, ends: u32| {
        for _ in 0..ends {
            let packet = desk.event(1, true, 960, false);
            world.deliver(leg(DESK), address(DESK), &packet);
            world.pass(20);
        }
    };
    world.feed(CALLER, Selector::Music);
    press(&mut world, &mut desk, 1);
    assert_eq!(world.digits(), [(leg(DESK), '1')]);
    world.feed(CALLER, Selector::Leg(leg(DESK)));
    world.take(CALLER);
    press(&mut world, &mut desk, 2);
    let events = |got: Vec<Got>| got.iter().filter(|packet| packet.header.payload_type == 101).count();
    assert_eq!(events(world.take(CALLER)), 0, "the accepting key");
    desk.timestamp = desk.timestamp.wrapping_add(8_000);
    press(&mut world, &mut desk, 3);
    assert_eq!(events(world.take(CALLER)), 3, "a later key");
}
