//! Real packets over loopback.

use super::*;
use call_model::{Codec, Direction, Instant, RemoteMedia, Role, Selector};
use rtp_proto::{Header, TapFrame};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

struct Rig {
    threads: MediaThreads,
    events: Receiver<MediaEvent>,
    streams: Receiver<(LegId, StreamOut)>,
    taps: Receiver<TapFrame>,
}

struct ChannelTap(std::sync::mpsc::Sender<TapFrame>);

impl TapSink for ChannelTap {
    fn push(&mut self, frame: &TapFrame) -> bool {
        self.0.send(*frame).is_ok()
    }
}

fn rig(threads: usize) -> Rig {
    let (on_event, events) = channel();
    let (on_stream, streams) = channel();
    let (tap, taps) = channel();
    let setup = MediaSetup {
        bind: vec![Ipv4Addr::LOCALHOST.into()],
        threads,
        engine: EngineConfig::new("warmline@test"),
        clock: Clock::start(),
        ears: crate::recording::Ears::default(),
    };
    let threads = MediaThreads::start(
        setup,
        &mut IdSource::from_u64(1),
        || Box::new(ChannelTap(tap.clone())),
        move |event| on_event.send(event).unwrap_or_default(),
        move |leg, out| on_stream.send((leg, out)).unwrap_or_default(),
    )
    .expect("threads start");
    Rig { threads, events, streams, taps }
}

fn leg(index: u8) -> LegId {
    LegId { call: CallId(3), index }
}

/// An even port that was free with its neighbour a moment ago.
fn free_port() -> u16 {
    loop {
        let probe = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let port = probe.local_addr().expect("bound").port() & !1;
        drop(probe);
        if port != u16::MAX - 1 && Ports::bind(Ipv4Addr::LOCALHOST.into(), port).is_ok() {
            return port;
        }
    }
}

fn peer() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

fn remote(peer: &UdpSocket, codec: Codec) -> RemoteMedia {
    let rtp = peer.local_addr().expect("bound");
    let direction = Direction::SendRecv;
    let rtcp = SocketAddr::new(rtp.ip(), rtp.port() ^ 1);
    RemoteMedia { rtcp, telephone_event: Some(101), direction, ..RemoteMedia::new(rtp, codec) }
}

fn packet(sequence: u16, octet: u8) -> Vec<u8> {
    let timestamp = u32::from(sequence) * 160;
    let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 5, payload: 0..0 };
    let mut packet = header.to_bytes().to_vec();
    packet.extend([octet; 160]);
    packet
}

/// Opens a leg and returns its port.
fn open(handle: &MediaHandle, leg: LegId, peer: &UdpSocket, codec: Codec) -> SocketAddr {
    let port = free_port();
    let role = if leg.index == 0 { Role::Caller } else { Role::Bot };
    handle.command(MediaCommand::Open {
        leg,
        role,
        port,
        interface: call_model::InterfaceId::default(),
        allowed: vec![],
        keys_by: call_model::KeysBy::Rtp,
    });
    handle.command(MediaCommand::Remote { leg, media: remote(peer, codec) });
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Reads until a packet holds this octet.
fn hear(peer: &UdpSocket, octet: u8) -> Header {
    let mut buffer = [0; 2048];
    loop {
        let (len, _) = peer.recv_from(&mut buffer).expect("a packet in time");
        let header = Header::parse(&buffer[..len]).expect("RTP");
        if buffer[header.payload.start] == octet {
            return header;
        }
    }
}

fn last_numbers(rig: &Rig, closed: LegId) -> call_model::LegStats {
    loop {
        match rig.events.recv_timeout(PATIENCE).expect("an event in time") {
            MediaEvent::Quality { leg, stats, last: true } if leg == closed => return stats,
            _ => {}
        }
    }
}

#[test]
fn two_phones_hear_each_other_through_real_sockets() {
    let rig = rig(2);
    let handle = rig.threads.handle();
    let (caller, bot) = (peer(), peer());
    let to_caller = open(&handle, leg(0), &caller, Codec::Pcmu);
    let to_bot = open(&handle, leg(1), &bot, Codec::Pcma);
    handle.command(MediaCommand::Feed { leg: leg(0), from: Selector::Leg(leg(1)) });
    handle.command(MediaCommand::Feed { leg: leg(1), from: Selector::Leg(leg(0)) });
    handle.command(MediaCommand::Tap { leg: leg(0), on: true });
    // What we send to each phone first is silence, at once.
    let first = hear(&caller, 0xff);
    hear(&bot, 0xd5);
    caller.send_to(&packet(1, 0x90), to_caller).expect("send");
    let heard = hear(&bot, rtp_proto::g711::mulaw_to_alaw(0x90));
    assert_eq!(heard.payload_type, 8);
    let mut alaw = packet(9, 0x55);
    alaw[1] = 8;
    bot.send_to(&alaw, to_bot).expect("send");
    assert_eq!(hear(&caller, rtp_proto::g711::alaw_to_mulaw(0x55)).ssrc, first.ssrc);
    assert_eq!(rig.taps.recv_timeout(PATIENCE).expect("tapped").audio(), [0x90; 160]);
    handle.command(MediaCommand::Close { leg: leg(0) });
    let stats = last_numbers(&rig, leg(0));
    assert_eq!((stats.received, stats.refused), (1, 0));
    let counters = handle.counters();
    assert!(counters.received == 2 && counters.sent > 4 && counters.send_failed == 0, "{counters:?}");
}

#[test]
fn ports_are_bound_before_open_returns_and_free_after_the_last_numbers() {
    let rig = rig(1);
    let handle = rig.threads.handle();
    let port = free_port();
    let opening = |leg| MediaCommand::Open {
        leg,
        role: Role::Caller,
        port,
        interface: call_model::InterfaceId::default(),
        allowed: vec![],
        keys_by: call_model::KeysBy::Rtp,
    };
    handle.command(opening(leg(0)));
    assert!(Ports::bind(Ipv4Addr::LOCALHOST.into(), port).is_err(), "bound by us");
    handle.command(opening(leg(1)));
    let Ok(MediaEvent::Failed { leg: failed, why, .. }) = rig.events.try_recv() else { panic!("told at once") };
    assert!(failed == leg(1) && why.contains(&port.to_string()), "{why}");
    for round in 0..20 {
        handle.command(MediaCommand::Close { leg: leg(round) });
        last_numbers(&rig, leg(round));
        handle.command(opening(leg(round + 1)));
    }
    assert!(rig.events.try_recv().is_err(), "no port was refused");
}

#[test]
fn a_websocket_bot_hears_and_is_heard() {
    let rig = rig(1);
    let handle = rig.threads.handle();
    let caller = peer();
    let to_caller = open(&handle, leg(0), &caller, Codec::Pcmu);
    handle.command(MediaCommand::OpenStream { leg: leg(1) });
    handle.command(MediaCommand::Feed { leg: leg(0), from: Selector::Leg(leg(1)) });
    handle.command(MediaCommand::Feed { leg: leg(1), from: Selector::Leg(leg(0)) });
    handle.stream_audio(leg(1), vec![0xa0; 800]);
    handle.stream_mark(leg(1), "said".to_owned());
    hear(&caller, 0xa0);
    caller.send_to(&packet(1, 0x90), to_caller).expect("send");
    let (mut heard, mut said) = (false, false);
    while !(heard && said) {
        match rig.streams.recv_timeout(PATIENCE).expect("something for the bot") {
            (_, StreamOut::Frame(mulaw)) => heard |= mulaw == [0x90; 160],
            (_, StreamOut::MarkPlayed(name)) => said |= name == "said",
        }
    }
    handle.stream_audio(leg(1), vec![0xa0; 80_000]);
    handle.stream_mark(leg(1), "dropped".to_owned());
    handle.stream_clear(leg(1));
    while rig.streams.recv_timeout(PATIENCE).expect("the mark").1 != StreamOut::MarkPlayed("dropped".to_owned()) {}
}

#[test]
fn stopping_joins_the_threads_and_frees_the_ports() {
    let rig = rig(3);
    let handle = rig.threads.handle();
    let port = free_port();
    handle.command(MediaCommand::Open {
        leg: leg(0),
        role: Role::Caller,
        port,
        interface: call_model::InterfaceId::default(),
        allowed: vec![],
        keys_by: call_model::KeysBy::Rtp,
    });
    drop(rig.threads);
    assert!(Ports::bind(Ipv4Addr::LOCALHOST.into(), port).is_ok());
}

/// CPU time of the thread of this name, in nanoseconds.
fn cpu_of(name: &str) -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("proc");
    let of = |path: std::path::PathBuf| {
        let comm = std::fs::read_to_string(path.join("comm")).ok()?;
        let stat = std::fs::read_to_string(path.join("schedstat")).ok()?;
        (comm.trim() == name).then(|| stat.split(' ').next()?.parse::<u64>().ok()).flatten()
    };
    tasks.filter_map(|task| of(task.ok()?.path())).sum()
}

/// Not a test of right and wrong: prints CPU per relayed packet, for comparison with `dependencies.md`.
///
/// `cargo test --release -p gateway media_cost -- --ignored --nocapture`
#[test]
#[ignore = "a measurement: run it alone, on a quiet machine"]
#[allow(clippy::print_stdout, reason = "its result")]
fn media_cost_per_packet() {
    crate::nofile::raise();
    for calls in [100u64, 500] {
        let rig = rig(1);
        let handle = rig.threads.handle();
        let mut legs = Vec::new();
        for call in 0..calls {
            let ids = [0, 1].map(|index| LegId { call: CallId(call), index });
            for (i, id) in ids.into_iter().enumerate() {
                let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
                socket.set_nonblocking(true).expect("non-blocking");
                let to = open(&handle, id, &socket, Codec::Pcmu);
                handle.command(MediaCommand::Feed { leg: id, from: Selector::Leg(ids[1 - i]) });
                legs.push((socket, to));
            }
        }
        let seconds = 5u64;
        let clock = Clock::start();
        let (mut cpu, mut before) = (0, MediaCounters::default());
        let mut buffer = [0; 2048];
        let steps = (seconds + 1) * 50;
        // Legs do not send at the same moment in life: each has its own phase within the 20 ms.
        let phases = 100u64;
        for step in 0..steps * phases {
            if step == 50 * phases {
                (cpu, before) = (cpu_of("media-0"), handle.counters());
            }
            let due = Instant::from_nanos(step * 20_000_000 / phases);
            while !clock.until(due).is_zero() {
                drop(rig.events.recv_timeout(clock.until(due)));
            }
            let (turn, phase) = ((step / phases) as u16, step % phases);
            for (socket, to) in legs.iter().skip(phase as usize).step_by(phases as usize) {
                socket.send_to(&packet(turn, 0x90), to).expect("send");
                while socket.recv_from(&mut buffer).is_ok() {}
            }
        }
        let (after, cpu) = (handle.counters(), cpu_of("media-0") - cpu);
        let packets = after.sent - before.sent;
        let expected = legs.len() as u64 * (seconds + 1) * 50;
        let settled = clock.now() + PATIENCE;
        while handle.counters().received < expected && clock.now() < settled {
            std::thread::yield_now();
        }
        println!(
            "{calls} calls: {} packets/s, {:.2} us CPU per relayed packet, {:.1} packets per wake-up, lost {}",
            packets / seconds,
            cpu as f64 / 1000.0 / packets as f64,
            packets as f64 / (after.wakeups - before.wakeups) as f64,
            expected.saturating_sub(handle.counters().received),
        );
    }
}
