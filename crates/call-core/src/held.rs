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
/// So many questions in a row without an answer, and nobody is there (RFC 3261 §12.2.1.2). One may be lost.
const ENOUGH: u8 = 2;
/// Not every telephone answers: one that never has may be on hold for so many questions, an hour.
const ENOUGH_OF_THE_MUTE: u8 = 90;

/// A leg on hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    ask_at: Instant,
    missed: u8,
}

impl Held {
    pub(crate) fn since(now: Instant) -> Self {
        Self { ask_at: now + FIRST, missed: 0 }
    }

    /// A question was answered, or was not; whether nobody is there. `answers`: some question was.
    pub(crate) const fn was_asked(&mut self, answered: bool, answers: bool) -> bool {
        self.missed = if answered { 0 } else { self.missed + 1 };
        self.missed >= if answers { ENOUGH } else { ENOUGH_OF_THE_MUTE }
    }
}

impl Call {
    pub(crate) fn held_deadline(&self) -> Option<Instant> {
        let held = self.legs.iter().filter(|leg| leg.is_up()).filter_map(|leg| leg.held);
        held.map(|held| held.ask_at).min()
    }

    pub(crate) fn ask_held(&mut self, world: &World<'_>) {
        let due = |held: Option<Held>| held.is_some_and(|held| held.ask_at <= world.now);
        let asked: Vec<LegId> = self.legs.iter().filter(|leg| leg.is_up() && due(leg.held)).map(|leg| leg.id).collect();
        for id in asked {
            let role = self.leg(id).map(|leg| leg.role);
            if let Some(held) = self.leg_mut(id).and_then(|leg| leg.held.as_mut()) {
                held.ask_at = world.now + EVERY;
            }
            if role == Some(Role::Caller) || self.is_in_charge(id) {
                self.command(id, LegCommand::Probe);
            }
        }
    }
}
