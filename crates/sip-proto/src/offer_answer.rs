//! Offer and answer (RFC 3264) for one audio stream and telephone-event, over `sdp-types` values.
//!
//! Pure and small: it neither knows which SIP message carries a description nor who may speak when; the dialog does.

use call_model::{Codec, Direction, Fingerprint, IdSource, Keying, LocalMedia, RemoteMedia, SrtpUse};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use sdp_types::{Attribute, Connection, Media, Origin, Session as Sdp, Time};

mod browser;
mod crypto;
mod pair;
mod secrecy;

pub use browser::answer_browser;

use secrecy::{Ours, Theirs};

/// What a peer offers, in the part we understand: its first usable audio stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// Where the peer wants RTP; port 0 when it offers no audio stream we could use.
    pub rtp: SocketAddr,
    /// Codecs we know, in the peer's order; may be empty.
    pub codecs: Vec<Codec>,
    /// Payload type of telephone-event, if offered.
    pub telephone_event: Option<u8>,
    /// What it leaves us to do, from our point of view.
    pub direction: Direction,
    /// Whether a stream may go unencrypted.
    plain: bool,
    /// Whether it gives keys for one.
    keyed: bool,
    /// Whether it names a certificate for one.
    certified: bool,
}

impl Offer {
    /// Reads an offer.
    ///
    /// # Errors
    /// [`Unusable::Malformed`] when it is no session description. Nothing usable in it is no error.
    pub(crate) fn parse(sdp: &[u8]) -> Result<Self, Unusable> {
        let sdp = Sdp::parse(sdp).map_err(|_| Unusable::Malformed)?;
        let streams: Vec<Stream> = sdp.medias.iter().filter_map(|media| Stream::read(&sdp, media)).collect();
        let suits = |srtp| streams.iter().any(|stream| stream.secrecy.suits(srtp));
        let (plain, keyed) = (suits(SrtpUse::Off), suits(SrtpUse::Required));
        let certified = suits(SrtpUse::Dtls(Fingerprint([0; 32])));
        Ok(streams.into_iter().next().map_or(
            Self {
                rtp: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
                codecs: Vec::new(),
                telephone_event: None,
                direction: Direction::Inactive,
                plain,
                keyed,
                certified,
            },
            |stream| Self {
                rtp: stream.rtp,
                telephone_event: stream.event(8_000).map(|(number, _)| number),
                direction: flip(stream.direction),
                codecs: stream.codecs.into_iter().map(|(codec, _)| codec).collect(),
                plain,
                keyed,
                certified,
            },
        ))
    }

    /// Whether it can be answered as far as encryption goes.
    pub const fn suits(&self, srtp: SrtpUse) -> bool {
        match srtp {
            SrtpUse::Off => self.plain,
            SrtpUse::Optional => self.plain || self.keyed,
            SrtpUse::Required => self.keyed,
            SrtpUse::Dtls(_) => self.certified,
        }
    }
}

/// Why a description cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unusable {
    /// Not a session description, or the answer to nothing.
    Malformed,
    /// No stream with a codec and an address family of ours, or none encrypted as it has to be.
    NoCommonCodec,
}

/// Our half of one session: what we last said, and what holds.
#[derive(Clone)]
pub(crate) struct Session {
    id: u64,
    version: u64,
    /// The description sent last, rendered with version 0: a different one means version + 1.
    sent: Option<Vec<u8>>,
    /// Our offer under way, and our description as of the last agreement, as they went out.
    offer: Vec<u8>,
    holds: Option<Vec<u8>>,
    lines: Vec<Line>,
    /// What our SDP says as of the last agreement.
    local: LocalMedia,
    offered: Option<LocalMedia>,
    agreed: Option<RemoteMedia>,
    numbers: Numbers,
    secrecy: Ours,
    /// Another audio stream, on a line of its own behind this one: there in a recording session (RFC 7866).
    second: Option<Box<Self>>,
}

/// Without what it says, for keys are in it.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.id).field("version", &self.version).finish_non_exhaustive()
    }
}

/// The payload types of this session that are not static; a number never changes its meaning (RFC 3264 §8.3.2).
#[derive(Clone, Copy, Debug)]
struct Numbers {
    opus: u8,
    /// Telephone-event on a clock of 8000, and of 48000 beside Opus.
    events: [Option<u8>; 2],
}

/// The dynamic number that is wanted, or the nearest below that is not taken.
fn other_than(wanted: u8, taken: &[u8]) -> u8 {
    (96..=wanted).rev().find(|number| !taken.contains(number)).unwrap_or(wanted)
}

/// The clocks of [`Numbers::events`].
const EVENT_CLOCKS: [u32; 2] = [8_000, 48_000];
/// What we call telephone-event on the clock of Opus.
const OPUS_EVENT: u8 = 110;

impl Numbers {
    fn ours(local: &LocalMedia) -> Self {
        let event = local.telephone_event;
        let opus = other_than(Codec::Opus.payload_type(), &[event]);
        Self { opus, events: [Some(event), Some(other_than(OPUS_EVENT, &[event, opus]))] }
    }

    fn of(stream: &Stream) -> Self {
        let opus = stream.codecs.iter().find(|(codec, _)| *codec == Codec::Opus).map(|(_, number)| *number);
        let event = |clock| stream.events.iter().find(|(_, of)| *of == clock).map(|(number, _)| *number);
        let taken: Vec<u8> = stream.events.iter().map(|(number, _)| *number).collect();
        let free = || other_than(Codec::Opus.payload_type(), &taken);
        Self { opus: opus.unwrap_or_else(free), events: EVENT_CLOCKS.map(event) }
    }

    const fn codec(&self, codec: Codec) -> u8 {
        match codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => codec.payload_type(),
            Codec::Opus => self.opus,
        }
    }

    /// The events to offer beside these codecs.
    fn events(&self, codecs: &[Codec]) -> Vec<(u8, u32)> {
        let known = self.events.into_iter().zip(EVENT_CLOCKS);
        known
            .filter_map(|(number, clock)| Some((number?, clock)))
            .filter(|(_, clock)| *clock == 8_000 || codecs.contains(&Codec::Opus))
            .collect()
    }
}

/// One `m=` line; their number and order never change within a session (RFC 3264 §8).
#[derive(Clone, PartialEq, Eq, Debug)]
enum Line {
    Audio { proto: String },
    Refused { media: String, proto: String, fmt: String },
}

impl Session {
    /// A session nothing was said in. Its `o=` session id and its keys come from `ids`.
    pub(crate) fn new(ids: &mut IdSource, local: LocalMedia) -> Self {
        // 32 bits, and versions from 1 on: every peer can count them, and they take few octets of a datagram.
        let name = ids.next_u64();
        let id = name >> 32;
        let proto = match local.srtp {
            SrtpUse::Off | SrtpUse::Optional => "RTP/AVP",
            SrtpUse::Required => "RTP/SAVP",
            SrtpUse::Dtls(_) => "UDP/TLS/RTP/SAVP",
        };
        Self {
            id,
            version: 1,
            sent: None,
            offer: Vec::new(),
            holds: None,
            lines: vec![Line::Audio { proto: proto.to_owned() }],
            numbers: Numbers::ours(&local),
            secrecy: Ours::new(ids.branch(name)),
            local,
            offered: None,
            agreed: None,
            second: None,
        }
    }

    /// What holds now.
    pub(crate) const fn agreed(&self) -> Option<RemoteMedia> {
        self.agreed
    }

    /// Our side as of the last agreement.
    pub(crate) const fn local(&self) -> &LocalMedia {
        &self.local
    }

    /// Whether an offer of ours waits for its answer.
    pub(crate) const fn is_offering(&self) -> bool {
        self.offered.is_some()
    }

    /// Makes an offer; the session stays as it is until [`answered`](Self::answered).
    pub(crate) fn offer(&mut self, local: LocalMedia) -> Vec<u8> {
        self.offer_both(local, None)
    }

    /// The same for both streams, where there are two; the other one stays as it is if nothing is said of it.
    pub(crate) fn offer_both(&mut self, local: LocalMedia, second: Option<LocalMedia>) -> Vec<u8> {
        let mut medias = self.propose(&local);
        if let Some(other) = &mut self.second {
            let local = second.unwrap_or_else(|| other.local.clone());
            medias.extend(other.propose(&local));
            other.offered = Some(local);
        }
        let sdp = self.describe(&local, medias);
        self.offered = Some(local);
        self.offer.clone_from(&sdp);
        sdp
    }

    /// Our lines of an offer.
    fn propose(&mut self, local: &LocalMedia) -> Vec<Media> {
        if self.agreed.is_none() {
            self.numbers = Numbers::ours(local);
        }
        let mut numbers = self.numbers;
        if numbers.events == [None; 2] {
            numbers.events = Numbers::ours(local).events;
        }
        self.secrecy.offer(local.srtp, self.agreed.map(|media| media.keying));
        let codecs: Vec<_> = local.codecs.iter().map(|codec| (*codec, numbers.codec(*codec))).collect();
        self.write(local, &codecs, &numbers.events(&local.codecs), local.direction)
    }

    /// Our description as of the last agreement.
    pub(crate) fn holding(&self) -> Option<Vec<u8>> {
        self.holds.clone()
    }

    /// Offers what holds once more, octet by octet (RFC 4028 §7.4); none before anything was agreed.
    pub(crate) fn repeat(&mut self) -> Option<(Vec<u8>, LocalMedia)> {
        let sdp = self.holds.clone()?;
        self.offered = Some(self.local.clone());
        if let Some(other) = &mut self.second {
            other.offered = Some(other.local.clone());
        }
        self.offer.clone_from(&sdp);
        Some((sdp, self.local.clone()))
    }

    /// Our offer was refused, or its transaction failed: what held before holds on.
    pub(crate) fn take_back(&mut self) {
        self.offered = None;
        if let Some(other) = &mut self.second {
            other.offered = None;
        }
    }

    /// The peer answered our offer.
    ///
    /// # Errors
    /// [`Unusable`]; what held before holds on.
    pub(crate) fn answered(&mut self, sdp: &[u8]) -> Result<RemoteMedia, Unusable> {
        let local = self.offered.take().ok_or(Unusable::Malformed)?;
        let sdp = Sdp::parse(sdp).map_err(|_| Unusable::Malformed)?;
        let ours = self.lines.iter().position(|line| matches!(line, Line::Audio { .. })).unwrap_or(0);
        let media = self.take_answer(&sdp, ours, local)?;
        if let Some(other) = &mut self.second {
            let local = other.offered.take().ok_or(Unusable::Malformed)?;
            other.take_answer(&sdp, ours + 1, local)?;
        }
        self.holds = Some(core::mem::take(&mut self.offer));
        Ok(media)
    }

    /// What an answer says on one of its lines.
    fn take_answer(&mut self, sdp: &Sdp, line: usize, local: LocalMedia) -> Result<RemoteMedia, Unusable> {
        let media = sdp.medias.get(line).ok_or(Unusable::NoCommonCodec)?;
        let stream = Stream::read(sdp, media).filter(|stream| stream.is_reachable_from(&local));
        let stream = stream.ok_or(Unusable::NoCommonCodec)?;
        let codec = stream.codecs.iter().copied().find(|(codec, _)| local.codecs.contains(codec));
        let keying = self.secrecy.answered(&stream.secrecy, local.srtp)?;
        let media = self.agree(&stream, codec.ok_or(Unusable::NoCommonCodec)?, local.direction, keying);
        self.local = local;
        self.agreed = Some(media);
        Ok(media)
    }

    /// What we send to and expect of this peer.
    fn agree(&self, stream: &Stream, codec: (Codec, u8), ours: Direction, keying: Option<Keying>) -> RemoteMedia {
        let media = stream.agree(codec, ours);
        let rtcp = if self.secrecy.is_muxed(&stream.secrecy, keying) { stream.rtp } else { media.rtcp };
        RemoteMedia { rtcp, keying, ..media }
    }

    /// Answers the peer's offer with what `local` allows (none: our side stays as it is).
    ///
    /// The codec in use stays if it is still offered; otherwise ours are tried in our order of preference. The answer
    /// names just that one, so that nobody changes codec without a new offer.
    ///
    /// # Errors
    /// [`Unusable`]; nothing changed, what held before holds on (RFC 3261 §14.2: 488).
    pub(crate) fn answer(
        &mut self,
        offer: &[u8],
        local: Option<LocalMedia>,
    ) -> Result<(Vec<u8>, RemoteMedia), Unusable> {
        let mut sdp = Sdp::parse(offer).map_err(|_| Unusable::Malformed)?;
        let second = self.answer_second(&mut sdp)?;
        let (mut medias, media) = self.respond(&sdp, local)?;
        if let Some((second, more)) = second {
            self.second = Some(second);
            medias.extend(more);
        }
        let answer = self.describe(&self.local.clone(), medias);
        self.holds = Some(answer.clone());
        Ok((answer, media))
    }

    /// Agrees to one of the streams of an offer, and refuses the others; gives our lines.
    fn respond(&mut self, sdp: &Sdp, local: Option<LocalMedia>) -> Result<(Vec<Media>, RemoteMedia), Unusable> {
        let local = local.unwrap_or_else(|| self.local.clone());
        let in_use = self.agreed.map(|media| media.codec);
        let keying = self.agreed.and_then(|media| media.keying);
        let preferred = || in_use.into_iter().chain(local.codecs.iter().copied());
        let choose = |stream: &Stream| {
            let offered = |codec: Codec| stream.codecs.iter().copied().find(|(offered, _)| *offered == codec);
            preferred().filter(|codec| local.codecs.contains(codec)).find_map(offered)
        };
        let found = sdp.medias.iter().enumerate().find_map(|(index, media)| {
            let stream = Stream::read(sdp, media).filter(|stream| stream.is_reachable_from(&local))?;
            let taken = stream.secrecy.take(local.srtp, keying)?;
            choose(&stream).map(|codec| (index, stream, codec, taken))
        });
        let (index, stream, codec, taken) = found.ok_or(Unusable::NoCommonCodec)?;
        self.lines = sdp.medias.iter().enumerate().map(|(i, media)| Line::read(media, i == index)).collect();
        self.numbers = Numbers::of(&stream);
        let keying = self.secrecy.answer(taken, &stream.secrecy, keying);
        let media = self.agree(&stream, codec, local.direction, keying);
        let event = stream.event(media.codec.clock());
        let medias = self.write(&local, &[codec], event.as_slice(), media.direction);
        self.local = local;
        self.agreed = Some(media);
        Ok((medias, media))
    }

    /// Our lines.
    fn write(
        &self,
        local: &LocalMedia,
        codecs: &[(Codec, u8)],
        events: &[(u8, u32)],
        direction: Direction,
    ) -> Vec<Media> {
        let secrecy = self.secrecy.attributes(local.srtp);
        self.lines.iter().map(|line| line.write(local, codecs, events, direction, &secrecy)).collect()
    }

    /// Renders what we say, with the version raised if and only if it differs from what we said last.
    fn describe(&mut self, local: &LocalMedia, mut medias: Vec<Media>) -> Vec<u8> {
        if self.second.is_some() {
            let label = |number: usize| Attribute { attribute: "label".to_owned(), value: Some(number.to_string()) };
            medias.iter_mut().zip(1..).for_each(|(media, number)| media.attributes.push(label(number)));
        }
        let mut sdp = Sdp {
            origin: Origin::with_ip_addr(self.id, 0, local.rtp.ip()),
            session_name: "-".to_owned(),
            session_description: None,
            uri: None,
            emails: Vec::new(),
            phones: Vec::new(),
            connection: Some(Connection::from_ip_addr(local.rtp.ip())),
            bandwidths: Vec::new(),
            times: vec![Time { start_time: 0, stop_time: 0, repeats: Vec::new() }],
            time_zones: Vec::new(),
            key: None,
            attributes: Vec::new(),
            medias,
        };
        let unversioned = render(&sdp);
        if self.sent.as_ref().is_some_and(|sent| *sent != unversioned) {
            self.version += 1;
        }
        self.sent = Some(unversioned);
        sdp.origin.sess_version = self.version;
        render(&sdp)
    }
}

impl Line {
    fn read(media: &Media, chosen: bool) -> Self {
        if chosen {
            Self::Audio { proto: media.proto.clone() }
        } else {
            Self::Refused { media: media.media.clone(), proto: media.proto.clone(), fmt: media.fmt.clone() }
        }
    }

    fn write(
        &self,
        local: &LocalMedia,
        codecs: &[(Codec, u8)],
        events: &[(u8, u32)],
        direction: Direction,
        secrecy: &[Attribute],
    ) -> Media {
        let blank = |media: &str, port, proto: &str, fmt: String, attributes| Media {
            media: media.to_owned(),
            port,
            num_ports: None,
            proto: proto.to_owned(),
            fmt,
            media_title: None,
            connections: Vec::new(),
            bandwidths: Vec::new(),
            key: None,
            attributes,
        };
        match self {
            Self::Refused { media, proto, fmt } => blank(media, 0, proto, fmt.clone(), Vec::new()),
            Self::Audio { proto } => {
                let types = codecs.iter().map(|(_, number)| number).chain(events.iter().map(|(number, _)| number));
                let fmt = types.map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
                let attributes = secrecy.iter().cloned().chain(audio_attributes(codecs, events, direction)).collect();
                blank("audio", local.rtp.port(), proto, fmt, attributes)
            }
        }
    }
}

fn audio_attributes(codecs: &[(Codec, u8)], events: &[(u8, u32)], direction: Direction) -> Vec<Attribute> {
    let attribute = |name: &str, value: String| Attribute { attribute: name.to_owned(), value: Some(value) };
    let mut attributes = Vec::new();
    for (codec, number) in codecs {
        // Opus always names two channels, whatever it carries (RFC 7587 §7).
        let channels = if *codec == Codec::Opus { "/2" } else { "" };
        attributes.push(attribute("rtpmap", format!("{number} {}/{}{channels}", codec.name(), codec.clock())));
        if *codec == Codec::Opus {
            attributes.push(attribute("fmtp", format!("{number} minptime=10;useinbandfec=1")));
        }
    }
    for (number, clock) in events {
        attributes.push(attribute("rtpmap", format!("{number} telephone-event/{clock}")));
        attributes.push(attribute("fmtp", format!("{number} 0-15")));
    }
    attributes.push(attribute("ptime", "20".to_owned()));
    attributes.push(Attribute { attribute: direction_name(direction).to_owned(), value: None });
    attributes
}

fn render(sdp: &Sdp) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    // Writing to a Vec cannot fail; were it to, an empty body is the visible outcome.
    if sdp.write(&mut out).is_err() {
        out.clear();
    }
    out
}

/// One audio stream of a peer's description, as far as it is usable.
struct Stream {
    rtp: SocketAddr,
    rtcp: SocketAddr,
    /// Codecs we know, under the numbers that the peer gives them.
    codecs: Vec<(Codec, u8)>,
    /// Telephone-events and their clocks.
    events: Vec<(u8, u32)>,
    /// What it wants of Opus.
    fec: bool,
    max_bitrate: Option<u32>,
    /// From the peer's point of view.
    direction: Direction,
    secrecy: Theirs,
}

impl Stream {
    /// None when it is not audio over RTP or SRTP, is switched off (port 0), or has no unicast address.
    fn read(sdp: &Sdp, media: &Media) -> Option<Self> {
        let is_one = |of: [&str; 2]| of.iter().any(|proto| media.proto.eq_ignore_ascii_case(proto));
        let secure = is_one(["RTP/SAVP", "RTP/SAVPF"]) || is_one(["UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"]);
        if !media.media.eq_ignore_ascii_case("audio") || media.port == 0 || !secure && !is_one(["RTP/AVP", "RTP/AVPF"])
        {
            return None;
        }
        let connection = media.connections.first().or(sdp.connection.as_ref())?;
        let ip = connection.try_address().ok()?.ip;
        if ip.is_multicast() {
            return None;
        }
        let rtp = SocketAddr::new(ip, media.port);
        let mut direction = read_direction(&media.attributes).or_else(|| read_direction(&sdp.attributes));
        if ip.is_unspecified() {
            // Hold as RFC 2543 had it (RFC 3264 §8.4): send nothing.
            direction = Some(both(direction.unwrap_or_default(), Direction::SendOnly));
        }
        Some(Self {
            rtp,
            rtcp: read_rtcp(media, rtp),
            fec: format_parameter(media, "useinbandfec") == Some(1),
            max_bitrate: format_parameter(media, "maxaveragebitrate"),
            codecs: read_codecs(media),
            events: read_events(media),
            direction: direction.unwrap_or_default(),
            secrecy: Theirs::read(sdp, media, secure),
        })
    }
}

impl Stream {
    /// The telephone-event on this clock, else one on another: some offer only 8000 beside Opus.
    fn event(&self, clock: u32) -> Option<(u8, u32)> {
        self.events.iter().copied().find(|(_, of)| *of == clock).or(self.events.first().copied())
    }

    /// The same, but for encryption.
    fn agree(&self, (codec, payload_type): (Codec, u8), ours: Direction) -> RemoteMedia {
        let event = self.event(codec.clock());
        RemoteMedia {
            rtcp: self.rtcp,
            payload_type,
            fec: self.fec,
            max_bitrate: self.max_bitrate,
            telephone_event: event.map(|(number, _)| number),
            event_clock: event.map_or(codec.clock(), |(_, clock)| clock),
            direction: both(flip(self.direction), ours),
            ..RemoteMedia::new(self.rtp, codec)
        }
    }

    /// Whether our RTP gets there: IPv4 and IPv6 do not reach each other.
    fn is_reachable_from(&self, local: &LocalMedia) -> bool {
        // 0.0.0.0 is nowhere in either: a hold.
        self.rtp.ip().is_unspecified() || self.rtp.is_ipv4() == local.rtp.is_ipv4()
    }
}

fn payload_types(media: &Media) -> impl Iterator<Item = u8> {
    media.fmt.split_ascii_whitespace().filter_map(|text| text.parse().ok()).filter(|number| *number < 128)
}

/// Encoding name and clock of a payload type: `a=rtpmap`, or the static assignment (RFC 3551 §6).
fn encoding(media: &Media, number: u8) -> Option<(String, u32)> {
    let mapped = attribute_values(media, "rtpmap").find_map(|value| {
        let (payload_type, encoding) = value.trim().split_once(char::is_whitespace)?;
        if payload_type.parse() != Ok(number) {
            return None;
        }
        let mut parts = encoding.trim().split('/');
        let name = parts.next()?.to_ascii_uppercase();
        Some((name, parts.next()?.trim().parse().ok()?))
    });
    mapped.or(match number {
        0 => Some(("PCMU".to_owned(), 8000)),
        8 => Some(("PCMA".to_owned(), 8000)),
        9 => Some(("G722".to_owned(), 8000)),
        _ => None,
    })
}

fn read_codecs(media: &Media) -> Vec<(Codec, u8)> {
    let mut codecs: Vec<(Codec, u8)> = Vec::new();
    for number in payload_types(media) {
        let Some((name, clock)) = encoding(media, number) else { continue };
        let is_it = |codec: &Codec| {
            // Some call G.722's clock by its sampling rate, which RFC 3551 §4.5.2 forbids.
            let clock_fits = clock == codec.clock() || *codec == Codec::G722 && clock == 16_000;
            let number_fits = number == codec.payload_type() || *codec == Codec::Opus && number >= 96;
            name.eq_ignore_ascii_case(codec.name()) && clock_fits && number_fits
        };
        let codec = Codec::ALL.into_iter().find(is_it);
        if let Some(codec) = codec.filter(|codec| codecs.iter().all(|(known, _)| known != codec)) {
            codecs.push((codec, number));
        }
    }
    codecs
}

fn read_events(media: &Media) -> Vec<(u8, u32)> {
    let clock = |number| encoding(media, number).filter(|(name, _)| name == "TELEPHONE-EVENT").map(|(_, clock)| clock);
    let events = payload_types(media).filter_map(|number| Some((number, clock(number)?)));
    events.filter(|(_, clock)| EVENT_CLOCKS.contains(clock)).collect()
}

/// A number among the format parameters of Opus, the only codec of ours that has any.
fn format_parameter(media: &Media, name: &str) -> Option<u32> {
    let (_, opus) = read_codecs(media).into_iter().find(|(codec, _)| *codec == Codec::Opus)?;
    let parameters = attribute_values(media, "fmtp").find_map(|value| {
        let (number, parameters) = value.trim().split_once(char::is_whitespace)?;
        (number.parse() == Ok(opus)).then_some(parameters)
    })?;
    parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        if key.trim().eq_ignore_ascii_case(name) { value.trim().parse().ok() } else { None }
    })
}

/// `a=rtcp:port [IN IP4 address]` (RFC 3605), else the next port. Where rtcp-mux was agreed to, it does not hold.
fn read_rtcp(media: &Media, rtp: SocketAddr) -> SocketAddr {
    let next = SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1));
    let Some(value) = attribute_values(media, "rtcp").next() else { return next };
    let mut words = value.split_ascii_whitespace();
    let Some(port) = words.next().and_then(|word| word.parse::<u16>().ok()).filter(|port| *port != 0) else {
        return next;
    };
    let ip = words.nth(2).and_then(|word| word.parse::<IpAddr>().ok()).filter(|ip| !ip.is_multicast());
    SocketAddr::new(ip.unwrap_or(rtp.ip()), port)
}

fn attribute_values<'a>(media: &'a Media, name: &'a str) -> impl Iterator<Item = &'a str> {
    media.attributes.iter().filter(move |a| a.attribute.eq_ignore_ascii_case(name)).filter_map(|a| a.value.as_deref())
}

const DIRECTIONS: [(&str, Direction); 4] = [
    ("sendrecv", Direction::SendRecv),
    ("sendonly", Direction::SendOnly),
    ("recvonly", Direction::RecvOnly),
    ("inactive", Direction::Inactive),
];

fn read_direction(attributes: &[Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|attribute| {
        DIRECTIONS.iter().find(|(name, _)| attribute.attribute.eq_ignore_ascii_case(name)).map(|(_, d)| *d)
    })
}

fn direction_name(direction: Direction) -> &'static str {
    DIRECTIONS.iter().find(|(_, d)| *d == direction).map_or("inactive", |(name, _)| name)
}

const fn direction(sends: bool, receives: bool) -> Direction {
    match (sends, receives) {
        (true, true) => Direction::SendRecv,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::RecvOnly,
        (false, false) => Direction::Inactive,
    }
}

/// The same direction seen from the other end.
const fn flip(d: Direction) -> Direction {
    direction(d.receives(), d.sends())
}

/// What both allow.
const fn both(a: Direction, b: Direction) -> Direction {
    direction(a.sends() && b.sends(), a.receives() && b.receives())
}

/// Whether a description puts the other side on hold, for the trace. Cheap: it does not parse.
pub(crate) fn is_hold(sdp: &[u8]) -> bool {
    [b"a=sendonly" as &[u8], b"a=inactive", b"c=IN IP4 0.0.0.0"].iter().any(|line| says(sdp, line))
}

/// Whether this is one of its lines.
pub(crate) fn says(sdp: &[u8], line: &[u8]) -> bool {
    sdp.split(|byte| *byte == b'\n').any(|other| other.trim_ascii() == line)
}

#[cfg(test)]
mod tests;
