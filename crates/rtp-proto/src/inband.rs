//! Keys heard as tones (ITU-T Q.24), on legs whose peers send no telephone-events.
//!
//! Every 6.4 ms the last 12.75 ms are looked at by eight Goertzel filters. A key is two tones, one of each group, that
//! hold nearly all of the sound, are about equally loud, and whose frequencies, by the turn of their phases from look to
//! look, are right within 2.5 %: all of this four times running, which takes 32 ms. Speech seldom does that.

use crate::dtmf::Pressed;
use crate::tones::{self, COLUMNS, ROWS};
use core::f32::consts::{PI, TAU};
use core::time::Duration;

/// Samples at 8000 Hz that are looked at: the bins of the filters are as wide as the tones are apart.
const WINDOW: usize = 102;
/// Samples between two looks.
const HOP: usize = WINDOW / 2;
/// Looks that have to agree: 40 ms hold four in any case, 23 ms never.
const HITS: u8 = 4;
/// Looks without the key until it is up: a tone may be interrupted for 10 ms, and a pause of 40 ms is one.
const MISSES: u8 = 4;
/// Each tone must be louder than this: -29 dBm0, as the square of an amplitude.
const FAINTEST: f32 = 800.0 * 800.0;
/// The high tone over the low one: +5.5 dB and -10 dB at most.
const TWIST: core::ops::RangeInclusive<f32> = 0.1..=3.55;
/// The strongest of a group over the next: 6 dB.
const PROMINENCE: f32 = 4.0;
/// Of the sound's power, both tones together.
const SHARE: f32 = 0.7;
/// A frequency may be off by this part: all of 1.5 % and 2 Hz, none of 3.5 %.
const DEVIATION: f32 = 0.026;

/// Follows one source.
#[derive(Debug)]
pub(crate) struct ToneDetector {
    samples: [f32; WINDOW],
    /// Samples in `samples`; a look is due when it is full.
    filled: usize,
    filters: Filters,
    /// What the filters gave at the last look.
    former: [Phasor; 8],
    /// The key that was seen last, and how many times running.
    candidate: Option<(u8, u8)>,
    down: Option<Down>,
}

#[derive(Clone, Copy, Debug)]
struct Down {
    event: u8,
    looks: u32,
    misses: u8,
}

/// A tone: its amplitude's part in phase, and the other.
type Phasor = (f32, f32);

/// One filter for each tone, side by side, so that the processor runs them at once.
#[derive(Clone, Copy, Debug)]
struct Filters {
    hertz: [f32; 8],
    coefficients: [f32; 8],
    sines: [f32; 8],
    cosines: [f32; 8],
    /// Of one hop.
    turns: [f32; 8],
}

impl Filters {
    fn new(hertz: [f32; 8]) -> Self {
        let steps = hertz.map(|hertz| TAU * hertz / 8_000.0);
        Self {
            hertz,
            coefficients: steps.map(|step| 2.0 * step.cos()),
            sines: steps.map(f32::sin),
            cosines: steps.map(f32::cos),
            turns: steps.map(|step| step * HOP as f32),
        }
    }

    /// The tones at the end of the window.
    fn look(&self, samples: &[f32; WINDOW]) -> [Phasor; 8] {
        let (mut one, mut two) = ([0.0f32; 8], [0.0f32; 8]);
        for sample in samples {
            let next: [f32; 8] = core::array::from_fn(|i| sample + self.coefficients[i] * one[i] - two[i]);
            (one, two) = (next, one);
        }
        let scale = 2.0 / WINDOW as f32;
        core::array::from_fn(|i| ((one[i] - two[i] * self.cosines[i]) * scale, two[i] * self.sines[i] * scale))
    }
}

impl Default for ToneDetector {
    fn default() -> Self {
        Self {
            samples: [0.0; WINDOW],
            filled: 0,
            filters: Filters::new(core::array::from_fn(|i| if i < 4 { ROWS[i] } else { COLUMNS[i - 4] })),
            former: [(0.0, 0.0); 8],
            candidate: None,
            down: None,
        }
    }
}

impl ToneDetector {
    /// Takes audio at 8000 Hz, and gives the key that was let go in it.
    pub(crate) fn hear(&mut self, samples: impl Iterator<Item = i16>) -> Option<Pressed> {
        let mut pressed = None;
        for sample in samples {
            self.samples[self.filled] = f32::from(sample);
            self.filled += 1;
            if self.filled == WINDOW {
                let seen = self.look();
                pressed = self.follow(seen).or(pressed);
                self.samples.copy_within(HOP.., 0);
                self.filled = WINDOW - HOP;
            }
        }
        pressed
    }

    /// Whether a key is down: what is heard now is its tone.
    pub(crate) fn is_down(&self) -> bool {
        self.down.is_some()
    }

    /// The key in the window, if it is one.
    fn look(&mut self) -> Option<u8> {
        let power = self.samples.iter().map(|sample| sample * sample).sum::<f32>() * 2.0 / WINDOW as f32;
        if power < 2.0 * FAINTEST * SHARE {
            return None;
        }
        let looks = self.filters.look(&self.samples);
        let former = core::mem::replace(&mut self.former, looks);
        let strength = looks.map(|(re, im)| re * re + im * im);
        let (row, column) = (strongest(&strength[..4])?, strongest(&strength[4..])?);
        let (low, high) = (strength[row], strength[4 + column]);
        let sound = low.min(high) >= FAINTEST && TWIST.contains(&(high / low)) && low + high >= SHARE * power;
        let phase = |(re, im): Phasor| im.atan2(re);
        let in_tune = |i: usize| {
            let off = wrap(phase(looks[i]) - phase(former[i]) - self.filters.turns[i]) / TAU * 8_000.0 / HOP as f32;
            off.abs() <= DEVIATION * self.filters.hertz[i]
        };
        // The first look has nothing to compare phases with.
        let first = self.candidate.is_none() && self.down.is_none();
        let right = sound && (first || in_tune(row) && in_tune(4 + column));
        if right { tones::event_at(row, column) } else { None }
    }

    fn follow(&mut self, seen: Option<u8>) -> Option<Pressed> {
        self.candidate = seen.map(|event| match self.candidate {
            Some((last, times)) if last == event => (event, times.saturating_add(1)),
            _ => (event, 1),
        });
        let begins = self.candidate.filter(|(_, times)| *times >= HITS).map(|(event, _)| event);
        let Some(down) = &mut self.down else {
            self.down = begins.map(|event| Down { event, looks: u32::from(HITS), misses: 0 });
            return None;
        };
        if seen == Some(down.event) {
            down.looks += 1 + u32::from(core::mem::take(&mut down.misses));
            return None;
        }
        down.misses += 1;
        if down.misses < MISSES {
            return None;
        }
        let held = Duration::from_micros((u64::from(down.looks) + 1) * HOP as u64 * 125);
        let digit = tones::digit(down.event);
        self.down = begins.map(|event| Down { event, looks: u32::from(HITS), misses: 0 });
        digit.map(|digit| Pressed { digit, held })
    }
}

/// The strongest of a group, if it stands out.
fn strongest(group: &[f32]) -> Option<usize> {
    let best = (0..group.len()).max_by(|a, b| group[*a].total_cmp(&group[*b]))?;
    let stands_out = group.iter().enumerate().all(|(i, other)| i == best || group[best] >= PROMINENCE * other);
    stands_out.then_some(best)
}

/// An angle between -PI and PI.
fn wrap(angle: f32) -> f32 {
    (angle + PI).rem_euclid(TAU) - PI
}

#[cfg(test)]
mod tests;
