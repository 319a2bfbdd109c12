//! Listens to callers: G.711 packets in, calibrated [`VoiceScore`](call_model::VoiceScore)s out, on threads of its own.
//!
//! Features come from `prosody-features`, scores from an ONNX model that fulfils `models/CONTRACT.md`, run by pure-Rust
//! tract or, when given, by libonnxruntime. The caller's own baseline, smoothing and hysteresis are pure and live in
//! [`listening`]. It never blocks who gives it packets; when late it sheds windows, fairly, and counts them.
//!
//! ```no_run
//! use prosody::{Model, ModelConfig, Scorer, ScorerConfig};
//!
//! let model = Model::load(&ModelConfig::default())?;
//! let scorer = Scorer::start(ScorerConfig::default(), &model, |scored| drop(scored.score))?;
//! # Ok::<(), prosody::ModelError>(())
//! ```

pub mod adapter;
pub mod calibration;
pub mod cost;
pub mod ear;
pub mod error;
pub mod listening;
pub mod metadata;
pub mod model;
pub mod offline;
pub mod onnx;
pub mod runner;
pub mod runtime;
pub mod scorer;
pub mod stream;

pub use adapter::{Adapter, Form};
pub use calibration::Calibration;
pub use error::ModelError;
pub use listening::{Heard, Shift};
pub use metadata::Metadata;
pub use model::{Answer, Model, ModelConfig};
pub use offline::{Recordings, hear_samples, score_samples, score_wav};
pub use runner::Runner;
pub use scorer::{Scored, Scorer, ScorerConfig, ScorerStats};
