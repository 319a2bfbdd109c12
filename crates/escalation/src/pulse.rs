//! Who speaks, and since when: what rules over time look at.

use crate::near::Near;
use crate::rules::When;
use call_model::{Because, Instant, Speaker};
use core::time::Duration;

/// The rhythm of one conversation between caller and bot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pulse {
    /// Somebody was heard for the first time, or the caller came back.
    began: Option<Instant>,
    /// A human is fetched, or has the caller: nothing is due.
    away: bool,
    caller: Voice,
    bot: Voice,
    /// The caller has the word since.
    holds_since: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Voice {
    speaks: bool,
    /// Began or ended to speak, whichever was last.
    since: Instant,
}

/// A caller who is silent for longer has given the word away.
const PAUSE: Duration = Duration::from_secs(3);

impl Pulse {
    /// Somebody begins or ends to speak.
    pub(crate) fn speech(&mut self, speaker: Speaker, speaks: bool, now: Instant) {
        let voice = Voice { speaks, since: now };
        match speaker {
            Speaker::Caller => {
                let paused = !self.caller.speaks && now.since(self.caller.since) > PAUSE;
                if speaks && (paused || self.holds_since.is_none()) {
                    self.holds_since = Some(now);
                }
                self.caller = voice;
            }
            Speaker::Bot => {
                self.holds_since = self.caller.speaks.then_some(now);
                self.bot = voice;
            }
        }
    }

    /// It has begun, if it had not.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.began.get_or_insert(now);
    }

    /// A human is fetched for the caller.
    pub(crate) fn leave(&mut self) {
        self.away = true;
    }

    /// It begins anew: whoever has the word has it from now on.
    pub(crate) fn begin_anew(&mut self, now: Instant) {
        self.began = Some(now);
        self.away = false;
        self.holds_since = self.caller.speaks.then_some(now);
    }

    /// When a rule over time is satisfied as long as nobody begins or ends to speak, and why.
    pub(crate) fn due(&self, when: &When) -> Option<Instant> {
        let began = self.began.filter(|_| !self.away)?;
        match when {
            When::Silence(lasting) => {
                let quiet = !self.caller.speaks && !self.bot.speaks;
                quiet.then(|| self.quiet_since(began) + *lasting)
            }
            When::Monologue(lasting) => {
                let since = self.holds_since.filter(|_| self.caller.speaks && !self.bot.speaks)?;
                Some(since.max(began) + *lasting)
            }
            When::LongCall(after) => Some(began + *after),
            _ => None,
        }
    }

    /// The facts behind [`Pulse::due`].
    pub(crate) fn because(&self, when: &When, now: Instant) -> Vec<Because> {
        let Some(began) = self.began else { return Vec::new() };
        let (at, text) = match when {
            When::Silence(_) => (self.quiet_since(began), "nobody has been heard"),
            When::Monologue(_) => {
                (self.holds_since.unwrap_or(began).max(began), "the caller has spoken without an answer")
            }
            _ => (began, "the caller has talked with the bot"),
        };
        vec![Because { at, text: format!("{text} for {} s", now.since(at).as_secs()) }]
    }

    /// How much of its time a rule over time has had.
    pub(crate) fn near(&self, when: &When, now: Instant) -> Option<Near> {
        let limit = when.stretch()?;
        let left = self.due(when)?.since(now);
        let had = limit.saturating_sub(left);
        let because = self.because(when, now);
        Some(Near::new(
            had.as_secs_f32() / limit.as_secs_f32(),
            format!("{} s of {} s", had.as_secs(), limit.as_secs()),
            because,
        ))
    }

    fn quiet_since(&self, began: Instant) -> Instant {
        self.caller.since.max(self.bot.since).max(began)
    }
}
