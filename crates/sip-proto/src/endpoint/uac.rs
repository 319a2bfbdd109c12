//! Our own INVITE: ringing, answered, refused, given up, answered too late or twice.

use super::{Endpoint, Purpose, key_of};
use crate::body;
use crate::dialog::{Acknowledged, Cancel, Change, Dialog, Peer, State};
use crate::digest::Challenges;
use crate::event::{DialogEvent, DialogId, EndedBecause, InviteRequest, Output, SentNote};
use crate::message::{self, ALLOW, SUPPORTED};
use crate::offer_answer::{Session, Unusable};
use crate::reliable::Progress;
use crate::session_id::SessionId;
use crate::session_timer::SessionTimer;
use crate::timer::TimerName;
use crate::transaction::{NewClient, TxId};
use call_model::{Instant, RemoteMedia};
use sip_wire::{Message, Method, NameAddr, Params};

impl Endpoint {
    /// Sends INVITE. Ends in `Answered` or `Failed`.
    pub fn invite(&mut self, request: InviteRequest, now: Instant) -> DialogId {
        self.invite_from(None, request, now)
    }

    /// Sends a refused INVITE once more in another form (after 415, 420): same `Call-ID` and `From`, next `CSeq`
    /// (RFC 3261 §8.1.3.5), so that a peer that compares them does not take it for a merged request.
    pub fn invite_again(&mut self, refused: DialogId, request: InviteRequest, now: Instant) -> DialogId {
        self.invite_from(Some(refused), request, now)
    }

    fn invite_from(&mut self, refused: Option<DialogId>, request: InviteRequest, now: Instant) -> DialogId {
        let id = self.fresh_dialog_id();
        let mut dialog = self.calling_dialog(id, &request);
        if let Some(refused) = refused.and_then(|refused| self.dialogs.get(&refused)) {
            dialog.call_id.clone_from(&refused.call_id);
            dialog.local_tag.clone_from(&refused.local_tag);
            dialog.local = refused.local.clone();
            dialog.local_cseq = refused.local_cseq;
        }
        let cseq = dialog.next_cseq();
        // The caller knows the way, which may lead through a proxy; later requests follow the route set.
        let (mut invite, _) = dialog.request(Method::Invite, cseq, &self.config);
        invite.headers.set("Max-Forwards", request.max_forwards.to_string());
        if self.config.reliable {
            invite.headers.push("Require", "100rel");
        }
        for (name, value) in &request.headers {
            invite.headers.push(name, value.as_str());
        }
        if !request.late_offer
            && let Some(session) = dialog.session.as_mut()
        {
            let sdp = session.offer_both(request.local, request.second);
            body::attach(&mut invite, sdp, request.extra_part.as_ref(), &self.ids.hex(16));
        }
        dialog.session_id = SessionId::of_ours(&invite);
        let tx = self.send(request.flow, invite, Purpose::Invite(id), now);
        dialog.state = State::Calling { tx, heard: false, ringing: 0, cancel: Cancel::No };
        self.add_dialog(dialog);
        id
    }

    /// Gives an unanswered INVITE of ours up: CANCEL as soon as it is allowed (RFC 3261 §9.1). `Failed` (487 as a
    /// rule) or `Late` follows. `reason` is the value of a `Reason` header. An answer that came first is hung up.
    pub fn cancel(&mut self, dialog: DialogId, reason: Option<&str>, now: Instant) {
        let Some(State::Calling { tx, heard, cancel, .. }) = self.dialogs.get_mut(&dialog).map(|d| &mut d.state) else {
            return self.bye(dialog, reason, now);
        };
        if *cancel != Cancel::No {
            return;
        }
        if *heard {
            let tx = *tx;
            self.send_cancel(dialog, tx, reason, now);
        } else {
            *cancel = Cancel::Wanted(reason.map(str::to_owned));
        }
    }

    /// Whether an INVITE of ours that nobody has given up yet has met with nothing at all, not even 100.
    pub fn is_unheard(&self, dialog: DialogId) -> bool {
        let state = self.dialogs.get(&dialog).map(|dialog| &dialog.state);
        matches!(state, Some(State::Calling { heard: false, cancel: Cancel::No, .. }))
    }

    /// An answer that comes in spite of [`Self::cancel`] is reported as `Answered` instead of being hung up: somebody
    /// has picked up, and is to be told that the caller has gone.
    pub fn take_late_answer(&mut self, dialog: DialogId) {
        if let Some(dialog) = self.dialogs.get_mut(&dialog) {
            dialog.take_late = true;
        }
    }

    fn calling_dialog(&mut self, id: DialogId, request: &InviteRequest) -> Dialog {
        let local_tag = self.ids.hex(12);
        let from =
            NameAddr { display: request.from.display.clone(), uri: request.from.uri.clone(), params: Params::new() };
        Dialog {
            id,
            flow: request.flow,
            call_id: request
                .call_id
                .clone()
                .unwrap_or_else(|| format!("{}@{}", self.ids.hex(20), request.flow.local.ip())),
            local: from.with_tag(&local_tag),
            local_tag,
            remote_tag: String::new(),
            remote: NameAddr {
                display: request.to.display.clone(),
                uri: request.to.uri.clone(),
                params: Params::new(),
            },
            local_cseq: 0,
            remote_cseq: None,
            route_set: Vec::new(),
            remote_target: request.request_uri.clone(),
            peer: Peer::default(),
            session: Some(
                Session::new(&mut self.ids, request.local.clone()).with_second(&mut self.ids, request.second.clone()),
            ),
            // Replaced as soon as the transaction has its id.
            state: State::Over,
            calling: true,
            unacknowledged: None,
            acknowledged: None,
            change: Change::None,
            branches: Vec::new(),
            progress: Progress::default(),
            refer: None,
            refers: 0,
            parting: None,
            quiet: false,
            session_id: SessionId::default(),
            timer: SessionTimer::default(),
            challenges: Challenges::default(),
            invite_credentials: Vec::new(),
            take_late: false,
        }
    }

    /// Sends the CANCEL of an INVITE, of its branch.
    pub(super) fn cancel_transaction(&mut self, id: DialogId, invite: TxId, reason: Option<&str>, now: Instant) {
        let Some((head, flow)) = self.transactions.client_head(invite) else { return };
        let request = message::cancel_of(head, reason);
        let branch = request.via().ok().and_then(|via| via.branch().map(str::to_owned)).unwrap_or_default();
        let note = self.note(Some(id), &request);
        let new = NewClient {
            flow,
            request,
            branch,
            purpose: Purpose::Courtesy(id),
            note,
            tried: Vec::new(),
            fallback: None,
        };
        self.transactions.start_client(new, now, &mut self.out);
    }

    fn send_cancel(&mut self, id: DialogId, invite: TxId, reason: Option<&str>, now: Instant) {
        self.cancel_transaction(id, invite, reason, now);
        self.timers.start(id, TimerName::TakeForCancelled, now + self.timing.span());
        if let Some(State::Calling { cancel, .. }) = self.dialogs.get_mut(&id).map(|d| &mut d.state) {
            *cancel = Cancel::Sent;
        }
    }

    pub(super) fn on_invite_response(&mut self, id: DialogId, response: &Message, now: Instant) {
        match response.code().unwrap_or(500) {
            100..200 => self.on_provisional(id, response, now),
            200..300 => self.on_invite_ok(id, response, now),
            code => {
                let retry_after = retry_after(response);
                let reason = response.reason().unwrap_or_default().to_owned();
                self.finish(id, Some(DialogEvent::Failed { dialog: id, code, reason, retry_after }), now);
            }
        }
    }

    fn on_provisional(&mut self, id: DialogId, response: &Message, now: Instant) {
        let code = response.code().unwrap_or(100);
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        dialog.peer.learn(response);
        dialog.note_branch(response);
        if !self.take_reliable(id, response, now) {
            return;
        }
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let State::Calling { tx, heard, ringing, cancel } = &mut dialog.state else { return };
        *heard = true;
        match core::mem::replace(cancel, Cancel::No) {
            Cancel::No if code > 100 && *ringing != code => {
                *ringing = code;
                self.emit(DialogEvent::Ringing { dialog: id, code });
                self.hear_early(id, response);
            }
            Cancel::No => self.hear_early(id, response),
            Cancel::Wanted(reason) => {
                let tx = *tx;
                self.send_cancel(id, tx, reason.as_deref(), now);
            }
            Cancel::Sent => *cancel = Cancel::Sent,
        }
    }

    /// What a provisional response says in SDP. Unless it was acknowledged, it binds nobody: the answer may be another.
    fn hear_early(&mut self, id: DialogId, response: &Message) {
        let (Some(sdp), Some(dialog)) = (body::sdp(response), self.dialogs.get_mut(&id)) else { return };
        let acknowledged = response.to_tag().and_then(|tag| dialog.session_with(&tag)?.agreed());
        let said = || dialog.session.clone().filter(Session::is_offering)?.answered(&sdp).ok();
        if let Some(media) = acknowledged.or_else(said) {
            self.emit(DialogEvent::EarlyMedia { dialog: id, media });
        }
    }

    /// A 2xx to an INVITE of `base`: the first, one sent again, one from another branch of a fork, or one too late.
    pub(super) fn on_invite_ok(&mut self, base: DialogId, response: &Message, now: Instant) {
        let cseq = response.cseq().map_or(0, |cseq| cseq.number);
        let remote_tag = response.to_tag().unwrap_or_default();
        let Some(dialog) = self.dialogs.get(&base) else { return };
        let late = dialog.take_late && matches!(dialog.state, State::Calling { .. });
        if late || matches!(dialog.state, State::Calling { cancel: Cancel::No, .. }) {
            return self.on_answered(base, cseq, response, now);
        }
        let (call_id, local_tag) = (dialog.call_id.clone(), dialog.local_tag.clone());
        let given_up = matches!(dialog.state, State::Calling { .. }) || dialog.acknowledged.is_none() && dialog.calling;
        match self.find_dialog(&call_id, &local_tag, &remote_tag) {
            _ if given_up => self.on_late(base, cseq, response, now),
            Some(exact) => self.acknowledge_again(exact, cseq),
            None if dialog.calling => self.on_fork(base, cseq, response, now),
            None => self.dropped("2xx for an INVITE we never sent"),
        }
    }

    fn on_answered(&mut self, id: DialogId, cseq: u32, response: &Message, now: Instant) {
        self.settle(id, response);
        let (answer, agreed) = self.agree(id, body::sdp(response));
        self.acknowledge(id, cseq, answer);
        self.timers.stop_all(id);
        match agreed {
            Ok(media) => {
                if let Some(dialog) = self.dialogs.get_mut(&id) {
                    dialog.state = State::Established;
                }
                self.session_answered(id, response, now);
                self.emit(DialogEvent::Answered { dialog: id, media });
                self.try_change(id, now);
            }
            Err(_) => {
                let reason = "No usable session description in the answer".to_owned();
                // Not 488: that is the peer's word about our offer, this is ours about its answer.
                self.emit(DialogEvent::Failed { dialog: id, code: 606, reason, retry_after: None });
                if let Some(dialog) = self.dialogs.get_mut(&id) {
                    dialog.quiet = true;
                }
                self.hang_up(id, EndedBecause::Bye, Some("SIP;cause=488;text=\"Not Acceptable Here\""), now);
            }
        }
    }

    fn on_late(&mut self, id: DialogId, cseq: u32, response: &Message, now: Instant) {
        self.settle(id, response);
        self.acknowledge(id, cseq, None);
        self.emit(DialogEvent::Late { dialog: id });
        #[cfg(feature = "mutations")]
        if self.config.honours_late_ok {
            return;
        }
        self.hang_up_quietly(id, now);
    }

    /// Another branch answered as well: the first stays, this one is acknowledged and hung up (RFC 3261 §13.2.2.4).
    fn on_fork(&mut self, base: DialogId, cseq: u32, response: &Message, now: Instant) {
        if self.dialogs.len() >= self.config.max_dialogs {
            return self.dropped("2xx of another branch: too many dialogs");
        }
        let id = self.fresh_dialog_id();
        let Some(base) = self.dialogs.get(&base) else { return };
        let mut remote = base.remote.clone();
        remote.params.remove("tag");
        let dialog = Dialog {
            id,
            flow: base.flow,
            call_id: base.call_id.clone(),
            local_tag: base.local_tag.clone(),
            remote_tag: String::new(),
            local: base.local.clone(),
            remote,
            local_cseq: cseq,
            remote_cseq: None,
            route_set: Vec::new(),
            remote_target: base.remote_target.clone(),
            peer: Peer::default(),
            session: None,
            state: State::Established,
            calling: true,
            unacknowledged: None,
            acknowledged: None,
            change: Change::None,
            branches: Vec::new(),
            progress: Progress::default(),
            refer: None,
            refers: 0,
            parting: None,
            quiet: true,
            session_id: base.session_id.clone(),
            timer: SessionTimer::default(),
            challenges: Challenges::default(),
            invite_credentials: Vec::new(),
            take_late: false,
        };
        self.dialogs.insert(id, Box::new(dialog));
        self.settle(id, response);
        self.acknowledge(id, cseq, None);
        self.hang_up_quietly(id, now);
    }

    /// The dialog is the one this 2xx makes.
    fn settle(&mut self, id: DialogId, response: &Message) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let before = key_of(dialog);
        dialog.learn_from_answer(response);
        let after = key_of(dialog);
        if self.index.get(&before) == Some(&id) {
            self.index.remove(&before);
        }
        self.index.insert(after, id);
    }

    /// Completes offer and answer with the SDP of a 2xx: our offer's answer, or an offer to be answered in the ACK.
    fn agree(&mut self, id: DialogId, sdp: Option<Vec<u8>>) -> (Option<Vec<u8>>, Result<RemoteMedia, Unusable>) {
        let session = self.dialogs.get_mut(&id).and_then(|dialog| dialog.session.as_mut());
        let Some(session) = session else { return (None, Err(Unusable::Malformed)) };
        if let Some(agreed) = session.agreed() {
            // Said and acknowledged before it was answered (RFC 3262 §5).
            return (None, Ok(agreed));
        }
        let Some(sdp) = sdp else { return (None, Err(Unusable::Malformed)) };
        if session.is_offering() {
            return (None, session.answered(&sdp));
        }
        match session.answer(&sdp, None) {
            Ok((answer, media)) => (Some(answer), Ok(media)),
            Err(unusable) => (None, Err(unusable)),
        }
    }

    /// Sends the ACK of a 2xx, and keeps it for the case that the 2xx comes again (RFC 3261 §13.2.2.4).
    pub(super) fn acknowledge(&mut self, id: DialogId, cseq: u32, sdp: Option<Vec<u8>>) {
        let branch = self.branch();
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let (mut ack, flow) = dialog.request(Method::Ack, cseq, &self.config);
        ack.headers.push_front("Via", message::via(flow, &branch).to_string());
        for (name, value) in &dialog.invite_credentials {
            ack.headers.push(name, value.as_str());
        }
        if let Some(sdp) = sdp {
            body::attach(&mut ack, sdp, None, "");
        }
        dialog.acknowledged = Some(Acknowledged { cseq, flow, bytes: ack.to_bytes() });
        self.transmit(flow, &ack, Some(id));
    }

    pub(super) fn acknowledge_again(&mut self, id: DialogId, cseq: u32) {
        let Some(dialog) = self.dialogs.get(&id) else { return };
        match dialog.acknowledged.clone().filter(|ack| ack.cseq == cseq) {
            Some(ack) => {
                let note = SentNote {
                    dialog: Some(id),
                    what: "ACK".to_owned(),
                    sip_call_id: dialog.call_id.clone(),
                    cseq: format!("{cseq} ACK"),
                    again: true,
                };
                self.out.push_back(Output::Transmit { flow: ack.flow, bytes: ack.bytes, note });
            }
            // A re-INVITE we stopped waiting for is answered after all.
            None => self.acknowledge(id, cseq, None),
        }
    }

    pub(super) fn hang_up_quietly(&mut self, id: DialogId, now: Instant) {
        if let Some(dialog) = self.dialogs.get_mut(&id) {
            dialog.quiet = true;
        }
        self.hang_up(id, EndedBecause::Bye, None, now);
    }

    pub(super) fn on_invite_unanswered(&mut self, id: DialogId, code: u16, now: Instant) {
        let reason = sip_wire::reason_phrase(code).to_owned();
        self.finish(id, Some(DialogEvent::Failed { dialog: id, code, reason, retry_after: None }), now);
    }

    /// The CANCEL was heard, or not, but the INVITE never ends: RFC 3261 §9.1 lets us stop waiting.
    pub(super) fn on_take_for_cancelled(&mut self, id: DialogId, now: Instant) {
        if let Some(State::Calling { tx, .. }) = self.dialogs.get(&id).map(|dialog| &dialog.state) {
            self.transactions.drop_client(*tx);
            self.on_invite_unanswered(id, 487, now);
        }
    }
}

/// `Retry-After` in seconds, without its comment and parameters.
pub(super) fn retry_after(response: &Message) -> Option<u32> {
    let value = response.headers.get("Retry-After")?;
    let digits = value.trim().split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// What a response that makes a dialog says about us.
pub(super) fn introduce(response: &mut Message) {
    response.headers.push("Allow", ALLOW);
    response.headers.push("Supported", SUPPORTED.join(","));
}
