//! Log-mel energies: 256-point DFT, Hann window, natural logarithm.

use crate::{BANDS, SAMPLE_RATE};
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// Points of the DFT, and samples it looks at: 32 ms.
pub const POINTS: usize = 256;
/// Lower edge of the first band, Hz.
pub const LOW_HZ: f32 = 200.0;
/// Upper edge of the last band, Hz.
pub const HIGH_HZ: f32 = 3600.0;
/// Added to each band's energy before the logarithm, so that digital silence is finite: about -60 dB of full scale.
pub const FLOOR: f32 = 1e-6;

/// Turns 32 ms of samples into 40 log energies.
pub struct LogMel {
    fft: Arc<dyn RealToComplex<f32>>,
    hann: [f32; POINTS],
    input: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    bands: Vec<Band>,
}

/// A triangular filter: weights (summing to one) of consecutive DFT bins.
struct Band {
    first: usize,
    weights: Vec<f32>,
}

impl LogMel {
    /// Plans the transform and lays out the bands.
    pub fn new() -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(POINTS);
        Self {
            hann: core::array::from_fn(|i| hann(i, POINTS)),
            input: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            bands: bands(),
            fft,
        }
    }

    /// Writes the log energies of `samples` (full scale 1.0), and returns the logarithm of their mean energy.
    pub fn compute(&mut self, samples: &[f32; POINTS], out: &mut [f32; BANDS]) -> f32 {
        for ((input, sample), weight) in self.input.iter_mut().zip(samples).zip(&self.hann) {
            *input = sample * weight;
        }
        if self.fft.process_with_scratch(&mut self.input, &mut self.spectrum, &mut self.scratch).is_err() {
            // Only wrong buffer lengths do this, and the planner made the buffers.
            out.fill(FLOOR.ln());
            return FLOOR.ln();
        }
        let mut total = 0.0;
        for (band, out) in self.bands.iter().zip(out.iter_mut()) {
            let bins = &self.spectrum[band.first..band.first + band.weights.len()];
            let energy: f32 = bins.iter().zip(&band.weights).map(|(bin, weight)| bin.norm_sqr() * weight).sum();
            total += energy;
            *out = (energy + FLOOR).ln();
        }
        (total / BANDS as f32 + FLOOR).ln()
    }
}

impl Default for LogMel {
    fn default() -> Self {
        Self::new()
    }
}

/// The periodic Hann window.
pub(crate) fn hann(i: usize, len: usize) -> f32 {
    0.5 - 0.5 * (core::f32::consts::TAU * i as f32 / len as f32).cos()
}

fn bands() -> Vec<Band> {
    let mel = |hz: f32| 1127.0 * (hz / 700.0).ln_1p();
    let hz = |mel: f32| 700.0 * (mel / 1127.0).exp_m1();
    let edge = |i: usize| hz(mel(LOW_HZ) + (mel(HIGH_HZ) - mel(LOW_HZ)) * i as f32 / (BANDS + 1) as f32);
    (0..BANDS).map(|i| band(edge(i), edge(i + 1), edge(i + 2))).collect()
}

fn band(low: f32, centre: f32, high: f32) -> Band {
    let bin_hz = SAMPLE_RATE as f32 / POINTS as f32;
    let weight = |bin: usize| {
        let hz = bin as f32 * bin_hz;
        ((hz - low) / (centre - low)).min((high - hz) / (high - centre)).max(0.0)
    };
    let inside: Vec<usize> = (0..=POINTS / 2).filter(|bin| weight(*bin) > 0.0).collect();
    // No band is narrower than a bin with the edges above; the nearest bin stands in if someone moves them.
    let first = inside.first().copied().unwrap_or((centre / bin_hz) as usize);
    let weights: Vec<f32> = inside.iter().map(|bin| weight(*bin)).collect();
    let sum: f32 = weights.iter().sum();
    Band { first, weights: if sum > 0.0 { weights.iter().map(|w| w / sum).collect() } else { vec![1.0] } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_lights_the_band_around_it() {
        let mut mel = LogMel::new();
        let mut peaks = Vec::new();
        for hz in [300.0f32, 700.0, 1000.0, 2000.0, 3300.0] {
            let tone = core::array::from_fn(|i| (core::f32::consts::TAU * hz * i as f32 / 8000.0).sin() * 0.5);
            let mut out = [0.0; BANDS];
            mel.compute(&tone, &mut out);
            let peak = (0..BANDS).max_by(|a, b| out[*a].total_cmp(&out[*b])).expect("bands");
            assert!(out[peak] > out[(peak + 20) % BANDS] + 6.0, "{hz} Hz stands out");
            peaks.push(peak);
        }
        assert!(peaks.is_sorted() && peaks[0] < 5 && peaks[4] > 34, "{peaks:?}");
    }

    #[test]
    fn every_band_has_weight_one_and_covers_the_telephone_band() {
        let bands = bands();
        assert!(bands.iter().all(|band| (band.weights.iter().sum::<f32>() - 1.0).abs() < 1e-5));
        assert_eq!((bands[0].first, bands[39].first + bands[39].weights.len() - 1), (7, 115));
    }
}
