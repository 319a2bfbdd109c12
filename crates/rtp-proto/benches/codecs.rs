//! Cost of 20 ms through the engine where the codecs differ: one packet in, one tick, one packet out; two hundred calls
//! in turn. Beside it the same codec on both sides, which is relayed.

use call_model::{CallId, Codec, IdSource, Instant, LegId, MediaCommand, RemoteMedia, Role, Selector};
use core::hint::black_box;
use core::net::SocketAddr;
use core::time::Duration;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rtp_proto::{EngineConfig, Header, LegSlot, MediaEngine, NoTap, Output};

const CALLS: u64 = 200;

struct Bench {
    engine: MediaEngine,
    sources: Vec<(LegSlot, SocketAddr, u8)>,
    sequence: u16,
    now: Instant,
}

impl Bench {
    /// Everybody on the first leg is heard by the second.
    fn new(codecs: [Codec; 2]) -> Self {
        let mut engine = MediaEngine::new(EngineConfig::new("bench"), IdSource::from_u64(1), Box::new(NoTap));
        let now = Instant::from_millis(20);
        let mut sources = Vec::new();
        for call in 0..CALLS {
            let legs = [0, 1].map(|index| LegId { call: CallId(call), index });
            for (leg, codec) in legs.into_iter().zip(codecs) {
                engine.handle_command(
                    &MediaCommand::Open {
                        leg,
                        role: Role::Bot,
                        port: 0,
                        interface: call_model::InterfaceId::default(),
                        allowed: vec![],
                        keys_by: call_model::KeysBy::Rtp,
                    },
                    now,
                );
                let rtp = SocketAddr::from(([10, leg.index, (call >> 8) as u8, call as u8], 4000));
                let media = RemoteMedia::new(rtp, codec);
                engine.handle_command(&MediaCommand::Remote { leg, media }, now);
                if leg.index == 0 {
                    sources.push((engine.slot_of(leg).expect("just opened"), rtp, codec.payload_type()));
                } else {
                    engine.handle_command(&MediaCommand::Feed { leg, from: Selector::Leg(legs[0]) }, now);
                }
            }
        }
        Self { engine, sources, sequence: 0, now }
    }

    /// 20 ms of all of it.
    fn turn(&mut self) -> usize {
        self.sequence = self.sequence.wrapping_add(1);
        self.now += Duration::from_millis(20);
        let mut sent = 0;
        for (slot, from, payload_type) in &self.sources {
            let header = Header {
                marker: false,
                payload_type: *payload_type,
                sequence: self.sequence,
                timestamp: u32::from(self.sequence).wrapping_mul(160),
                ssrc: 1,
                payload: 0..0,
            };
            let mut packet: [u8; 172] = core::array::from_fn(|i| (i * 37) as u8 ^ self.sequence as u8);
            packet[..12].copy_from_slice(&header.to_bytes());
            sent += usize::from(self.engine.handle_rtp(*slot, *from, &mut packet, 172, self.now).is_some());
        }
        self.engine.handle_timeout(self.now);
        while let Some(output) = self.engine.poll_output() {
            sent += usize::from(matches!(black_box(output), Output::Rtp { .. }));
        }
        sent
    }
}

fn codecs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("20 ms of one direction");
    group.throughput(Throughput::Elements(CALLS));
    for one in Codec::ALL {
        for other in Codec::ALL {
            let mut bench = Bench::new([one, other]);
            for _ in 0..10 {
                bench.turn();
            }
            assert!(bench.turn() as u64 >= CALLS, "{one:?} to {other:?}");
            let name = format!("{} to {}", one.name(), other.name());
            group.bench_function(name, |b| b.iter(|| black_box(bench.turn())));
        }
    }
    group.finish();
}

criterion_group!(benches, codecs);
criterion_main!(benches);
