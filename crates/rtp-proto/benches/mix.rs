//! Cost of three-way calls inside the engine: two hundred calls of three legs, each hearing the other two mixed. One
//! turn is 20 ms of all of it: 600 packets in, 600 out.

use call_model::{CallId, Codec, IdSource, Instant, LegId, MediaCommand, RemoteMedia, Role, Selector};
use core::hint::black_box;
use core::net::SocketAddr;
use core::time::Duration;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rtp_proto::{EngineConfig, Header, LegSlot, MediaEngine, NoTap, Output};

const CALLS: u64 = 200;
const TURN: Duration = Duration::from_millis(20);

struct Bench {
    engine: MediaEngine,
    sources: Vec<(LegSlot, SocketAddr)>,
    sequence: u16,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let mut engine = MediaEngine::new(EngineConfig::new("bench"), IdSource::from_u64(1), Box::new(NoTap));
        let now = Instant::from_millis(20);
        let mut sources = Vec::new();
        for call in 0..CALLS {
            let legs = [0, 1, 2].map(|index| LegId { call: CallId(call), index });
            for (i, leg) in legs.into_iter().enumerate() {
                let role = [Role::Caller, Role::Bot, Role::Desk][i];
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
                let rtp = SocketAddr::from(([10, leg.index, (call >> 8) as u8, call as u8], 4000));
                let media = RemoteMedia { telephone_event: Some(101), ..RemoteMedia::new(rtp, Codec::Pcmu) };
                engine.handle_command(&MediaCommand::Remote { leg, media }, now);
                let from = Selector::Mix(legs[(i + 1) % 3], legs[(i + 2) % 3]);
                engine.handle_command(&MediaCommand::Feed { leg, from }, now);
                sources.push((engine.slot_of(leg).expect("just opened"), rtp));
            }
        }
        Self { engine, sources, sequence: 0, now }
    }

    fn turn(&mut self) -> usize {
        self.sequence = self.sequence.wrapping_add(1);
        self.now += TURN;
        let (sequence, timestamp) = (self.sequence, u32::from(self.sequence).wrapping_mul(160));
        let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 1, payload: 0..0 }.to_bytes();
        let mut packet = [0x55; 172];
        packet[..12].copy_from_slice(&header);
        for (slot, from) in &self.sources {
            let relayed = self.engine.handle_rtp(*slot, *from, &mut packet, 172, self.now).is_some();
            assert!(!relayed, "a mix waits for the tick");
        }
        self.engine.handle_timeout(self.now);
        let mut sent = 0;
        while let Some(output) = self.engine.poll_output() {
            sent += usize::from(matches!(black_box(output), Output::Rtp { .. }));
        }
        sent
    }
}

fn mix(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mix");
    group.throughput(Throughput::Elements(3 * CALLS));
    let mut bench = Bench::new();
    for _ in 0..10 {
        bench.turn();
    }
    assert_eq!(bench.turn(), 3 * CALLS as usize, "everybody is served");
    group.bench_function("200 three-way calls for 20 ms", |b| b.iter(|| bench.turn()));
    group.finish();
}

criterion_group!(benches, mix);
criterion_main!(benches);
