//! Telephone speech to model features, 20 ms at a time: 40 log-mel bands and 24 pitch-lag correlations.
//!
//! The one implementation: the gateway calls it on live packets, training calls it through the small
//! `prosody-features` binary, so what a model learned from is what it hears. It knows nothing of models, threads or
//! clocks, and no input makes it panic.
//!
//! ```
//! use prosody_features::{Extractor, FRAME_SAMPLES, History, WINDOW_VALUES};
//!
//! let (mut extractor, mut history) = (Extractor::new(), History::new());
//! for _ in 0..150 {
//!     history.push(&extractor.frame(&[0; FRAME_SAMPLES]));
//! }
//! let mut window = vec![0.0; WINDOW_VALUES];
//! history.write_window(&mut window);
//! assert_eq!(history.speech_frames(), 0);
//! ```

pub mod activity;
pub mod extract;
pub mod g711;
pub mod history;
pub mod mel;
pub mod pitch;
pub mod resample;
pub mod wav;

pub use extract::{Extractor, FrameFeatures};
pub use history::History;

/// Samples per second of everything here.
pub const SAMPLE_RATE: u32 = 8000;
/// Samples in one frame: 20 ms, one ordinary G.711 packet.
pub const FRAME_SAMPLES: usize = 160;
/// Log-mel bands: rows 0 to 39 of a window.
pub const BANDS: usize = 40;
/// Pitch lags: rows 40 to 63 of a window.
pub const LAGS: usize = 24;
/// Rows of a window.
pub const ROWS: usize = BANDS + LAGS;
/// Frames in a window: 3 s.
pub const WINDOW_FRAMES: usize = 150;
/// Values in a window, row by row: `[ROWS, WINDOW_FRAMES]`.
pub const WINDOW_VALUES: usize = ROWS * WINDOW_FRAMES;
