//! More than one desk at a time: a desk that says nothing is kept while the next one is rung. The attempt that
//! something happens to leads, the others stand beside it; the first human to accept gets the caller, once.

use crate::call::{Call, World, reason};
use crate::consult::{given_up, refusal};
use crate::leg::LegEvent;
use crate::pop::Pop;
use crate::transfer::{Handoff, Phase};
use call_model::{
    DeskAction, DeskId, EndCause, EndReason, HandoffOutcome, HandoffStage, Instant, LegId, Party, PopUpdate, TraceKind,
};

/// A desk that is being fetched while another one leads.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) phase: Phase,
    desk: DeskId,
    sip_call_id: String,
    pop: Option<Pop>,
    accepted_on_page: bool,
    /// The rich INVITE was refused by this desk.
    plain: bool,
    /// Its phone has rung meanwhile.
    rings: bool,
}

impl Attempt {
    const fn leg(&self) -> Option<LegId> {
        self.phase.consulted()
    }

    /// A human may be listening already.
    fn is_hopeful(&self) -> bool {
        self.rings || matches!(self.phase, Phase::Accepting { .. })
    }

    fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Offering { until, .. } => Some(until),
            Phase::Alerting { give_up_at, .. } | Phase::Accepting { give_up_at, .. } => Some(give_up_at),
            _ => None,
        }
    }
}

/// What the INVITE to a desk says of the attempt.
pub(crate) struct Terms<'a> {
    pub(crate) desk: &'a DeskId,
    pub(crate) sip_call_id: &'a mut String,
    /// The rich INVITE was refused.
    pub(crate) plain: &'a mut bool,
    pub(crate) popped: bool,
}

impl Handoff {
    /// Of the attempt that this leg belongs to, leading or not.
    pub(crate) fn terms(&mut self, leg: LegId) -> Option<Terms<'_>> {
        if let Some(beside) = self.beside.iter_mut().find(|attempt| attempt.leg() == Some(leg)) {
            let Attempt { desk, sip_call_id, plain, pop, .. } = beside;
            return Some(Terms { desk, sip_call_id, plain, popped: pop.is_some() });
        }
        let (desk, sip_call_id) = self.desk.as_mut()?;
        Some(Terms { desk, sip_call_id, plain: &mut self.plain, popped: self.pop.is_some() })
    }
}

impl Phase {
    /// The desk leg that is being fetched.
    pub(crate) const fn consulted(&self) -> Option<LegId> {
        match self {
            Self::Offering { leg, .. } | Self::Alerting { leg, .. } | Self::Accepting { leg, .. } => Some(*leg),
            _ => None,
        }
    }
}

impl Call {
    /// Nothing but 100 for a while: the next desk rings as well, if there is one, and this one goes on.
    pub(crate) fn on_no_progress(&mut self, world: &mut World<'_>) {
        if let Phase::Alerting { progress_by, .. } = &mut self.phase {
            *progress_by = None;
        }
        if self.is_direct() {
            return;
        }
        let silent = self.handoff.as_ref().and_then(|handoff| handoff.desk.clone());
        self.set_aside();
        self.try_next_desk(world);
        let leads = self.handoff.as_ref().and_then(|handoff| handoff.desk.as_ref());
        let another = leads.map(|(desk, _)| desk) != silent.as_ref().map(|(desk, _)| desk);
        if let Some((desk, _)) = silent.filter(|_| another) {
            let after = world.config.timers.no_progress.as_secs();
            self.note(Party::Desk, format!("{desk} has said nothing for {after} s: another desk rings as well"));
        }
    }

    /// The leading attempt makes room.
    fn set_aside(&mut self) {
        if self.phase.consulted().is_none() {
            return;
        }
        let phase = self.phase.clone();
        let Some(handoff) = self.handoff.as_mut() else { return };
        let Some((desk, sip_call_id)) = handoff.desk.take() else { return };
        handoff.beside.push(Attempt {
            phase,
            desk,
            sip_call_id,
            pop: handoff.pop.take(),
            accepted_on_page: handoff.accepted_on_page,
            plain: handoff.plain,
            rings: false,
        });
    }

    /// An attempt from beside leads from now on.
    fn lead(&mut self, index: usize, now: Instant) {
        let Some(handoff) = self.handoff.as_mut() else { return };
        let attempt = handoff.beside.remove(index);
        handoff.desk = Some((attempt.desk, attempt.sip_call_id));
        handoff.pop = attempt.pop;
        handoff.accepted_on_page = attempt.accepted_on_page;
        handoff.plain = attempt.plain;
        if handoff.named != handoff.desk.as_ref().map(|(desk, _)| desk.clone()) {
            self.trace_desk("asked before, and ahead of the others now".to_owned());
        }
        self.enter(attempt.phase, now);
    }

    /// Something happened to an attempt beside that makes it the one that matters.
    fn bring_forward(&mut self, index: usize, now: Instant) {
        self.set_aside();
        self.lead(index, now);
    }

    /// The leading attempt is lost: one of those beside leads, the most hopeful first. False: there is none.
    pub(crate) fn resume_another(&mut self, hopeful: bool, now: Instant) -> bool {
        let Some(handoff) = self.handoff.as_ref() else { return false };
        let place = handoff.beside.iter().rposition(Attempt::is_hopeful);
        let place = if hopeful { place } else { place.or(handoff.beside.len().checked_sub(1)) };
        if let Some(index) = place {
            self.lead(index, now);
        }
        place.is_some()
    }

    fn beside_index(&self, leg: LegId) -> Option<usize> {
        self.handoff.as_ref()?.beside.iter().position(|attempt| attempt.leg() == Some(leg))
    }

    /// Whether the leg is that of a human who answered and has yet to accept.
    pub(crate) fn is_accepting(&self, leg: LegId) -> bool {
        let accepting = |phase: &Phase| matches!(phase, Phase::Accepting { leg: of, .. } if *of == leg);
        let beside = self.handoff.iter().flat_map(|handoff| &handoff.beside);
        accepting(&self.phase) || beside.into_iter().any(|attempt| accepting(&attempt.phase))
    }

    /// Whether the leg's desk has been dialled and has not answered.
    pub(crate) fn is_alerting(&self, leg: LegId) -> bool {
        let alerting = |phase: &Phase| matches!(phase, Phase::Alerting { leg: of, .. } if *of == leg);
        let beside = self.handoff.iter().flat_map(|handoff| &handoff.beside);
        alerting(&self.phase) || beside.into_iter().any(|attempt| alerting(&attempt.phase))
    }

    /// Something happened to a desk leg beside the leading one. False: it is not beside.
    pub(crate) fn on_desk_beside(&mut self, id: LegId, event: &LegEvent, world: &mut World<'_>) -> bool {
        let Some(index) = self.beside_index(id) else { return false };
        match event {
            LegEvent::Ringing | LegEvent::Queued => {
                if let Some(attempt) = self.handoff.as_mut().and_then(|handoff| handoff.beside.get_mut(index)) {
                    attempt.rings = true;
                }
            }
            LegEvent::Answered { .. } => {
                let give_up_at = world.now + world.config.timers.accept_timeout;
                if let Some(attempt) = self.handoff.as_mut().and_then(|handoff| handoff.beside.get_mut(index)) {
                    attempt.phase = Phase::Accepting { leg: id, give_up_at };
                }
                self.bring_forward(index, world.now);
                self.on_desk_answered(id, world);
            }
            LegEvent::Refused { status } => {
                let (outcome, why) = refusal(*status);
                if let Some(desk) =
                    self.handoff.as_ref().and_then(|handoff| handoff.beside.get(index)).map(|one| one.desk.clone())
                {
                    self.charge_desk(&desk, *status, world);
                }
                self.drop_beside(index, outcome, Some(*status), why, world);
            }
            LegEvent::Ended { .. } | LegEvent::Late => {
                self.drop_beside(index, HandoffOutcome::NotAccepted, None, "hung up before accepting", world);
            }
            _ => {}
        }
        true
    }

    /// The human at a desk beside pressed the key that accepts.
    pub(crate) fn key_beside(&mut self, leg: LegId, world: &World<'_>) {
        if let Some(index) = self.beside_index(leg).filter(|_| self.is_accepting(leg)) {
            self.bring_forward(index, world.now);
        }
    }

    /// The page of a desk beside says something. True: that was all.
    pub(crate) fn page_beside(&mut self, desk: &DeskId, action: &DeskAction, world: &mut World<'_>) -> bool {
        let found = self.handoff.as_ref().and_then(|handoff| {
            let index = handoff.beside.iter().position(|attempt| attempt.desk == *desk)?;
            Some((handoff.id, index))
        });
        let Some((handoff, index)) = found else { return false };
        match action {
            DeskAction::Accepted(_) => {
                self.bring_forward(index, world.now);
                false
            }
            DeskAction::Declined { reason, .. } => {
                self.trace(TraceKind::Pop { handoff, desk: desk.clone(), what: "declined" });
                self.note_declined(desk, reason, world.now);
                self.drop_beside(index, HandoffOutcome::Declined, None, "you declined", world);
                true
            }
            DeskAction::Acknowledged(_) => true,
            DeskAction::HandBack { .. }
            | DeskAction::PassOn { .. }
            | DeskAction::Hold { .. }
            | DeskAction::Mute { .. }
            | DeskAction::Keys { .. }
            | DeskAction::End(_) => false,
        }
    }

    /// One of the desks beside did not work out; the leading one does not notice.
    fn drop_beside(
        &mut self,
        index: usize,
        outcome: HandoffOutcome,
        sip: Option<u16>,
        why: &'static str,
        world: &mut World<'_>,
    ) {
        let Some(handoff) = self.handoff.as_mut() else { return };
        let attempt = handoff.beside.remove(index);
        let stage = match attempt.phase {
            Phase::Accepting { .. } => HandoffStage::Accept,
            _ => HandoffStage::Consult,
        };
        handoff.last = Some((outcome, stage, sip));
        self.may_be_asked_again(&attempt.desk, outcome, world.now);
        let (cause, text) = given_up(outcome);
        self.leave_beside(attempt, why, &text, cause, world);
    }

    fn leave_beside(
        &mut self,
        attempt: Attempt,
        why: &'static str,
        text: &str,
        cause: EndCause,
        world: &mut World<'_>,
    ) {
        let Some(handoff) = self.handoff.as_ref().map(|handoff| handoff.id) else { return };
        world.seats.give_back(&attempt.desk, handoff, world.now);
        if attempt.pop.is_some() {
            self.pop(PopUpdate::Retracted { desk: attempt.desk.clone(), handoff, why });
            self.trace(TraceKind::Pop { handoff, desk: attempt.desk.clone(), what: "retracted" });
        }
        let told = |leg: &LegId| self.farewell.iter().any(|(of, _)| of == leg);
        if let Some(leg) = attempt.leg().filter(|leg| !told(leg)) {
            self.hang_up(leg, text, cause);
        }
    }

    /// Only one human gets the caller: the others are told, and their phones stop ringing.
    pub(crate) fn leave_others(&mut self, why: &'static str, text: &str, cause: EndCause, world: &mut World<'_>) {
        let others = self.handoff.as_mut().map(|handoff| core::mem::take(&mut handoff.beside));
        for attempt in others.into_iter().flatten() {
            self.leave_beside(attempt, why, text, cause, world);
        }
    }

    /// A human has accepted: whoever else was asked is not needed any more.
    pub(crate) fn only_this_desk(&mut self, world: &mut World<'_>) {
        let elsewhere = reason(200, "Call completed elsewhere");
        let cause = EndCause::new(Party::Gateway, EndReason::Finished);
        self.leave_others("another desk took the caller", &elsewhere, cause, world);
    }

    /// The package grew: those beside see it when they lead.
    pub(crate) fn grow_beside(&mut self) {
        for attempt in self.handoff.iter_mut().flat_map(|handoff| &mut handoff.beside) {
            if let Some(pop) = attempt.pop.as_mut() {
                pop.note_growth();
            }
        }
    }

    pub(crate) fn beside_deadline(&self) -> Option<Instant> {
        self.handoff.as_ref().filter(|_| self.ending.is_none())?.beside.iter().filter_map(Attempt::deadline).min()
    }

    /// A desk beside has rung, or kept its secret, for too long.
    pub(crate) fn on_beside_timeout(&mut self, world: &mut World<'_>) {
        let due = |attempt: &Attempt| attempt.deadline().is_some_and(|at| at <= world.now);
        let index = self.handoff.as_ref().and_then(|handoff| handoff.beside.iter().position(due));
        let Some(index) = index else { return };
        let accepting = self
            .handoff
            .as_ref()
            .and_then(|handoff| handoff.beside.get(index))
            .is_some_and(|attempt| matches!(attempt.phase, Phase::Accepting { .. }));
        let (outcome, why) = if accepting {
            (HandoffOutcome::NotAccepted, "not accepted in time")
        } else {
            (HandoffOutcome::NoAnswer, "nobody answered")
        };
        self.drop_beside(index, outcome, None, why, world);
    }
}
