//! The signalling of caller, callee and desk.

use crate::attack;
use crate::sip::{self, Dialog};
use crate::sys::BATCH;
use crate::traffic::{CALLEE_SIDE, CALLER_SIDE, Call, DESK_SIDE, Generator, Phase, SIDES};
use sip_wire::{Message, Method, Uri};
use std::net::SocketAddrV4;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// A request without answer is repeated after this, then twice, four times as long; then the call has failed.
pub(crate) const REPEAT: Duration = Duration::from_millis(500);
const MOST_TRIES: u32 = 6;

/// What the caller does.
impl Generator {
    pub(crate) fn invite(&mut self, prefix: char, now: Instant) -> usize {
        let number = self.calls.len();
        let user = format!("{prefix}{number}");
        let dialog = Dialog::new(self.series, number, &user, self.sides[CALLER_SIDE].sip_address, self.gateway);
        self.by_call_id.insert(dialog.call_id.clone(), number);
        let (phase, to, ticks) = (Phase::Inviting, [None; SIDES], [0; SIDES]);
        self.calls.push(Call { dialog, phase, sent: now, tries: 1, provisional: false, to, ticks });
        self.send_request(number);
        number
    }

    /// The caller asks for a human: a key, by INFO.
    pub(crate) fn press_zero(&self, number: usize) {
        let Some(call) = self.calls.get(number) else { return };
        self.send_sip(CALLER_SIDE, &call.dialog.info('0'), self.gateway);
    }

    pub(crate) fn bye(&mut self, number: usize, now: Instant) {
        self.end(number, Phase::Ending);
        let call = &mut self.calls[number];
        (call.sent, call.tries) = (now, 1);
        self.send_request(number);
    }

    fn end(&mut self, number: usize, phase: Phase) {
        self.calls[number].phase = phase;
        (0..SIDES).for_each(|side| self.falls_silent(number, side));
    }

    fn send_request(&self, number: usize) {
        let Some(call) = self.calls.get(number) else { return };
        let bytes = match call.phase {
            Phase::Ending => call.dialog.bye(),
            _ => call.dialog.invite(self.ear(number, CALLER_SIDE), self.events),
        };
        self.send_sip(CALLER_SIDE, &bytes, self.gateway);
    }

    fn send_sip(&self, side: usize, bytes: &[u8], to: SocketAddrV4) {
        // What is not sent is repeated.
        let _ = self.sides[side].sip.send_to(bytes, to);
    }

    pub(crate) fn repeat(&mut self, now: Instant) {
        for number in 0..self.calls.len() {
            let call = &mut self.calls[number];
            let waits = match call.phase {
                Phase::Inviting => !call.provisional,
                Phase::Ending => true,
                _ => false,
            };
            if waits && now.duration_since(call.sent) >= REPEAT * (1 << call.tries.min(MOST_TRIES)) / 2 {
                call.tries += 1;
                if call.tries > MOST_TRIES {
                    self.end(number, Phase::Failed);
                } else {
                    self.send_request(number);
                }
            }
        }
    }
}

/// What is heard.
impl Generator {
    pub(crate) fn read_sip(&mut self, side: usize, now: Instant) {
        loop {
            let count = self.inbound.read(self.sides[side].sip.as_fd());
            for k in 0..count {
                let (bytes, from, stamp) = self.inbound.datagram(k);
                let Ok(message) = Message::parse_datagram(bytes) else { continue };
                match (side, message.is_request()) {
                    (CALLER_SIDE, false) => self.caller_hears(&message, now),
                    (CALLER_SIDE, true) => self.caller_is_asked(&message, from),
                    (_, true) => self.callee_hears(side, &message, from, stamp),
                    _ => {}
                }
            }
            if count < BATCH {
                return;
            }
        }
    }

    fn caller_hears(&mut self, message: &Message, now: Instant) {
        let (Some(number), Some(code)) = (self.by_call_id.get(message.call_id()).copied(), message.code()) else {
            return;
        };
        let Ok(cseq) = message.cseq() else { return };
        match (cseq.method, code, self.calls[number].phase) {
            (Method::Invite, 100..200, Phase::Inviting) => self.calls[number].provisional = true,
            (Method::Invite, 200..300, phase) => {
                let call = &mut self.calls[number];
                call.dialog.answered(message);
                let ack = call.dialog.ack();
                if phase == Phase::Inviting {
                    call.to[CALLER_SIDE] = sip::media_address(&message.body);
                    (call.phase, call.sent) = (Phase::Up, now);
                    if let (Some(joins), Some(from)) = (&mut self.joins, call.to[CALLER_SIDE]) {
                        joins.call(from, number);
                    }
                    self.speaks(number, CALLER_SIDE);
                    self.speaks(number, CALLEE_SIDE);
                }
                self.send_sip(CALLER_SIDE, &ack, self.gateway);
            }
            (Method::Invite, _, Phase::Inviting) => {
                let call = &mut self.calls[number];
                call.dialog.answered(message);
                let ack = call.dialog.ack();
                self.send_sip(CALLER_SIDE, &ack, self.gateway);
                self.end(number, Phase::Failed);
            }
            (Method::Bye, 200.., Phase::Ending) => {
                self.end(number, if code < 300 { Phase::Over } else { Phase::Failed });
            }
            _ => {}
        }
    }

    /// The gateway wants something from the caller: that is no part of any run here, except its own BYE.
    fn caller_is_asked(&mut self, message: &Message, from: SocketAddrV4) {
        let known = self.by_call_id.get(message.call_id()).copied();
        let code = match (message.method(), known) {
            (Some(Method::Bye), Some(number)) => {
                self.end(number, Phase::Failed);
                200
            }
            (Some(Method::Options), _) => 200,
            (Some(Method::Ack), _) => return,
            _ => 501,
        };
        self.send_sip(CALLER_SIDE, &message.response_to(code, "", None).to_bytes(), from);
    }

    /// Callee and desk answer at once.
    fn callee_hears(&mut self, side: usize, message: &Message, from: SocketAddrV4, at: Option<u64>) {
        match message.method() {
            Some(Method::Ack) => {}
            Some(Method::Invite) => {
                if message.request_uri().and_then(Uri::user).is_some_and(|user| user.starts_with(attack::PREFIX)) {
                    // Nobody hears what is said in there: the next port is never read.
                    let ear = self.ear(0, side);
                    let nobody = SocketAddrV4::new(*ear.ip(), ear.port() + 1);
                    let answer = sip::accept(message, self.sides[side].sip_address, nobody, 0);
                    return self.send_sip(side, &answer, from);
                }
                let Some(number) = self.called(side, message) else {
                    return self.send_sip(side, &message.response_to(404, "", Some("callee")).to_bytes(), from);
                };
                if side == DESK_SIDE {
                    self.rung.extend(at.map(|at| (number, at)));
                    self.speaks(number, side);
                }
                self.legs.insert(message.call_id().to_owned(), (number, side));
                self.calls[number].to[side] = sip::media_address(&message.body);
                let ringing = message.response_to(180, "Ringing", Some(&format!("callee-{number}")));
                let answer = sip::accept(message, self.sides[side].sip_address, self.ear(number, side), number);
                self.send_sip(side, &ringing.to_bytes(), from);
                self.send_sip(side, &answer, from);
            }
            Some(method @ (Method::Bye | Method::Options)) => {
                if let (Method::Bye, Some((number, side))) = (method, self.legs.remove(message.call_id())) {
                    self.falls_silent(number, side);
                }
                self.send_sip(side, &message.response_to(200, "", None).to_bytes(), from);
            }
            _ => self.send_sip(side, &message.response_to(501, "", None).to_bytes(), from),
        }
    }

    /// Which call the gateway means: a bot is dialled by number, a desk is told the caller's `Call-ID`.
    fn called(&self, side: usize, invite: &Message) -> Option<usize> {
        let number = match side {
            DESK_SIDE => self.by_call_id.get(invite.headers.get("X-Call-ID")?.trim()).copied(),
            _ => invite.request_uri().and_then(sip::dialled),
        };
        number.filter(|number| *number < self.calls.len())
    }
}
