//! What a call tells the desk's page about its handoff, and what the page says back.

use crate::call::{Call, World};
use crate::controls::MOST_REASON;
use crate::handback::one_line;
use crate::join::Proof;
use crate::switchboard::DeskRefused;
use crate::transfer::Phase;
use call_model::{
    Because, DeskAction, DeskId, DeskState, HandoffOutcome, HandoffPackage, Instant, LegId, PopUpdate, TraceKind,
};

/// The screen pop.
impl Call {
    pub(crate) fn next_package(&mut self) -> Option<HandoffPackage> {
        let handoff = self.handoff.as_mut()?;
        handoff.version += 1;
        let package = self.known.package(&self.about, handoff.id, &handoff.decision, handoff.version);
        Some(HandoffPackage { callback: self.calling_back.as_ref().map(|calling| calling.note), ..package })
    }

    /// The package grew.
    pub(crate) fn grow_pop(&mut self, world: &World<'_>) {
        self.grow_beside();
        if let Some(pop) = self.handoff.as_mut().and_then(|handoff| handoff.pop.as_mut()) {
            pop.note_growth();
            self.amend_pop(world);
        }
    }

    pub(crate) fn amend_pop(&mut self, world: &World<'_>) {
        let every = world.config.timers.amend_every;
        let Some(pop) = self.handoff.as_mut().and_then(|handoff| handoff.pop.as_mut()) else { return };
        let desk = pop.desk.clone();
        if pop.handle_timeout(every, world.now)
            && let Some(package) = self.next_package()
        {
            self.pop(PopUpdate::Amended { desk, package: Box::new(package) });
            self.trace_pop("amended");
        }
    }

    pub(crate) fn pop_deadline(&self, config: &crate::SwitchboardConfig) -> Option<Instant> {
        self.handoff.as_ref()?.pop.as_ref()?.poll_timeout(config.timers.amend_every)
    }

    pub(crate) fn trace_pop(&mut self, what: &'static str) {
        let Some(handoff) = self.handoff.as_ref() else { return };
        if let Some((desk, _)) = &handoff.desk {
            let (handoff, desk) = (handoff.id, desk.clone());
            self.trace(TraceKind::Pop { handoff, desk, what });
        }
    }

    /// Takes the pop off the desk and gives the desk back.
    pub(crate) fn leave_desk(&mut self, why: &'static str, world: &mut World<'_>) {
        let Some(handoff) = self.handoff.as_mut() else { return };
        let (id, popped) = (handoff.id, handoff.pop.take().is_some());
        let talked = handoff.proof != Proof::NotYet;
        let Some((desk, _)) = handoff.desk.clone() else { return };
        let taken = world.seats.give_back(&desk, id, world.now);
        if talked && self.phase != Phase::Released {
            self.begin_after_call(&desk, world);
            world.note_service(&desk, taken);
        }
        // After a release the conversation goes on without us, and what the human reads stays before them.
        if popped && self.phase != Phase::Released && !mutated!(world.config, PopKept) {
            self.pop(PopUpdate::Retracted { desk, handoff: id, why });
            self.trace_pop("retracted");
        }
    }

    /// A desk's page says something about the handoff.
    pub(crate) fn handle_desk(
        &mut self,
        desk: &DeskId,
        action: &DeskAction,
        world: &mut World<'_>,
    ) -> Result<(), DeskRefused> {
        let id = action.handoff();
        if self.handoff.as_ref().is_some_and(|handoff| handoff.id == id) && self.page_beside(desk, action, world) {
            self.settle();
            return Ok(());
        }
        let handoff = self.handoff.as_mut().filter(|handoff| handoff.id == id && handoff.pop.is_some());
        let handoff = handoff.filter(|handoff| handoff.desk.as_ref().is_some_and(|(of, _)| of == desk));
        let Some(handoff) = handoff else { return Err(DeskRefused::NotYours) };
        match action {
            DeskAction::Acknowledged(_) => {
                let first = handoff.pop.as_mut().is_some_and(|pop| !core::mem::replace(&mut pop.acknowledged, true));
                if first {
                    self.trace_pop("acknowledged");
                }
                if let Phase::Offering { leg, .. } = self.phase {
                    self.ring_desk(leg, world);
                }
            }
            DeskAction::Accepted(_) => {
                let first = !core::mem::replace(&mut handoff.accepted_on_page, true);
                if first && self.phase.is_consulting() {
                    self.trace_pop("accepted");
                }
                match self.phase {
                    Phase::Offering { leg, .. } => self.ring_desk(leg, world),
                    Phase::Accepting { leg, .. } => self.accept(leg, world),
                    _ => {}
                }
            }
            DeskAction::Declined { reason, .. } => match self.phase {
                Phase::Offering { leg, .. } | Phase::Alerting { leg, .. } | Phase::Accepting { leg, .. } => {
                    self.trace_pop("declined");
                    self.note_declined(desk, reason, world.now);
                    self.give_up_desk(leg, HandoffOutcome::Declined, None, "you declined", world);
                }
                _ => return Err(DeskRefused::TooLate),
            },
            DeskAction::HandBack { notes, .. } => self.hand_back(notes, world)?,
            DeskAction::PassOn { .. }
            | DeskAction::Hold { .. }
            | DeskAction::Mute { .. }
            | DeskAction::Keys { .. }
            | DeskAction::End(_) => self.on_control(desk, action, world)?,
        }
        self.settle();
        Ok(())
    }

    /// Whoever is asked next reads why not.
    pub(crate) fn note_declined(&mut self, desk: &DeskId, reason: &str, now: Instant) {
        let reason = one_line(reason, MOST_REASON);
        if let Some(handoff) = self.handoff.as_mut().filter(|_| !reason.is_empty()) {
            handoff.decision.because.push(Because { at: now, text: format!("{desk} declined: {reason}") });
        }
    }

    /// The human has something to write down, if their desk has time for it.
    pub(crate) fn begin_after_call(&mut self, desk: &DeskId, world: &mut World<'_>) {
        if let Some(until) = world.seats.begin_after_call(desk, world.now) {
            self.pop(PopUpdate::State { desk: desk.clone(), state: DeskState::AfterCall, until: Some(until) });
        }
    }

    pub(crate) fn on_pop_unacknowledged(&mut self, leg: LegId, world: &mut World<'_>) {
        self.trace_pop("unacknowledged");
        self.ring_desk(leg, world);
    }
}
