//! One leg: what is agreed with its peer, what it hears, who hears it.

use crate::api::{EngineConfig, FRAME, Packet};
use crate::codec::{self, Encoder};
use crate::cover::Cover;
use crate::dialler::Dialler;
use crate::dtmf::DigitDetector;
use crate::frame::{Frame, Rate};
use crate::g711::MULAW_SILENCE;
use crate::header::{Header, TelephoneEvent};
use crate::hearing::Hearing;
use crate::ice;
use crate::inband::ToneDetector;
use crate::keying::Means;
use crate::keys::Keys;
use crate::latch::{Admission, Latch};
use crate::outgoing::Outgoing;
use crate::playout::Playout;
use crate::quality;
use crate::reception::{Place, Reception};
use crate::resample::Converter;
use crate::rtcp::Heard;
use crate::speech::Speech;
use call_model::{Codec, IdSource, Instant, KeysBy, LegId, LegStats, Prompt, RemoteMedia, Role, Selector};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

/// The comfort noise payload type (RFC 3389), static for all 8000 Hz codecs.
const COMFORT_NOISE: u8 = 13;

/// A page without audio for so long may be gone.
const PAGE_SILENT_AFTER: Duration = Duration::from_secs(2);

/// Longest ClientHello that is kept until it is known whose it is.
const MOST_EARLY: usize = 1_500;

#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) id: LegId,
    pub(crate) kind: Kind,
    pub(crate) feed: Feed,
    /// Slots of the legs that hear this one.
    pub(crate) listeners: Vec<u32>,
    /// In the engine's list of paced legs.
    pub(crate) paced: bool,
    /// Whether somebody speaks on it.
    pub(crate) speech: Speech,
    /// For those who hear it at another rate.
    pub(crate) converter: Converter,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "legs are boxed as a whole, and most are RTP")]
pub(crate) enum Kind {
    Rtp(RtpLeg),
    Stream(StreamLeg),
    /// Hears what is recorded.
    Ear,
}

impl Leg {
    pub(crate) fn new(id: LegId, kind: Kind, now: Instant) -> Self {
        let mut leg = Self {
            id,
            kind,
            feed: Feed::new(Selector::Silence, now),
            listeners: Vec::with_capacity(4),
            paced: false,
            speech: Speech::default(),
            converter: Converter::default(),
        };
        leg.listen_to(Selector::Silence, now);
        leg
    }

    /// Whether it hears what is recorded: no keys, and everything on the tick, so that no gap shortens a recording.
    pub(crate) fn records(&self) -> bool {
        match &self.kind {
            Kind::Ear => true,
            Kind::Rtp(rtp) => rtp.records,
            Kind::Stream(_) => false,
        }
    }

    /// It hears something else from now on.
    pub(crate) fn listen_to(&mut self, selector: Selector, now: Instant) {
        self.feed = Feed::new(selector, now);
        if self.records() {
            self.feed.mix.get_or_insert_default();
        }
    }

    pub(crate) fn rtp(&self) -> Option<&RtpLeg> {
        match &self.kind {
            Kind::Rtp(rtp) => Some(rtp),
            Kind::Stream(_) | Kind::Ear => None,
        }
    }

    pub(crate) fn rtp_mut(&mut self) -> Option<(&mut RtpLeg, &mut Feed)> {
        match &mut self.kind {
            Kind::Rtp(rtp) => Some((rtp, &mut self.feed)),
            Kind::Stream(_) | Kind::Ear => None,
        }
    }

    /// The rate of what it is sent.
    pub(crate) fn rate(&self) -> Rate {
        self.rtp().and_then(RtpLeg::codec).map_or(Rate::Narrow, Rate::of)
    }

    /// Whether this leg hears the source on the tick, and not packet by packet.
    pub(crate) fn hears_by_tick(&self, source: &RtpLeg) -> bool {
        let Some(theirs) = source.codec() else { return false };
        match &self.kind {
            _ if self.feed.mix.is_some() => true,
            Kind::Ear => true,
            Kind::Stream(_) => !theirs.is_g711(),
            Kind::Rtp(rtp) => rtp.codec().is_some_and(|ours| !turns_into(theirs, ours)),
        }
    }

    /// Whether something must be read from it, or sent to it, every 20 ms.
    pub(crate) fn wants_pace(&self) -> bool {
        let speaks = match &self.kind {
            Kind::Stream(_) | Kind::Ear => true,
            Kind::Rtp(rtp) => rtp.hearing.is_some() || !rtp.dialler.is_idle(),
        };
        speaks || self.listens_by_tick()
    }

    /// Whether something that we make must be sent to it every 20 ms.
    pub(crate) fn listens_by_tick(&self) -> bool {
        match (&self.kind, self.feed.selector) {
            (Kind::Stream(_) | Kind::Ear, _) => true,
            (Kind::Rtp(rtp), _) if rtp.records => rtp.may_send(),
            (Kind::Rtp(rtp), Selector::Leg(_)) => self.feed.filling && rtp.may_send(),
            // A prompt goes on while the listener has us on hold, or nobody would ever learn that it is over.
            (Kind::Rtp(rtp), Selector::Prompt(_)) if !self.feed.played => rtp.peer.is_some() && !rtp.waits_for_keys(),
            (Kind::Rtp(rtp), _) => rtp.may_send(),
        }
    }

    pub(crate) fn stats(&self) -> LegStats {
        match &self.kind {
            Kind::Rtp(rtp) => rtp.stats(),
            Kind::Stream(stream) => LegStats {
                received: stream.played,
                sent: stream.sent,
                refused: stream.refused,
                last_received: stream.last_received,
                ..LegStats::default()
            },
            Kind::Ear => LegStats::default(),
        }
    }
}

/// What a leg hears.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) selector: Selector,
    /// The slots of the sources, those that are legs that are open. One, unless two are mixed.
    pub(crate) sources: [Option<u32>; 2],
    /// There exactly when two legs are mixed: what they said in these 20 ms.
    pub(crate) mix: Option<Box<[Option<Frame>; 2]>>,
    pub(crate) keys: Keys,
    /// For prompts and music at another rate.
    converter: Converter,
    /// Octets of prompt or music already played.
    position: usize,
    /// The prompt is over and was reported.
    pub(crate) played: bool,
    /// The source is quiet, so the listener gets silence.
    pub(crate) filling: bool,
    pub(crate) since: Instant,
}

impl Feed {
    pub(crate) fn new(selector: Selector, now: Instant) -> Self {
        Self {
            selector,
            sources: [None; 2],
            mix: matches!(selector, Selector::Mix(..)).then(Box::default),
            keys: Keys::default(),
            converter: Converter::default(),
            position: 0,
            played: false,
            filling: false,
            since: now,
        }
    }

    /// The one leg that is heard as it comes, if it is open.
    pub(crate) fn only_source(&self) -> Option<u32> {
        self.sources[0].filter(|_| self.mix.is_none())
    }

    /// Whether this leg is to be heard.
    pub(crate) fn wants(&self, leg: LegId) -> bool {
        legs_of(self.selector).contains(&Some(leg))
    }

    /// Which of the sources this is.
    pub(crate) fn input(&self, source: u32) -> Option<usize> {
        self.sources.iter().position(|slot| *slot == Some(source))
    }

    /// The next 20 ms of a prompt, music, a mix or silence, and the prompt that was over before it.
    pub(crate) fn next_frame(&mut self, config: &EngineConfig, rate: Rate) -> (Frame, Option<Prompt>) {
        if let Some(mix) = &mut self.mix {
            let mut sum = Frame::silence(rate);
            mix.iter_mut().filter_map(Option::take).filter(|said| said.rate() == rate).for_each(|said| sum.add(&said));
            return (sum, None);
        }
        let (mulaw, played) = self.next_played(config);
        let frame = mulaw.map(|mulaw| self.converter.convert(&Frame::from_mulaw(&mulaw), rate));
        (frame.unwrap_or(Frame::silence(rate)), played)
    }

    /// The next 20 ms of a prompt or music, if there are any, and the prompt that was over before.
    fn next_played(&mut self, config: &EngineConfig) -> (Option<[u8; FRAME]>, Option<Prompt>) {
        let mut frame = [MULAW_SILENCE; FRAME];
        match self.selector {
            Selector::Prompt(prompt) => {
                let audio = config.prompts.get(prompt);
                let rest = audio.get(self.position..).unwrap_or(&[]);
                if rest.is_empty() {
                    let over = !core::mem::replace(&mut self.played, true);
                    return (None, over.then_some(prompt));
                }
                let len = rest.len().min(FRAME);
                frame[..len].copy_from_slice(&rest[..len]);
                self.position += len;
            }
            Selector::Music if !config.music.is_empty() => {
                for octet in &mut frame {
                    *octet = config.music.get(self.position).copied().unwrap_or(MULAW_SILENCE);
                    self.position = (self.position + 1) % config.music.len();
                }
            }
            Selector::Music | Selector::Silence | Selector::Leg(_) | Selector::Mix(..) => return (None, None),
        }
        (Some(frame), None)
    }
}

/// The legs that a selector names.
pub(crate) fn legs_of(selector: Selector) -> [Option<LegId>; 2] {
    match selector {
        Selector::Leg(leg) => [Some(leg), None],
        Selector::Mix(one, other) => [Some(one), Some(other)],
        Selector::Prompt(_) | Selector::Music | Selector::Silence => [None; 2],
    }
}

/// Whether a payload of one codec can become the other's in its place.
pub(crate) fn turns_into(from: Codec, to: Codec) -> bool {
    from == to || from.is_g711() && to.is_g711()
}

/// A leg whose peer speaks RTP.
#[derive(Debug)]
pub(crate) struct RtpLeg {
    pub(crate) caller: bool,
    /// Its peer records what it hears, as an ear of ours does.
    pub(crate) records: bool,
    pub(crate) tapped: bool,
    allowed: Vec<(IpAddr, u8)>,
    pub(crate) peer: Option<Peer>,
    /// DTLS that came before the peer's description: it begins as soon as it has answered.
    pub(crate) early: Option<(SocketAddr, Vec<u8>)>,
    /// The codec before the last change, and until when its packets are still taken.
    former_codec: Option<(Codec, u8, Instant)>,
    pub(crate) reception: Option<Reception>,
    pub(crate) outgoing: Outgoing,
    pub(crate) digits: DigitDetector,
    /// How the peer is told of keys.
    pub(crate) keys_by: KeysBy,
    /// There where the peer sends no telephone-events.
    pub(crate) tones: Option<Box<ToneDetector>>,
    /// How and when it pressed its last key.
    pub(crate) last_key: Option<(Means, Instant)>,
    pub(crate) dialler: Dialler,
    /// Its audio made known, where packets alone do not do.
    pub(crate) hearing: Option<Box<Hearing>>,
    /// For what we send it on the tick.
    pub(crate) encoder: Encoder,
    /// The switchboard knows that packets come, and from where.
    pub(crate) flowing: bool,
    received: u64,
    pub(crate) refused: u64,
    pub(crate) last_received: Option<Instant>,
    /// Packets are expected since then.
    pub(crate) expecting_since: Option<Instant>,
    pub(crate) silences_reported: u32,
    pub(crate) round_trip: Option<Duration>,
    /// The peer's last report about our stream, and how many packets we had sent by then.
    pub(crate) heard: Option<(Heard, u64)>,
    /// SSRC and NTP of the peer's last sender report.
    pub(crate) last_report: Option<(u32, u32, Instant)>,
    /// Packets sent when we last reported.
    pub(crate) reported_packets: u64,
    pub(crate) armed: Armed,
}

/// Which of the leg's timers are in the heap.
#[derive(Debug, Default)]
pub(crate) struct Armed {
    pub(crate) fill: bool,
    pub(crate) silent: bool,
    pub(crate) digit_end: bool,
    pub(crate) rtcp: bool,
    /// When the last of them is due.
    pub(crate) handshake: Option<Instant>,
}

/// What is agreed and learned about the other side.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) media: RemoteMedia,
    pub(crate) latch: Latch,
    /// Where valid RTCP came from, and whether it came to the RTP port.
    pub(crate) rtcp_from: Option<(SocketAddr, bool)>,
    /// Where DTLS came from, which may be another place than RTP's as long as there was none.
    pub(crate) dtls_from: Option<SocketAddr>,
    pub(crate) cover: Cover,
}

impl Peer {
    pub(crate) fn seal_packet(&mut self, packet: &mut Packet) -> bool {
        packet.seal(|buffer, length| self.cover.seal_rtp(buffer, length))
    }

    /// Where RTCP goes, and whether from the RTP port (RFC 5761).
    pub(crate) fn rtcp_to(&self) -> (SocketAddr, bool) {
        if let Some(learned) = self.rtcp_from {
            return learned;
        }
        let current = self.latch.current();
        if self.media.rtcp == self.media.rtp {
            (current, true)
        } else if current == self.media.rtp {
            (self.media.rtcp, false)
        } else {
            (SocketAddr::new(current.ip(), current.port().saturating_add(1)), false)
        }
    }
}

/// A packet that was taken, and what it is.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) header: Header,
    pub(crate) place: Place,
    pub(crate) content: Content,
    /// How much of the timeline it takes.
    pub(crate) duration: Duration,
    /// The switchboard should know the address.
    pub(crate) flowing: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Content {
    Audio(Codec),
    Event(TelephoneEvent),
    ComfortNoise,
}

impl RtpLeg {
    pub(crate) fn new(role: Role, allowed: Vec<(IpAddr, u8)>, keys_by: KeysBy, ids: &mut IdSource) -> Self {
        Self {
            caller: role == Role::Caller,
            records: role == Role::Recorder,
            tapped: false,
            allowed,
            peer: None,
            early: None,
            former_codec: None,
            reception: None,
            outgoing: Outgoing::new(ids),
            digits: DigitDetector::default(),
            keys_by,
            tones: None,
            last_key: None,
            dialler: Dialler::default(),
            hearing: None,
            encoder: Encoder::Mulaw,
            flowing: false,
            received: 0,
            refused: 0,
            last_received: None,
            expecting_since: None,
            silences_reported: 0,
            round_trip: None,
            heard: None,
            last_report: None,
            reported_packets: 0,
            armed: Armed::default(),
        }
    }

    /// Another telephone takes the peer's place.
    pub(crate) fn forsake_peer(&mut self) {
        if let Some(peer) = &mut self.peer {
            peer.latch.forsake();
            peer.rtcp_from = None;
        }
    }

    /// Takes the agreed parameters.
    pub(crate) fn set_remote(&mut self, media: RemoteMedia, config: &EngineConfig, now: Instant) {
        let agreed = self.peer.as_ref().map(|peer| (peer.media.codec, peer.media.fec, peer.media.max_bitrate));
        if agreed != Some((media.codec, media.fec, media.max_bitrate)) {
            self.encoder = Encoder::new(&media);
        }
        let clock = media.codec.clock();
        self.outgoing.set_clock(clock);
        self.reception.iter_mut().for_each(|reception| reception.set_clock(clock));
        self.digits.set_clock(media.event_clock);
        let listens = self.keys_by == KeysBy::Rtp && media.telephone_event.is_none();
        self.tones = if listens { Some(self.tones.take().unwrap_or_default()) } else { None };
        match &mut self.peer {
            Some(peer) => {
                if peer.media.codec != media.codec {
                    let former = (peer.media.codec, peer.media.payload_type, now + config.codec_grace);
                    self.former_codec = Some(former);
                }
                if media.ice != peer.media.ice {
                    // Another page, or the same one on another network: whatever was known of where it is is over.
                    peer.latch = Latch::new(media.rtp, now, config.latch_window);
                    peer.rtcp_from = None;
                    peer.dtls_from = None;
                    self.flowing = false;
                    self.expecting_since = None;
                    // A page that is there again makes its keys anew, and its former self hears nothing any more.
                    if media.keying != peer.media.keying {
                        peer.cover = Cover::default();
                    }
                } else if peer.latch.announce(media.rtp, now, config.latch_window) {
                    peer.rtcp_from = None;
                    peer.dtls_from = None;
                    self.flowing = false;
                }
                peer.media = media;
            }
            none => {
                let latch = Latch::new(media.rtp, now, config.latch_window);
                *none = Some(Peer { media, latch, rtcp_from: None, dtls_from: None, cover: Cover::default() });
            }
        }
        self.peer.iter_mut().for_each(|peer| peer.cover.agree(media.keying, config.dtls.as_ref(), now));
        if !media.direction.receives() {
            self.expecting_since = None;
        } else if self.expecting_since.is_none() {
            self.expecting_since = Some(now);
            self.silences_reported = 0;
        }
    }

    /// When it is told that nothing comes. A browser sends in silence, too, and its human may have gone with it.
    pub(crate) fn silent_after(&self, usual: Duration) -> Duration {
        let browser = self.peer.as_ref().is_some_and(|peer| peer.media.ice.is_some());
        if browser { usual.min(PAGE_SILENT_AFTER) } else { usual }
    }

    /// What is agreed with the peer.
    pub(crate) fn codec(&self) -> Option<Codec> {
        self.peer.as_ref().map(|peer| peer.media.codec)
    }

    /// Whether RTP may leave now. `c=0.0.0.0` is the old way of asking for none (RFC 3264 §8.4).
    pub(crate) fn may_send(&self) -> bool {
        self.peer.as_ref().is_some_and(|peer| {
            let to = peer.latch.current();
            peer.media.direction.sends() && !to.ip().is_unspecified() && to.port() != 0 && !peer.cover.is_waiting()
        })
    }

    /// Whether its first keys are still being made, so that nobody would hear what is sent.
    pub(crate) fn waits_for_keys(&self) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.cover.is_waiting())
    }

    /// Judges a packet, and opens it. Whatever is not taken is counted as refused, unless it is a mere duplicate.
    pub(crate) fn receive(&mut self, from: SocketAddr, packet: &mut [u8], now: Instant) -> Option<Arrival> {
        let Some((header, content, admission)) = self.admit(from, packet, now) else {
            self.refused += 1;
            return None;
        };
        let event = matches!(content, Content::Event(_));
        let duration = self.duration(content, packet.get(header.payload.clone()).unwrap_or(&[]));
        let clock = self.codec().map_or(8_000, Codec::clock);
        let reception = self.reception.get_or_insert_with(|| Reception::new(&header, clock));
        let place = reception.accept(&header, event, now)?;
        if admission == Admission::Moves {
            self.flowing = false;
        }
        if let Some(peer) = &mut self.peer {
            peer.latch.confirm(from);
        }
        self.received += 1;
        self.last_received = Some(now);
        self.silences_reported = 0;
        let flowing = !core::mem::replace(&mut self.flowing, true);
        Some(Arrival { header, place, content, duration, flowing })
    }

    /// A browser's check, which shows where it is; the answer, when it is the peer's.
    pub(crate) fn receive_check(&mut self, from: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
        let peer = self.peer.as_mut()?;
        let check = ice::check(peer.media.ice.as_ref()?, from, datagram)?;
        peer.latch.prove(from, check.nominated);
        Some(check.answer)
    }

    /// A DTLS datagram, for a peer whose audio is to be covered by it. An association knows its peer by more than an
    /// address, but it must not take what a stranger sends before that.
    pub(crate) fn receive_dtls(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) {
        let taken = match &mut self.peer {
            Some(peer) if peer.latch.judge(from, &self.allowed, now) != Admission::Refused => {
                peer.dtls_from = Some(from);
                peer.cover.handle_datagram(datagram, now)
            }
            None if datagram.len() <= MOST_EARLY => {
                self.early = Some((from, datagram.to_vec()));
                true
            }
            Some(_) | None => false,
        };
        self.refused += u64::from(!taken);
    }

    fn admit(&mut self, from: SocketAddr, packet: &mut [u8], now: Instant) -> Option<(Header, Content, Admission)> {
        let peer = self.peer.as_mut().filter(|peer| peer.media.direction.receives())?;
        let admission = peer.latch.judge(from, &self.allowed, now);
        if admission == Admission::Refused {
            return None;
        }
        let length = peer.cover.open_rtp(packet)?;
        let packet = packet.get(..length)?;
        let peer = self.peer.as_ref()?;
        let header = Header::parse(packet)?;
        let content = self.content(&peer.media, &header, packet, now)?;
        Some((header, content, admission))
    }

    fn content(&self, media: &RemoteMedia, header: &Header, packet: &[u8], now: Instant) -> Option<Content> {
        let payload = packet.get(header.payload.clone()).filter(|payload| !payload.is_empty())?;
        let payload_type = header.payload_type;
        if payload_type == media.payload_type {
            return Some(Content::Audio(media.codec));
        }
        if payload_type == COMFORT_NOISE {
            return Some(Content::ComfortNoise);
        }
        if media.telephone_event == Some(payload_type) {
            return TelephoneEvent::parse(payload).map(Content::Event);
        }
        if let Some((codec, _, _)) =
            self.former_codec.filter(|(_, number, until)| payload_type == *number && now < *until)
        {
            return Some(Content::Audio(codec));
        }
        // Each side names the number it wants to receive, so a peer may use ours: any dynamic type that looks right.
        if payload_type == media.codec.payload_type() {
            return Some(Content::Audio(media.codec));
        }
        let looks_right = media.telephone_event.is_some() && payload_type >= 96 && payload.len() == 4;
        if looks_right { TelephoneEvent::parse(payload).map(Content::Event) } else { None }
    }

    fn duration(&self, content: Content, payload: &[u8]) -> Duration {
        match content {
            Content::Audio(codec) => codec::duration(codec, payload),
            Content::ComfortNoise => Duration::from_millis(20),
            Content::Event(event) => {
                let clock = self.peer.as_ref().map_or(8_000, |peer| peer.media.event_clock.max(1));
                Duration::from_micros(u64::from(event.duration) * 1_000_000 / u64::from(clock))
            }
        }
    }

    fn stats(&self) -> LegStats {
        let ms = |duration: Duration| duration.as_secs_f32() * 1000.0;
        let codec = self.codec().unwrap_or(Codec::Pcmu);
        let round_trip_ms = self.round_trip.map(ms);
        let (lost, jitter_ms) =
            self.reception.as_ref().map_or((0, 0.0), |reception| (reception.lost(), reception.jitter_ms()));
        let remote_jitter_ms = self.heard.map(|(heard, _)| heard.jitter as f32 * 1000.0 / codec.clock() as f32);
        let mos = |lost: f32, expected: u64, jitter_ms| {
            (expected > 0).then(|| quality::mos(codec, lost / expected as f32, jitter_ms, round_trip_ms))
        };
        LegStats {
            received: self.received,
            sent: self.outgoing.packets(),
            lost,
            jitter_ms,
            round_trip_ms,
            remote_loss: self.heard.map(|(heard, _)| heard.fraction_lost),
            remote_jitter_ms,
            mos: mos(lost as f32, self.received + lost, jitter_ms),
            remote_mos: self
                .heard
                .and_then(|(heard, sent)| mos(heard.lost as f32, sent, remote_jitter_ms.unwrap_or(0.0))),
            refused: self.refused,
            longest_gap_ms: ms(self.outgoing.longest_gap()),
            last_received: self.last_received,
        }
    }
}

/// A leg whose audio comes and goes over a bot's WebSocket.
#[derive(Debug)]
pub(crate) struct StreamLeg {
    pub(crate) playout: Playout,
    /// What the bot hears, until there are 20 ms of it.
    frame: [u8; FRAME],
    filled: usize,
    /// Last packet delivered, so that what comes after its time is dropped.
    newest: Option<(u32, Place)>,
    /// When the bot last heard its source.
    pub(crate) heard: Instant,
    pub(crate) played: u64,
    pub(crate) sent: u64,
    pub(crate) refused: u64,
    pub(crate) last_received: Option<Instant>,
}

impl StreamLeg {
    pub(crate) fn new(config: &EngineConfig, now: Instant) -> Self {
        Self {
            playout: Playout::new(config.stream_buffer, config.stream_preroll),
            frame: [MULAW_SILENCE; FRAME],
            filled: 0,
            newest: None,
            heard: now,
            played: 0,
            sent: 0,
            refused: 0,
            last_received: None,
        }
    }

    /// The bot hears something else from now on: nothing of the former source remains.
    pub(crate) fn switch(&mut self, now: Instant) {
        self.filled = 0;
        self.newest = None;
        self.heard = now;
    }

    /// Whether the packet is newer than those the bot has heard.
    pub(crate) fn take(&mut self, slot: u32, place: Place) -> bool {
        let late = self.newest.is_some_and(|(newest_slot, newest)| {
            newest_slot == slot && newest.epoch == place.epoch && place.extended <= newest.extended
        });
        if !late {
            self.newest = Some((slot, place));
        }
        !late
    }

    /// Appends audio and gives out each frame that is full.
    pub(crate) fn hear(&mut self, audio: &[u8], convert: impl Fn(u8) -> u8, mut full: impl FnMut([u8; FRAME])) {
        for octet in audio {
            self.frame[self.filled] = convert(*octet);
            self.filled += 1;
            if self.filled == FRAME {
                self.filled = 0;
                self.sent += 1;
                full(self.frame);
            }
        }
    }
}
