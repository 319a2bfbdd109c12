//! What the gateway itself says to people who wait: to a human who answered and has yet to take the caller, and to a
//! caller whom nobody but the music keeps company.

use crate::call::{Call, PROMPT_LIMIT, World};
use call_model::{Instant, LegId, Prompt, Selector, Trigger};
use core::time::Duration;

/// The pause between two times that a human is told which key to press.
const PAUSE: Duration = Duration::from_secs(2);

/// What a human hears who has yet to take the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Whisper {
    /// Why the caller needs a person.
    Why(Trigger),
    /// Which key to press.
    PressOne,
    /// Nothing until then; after that, once more which key.
    Pause { until: Instant },
}

impl Whisper {
    pub(crate) const fn selector(self) -> Selector {
        match self {
            Self::Why(trigger) => Selector::Prompt(Prompt::Why(trigger)),
            Self::PressOne => Selector::Prompt(Prompt::PressOne),
            Self::Pause { .. } => Selector::Silence,
        }
    }
}

/// The human who answered.
impl Call {
    /// The desk answered: it hears why, where that is wanted, and how to take the caller.
    pub(crate) fn start_whisper(&mut self, id: LegId, world: &World<'_>) {
        let wanted = self.leg(id).and_then(|leg| world.config.desk(&leg.name)).is_some_and(|desk| desk.whisper);
        let trigger = self.handoff.as_ref().map(|handoff| handoff.decision.trigger);
        let first = trigger.filter(|_| wanted).map_or(Whisper::PressOne, Whisper::Why);
        if let Some(leg) = self.leg_mut(id) {
            leg.whisper = Some(first);
        }
    }

    /// A part of the whisper was played.
    pub(crate) fn on_whispered(&mut self, id: LegId, prompt: Prompt, now: Instant) {
        let Some(leg) = self.leg_mut(id) else { return };
        leg.whisper = match (leg.whisper, prompt) {
            (Some(Whisper::Why(_)), Prompt::Why(_)) => Some(Whisper::PressOne),
            (Some(Whisper::PressOne), Prompt::PressOne) => Some(Whisper::Pause { until: now + PAUSE }),
            (other, _) => other,
        };
    }

    /// When somebody is to be told the key again.
    pub(crate) fn whisper_deadline(&self) -> Option<Instant> {
        let pauses = self.legs.iter().filter_map(|leg| match leg.whisper {
            Some(Whisper::Pause { until }) if leg.is_up() => Some(until),
            _ => None,
        });
        pauses.min()
    }

    pub(crate) fn whisper_again(&mut self, now: Instant) {
        for leg in &mut self.legs {
            if leg.whisper.is_some_and(|whisper| matches!(whisper, Whisper::Pause { until } if until <= now)) {
                leg.whisper = Some(Whisper::PressOne);
            }
        }
    }
}

/// The caller who waits.
impl Call {
    /// Starts or stops counting how long the caller has waited with nobody but the music. Runs after every input.
    pub(crate) fn count_the_wait(&mut self, world: &World<'_>) {
        let alone = Some(Selector::Music);
        let waits = self.ending.is_none()
            && self.phase.is_consulting()
            && self.leg(self.caller_id()).is_some_and(|caller| {
                let company = Some(Selector::Prompt(Prompt::StillTrying));
                let place = matches!(caller.feed, Some(Selector::Prompt(Prompt::Place(_))));
                caller.is_up() && (caller.feed == alone || caller.feed == company || place)
            });
        self.company_at = match (world.config.timers.waiting_prompt_every, self.company_at) {
            (Some(every), None) if waits => Some(world.now + every),
            (Some(_), at) if waits => at,
            _ => None,
        };
    }

    /// The caller hears that it has not been forgotten.
    pub(crate) fn keep_company(&mut self, world: &World<'_>) {
        self.company_at = world.config.timers.waiting_prompt_every.map(|every| world.now + every);
        let place = self.place_in_line(world).and_then(|(_, place, _)| u8::try_from(place).ok());
        let place = place.filter(|place| world.config.places_spoken.contains(place));
        let prompt = place.map_or(Prompt::StillTrying, Prompt::Place);
        self.prompt.get_or_insert((prompt, world.now + PROMPT_LIMIT));
    }

    /// Whether this desk has yet to take the caller, and what it hears until then.
    pub(crate) fn whispered_to(&self, desk: LegId) -> Option<Selector> {
        self.leg(desk).filter(|_| self.is_accepting(desk)).and_then(|leg| leg.whisper).map(Whisper::selector)
    }
}
