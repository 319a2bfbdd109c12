//! Whether somebody speaks in a frame: energy against the lowest and the highest of the last seconds.
//!
//! Speech dips between syllables; a tone, music held at one level or steady noise does not, and so does not count.

use crate::WINDOW_FRAMES;

/// Above the recent minimum by this much (nepers of power: 6.5 dB), a frame may be speech.
const OVER_FLOOR: f32 = 1.5;
/// Below the recent maximum by more than this (26 dB), it is not.
const UNDER_PEAK: f32 = 6.0;
/// Below this logarithm of mean band energy nothing is speech: about -62 dB of full scale.
const QUIET: f32 = -9.5;
/// Frames that still count after the energy fell: word ends are weak.
const HANGOVER: u8 = 4;
const BUCKETS: usize = 10;
const BUCKET_FRAMES: usize = WINDOW_FRAMES / BUCKETS;

/// The gate. Memory: the last 3 s.
#[derive(Clone, Debug)]
pub struct ActivityGate {
    lowest: [f32; BUCKETS],
    highest: [f32; BUCKETS],
    bucket: usize,
    filled: usize,
    hangover: u8,
}

impl ActivityGate {
    /// A gate that has heard nothing.
    pub const fn new() -> Self {
        Self {
            lowest: [f32::INFINITY; BUCKETS],
            highest: [f32::NEG_INFINITY; BUCKETS],
            bucket: 0,
            filled: 0,
            hangover: 0,
        }
    }

    /// Takes the next frame's log energy (natural, as [`crate::mel::LogMel::compute`] returns it).
    pub fn frame(&mut self, energy: f32) -> bool {
        self.remember(energy);
        let floor = self.lowest.iter().fold(f32::INFINITY, |low, value| low.min(*value));
        let peak = self.highest.iter().fold(f32::NEG_INFINITY, |high, value| high.max(*value));
        if energy > QUIET && energy > floor + OVER_FLOOR && energy > peak - UNDER_PEAK {
            self.hangover = HANGOVER;
            return true;
        }
        let holding = self.hangover > 0 && energy > QUIET;
        self.hangover = self.hangover.saturating_sub(1);
        holding
    }

    fn remember(&mut self, energy: f32) {
        if self.filled == BUCKET_FRAMES {
            self.filled = 0;
            self.bucket = (self.bucket + 1) % BUCKETS;
            self.lowest[self.bucket] = f32::INFINITY;
            self.highest[self.bucket] = f32::NEG_INFINITY;
        }
        self.filled += 1;
        self.lowest[self.bucket] = self.lowest[self.bucket].min(energy);
        self.highest[self.bucket] = self.highest[self.bucket].max(energy);
    }
}

impl Default for ActivityGate {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_noise_is_not_speech_at_any_level() {
        for level in [-13.0, -8.0, -4.0, 0.0] {
            let mut gate = ActivityGate::new();
            let ripple = [0.0, 0.6, -0.4, 0.3];
            let speech = (0..500).filter(|i| gate.frame(level + ripple[i % 4])).count();
            assert_eq!(speech, 0, "level {level}");
        }
    }

    #[test]
    fn syllables_are_speech_and_pauses_are_not() {
        let mut gate = ActivityGate::new();
        let mut during = (0, 0);
        for i in 0..1000 {
            let talking = i % 100 < 60;
            let energy = if talking && i % 12 < 9 { -3.0 } else { -9.0 };
            let speech = gate.frame(energy);
            if i > 100 {
                if talking { during.0 += usize::from(speech) } else { during.1 += usize::from(speech) }
            }
        }
        assert!(during.0 > 500 && during.1 < 50, "{during:?}");
    }
}
