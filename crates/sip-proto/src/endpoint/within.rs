//! Requests within a dialog, both ways: BYE, re-INVITE, UPDATE, INFO and the rest.

use super::screen::{Refusal, bad_event, capabilities, check_body, check_required, is_refer_event};
use super::uac::introduce;
use super::uas::Ok200;
use super::{Endpoint, Purpose};
use crate::body::{self, METADATA_REQUEST};
use crate::dialog::{Change, State};
use crate::event::{DialogEvent, DialogId, EndedBecause, Proposal, RequestId};
use crate::flow::Flow;
use crate::message::ALLOW;
use crate::timer::TimerName;
use crate::transaction::TxId;
use call_model::{Instant, LocalMedia};
use core::time::Duration;
use sip_wire::{Message, Method};

/// How often a re-INVITE or REFER is tried again after 491.
pub(super) const GLARE_TRIES: u8 = 3;

impl Endpoint {
    /// Hangs up, in whatever state: BYE when established (after the ACK, if that is still due), CANCEL when ringing,
    /// 480 when not answered. `reason` is the value of a `Reason` header. `Ended` (or `Failed`) follows, except after
    /// the 480. A NOTIFY of the peer's REFER that is on its way comes first.
    pub fn bye(&mut self, dialog: DialogId, reason: Option<&str>, now: Instant) {
        let telling = self.owes_notify(dialog);
        let Some(entry) = self.dialogs.get_mut(&dialog) else { return };
        match &mut entry.state {
            State::Calling { .. } => self.cancel(dialog, reason, now),
            State::Arriving { .. } => self.reject(dialog, 480, "", &[], now),
            State::Answering { bye } => *bye = Some(reason.map(str::to_owned)),
            State::Established if telling => self.hang_up_after_notify(dialog, reason, now),
            State::Established => self.hang_up(dialog, EndedBecause::Bye, reason, now),
            State::HangingUp { .. } | State::Over => {}
        }
    }

    /// Offers `local` anew (hold, resume, moved media). `MediaChanged` or `ChangeRefused` follows; 491 is retried
    /// inside (RFC 3261 §14.1). While another change is under way, the latest wish waits.
    pub fn reinvite(&mut self, dialog: DialogId, local: LocalMedia, now: Instant) {
        self.propose(dialog, local.into(), now);
    }

    /// The same for all that can be offered within a dialog.
    pub fn propose(&mut self, dialog: DialogId, proposal: Proposal, now: Instant) {
        let proposal = Box::new(proposal);
        let Some(entry) = self.dialogs.get_mut(&dialog) else { return };
        match &mut entry.change {
            Change::None | Change::Wanted(_) => entry.change = Change::Wanted(proposal),
            Change::BackingOff { proposal: waiting, .. } => *waiting = proposal,
            // Remembered beside the one that is out: it follows as soon as that one is done.
            Change::Sent { next, .. } => *next = Some(proposal),
        }
        self.try_change(dialog, now);
    }

    /// Sends another request inside the dialog (INFO, OPTIONS). `RequestDone` follows. `body` is content type and octets.
    pub fn request(
        &mut self,
        dialog: DialogId,
        method: Method,
        headers: &[(String, String)],
        body: Option<(&str, &[u8])>,
        now: Instant,
    ) {
        if !self.dialogs.get(&dialog).is_some_and(|entry| entry.is_open()) {
            return self.emit(DialogEvent::RequestDone { dialog, method, code: 481, answered: false });
        }
        let purpose = Purpose::Request(dialog, method.clone());
        self.send_within(dialog, method, purpose, now, |request| complete(request, headers, body));
    }

    /// Answers a request that an event handed out. An empty `reason` means the usual phrase.
    pub fn respond(
        &mut self,
        request: RequestId,
        code: u16,
        reason: &str,
        headers: &[(String, String)],
        body: Option<(&str, &[u8])>,
        now: Instant,
    ) {
        self.reply(TxId(request.0), code, reason, now, |response| complete(response, headers, body));
    }

    /// The one way a request within a dialog leaves (ACK apart, which has no transaction); gives its CSeq number.
    pub(super) fn send_within(
        &mut self,
        id: DialogId,
        method: Method,
        purpose: Purpose,
        now: Instant,
        complete: impl FnOnce(&mut Message),
    ) -> Option<(TxId, u32)> {
        let dialog = self.dialogs.get_mut(&id)?;
        let cseq = dialog.next_cseq();
        let (mut request, flow) = dialog.request(method, cseq, &self.config);
        complete(&mut request);
        self.sign(id, &mut request);
        Some((self.send(flow, request, purpose, now), cseq))
    }

    // --- BYE

    pub(super) fn hang_up(&mut self, id: DialogId, because: EndedBecause, reason: Option<&str>, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        dialog.state = State::HangingUp { because };
        dialog.unacknowledged = None;
        self.timers.stop_all(id);
        self.send_within(id, Method::Bye, Purpose::Bye(id), now, |bye| {
            if let Some(reason) = reason {
                bye.headers.push("Reason", reason);
            }
        });
    }

    /// Our BYE was answered, or never will be: either way the dialog is over (RFC 3261 §15.1.1).
    pub(super) fn on_bye_done(&mut self, id: DialogId, now: Instant) {
        if let Some(State::HangingUp { because }) = self.dialogs.get(&id).map(|dialog| dialog.state.clone()) {
            self.finish(id, Some(DialogEvent::Ended { dialog: id, by_remote: false, reason: None, because }), now);
        }
    }

    fn on_bye(&mut self, id: DialogId, tx: TxId, request: &Message, now: Instant) {
        let Some(dialog) = self.dialogs.get(&id) else { return };
        let state = dialog.state.clone();
        let code = if state == State::Over { 481 } else { 200 };
        self.reply(tx, code, "", now, |_| ());
        let reason = request.headers.get("Reason").map(str::to_owned);
        let event = match state {
            State::Over => return,
            State::Arriving { tx: invite, .. } => {
                self.reply(invite, 487, "", now, |_| ());
                DialogEvent::Cancelled { dialog: id, reason }
            }
            // The peer answered, heard no ACK and hung up, and none of its 2xx ever arrived.
            State::Calling { tx: invite, .. } => {
                self.transactions.drop_client(invite);
                let reason = "Hung up before its answer arrived".to_owned();
                DialogEvent::Failed { dialog: id, code: 487, reason, retry_after: None }
            }
            // Both hung up at once.
            State::HangingUp { because } => DialogEvent::Ended { dialog: id, by_remote: false, reason, because },
            State::Answering { .. } | State::Established => {
                DialogEvent::Ended { dialog: id, by_remote: true, reason, because: EndedBecause::Bye }
            }
        };
        self.finish(id, Some(event), now);
    }

    // --- the peer's requests

    pub(super) fn on_request_within(&mut self, id: DialogId, tx: TxId, flow: Flow, request: &Message, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        dialog.session_id.learn(request);
        let method = request.method().cloned().unwrap_or(Method::Options);
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        // Reports on our REFER may be overtaken by each other and by the BYE behind them; refused, an outcome were lost.
        let counts_always = method == Method::Bye || method == Method::Notify && dialog.refer.is_some();
        if !dialog.count(&request.from_tag().unwrap_or_default(), number) && !counts_always {
            return self.refuse(tx, &Refusal(500, "Out Of Order", Vec::new()), now);
        }
        if flow.transport.is_reliable() {
            // The connection the peer uses now is the one that works (RFC 5923).
            dialog.flow = flow;
        }
        let (over, refers) = (dialog.state == State::Over, dialog.refer.is_some());
        if let Err(refusal) = self.admit_within(flow, request, now) {
            return self.refuse(tx, &refusal, now);
        }
        if method == Method::Bye {
            return self.on_bye(id, tx, request, now);
        }
        let still = match method {
            Method::Notify => refers,
            Method::Subscribe => true,
            _ => false,
        };
        if over && !still {
            return self.refuse(tx, &Refusal(481, "", Vec::new()), now);
        }
        let recording = self.dialogs.get(&id).is_some_and(|dialog| dialog.is_recording());
        if let Err(refusal) = check_required(request, recording) {
            return self.refuse(tx, &refusal, now);
        }
        if request.headers.contains("Replaces") {
            // A dialog cannot replace another once it exists, and no other method can (RFC 3891 §3).
            return self.refuse(tx, &Refusal(400, "Replaces outside a new INVITE", Vec::new()), now);
        }
        match method {
            Method::Invite => self.on_reinvite(id, tx, request, now),
            Method::Update => self.on_update(id, tx, request, now),
            Method::Info => self.on_info(id, tx, request, now),
            Method::Refer => self.on_referred(id, tx, request, now),
            Method::Notify => self.on_notify(id, tx, request, now),
            Method::Options => {
                self.reply(tx, 200, "", now, capabilities);
            }
            Method::Subscribe if is_refer_event(request) => self.on_subscribe(id, tx, request, now),
            Method::Subscribe => self.refuse(tx, &bad_event(), now),
            Method::Prack => self.on_prack(id, tx, request, now),
            Method::Other(_) => self.refuse(tx, &Refusal(501, "", vec![("Allow", ALLOW.to_owned())]), now),
            _ => self.refuse(tx, &Refusal(405, "", vec![("Allow", ALLOW.to_owned())]), now),
        }
    }

    fn on_info(&mut self, id: DialogId, tx: TxId, request: &Message, now: Instant) {
        self.reply(tx, 200, "", now, |_| ());
        let content_type = request.headers.get("Content-Type").unwrap_or_default().to_ascii_lowercase();
        self.emit(DialogEvent::Info { dialog: id, content_type, body: request.body.clone() });
    }

    fn on_reinvite(&mut self, id: DialogId, tx: TxId, request: &Message, now: Instant) {
        let sdp = match self.may_change(id, request, now) {
            Ok(sdp) => sdp,
            Err(refusal) => return self.refuse(tx, &refusal, now),
        };
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let (before, recording) = (dialog.agreed(), dialog.is_recording());
        let Some(session) = dialog.session.as_mut() else {
            return self.refuse(tx, &Refusal(488, "", Vec::new()), now);
        };
        let offering = sdp.is_none();
        let answer = match sdp {
            Some(sdp) => session.answer(&sdp, None).map(|(body, media)| (body, Some(media))),
            None => {
                let local = session.local().clone();
                Ok((session.offer(local), before))
            }
        };
        let Ok((body, media)) = answer else { return self.refuse(tx, &Refusal(488, "", Vec::new()), now) };
        dialog.refresh_target(request);
        dialog.peer.learn(request);
        self.answer_ok(id, tx, Ok200 { sdp: Some(body), offering, media: None }, &[], now);
        if let Some(media) = media.filter(|media| recording || before != Some(*media)) {
            self.emit(DialogEvent::MediaChanged { dialog: id, media });
        }
        self.hear_metadata_request(id, request);
    }

    fn on_update(&mut self, id: DialogId, tx: TxId, request: &Message, now: Instant) {
        let sdp = match self.may_change(id, request, now) {
            Ok(sdp) => sdp,
            Err(refusal) => return self.refuse(tx, &refusal, now),
        };
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let (open, before, recording) = (dialog.is_open(), dialog.agreed(), dialog.is_recording());
        let tag = request.from_tag().unwrap_or_default();
        let answer = match (sdp, dialog.session_with(&tag)) {
            (Some(sdp), Some(session)) => match session.answer(&sdp, None) {
                Ok(answer) => Some(answer),
                Err(_) => return self.refuse(tx, &Refusal(488, "", Vec::new()), now),
            },
            _ => None,
        };
        dialog.refresh_target(request);
        dialog.peer.learn(request);
        let (body, media) = answer.unzip();
        if open {
            self.settle_session(id, request, now);
        }
        let timer = self.dialogs.get(&id).map(|dialog| dialog.timer).unwrap_or_default();
        self.reply(tx, 200, "", now, |response| {
            introduce(response);
            timer.confirm(response);
            if let Some(body) = body {
                body::attach(response, body, None, "");
            }
        });
        // Before an answer nobody has been told of any media.
        if let Some(media) = media.filter(|media| open && (recording || before != Some(*media))) {
            self.emit(DialogEvent::MediaChanged { dialog: id, media });
        }
        self.hear_metadata_request(id, request);
    }

    fn hear_metadata_request(&mut self, id: DialogId, request: &Message) {
        let recording = self.dialogs.get(&id).is_some_and(|dialog| dialog.is_recording());
        if recording && request.body_part(METADATA_REQUEST).is_some() {
            self.emit(DialogEvent::MetadataWanted { dialog: id });
        }
    }

    /// Whether the peer may change the session now, and with what SDP. The one place that knows glare (RFC 3261 §14.2,
    /// RFC 3311 §5.2).
    fn may_change(&mut self, id: DialogId, request: &Message, now: Instant) -> Result<Option<Vec<u8>>, Refusal> {
        let sdp = check_body(request)?;
        self.check_session(request)?;
        let busy = || Refusal(500, "", vec![("Retry-After", "1".to_owned())]);
        let glare = Refusal(491, "", Vec::new());
        let update = request.method() == Some(&Method::Update);
        let dialog = self.dialogs.get_mut(&id).ok_or(Refusal(481, "", Vec::new()))?;
        match dialog.state {
            State::Calling { .. } | State::Arriving { .. } if update => {
                let Some(sdp) = sdp else { return Ok(None) };
                let calling = matches!(dialog.state, State::Calling { .. });
                let tag = request.from_tag().unwrap_or_default();
                return match dialog.session_with(&tag) {
                    Some(session) if !session.is_offering() => Ok(Some(sdp)),
                    Some(_) => Err(glare),
                    // Ours is not answered; or it is we who have not answered yet.
                    None => Err(if calling { glare } else { busy() }),
                };
            }
            State::Calling { .. } => return Err(glare),
            State::Arriving { .. } => return Err(busy()),
            State::HangingUp { .. } | State::Over => return Err(Refusal(481, "", Vec::new())),
            State::Answering { .. } | State::Established => {}
        }
        if update && sdp.is_none() {
            return Ok(None);
        }
        let offering = dialog.session.as_ref().is_some_and(|session| session.is_offering());
        if offering || matches!(dialog.change, Change::Sent { .. }) {
            return Err(glare);
        }
        // Nobody offers anew before having acknowledged: the ACK was lost, or is late.
        self.on_acknowledged(id, None, now);
        match self.dialogs.get(&id).map(|dialog| &dialog.state) {
            Some(State::Answering { .. } | State::Established) => Ok(sdp),
            _ => Err(Refusal(481, "", Vec::new())),
        }
    }

    // --- our own re-INVITE

    pub(super) fn try_change(&mut self, id: DialogId, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        if let Change::Wanted(proposal) = &dialog.change
            && dialog.is_free_for_offer()
        {
            let proposal = proposal.clone();
            self.send_change(id, proposal, 0, now);
        }
    }

    fn send_change(&mut self, id: DialogId, proposal: Box<Proposal>, tries: u8, now: Instant) {
        let Some(session) = self.dialogs.get_mut(&id).and_then(|dialog| dialog.session.as_mut()) else { return };
        let sdp = session.offer_both(proposal.local.clone(), proposal.second.clone());
        let seed = proposal.part.as_ref().map(|_| self.ids.hex(16)).unwrap_or_default();
        let sent = self.send_within(id, Method::Invite, Purpose::Reinvite(id), now, |invite| {
            body::attach(invite, sdp, proposal.part.as_ref(), &seed);
        });
        let (Some((tx, _)), Some(dialog)) = (sent, self.dialogs.get_mut(&id)) else { return };
        dialog.change = Change::Sent { tx, proposal, tries, next: None };
        self.timers.start(id, TimerName::GiveUpChange, now + self.timing.span());
    }

    pub(super) fn on_reinvite_response(&mut self, id: DialogId, response: &Message, now: Instant) {
        match response.code().unwrap_or(500) {
            100..200 => {}
            200..300 => self.on_reinvite_ok(id, response, now),
            code => self.on_reinvite_refused(id, code, now),
        }
    }

    fn on_reinvite_ok(&mut self, id: DialogId, response: &Message, now: Instant) {
        let cseq = response.cseq().map_or(0, |cseq| cseq.number);
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        if dialog.acknowledged.as_ref().is_some_and(|ack| ack.cseq == cseq) || !dialog.is_open() {
            return self.acknowledge_again(id, cseq);
        }
        dialog.learn_from_answer(response);
        let quiet = core::mem::take(&mut dialog.timer.refreshing).then(|| dialog.agreed());
        let sdp = body::sdp(response);
        let agreed = match (dialog.session.as_mut(), sdp) {
            (Some(session), Some(sdp)) if session.is_offering() => session.answered(&sdp).ok(),
            _ => None,
        };
        self.acknowledge(id, cseq, None);
        self.timers.stop(id, TimerName::GiveUpChange);
        match agreed {
            Some(media) => {
                if quiet != Some(Some(media)) {
                    self.emit(DialogEvent::MediaChanged { dialog: id, media });
                }
                self.session_answered(id, response, now);
                self.change_done(id, now);
            }
            None => self.end_now(id, EndedBecause::BadAnswer, now),
        }
    }

    pub(super) fn on_reinvite_refused(&mut self, id: DialogId, code: u16, now: Instant) {
        self.timers.stop(id, TimerName::GiveUpChange);
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        if let Some(session) = dialog.session.as_mut() {
            session.take_back();
        }
        let refreshing = core::mem::take(&mut dialog.timer.refreshing);
        if !dialog.is_open() {
            return;
        }
        if matches!(code, 481 | 408) {
            return self.end_now(id, EndedBecause::Gone(code), now);
        }
        if refreshing {
            self.refresh_later(id, code, now);
            return self.change_done(id, now);
        }
        if let Change::Sent { proposal, tries, next, .. } = &dialog.change
            && code == 491
            && *tries < GLARE_TRIES
        {
            let proposal = next.clone().unwrap_or_else(|| proposal.clone());
            dialog.change = Change::BackingOff { proposal, tries: tries + 1 };
            let wait = self.glare_wait(id);
            return self.timers.start(id, TimerName::GlareBackOff, now + wait);
        }
        self.emit(DialogEvent::ChangeRefused { dialog: id, code });
        self.change_done(id, now);
    }

    fn change_done(&mut self, id: DialogId, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        dialog.change = match core::mem::replace(&mut dialog.change, Change::None) {
            Change::Sent { next: Some(wish), .. } | Change::Wanted(wish) => Change::Wanted(wish),
            _ => Change::None,
        };
        self.try_change(id, now);
    }

    /// RFC 3261 §14.1: the owner of the Call-ID waits 2.1 to 4 s, the other less than 2 s, in steps of 10 ms.
    pub(super) fn glare_wait(&mut self, id: DialogId) -> Duration {
        let ours = self.dialogs.get(&id).is_some_and(|dialog| dialog.calling);
        let steps = if ours { 210 + self.ids.below(191) } else { self.ids.below(200) };
        Duration::from_millis(steps * 10)
    }

    pub(super) fn on_glare_over(&mut self, id: DialogId, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let Change::BackingOff { proposal, tries } = dialog.change.clone() else { return };
        if dialog.is_free_for_offer() {
            return self.send_change(id, proposal, tries, now);
        }
        if dialog.is_open() {
            let wait = self.glare_wait(id);
            self.timers.start(id, TimerName::GlareBackOff, now + wait);
        }
    }

    /// A 1xx, then nothing: CANCEL it and keep what holds.
    pub(super) fn on_give_up_change(&mut self, id: DialogId, now: Instant) {
        let Some(Change::Sent { tx, .. }) = self.dialogs.get(&id).map(|dialog| &dialog.change) else { return };
        let tx = *tx;
        self.cancel_transaction(id, tx, None, now);
        self.transactions.drop_client(tx);
        // Not 408, which would say that the dialog is dead: the peer did answer, with a 1xx.
        self.on_reinvite_refused(id, 504, now);
    }

    // --- other requests of ours

    pub(super) fn on_request_done(&mut self, id: DialogId, method: Method, code: u16, answered: bool, now: Instant) {
        self.emit(DialogEvent::RequestDone { dialog: id, method, code, answered });
        if code == 481 && self.dialogs.get(&id).is_some_and(|dialog| dialog.is_open()) {
            self.end_now(id, EndedBecause::Gone(code), now);
        }
    }
}

fn complete(message: &mut Message, headers: &[(String, String)], body: Option<(&str, &[u8])>) {
    for (name, value) in headers {
        message.headers.push(name, value.as_str());
    }
    if let Some((content_type, bytes)) = body {
        message.headers.set("Content-Type", content_type);
        message.body = bytes.to_vec();
    }
}
