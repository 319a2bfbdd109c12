//! The bot's protocols as pure sessions and codecs: Twilio Media Streams, and Warmline's control events.
//!
//! Text frames in, events out; no sockets, no clock. Whoever owns the WebSocket feeds what it reads to
//! [`TwilioSession::handle_text`] and sends what the encoders return.

pub mod control;
pub mod twilio;

pub use control::ControlError;
pub use twilio::{BadFrame, BotInput, StreamParams, TwilioSession};
