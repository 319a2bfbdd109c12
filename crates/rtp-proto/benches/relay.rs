//! Cost of one relayed packet inside the engine: two hundred calls of two legs each, packets in turn, one source and
//! one listener per packet. The copy of a fresh packet into the buffer is part of it.

use call_model::{
    CallId, Codec, Crypto, IdSource, Instant, Keying, LegId, MediaCommand, RemoteMedia, Role, Selector, SrtpKey,
    SrtpSuite, TapFrame,
};
use core::hint::black_box;
use core::net::SocketAddr;
use core::time::Duration;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rtp_proto::{EngineConfig, Header, LegSlot, MediaEngine, NoTap, Protection, SRTP_ROOM, TapSink};

const CALLS: u64 = 200;
/// A packet, and room to protect it.
const ROOM: usize = 172 + SRTP_ROOM;
const TURN: Duration = Duration::from_millis(20);

struct Ring(Box<[Option<TapFrame>; 1024]>, usize);

impl TapSink for Ring {
    fn push(&mut self, frame: &TapFrame) -> bool {
        self.0[self.1] = Some(*frame);
        self.1 = (self.1 + 1) % 1024;
        true
    }
}

struct Bench {
    engine: MediaEngine,
    sources: Vec<(LegSlot, SocketAddr, u8, Option<Protection>)>,
    next: usize,
    sequence: u16,
    now: Instant,
}

/// The keys of a leg, or those of its peer.
fn keys(suite: SrtpSuite, peer: bool) -> Crypto {
    let key = |with: u8| SrtpKey { suite, key: [with; 32], salt: [with; 14] };
    let [ours, theirs] = if peer { [2, 1] } else { [1, 2] }.map(key);
    Crypto { ours, theirs }
}

fn address(call: u64, index: u8) -> SocketAddr {
    SocketAddr::from(([10, index, (call >> 8) as u8, call as u8], 4000))
}

impl Bench {
    fn new(codecs: [Codec; 2], tap: Option<Ring>, suite: Option<SrtpSuite>) -> Self {
        let tapped = tap.is_some();
        let sink: Box<dyn TapSink> = match tap {
            Some(ring) => Box::new(ring),
            None => Box::new(NoTap),
        };
        let mut engine = MediaEngine::new(EngineConfig::new("bench"), IdSource::from_u64(1), sink);
        let now = Instant::from_millis(1);
        let mut sources = Vec::new();
        for call in 0..CALLS {
            let legs = [0, 1].map(|index| LegId { call: CallId(call), index });
            for (i, leg) in legs.into_iter().enumerate() {
                let role = if i == 0 { Role::Caller } else { Role::Bot };
                engine.handle_command(
                    &MediaCommand::Open {
                        leg,
                        role,
                        port: 0,
                        interface: call_model::InterfaceId::default(),
                        allowed: vec![],
                        keys_by: call_model::KeysBy::Rtp,
                    },
                    now,
                );
                let rtp = address(call, leg.index);
                let keying = suite.map(|suite| Keying::Told(keys(suite, false)));
                let media = RemoteMedia { telephone_event: Some(101), keying, ..RemoteMedia::new(rtp, codecs[i]) };
                engine.handle_command(&MediaCommand::Remote { leg, media }, now);
                engine.handle_command(&MediaCommand::Feed { leg, from: Selector::Leg(legs[1 - i]) }, now);
                engine.handle_command(&MediaCommand::Tap { leg, on: tapped }, now);
                let slot = engine.slot_of(leg).expect("just opened");
                let peer = suite.and_then(|suite| Protection::new(keys(suite, true)));
                sources.push((slot, rtp, codecs[i].payload_type(), peer));
            }
        }
        while engine.poll_output().is_some() {}
        Self { engine, sources, next: 0, sequence: 0, now }
    }

    fn packet(&mut self, buffer: &mut [u8; ROOM]) -> usize {
        if self.next == self.sources.len() {
            self.next = 0;
            self.sequence = self.sequence.wrapping_add(1);
            self.now += TURN;
        }
        let (slot, from, payload_type, peer) = &mut self.sources[self.next];
        let (slot, from, payload_type) = (*slot, *from, *payload_type);
        self.next += 1;
        let (sequence, timestamp) = (self.sequence, u32::from(self.sequence).wrapping_mul(160));
        let header = Header { marker: false, payload_type, sequence, timestamp, ssrc: 1, payload: 0..0 };
        *buffer = [0x55; ROOM];
        buffer[..12].copy_from_slice(&header.to_bytes());
        let sealed = peer.as_mut().map_or(Some(172), |peer| peer.seal_rtp(buffer, 172)).unwrap_or_default();
        let len = self.engine.handle_rtp(slot, from, buffer, sealed, self.now).map_or(0, |relay| relay.bytes.len());
        // Flowing, once per leg.
        while self.engine.poll_output().is_some() {}
        len
    }
}

fn relay(criterion: &mut Criterion) {
    let cases = [
        ("same codec", [Codec::Pcmu, Codec::Pcmu], false, None),
        ("PCMU and PCMA", [Codec::Pcmu, Codec::Pcma], false, None),
        ("same codec, callers tapped", [Codec::Pcmu, Codec::Pcmu], true, None),
        // One packet is protected by the sender, opened, and protected again.
        ("AES-CM both sides", [Codec::Pcmu, Codec::Pcmu], false, Some(SrtpSuite::AesCm80)),
        ("AES-GCM both sides", [Codec::Pcmu, Codec::Pcmu], false, Some(SrtpSuite::AesGcm128)),
    ];
    let mut group = criterion.benchmark_group("relay one packet");
    group.throughput(Throughput::Elements(1));
    for (name, codecs, tapped, suite) in cases {
        let ring = tapped.then(|| Ring(Box::new([None; 1024]), 0));
        let mut bench = Bench::new(codecs, ring, suite);
        let mut buffer = [0; ROOM];
        for _ in 0..bench.sources.len() {
            bench.packet(&mut buffer);
        }
        assert_eq!(bench.packet(&mut buffer), 172 + suite.map_or(0, SrtpSuite::tag_len), "packets are relayed");
        group.bench_function(name, |b| b.iter(|| black_box(bench.packet(black_box(&mut buffer)))));
    }
    group.finish();
}

criterion_group!(benches, relay);
criterion_main!(benches);
