//! What listening costs: CPU milliseconds per second of audio, features and model apart, one thread.
//!
//! `cargo run --release -p prosody --example cost -- [FILE.wav] [--onnxruntime LIB]`; without a file, syllables of noise.

use prosody::ear::Ear;
use prosody::{Model, ModelConfig, scorer::thread_cpu_ns};
use prosody_features::{Extractor, FRAME_SAMPLES, WINDOW_VALUES, wav};
use std::io::Write;

/// The system counts a thread's time in steps of some milliseconds, so features are computed this often.
const REPEATS: usize = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = ModelConfig::default();
    let mut samples = None;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--onnxruntime" => config.onnxruntime = args.next().map(Into::into),
            file => samples = Some(wav::read(&std::fs::read(file)?)?),
        }
    }
    let samples = samples.unwrap_or_else(syllables);
    let model = Model::load(&config)?;
    let seconds = samples.len() as f64 / 8000.0;
    let cpu = || thread_cpu_ns().map_or(f64::NAN, |ns| ns as f64 / 1e6);

    let start = cpu();
    let mut extractor = Extractor::new();
    for chunk in samples.chunks_exact(FRAME_SAMPLES).cycle().take(REPEATS * samples.len() / FRAME_SAMPLES) {
        std::hint::black_box(extractor.frame(chunk.try_into()?));
    }
    let features = (cpu() - start) / seconds / REPEATS as f64;

    let mut runner = model.runner()?;
    let mut window = vec![0.0; WINDOW_VALUES];
    let mut ear = Ear::new(&model.metadata().calibration, 1.0);
    let start = cpu();
    let mut windows = 0;
    for chunk in samples.chunks_exact(FRAME_SAMPLES) {
        if ear.handle_samples(chunk.try_into()?) && ear.take_window(&mut window) {
            ear.handle_answer(&runner.run(&window)?);
            windows += 1;
        }
    }
    let all = (cpu() - start) / seconds;
    let line = serde_json::json!({
        "backend": model.backend(), "model": model.name(), "audio_s": seconds, "windows": windows,
        "features_ms_per_s": features, "all_ms_per_s": all, "model_ms_per_window": (all - features) * seconds / f64::from(windows),
        "percent_of_a_core_per_call": all / 10.0,
    });
    writeln!(std::io::stdout(), "{line:#}")?;
    Ok(())
}

/// A minute of noise in syllables: enough for the gate, so that every window is scored.
fn syllables() -> Vec<i16> {
    let mut seed = 1u32;
    (0..480_000)
        .map(|i| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (seed >> 18) as i16 - 8192;
            if i % 2400 < 1600 { noise / 2 } else { noise / 200 }
        })
        .collect()
}
