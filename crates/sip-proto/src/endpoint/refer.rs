//! Our REFER and its implicit subscription (RFC 3515); the peer's REFER, handed on.
//!
//! The outcome is the last status line seen, not the fact of termination. Every ending is one event: refused, notified
//! with a final status or terminated, timed out; or the dialog's own end.

use super::screen::{Refusal, bad_event, is_refer_event};
use super::within::GLARE_TRIES;
use super::{Endpoint, Purpose};
use crate::body;
use crate::dialog::{Refer, ReferState, State};
use crate::event::{DialogEvent, DialogId, ReferStage, RequestId};
use crate::timer::TimerName;
use crate::transaction::TxId;
use call_model::Instant;
use sip_wire::{Message, Method};

impl Endpoint {
    /// Sends REFER. `refer_to` goes byte-exact inside the angle brackets; so does `referred_by`. A REFER before it in
    /// the same dialog is no longer reported on, unless it succeeds after all.
    pub fn refer(&mut self, dialog: DialogId, refer_to: &str, referred_by: &str, now: Instant) {
        if !self.dialogs.get(&dialog).is_some_and(|entry| entry.is_open()) {
            return self.emit(DialogEvent::ReferRefused {
                dialog,
                code: 481,
                unsupported: Vec::new(),
                retry_after: None,
            });
        }
        self.send_refer(dialog, refer_to.to_owned(), referred_by.to_owned(), 0, now);
    }

    fn send_refer(&mut self, id: DialogId, refer_to: String, referred_by: String, tries: u8, now: Instant) {
        for name in [TimerName::AwaitFirstNotify, TimerName::AwaitReferResult, TimerName::ReferAgain] {
            self.timers.stop(id, name);
        }
        let Some(number) = self.dialogs.get(&id).map(|dialog| dialog.local_cseq + 1) else { return };
        let sent = self.send_within(id, Method::Refer, Purpose::Refer(id, number), now, |refer| {
            refer.headers.push("Refer-To", format!("<{refer_to}>"));
            refer.headers.push("Referred-By", format!("<{referred_by}>"));
            refer.headers.push("Accept", "message/sipfrag");
        });
        let (Some((_, cseq)), Some(dialog)) = (sent, self.dialogs.get_mut(&id)) else { return };
        let mut earlier = Vec::new();
        if let Some(before) = dialog.refer.take() {
            earlier = before.earlier;
            earlier.extend(before.accepted.then_some(before.cseq));
        }
        let state = ReferState::Asked;
        dialog.refer = Some(Refer { cseq, earlier, refer_to, referred_by, tries, accepted: false, state });
    }

    /// The final response to our REFER, or none (408, 503).
    pub(super) fn on_refer_done(
        &mut self,
        (id, cseq): (DialogId, u32),
        code: u16,
        unsupported: Vec<String>,
        retry_after: Option<u32>,
        now: Instant,
    ) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let over = matches!(dialog.state, State::HangingUp { .. } | State::Over);
        // An earlier attempt's answer is no longer of interest.
        let Some(refer) = dialog.refer.as_mut().filter(|refer| refer.cseq == cseq) else { return };
        if (200..300).contains(&code) {
            if refer.state == ReferState::GivenUp && !core::mem::replace(&mut refer.accepted, true) && !over {
                return self.unsubscribe(id, now);
            }
            if !refer.accepted {
                refer.accepted = true;
                refer.state = ReferState::Subscribed;
                if !over {
                    self.timers.start(id, TimerName::AwaitFirstNotify, now + self.timing.span());
                }
                self.emit(DialogEvent::ReferAccepted { dialog: id, code });
            }
            return;
        }
        if refer.state != ReferState::Asked {
            return;
        }
        if code == 491 && refer.tries < GLARE_TRIES && !over {
            let wait = self.glare_wait(id);
            return self.timers.start(id, TimerName::ReferAgain, now + wait);
        }
        refer.state = ReferState::Done;
        if !over {
            self.emit(DialogEvent::ReferRefused { dialog: id, code, unsupported, retry_after });
        }
    }

    pub(super) fn on_refer_again(&mut self, id: DialogId, now: Instant) {
        let Some(dialog) = self.dialogs.get(&id).filter(|dialog| dialog.is_open()) else { return };
        if let Some(refer) = dialog.refer.clone() {
            self.send_refer(id, refer.refer_to, refer.referred_by, refer.tries + 1, now);
        }
    }

    /// NOTIFY: answered 200 whenever the subscription is known, also after BYE (the two are separate usages of the
    /// dialog, RFC 5057 §3), so that a NOTIFY which a BYE overtakes makes no storm.
    pub(super) fn on_notify(&mut self, id: DialogId, tx: TxId, request: &Message, now: Instant) {
        if !is_refer_event(request) {
            return self.refuse(tx, &bad_event(), now);
        }
        let wanted = match request.event() {
            Some(Ok(event)) => event.params.get_unquoted("id").map(|id| id.trim().parse::<u32>().unwrap_or_default()),
            _ => None,
        };
        let known = |cseq: u32| wanted.is_none_or(|id| id == cseq);
        let refer = self.dialogs.get_mut(&id).and_then(|dialog| dialog.refer.as_mut());
        let refer = refer.filter(|refer| known(refer.cseq) || refer.earlier.iter().any(|cseq| known(*cseq)));
        let Some(refer) = refer else { return self.refuse(tx, &Refusal(481, "", Vec::new()), now) };
        let status = body::sipfrag_status(&request.body);
        // Without a name it is for the latest, unless that has had its outcome: some never name any.
        let of_earlier = !refer.earlier.is_empty() && (!known(refer.cseq) || refer.state == ReferState::Done);
        if of_earlier {
            self.reply(tx, 200, "", now, |_| ());
            if matches!(status, Some(200..=299)) {
                self.emit(DialogEvent::EarlierReferSucceeded { dialog: id });
            }
            return;
        }
        let terminated = matches!(request.subscription_state(), Some(Ok(state)) if state.value == "terminated");
        let before = refer.state;
        let accepted = core::mem::replace(&mut refer.accepted, true);
        let last = terminated || status.is_some_and(|status| status >= 200);
        refer.state = match before {
            _ if last => ReferState::Done,
            ReferState::GivenUp | ReferState::Done => before,
            ReferState::Asked | ReferState::Subscribed => ReferState::Subscribed,
        };
        self.reply(tx, 200, "", now, |_| ());
        let too_late = before == ReferState::GivenUp && status.is_none_or(|status| status < 200);
        if before == ReferState::Done || too_late {
            return;
        }
        if !accepted {
            // NOTIFY overtook the 2xx; it says as much.
            self.emit(DialogEvent::ReferAccepted { dialog: id, code: 202 });
        }
        self.on_refer_progress(id, last, now);
        self.emit(DialogEvent::ReferNotify { dialog: id, status, terminated });
    }

    fn on_refer_progress(&mut self, id: DialogId, last: bool, now: Instant) {
        let over = self.dialogs.get(&id).is_none_or(|dialog| dialog.state == State::Over);
        let first = !self.timers.is_set(id, TimerName::AwaitReferResult);
        self.timers.stop(id, TimerName::AwaitFirstNotify);
        if last {
            self.timers.stop(id, TimerName::AwaitReferResult);
        } else if first && !over {
            self.timers.start(id, TimerName::AwaitReferResult, now + self.config.refer_result_timeout);
        }
    }

    pub(super) fn on_no_notify(&mut self, id: DialogId, now: Instant) {
        self.stop_waiting(id, ReferStage::NoNotify, now);
    }

    pub(super) fn on_no_refer_result(&mut self, id: DialogId, now: Instant) {
        self.stop_waiting(id, ReferStage::NoResult, now);
    }

    fn stop_waiting(&mut self, id: DialogId, stage: ReferStage, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id).filter(|dialog| dialog.is_open()) else { return };
        let Some(refer) = dialog.refer.as_mut().filter(|refer| refer.state == ReferState::Subscribed) else { return };
        refer.state = ReferState::GivenUp;
        self.emit(DialogEvent::ReferTimeout { dialog: id, stage });
        if stage == ReferStage::NoResult {
            self.unsubscribe(id, now);
        }
    }

    /// Stops waiting for the outcome of our REFER, and says so to the peer. Nothing more is reported of it, unless a
    /// NOTIFY with a final status comes all the same.
    pub fn give_up_refer(&mut self, dialog: DialogId, now: Instant) {
        for name in [TimerName::AwaitFirstNotify, TimerName::AwaitReferResult, TimerName::ReferAgain] {
            self.timers.stop(dialog, name);
        }
        let Some(entry) = self.dialogs.get_mut(&dialog).filter(|entry| entry.is_open()) else { return };
        let Some(refer) = entry.refer.as_mut() else { return };
        if matches!(refer.state, ReferState::Asked | ReferState::Subscribed) {
            let known = refer.accepted;
            refer.state = ReferState::GivenUp;
            if known {
                self.unsubscribe(dialog, now);
            }
        }
    }

    /// A courtesy: we no longer listen. Many trunks answer 481, which says nothing about the call.
    fn unsubscribe(&mut self, id: DialogId, now: Instant) {
        let refer = self.dialogs.get(&id).and_then(|dialog| dialog.refer.as_ref());
        let Some(cseq) = refer.map(|refer| refer.cseq) else { return };
        self.send_within(id, Method::Subscribe, Purpose::Courtesy(id), now, |subscribe| {
            subscribe.headers.push("Event", format!("refer;id={cseq}"));
            subscribe.headers.push("Expires", "0");
        });
    }

    /// The peer's REFER.
    pub(super) fn on_referred(&mut self, id: DialogId, tx: TxId, request: &Message, now: Instant) {
        if let Some(dialog) = self.dialogs.get_mut(&id) {
            dialog.refers = dialog.refers.saturating_add(1);
        }
        // RFC 3515 §2.4.2: exactly one; two on one line are two as well.
        let one = request.headers.get_list("Refer-To").count() == 1;
        let value = request.headers.get("Refer-To").filter(|_| one && matches!(request.refer_to(), Some(Ok(_))));
        let Some(refer_to) = value else {
            return self.refuse(tx, &Refusal(400, "One Refer-To Expected", Vec::new()), now);
        };
        let refer_to = refer_to.to_owned();
        if !self.dialogs.get(&id).is_some_and(|dialog| dialog.is_open()) {
            return self.refuse(tx, &Refusal(603, "", Vec::new()), now);
        }
        let (request_id, message) = (RequestId(tx.0), Box::new(request.clone()));
        self.emit(DialogEvent::Referred { dialog: id, request: request_id, refer_to, message });
    }
}
