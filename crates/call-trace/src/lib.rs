//! Draws and keeps trace events: one line for logs and `warmline tail`, a ladder for people, a ring per call.
//!
//! The same renderer serves operators, documentation and golden tests: the same events give the same text. Shapes for
//! JSON are owned by `http-api`.

mod canvas;
mod ladder;
mod line;
mod recorder;
mod redact;
mod story;
mod text;

pub use ladder::{Ladder, Style};
pub use line::{describe, render_line};
pub use recorder::{Limits, Recorder};
pub use redact::redact;
