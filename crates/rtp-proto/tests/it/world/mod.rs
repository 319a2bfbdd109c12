//! An engine, a clock, and scripted peers around it.
use call_model::{
    CallId, Codec, IdSource, Instant, InterfaceId, KeysBy, LegId, MediaCommand, MediaEvent, Prompt, RemoteMedia, Role,
    Selector,
};
use core::net::SocketAddr;
use core::time::Duration;
use rtp_proto::{EngineConfig, Header, MediaEngine, Output, TapFrame, TapSink};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub(crate) const CALLER: u8 = 0;
pub(crate) const BOT: u8 = 1;
pub(crate) const DESK: u8 = 2;
/// The first ear of a recording.
pub(crate) const EARS: u8 = 5;

/// The tones of our own audio, as mu-law octets that nobody else sends.
pub(crate) const PRESS_ONE: u8 = 0x21;
pub(crate) const MUSIC: u8 = 0x31;

pub(crate) fn leg(index: u8) -> LegId {
    LegId { call: CallId(7), index }
}

pub(crate) fn address(index: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, index + 1], 4000))
}

pub(crate) fn remote(index: u8, codec: Codec) -> RemoteMedia {
    RemoteMedia { telephone_event: Some(101), event_clock: 8_000, ..RemoteMedia::new(address(index), codec) }
}

#[derive(Clone, Default)]
pub(crate) struct Taps(pub(crate) Arc<Mutex<Vec<TapFrame>>>);

impl TapSink for Taps {
    fn push(&mut self, frame: &TapFrame) -> bool {
        let mut frames = self.0.lock().expect("one thread");
        frames.push(*frame);
        frames.len() < 10_000
    }
}

/// A packet as a peer received it.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) at: Instant,
    pub(crate) to: SocketAddr,
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
}

/// Sends a stream of one octet.
pub(crate) struct Sender {
    pub(crate) leg: LegId,
    pub(crate) from: SocketAddr,
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) payload_type: u8,
    pub(crate) octet: u8,
}

impl Sender {
    pub(crate) fn new(index: u8, octet: u8) -> Self {
        Self {
            leg: leg(index),
            from: address(index),
            ssrc: 1000 + u32::from(index),
            sequence: 100 * u16::from(index),
            timestamp: 77_777 * u32::from(index),
            payload_type: 0,
            octet,
        }
    }

    pub(crate) fn packet(&mut self) -> Vec<u8> {
        let payload = [self.octet; 160];
        let packet = self.build(self.payload_type, self.timestamp, false, &payload);
        self.timestamp = self.timestamp.wrapping_add(160);
        packet
    }

    pub(crate) fn event(&mut self, event: u8, end: bool, duration: u16, marker: bool) -> Vec<u8> {
        let [high, low] = duration.to_be_bytes();
        self.build(101, self.timestamp, marker, &[event, if end { 0x8a } else { 0x0a }, high, low])
    }

    pub(crate) fn build(&mut self, payload_type: u8, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
        let (sequence, ssrc) = (self.sequence, self.ssrc);
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = Header { marker, payload_type, sequence, timestamp, ssrc, payload: 0..0 }.to_bytes().to_vec();
        packet.extend(payload);
        packet
    }
}

pub(crate) struct World {
    pub(crate) engine: MediaEngine,
    pub(crate) now: Instant,
    pub(crate) taps: Taps,
    pub(crate) got: BTreeMap<LegId, Vec<Got>>,
    pub(crate) dtls: Vec<(SocketAddr, Vec<u8>)>,
    pub(crate) rtcp: Vec<(LegId, SocketAddr, bool, Vec<u8>)>,
    pub(crate) frames: Vec<(LegId, [u8; 160])>,
    pub(crate) recorded: Vec<(LegId, u64, [i16; 160])>,
    pub(crate) marks: Vec<String>,
    pub(crate) stream_digits: Vec<char>,
    pub(crate) events: Vec<MediaEvent>,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut config = EngineConfig::new("warmline@test");
        config.prompts = [(Prompt::PressOne, Arc::from([PRESS_ONE; 400].as_slice()))].into_iter().collect();
        config.music = Arc::from([MUSIC; 1000].as_slice());
        Self::with(config)
    }

    pub(crate) fn with(config: EngineConfig) -> Self {
        let taps = Taps::default();
        Self {
            engine: MediaEngine::new(config, IdSource::from_u64(5), Box::new(taps.clone())),
            now: Instant::from_millis(1000),
            taps,
            got: BTreeMap::new(),
            dtls: Vec::new(),
            rtcp: Vec::new(),
            frames: Vec::new(),
            recorded: Vec::new(),
            marks: Vec::new(),
            stream_digits: Vec::new(),
            events: Vec::new(),
        }
    }

    /// A call of caller, SIP bot and SIP desk, all with remote parameters, hearing silence.
    pub(crate) fn call(codecs: [Codec; 3]) -> Self {
        let mut world = Self::new();
        for (index, codec) in codecs.into_iter().enumerate() {
            world.open(index as u8);
            world.command(MediaCommand::Remote { leg: leg(index as u8), media: remote(index as u8, codec) });
        }
        world
    }

    pub(crate) fn open(&mut self, index: u8) {
        let role = [Role::Caller, Role::Bot, Role::Desk][usize::from(index.min(2))];
        let allowed = vec![("198.51.100.0".parse().expect("address"), 24)];
        self.command(MediaCommand::Open {
            leg: leg(index),
            role,
            port: 20_000 + 2 * u16::from(index),
            interface: InterfaceId::default(),
            allowed,
            keys_by: KeysBy::Rtp,
        });
    }

    pub(crate) fn feed(&mut self, index: u8, from: Selector) {
        self.command(MediaCommand::Feed { leg: leg(index), from });
    }

    pub(crate) fn command(&mut self, command: MediaCommand) {
        self.engine.handle_command(&command, self.now);
        self.drain();
    }

    pub(crate) fn deliver(&mut self, leg: LegId, from: SocketAddr, packet: &[u8]) {
        let Some(slot) = self.engine.slot_of(leg) else { return };
        let mut buffer = packet.to_vec();
        buffer.resize(packet.len() + rtp_proto::SRTP_ROOM, 0);
        if let Some(relay) = self.engine.handle_rtp(slot, from, &mut buffer, packet.len(), self.now) {
            let (leg, to, bytes) = (relay.leg, relay.to, relay.bytes.to_vec());
            self.receive(leg, to, &bytes);
        }
        self.drain();
    }

    pub(crate) fn send(&mut self, sender: &mut Sender) {
        let packet = sender.packet();
        self.deliver(sender.leg, sender.from, &packet);
    }

    /// Lets time pass, running every timer when it is due.
    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some((at, _)) = self.engine.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.engine.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// 20 ms steps in which each sender sends one packet.
    pub(crate) fn talk(&mut self, senders: &mut [&mut Sender], steps: u32) {
        for _ in 0..steps {
            for sender in senders.iter_mut() {
                self.send(sender);
            }
            self.pass(20);
        }
    }

    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Rtp { leg, to, packet, .. } => self.receive(leg, to, packet.as_slice()),
                Output::Rtcp { leg, to, muxed, packet, .. } => {
                    self.rtcp.push((leg, to, muxed, packet.as_slice().to_vec()));
                }
                Output::Datagram { to, datagram, .. } => self.dtls.push((to, datagram)),
                Output::StreamFrame { leg, mulaw } => self.frames.push((leg, mulaw)),
                Output::Heard { leg, number, samples } => self.recorded.push((leg, number, samples)),
                Output::StreamMarkPlayed { name, .. } => self.marks.push(name),
                Output::StreamDigit { digit, .. } => self.stream_digits.push(digit),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn receive(&mut self, leg: LegId, to: SocketAddr, bytes: &[u8]) {
        let header = Header::parse(bytes).expect("what we send is RTP");
        let payload = bytes[header.payload.clone()].to_vec();
        self.got.entry(leg).or_default().push(Got { at: self.now, to, header, payload });
    }

    pub(crate) fn take(&mut self, index: u8) -> Vec<Got> {
        self.got.remove(&leg(index)).unwrap_or_default()
    }

    /// Who began to speak (true) or paused (false), in order.
    pub(crate) fn speech(&self) -> Vec<(LegId, bool)> {
        let speech = |event: &MediaEvent| match event {
            MediaEvent::Speaks { leg } => Some((*leg, true)),
            MediaEvent::Paused { leg } => Some((*leg, false)),
            _ => None,
        };
        self.events.iter().filter_map(speech).collect()
    }

    pub(crate) fn digits(&self) -> Vec<(LegId, char)> {
        let digit = |event: &MediaEvent| match event {
            MediaEvent::Digit { leg, digit, .. } => Some((*leg, *digit)),
            _ => None,
        };
        self.events.iter().filter_map(digit).collect()
    }
}

/// The stream rules that hold for every leg at any time: one SSRC, no sequence number used twice, later numbers never
/// with earlier timestamps, and no packet overlapping the one before.
pub(crate) fn check_stream(got: &[Got]) {
    let Some(first) = got.first() else { return };
    let mut by_sequence: BTreeMap<i64, &Got> = BTreeMap::new();
    let mut highest = i64::from(first.header.sequence);
    for packet in got {
        assert_eq!(packet.header.ssrc, first.header.ssrc, "one SSRC for life");
        let delta = i64::from(packet.header.sequence.wrapping_sub(highest as u16) as i16);
        assert!(by_sequence.insert(highest + delta, packet).is_none(), "sequence number used twice");
        highest = highest.max(highest + delta);
    }
    let ordered: Vec<_> = by_sequence.into_iter().collect();
    for pair in ordered.windows(2) {
        let ((_, before), (_, after)) = (pair[0], pair[1]);
        let advance = after.header.timestamp.wrapping_sub(before.header.timestamp) as i32;
        let events = before.payload.len() == 4;
        assert!(advance >= 0, "timestamp went back by {advance} at {:?}", after.at);
        if !events {
            assert!(advance >= before.payload.len() as i32, "packets overlap: {advance} at {:?}", after.at);
        }
    }
}
