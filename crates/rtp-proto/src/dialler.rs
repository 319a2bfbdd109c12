//! Keys that we press toward a peer ourselves, one after the other: digits due after its answer, and those of somebody it
//! hears whose way of pressing keys it does not understand.

use call_model::DialStep;
use core::time::Duration;

/// Steps that wait at most; more are dropped.
const MOST: usize = 64;
/// A tick.
const TICK_MS: u16 = 20;
/// Between two keys: the peer has to notice that the first one is up (ITU-T Q.24: 40 ms).
const GAP_MS: u16 = 60;
/// Whatever the original was: a press that every receiver notices, and none that goes on for ever.
const HELD_MS: core::ops::RangeInclusive<u16> = 80..=5_000;
/// A key of which nobody knows how long it was held.
const USUAL: Duration = Duration::from_millis(100);

/// What is to be pressed.
#[derive(Debug)]
pub(crate) struct Dialler {
    steps: [Step; MOST],
    first: usize,
    count: usize,
    /// Of the first step, that is over.
    elapsed: u16,
    /// The timestamp of the key that is down.
    pub(crate) timestamp: Option<u32>,
    /// Somebody waits for the end.
    awaited: bool,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Key { event: u8, held: u16 },
    Pause(u16),
}

/// What to do in these 20 ms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialled {
    /// Nothing: audio goes on.
    Nothing,
    /// A key is down, or was let go just now: no audio.
    Key(KeyTick),
    /// All that somebody waits for was pressed.
    Done,
}

/// 20 ms of a key and the pause after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct KeyTick {
    pub(crate) event: u8,
    /// Milliseconds before these.
    pub(crate) after: u16,
    /// Milliseconds the key is held in all.
    pub(crate) held: u16,
}

impl KeyTick {
    /// Milliseconds the key was down at the end of this tick.
    pub(crate) fn down(self) -> u16 {
        (self.after + TICK_MS).min(self.held)
    }

    /// Whether the key is up at the end of this tick.
    pub(crate) const fn ended(self) -> bool {
        self.after + TICK_MS >= self.held
    }
}

impl Default for Dialler {
    fn default() -> Self {
        Self { steps: [Step::Pause(0); MOST], first: 0, count: 0, elapsed: 0, timestamp: None, awaited: false }
    }
}

impl Dialler {
    /// One more key; `held` of zero is not known.
    pub(crate) fn press(&mut self, event: u8, held: Duration) {
        let held = if held.is_zero() { USUAL } else { held };
        let held = u16::try_from(held.as_millis()).unwrap_or(u16::MAX).clamp(*HELD_MS.start(), *HELD_MS.end());
        self.push(Step::Key { event, held: held.next_multiple_of(TICK_MS) });
    }

    /// A sequence, whose end is told.
    pub(crate) fn dial(&mut self, steps: &[DialStep]) {
        for step in steps {
            match *step {
                DialStep::Key(digit) => _ = crate::tones::event(digit).map(|event| self.press(event, Duration::ZERO)),
                DialStep::Pause(pause) => self.push(Step::Pause(u16::try_from(pause.as_millis()).unwrap_or(u16::MAX))),
            }
        }
        self.awaited = true;
    }

    fn push(&mut self, step: Step) {
        if self.count < MOST {
            self.steps[(self.first + self.count) % MOST] = step;
            self.count += 1;
        }
    }

    /// Whether nothing is left to do.
    pub(crate) const fn is_idle(&self) -> bool {
        self.count == 0 && !self.awaited
    }

    /// Whether a key has the place of the audio.
    pub(crate) fn is_pressing(&self) -> bool {
        self.count > 0 && matches!(self.steps[self.first], Step::Key { .. })
    }

    /// The next 20 ms.
    pub(crate) fn tick(&mut self) -> Dialled {
        if self.count == 0 {
            return if core::mem::take(&mut self.awaited) { Dialled::Done } else { Dialled::Nothing };
        }
        let (now, lasts) = match self.steps[self.first] {
            Step::Key { event, held } => {
                (Dialled::Key(KeyTick { event, after: self.elapsed, held }), held.saturating_add(GAP_MS))
            }
            Step::Pause(pause) => (Dialled::Nothing, pause),
        };
        if self.elapsed == 0 {
            self.timestamp = None;
        }
        self.elapsed = self.elapsed.saturating_add(TICK_MS);
        if self.elapsed >= lasts {
            self.first = (self.first + 1) % MOST;
            self.count -= 1;
            self.elapsed = 0;
        }
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(dialler: &mut Dialler) -> Vec<Dialled> {
        let mut out = Vec::new();
        while !dialler.is_idle() {
            out.push(dialler.tick());
        }
        out
    }

    #[test]
    fn keys_pauses_and_the_end_come_in_order() {
        let mut dialler = Dialler::default();
        dialler.dial(&[DialStep::Pause(Duration::from_millis(500)), DialStep::Key('1'), DialStep::Key('#')]);
        let ticks = ticks(&mut dialler);
        assert_eq!(ticks.len(), 25 + 8 + 8 + 1);
        assert!(ticks[..25].iter().all(|tick| *tick == Dialled::Nothing));
        assert_eq!(ticks[25], Dialled::Key(KeyTick { event: 1, after: 0, held: 100 }));
        assert_eq!(ticks[33], Dialled::Key(KeyTick { event: 11, after: 0, held: 100 }));
        assert_eq!(ticks[41], Dialled::Done);
        let ended: Vec<bool> =
            ticks[25..33].iter().map(|tick| matches!(tick, Dialled::Key(key) if key.ended())).collect();
        assert_eq!(ended, [false, false, false, false, true, true, true, true]);
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_a_key_is_neither_too_short_nor_too_long() {
        let mut dialler = Dialler::default();
        for _ in 0..100 {
            dialler.press(5, Duration::from_millis(1));
        }
        assert_eq!(ticks(&mut dialler).len(), MOST * 7);
        dialler.press(5, Duration::from_secs(60));
        assert_eq!(ticks(&mut dialler).len(), 253);
    }
}
