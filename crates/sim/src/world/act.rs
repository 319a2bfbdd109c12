//! The script: what is done on purpose.

use super::{AWAKE, FRAME, Item, Loss, World, gateway_sip};
use crate::script::{Click, Do, PageHabit};
use crate::setup::{GATEWAY, Party, TRUNK, register_request, rtp_of, sip_of};
use crate::witness::Did;
use call_model::{BotEvent, DeskAction, DeskId, HandoffId, Instant, PopUpdate};
use sip_proto::Flow;
use std::net::SocketAddr;

impl World {
    pub(super) fn act(&mut self, what: Do) {
        let now = self.now;
        self.thought = true;
        self.liven();
        match what {
            Do::Dial(user) => self.dial(TRUNK, user, vec![]),
            Do::DialFrom(party, user) => self.dial(party, user, vec![]),
            Do::DialWith(user, headers) => {
                let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value));
                self.dial(TRUNK, user, headers.collect());
            }
            Do::DialFor(user, dialled) => {
                let called = ("P-Called-Party-ID".to_owned(), format!("<sip:{dialled}@trunk.invalid>"));
                self.dial(TRUNK, user, vec![called]);
            }
            Do::Datagram(party, bytes) => {
                let flow = Flow { transport: self.transport, local: gateway_sip(), remote: sip_of(party) };
                self.carry_sip((party, true), flow.transport, bytes, |bytes| Item::SipToGateway(flow, bytes));
            }
            Do::Noise(party, bytes) => {
                for port in self.ports.keys().copied().collect::<Vec<_>>() {
                    let (from, to) = (rtp_of(party), SocketAddr::new(GATEWAY, port));
                    self.push(now, Item::Rtp { from, to, bytes: bytes.clone() });
                }
            }
            Do::Lose(party, what, times) => self.losses.push(Loss { party, to_gateway: true, what, times }),
            Do::LoseTo(party, what, times) => self.losses.push(Loss { party, to_gateway: false, what, times }),
            Do::Arrange(expected, spacing) => {
                self.arrangement = Some(super::arrange::Arrangement::new(expected, spacing));
            }
            Do::Stop { party, loud } => {
                self.witness.note(Did::Stopped(party), now);
                self.stopped[party] = Some(loud);
                self.wakes[party] = None;
                if let Some(verdict) = self.verdict_of(party) {
                    verdict.dials();
                }
            }
            Do::Answer(party, what, status, times) => self.stand_ins.answers.push((party, what, status, times)),
            Do::Unreachable(party) => {
                let flow = Flow { transport: self.transport, local: gateway_sip(), remote: sip_of(party) };
                self.switchboard.handle_flow_failed(flow, now);
            }
            Do::Fork(party) => self.forks.push(party),
            Do::Delay(party, inward, by) => self.delays.push((party, inward, by)),
            Do::Register(party, expires) => {
                let request = register_request(party, self.transport, expires);
                self.with_phone(party, |phone| phone.register(request, now));
            }
            Do::SignOff(party) => self.with_phone(party, |phone| phone.sign_off(now)),
            Do::Recorder(habit) => self.srs.habit = habit,
            Do::RecorderSends(method, header, value) => {
                if let Some((flow, bytes)) = self.srs.request(method, (header, value)) {
                    self.carry_to_gateway(flow, bytes);
                }
            }
            Do::HangUp(party) => {
                self.witness.note(Did::HungUp(party), now);
                if let Some(verdict) = self.verdict_of(party) {
                    verdict.down(now);
                }
                self.with_phone(party, |phone| phone.hang_up(now));
            }
            Do::Press(party, key) => {
                // Pressed too early, it is heard as soon as somebody listens.
                self.witness.note(Did::Pressed(party, key), now);
                self.lively_until = now + AWAKE * 3;
                self.phones[party].press(key);
            }
            Do::Hold(party, direction) => {
                // Asked before the call is up, it is done as soon as it is; asked without one, not at all.
                let busy = self.phones[party].is_busy();
                if busy {
                    self.witness.note(Did::Held(party, direction), now);
                }
                if let Some(verdict) = self.verdict_of(party).filter(|_| busy) {
                    verdict.asked(direction, now);
                }
                self.with_phone(party, |phone| phone.hold(direction, now));
            }
            Do::Update(party, direction) => {
                if let Some(verdict) = self.verdict_of(party) {
                    verdict.asked(direction, now);
                }
                self.with_phone(party, |phone| phone.update(direction, now));
            }
            Do::Mute(party, muted) => {
                self.witness.note(Did::Muted(party, muted), now);
                self.phones[party].media.mute(muted);
            }
            Do::Arrival(party, arrival) => self.phones[party].on_arrival(arrival),
            Do::Refer(party, to) => self.with_phone(party, |phone| phone.refer(&to, now)),
            Do::AfterRefer(party, what) => self.phones[party].after_refer(what),
            Do::TakeOver(party, of, early_only) => self.take_over(party, of, early_only),
            Do::Consult(party, whom) => {
                if let Ok(uri) = sip_wire::Uri::parse(&format!("sip:desk@{}", sip_of(whom))) {
                    self.with_phone(party, |phone| phone.consult(&uri, sip_of(whom), now));
                }
            }
            Do::ConsultThrough(party, user) => {
                if let Ok(uri) = sip_wire::Uri::parse(&format!("sip:{user}@{GATEWAY}")) {
                    self.with_phone(party, |phone| phone.consult(&uri, gateway_sip(), now));
                }
            }
            Do::ReferToConsult(party) => self.with_phone(party, |phone| phone.refer_to_consult(now)),
            Do::Page(click) => self.click(click),
            Do::Fact(fact) => {
                if matches!(fact, call_model::FactKind::Introduced) {
                    self.witness.note(Did::Introduced, now);
                }
                let call = self.switchboard.calls().next().map(|call| call.id);
                if let Some(call) = call {
                    self.switchboard.handle_fact(call, fact, now);
                }
            }
            Do::BotSays(millis, mark) => {
                if let Some(leg) = self.streams.first().copied() {
                    let frames = millis / FRAME.as_millis() as u32;
                    (0..frames).for_each(|_| self.media.handle_stream_audio(leg, &self.bot_frame, now));
                    self.media.handle_stream_mark(leg, mark.to_owned(), now);
                }
            }
            Do::BotGone { finished } => {
                if let Some(leg) = self.streams.pop_first() {
                    self.witness.note(Did::BotGone { finished }, now);
                    let event =
                        if finished { BotEvent::Finished } else { BotEvent::Down { why: "connection reset".into() } };
                    self.switchboard.handle_bot(leg, event, now);
                }
            }
            Do::HandBack(notes) => self.hand_back(notes),
            Do::Control(action) => self.control(action),
            Do::Decline(reason) => {
                if let Some((desk, handoff)) = self.shown() {
                    let action = DeskAction::Declined { handoff, reason: reason.to_owned() };
                    let _too_late = self.switchboard.handle_desk(&desk, action, self.now);
                }
            }
            Do::State(desk, state) => {
                self.switchboard.handle_state(&DeskId(desk.to_owned()), state, now);
            }
            Do::PageGone => {
                self.witness.note(Did::PageGone, now);
                self.page = PageHabit::Closed;
            }
            Do::ModelGone => self.witness.note(Did::ModelGone, now),
            Do::Restart => self.restart(),
            Do::Drain => {
                self.witness.note(Did::Drained, now);
                self.switchboard.drain(now);
            }
            Do::EndAll => {
                self.witness.note(Did::Ended, now);
                self.switchboard.end_all(now);
            }
        }
    }

    fn dial(&mut self, party: Party, user: &str, headers: Vec<(String, String)>) {
        if let Some(verdict) = self.verdict_of(party) {
            verdict.dials();
        }
        if let Ok(uri) = sip_wire::Uri::parse(&format!("sip:{user}@{GATEWAY}")) {
            let now = self.now;
            self.with_phone(party, |phone| phone.call(&uri, gateway_sip(), headers, now));
        }
    }

    fn take_over(&mut self, party: Party, of: Party, early_only: bool) {
        if self.phones[party].is_busy() {
            return;
        }
        let replaces = self.phones[of].replaces().map(|replaces| sip_wire::Replaces { early_only, ..replaces });
        let uri = sip_wire::Uri::parse(&format!("sip:gw@{GATEWAY}"));
        if let (Some(replaces), Ok(uri)) = (replaces, uri) {
            let headers =
                vec![("Replaces".to_owned(), replaces.to_string()), ("Require".to_owned(), "replaces".to_owned())];
            let now = self.now;
            self.with_phone(party, |phone| phone.call(&uri, gateway_sip(), headers, now));
        }
    }

    /// How each [`Do::Control`] was answered.
    pub fn controls(&self) -> &[Result<(), call_core::DeskRefused>] {
        &self.controls
    }

    /// Every click on the page, and on which pop.
    pub(crate) fn clicks(&self) -> &[(Instant, Click, HandoffId, DeskId)] {
        &self.clicks
    }

    /// The handoff in the last pop, if there was one.
    pub fn handoff(&self) -> Option<HandoffId> {
        self.shown().map(|(_, handoff)| handoff)
    }

    fn shown(&self) -> Option<(DeskId, HandoffId)> {
        self.pops.iter().rev().find_map(|(_, pop)| match pop {
            PopUpdate::Offered { desk, package, .. } => Some((desk.clone(), package.id)),
            _ => None,
        })
    }

    fn hand_back(&mut self, notes: &str) {
        self.witness.note(Did::HandedBack, self.now);
        if let Some((desk, handoff)) = self.shown() {
            let action = DeskAction::HandBack { handoff, notes: notes.to_owned() };
            let answer = self.switchboard.handle_desk(&desk, action, self.now);
            self.hand_backs.push(answer);
        }
    }

    /// On the page of whoever had the caller first.
    fn control(&mut self, action: fn(HandoffId) -> DeskAction) {
        let first = self.pops.iter().find_map(|(_, pop)| match pop {
            PopUpdate::Joined { desk, handoff } => Some((desk.clone(), *handoff)),
            _ => None,
        });
        if let Some((desk, handoff)) = first {
            let answer = self.switchboard.handle_desk(&desk, action(handoff), self.now);
            self.controls.push(answer);
        }
    }

    fn click(&mut self, click: Click) {
        if let Some((desk, handoff)) = self.shown() {
            self.clicks.push((self.now, click, handoff, desk.clone()));
            let action = match click {
                Click::Accept => DeskAction::Accepted(handoff),
                Click::Decline => DeskAction::Declined { handoff, reason: String::new() },
            };
            let _too_late = self.switchboard.handle_desk(&desk, action, self.now);
        }
    }
}
