//! From 8000 to 16000 Hz and back, 20 ms at a time, with a delay of 10 ms.

use crate::frame::{Frame, Rate, WIDE};
use core::fmt;
use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler as _};

/// Changes the rate of one source's audio.
#[derive(Debug, Default)]
pub(crate) struct Converter(Option<Box<Resampler>>);

/// 20 ms of a source, at each rate that was asked for, converted once.
pub(crate) struct Said {
    frame: Frame,
    converted: Option<Frame>,
}

impl Said {
    pub(crate) const fn new(frame: Frame) -> Self {
        Self { frame, converted: None }
    }

    pub(crate) fn at(&mut self, rate: Rate, converter: &mut Converter) -> &Frame {
        if self.frame.rate() == rate {
            return &self.frame;
        }
        self.converted.get_or_insert_with(|| converter.convert(&self.frame, rate))
    }
}

impl Converter {
    /// The frame at this rate. The first time the rate differs, the filter is made.
    pub(crate) fn convert(&mut self, frame: &Frame, to: Rate) -> Frame {
        if frame.rate() == to {
            return *frame;
        }
        if self.0.as_ref().is_none_or(|resampler| resampler.from != frame.rate()) {
            self.0 = Resampler::new(frame.rate()).map(Box::new);
        }
        let silence = Frame::silence(to);
        self.0.as_mut().map_or(silence, |resampler| resampler.run(frame).unwrap_or(silence))
    }
}

struct Resampler {
    from: Rate,
    fft: Fft<f32>,
    input: [f32; WIDE],
    output: [f32; WIDE],
}

impl Resampler {
    fn new(from: Rate) -> Option<Self> {
        let to = from.other();
        let fft = Fft::new(from.hertz(), to.hertz(), from.frame(), 1, FixedSync::Both).ok()?;
        Some(Self { from, fft, input: [0.0; WIDE], output: [0.0; WIDE] })
    }

    fn run(&mut self, frame: &Frame) -> Option<Frame> {
        for (into, sample) in self.input.iter_mut().zip(frame.samples()) {
            *into = f32::from(*sample);
        }
        let mut out = Frame::silence(self.from.other());
        let input = SequentialSlice::new(&self.input, 1, frame.samples().len()).ok()?;
        let mut output = SequentialSlice::new_mut(&mut self.output, 1, out.samples().len()).ok()?;
        self.fft.process_into_buffer(&input, &mut output, None).ok()?;
        for (into, sample) in out.samples_mut().iter_mut().zip(&self.output) {
            *into = sample.round() as i16;
        }
        Some(out)
    }
}

impl fmt::Debug for Resampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resampler(from {} Hz)", self.from.hertz())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: Rate, hertz: f64, frame: usize) -> Frame {
        let mut out = Frame::silence(rate);
        let start = frame * rate.frame();
        for (i, sample) in out.samples_mut().iter_mut().enumerate() {
            let phase = core::f64::consts::TAU * hertz * (start + i) as f64 / rate.hertz() as f64;
            *sample = (phase.sin() * 10_000.0) as i16;
        }
        out
    }

    /// Root mean square of a tone after both ways, once the filters are full.
    fn level(hertz: f64, rate: Rate) -> f64 {
        let (mut one, mut other) = (Converter::default(), Converter::default());
        let mut square = 0.0;
        for i in 0..50 {
            let changed = one.convert(&tone(rate, hertz, i), rate.other());
            let back = other.convert(&changed, rate);
            if i >= 10 {
                square += back.samples().iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
            }
        }
        (square / (40 * rate.frame()) as f64).sqrt()
    }

    #[test]
    fn speech_band_passes_both_ways_and_what_is_too_high_does_not_fold() {
        let full = 10_000.0 / 2.0f64.sqrt();
        for hertz in [300.0, 1000.0, 3400.0] {
            assert!((level(hertz, Rate::Narrow) / full - 1.0).abs() < 0.02, "{hertz} Hz up and down");
            assert!((level(hertz, Rate::Wide) / full - 1.0).abs() < 0.02, "{hertz} Hz down and up");
        }
        assert!(level(6000.0, Rate::Wide) < full / 1000.0, "6 kHz has no place at 8000 Hz");
    }

    #[test]
    fn the_loudest_square_wave_does_not_wrap_around() {
        let mut square = Frame::silence(Rate::Narrow);
        for (i, sample) in square.samples_mut().iter_mut().enumerate() {
            *sample = if i / 20 % 2 == 0 { i16::MAX } else { i16::MIN };
        }
        let mut converter = Converter::default();
        converter.convert(&square, Rate::Wide);
        let out = converter.convert(&square, Rate::Wide);
        let jumps = out.samples().windows(2).filter(|pair| pair[0].abs_diff(pair[1]) > 50_000).count();
        assert_eq!(jumps, 0);
    }
}
