//! What listening costs, measured on this machine.

use crate::ear::Ear;
use crate::error::ModelError;
use crate::model::{MOST_WINDOWS, Model};
use crate::scorer::thread_cpu_ns;
use prosody_features::{Extractor, FRAME_SAMPLES};

/// The system counts a thread's time in steps of some milliseconds, so the features are computed this often.
const REPEATS: usize = 20;

/// CPU time of one thread, milliseconds, for each second of audio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Seconds of audio it was measured on.
    pub audio_s: f64,
    /// Windows among them that the model judged.
    pub windows: usize,
    /// Features and speech gate.
    pub features: f64,
    /// The model, one window at a time.
    pub model: f64,
    /// The model, as many windows at once as it takes.
    pub model_batched: f64,
    /// How many that is.
    pub at_once: usize,
}

/// Measures a model on 8 kHz samples; those of [`syllables`] have every window judged.
///
/// # Errors
/// When the model fails while running.
pub fn measure(model: &Model, samples: &[i16]) -> Result<Cost, ModelError> {
    let cpu = || thread_cpu_ns().map_or(f64::NAN, |ns| ns as f64 / 1e6);
    let audio_s = samples.len() as f64 / 8000.0;
    let frames =
        || samples.chunks_exact(FRAME_SAMPLES).filter_map(|chunk| <&[i16; FRAME_SAMPLES]>::try_from(chunk).ok());

    let start = cpu();
    let mut extractor = Extractor::new();
    for frame in frames().cycle().take(REPEATS * samples.len() / FRAME_SAMPLES) {
        std::hint::black_box(extractor.frame(frame));
    }
    let features = (cpu() - start) / audio_s / REPEATS as f64;

    let mut ear = Ear::new(model, 1.0);
    let (mut windows, mut count) = (Vec::new(), 0);
    for frame in frames() {
        if ear.handle_samples(frame) && ear.take_window(&mut windows) {
            count += 1;
        }
    }
    let mut runner = model.runner()?;
    let mut time = |at_once: usize| -> Result<f64, ModelError> {
        let start = cpu();
        for group in windows.chunks(at_once * model.form().values()) {
            std::hint::black_box(runner.run_all(group, group.len() / model.form().values())?);
        }
        Ok((cpu() - start) / audio_s)
    };
    // The first run of each size sets memory aside.
    time(1)?;
    let one = time(1)?;
    let at_once = model.most_at_once().min(MOST_WINDOWS);
    let batched = if at_once > 1 {
        time(at_once)?;
        time(at_once)?
    } else {
        one
    };
    Ok(Cost { audio_s, windows: count, features, model: one, model_batched: batched, at_once })
}

/// Noise in syllables, as loud as speech: every window of it is judged.
pub fn syllables(seconds: usize) -> Vec<i16> {
    let mut seed = 1u32;
    (0..seconds * 8000)
        .map(|i| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (seed >> 18) as i16 - 8192;
            if i % 2400 < 1600 { noise / 2 } else { noise / 200 }
        })
        .collect()
}
