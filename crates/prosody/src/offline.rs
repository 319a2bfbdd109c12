//! Scoring recordings: the same ear as live audio, without threads.

use crate::ear::Ear;
use crate::error::ModelError;
use crate::listening::Heard;
use crate::model::Model;
use crate::runner::Runner;
use call_model::VoiceScore;
use prosody_features::{FRAME_SAMPLES, wav};
use std::path::Path;

/// Scores a recording: (seconds from its start to the window's end, score), a window a second.
///
/// # Errors
/// When the file is no readable WAV file or the model fails while running.
pub fn score_wav(model: &Model, path: &Path) -> Result<Vec<(f32, VoiceScore)>, ModelError> {
    let refused = |why: String| ModelError::Recording { path: path.display().to_string(), why };
    let bytes = std::fs::read(path).map_err(|e| refused(e.to_string()))?;
    score_samples(model, &wav::read(&bytes).map_err(|e| refused(e.to_string()))?)
}

/// The same for 8 kHz mono samples in memory.
///
/// # Errors
/// When the model fails while running.
pub fn score_samples(model: &Model, samples: &[i16]) -> Result<Vec<(f32, VoiceScore)>, ModelError> {
    let heard = hear_samples(model, samples, 1.0)?;
    Ok(heard.into_iter().map(|(at, heard)| (at, heard.score)).collect())
}

/// The same with all that was concluded, at a sensitivity in false alarms per hour.
///
/// # Errors
/// When the model fails while running.
pub fn hear_samples(model: &Model, samples: &[i16], alarms_per_hour: f32) -> Result<Vec<(f32, Heard)>, ModelError> {
    Recordings::new(model)?.hear(samples, alarms_per_hour)
}

/// Hears one recording after the other with one session.
pub struct Recordings {
    model: Model,
    runner: Runner,
    window: Vec<f32>,
}

impl Recordings {
    /// Nothing heard yet.
    ///
    /// # Errors
    /// When the runtime refuses the model.
    pub fn new(model: &Model) -> Result<Self, ModelError> {
        Ok(Self { runner: model.runner()?, model: model.clone(), window: Vec::new() })
    }

    /// Every window of a recording, with the seconds from its start to the window's end.
    ///
    /// # Errors
    /// When the model fails while running.
    pub fn hear(&mut self, samples: &[i16], alarms_per_hour: f32) -> Result<Vec<(f32, Heard)>, ModelError> {
        let mut ear = Ear::new(&self.model, alarms_per_hour);
        let mut heard = Vec::new();
        // A recording shorter than a window is preceded by silence; a window is never shorter.
        for (i, chunk) in samples.chunks(FRAME_SAMPLES).enumerate() {
            let mut frame = [0; FRAME_SAMPLES];
            frame[..chunk.len()].copy_from_slice(chunk);
            let last = (i + 1) * FRAME_SAMPLES >= samples.len();
            if ear.handle_samples(&frame) || (last && ear.handle_end()) {
                self.window.clear();
                ear.take_window(&mut self.window);
                let answer = self.runner.run(&self.window)?;
                heard.push(((i + 1) as f32 * 0.02, ear.handle_answer(&answer)));
            }
        }
        Ok(heard)
    }
}
