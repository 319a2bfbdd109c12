//! Scores recordings as a call would be scored: one JSON object per file and line.
//!
//! `cargo run --release -p prosody --example listen -- [--model FILE.onnx] [--onnxruntime LIB] FILE.wav...`

use prosody::{Model, ModelConfig, hear_samples};
use prosody_features::wav;
use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = ModelConfig::default();
    let mut files = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--model" => config.path = args.next().map(Into::into),
            "--onnxruntime" => config.onnxruntime = args.next().map(Into::into),
            "--list" => {
                files.extend(std::fs::read_to_string(args.next().unwrap_or_default())?.lines().map(String::from))
            }
            _ => files.push(arg),
        }
    }
    let model = Model::load(&config)?;
    let mut out = std::io::stdout().lock();
    for file in files {
        let samples = wav::read(&std::fs::read(&file)?)?;
        let windows: Vec<serde_json::Value> = hear_samples(&model, &samples, 1.0)?
            .iter()
            .map(|(t, heard)| {
                serde_json::json!({
                    "t": t, "anger": heard.score.anger, "arousal": heard.score.arousal,
                    "distress": heard.score.distress, "emotion": heard.score.emotion.to_string(),
                    "speech_ratio": heard.score.speech_ratio, "corrected": heard.corrected,
                    "shift": heard.shift.map(|shift| format!("{shift:?}")),
                })
            })
            .collect();
        let line = serde_json::json!({ "file": file, "backend": model.backend(), "windows": windows });
        writeln!(out, "{line}")?;
    }
    Ok(())
}
