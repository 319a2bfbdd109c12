//! Two gateways that speak RTP and RTCP with each other over a bad network tell the same story of it.

use crate::world::*;
use call_model::{Codec, Instant, LegStats, MediaCommand, Selector};
use std::collections::VecDeque;

/// One way, milliseconds.
const DELAY: u64 = 40;

struct Packet {
    arrives: Instant,
    to: usize,
    rtcp: bool,
    bytes: Vec<u8>,
}

/// Both play music to each other for half a minute; every `losing`th packet from the second to the first is lost.
fn half_a_minute(codec: Codec, losing: u64) -> [LegStats; 2] {
    let mut worlds = [World::new(), World::new()];
    for world in &mut worlds {
        world.open(CALLER);
        world.command(MediaCommand::Remote { leg: leg(CALLER), media: remote(CALLER, codec) });
        world.feed(CALLER, Selector::Music);
    }
    let mut wire: VecDeque<Packet> = VecDeque::new();
    let mut sent = 0;
    for _ in 0..6_000 {
        for (from, world) in worlds.iter_mut().enumerate() {
            world.pass(5);
            let arrives = world.now + core::time::Duration::from_millis(DELAY);
            let to = 1 - from;
            for got in world.take(CALLER) {
                let bytes = [&got.header.to_bytes()[..], &got.payload].concat();
                sent += u64::from(from == 1);
                if from == 0 || sent % losing != 0 {
                    wire.push_back(Packet { arrives, to, rtcp: false, bytes });
                }
            }
            for (.., bytes) in world.rtcp.drain(..) {
                wire.push_back(Packet { arrives, to, rtcp: true, bytes });
            }
        }
        while wire.front().is_some_and(|packet| packet.arrives <= worlds[0].now) {
            let Some(mut packet) = wire.pop_front() else { break };
            let world = &mut worlds[packet.to];
            let slot = world.engine.slot_of(leg(CALLER)).expect("open");
            if packet.rtcp {
                world.engine.handle_rtcp(slot, address(CALLER), &mut packet.bytes, world.now);
            } else {
                world.deliver(leg(CALLER), address(CALLER), &packet.bytes);
            }
        }
    }
    worlds.map(|world| world.engine.stats(leg(CALLER)).expect("open"))
}

#[test]
fn loss_on_the_way_is_heard_here_and_reported_there() {
    for codec in [Codec::Pcmu, Codec::Opus] {
        let [here, there] = half_a_minute(codec, 10);
        assert!((140..=151).contains(&here.lost), "{here:?}");
        assert_eq!(there.lost, 0);
        let (mine, theirs) = (here.mos.expect("heard"), there.remote_mos.expect("reported"));
        assert!((2.8..3.5).contains(&mine), "10 % of 25.1: {mine}");
        assert!((mine - theirs).abs() < 0.1, "{mine} and {theirs}");
        assert!(there.remote_loss.is_some_and(|loss| (0.05..0.15).contains(&loss)), "{there:?}");
        for stats in [here, there] {
            let round_trip = stats.round_trip_ms.expect("measured");
            assert!((75.0..95.0).contains(&round_trip), "{round_trip} ms");
            assert!(stats.remote_jitter_ms.is_some_and(|jitter| jitter < 6.0), "{stats:?}");
        }
        assert!(there.mos > Some(4.3) && here.remote_mos > Some(4.3), "the other way is sound: {there:?} {here:?}");
    }
}

#[test]
fn a_leg_that_heard_nothing_has_no_opinion() {
    let mut world = World::new();
    world.open(CALLER);
    let stats = world.engine.stats(leg(CALLER)).expect("open");
    assert_eq!((stats.mos, stats.remote_mos), (None, None));
}
