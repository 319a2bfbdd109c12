//! The peer's INVITE: arriving, ringing, answered, acknowledged.

use super::Endpoint;
use super::uac::introduce;
use crate::body;
use crate::dialog::{Change, Dialog, Peer, State, Unacknowledged};
use crate::digest::Challenges;
use crate::event::{AcceptError, DialogEvent, DialogId, EndedBecause, Output, SentNote};
use crate::flow::Flow;
use crate::offer_answer::Offer;
use crate::reliable::{Answer, Progress};
use crate::session_id::SessionId;
use crate::session_timer::SessionTimer;
use crate::timer::TimerName;
use crate::transaction::TxId;
use call_model::{Instant, LocalMedia, RemoteMedia};
use sip_wire::Message;

/// What a 200 to an INVITE says of the session.
pub(super) struct Ok200 {
    pub(super) sdp: Option<Vec<u8>>,
    /// That is our offer.
    pub(super) offering: bool,
    /// What was agreed before, and is to be reported with the ACK.
    pub(super) media: Option<RemoteMedia>,
}

impl Endpoint {
    pub(super) fn on_invite(
        &mut self,
        flow: Flow,
        tx: TxId,
        request: &Message,
        offer: Option<(Offer, Vec<u8>)>,
        replaces: Option<DialogId>,
        now: Instant,
    ) {
        let (offer, sdp) = offer.unzip();
        let Some(dialog) = self.arriving_dialog(flow, tx, request, sdp) else {
            self.reply(tx, 400, "", now, |_| ());
            return;
        };
        let id = dialog.id;
        self.add_dialog(dialog);
        self.transactions.set_server_dialog(tx, id);
        self.reply(tx, 100, "", now, |_| ());
        self.emit(DialogEvent::Incoming { dialog: id, flow, request: Box::new(request.clone()), offer, replaces });
    }

    fn arriving_dialog(&mut self, flow: Flow, tx: TxId, request: &Message, offer: Option<Vec<u8>>) -> Option<Dialog> {
        let id = self.fresh_dialog_id();
        let (_, local_tag, _) = self.transactions.server_head(tx)?;
        let local_tag = local_tag.to_owned();
        let (local, remote) = (request.to().ok()?.with_tag(&local_tag), request.from().ok()?);
        // RFC 3261 §12.1.1 wants a Contact; RFC 2543 did not.
        let target = request.contact().ok().flatten().map_or_else(|| remote.uri.clone(), |contact| contact.uri);
        let demanded = request.require().iter().any(|tag| tag.eq_ignore_ascii_case("100rel"));
        let reliable = demanded || self.config.reliable && request.supports("100rel");
        let mut peer = Peer::default();
        peer.learn(request);
        Some(Dialog {
            id,
            flow,
            call_id: request.call_id().to_owned(),
            local,
            session_id: SessionId::of_theirs(request, &local_tag),
            local_tag,
            remote_tag: remote.tag().unwrap_or_default().to_owned(),
            remote,
            local_cseq: 0,
            remote_cseq: request.cseq().ok().map(|cseq| cseq.number),
            route_set: request.record_routes(),
            remote_target: target,
            peer,
            session: None,
            state: State::Arriving { tx, offer },
            calling: false,
            unacknowledged: None,
            acknowledged: None,
            change: Change::None,
            branches: Vec::new(),
            progress: Progress { reliable, ..Progress::default() },
            refer: None,
            refers: 0,
            parting: None,
            quiet: false,
            timer: SessionTimer::default(),
            challenges: Challenges::default(),
            invite_credentials: Vec::new(),
            take_late: false,
        })
    }

    /// Answers an INVITE with 200, sent again until acknowledged. Gives what was agreed, or none when the offer is ours
    /// (late offer): then `Confirmed` carries it.
    ///
    /// # Errors
    /// [`AcceptError`]; nothing was sent.
    pub fn accept(
        &mut self,
        dialog: DialogId,
        local: LocalMedia,
        headers: &[(String, String)],
        now: Instant,
    ) -> Result<Option<RemoteMedia>, AcceptError> {
        let entry = self.dialogs.get_mut(&dialog).ok_or(AcceptError::NotWaiting)?;
        let State::Arriving { tx, .. } = entry.state else { return Err(AcceptError::NotWaiting) };
        if entry.progress.answer.is_some() {
            return Err(AcceptError::NotWaiting);
        }
        if let Some(session) = &entry.session {
            let media = session.agreed();
            entry.progress.answer = Some(Answer { headers: headers.to_vec(), told: media.is_some() });
            self.answer_if_due(dialog, now);
            return Ok(media);
        }
        let (sdp, media) = entry.describe(&mut self.ids, local)?;
        entry.state = State::Answering { bye: None };
        let answer = Ok200 { sdp: Some(sdp), offering: media.is_none(), media: None };
        self.answer_ok(dialog, tx, answer, headers, now);
        Ok(media)
    }

    /// Sends the 200 that was wanted, unless it still has to wait.
    pub(super) fn answer_if_due(&mut self, id: DialogId, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let State::Arriving { tx, .. } = dialog.state else { return };
        if dialog.progress.holds_answer() {
            return;
        }
        let (Some(answer), Some(session)) = (dialog.progress.answer.take(), dialog.session.as_ref()) else { return };
        // Acknowledged SDP is not said again; what was only a foretaste has to be.
        let sdp = if dialog.progress.reliable { None } else { session.holding() };
        let media = session.agreed().filter(|_| !answer.told);
        dialog.state = State::Answering { bye: None };
        self.answer_ok(id, tx, Ok200 { sdp, offering: false, media }, &answer.headers, now);
    }

    /// Answers an INVITE with a final 3xx-6xx. An empty `reason` means the usual phrase. Nothing is reported back.
    pub fn reject(&mut self, dialog: DialogId, code: u16, reason: &str, headers: &[(String, String)], now: Instant) {
        let Some(State::Arriving { tx, .. }) = self.dialogs.get(&dialog).map(|d| &d.state) else { return };
        let code = if (300..700).contains(&code) { code } else { 500 };
        self.reply(*tx, code, reason, now, |response| {
            for (name, value) in headers {
                response.headers.push(name, value.as_str());
            }
        });
        self.finish(dialog, None, now);
    }

    /// Sends a 200 with SDP to an INVITE and keeps sending it until the ACK comes, over TCP as well (RFC 3261
    /// §13.3.1.4): a proxy on the way may use UDP.
    pub(super) fn answer_ok(
        &mut self,
        id: DialogId,
        tx: TxId,
        answer: Ok200,
        headers: &[(String, String)],
        now: Instant,
    ) {
        let Some((request, _, flow)) = self.transactions.server_head(tx) else { return };
        let cseq = request.cseq().map_or(0, |cseq| cseq.number);
        let request = request.clone();
        self.settle_session(id, &request, now);
        let timer = self.dialogs.get(&id).map(|dialog| dialog.timer).unwrap_or_default();
        let sent = self.reply(tx, 200, "", now, |response| {
            introduce(response);
            timer.confirm(response);
            for (name, value) in headers {
                response.headers.push(name, value.as_str());
            }
            if let Some(sdp) = answer.sdp {
                body::attach(response, sdp, None, "");
            }
        });
        let (Some(dialog), Some(sent)) = (self.dialogs.get_mut(&id), sent) else { return };
        let (interval, bytes) = (self.timing.t1, sent.to_bytes());
        let (offering, media) = (answer.offering, answer.media);
        dialog.unacknowledged = Some(Unacknowledged { cseq, flow, bytes, interval, offering, media });
        self.timers.stop(id, TimerName::RetransmitProvisional);
        self.timers.stop(id, TimerName::RefuseUnacknowledged);
        self.timers.start(id, TimerName::RetransmitOk, now + interval);
        self.timers.start(id, TimerName::HangUpUnacknowledged, now + self.timing.span());
    }

    pub(super) fn on_retransmit_ok(&mut self, id: DialogId, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let Some(ok) = dialog.unacknowledged.as_mut() else { return };
        ok.interval = (ok.interval * 2).min(self.timing.t2);
        self.timers.start(id, TimerName::RetransmitOk, now + ok.interval);
        let note = SentNote {
            dialog: Some(id),
            what: "200 OK".to_owned(),
            sip_call_id: dialog.call_id.clone(),
            cseq: format!("{} INVITE", ok.cseq),
            again: true,
        };
        self.out.push_back(Output::Transmit { flow: ok.flow, bytes: ok.bytes.clone(), note });
    }

    pub(super) fn on_never_acknowledged(&mut self, id: DialogId, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        if dialog.unacknowledged.take().is_none() {
            return;
        }
        self.timers.stop(id, TimerName::RetransmitOk);
        self.end_now(id, EndedBecause::NoAck, now);
    }

    pub(super) fn awaits_ack(&self, id: DialogId, cseq: u32) -> bool {
        let ok = self.dialogs.get(&id).and_then(|dialog| dialog.unacknowledged.as_ref());
        ok.is_some_and(|ok| ok.cseq == cseq)
    }

    pub(super) fn on_ack(&mut self, id: DialogId, ack: &Message, cseq: u32, now: Instant) {
        if self.awaits_ack(id, cseq) {
            self.on_acknowledged(id, body::sdp(ack), now);
        }
    }

    /// Our 2xx arrived: the ACK says so, or a later request that cannot come without.
    pub(super) fn on_acknowledged(&mut self, id: DialogId, answer: Option<Vec<u8>>, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let Some(ok) = dialog.unacknowledged.take() else { return };
        self.timers.stop(id, TimerName::RetransmitOk);
        self.timers.stop(id, TimerName::HangUpUnacknowledged);
        let agreed = match (ok.offering, dialog.session.as_mut()) {
            (true, Some(session)) => Some(answer.ok_or(()).and_then(|sdp| session.answered(&sdp).map_err(|_| ()))),
            _ => None,
        };
        if agreed == Some(Err(())) {
            if let Some(session) = dialog.session.as_mut() {
                session.take_back();
            }
            return self.end_now(id, EndedBecause::BadAnswer, now);
        }
        let media = agreed.and_then(Result::ok).or(ok.media);
        if let State::Answering { bye } = &mut dialog.state {
            let bye = bye.take();
            dialog.state = State::Established;
            match bye {
                Some(reason) => self.hang_up(id, EndedBecause::Bye, reason.as_deref(), now),
                None => self.emit(DialogEvent::Confirmed { dialog: id, media }),
            }
        } else if let Some(media) = media {
            self.emit(DialogEvent::MediaChanged { dialog: id, media });
        }
        self.try_change(id, now);
    }
}
