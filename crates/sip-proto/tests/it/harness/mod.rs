//! Endpoints on a virtual clock, joined by a seeded network that loses and reorders. Every message any of them sends
//! is read by a second parser, `rsip`.
#![allow(unreachable_pub, missing_docs, reason = "for the tests beside it")]

pub mod peer;

use call_model::{Codec, Direction, IdSource, Instant, LocalMedia};
use core::net::SocketAddr;
use core::time::Duration;
use sip_proto::{
    Address, DialogEvent, DialogId, Endpoint, EndpointConfig, Flow, InviteRequest, Output, RegistrationEvent, SeenNote,
    SentNote, Transport,
};
use sip_wire::{Message, Uri};
use std::collections::BTreeMap;

pub const A: &str = "192.0.2.1:5060";
pub const B: &str = "192.0.2.2:5060";

/// What the network does to a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    pub loss_percent: u64,
    pub delay_ms: (u64, u64),
    pub twice_percent: u64,
}

pub const PERFECT: Network = Network { loss_percent: 0, delay_ms: (10, 10), twice_percent: 0 };

pub struct Node {
    pub endpoint: Endpoint,
    pub events: Vec<DialogEvent>,
    pub sent: Vec<SentNote>,
    pub seen: Vec<SeenNote>,
    /// Everything sent, readable.
    pub messages: Vec<Message>,
    pub dropped: Vec<String>,
    pub registrations: Vec<RegistrationEvent>,
    taken: usize,
}

pub struct World {
    pub now: Instant,
    pub nodes: BTreeMap<SocketAddr, Node>,
    pub network: Network,
    pub transport: Transport,
    /// Sent to addresses where nobody is: a test that plays a peer by hand reads them here.
    pub outside: Vec<(SocketAddr, Message)>,
    wire: BTreeMap<(Instant, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    /// Messages the test wants lost: consulted for each one sent.
    pub lose: Option<fn(&Message, usize) -> bool>,
    dice: IdSource,
    sequence: u64,
    /// Whether `rsip` reads along. It gives up on some of what a hostile peer makes us copy into a response.
    pub read_along: bool,
}

pub fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

impl World {
    pub fn new(seed: u64, network: Network) -> Self {
        let mut world = Self {
            now: Instant::from_millis(1000),
            nodes: BTreeMap::new(),
            network,
            transport: Transport::Udp,
            outside: Vec::new(),
            wire: BTreeMap::new(),
            lose: None,
            dice: IdSource::from_u64(seed),
            sequence: 0,
            read_along: true,
        };
        world.add(A, EndpointConfig::default());
        world.add(B, EndpointConfig::default());
        world
    }

    pub fn add(&mut self, at: &str, config: EndpointConfig) {
        let endpoint = Endpoint::new(config, self.dice.fork());
        let node = Node {
            endpoint,
            events: Vec::new(),
            sent: Vec::new(),
            seen: Vec::new(),
            messages: Vec::new(),
            dropped: Vec::new(),
            registrations: Vec::new(),
            taken: 0,
        };
        self.nodes.insert(address(at), node);
    }

    pub fn node(&mut self, at: &str) -> &mut Node {
        self.nodes.get_mut(&address(at)).expect("a node")
    }

    pub fn flow(&self, from: &str, to: &str) -> Flow {
        Flow { transport: self.transport, local: address(from), remote: address(to) }
    }

    pub fn roll(&mut self, bound: u64) -> u64 {
        self.dice.below(bound)
    }

    /// Runs a command on a node's endpoint, then lets its outputs out.
    pub fn on<T>(&mut self, at: &str, command: impl FnOnce(&mut Endpoint, Instant) -> T) -> T {
        let now = self.now;
        let result = command(&mut self.node(at).endpoint, now);
        self.pump();
        result
    }

    pub fn invite(&mut self, from: &str, to: &str) -> DialogId {
        let request = invite_request(self.flow(from, to), local(20_000));
        self.on(from, |endpoint, now| endpoint.invite(request, now))
    }

    /// Events of a node that were not taken yet.
    pub fn take(&mut self, at: &str) -> Vec<DialogEvent> {
        let node = self.node(at);
        let events = node.events[node.taken..].to_vec();
        node.taken = node.events.len();
        events
    }

    /// Delivers one packet or fires the timers of one instant. False when nothing is left or `until` comes first.
    pub fn step(&mut self, until: Instant) -> bool {
        let packet = self.wire.first_key_value().map(|((at, _), _)| *at);
        let timer = self.nodes.values().filter_map(|node| node.endpoint.poll_timeout()).map(|(at, _)| at).min();
        let Some(next) = packet.into_iter().chain(timer).min().filter(|next| *next <= until) else {
            return false;
        };
        self.now = self.now.max(next);
        if packet == Some(next) {
            let ((_, _), (from, to, bytes)) = self.wire.pop_first().expect("the packet just seen");
            self.deliver(from, to, &bytes);
        } else {
            let now = self.now;
            for node in self.nodes.values_mut() {
                node.endpoint.handle_timeout(now);
            }
        }
        self.pump();
        true
    }

    pub fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
        self.now = self.now.max(until);
    }

    /// Until nothing is left to happen; panics when that takes more than an hour of virtual time.
    pub fn run_to_silence(&mut self) {
        let until = self.now + Duration::from_secs(3600);
        while self.step(until) {}
        assert!(self.nodes.values().all(|node| node.endpoint.poll_timeout().is_none()), "timers for ever");
    }

    /// Runs until the node has an event the test waits for.
    pub fn run_until(&mut self, at: &str, wanted: impl Fn(&DialogEvent) -> bool) -> DialogEvent {
        let until = self.now + Duration::from_secs(200);
        loop {
            let node = self.node(at);
            while node.taken < node.events.len() {
                let event = node.events[node.taken].clone();
                node.taken += 1;
                if wanted(&event) {
                    return event;
                }
            }
            assert!(self.step(until), "the event never came: {:?}", self.node(at).events);
        }
    }

    /// A message from a peer played by hand.
    pub fn inject(&mut self, from: &str, to: &str, bytes: &[u8]) {
        self.deliver(address(from), address(to), bytes);
        self.pump();
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let (now, transport) = (self.now, self.transport);
        let Some(node) = self.nodes.get_mut(&to) else { return };
        let flow = Flow { transport, local: to, remote: from };
        match Message::parse_datagram(bytes) {
            Ok(message) => node.endpoint.handle_message(flow, message, now),
            Err(malformed) => node.endpoint.handle_malformed(flow, malformed, now),
        }
    }

    pub fn pump(&mut self) {
        let read_along = self.read_along;
        let addresses: Vec<_> = self.nodes.keys().copied().collect();
        for at in addresses {
            loop {
                let node = self.nodes.get_mut(&at).expect("a node");
                match node.endpoint.poll_output() {
                    None => break,
                    Some(Output::Event(event)) => node.events.push(event),
                    Some(Output::Seen(note)) => node.seen.push(note),
                    Some(Output::Dropped(why)) => node.dropped.push(why),
                    Some(Output::Registration(event)) => node.registrations.push(event),
                    Some(Output::Transmit { flow, bytes, note }) => {
                        let message = read(&bytes, read_along);
                        let count = node.sent.iter().filter(|sent| sent.what == note.what).count();
                        node.sent.push(note);
                        node.messages.push(message.clone());
                        self.carry(flow, bytes, message, count);
                    }
                }
            }
        }
    }

    fn carry(&mut self, flow: Flow, bytes: Vec<u8>, message: Message, count: usize) {
        if !self.nodes.contains_key(&flow.remote) {
            self.outside.push((flow.remote, message));
            return;
        }
        let lost_on_purpose = self.lose.is_some_and(|lose| lose(&message, count));
        if lost_on_purpose || self.dice.below(100) < self.network.loss_percent {
            return;
        }
        let copies = if self.dice.below(100) < self.network.twice_percent { 2 } else { 1 };
        for _ in 0..copies {
            let (least, most) = self.network.delay_ms;
            let delay = least + self.dice.below(most - least + 1);
            self.sequence += 1;
            let key = (self.now + Duration::from_millis(delay), self.sequence);
            self.wire.insert(key, (flow.local, flow.remote, bytes.clone()));
        }
    }

    /// Nothing is held any more.
    pub fn assert_empty(&self) {
        for (at, node) in &self.nodes {
            assert_eq!(node.endpoint.dialog_count(), 0, "dialogs left at {at}");
            assert_eq!(node.endpoint.transaction_count(), 0, "transactions left at {at}");
        }
    }
}

pub fn local(port: u16) -> LocalMedia {
    LocalMedia {
        rtp: SocketAddr::new([203, 0, 113, 10].into(), port),
        codecs: vec![Codec::Pcma, Codec::Pcmu],
        telephone_event: 101,
        direction: Direction::SendRecv,
        srtp: Default::default(),
    }
}

pub fn uri(text: &str) -> Uri {
    Uri::parse(text).expect("a URI")
}

pub fn invite_request(flow: Flow, local: LocalMedia) -> InviteRequest {
    InviteRequest {
        flow,
        request_uri: uri(&format!("sip:+442079460000@{}", flow.remote)),
        to: Address::new(uri("sip:+442079460000@gw.example.com;user=phone")),
        from: Address { display: Some("Alice \"A\"".to_owned()), uri: uri("sip:+447700900123@trunk.example.net") },
        max_forwards: 70,
        headers: vec![("Session-ID".to_owned(), "ab30317f1a784dc48ff824d0d3715d86".to_owned())],
        extra_part: None,
        local,
        second: None,
        late_offer: false,
        call_id: None,
    }
}

/// A calls B, which answers: the dialog as each of them knows it.
pub fn establish(world: &mut World) -> (DialogId, DialogId) {
    let a = world.invite(A, B);
    let b = dialog_of(&world.run_until(B, |event| matches!(event, DialogEvent::Incoming { .. }))).expect("a dialog");
    world.on(B, |endpoint, now| endpoint.accept(b, local(30_000), &[], now)).expect("a common codec");
    world.run_until(A, |event| matches!(event, DialogEvent::Answered { .. }));
    world.run_until(B, |event| matches!(event, DialogEvent::Confirmed { .. }));
    (a, b)
}

pub fn dialog_of(event: &DialogEvent) -> Option<DialogId> {
    use DialogEvent::*;
    match event {
        Incoming { dialog, .. }
        | Ringing { dialog, .. }
        | EarlyMedia { dialog, .. }
        | Answered { dialog, .. }
        | Confirmed { dialog, .. }
        | MediaChanged { dialog, .. }
        | ChangeRefused { dialog, .. }
        | MetadataWanted { dialog }
        | Failed { dialog, .. }
        | Cancelled { dialog, .. }
        | Ended { dialog, .. }
        | Late { dialog }
        | Referred { dialog, .. }
        | ReferAccepted { dialog, .. }
        | ReferRefused { dialog, .. }
        | ReferNotify { dialog, .. }
        | EarlierReferSucceeded { dialog }
        | ReferTimeout { dialog, .. }
        | Unsubscribed { dialog, .. }
        | Info { dialog, .. }
        | RequestDone { dialog, .. } => Some(*dialog),
        Pong { .. } => None,
    }
}

pub fn is_terminal(event: &DialogEvent) -> bool {
    use DialogEvent::*;
    matches!(event, Failed { .. } | Cancelled { .. } | Ended { .. } | Late { .. })
}

/// Both parsers must read what we send, to the same values.
fn read(bytes: &[u8], twice: bool) -> Message {
    use rsip::prelude::*;
    let ours = Message::parse_datagram(bytes).expect("we read what we write");
    if !twice {
        return ours;
    }
    let theirs = rsip::SipMessage::try_from(bytes.to_vec()).unwrap_or_else(|error| {
        panic!("rsip cannot read it: {error}\n{}", String::from_utf8_lossy(bytes));
    });
    assert_eq!(theirs.call_id_header().expect("Call-ID").value(), ours.call_id());
    let number = theirs.cseq_header().expect("CSeq").value().split(' ').next().map(str::to_owned);
    assert_eq!(number, Some(ours.cseq().expect("our CSeq").number.to_string()));
    let from = theirs.from_header().expect("From").typed().expect("typed From");
    assert_eq!(from.tag().map(ToString::to_string), ours.from_tag());
    let to = theirs.to_header().expect("To").typed().expect("typed To");
    assert_eq!(to.tag().map(ToString::to_string), ours.to_tag());
    let via = theirs.via_header().expect("Via").typed().expect("typed Via");
    assert_eq!(via.branch().map(ToString::to_string).as_deref(), ours.via().expect("our Via").branch());
    assert_eq!(theirs.body(), &ours.body);
    if let rsip::SipMessage::Request(request) = &theirs {
        assert_eq!(request.method.to_string(), ours.method().expect("a method").as_str());
    }
    ours
}
