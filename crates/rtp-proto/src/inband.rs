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
    filters: [Filter; 8],
    /// The phases at the last look.
    phases: [f32; 8],
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

#[derive(Clone, Copy, Debug)]
struct Filter {
    hertz: f32,
    coefficient: f32,
    /// Of one hop.
    turn: f32,
}

impl Filter {
    fn new(hertz: f32) -> Self {
        let step = TAU * hertz / 8_000.0;
        Self { hertz, coefficient: 2.0 * step.cos(), turn: step * HOP as f32 }
    }

    /// Square of the amplitude, and phase at the end of the window.
    fn look(&self, samples: &[f32; WINDOW]) -> (f32, f32) {
        let (mut one, mut two) = (0.0f32, 0.0f32);
        for sample in samples {
            let next = sample + self.coefficient * one - two;
            two = one;
            one = next;
        }
        let (sin, cos) = (TAU * self.hertz / 8_000.0).sin_cos();
        let (re, im) = (one - two * cos, two * sin);
        let scale = 2.0 / WINDOW as f32;
        ((re * re + im * im) * scale * scale, im.atan2(re))
    }
}

impl Default for ToneDetector {
    fn default() -> Self {
        Self {
            samples: [0.0; WINDOW],
            filled: 0,
            filters: core::array::from_fn(|i| Filter::new(if i < 4 { ROWS[i] } else { COLUMNS[i - 4] })),
            phases: [0.0; 8],
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
        let looks = self.filters.each_ref().map(|filter| filter.look(&self.samples));
        let former = core::mem::replace(&mut self.phases, looks.map(|(_, phase)| phase));
        let strength = looks.map(|(strength, _)| strength);
        let (row, column) = (strongest(&strength[..4])?, strongest(&strength[4..])?);
        let (low, high) = (strength[row], strength[4 + column]);
        let sound = low.min(high) >= FAINTEST && TWIST.contains(&(high / low)) && low + high >= SHARE * power;
        let right = [row, 4 + column].into_iter().all(|i| {
            let filter = &self.filters[i];
            let off = wrap(self.phases[i] - former[i] - filter.turn) / TAU * 8_000.0 / HOP as f32;
            off.abs() <= DEVIATION * filter.hertz
        });
        // The first look has nothing to compare phases with.
        let right = right || self.candidate.is_none() && self.down.is_none();
        if sound && right { tones::event_at(row, column) } else { None }
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
