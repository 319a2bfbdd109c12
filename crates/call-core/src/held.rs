//! Who holds owes no audio, so that only SIP can tell whether somebody is still there.

use crate::call::{Call, World};
use crate::leg::LegCommand;
use call_model::{Instant, LegId, Role};
use core::time::Duration;

/// How long after the hold the question is asked for the first time: while somebody is there, to learn whether they
/// answer such questions at all.
const FIRST: Duration = Duration::from_secs(1);
/// And from question to question: longer than one without an answer takes to fail (64*T1).
const EVERY: Duration = Duration::from_secs(40);
/// So many questions in a row without an answer, and nobody is there (RFC 3261 §12.2.1.2). One may be lost. Not every
/// telephone answers, though: one that never has is asked in a way that none can ignore.
const ENOUGH: u8 = 2;

/// A leg on hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) since: Instant,
    ask_at: Instant,
    missed: u8,
}

impl Held {
    pub(crate) fn since(now: Instant) -> Self {
        Self { since: now, ask_at: now + FIRST, missed: 0 }
    }

    /// A question was answered, or was not; whether nobody is there. `telling`: silence says so, for some question was
    /// answered, or this one did not get there.
    pub(crate) const fn was_asked(&mut self, answered: bool, telling: bool) -> bool {
        self.missed = if answered { 0 } else { self.missed.saturating_add(1) };
        telling && self.missed >= ENOUGH
    }
}

impl Call {
    pub(crate) fn held_deadline(&self) -> Option<Instant> {
        let held = self.legs.iter().filter(|leg| leg.is_up()).filter_map(|leg| leg.held);
        held.map(|held| held.ask_at).min()
    }

    pub(crate) fn ask_held(&mut self, world: &mut World<'_>) {
        if self.holds_for_good(world.now) {
            return self.leave_the_caller_elsewhere(world);
        }
        let due = |held: Option<Held>| held.is_some_and(|held| held.ask_at <= world.now);
        let asked: Vec<LegId> = self.legs.iter().filter(|leg| leg.is_up() && due(leg.held)).map(|leg| leg.id).collect();
        for id in asked {
            let in_charge = self.is_in_charge(id);
            let Some(leg) = self.leg_mut(id) else { continue };
            let Some(held) = leg.held.as_mut() else { continue };
            held.ask_at = world.now + EVERY;
            let how = if held.missed >= ENOUGH { LegCommand::Refresh } else { LegCommand::Probe };
            if leg.role == Role::Caller || in_charge {
                self.command(id, how);
            }
        }
    }
}
