//! One RTP stream each way (RFC 3550), key presses (RFC 4733), and the figures a listener would complain about.

use crate::ear::Ear;
use crate::keypad;
use crate::source::{FRAME, Source};
use audio_codec::g722::{Bitrate, G722Decoder, G722Encoder};
use audio_codec::pcma::PcmaDecoder;
use audio_codec::pcmu::PcmuDecoder;
use audio_codec::{Decoder, Encoder};
use call_model::{Codec, IdSource, Instant, RemoteMedia};
use core::fmt;
use core::time::Duration;
use opus_rs::{Application, OpusDecoder, OpusEncoder};
use rtp_proto::{Cover, Dtls, SRTP_ROOM, is_dtls};
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

const PACKET: Duration = Duration::from_millis(20);

/// A packet to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RtpOut {
    /// Where to.
    pub to: SocketAddr,
    /// The whole packet.
    pub bytes: Vec<u8>,
}

/// What arrived, as this telephone's owner would notice it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Measured {
    /// Packets that arrived, key presses included.
    pub received: u64,
    /// Packets that were not encrypted as agreed.
    pub refused: u64,
    /// Packets sent, key presses included.
    pub sent: u64,
    /// Sequence numbers that never came.
    pub lost: u64,
    /// Synchronisation sources seen; more than one means that the far side broke its stream.
    pub sources: BTreeSet<u32>,
    /// Steps back, or forward by more than the time that passed, in the far side's timestamps.
    pub timestamp_faults: u64,
    /// When the first packet came.
    pub first: Option<Instant>,
    /// When the last packet came.
    pub last: Option<Instant>,
    /// Pauses between consecutive packets longer than 40 ms, as (end of the pause, its length).
    pub gaps: Vec<(Instant, Duration)>,
    /// Where packets last came from.
    pub from: Option<SocketAddr>,
    /// Keys heard, in order.
    pub digits: Vec<(Instant, char)>,
}

/// One telephone's audio.
#[derive(Debug)]
pub struct Media {
    source: Source,
    remote: Option<RemoteMedia>,
    cover: Cover,
    dtls: Option<Arc<dyn Dtls>>,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    position: u64,
    /// The frame of a source that repeats itself, once it was made.
    repeated: Option<(Codec, Arc<[u8]>)>,
    next: Option<Instant>,
    /// Only every so manyth packet is sent.
    every: u32,
    wide: Wide,
    keys: VecDeque<(char, Duration)>,
    pressing: Option<Press>,
    highest: Option<u16>,
    clock: Option<(u32, Instant)>,
    last_key: Option<u32>,
    measured: Measured,
    /// Recognises tones in what arrives.
    pub ear: Ear,
    muted: bool,
}

/// Both directions of the codecs that remember. What is heard of them is what they have at 8000 Hz.
struct Wide {
    g722: (G722Encoder, G722Decoder),
    /// Large, and made when it is needed.
    opus: Option<Box<(OpusEncoder, OpusDecoder)>>,
}

impl Default for Wide {
    fn default() -> Self {
        let decoder = G722Decoder::with_options(Bitrate::Mode1_64000, false, true);
        Self { g722: (G722Encoder::new(), decoder), opus: None }
    }
}

impl Wide {
    fn opus(&mut self) -> Option<&mut (OpusEncoder, OpusDecoder)> {
        if self.opus.is_none() {
            let mut encoder = OpusEncoder::new(16_000, 1, Application::Voip).ok()?;
            encoder.complexity = 0;
            self.opus = Some(Box::new((encoder, OpusDecoder::new(8_000, 1).ok()?)));
        }
        self.opus.as_deref_mut()
    }

    fn encode(&mut self, codec: Codec, samples: &[i16]) -> Option<Vec<u8>> {
        if codec == Codec::G722 {
            return Some(self.g722.0.encode(samples));
        }
        let mut payload = vec![0; 400];
        let length = self.opus()?.0.encode_i16(samples, samples.len(), &mut payload).ok()?;
        payload.truncate(length);
        Some(payload)
    }

    fn decode(&mut self, codec: Codec, payload: &[u8]) -> Option<Vec<i16>> {
        if codec == Codec::G722 {
            return Some(self.g722.1.decode(payload));
        }
        let mut samples = [0.0; 960];
        let decoded = self.opus()?.1.decode(payload, samples.len(), &mut samples).ok()?;
        Some(samples[..decoded].iter().map(|sample| (sample * 32_768.0) as i16).collect())
    }
}

impl fmt::Debug for Wide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wide")
    }
}

#[derive(Clone, Copy, Debug)]
struct Press {
    event: u8,
    started: u32,
    held: u16,
    length: u16,
    ends: u8,
}

impl Media {
    /// Audio that says `source` once a peer is known, and listens for `tones`.
    pub fn new(source: Source, tones: &[f32], ids: &mut IdSource) -> Self {
        Self {
            source,
            remote: None,
            cover: Cover::default(),
            dtls: None,
            ssrc: ids.next_u32(),
            sequence: ids.next_u32() as u16,
            timestamp: ids.next_u32(),
            position: 0,
            repeated: None,
            next: None,
            every: 1,
            wide: Wide::default(),
            keys: VecDeque::new(),
            pressing: None,
            highest: None,
            clock: None,
            last_key: None,
            measured: Measured::default(),
            ear: Ear::new(tones),
            muted: false,
        }
    }

    /// Whose certificate to show where DTLS is agreed on.
    pub fn identify(&mut self, dtls: Arc<dyn Dtls>) {
        self.dtls = Some(dtls);
    }

    /// The agreed parameters; sending starts with the first, unless there is nothing to say.
    pub fn connect(&mut self, remote: RemoteMedia, now: Instant) {
        self.remote = Some(remote);
        self.cover.agree(remote.keying, self.dtls.as_ref(), now);
        if !matches!(self.source, Source::Nothing) {
            self.next.get_or_insert(now);
        }
    }

    /// Stops sending.
    pub fn stop(&mut self) {
        self.remote = None;
        self.next = None;
    }

    /// Says something else from now on, from its beginning.
    pub fn say(&mut self, source: Source) {
        self.source = source;
        self.repeated = None;
        self.position = 0;
    }

    /// Stops or resumes sending without telling anybody, as a telephone with a dead microphone line does.
    pub fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Sends only every `every`th packet of its stream from now on: what a simulator needs of a conversation in which
    /// nothing happens.
    pub fn thin_out(&mut self, every: u32) {
        self.every = every.max(1);
    }

    /// Presses a key (`0`-`9`, `*`, `#`, `A`-`D`) for `held`, after those already queued.
    pub fn press(&mut self, key: char, held: Duration) {
        self.keys.push_back((key, held));
    }

    /// When the next packet is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.next, self.cover.poll_timeout()].into_iter().flatten().min()
    }

    /// A DTLS datagram to send now, until `None`.
    pub fn poll_datagram(&mut self) -> Option<RtpOut> {
        let to = self.remote?.rtp;
        self.cover.poll_datagram().map(|bytes| RtpOut { to, bytes })
    }

    /// The packet due now, if one is.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<RtpOut> {
        self.cover.handle_timeout(now);
        let due = self.next.filter(|due| *due <= now)?;
        self.next = Some(due + PACKET * self.every);
        let remote = self.remote?;
        let (timestamp, position) = (self.timestamp, self.position);
        self.timestamp = self.timestamp.wrapping_add(remote.codec.clock() / 50 * self.every);
        self.position += FRAME as u64 * u64::from(self.every);
        if self.muted || !remote.direction.sends() || self.cover.is_waiting() {
            return None;
        }
        let bytes = match self.key_packet(timestamp, remote.event_clock) {
            Some((started, marker, payload)) => match remote.telephone_event {
                Some(number) => self.packet(number, marker, started, &payload),
                None => {
                    let down = (payload[1] & 0x80 == 0).then_some(payload[0]);
                    let tone = keypad::tone(down, position, remote.codec)?;
                    self.packet(remote.payload_type, false, timestamp, &tone)
                }
            },
            None => {
                let (payload_type, marker) = (remote.payload_type, self.measured.sent == 0);
                let payload = self.frame(position, remote.codec)?;
                self.packet(payload_type, marker, timestamp, &payload)
            }
        };
        self.measured.sent += 1;
        Some(RtpOut { to: remote.rtp, bytes: self.sealed(bytes)? })
    }

    /// Takes a packet from the network.
    pub fn handle_rtp(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) {
        if is_dtls(bytes) {
            return self.measured.refused += u64::from(!self.cover.handle_datagram(bytes, now));
        }
        let mut bytes = bytes.to_vec();
        let Some(length) = self.cover.open_rtp(&mut bytes) else { return self.measured.refused += 1 };
        bytes.truncate(length);
        let Some(packet) = Parsed::read(&bytes) else { return };
        self.measured.from = Some(from);
        self.measured.sources.insert(packet.ssrc);
        let newest = self.measure(&packet, now);
        let Some(codec) = self.codec_of(&packet, now) else { return };
        if newest {
            self.check_clock(&packet, codec, now);
        }
        if self.ear.is_deaf() {
            return;
        }
        let samples = match codec {
            Codec::Pcmu => Some(PcmuDecoder::new().decode(packet.payload)),
            Codec::Pcma => Some(PcmaDecoder::new().decode(packet.payload)),
            Codec::G722 | Codec::Opus => self.wide.decode(codec, packet.payload),
        };
        self.ear.hear(&samples.unwrap_or_default(), now);
    }

    /// The figures so far.
    pub fn measured(&self) -> &Measured {
        &self.measured
    }

    /// The longest pause between packets that ended in `from..=to`; zero when every pause was under 40 ms.
    pub fn longest_gap(&self, from: Instant, to: Instant) -> Duration {
        let within = self.measured.gaps.iter().filter(|(end, _)| *end >= from && *end <= to);
        within.map(|(_, length)| *length).max().unwrap_or_default()
    }

    /// The codec of a packet that is audio; a key press is noted.
    fn codec_of(&mut self, packet: &Parsed<'_>, now: Instant) -> Option<Codec> {
        let remote = self.remote?;
        if remote.telephone_event == Some(packet.payload_type) {
            self.hear_key(packet, now);
            return None;
        }
        if remote.payload_type == packet.payload_type {
            return Some(remote.codec);
        }
        Codec::ALL.into_iter().find(|codec| codec.payload_type() == packet.payload_type)
    }

    fn frame(&mut self, position: u64, codec: Codec) -> Option<Arc<[u8]>> {
        if !codec.is_g711() {
            let samples = self.source.samples(position, 16_000)?;
            return self.wide.encode(codec, &samples).map(Arc::from);
        }
        if !self.source.repeats() {
            return self.source.frame(position, codec).map(Arc::from);
        }
        if self.repeated.as_ref().is_none_or(|(of, _)| *of != codec) {
            self.repeated = Some((codec, self.source.frame(position, codec)?.into()));
        }
        self.repeated.as_ref().map(|(_, frame)| Arc::clone(frame))
    }

    fn key_packet(&mut self, timestamp: u32, clock: u32) -> Option<(u32, bool, Vec<u8>)> {
        if self.pressing.is_none() {
            let (key, held) = self.keys.pop_front()?;
            let event = "0123456789*#ABCD".find(key)? as u8;
            let length = (held.as_millis() as u64 * u64::from(clock / 1000)).clamp(320, 65_000) as u16;
            self.pressing = Some(Press { event, started: timestamp, held: 0, length, ends: 0 });
        }
        let press = self.pressing.as_mut()?;
        let marker = press.held == 0;
        press.held = press.held.saturating_add((clock / 50) as u16).min(press.length);
        let ended = press.held >= press.length;
        press.ends += u8::from(ended);
        let press = *press;
        if press.ends == 3 {
            self.pressing = None;
        }
        let [high, low] = press.held.to_be_bytes();
        Some((press.started, marker, vec![press.event, if ended { 0x8a } else { 0x0a }, high, low]))
    }

    fn packet(&mut self, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = Vec::with_capacity(12 + payload.len());
        bytes.extend([0x80, payload_type | u8::from(marker) << 7]);
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(timestamp.to_be_bytes());
        bytes.extend(self.ssrc.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    /// Encrypted, where that was agreed.
    fn sealed(&mut self, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
        let length = bytes.len();
        bytes.resize(length + SRTP_ROOM, 0);
        let length = self.cover.seal_rtp(&mut bytes, length)?;
        bytes.truncate(length);
        Some(bytes)
    }

    fn hear_key(&mut self, packet: &Parsed<'_>, now: Instant) {
        let [event, flags, ..] = packet.payload else { return };
        let ended = flags & 0x80 != 0;
        if ended && self.last_key != Some(packet.timestamp) {
            self.last_key = Some(packet.timestamp);
            let key = b"0123456789*#ABCD".get(usize::from(*event)).copied().unwrap_or(b'?');
            self.measured.digits.push((now, char::from(key)));
        }
    }

    /// Counts the packet; false when a newer one had come before it.
    fn measure(&mut self, packet: &Parsed<'_>, now: Instant) -> bool {
        let measured = &mut self.measured;
        measured.received += 1;
        measured.first.get_or_insert(now);
        let pause = measured.last.map_or(Duration::ZERO, |last| now - last);
        if pause > Duration::from_millis(40) {
            measured.gaps.push((now, pause));
        }
        measured.last = Some(now);
        let step = self.highest.map_or(1, |highest| packet.sequence.wrapping_sub(highest) as i16);
        if step <= 0 {
            measured.lost = measured.lost.saturating_sub(u64::from(step < 0));
            return false;
        }
        measured.lost += step as u64 - 1;
        self.highest = Some(packet.sequence);
        true
    }

    fn check_clock(&mut self, packet: &Parsed<'_>, codec: Codec, now: Instant) {
        let per_ms = i64::from(codec.clock() / 1000);
        if let Some((timestamp, at)) = self.clock {
            let advanced = i64::from(packet.timestamp.wrapping_sub(timestamp) as i32);
            let passed = (now - at).as_millis() as i64 * per_ms;
            // 200 ms of slack: jitter moves arrivals, never the stream's own clock by more.
            if advanced <= 0 || (advanced - passed).abs() > 200 * per_ms {
                self.measured.timestamp_faults += 1;
            }
        }
        self.clock = Some((packet.timestamp, now));
    }
}

struct Parsed<'a> {
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload: &'a [u8],
}

impl<'a> Parsed<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (header, mut payload) = bytes.split_at_checked(12)?;
        if header[0] >> 6 != 2 {
            return None;
        }
        payload = payload.get(usize::from(header[0] & 15) * 4..)?;
        Some(Self {
            payload_type: header[1] & 0x7f,
            sequence: u16::from_be_bytes([header[2], header[3]]),
            timestamp: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
            ssrc: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Media, Media, RemoteMedia) {
        let mut ids = IdSource::from_u64(1);
        let at = "127.0.0.1:4000".parse().unwrap();
        let remote = RemoteMedia { telephone_event: Some(101), ..RemoteMedia::new(at, Codec::Pcma) };
        (Media::new(Source::Tone(600.0), &[], &mut ids), Media::new(Source::Nothing, &[600.0], &mut ids), remote)
    }

    #[test]
    fn what_one_says_the_other_hears_without_fault() {
        let (mut a, mut b, remote) = pair();
        a.connect(remote, Instant::ZERO);
        b.connect(remote, Instant::ZERO);
        for i in 0..100 {
            let now = Instant::from_millis(i * 20);
            if i == 50 {
                a.press('5', Duration::from_millis(100));
            }
            let packet = a.handle_timeout(now).unwrap();
            b.handle_rtp(packet.to, &packet.bytes, now);
        }
        let measured = b.measured();
        assert_eq!((measured.lost, measured.timestamp_faults, measured.sources.len()), (0, 0, 1));
        assert_eq!(measured.digits.len(), 1);
        assert_eq!(measured.digits[0].1, '5');
        assert!(b.ear.heard().iter().filter(|heard| heard.tones == [600.0]).count() > 28);
    }

    #[test]
    fn a_pause_and_a_jump_are_noticed() {
        let (mut a, mut b, remote) = pair();
        a.connect(remote, Instant::ZERO);
        for i in 0..60 {
            let now = Instant::from_millis(i * 20);
            let packet = a.handle_timeout(now).unwrap();
            if !(20..30).contains(&i) {
                b.handle_rtp(packet.to, &packet.bytes, now);
            }
        }
        assert_eq!(b.measured().lost, 10);
        assert_eq!(b.longest_gap(Instant::ZERO, Instant::from_millis(2_000)), Duration::from_millis(220));
        assert_eq!(b.measured().timestamp_faults, 0);
    }
}
