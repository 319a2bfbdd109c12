//! Listens to callers: G.711 packets in, calibrated [`VoiceScore`](call_model::VoiceScore)s out, on threads of its own.
//!
//! Features come from `prosody-features`, scores from an ONNX model that fulfils `models/CONTRACT.md`, run by pure-Rust
//! tract or, when given, by libonnxruntime. The caller's own baseline, smoothing and hysteresis are pure and will live in
//! `listening`. It never blocks who gives it packets; when late it sheds windows, fairly, and counts them.

pub mod model;
pub mod offline;
pub mod scorer;

pub use model::{Model, ModelConfig, ModelError};
pub use offline::{score_samples, score_wav};
pub use scorer::{Scored, Scorer, ScorerConfig, ScorerStats};
