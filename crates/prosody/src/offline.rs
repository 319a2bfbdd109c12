//! Scoring recordings: the same ear as live audio, without threads.

use crate::ear::Ear;
use crate::listening::Heard;
use crate::model::{Model, ModelError};
use call_model::VoiceScore;
use prosody_features::{FRAME_SAMPLES, WINDOW_VALUES, wav};
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
    let mut runner = model.runner()?;
    let mut ear = Ear::new(&model.metadata().calibration, alarms_per_hour);
    let mut window = vec![0.0; WINDOW_VALUES];
    let mut heard = Vec::new();
    // A recording shorter than a window is followed by silence; a window is never shorter than 3 s.
    for (i, chunk) in samples.chunks(FRAME_SAMPLES).enumerate() {
        let mut frame = [0; FRAME_SAMPLES];
        frame[..chunk.len()].copy_from_slice(chunk);
        let last = (i + 1) * FRAME_SAMPLES >= samples.len();
        if ear.handle_samples(&frame) || (last && ear.handle_end()) {
            ear.take_window(&mut window);
            let answer = runner.run(&window)?;
            heard.push(((i + 1) as f32 * 0.02, ear.handle_answer(&answer)));
        }
    }
    Ok(heard)
}
