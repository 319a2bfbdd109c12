//! Two endpoints, a network between them that the octets make good or bad, and an application that does as they say.

use super::Dice;
use call_model::{Codec, Direction, IdSource, Instant, LocalMedia, SrtpUse};
use core::net::SocketAddr;
use core::time::Duration;
use sip_proto::{
    Address, DialogEvent, DialogId, Endpoint, EndpointConfig, Flow, InviteRequest, Output, RequestId, SubscriptionId,
    Transport,
};
use sip_wire::{Message, Uri};
use std::collections::BTreeMap;

const ADDRESSES: [([u8; 4], u16); 2] = [([192, 0, 2, 1], 5060), ([192, 0, 2, 2], 5060)];
const SETS: [&[Codec]; 5] = [
    &[Codec::Pcma, Codec::Pcmu],
    &[Codec::Pcmu],
    &[Codec::Opus, Codec::G722],
    &Codec::ALL,
    &[Codec::G722, Codec::Pcma],
];
const DIRECTIONS: [Direction; 4] = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];

/// One endpoint, and what its application holds.
pub(super) struct Side {
    pub(super) endpoint: Endpoint,
    pub(super) dialogs: Vec<DialogId>,
    pub(super) referred: Vec<RequestId>,
    pub(super) subscriptions: Vec<SubscriptionId>,
    pub(super) events: Vec<DialogEvent>,
}

/// What the network does now.
#[derive(Clone, Copy, Default)]
pub(super) struct Weather {
    /// One message in so many is lost; 0: none.
    pub(super) loses: u8,
    /// One in so many comes twice.
    pub(super) doubles: u8,
    /// Later messages may overtake, by so many milliseconds.
    pub(super) jitter: u8,
}

pub(super) struct Pair {
    pub(super) sides: [Side; 2],
    pub(super) weather: Weather,
    /// Everything sent, to be sent again with damage.
    pub(super) history: Vec<(usize, Vec<u8>)>,
    pub(super) now: Instant,
    wire: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    transport: Transport,
    sent: u64,
    /// What the descriptions of the first side look like when they arrive.
    pub(super) tamper: Option<Vec<u8>>,
}

fn address(side: usize) -> SocketAddr {
    SocketAddr::from(ADDRESSES[side])
}

pub(super) fn local(dice: &mut Dice<'_>) -> LocalMedia {
    let rtp = SocketAddr::from(([203, 0, 113, 10], 20_000 + 2 * u16::from(dice.octet())));
    let (codecs, direction) = (dice.pick(&SETS).to_vec(), dice.pick(&DIRECTIONS));
    LocalMedia { rtp, codecs, telephone_event: 101, direction, srtp: SrtpUse::Off }
}

impl Pair {
    pub(super) fn new(dice: &mut Dice<'_>) -> Self {
        let transport = dice.pick(&[Transport::Udp, Transport::Tcp]);
        let habits = dice.octet();
        let sides = [0, 1].map(|side| {
            let config = EndpointConfig {
                reliable: habits & 1 == 1,
                session_expires: if habits & 2 == 2 { 90 } else { 0 },
                peer_refreshes: habits & 4 == 4,
                ..EndpointConfig::default()
            };
            Side {
                endpoint: Endpoint::new(config, IdSource::from_u64(side)),
                dialogs: Vec::new(),
                referred: Vec::new(),
                subscriptions: Vec::new(),
                events: Vec::new(),
            }
        });
        Self {
            sides,
            weather: Weather::default(),
            history: Vec::new(),
            now: Instant::from_millis(1000),
            wire: BTreeMap::new(),
            transport,
            sent: 0,
            tamper: None,
        }
    }

    pub(super) fn flow(&self, side: usize) -> Flow {
        Flow { transport: self.transport, local: address(side), remote: address(1 - side) }
    }

    pub(super) fn invite(&mut self, side: usize, local: LocalMedia, late_offer: bool) {
        let uri = |text: &str| Uri::parse(text).expect("a URI");
        let request = InviteRequest {
            flow: self.flow(side),
            request_uri: uri("sip:a@192.0.2.9"),
            to: Address::new(uri("sip:a@example.com")),
            from: Address::new(uri("sip:b@example.com")),
            max_forwards: 70,
            headers: Vec::new(),
            extra_part: None,
            local,
            second: None,
            late_offer,
            call_id: None,
        };
        let dialog = self.on(side, |endpoint, now| endpoint.invite(request, now));
        self.sides[side].dialogs.push(dialog);
    }

    /// Runs a command, then lets out what it caused.
    pub(super) fn on<T>(&mut self, side: usize, command: impl FnOnce(&mut Endpoint, Instant) -> T) -> T {
        let result = command(&mut self.sides[side].endpoint, self.now);
        self.drain(side);
        result
    }

    /// A message comes to this side.
    pub(super) fn deliver(&mut self, to: usize, octets: &[u8]) {
        let flow = self.flow(to);
        self.on(to, |endpoint, now| match Message::parse_datagram(octets) {
            Ok(message) => endpoint.handle_message(flow, message, now),
            Err(malformed) => endpoint.handle_malformed(flow, malformed, now),
        });
    }

    fn drain(&mut self, from: usize) {
        while let Some(output) = self.sides[from].endpoint.poll_output() {
            match output {
                Output::Transmit { bytes, .. } => self.carry(from, bytes),
                Output::Event(event) => self.note(from, event),
                _ => {}
            }
        }
    }

    fn note(&mut self, side: usize, event: DialogEvent) {
        let place = &mut self.sides[side];
        match &event {
            DialogEvent::Incoming { dialog, .. } => place.dialogs.push(*dialog),
            DialogEvent::Referred { request, .. } => place.referred.push(*request),
            _ => {}
        }
        place.events.push(event);
    }

    fn carry(&mut self, from: usize, octets: Vec<u8>) {
        self.sent += 1;
        let octets = if from == 0 { self.tampered(octets) } else { octets };
        if self.history.len() < 64 {
            self.history.push((1 - from, octets.clone()));
        }
        let falls = |one_in: u8| one_in > 0 && self.sent.is_multiple_of(u64::from(one_in));
        if falls(self.weather.loses) && !self.transport.is_reliable() {
            return;
        }
        let late = u64::from(self.weather.jitter) * (self.sent * 7 % 5);
        for copy in 0..=u64::from(falls(self.weather.doubles)) {
            let at = self.now + Duration::from_millis(10 + late + copy);
            self.wire.insert((at, self.sent * 2 + copy), (1 - from, octets.clone()));
        }
    }

    fn tampered(&self, octets: Vec<u8>) -> Vec<u8> {
        let Some(tamper) = &self.tamper else { return octets };
        match Message::parse_datagram(&octets) {
            Ok(mut message) if !message.body.is_empty() => {
                super::sdp::edit(&mut message.body, &mut Dice(tamper));
                message.to_bytes()
            }
            _ => octets,
        }
    }

    /// Lets things happen for so long.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let packet = self.wire.first_key_value().map(|((at, _), _)| *at);
            let timer = self.sides.iter().filter_map(|side| side.endpoint.poll_timeout()).map(|(at, _)| at).min();
            let Some(next) = packet.into_iter().chain(timer).min().filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            if packet == Some(next) {
                let Some((_, (to, octets))) = self.wire.pop_first() else { break };
                self.deliver(to, &octets);
            } else {
                for side in 0..2 {
                    self.on(side, Endpoint::handle_timeout);
                }
            }
        }
        self.now = until;
    }

    /// Everybody hangs up and answers what waits; then nothing may be left.
    ///
    /// # Panics
    /// Something is left.
    pub(super) fn end(mut self) {
        self.weather = Weather::default();
        for _ in 0..4 {
            for side in 0..2 {
                for request in std::mem::take(&mut self.sides[side].referred) {
                    self.on(side, |endpoint, now| endpoint.respond(request, 603, "", &[], None, now));
                }
                for subscription in self.sides[side].subscriptions.clone() {
                    self.on(side, |endpoint, now| endpoint.notify_refer(subscription, 200, now));
                }
                for dialog in self.sides[side].dialogs.clone() {
                    self.on(side, |endpoint, now| endpoint.bye(dialog, None, now));
                }
            }
            self.pass(Duration::from_secs(200));
            let forgotten = |side: &Side| side.endpoint.poll_timeout().is_none() && side.endpoint.dialog_count() == 0;
            if self.sides.iter().all(forgotten) {
                break;
            }
        }
        for side in &self.sides {
            assert_eq!(side.endpoint.dialog_count(), 0, "dialogs are left");
            assert_eq!(side.endpoint.transaction_count(), 0, "transactions are left");
            assert_eq!(side.endpoint.poll_timeout(), None, "a timer is left");
        }
    }
}
