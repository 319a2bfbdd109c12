//! The bot's protocols as pure sessions and codecs: Twilio Media Streams, and Warmline's control events.
//!
//! Text frames in, events out; no sockets, no clock. Whoever owns the WebSocket feeds what it reads to
//! [`TwilioSession::handle_text`] and sends what the encoders return.

pub mod control;
mod field;
pub mod twilio;

pub use control::ControlError;
pub use twilio::{BadFrame, BotInput, StreamParams, TwilioSession};

/// Our own shapes hold texts, numbers and lists only, which always serialise; an empty object would be ignored by
/// every bot.
fn json(shape: &impl serde::Serialize) -> String {
    serde_json::to_string(shape).unwrap_or_else(|_| "{}".to_owned())
}
