//! Pitch that survives the telephone's 300 Hz cut: autocorrelation of the compressed power spectrum.
//!
//! Compression flattens the formants and lets the harmonics above 300 Hz vote for the missing fundamental
//! (Tolonen and Karjalainen, "A computationally efficient multipitch analysis model", 2000).

use crate::{LAGS, SAMPLE_RATE, mel::hann};
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// Samples looked at: 64 ms.
pub const POINTS: usize = 512;
/// Pitch of the longest lag, Hz.
pub const LOW_HZ: f32 = 70.0;
/// Pitch of the shortest lag, Hz.
pub const HIGH_HZ: f32 = 450.0;
/// Bins whose harmonics vote: 219 to 2594 Hz. Above, telephone speech is mostly noise.
const BINS: core::ops::RangeInclusive<usize> = 14..=166;
/// Below this total energy there is no pitch to speak of, and the rows are zero.
const QUIET: f32 = 1e-3;

/// Turns 64 ms of samples into 24 correlations, short lags (high pitch) last.
pub struct PitchLags {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    hann: Vec<f32>,
    time: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    forward_scratch: Vec<Complex<f32>>,
    inverse_scratch: Vec<Complex<f32>>,
    lags: [Lag; LAGS],
}

/// Lags from `from` to `to` samples belong to one row; the best of them counts.
#[derive(Clone, Copy)]
struct Lag {
    from: usize,
    to: usize,
    centre: f32,
}

impl PitchLags {
    /// Plans the transforms.
    pub fn new() -> Self {
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(POINTS), planner.plan_fft_inverse(POINTS));
        Self {
            hann: (0..POINTS).map(|i| hann(i, POINTS)).collect(),
            time: forward.make_input_vec(),
            spectrum: forward.make_output_vec(),
            forward_scratch: forward.make_scratch_vec(),
            inverse_scratch: inverse.make_scratch_vec(),
            lags: core::array::from_fn(lag),
            forward,
            inverse,
        }
    }

    /// Writes the correlation (at most 1) at each lag of `samples` (full scale 1.0).
    pub fn compute(&mut self, samples: &[f32; POINTS], out: &mut [f32]) {
        out.fill(0.0);
        for ((time, sample), weight) in self.time.iter_mut().zip(samples).zip(&self.hann) {
            *time = sample * weight;
        }
        let (time, spectrum) = (&mut self.time, &mut self.spectrum);
        if self.forward.process_with_scratch(time, spectrum, &mut self.forward_scratch).is_err() {
            return;
        }
        let Some(total) = compress(spectrum) else { return };
        if self.inverse.process_with_scratch(spectrum, time, &mut self.inverse_scratch).is_ok() {
            for (lag, out) in self.lags.iter().zip(out) {
                *out = lag.best(time) / total;
            }
        }
    }
}

impl Default for PitchLags {
    fn default() -> Self {
        Self::new()
    }
}

/// Fourth root of the power in the voting bins, less their mean, nothing elsewhere. Returns the sum of the roots over
/// the two-sided spectrum, or nothing when there is next to no energy.
fn compress(spectrum: &mut [Complex<f32>]) -> Option<f32> {
    let mut power = 0.0;
    let mut sum = 0.0;
    for (bin, value) in spectrum.iter_mut().enumerate() {
        let this = if BINS.contains(&bin) { value.norm_sqr() } else { 0.0 };
        power += this;
        let root = this.sqrt().sqrt();
        sum += root;
        *value = Complex::new(root, 0.0);
    }
    // The mean is the shape of the band itself, which would lean every correlation toward short lags.
    let mean = sum / (BINS.end() - BINS.start() + 1) as f32;
    for value in &mut spectrum[BINS] {
        value.re -= mean;
    }
    (power > QUIET).then_some(2.0 * sum)
}

impl Lag {
    fn best(&self, correlation: &[f32]) -> f32 {
        let base = self.centre as usize;
        let part = self.centre - base as f32;
        let between = correlation[base] * (1.0 - part) + correlation[base + 1] * part;
        correlation[self.from..=self.to].iter().fold(between, |best, value| best.max(*value))
    }
}

fn lag(row: usize) -> Lag {
    let rate = SAMPLE_RATE as f32;
    let (longest, shortest) = (rate / LOW_HZ, rate / HIGH_HZ);
    let at = |position: f32| longest * (shortest / longest).powf(position / (LAGS - 1) as f32);
    let centre = at(row as f32);
    let (low, high) = (at(row as f32 + 0.5), at(row as f32 - 0.5));
    let from = low.ceil() as usize;
    let to = (high.ceil() as usize - 1).max(from);
    Lag { from, to, centre }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Harmonics of `hz` from 300 to 3400 Hz: the fundamental itself is cut, as on the telephone.
    fn telephone_vowel(hz: f32) -> [f32; POINTS] {
        core::array::from_fn(|i| {
            (1..60)
                .map(|h| h as f32 * hz)
                .filter(|f| (300.0..3400.0).contains(f))
                .map(|f| (core::f32::consts::TAU * f * i as f32 / 8000.0 + f).cos() * 0.03)
                .sum()
        })
    }

    #[test]
    fn the_missing_fundamental_is_found() {
        let mut pitch = PitchLags::new();
        for hz in [90.0f32, 120.0, 160.0, 210.0, 280.0, 400.0] {
            let mut out = [0.0; LAGS];
            pitch.compute(&telephone_vowel(hz), &mut out);
            let nearest = (0..LAGS)
                .min_by(|a, b| (lag(*a).centre - 8000.0 / hz).abs().total_cmp(&(lag(*b).centre - 8000.0 / hz).abs()))
                .expect("lags");
            assert!(out[nearest] > 0.2, "{hz} Hz: {out:?}");
            // The best row is the pitch or an octave below it, never something between.
            let best = (0..LAGS).max_by(|a, b| out[*a].total_cmp(&out[*b])).expect("lags");
            let ratio = lag(best).centre / (8000.0 / hz);
            assert!((ratio - ratio.round()).abs() < 0.12 * ratio, "{hz} Hz heard at ratio {ratio}");
        }
    }

    #[test]
    fn silence_has_no_pitch() {
        let mut out = [1.0; LAGS];
        PitchLags::new().compute(&[0.0; POINTS], &mut out);
        assert_eq!(out, [0.0; LAGS]);
    }

    #[test]
    fn rows_cover_the_lags_without_gaps() {
        let lags: Vec<_> = (0..LAGS).map(lag).collect();
        assert!(lags.iter().all(|l| l.from >= 17 && l.to < 130));
        assert!(lags.windows(2).all(|pair| pair[1].to + 1 >= pair[0].from));
    }
}
