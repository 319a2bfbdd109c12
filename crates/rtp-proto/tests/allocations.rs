//! The packet path takes nothing from the heap: not per packet, not per tick.
#![allow(unsafe_code, reason = "counting needs an allocator of its own")]

#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "it/world/mod.rs"]
mod world;

use call_model::{
    Codec, Crypto, DtlsPeer, Fingerprint, Instant, Keying, MediaCommand, RemoteMedia, Selector, SrtpKey, SrtpSuite,
};
use core::cell::Cell;
use core::time::Duration;
use rtp_proto::{Association, Dtls, EngineConfig, MediaEngine, NoTap, Protection, SRTP_ROOM};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use world::*;

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: the system's allocator, with a count beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A caller and a bot that hear each other, and how many times the heap was asked for in ten seconds of it.
fn taken(codecs: [Codec; 2], suite: Option<SrtpSuite>, shaken: bool) -> u64 {
    let mut world = World::call([codecs[0], codecs[1], Codec::Pcmu]);
    let config = EngineConfig { dtls: Some(Arc::new(Shaken(suite))), ..EngineConfig::new("x") };
    let mut engine = MediaEngine::new(config, call_model::IdSource::from_u64(1), Box::new(NoTap));
    core::mem::swap(&mut world.engine, &mut engine);
    for (index, codec) in codecs.into_iter().enumerate() {
        world.open(index as u8);
        let peer = DtlsPeer { active: true, certificate: Fingerprint([0; 32]) };
        let keying = suite.map(|suite| if shaken { Keying::Dtls(peer) } else { Keying::Told(keys(suite, false)) });
        let media = RemoteMedia { keying, ..remote(index as u8, codec) };
        world.command(MediaCommand::Remote { leg: leg(index as u8), media });
    }
    world.feed(CALLER, Selector::Leg(leg(BOT)));
    world.feed(BOT, Selector::Leg(leg(CALLER)));
    world.command(MediaCommand::Tap { leg: leg(CALLER), on: true });
    for (ear, heard) in [(EARS, CALLER), (EARS + 1, BOT)] {
        world.command(MediaCommand::OpenEar { leg: leg(ear) });
        world.feed(ear, Selector::Leg(leg(heard)));
    }
    let mut engine = world.engine;
    let mut now = world.now;
    let mut packets = [CALLER, BOT].map(|index| {
        let mut sender = Sender { payload_type: codecs[usize::from(index)].payload_type(), ..Sender::new(index, 0x75) };
        let peer = suite.map(|suite| Protection::new(keys(suite, true)).expect("keys"));
        (engine.slot_of(leg(index)).expect("open"), address(index), sender.packet(), sender, peer)
    });
    let mut noise = 1u32;
    let mut run = |steps: u32| {
        let mut sent = 0;
        for _ in 0..steps {
            for (slot, from, packet, sender, peer) in &mut packets {
                let mut buffer = [0u8; 172 + SRTP_ROOM];
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                packet[12..].iter_mut().zip(0..).for_each(|(octet, i)| *octet = (noise >> (i % 24)) as u8);
                buffer[..172].copy_from_slice(packet);
                let length = peer.as_mut().map_or(Some(172), |peer| peer.seal_rtp(&mut buffer, 172)).expect("room");
                sender.sequence = sender.sequence.wrapping_add(1);
                sender.timestamp = sender.timestamp.wrapping_add(160);
                packet[2..4].copy_from_slice(&sender.sequence.to_be_bytes());
                packet[4..8].copy_from_slice(&sender.timestamp.to_be_bytes());
                sent += u32::from(engine.handle_rtp(*slot, *from, &mut buffer, length, now).is_some());
                while let Some(output) = engine.poll_output() {
                    sent += u32::from(matches!(output, rtp_proto::Output::Rtp { .. }));
                }
            }
            now += Duration::from_millis(20);
            engine.handle_timeout(now);
            while let Some(output) = engine.poll_output() {
                sent += u32::from(matches!(output, rtp_proto::Output::Rtp { .. }));
            }
        }
        sent
    };
    run(500);
    let before = TAKEN.with(Cell::get);
    let sent = run(500);
    let taken = TAKEN.with(Cell::get) - before;
    assert!((990..=1010).contains(&sent), "{codecs:?}, {suite:?}: {sent} packets were sent");
    taken
}

/// A handshake that is over before it began.
#[derive(Debug)]
struct Shaken(Option<SrtpSuite>);

impl Dtls for Shaken {
    fn associate(&self, _: DtlsPeer, _: Instant) -> Box<dyn Association> {
        Box::new(Self(self.0))
    }
}

impl Association for Shaken {
    fn handle_datagram(&mut self, _: &[u8], _: Instant) {}

    fn handle_timeout(&mut self, _: Instant) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn poll_datagram(&mut self) -> Option<Vec<u8>> {
        None
    }

    fn poll_outcome(&mut self) -> Option<Result<Crypto, String>> {
        self.0.take().map(|suite| Ok(keys(suite, false)))
    }
}

/// The keys of a leg, or those of its peer.
fn keys(suite: SrtpSuite, peer: bool) -> Crypto {
    let key = |with: u8| SrtpKey { suite, key: [with; 32], salt: [with; 14] };
    let [ours, theirs] = if peer { [2, 1] } else { [1, 2] }.map(key);
    Crypto { ours, theirs }
}

#[test]
fn nothing_is_taken_from_the_heap_to_encrypt() {
    for suite in SrtpSuite::ALL {
        for other in [Codec::Pcmu, Codec::G722] {
            for shaken in [false, true] {
                assert_eq!(taken([Codec::Pcmu, other], Some(suite), shaken), 0, "{suite:?}, {other:?}, {shaken}");
            }
        }
    }
}

/// A caller who only knows tones and a bot that knows events, and how often the heap was asked for while the caller
/// presses a key every half second.
fn taken_by_keys(codec: Codec) -> u64 {
    let mut world = World::call([Codec::Pcmu, codec, Codec::Pcmu]);
    let media = RemoteMedia { telephone_event: None, ..remote(CALLER, Codec::Pcmu) };
    world.command(MediaCommand::Remote { leg: leg(CALLER), media });
    world.feed(BOT, Selector::Leg(leg(CALLER)));
    let (slot, mut sender) = (world.engine.slot_of(leg(CALLER)).expect("open"), Sender::new(CALLER, 0x75));
    let key: Vec<u8> = (0..800).map(|n| rtp_proto::g711::encode_mulaw(tone(n))).collect();
    let (mut engine, mut now, mut pressed) = (world.engine, world.now, 0);
    let mut run = |steps: usize| {
        let mut keys = 0;
        for step in 0..steps {
            let mut buffer = [0x75; 172 + SRTP_ROOM];
            buffer[..12].copy_from_slice(&sender_header(&mut sender));
            if let Some(tone) = key.chunks_exact(160).nth(step % 25) {
                buffer[12..172].copy_from_slice(tone);
            }
            let relayed = engine.handle_rtp(slot, address(CALLER), &mut buffer, 172, now).is_some();
            now += Duration::from_millis(20);
            engine.handle_timeout(now);
            while let Some(output) = engine.poll_output() {
                keys += u32::from(
                    matches!(&output, rtp_proto::Output::Rtp { packet, .. } if packet.as_slice()[1] & 0x7f == 101),
                );
            }
            core::hint::black_box(relayed);
        }
        keys
    };
    run(500);
    let before = TAKEN.with(Cell::get);
    pressed += run(500);
    let taken = TAKEN.with(Cell::get) - before;
    assert!(pressed >= 20 * 5, "{pressed} packets of keys were sent");
    taken
}

fn tone(n: usize) -> i16 {
    let part = |hertz: f32| 6_000.0 * (core::f32::consts::TAU * hertz * n as f32 / 8_000.0).sin();
    (part(697.0) + part(1_209.0)) as i16
}

fn sender_header(sender: &mut Sender) -> [u8; 12] {
    let Sender { sequence, timestamp, ssrc, .. } = *sender;
    sender.sequence = sequence.wrapping_add(1);
    sender.timestamp = timestamp.wrapping_add(160);
    rtp_proto::Header { marker: false, payload_type: 0, sequence, timestamp, ssrc, payload: 0..0 }.to_bytes()
}

#[test]
fn keys_take_nothing_from_the_heap_either() {
    for codec in [Codec::Pcma, Codec::G722] {
        assert_eq!(taken_by_keys(codec), 0, "{codec:?}");
    }
}

#[test]
fn the_count_counts() {
    let before = TAKEN.with(Cell::get);
    drop(core::hint::black_box(Box::new(1)));
    assert_eq!(TAKEN.with(Cell::get) - before, 1);
}

#[test]
fn nothing_is_taken_from_the_heap_whatever_the_codecs() {
    for one in Codec::ALL {
        for other in Codec::ALL {
            assert_eq!(taken([one, other], None, false), 0, "{one:?} and {other:?}");
        }
    }
}
