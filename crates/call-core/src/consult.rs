//! The desk leg until the join: dialled, refused, answered, accepted or not.

use crate::call::{Call, World, reason};
use crate::config::{AcceptGate, Desk, Handover};
use crate::inputs::leg_cause;
use crate::leg::{Consult, Dial, HandoffFacts, LegCommand, LegEvent, LegState};
use crate::transfer::{Handoff, Phase};
use call_model::{
    DeskId, EndCause, EndReason, HandoffOutcome, HandoffStage, InterfaceId, LegId, Method, Party, PopUpdate, Role,
    TraceKind,
};

/// The desk leg until the join.
impl Call {
    /// Sends the consult INVITE.
    pub(crate) fn ring_desk(&mut self, leg: LegId, world: &mut World<'_>) {
        let Some(name) = self.leg(leg).map(|leg| leg.name.clone()) else { return };
        let Some(desk) = world.config.desk(&name) else {
            return self.give_up_desk(leg, HandoffOutcome::Failed, None, "not configured", world);
        };
        if self.calling_back.is_none() && self.may_refer_blindly(desk, world) {
            return self.refer_blindly(leg, desk, world);
        }
        if !desk.is_callable() {
            let why = if desk.host.is_some() { "its host name is not known" } else { "only the trunk can call it" };
            return self.give_up_desk(leg, HandoffOutcome::Failed, None, why, world);
        }
        self.call_desk(leg, desk, world);
    }

    /// Calls the desk ourselves.
    pub(crate) fn call_desk(&mut self, leg: LegId, desk: &Desk, world: &World<'_>) {
        let timers = &world.config.timers;
        let progress_by = Some(world.now + timers.no_progress);
        let give_up_at = world.now + timers.ring_timeout;
        self.enter(Phase::Alerting { leg, give_up_at, progress_by }, world.now);
        self.dial_desk(leg, desk, false);
    }

    pub(crate) fn dial_desk(&mut self, leg: LegId, desk: &Desk, again: bool) {
        let terms = self.handoff.as_mut().and_then(|handoff| handoff.terms(leg));
        let terms = terms.map(|terms| (terms.sip_call_id.clone(), *terms.plain));
        let consult = self.handoff.as_ref().zip(terms).map(|(handoff, (sip_call_id, plain))| Consult {
            sip_call_id,
            facts: self.facts_of(handoff),
            plain,
            in_place_of: handoff.in_place_of.clone(),
            again,
        });
        let codecs = self.codecs_for(&desk.codecs);
        if let Some(leg) = self.leg_mut(leg) {
            leg.state = LegState::Dialling;
            leg.browser = desk.browser;
        }
        let dial = Dial { role: Role::Desk, name: desk.name.clone(), codecs, consult, resumed: None };
        self.command(leg, LegCommand::Dial(Box::new(dial)));
    }

    pub(crate) fn facts_of(&self, handoff: &Handoff) -> HandoffFacts {
        HandoffFacts { id: handoff.id, trigger: handoff.decision.trigger.as_str(), score: self.known.score() }
    }

    /// Straight to a desk, by configuration: no bot, no gate, no pop.
    pub(crate) fn dial_directly(&mut self, name: &str, world: &mut World<'_>) {
        let desk = world.config.desk(name);
        let Some((desk, leg)) = desk.and_then(|desk| Some((desk, self.add_leg(Role::Desk, name, LegState::Planned)?)))
        else {
            return self.end(EndCause::new(Party::Gateway, EndReason::NoRoute), world);
        };
        let give_up_at = world.now + world.config.timers.ring_timeout;
        self.enter(Phase::Alerting { leg, give_up_at, progress_by: None }, world.now);
        self.dial_desk(leg, desk, false);
    }

    /// The refusal may be about the form of the rich INVITE rather than about the call: once more, plainly
    /// (standards §2.2), unless the desk's profile made it plain already.
    pub(crate) fn wants_plain_retry(&mut self, id: LegId, event: &LegEvent, world: &World<'_>) -> bool {
        let LegEvent::Refused { status: 415 | 420 | 488 } = event else { return false };
        let alerting = self.is_alerting(id);
        let desk = self.leg(id).and_then(|leg| world.config.desk(&leg.name));
        let rich = desk.is_some_and(|desk| desk.profile.is_rich(desk.multipart));
        let handoff = self.handoff.as_mut().filter(|handoff| handoff.in_place_of.is_none());
        alerting && rich && handoff.and_then(|handoff| handoff.terms(id)).is_some_and(|terms| !*terms.plain)
    }

    pub(crate) fn on_desk(&mut self, id: LegId, event: LegEvent, world: &mut World<'_>) {
        if self.on_passing_human(id, &event, world) {
            return;
        }
        if self.wants_plain_retry(id, &event, world) {
            let same_dialog = matches!(event, LegEvent::Refused { status: 415 | 420 });
            return self.retry_plainly(id, same_dialog, world);
        }
        if self.types_first(id, &event, world) || self.on_desk_beside(id, &event, world) {
            return;
        }
        match (self.phase.clone(), event.clone()) {
            (Phase::Alerting { leg, .. }, LegEvent::Ringing | LegEvent::Queued) if leg == id && self.is_direct() => {
                self.ring_caller();
            }
            (Phase::Alerting { leg, .. }, LegEvent::Ringing | LegEvent::Queued) if leg == id => {
                self.report_referrals(180);
                self.on_progress(event == LegEvent::Queued, world);
            }
            (Phase::Alerting { leg, .. }, LegEvent::Answered { .. }) if leg == id => self.on_desk_answered(id, world),
            (Phase::Alerting { leg, .. }, LegEvent::Refused { status }) if leg == id => {
                self.on_desk_refused(status, world);
            }
            (Phase::Alerting { leg, .. } | Phase::Accepting { leg, .. }, LegEvent::Refused { status }) if leg == id => {
                self.on_desk_lost(HandoffOutcome::Failed, Some(status), "the phone failed", world);
            }
            (Phase::Alerting { leg, .. }, LegEvent::Ended { status, .. }) if leg == id => {
                self.on_desk_lost(HandoffOutcome::Failed, status, "the phone failed", world);
            }
            (Phase::Accepting { leg, .. }, LegEvent::Ended { .. }) if leg == id => {
                self.on_desk_lost(HandoffOutcome::NotAccepted, None, "hung up before accepting", world);
            }
            (Phase::Joined { leg, .. }, LegEvent::Ended { .. } | LegEvent::Refused { .. }) if leg == id => {
                if self.reopen_release(world) {
                    self.on_desk_left_in_release(world);
                } else {
                    self.on_human_gone(leg_cause(Role::Desk, &event), world);
                }
            }
            (Phase::Releasing { leg, .. }, LegEvent::Ended { .. } | LegEvent::Refused { .. }) if leg == id => {
                self.on_desk_left_in_release(world);
            }
            _ => {}
        }
    }

    /// The phone rings, or the caller stands in a queue: that may take longer, and is nothing the caller is to hear.
    fn on_progress(&mut self, queued: bool, world: &World<'_>) {
        let Phase::Alerting { give_up_at, progress_by, .. } = &mut self.phase else { return };
        *progress_by = None;
        if queued {
            let timeout = world.config.timers.queue_timeout;
            *give_up_at = (*give_up_at).max(world.now + timeout);
            self.note(Party::Desk, format!("queued; it has {} s from now", timeout.as_secs()));
        }
    }

    /// Once more, plainly. After 415 and 420 that is the next request under the same `Call-ID` (RFC 3261 §8.1.3.5);
    /// after 488 it is another one, of which the screen pop is told.
    fn retry_plainly(&mut self, id: LegId, same_dialog: bool, world: &mut World<'_>) {
        let Some(name) = self.leg(id).map(|leg| leg.name.clone()) else { return };
        if let Some(terms) = self.handoff.as_mut().and_then(|handoff| handoff.terms(id)) {
            *terms.plain = true;
        }
        self.note(Party::Desk, "refused the rich INVITE; once more with plain headers".to_owned());
        if !same_dialog {
            self.rename_desk_leg(id, world);
        }
        if let Some(desk) = world.config.desk(&name) {
            self.dial_desk(id, desk, same_dialog);
        }
    }

    fn rename_desk_leg(&mut self, leg: LegId, world: &mut World<'_>) {
        let sip_call_id = self.fresh_call_id(world);
        let Some(handoff) = self.handoff.as_mut() else { return };
        let id = handoff.id;
        let Some(terms) = handoff.terms(leg) else { return };
        terms.sip_call_id.clone_from(&sip_call_id);
        let (desk, popped) = (terms.desk.clone(), terms.popped);
        if popped {
            self.pop(PopUpdate::Redialled { desk: desk.clone(), handoff: id, sip_call_id });
            self.trace(TraceKind::Pop { handoff: id, desk, what: "redialled" });
        }
    }

    /// Where a desk's leg shall be found, made before its INVITE leaves.
    pub(crate) fn fresh_call_id(&self, world: &mut World<'_>) -> String {
        format!("{}@{}", world.ids.hex(24), world.config.interfaces.get(InterfaceId::default()).media_ip)
    }

    pub(crate) fn on_desk_answered(&mut self, leg: LegId, world: &mut World<'_>) {
        if self.is_direct() && self.caller_is_up() {
            return self.connect_directly(world);
        }
        if self.is_direct() {
            let codec = self.leg(leg).and_then(|leg| leg.codec);
            return self.answer_caller(codec);
        }
        let desk = self.leg(leg).and_then(|leg| world.config.desk(&leg.name));
        if desk.is_some_and(|desk| desk.handover != Handover::Warm) {
            if let Some(handoff) = self.handoff.as_mut() {
                handoff.in_path = Method::Cold;
                handoff.method = Method::Cold;
            }
            self.clear_desk(world);
            return self.join(leg, world);
        }
        let give_up_at = world.now + world.config.timers.accept_timeout;
        self.enter(Phase::Accepting { leg, give_up_at }, world.now);
        self.start_whisper(leg, world);
        self.clear_desk(world);
        let auto = desk.is_some_and(|desk| desk.accept == AcceptGate::Auto);
        // Whom a human has talked to already needs no gate.
        let known = self.handoff.as_ref().is_some_and(|handoff| handoff.in_place_of.is_some());
        if mutated!(world.config, BotDroppedEarly) {
            self.drop_bot(EndCause::new(Party::Gateway, EndReason::Finished), "Handed over");
        }
        let auto = auto || mutated!(world.config, AnswerIsAccept);
        if auto || known || self.handoff.as_ref().is_some_and(|handoff| handoff.accepted_on_page) {
            self.accept(leg, world);
        }
    }

    pub(crate) fn on_desk_refused(&mut self, status: u16, world: &mut World<'_>) {
        if self.is_direct() {
            let reason = if status == 408 { EndReason::TimedOut } else { EndReason::Refused };
            return self.end(EndCause::sip(Party::Desk, reason, status), world);
        }
        let (outcome, why) = refusal(status);
        let desk = self.handoff.as_ref().and_then(|handoff| Some(handoff.desk.clone()?.0));
        if let Some(desk) = desk {
            self.charge_desk(&desk, status, world);
        }
        self.on_desk_lost(outcome, Some(status), why, world);
    }

    /// A phone system that does not answer at all counts against its desk.
    pub(crate) fn charge_desk(&mut self, desk: &DeskId, status: u16, world: &mut World<'_>) {
        if matches!(status, 408 | 503)
            && let Some(text) = world.seats.charge(desk, world.now)
        {
            self.note(Party::Desk, text);
        }
    }

    fn clear_desk(&self, world: &mut World<'_>) {
        if let Some((desk, _)) = self.handoff.as_ref().and_then(|handoff| handoff.desk.as_ref()) {
            world.seats.clear(desk);
        }
    }

    pub(crate) fn on_ring_timeout(&mut self, leg: LegId, world: &mut World<'_>) {
        if self.is_direct() {
            return self.end(EndCause::sip(Party::Desk, EndReason::TimedOut, 408), world);
        }
        self.give_up_desk(leg, HandoffOutcome::NoAnswer, None, "nobody answered", world);
    }

    pub(crate) fn on_accept_timeout(&mut self, leg: LegId, world: &mut World<'_>) {
        if self.waits_for_caller().is_some() {
            return self.on_caller_missed(None, world);
        }
        if self.join_by().is_some() {
            self.note(Party::Bot, "its announcement took too long".to_owned());
            return self.join(leg, world);
        }
        self.give_up_desk(leg, HandoffOutcome::NotAccepted, None, "not accepted in time", world);
    }

    /// Hangs the desk up and goes on without it.
    pub(crate) fn give_up_desk(
        &mut self,
        leg: LegId,
        outcome: HandoffOutcome,
        sip: Option<u16>,
        why: &'static str,
        world: &mut World<'_>,
    ) {
        let (cause, text) = given_up(outcome);
        #[cfg(feature = "mutations")]
        if mutated!(world.config, TwoHumans) && outcome == HandoffOutcome::NotAccepted {
            self.keep_listening(leg);
            return self.on_desk_lost(outcome, sip, why, world);
        }
        self.hang_up(leg, &text, cause);
        self.on_desk_lost(outcome, sip, why, world);
    }

    /// A deliberate bug.
    #[cfg(feature = "mutations")]
    fn keep_listening(&mut self, id: LegId) {
        let from = call_model::Selector::Leg(self.caller_id());
        if let Some(leg) = self.leg_mut(id) {
            leg.feed = Some(call_model::Selector::Silence);
        }
        self.send_media(call_model::MediaCommand::Feed { leg: id, from });
    }

    /// This desk did not work out: the next one.
    pub(crate) fn on_desk_lost(
        &mut self,
        outcome: HandoffOutcome,
        sip: Option<u16>,
        why: &'static str,
        world: &mut World<'_>,
    ) {
        if self.waits_for_caller().is_some() {
            return self.end(EndCause::new(Party::Desk, EndReason::HungUp), world);
        }
        let stage = match self.phase {
            Phase::Accepting { .. } => HandoffStage::Accept,
            _ => HandoffStage::Consult,
        };
        self.leave_desk(why, world);
        if let Some(handoff) = self.handoff.as_mut() {
            handoff.last = Some((outcome, stage, sip));
        }
        let lost = self.handoff.as_ref().and_then(|handoff| Some(handoff.desk.clone()?.0));
        if let Some(desk) = lost {
            self.may_be_asked_again(&desk, outcome, world.now);
        }
        // A human who may be picking up comes before one who has not been asked.
        if !self.resume_another(true, world.now) {
            self.try_next_desk(world);
        }
    }

    /// A key on the desk's phone.
    pub(crate) fn on_desk_key(&mut self, id: LegId, digit: char, world: &mut World<'_>) {
        if digit == '1' {
            self.key_beside(id, world);
        }
        match self.phase {
            Phase::Accepting { leg, .. } if leg == id && digit == '1' && self.join_by().is_none() => {
                self.note(Party::Desk, "pressed 1".to_owned());
                self.trace_pop("accepted");
                self.accept(leg, world);
            }
            Phase::Accepting { leg, .. } if leg == id => self.note(Party::Desk, format!("pressed {digit}")),
            Phase::Joined { .. } => self.on_key_after_join(id, digit, world),
            _ => {}
        }
    }
}

/// What a refusal of the consult INVITE means.
pub(crate) const fn refusal(status: u16) -> (HandoffOutcome, &'static str) {
    match status {
        486 | 600 => (HandoffOutcome::Busy, "the phone was busy"),
        603 => (HandoffOutcome::Declined, "declined on the phone"),
        300..=399 => (HandoffOutcome::Failed, "it wanted the caller to be sent elsewhere, which is not done"),
        408 | 480 | 487 => (HandoffOutcome::NoAnswer, "nobody answered"),
        _ => (HandoffOutcome::Failed, "the phone could not be reached"),
    }
}

/// What ends the leg of a desk that did not take the caller, and what its phone is told.
pub(crate) fn given_up(outcome: HandoffOutcome) -> (EndCause, String) {
    match outcome {
        HandoffOutcome::NoAnswer => (EndCause::new(Party::Desk, EndReason::TimedOut), reason(408, "No answer")),
        HandoffOutcome::NotAccepted => (EndCause::new(Party::Desk, EndReason::TimedOut), reason(480, "Not accepted")),
        HandoffOutcome::Declined => (EndCause::new(Party::Desk, EndReason::Refused), reason(603, "Declined")),
        _ => (EndCause::new(Party::Gateway, EndReason::Fault), reason(500, "Failed")),
    }
}
