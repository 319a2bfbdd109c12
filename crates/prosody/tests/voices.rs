//! The demo's synthetic callers must be heard as they are meant: the rules hand over on one and not on the other.

use prosody::{Model, ModelConfig, Shift, hear_samples};
use prosody_features::wav;
use std::path::Path;

/// When the caller of `caller-upset.wav` loses patience, seconds.
const TURNS_AT: f32 = 15.0;

fn hear(name: &str) -> Vec<(f32, prosody::Heard)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/assets").join(name);
    let samples = wav::read(&std::fs::read(path).expect("asset")).expect("a WAV file");
    let model = Model::load(&ModelConfig::default()).expect("the shipped model loads");
    hear_samples(&model, &samples, 1.0).expect("runs")
}

#[test]
fn the_upset_caller_crosses_soon_after_turning_and_not_before() {
    let heard = hear("caller-upset.wav");
    let calm_part = heard.iter().filter(|(t, _)| *t <= TURNS_AT);
    assert!(calm_part.clone().all(|(_, h)| h.score.distress < 0.5 && h.shift.is_none()));
    let upset = heard.iter().find(|(_, h)| h.shift == Some(Shift::Upset)).map(|(t, _)| *t).expect("noticed");
    assert!(upset < TURNS_AT + 7.0, "noticed at {upset} s");
    let over = heard.iter().filter(|(t, h)| *t > upset && h.score.distress >= 0.7).count();
    assert!(over >= 3, "{over} windows at 0.7 or above after {upset} s");
}

#[test]
fn the_calm_caller_never_crosses() {
    let heard = hear("caller-calm.wav");
    assert!(heard.len() > 20, "he does talk: {} windows", heard.len());
    assert!(heard.iter().all(|(_, h)| h.score.distress < 0.5 && h.shift.is_none()));
}
