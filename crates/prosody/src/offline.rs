//! Scoring recordings.
use crate::{Model, ModelError};
use call_model::VoiceScore;
use std::path::Path;

/// Scores a recording: (seconds from its start to the window's end, score) per 1 s hop.
///
/// # Errors
/// When the file is no readable WAV file or the model fails while running.
pub fn score_wav(_model: &Model, _path: &Path) -> Result<Vec<(f32, VoiceScore)>, ModelError> {
    Ok(Vec::new())
}

/// The same for 8 kHz mono samples in memory.
///
/// # Errors
/// When the model fails while running.
pub fn score_samples(_model: &Model, _samples: &[i16]) -> Result<Vec<(f32, VoiceScore)>, ModelError> {
    Ok(Vec::new())
}
