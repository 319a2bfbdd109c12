//! Provisional responses, ours and the peer's, and their acknowledgement by PRACK (RFC 3262).

use super::screen::{Refusal, check_body};
use super::uac::introduce;
use super::{Endpoint, Purpose};
use crate::body;
use crate::dialog::State;
use crate::event::{AcceptError, DialogEvent, DialogId, Output, SentNote};
use crate::message;
use crate::reliable::{Unacknowledged, rack};
use crate::timer::TimerName;
use crate::transaction::TxId;
use call_model::{Instant, LocalMedia, RemoteMedia};
use sip_wire::{Message, Method};

impl Endpoint {
    // --- ours

    /// Sends a provisional response (180, 183, 182) to an INVITE. One that must be acknowledged, and must not leave
    /// without our offer, does not: see [`Self::offer_is_due`].
    pub fn ring(&mut self, dialog: DialogId, code: u16, now: Instant) {
        if !self.offer_is_due(dialog) {
            self.provisional(dialog, code, None, now);
        }
    }

    /// The INVITE had no offer, and our first provisional response must have one, as it is to be acknowledged (RFC 3262
    /// §5): use [`Self::progress`].
    pub fn offer_is_due(&self, dialog: DialogId) -> bool {
        self.dialogs.get(&dialog).is_some_and(|dialog| {
            let late = matches!(dialog.state, State::Arriving { offer: None, .. });
            late && dialog.progress.reliable && dialog.session.is_none()
        })
    }

    /// Sends a provisional response with our SDP: the answer, or the offer where it is due. Gives what was agreed, if
    /// anything was; `accept` then has nothing left to say.
    ///
    /// # Errors
    /// [`AcceptError`]; nothing was sent.
    pub fn progress(
        &mut self,
        dialog: DialogId,
        code: u16,
        local: LocalMedia,
        now: Instant,
    ) -> Result<Option<RemoteMedia>, AcceptError> {
        let entry = self.dialogs.get_mut(&dialog).ok_or(AcceptError::NotWaiting)?;
        let State::Arriving { offer, .. } = &entry.state else { return Err(AcceptError::NotWaiting) };
        let said = entry.session.is_some() || offer.is_none() && !entry.progress.reliable;
        let (sdp, media) = match said {
            true => (None, entry.agreed()),
            false => entry.describe(&mut self.ids, local).map(|(sdp, media)| (Some(sdp), media))?,
        };
        self.provisional(dialog, code, sdp, now);
        Ok(media)
    }

    fn provisional(&mut self, id: DialogId, code: u16, sdp: Option<Vec<u8>>, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let State::Arriving { tx, .. } = dialog.state else { return };
        if !(101..200).contains(&code) {
            return;
        }
        let progress = &mut dialog.progress;
        if progress.unacknowledged.is_some() {
            let waiting = progress.next.take().and_then(|(_, sdp)| sdp);
            progress.next = Some((code, sdp.or(waiting)));
            return;
        }
        if progress.reliable {
            // RFC 3262 §3: the first is random, and so small that no count of them gets to the end.
            progress.rseq = match progress.rseq {
                0 => 1 + self.ids.below(0x7fff_ffff) as u32,
                latest => latest + 1,
            };
        }
        let (reliable, rseq, described) = (progress.reliable, progress.rseq, sdp.is_some());
        let Some((_, _, flow)) = self.transactions.server_head(tx) else { return };
        let sent = self.reply(tx, code, "", now, |response| {
            introduce(response);
            if reliable {
                response.headers.push("Require", "100rel");
                response.headers.push("RSeq", rseq.to_string());
            }
            if let Some(sdp) = sdp {
                body::attach(response, sdp, None, "");
            }
        });
        let (Some(sent), Some(dialog), true) = (sent, self.dialogs.get_mut(&id), reliable) else { return };
        let (what, interval) = (message::describe(&sent), self.timing.t1);
        let (rack, bytes) = (rack(rseq, &sent), sent.to_bytes());
        dialog.progress.unacknowledged = Some(Unacknowledged { rack, flow, bytes, what, interval, described });
        self.timers.start(id, TimerName::RetransmitProvisional, now + interval);
        self.timers.start(id, TimerName::RefuseUnacknowledged, now + self.timing.span());
    }

    pub(super) fn on_retransmit_provisional(&mut self, id: DialogId, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let Some(own) = dialog.progress.unacknowledged.as_mut() else { return };
        own.interval *= 2;
        self.timers.start(id, TimerName::RetransmitProvisional, now + own.interval);
        let (sip_call_id, cseq) = (dialog.call_id.clone(), own.rack.cseq.to_string());
        let note = SentNote { dialog: Some(id), what: own.what.clone(), sip_call_id, cseq, again: true };
        self.out.push_back(Output::Transmit { flow: own.flow, bytes: own.bytes.clone(), note });
    }

    pub(super) fn on_never_pracked(&mut self, id: DialogId, now: Instant) {
        self.turn_away(id, 504, now);
    }

    /// The caller cannot be answered for a reason of its own.
    fn turn_away(&mut self, id: DialogId, code: u16, now: Instant) {
        if let Some(State::Arriving { tx, .. }) = self.dialogs.get(&id).map(|dialog| &dialog.state) {
            self.reply(*tx, code, "", now, |_| ());
            self.finish(id, Some(DialogEvent::Cancelled { dialog: id, reason: None }), now);
        }
    }

    pub(super) fn on_prack(&mut self, id: DialogId, tx: TxId, request: &Message, now: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let rack = request.rack();
        let Some(own) = dialog.progress.unacknowledged.take_if(|own| Some(&own.rack) == rack.as_ref()) else {
            return self.refuse(tx, &Refusal(481, "", Vec::new()), now);
        };
        self.timers.stop(id, TimerName::RetransmitProvisional);
        self.timers.stop(id, TimerName::RefuseUnacknowledged);
        let offering = dialog.session.as_ref().is_some_and(|session| session.is_offering());
        match self.prack_says(id, own.described, request) {
            Ok(answer) => {
                self.reply(tx, 200, "", now, |response| {
                    if let Some(sdp) = answer {
                        body::attach(response, sdp, None, "");
                    }
                });
                let next = self.dialogs.get_mut(&id).and_then(|dialog| dialog.progress.next.take());
                if let Some((code, sdp)) = next {
                    self.provisional(id, code, sdp, now);
                }
                self.answer_if_due(id, now);
            }
            Err(refusal) => {
                self.refuse(tx, &refusal, now);
                if offering {
                    self.turn_away(id, 488, now);
                }
            }
        }
    }

    /// What a PRACK says in SDP: the answer to our offer, or a new offer; gives our answer to that.
    fn prack_says(&mut self, id: DialogId, described: bool, request: &Message) -> Result<Option<Vec<u8>>, Refusal> {
        let sdp = check_body(request)?;
        let unusable = Refusal(488, "", Vec::new());
        let Some(dialog) = self.dialogs.get_mut(&id) else { return Ok(None) };
        let State::Arriving { .. } = dialog.state else { return if sdp.is_none() { Ok(None) } else { Err(unusable) } };
        let session = dialog.session.as_mut();
        match (session, sdp) {
            (Some(session), sdp) if described && session.is_offering() => {
                session.answered(&sdp.ok_or(Refusal(400, "No Answer", Vec::new()))?).map_err(|_| unusable)?;
                Ok(None)
            }
            (Some(session), Some(sdp)) => {
                let (answer, _) = session.answer(&sdp, None).map_err(|_| unusable)?;
                if let Some(waiting) = dialog.progress.answer.as_mut() {
                    waiting.told = false;
                }
                Ok(Some(answer))
            }
            // Theirs is still to be answered.
            (None, Some(_)) => Err(Refusal(500, "", vec![("Retry-After", "1".to_owned())])),
            (_, None) => Ok(None),
        }
    }

    // --- the peer's

    /// Acknowledges a provisional response that wants it. False: it came before, or too early, and is not to be heard
    /// (RFC 3262 §4).
    pub(super) fn take_reliable(&mut self, id: DialogId, response: &Message, now: Instant) -> bool {
        let Some(rseq) = response.rseq().filter(|_| response.code() != Some(100)) else { return true };
        let Some(dialog) = self.dialogs.get_mut(&id) else { return false };
        let offered = dialog.session.clone();
        let Some(branch) = dialog.note_branch(response) else { return false };
        if !branch.takes(rseq) {
            return false;
        }
        let mut answer = None;
        let mut usable = true;
        if let (Some(sdp), None) = (body::sdp(response), branch.session.as_ref())
            && let Some(mut session) = offered
        {
            if session.is_offering() {
                usable = session.answered(&sdp).is_ok();
            } else {
                answer = session.answer(&sdp, None).ok().map(|(answer, _)| answer);
                usable = answer.is_some();
            }
            branch.session = Some(session).filter(|_| usable);
        }
        let tag = branch.tag.clone();
        self.send_prack(id, &tag, rseq, response, answer, now);
        if !usable {
            self.cancel(id, Some("SIP;cause=488;text=\"No usable session description\""), now);
        }
        true
    }

    fn send_prack(
        &mut self,
        id: DialogId,
        tag: &str,
        rseq: u32,
        response: &Message,
        sdp: Option<Vec<u8>>,
        now: Instant,
    ) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let cseq = dialog.next_cseq();
        let Some(branch) = dialog.branches.iter().find(|branch| branch.tag == tag) else { return };
        let way = (&branch.remote, &branch.target, branch.route_set.as_slice());
        let (mut prack, flow) = dialog.request_to(way, Method::Prack, cseq, &self.config);
        prack.headers.push("RAck", rack(rseq, response).to_string());
        if let Some(sdp) = sdp {
            body::attach(&mut prack, sdp, None, "");
        }
        self.sign(id, &mut prack);
        self.send(flow, prack, Purpose::Courtesy(id), now);
    }
}
