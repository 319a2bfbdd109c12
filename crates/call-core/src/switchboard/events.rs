//! What the SIP endpoint says, as events of legs and lines of the trace.

use super::{Output, Switchboard};
use crate::call::Call;
use crate::capability::PeerKind;
use crate::info;
use crate::leg::{LegEvent, ReferProgress};
use call_model::{DeskId, Instant, LegId, MediaCommand, Party, Role, TraceEvent, TraceKind};
use core::time::Duration;
use sip_proto::{DialogEvent, DialogId, EndedBecause, ReferStage, SeenNote, SentNote};
use sip_wire::Method;

/// A SIP message that passed, for the trace.
struct Passed {
    sent: bool,
    what: String,
    sip_call_id: String,
    cseq: String,
    again: bool,
}

impl Switchboard {
    pub(super) fn on_endpoint(&mut self, output: sip_proto::Output, now: Instant) {
        match output {
            sip_proto::Output::Transmit { flow, bytes, note } => {
                let SentNote { dialog, what, sip_call_id, cseq, again } = note;
                self.trace_sip(dialog, Passed { sent: true, what, sip_call_id, cseq, again }, now);
                self.outputs.push_back(Output::Transmit { flow, bytes });
            }
            sip_proto::Output::Seen(note) => {
                let SeenNote { dialog, what, sip_call_id, cseq, again, .. } = note;
                self.trace_sip(dialog, Passed { sent: false, what, sip_call_id, cseq, again }, now);
            }
            sip_proto::Output::Dropped(what) => self.trace(None, TraceKind::Dropped { what }, now),
            sip_proto::Output::Registration(event) => self.on_registration(event, now),
            sip_proto::Output::Event(event) => self.on_dialog(event, now),
        }
    }

    fn on_dialog(&mut self, event: DialogEvent, now: Instant) {
        match event {
            DialogEvent::Incoming { dialog, flow, request, offer, replaces } => {
                self.on_incoming(dialog, flow, &request, offer.as_ref(), replaces, now);
            }
            DialogEvent::Ringing { dialog, code } => {
                self.settle_target(dialog);
                let queued = code == 182 || code == 183 && self.is_queue(dialog);
                self.on_leg(dialog, if queued { LegEvent::Queued } else { LegEvent::Ringing }, now);
            }
            DialogEvent::EarlyMedia { dialog, media } => self.on_leg(dialog, LegEvent::EarlyMedia { media }, now),
            DialogEvent::Answered { dialog, media } => {
                self.learn_from_answer(dialog, now);
                self.open_to_recorder(dialog, media);
                self.on_leg(dialog, LegEvent::Answered { media: Some(media) }, now);
            }
            DialogEvent::Confirmed { dialog, media: Some(media) } | DialogEvent::MediaChanged { dialog, media } => {
                self.open_to_recorder(dialog, media);
                self.on_leg(dialog, LegEvent::MediaChanged { media }, now);
            }
            DialogEvent::RequestDone { dialog, method: Method::Options, answered, code } => {
                self.on_leg(dialog, LegEvent::Asked { answered, unreachable: !answered && code == 503 }, now);
            }
            DialogEvent::RequestDone { dialog, method: Method::Info, code: code @ 300.., .. } => {
                let about = self.leg_of(dialog).map_or(Party::Gateway, |(_, role)| crate::call::party(role));
                self.note_dialog(dialog, about, format!("refused a key by INFO ({code})"), now);
            }
            DialogEvent::MetadataWanted { dialog } => self.on_leg(dialog, LegEvent::MetadataWanted, now),
            DialogEvent::Confirmed { .. } | DialogEvent::ChangeRefused { .. } | DialogEvent::RequestDone { .. } => {}
            DialogEvent::Failed { dialog, code, .. } if self.show_another_number(dialog, code, now) => {}
            DialogEvent::Failed { dialog, code, retry_after, .. } if self.fail_over(dialog, code, retry_after, now) => {
            }
            DialogEvent::Failed { dialog, code, retry_after, .. } => {
                self.shun_recorder(dialog, code, now);
                self.let_desk_rest(dialog, code, retry_after, now);
                self.on_last(dialog, LegEvent::Refused { status: code }, now);
            }
            DialogEvent::Cancelled { dialog, .. } => self.on_last(dialog, LegEvent::Cancelled, now),
            DialogEvent::Ended { dialog, by_remote, because, reason } => {
                if let Some(reason) = reason {
                    self.on_leg(dialog, LegEvent::Reason(reason), now);
                }
                let status = match because {
                    EndedBecause::Bye => None,
                    EndedBecause::NoAck | EndedBecause::Expired => Some(408),
                    EndedBecause::Gone(status) => Some(status),
                    EndedBecause::BadAnswer => Some(488),
                };
                let by_remote = by_remote && because == EndedBecause::Bye;
                self.on_last(dialog, LegEvent::Ended { by_remote, status }, now);
            }
            DialogEvent::Late { dialog } => {
                let about = self.leg_of(dialog).map_or(Party::Desk, |(_, role)| crate::call::party(role));
                self.note_dialog(dialog, about, "answered after we gave up: acknowledged and hung up".to_owned(), now);
                self.on_last(dialog, LegEvent::Late, now);
            }
            DialogEvent::Referred { dialog, request, message, .. } => self.on_referred(dialog, request, &message, now),
            DialogEvent::Unsubscribed { dialog, subscription, code } => {
                self.on_unsubscribed(dialog, subscription, code, now);
            }
            DialogEvent::ReferAccepted { dialog, code } => self.on_refer(dialog, ReferProgress::Accepted(code), now),
            DialogEvent::ReferRefused { dialog, code: status, unsupported, retry_after } => {
                let no_replaces = unsupported.iter().any(|tag| tag.eq_ignore_ascii_case("replaces"));
                self.on_refer(dialog, ReferProgress::Refused { status, no_replaces, retry_after }, now);
            }
            DialogEvent::ReferNotify { dialog, status, terminated } => {
                self.on_refer(dialog, ReferProgress::Notify { status, last: terminated }, now);
            }
            DialogEvent::EarlierReferSucceeded { dialog } => {
                self.on_refer(dialog, ReferProgress::EarlierSucceeded, now);
            }
            DialogEvent::ReferTimeout { dialog, stage } => {
                let notified = stage == ReferStage::NoResult;
                self.on_refer(dialog, ReferProgress::Silence { notified }, now);
            }
            DialogEvent::Info { dialog, content_type, body } => self.on_info(dialog, &content_type, &body),
            DialogEvent::Pong { ping, code, allow, supported } => {
                let has = |list: &[String], word: &str| list.iter().any(|one| one.eq_ignore_ascii_case(word));
                let said = code.map(|_| (has(&allow, "REFER"), has(&supported, "replaces")));
                self.on_pong(ping, said, now);
            }
        }
    }

    /// A desk says what it can do.
    fn learn_from_answer(&mut self, dialog: DialogId, now: Instant) {
        let Some((leg, Role::Desk)) = self.leg_of(dialog) else { return };
        let name = self.calls.get(&leg.call).and_then(|entry| entry.call.leg(leg)).map(|leg| leg.name.clone());
        let refer = self.endpoint.remote_allows(dialog, &Method::Refer);
        let replaces = self.endpoint.remote_supports(dialog, "replaces");
        if let Some(name) = name {
            self.capabilities.on_advertised((PeerKind::Desk, &name), refer, replaces, "answer", now);
        }
    }

    fn on_refer(&mut self, dialog: DialogId, progress: ReferProgress, now: Instant) {
        // NOTIFY may come after the BYE of its own dialog: the leg it belonged to is remembered.
        if let Some((leg, _)) = self.leg_of(dialog) {
            self.with_call(leg.call, now, |call, world| call.handle_leg(leg, LegEvent::Refer(progress), world));
        }
    }

    /// A key by INFO. The media engine knows whether it was heard already, and who hears it.
    fn on_info(&mut self, dialog: DialogId, content_type: &str, body: &[u8]) {
        let Some((leg, _)) = self.leg_of(dialog).filter(|(leg, _)| self.open.contains(leg)) else { return };
        if let Some((digit, held)) = info::read(content_type, body) {
            self.send_media(MediaCommand::Pressed { leg, digit, held });
        }
    }

    /// A peer that is told of keys by INFO is told of one.
    pub(super) fn tell_key(&mut self, call: &Call, leg: LegId, dialog: DialogId, key: (char, Duration), now: Instant) {
        let keys = call.leg(leg).and_then(|leg| self.signalling_of(leg.role, &leg.name)).map(|peer| peer.keys);
        if let Some((content_type, body)) = keys.and_then(|keys| info::write(keys, key.0, key.1)) {
            self.endpoint.request(dialog, Method::Info, &[], Some((content_type, body.as_bytes())), now);
        }
    }

    pub(super) fn signalling_of(&self, role: Role, name: &str) -> Option<&crate::Signalling> {
        match role {
            Role::Caller => self.config.trunks.iter().find(|trunk| trunk.name == name).map(|trunk| &trunk.signalling),
            Role::Bot => self.config.bot(name).map(|bot| &bot.signalling),
            Role::Desk => self.config.desk(name).map(|desk| &desk.signalling),
            Role::Recorder => self.config.recorder.as_ref().map(|recorder| &recorder.signalling),
        }
    }

    fn on_leg(&mut self, dialog: DialogId, event: LegEvent, now: Instant) {
        if let Some((leg, _)) = self.current_leg(dialog) {
            self.with_call(leg.call, now, |call, world| call.handle_leg(leg, event, world));
        }
    }

    /// The desk a dialog leads to.
    fn desk_of(&self, dialog: DialogId) -> Option<DeskId> {
        let (leg, _) = self.leg_of(dialog).filter(|(_, role)| *role == Role::Desk)?;
        let call = &self.calls.get(&leg.call)?.call;
        call.leg(leg).map(|leg| DeskId(leg.name.clone()))
    }

    fn is_queue(&self, dialog: DialogId) -> bool {
        self.desk_of(dialog).and_then(|desk| self.config.desk(&desk.0)).is_some_and(crate::Desk::is_queue)
    }

    /// A phone system that says when to come back is left alone until then (RFC 3261 §21.5.4).
    fn let_desk_rest(&mut self, dialog: DialogId, code: u16, retry_after: Option<u32>, now: Instant) {
        let (500 | 503, Some(seconds @ 1..)) = (code, retry_after) else { return };
        let Some(desk) = self.desk_of(dialog) else { return };
        let text = format!("{desk} asks for a rest of {seconds} s: nobody is sent there until then");
        self.seats.rest(&desk, now + Duration::from_secs(seconds.into()));
        self.note_dialog(dialog, Party::Desk, text, now);
    }

    /// A desk that is given up and has not said so much as 100 did not answer. Who leaves sooner proves nothing.
    pub(super) fn charge_silent_desk(&mut self, call: &Call, leg: LegId, dialog: DialogId, now: Instant) {
        let patience = self.config.timers.no_progress;
        let dialled = self.links.get(&leg).filter(|link| link.role == Role::Desk).and_then(|link| link.dialled);
        let waited = dialled.is_some_and(|dialled| now.since(dialled) >= patience);
        let Some(leg) = call.leg(leg).filter(|_| waited && self.endpoint.is_unheard(dialog)) else { return };
        if let Some(text) = self.seats.charge(&DeskId(leg.name.clone()), now) {
            self.trace(Some(call.about.id), TraceKind::Note { about: Party::Desk, text }, now);
        }
    }

    /// The last event of a dialog.
    fn on_last(&mut self, dialog: DialogId, event: LegEvent, now: Instant) {
        if let Some((leg, _)) = self.current_leg(dialog) {
            self.unlink(leg, now);
            self.with_call(leg.call, now, |call, world| call.handle_leg(leg, event, world));
            self.drop_link(leg, now);
        }
    }

    /// Without dialog and port nothing is left of a leg; a caller's facts stay as long as its call.
    fn drop_link(&mut self, leg: LegId, now: Instant) {
        let call_lives = self.calls.contains_key(&leg.call);
        let empty = |link: &mut super::Link| link.dialog.is_none() && link.port.is_none();
        if leg.index != 0 || !call_lives {
            let gone = self.links.get_mut(&leg).is_some_and(empty);
            if gone || !call_lives {
                self.free_port(leg, now);
                self.links.remove(&leg);
            }
        }
    }

    /// The leg a dialog belongs or belonged to.
    pub(super) fn leg_of(&self, dialog: DialogId) -> Option<(LegId, Role)> {
        self.dialogs.get(&dialog).copied()
    }

    /// The leg of a dialog that is the leg's dialog now.
    pub(super) fn current_leg(&self, dialog: DialogId) -> Option<(LegId, Role)> {
        let (leg, role) = self.leg_of(dialog)?;
        (self.links.get(&leg)?.dialog == Some(dialog)).then_some((leg, role))
    }

    pub(super) fn note_dialog(&mut self, dialog: DialogId, about: Party, text: String, now: Instant) {
        let call = self.leg_of(dialog).map(|(leg, _)| leg.call);
        self.trace(call, TraceKind::Note { about, text }, now);
    }

    fn trace_sip(&mut self, dialog: Option<DialogId>, passed: Passed, now: Instant) {
        let Passed { sent, what, sip_call_id, cseq, again } = passed;
        let known = dialog.and_then(|dialog| self.leg_of(dialog));
        let (leg, role) = known.unzip();
        let call = leg.map(|leg| leg.call);
        let id = sip_call_id.clone();
        let event =
            TraceEvent { at: now, call, kind: TraceKind::Sip { leg, role, sent, what, sip_call_id, cseq, again } };
        if known.is_some() {
            self.outputs.push_back(Output::Trace(event));
        } else {
            self.unclaimed.push((id, event));
        }
    }

    /// A new dialog belongs to a leg, and so does what was seen of it so far.
    pub(super) fn claim(&mut self, sip_call_id: &str, dialog: DialogId, of: LegId, part: Role) {
        self.dialogs.insert(dialog, (of, part));
        let (mine, others) = core::mem::take(&mut self.unclaimed).into_iter().partition(|(id, _)| id == sip_call_id);
        self.unclaimed = others;
        for (_, mut event) in mine {
            event.call = Some(of.call);
            if let TraceKind::Sip { leg, role, .. } = &mut event.kind {
                *leg = Some(of);
                *role = Some(part);
            }
            self.outputs.push_back(Output::Trace(event));
        }
    }
}
