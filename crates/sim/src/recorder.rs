//! An external recorder (RFC 7866): it takes both streams of every recording session, and listens to them.

use crate::setup::{CALLER2, Party};
use call_model::{Codec, Instant};
use phone::Ear;
use rtp_proto::g711;
use sip_proto::{Flow, Transport};
use sip_wire::{Message, Method, Uri};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The recorder, where messages of parties are lost or late. It has no telephone.
pub const RECORDER: Party = CALLER2 + 1;
const IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 30));
/// Where its SIP lives.
pub(crate) const SIP: SocketAddr = SocketAddr::new(IP, 5060);
/// Where it takes the first stream; the second comes two ports on.
const RTP: u16 = 42_000;

/// What a recorder does with a recording session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SrsHabit {
    /// It takes it.
    Takes,
    /// It refuses it with this status.
    Refuses(u16),
    /// It says nothing, to nobody: it is dead.
    Ignores,
}

/// What it heard on one stream.
#[derive(Clone, Debug)]
pub struct Stream {
    /// What was to be heard.
    pub ear: Ear,
    /// Packets.
    pub packets: u64,
    /// Synchronisation sources; more than one means that the stream was broken.
    pub sources: BTreeSet<u32>,
    /// Payload types.
    pub types: BTreeSet<u8>,
    /// When the last packet came.
    pub last: Option<Instant>,
}

/// The recorder.
#[derive(Debug)]
pub struct Srs {
    /// What it does from now on.
    pub habit: SrsHabit,
    codec: Codec,
    /// Its two ports.
    pub streams: [Stream; 2],
    /// Every INVITE that it was sent, changes included, once each.
    pub invites: Vec<(Instant, Message)>,
    /// What it answered, for requests that come again.
    answers: BTreeMap<(String, String), Vec<u8>>,
    /// The latest session: how it came, and its INVITE.
    session: Option<(Flow, Message)>,
    /// Its own requests so far.
    requests: u32,
}

impl Srs {
    pub(crate) fn new(what: Option<(SrsHabit, Codec)>, ear: &Ear) -> Self {
        let (habit, codec) = what.unwrap_or((SrsHabit::Ignores, Codec::Pcmu));
        let stream =
            || Stream { ear: ear.unused(), packets: 0, sources: BTreeSet::new(), types: BTreeSet::new(), last: None };
        Self {
            habit,
            codec,
            streams: [stream(), stream()],
            invites: Vec::new(),
            answers: BTreeMap::new(),
            session: None,
            requests: 0,
        }
    }

    pub(crate) fn is_at(address: SocketAddr) -> bool {
        address.ip() == IP
    }

    /// What it is to be told; perhaps there is an answer.
    pub(crate) fn hear_sip(&mut self, flow: Flow, bytes: &[u8], now: Instant) -> Option<Vec<u8>> {
        let request = Message::parse_datagram(bytes).ok().filter(|_| self.habit != SrsHabit::Ignores)?;
        let method = request.method().filter(|method| **method != Method::Ack)?.clone();
        let name = (request.call_id().to_owned(), request.headers.get("CSeq")?.to_owned());
        if let Some(answer) = self.answers.get(&name) {
            return Some(answer.clone());
        }
        let answer = match (&method, self.habit) {
            (Method::Invite, SrsHabit::Refuses(status)) => request.response_to(status, "", Some("srs")),
            (Method::Invite, _) => self.take(flow, &request),
            _ => request.response_to(200, "", Some("srs")),
        };
        if method == Method::Invite {
            self.invites.push((now, request));
        }
        self.answers.insert(name, answer.to_bytes());
        Some(answer.to_bytes())
    }

    fn take(&mut self, flow: Flow, invite: &Message) -> Message {
        let offer = invite.body_part("application/sdp").map(|part| String::from_utf8_lossy(&part.bytes).into_owned());
        let mut answer = invite.response_to(200, "", Some("srs"));
        answer.headers.push("Contact", format!("<sip:srs@{SIP}>;+sip.srs"));
        answer.headers.push("Content-Type", "application/sdp");
        answer.body = self.describe(&offer.unwrap_or_default()).into_bytes();
        self.session = Some((flow, invite.clone()));
        answer
    }

    fn describe(&self, offer: &str) -> String {
        let mut sdp = format!("v=0\r\no=srs 1 1 IN IP4 {IP}\r\ns=-\r\nc=IN IP4 {IP}\r\nt=0 0\r\n");
        for (port, line) in (RTP..).step_by(2).zip(offer.split("\r\nm=").skip(1)) {
            let codec = self.codec.payload_type();
            let way = if line.contains("a=sendonly") { "recvonly" } else { "inactive" };
            let label = line.lines().find(|line| line.starts_with("a=label:")).unwrap_or("a=label:none");
            sdp += &format!("m=audio {port} RTP/AVP {codec}\r\n{label}\r\na={way}\r\n");
        }
        sdp
    }

    /// A request from it, and how it travels.
    pub(crate) fn request(&mut self, method: Method, (header, value): (&str, &str)) -> Option<(Flow, Vec<u8>)> {
        let (flow, invite) = self.session.clone()?;
        self.requests += 1;
        let number = self.requests;
        let target = invite.contact().ok().flatten().map(|contact| contact.uri);
        let mut request = Message::request(method.clone(), target.or(Uri::parse("sip:gateway.invalid").ok())?);
        let via = if flow.transport == Transport::Udp { "UDP" } else { "TCP" };
        let headers = &mut request.headers;
        headers.push("Via", format!("SIP/2.0/{via} {SIP};branch=z9hG4bKsrs{number}"));
        headers.push("Max-Forwards", "70");
        headers.push("From", format!("{};tag=srs", invite.headers.get("To")?.split(";tag=").next()?));
        headers.push("To", invite.headers.get("From")?);
        headers.push("Call-ID", invite.call_id());
        headers.push("CSeq", format!("{number} {method}"));
        headers.push("Contact", format!("<sip:srs@{SIP}>;+sip.srs"));
        headers.push(header, value);
        if header == "Content-Type" {
            request.body = b"whatever".to_vec();
        }
        Some((flow, request.to_bytes()))
    }

    /// A packet of a recorded stream.
    pub(crate) fn hear_rtp(&mut self, port: u16, packet: &[u8], now: Instant) {
        let place = usize::from(port.saturating_sub(RTP) / 2);
        let (Some(stream), Some((head, audio))) = (self.streams.get_mut(place), packet.split_at_checked(12)) else {
            return;
        };
        stream.packets += 1;
        stream.types.insert(head[1] & 0x7f);
        stream.sources.insert(u32::from_be_bytes([head[8], head[9], head[10], head[11]]));
        stream.last = Some(now);
        if head[1] & 0x7f == Codec::Pcma.payload_type() {
            let mulaw: Vec<u8> = audio.iter().map(|octet| g711::alaw_to_mulaw(*octet)).collect();
            stream.ear.hear_mulaw(&mulaw, now);
        } else {
            stream.ear.hear_mulaw(audio, now);
        }
    }
}
