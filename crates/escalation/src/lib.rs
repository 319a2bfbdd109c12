//! Timed facts in, at most one explained decision per fact out: this call needs a human, and why.
//!
//! Rules are data ([`Rules::parse`], TOML) shared by all calls; an [`Engine`] holds what one call has shown so far.
//! The engine is told the time by the facts, needs no clock and draws no random numbers, so the same facts give the
//! same decisions. It knows nothing of SIP, desks or audio.

mod complaint;
mod engine;
mod rules;

pub use complaint::Complaint;
pub use engine::{Engine, TimerName};
pub use rules::{Rule, Rules, When};
