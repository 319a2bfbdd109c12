//! From samples to one frame of features, with the few milliseconds of memory the transforms need.

use crate::activity::ActivityGate;
use crate::mel::{self, LogMel};
use crate::pitch::{self, PitchLags};
use crate::{BANDS, FRAME_SAMPLES, ROWS};
use std::cell::RefCell;

thread_local! {
    // Tables and room to work in, which remember nothing of the last frame: one for all streams of a thread, so that a
    // thousand callers do not push each other's out of the processor's cache.
    static TRANSFORMS: RefCell<(LogMel, PitchLags)> = RefCell::new((LogMel::new(), PitchLags::new()));
}

/// What the extractor heard in 20 ms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrameFeatures {
    /// Rows 0 to 39: log-mel; 40 to 63: pitch lags.
    pub rows: [f32; ROWS],
    /// Natural logarithm of the mean band energy.
    pub energy: f32,
    /// Whether it is taken for speech.
    pub speech: bool,
}

/// Incremental feature extraction for one stream of audio.
///
/// A frame's log-mel looks at the 32 ms that end with it, its pitch at the 64 ms that end with it.
pub struct Extractor {
    recent: [f32; pitch::POINTS],
    gate: ActivityGate,
}

impl Extractor {
    /// An extractor before which there was silence.
    pub fn new() -> Self {
        Self { recent: [0.0; pitch::POINTS], gate: ActivityGate::new() }
    }

    /// Takes the next 20 ms.
    pub fn frame(&mut self, samples: &[i16; FRAME_SAMPLES]) -> FrameFeatures {
        self.recent.copy_within(FRAME_SAMPLES.., 0);
        for (slot, sample) in self.recent[pitch::POINTS - FRAME_SAMPLES..].iter_mut().zip(samples) {
            *slot = f32::from(*sample) / 32768.0;
        }
        let mut rows = [0.0; ROWS];
        let mut bands = [0.0; BANDS];
        let mut last = [0.0; mel::POINTS];
        last.copy_from_slice(&self.recent[pitch::POINTS - mel::POINTS..]);
        let energy = TRANSFORMS.with_borrow_mut(|(mel, pitch)| {
            pitch.compute(&self.recent, &mut rows[BANDS..]);
            mel.compute(&last, &mut bands)
        });
        rows[..BANDS].copy_from_slice(&bands);
        FrameFeatures { rows, energy, speech: self.gate.frame(energy) }
    }

    /// All frames of a recording; what is left at the end is completed with silence.
    pub fn recording(samples: &[i16]) -> Vec<FrameFeatures> {
        let mut extractor = Self::new();
        samples
            .chunks(FRAME_SAMPLES)
            .map(|chunk| {
                let mut frame = [0; FRAME_SAMPLES];
                frame[..chunk.len()].copy_from_slice(chunk);
                extractor.frame(&frame)
            })
            .collect()
    }
}

impl Default for Extractor {
    fn default() -> Self {
        Self::new()
    }
}
