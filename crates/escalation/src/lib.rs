//! Timed facts in, at most one explained decision per fact out: this call needs a human, and why.
//!
//! Rules are data ([`Rules::parse`], TOML, docs/rules.md) shared by all calls; an [`Engine`] holds what one call has
//! shown so far. The engine is told the time by the facts, needs no clock and draws no random numbers, so the same
//! facts give the same decisions. It knows nothing of SIP, desks or audio.
//!
//! ```
//! use call_model::{Fact, FactKind, Instant, Speaker, Trigger};
//! let mut engine = escalation::Engine::new(std::sync::Arc::new(escalation::Rules::default_pack()));
//! let text = "I want to speak to a human".to_owned();
//! let kind = FactKind::Turn { speaker: Speaker::Caller, text, confidence: None };
//! engine.handle_fact(&Fact { at: Instant::from_millis(9_000), kind });
//! let decision = engine.poll_output().expect("the default rules listen for this");
//! assert_eq!(decision.trigger, Trigger::Asked);
//! assert_eq!(decision.because[0].text, "the caller said \"speak to a human\"");
//! ```

mod complaint;
mod conversation;
mod engine;
mod evidence;
mod likeness;
mod near;
mod parse;
mod phrase;
mod pulse;
mod replay;
mod rules;
mod shipped;
mod talk;
mod words;

pub use complaint::Complaint;
pub use conversation::Conversation;
pub use engine::{Doubt, Engine, TimerName};
pub use near::Near;
pub use phrase::Phrase;
pub use replay::{Change, Moment, Verdict, change, first_decision, judge};
pub use rules::{Category, Distress, Judgement, Name, Often, Rule, Rules, Said, When};
