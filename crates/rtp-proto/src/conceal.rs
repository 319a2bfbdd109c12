//! What a listener hears in place of packets that never came: the last pitch period again, fading (after ITU-T G.711
//! appendix I), and comfort noise where the source said so (RFC 3389).

use crate::frame::Rate;
use core::ops::RangeInclusive;

/// A gap is filled for this long, in ms.
const FILLS: usize = 60;
/// At full strength for so long, in ms; then it fades.
const STEADY: usize = 10;
/// Pitch periods looked for, in ms.
const SHORTEST: usize = 5;
const LONGEST: usize = 15;
/// What two stretches are compared over, in ms.
const COMPARED: usize = 20;
/// Where real audio comes back, the two are blended for so long, in ms.
const BLEND: usize = 5;
/// Longest history, in samples: what is compared, one period before it, at 16000 Hz.
const HISTORY: usize = (COMPARED + LONGEST) * 16;

/// Follows one decoded stream.
#[derive(Debug)]
pub(crate) struct Concealer {
    per_ms: usize,
    /// The last samples heard, oldest first.
    history: [i16; HISTORY],
    /// The period that is repeated, while there is a gap.
    period: usize,
    /// Samples made up since the last real one.
    made: usize,
}

impl Concealer {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { per_ms: rate.hertz() / 1000, history: [0; HISTORY], period: 0, made: 0 }
    }

    /// Real audio. After a gap its beginning is blended with what filled the gap.
    pub(crate) fn heard(&mut self, samples: &mut [i16]) {
        if self.made > 0 {
            let length = (BLEND * self.per_ms).min(samples.len());
            for (i, sample) in samples[..length].iter_mut().enumerate() {
                let old = i32::from(self.make());
                *sample = ((old * (length - i) as i32 + i32::from(*sample) * i as i32) / length as i32) as i16;
            }
            self.made = 0;
        }
        let new = &samples[samples.len().saturating_sub(HISTORY)..];
        self.history.copy_within(new.len().., 0);
        self.history[HISTORY - new.len()..].copy_from_slice(new);
    }

    /// Fills a gap. False when the gap is so long that there is only silence in it.
    pub(crate) fn fill(&mut self, samples: &mut [i16]) -> bool {
        if self.made == 0 {
            self.period = self.pitch();
        }
        let audible = self.made < FILLS * self.per_ms;
        samples.iter_mut().for_each(|sample| *sample = self.make());
        audible
    }

    fn make(&mut self) -> i16 {
        let (steady, end) = (STEADY * self.per_ms, FILLS * self.per_ms);
        let gain = end.saturating_sub(self.made.max(steady)) * 1024 / (end - steady);
        let at = HISTORY - self.period + self.made % self.period.max(1);
        self.made += 1;
        let sample = self.history.get(at).copied().unwrap_or(0);
        ((i32::from(sample) * gain as i32) >> 10) as i16
    }

    /// The lag at which the recent past looks most like itself: looked for in every `per_ms / 4`th sample first, then
    /// around what was found, as in G.711 appendix I.
    fn pitch(&self) -> usize {
        let step = self.per_ms / 4;
        let mut coarse = [0; HISTORY];
        let length = (COMPARED + LONGEST) * 4;
        let sampled = self.history[HISTORY - length * step..].iter().step_by(step);
        coarse.iter_mut().zip(sampled).for_each(|(to, from)| *to = *from);
        let near = most_alike(&coarse[..length], SHORTEST * 4..=LONGEST * 4) * step;
        let lags = (near - step).max(SHORTEST * self.per_ms)..=(near + step).min(LONGEST * self.per_ms);
        most_alike(&self.history[HISTORY - length * step..], lags)
    }
}

/// The lag at which the end of these samples looks most like what came so long before it.
fn most_alike(samples: &[i16], lags: RangeInclusive<usize>) -> usize {
    let begin = samples.len() * LONGEST / (COMPARED + LONGEST);
    // Twelve bits are enough to compare, and their sums do not overflow; nor does anybody have to look whether they do.
    let products = |one: &[i16], other: &[i16]| {
        let products = one.iter().zip(other).map(|(one, other)| i32::from(*one >> 4) * i32::from(*other >> 4));
        f64::from(products.fold(0, i32::wrapping_add))
    };
    let likeness = |lag: usize| {
        let before = &samples[begin - lag..samples.len() - lag];
        products(&samples[begin..], before) / (products(before, before) + 1.0).sqrt()
    };
    let likenesses = lags.map(|lag| (lag, likeness(lag)));
    likenesses.max_by(|one, other| one.1.total_cmp(&other.1)).map_or(LONGEST, |(lag, _)| lag)
}

/// White noise of the level that a source asked for.
#[derive(Debug)]
pub(crate) struct ComfortNoise {
    state: u32,
    /// Largest sample.
    peak: i32,
}

impl ComfortNoise {
    /// From an RFC 3389 payload: its first octet is the level in -dBov. Spectral coefficients, if any, are ignored.
    pub(crate) fn new(payload: &[u8]) -> Self {
        let level = payload.first().map_or(127, |octet| octet & 0x7f);
        let rms = 32_768.0 * 10.0f64.powf(-f64::from(level) / 20.0);
        // Of evenly spread samples.
        Self { state: 1, peak: (rms * 3.0f64.sqrt()).min(32_767.0) as i32 }
    }

    pub(crate) fn fill(&mut self, samples: &mut [i16]) {
        for sample in samples {
            self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = ((self.state as i32 >> 16) * self.peak / 32_768) as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f64, rate: Rate, from: usize, len: usize) -> Vec<i16> {
        let sample =
            |i: usize| (core::f64::consts::TAU * hertz * (from + i) as f64 / rate.hertz() as f64).sin() * 8000.0;
        (0..len).map(|i| sample(i) as i16).collect()
    }

    fn level(samples: &[i16]) -> f64 {
        (samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64).sqrt()
    }

    #[test]
    fn a_gap_in_a_tone_sounds_like_the_tone_and_fades() {
        for rate in [Rate::Narrow, Rate::Wide] {
            for hertz in [100.0, 150.0, 440.0] {
                let frame = rate.frame();
                let mut concealer = Concealer::new(rate);
                concealer.heard(&mut tone(hertz, rate, 0, 5 * frame));
                let mut gap = vec![0; 4 * frame];
                assert!(concealer.fill(&mut gap[..frame]));
                concealer.fill(&mut gap[frame..]);
                let real = tone(hertz, rate, 5 * frame, frame / 2);
                let error: Vec<i16> = gap.iter().zip(&real).map(|(gap, real)| gap - real).collect();
                assert!(level(&error) < 0.25 * level(&real), "{hertz} Hz: the first 10 ms");
                assert!(level(&gap[2 * frame..3 * frame]) < 0.5 * level(&gap[..frame]), "{hertz} Hz fades");
                assert_eq!(level(&gap[3 * frame..]), 0.0, "{hertz} Hz is over after 60 ms");
                assert!(!concealer.fill(&mut gap), "and says so");
            }
        }
    }

    #[test]
    fn audio_comes_back_without_a_click() {
        let mut concealer = Concealer::new(Rate::Narrow);
        concealer.heard(&mut tone(200.0, Rate::Narrow, 0, 800));
        let mut gap = [0; 160];
        concealer.fill(&mut gap);
        let mut back = tone(200.0, Rate::Narrow, 977, 160);
        concealer.heard(&mut back);
        let joined: Vec<i16> = gap.iter().chain(&back).copied().collect();
        let largest = joined.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max();
        assert!(largest < Some(3000), "{largest:?}");
    }

    #[test]
    fn silence_is_concealed_by_silence() {
        let mut concealer = Concealer::new(Rate::Narrow);
        let mut gap = [9; 320];
        concealer.fill(&mut gap);
        assert_eq!(gap, [0; 320]);
    }

    #[test]
    fn comfort_noise_has_the_level_that_was_asked_for() {
        for dbov in [30u8, 50, 70] {
            let mut samples = [0; 8000];
            ComfortNoise::new(&[dbov, 1, 2]).fill(&mut samples);
            let heard = 20.0 * (level(&samples) / 32_768.0).log10();
            assert!((heard + f64::from(dbov)).abs() < 1.0, "{heard} dBov for -{dbov}");
        }
        let mut samples = [1; 100];
        ComfortNoise::new(&[]).fill(&mut samples);
        assert_eq!(samples, [0; 100]);
    }
}
