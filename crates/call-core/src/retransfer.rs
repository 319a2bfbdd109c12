//! A human passes the caller on to another human: REFER from a desk's telephone after the join (RFC 5589 §6 and §7).
//!
//! The first human keeps the caller until the second one has it, or until they hang up. If nobody takes the caller, it
//! stays where it is, or goes back to the bot when the first human has gone.

use crate::call::{Call, World, reason};
use crate::join::HUMAN_GONE;
use crate::leg::{InPlaceOf, Leg, LegEvent, Referral, ReferralTarget};
use crate::transfer::{Handoff, Phase, Recovery};
use call_model::{
    Because, Decision, DeskId, EndCause, EndReason, HandoffEnd, HandoffId, HandoffStage, Layer, LegId, Party,
    PopUpdate, TraceKind, Trigger, Urgency,
};

/// A human who passes the caller on.
#[derive(Debug)]
pub(crate) struct Retransfer {
    /// Their leg, which may be gone.
    leg: LegId,
    /// The handoff that brought them the caller; none once they have gone, or for a caller who dialled them.
    handoff: Option<Handoff>,
    /// Only the target they named will do, while they are there to decide otherwise.
    only: bool,
}

impl Call {
    /// The human who has the caller asks for another. None, or the status by which that is refused.
    pub(crate) fn on_desks_referral(&mut self, id: LegId, referral: Referral, world: &mut World<'_>) -> Option<u16> {
        match self.phase {
            // The bot is being fetched for this caller: one thing at a time.
            Phase::Joined { leg, .. } if leg == id && self.hand_back.is_some() => return Some(491),
            Phase::Joined { leg, .. } if leg == id => {}
            // The trunk has been asked to take us out of the path: one thing at a time (RFC 3261 §14.2).
            Phase::Releasing { leg, .. } if leg == id => return Some(491),
            // Somebody else is being fetched for them: they would hear how that one fares.
            _ if self.passing_human() == Some(id) && self.fetches_another_than(&referral.target) => return Some(491),
            _ if self.phase.is_consulting() && self.passing_human() == Some(id) => {
                self.accept_referral(&referral, world);
                return None;
            }
            _ => return Some(603),
        }
        self.begin_to_pass_on(id, referral.target.clone());
        self.accept_referral(&referral, world);
        self.seek_next_human(id, referral.reason.as_deref(), world);
        None
    }

    fn fetches_another_than(&self, target: &ReferralTarget) -> bool {
        let (ReferralTarget::Desk(meant) | ReferralTarget::InPlaceOf(InPlaceOf { desk: meant, .. })) = target else {
            return false;
        };
        let fetched = self.handoff.as_ref().and_then(|handoff| handoff.desk.as_ref());
        fetched.is_some_and(|(desk, _)| desk.0 != *meant)
    }

    /// The handoff that brought the human the caller is over; they keep the caller.
    pub(crate) fn begin_to_pass_on(&mut self, id: LegId, target: ReferralTarget) {
        self.finish_handoff(self.joined_outcome(), HandoffStage::Join, None);
        self.note_earlier(self.joined_outcome(), HandoffEnd::PassedOn, "");
        self.drop_bot(EndCause::new(Party::Gateway, EndReason::Finished), "Handed over");
        let only = target != ReferralTarget::Anybody;
        self.retransfer = Some(Retransfer { leg: id, handoff: self.handoff.take(), only });
        self.preferred = Some(target);
    }

    /// Another handoff, for the same caller.
    pub(crate) fn seek_next_human(&mut self, id: LegId, reason: Option<&str>, world: &mut World<'_>) {
        let by = self.leg(id).map(|leg| leg.name.clone()).unwrap_or_default();
        let decision = passed_on(&by, reason, world);
        self.trace(TraceKind::Decided(decision.clone()));
        self.start_handoff(decision, world);
    }

    /// The desk that has the caller.
    pub(crate) fn human(&self) -> Option<(LegId, String)> {
        let (Phase::Joined { leg, .. } | Phase::Releasing { leg, .. }) = self.phase else { return None };
        self.leg(leg).filter(|leg| leg.is_up()).map(|leg| (leg.id, leg.name.clone()))
    }

    /// The desk that rings for a caller who dialled it.
    pub(crate) fn rung_directly(&self) -> Option<String> {
        let Phase::Alerting { leg, .. } = self.phase else { return None };
        self.leg(leg).filter(|_| self.is_direct()).map(|leg| leg.name.clone())
    }

    /// The leg of the human who passes the caller on, while they are there.
    pub(crate) fn passing_human(&self) -> Option<LegId> {
        let leg = self.retransfer.as_ref()?.leg;
        self.leg(leg).filter(|leg| leg.is_up()).map(|leg| leg.id)
    }

    /// Desks that are not to be rung: the one that passes the caller on.
    pub(crate) fn passed_on_by(&self) -> Option<DeskId> {
        self.retransfer.as_ref()?.handoff.as_ref()?.desk.as_ref().map(|(desk, _)| desk.clone())
    }

    /// Whether nobody else may be tried, because a human named the target and hears what became of it.
    pub(crate) fn only_the_named(&self) -> bool {
        self.retransfer.as_ref().is_some_and(|retransfer| retransfer.only) && self.passing_human().is_some()
    }

    /// The human who passes the caller on has hung up, as they may (RFC 5589 §6.1). False: it was somebody else's leg.
    pub(crate) fn on_passing_human(&mut self, id: LegId, event: &LegEvent, world: &mut World<'_>) -> bool {
        let Some(retransfer) = self.retransfer.as_mut().filter(|retransfer| retransfer.leg == id) else { return false };
        if let LegEvent::Ended { .. } | LegEvent::Refused { .. } = event {
            let handoff = retransfer.handoff.take();
            self.note(Party::Desk, "has gone, the caller being passed on".to_owned());
            self.leave_old_desk(handoff, "you passed the caller on", world);
        }
        true
    }

    /// The next human has the caller: the one before may go.
    pub(crate) fn finish_retransfer(&mut self, world: &mut World<'_>) {
        let Some(retransfer) = self.retransfer.take() else { return };
        self.leave_old_desk(retransfer.handoff, "you passed the caller on", world);
        let cause = EndCause::new(Party::Gateway, EndReason::Finished);
        self.hang_up(retransfer.leg, &reason(200, "Transferred"), cause);
    }

    /// Nobody took the caller. False: nobody had asked.
    pub(crate) fn undo_retransfer(&mut self, why: &'static str, world: &mut World<'_>) -> bool {
        let stays = self.passing_human();
        let Some(retransfer) = self.retransfer.take() else { return false };
        match stays {
            Some(leg) => {
                if let Some(handoff) = &retransfer.handoff {
                    self.known.forget_earlier(handoff.id);
                }
                self.handoff = retransfer.handoff;
                self.overtake_blinds();
                let desk = self.handoff.as_ref().and_then(|handoff| Some((handoff.id, handoff.desk.clone()?.0)));
                if let Some((handoff, desk)) = desk {
                    self.pop(PopUpdate::NotPassedOn { desk, handoff, why });
                }
                self.enter(Phase::Joined { leg, release_at: None, release: false }, world.now);
            }
            None => {
                let or_else = EndCause::new(Party::Desk, EndReason::HungUp);
                self.enter(Phase::Recovering(Recovery::Bot { or_else, or_human: false, told: HUMAN_GONE }), world.now);
                self.settle();
                self.dial_bot(world);
            }
        }
        true
    }

    /// The call is over for a human who was passing the caller on, too.
    pub(crate) fn end_retransfer(&mut self, why: &'static str, world: &mut World<'_>) {
        if let Some(retransfer) = self.retransfer.take() {
            self.leave_old_desk(retransfer.handoff, why, world);
        }
    }

    /// Takes the pop off the desk that had the caller before, and gives that desk back.
    fn leave_old_desk(&mut self, handoff: Option<Handoff>, why: &'static str, world: &mut World<'_>) {
        let Some((id, Some((desk, _)))) = handoff.map(|handoff| (handoff.id, handoff.desk)) else { return };
        let taken = world.seats.give_back(&desk, id, world.now);
        self.begin_after_call(&desk, world);
        world.note_service(&desk, taken);
        self.retract_old_pop(id, desk, why);
    }

    fn retract_old_pop(&mut self, handoff: HandoffId, desk: DeskId, why: &'static str) {
        self.pop(PopUpdate::Retracted { desk: desk.clone(), handoff, why });
        self.trace(TraceKind::Pop { handoff, desk, what: "retracted" });
    }

    /// What the caller hears of the human who passes it on; none when they have gone.
    pub(crate) fn source_of_passing_human(&self) -> Option<call_model::Selector> {
        let leg = self.passing_human().and_then(|leg| self.leg(leg))?;
        Some(self.heard_of_human(heard_of(leg)))
    }
}

/// A party that is heard, or music while it is on hold.
pub(crate) fn heard_of(leg: &Leg) -> call_model::Selector {
    if leg.can_be_heard() { call_model::Selector::Leg(leg.id) } else { call_model::Selector::Music }
}

/// The decision of a human that another one is needed.
fn passed_on(by: &str, reason: Option<&str>, world: &World<'_>) -> Decision {
    let text = match reason {
        Some(reason) => format!("{by} passes the caller on: {reason}"),
        None => format!("{by} passes the caller on"),
    };
    Decision {
        at: world.now,
        rule: "refer".to_owned(),
        trigger: Trigger::PassedOn,
        layer: Layer::Hard,
        urgency: Urgency::High,
        because: vec![Because { at: world.now, text }],
    }
}
