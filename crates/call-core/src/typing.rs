//! Keys that are pressed for a desk's phone system once it has answered, before any human is told anything: an extension,
//! a conference code.

use crate::call::{Call, World};
use crate::leg::LegEvent;
use crate::transfer::Phase;
use call_model::{DialStep, Instant, LegId, MediaCommand, Party};
use core::time::Duration;

/// A key and the pause after it take less.
const KEY: Duration = Duration::from_millis(200);
/// The end of the keys is awaited a little longer than it should take.
const GRACE: Duration = Duration::from_secs(2);

/// Whether the keys of a desk were pressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Typing {
    /// It has not answered, or wants none.
    #[default]
    No,
    /// They are being pressed, until then at most.
    Until(Instant),
    /// They were.
    Done,
}

impl Call {
    /// The desk answered. True: keys are pressed first, and the answer counts when they were.
    pub(crate) fn types_first(&mut self, id: LegId, event: &LegEvent, world: &World<'_>) -> bool {
        let LegEvent::Answered { .. } = event else { return false };
        let alerting = self.is_alerting(id);
        let Some(leg) = self.leg_mut(id).filter(|leg| alerting && leg.typing == Typing::No) else { return false };
        let steps = world.config.desk(&leg.name).map(|desk| desk.post_digits.clone()).unwrap_or_default();
        if steps.is_empty() {
            return false;
        }
        let takes = |step: &DialStep| match step {
            DialStep::Key(_) => KEY,
            DialStep::Pause(pause) => *pause,
        };
        let until = world.now + steps.iter().map(takes).sum::<Duration>() + GRACE;
        leg.typing = Typing::Until(until);
        let keys = steps.iter().filter(|step| matches!(step, DialStep::Key(_))).count();
        self.note(Party::Desk, format!("answered; {keys} keys are pressed first"));
        self.send_media(MediaCommand::Dial { leg: id, steps });
        self.be_patient(id, until + GRACE);
        true
    }

    /// The desk is not given up before then.
    fn be_patient(&mut self, id: LegId, until: Instant) {
        let beside = self.handoff.iter_mut().flat_map(|handoff| &mut handoff.beside).map(|attempt| &mut attempt.phase);
        for phase in beside.chain([&mut self.phase]) {
            if let Phase::Alerting { leg, give_up_at, progress_by } = phase
                && *leg == id
            {
                *give_up_at = until.max(*give_up_at);
                *progress_by = None;
            }
        }
    }

    /// All keys were pressed, or it took too long: the desk's answer counts now.
    pub(crate) fn on_typed(&mut self, id: LegId, world: &mut World<'_>) {
        let Some(leg) = self.leg_mut(id).filter(|leg| matches!(leg.typing, Typing::Until(_))) else { return };
        leg.typing = Typing::Done;
        if leg.is_up() && self.ending.is_none() {
            self.on_desk(id, LegEvent::Answered { media: None }, world);
        }
    }

    pub(crate) fn typing_deadline(&self) -> Option<Instant> {
        self.typing_legs().map(|(_, until)| until).min()
    }

    pub(crate) fn on_typing_timeout(&mut self, world: &mut World<'_>) {
        let late: Vec<LegId> = self.typing_legs().filter(|(_, until)| *until <= world.now).map(|(id, _)| id).collect();
        late.into_iter().for_each(|id| self.on_typed(id, world));
    }

    fn typing_legs(&self) -> impl Iterator<Item = (LegId, Instant)> + '_ {
        self.legs.iter().filter_map(|leg| match leg.typing {
            Typing::Until(until) if leg.is_up() => Some((leg.id, until)),
            _ => None,
        })
    }
}
