//! stub
use crate::{Model, ModelError};
use call_model::{LegId, TapFrame, VoiceScore};
use core::time::Duration;

/// How listening is done.
#[derive(Clone, Debug)]
pub struct ScorerConfig {
    /// Worker threads.
    pub workers: usize,
    /// Packets that may wait per worker.
    pub queue: usize,
    /// Sensitivity: false alarms per hour of calm speech that `distress` 0.5 stands for.
    pub alarms_per_hour: f32,
}

impl Default for ScorerConfig {
    fn default() -> Self {
        Self { workers: 1, queue: 8192, alarms_per_hour: 1.0 }
    }
}

/// One window of one caller, scored.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scored {
    /// The caller's leg.
    pub leg: LegId,
    /// The end of the window, in the caller's media time since the leg was opened.
    pub at: Duration,
    /// What was heard.
    pub score: VoiceScore,
}

/// Counters since start.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct ScorerStats {
    /// Legs listened to now.
    pub legs: u64,
    /// Packets taken.
    pub frames: u64,
    /// Packets dropped because a queue was full.
    pub dropped: u64,
    /// Windows scored by the model.
    pub windows: u64,
    /// Windows skipped because they held too little speech.
    pub quiet: u64,
    /// Windows given up because a newer one of the same caller was due.
    pub shed: u64,
    /// Windows on which the model failed.
    pub failed: u64,
    /// CPU time in the model, milliseconds.
    pub model_ms: f64,
    /// CPU time of the workers altogether, milliseconds.
    pub cpu_ms: f64,
}

/// The listening threads. Dropping it stops them.
pub struct Scorer;

impl Scorer {
    /// Starts the threads. `sink` is called on them, once per scored window.
    ///
    /// # Errors
    /// When a session or a thread cannot be made.
    pub fn start(
        _config: ScorerConfig,
        _model: &Model,
        _sink: impl Fn(Scored) + Send + Sync + 'static,
    ) -> Result<Self, ModelError> {
        Ok(Self)
    }

    /// Starts listening to a leg, with a fresh baseline.
    pub fn open(&self, _leg: LegId) {}

    /// Stops listening to a leg and forgets it.
    pub fn close(&self, _leg: LegId) {}

    /// Takes a packet. Never blocks; false when it was dropped because the queue is full.
    pub fn push(&self, _frame: &TapFrame) -> bool {
        true
    }

    /// Counters.
    pub fn stats(&self) -> ScorerStats {
        ScorerStats::default()
    }
}
