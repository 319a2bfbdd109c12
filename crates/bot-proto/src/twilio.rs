//! Twilio Media Streams with us in Twilio's place: we dial the bot and speak first.

use crate::control::ControlError;
use call_model::{BotUpdate, FactKind, IdSource, Instant, Redacted, Secret};

/// What the bot learns in `start`.
#[derive(Clone, PartialEq, Debug)]
pub struct StreamParams {
    /// Who is calling.
    pub from: Redacted,
    /// What they dialled.
    pub to: Redacted,
    /// Session-ID (RFC 7989).
    pub session_id: String,
    /// Where the control channel is reached over HTTP.
    pub control_url: Option<String>,
    /// What to present there.
    pub control_token: Secret,
}

/// What the bot sent.
#[derive(Clone, PartialEq, Debug)]
pub enum BotInput {
    /// mu-law, 8000 Hz, any length.
    Audio(Vec<u8>),
    /// Tell the bot when everything before this has been heard: [`TwilioSession::mark`].
    Mark(String),
    /// Drop what has not been played yet; pending marks are reported at once.
    Clear,
    /// An event of the control channel.
    Control(FactKind),
    /// The bot is finished.
    Stop,
    /// Nothing for us.
    Ignored,
}

/// A frame that cannot be used. The stream goes on; the frame is dropped.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadFrame {
    /// Longer than [`twilio::MAX_FRAME`](MAX_FRAME).
    #[error("frame of {0} octets; send at most {MAX_FRAME}")]
    TooLong(usize),
    /// Not a JSON object.
    #[error("not a JSON object: {0}")]
    NotJson(String),
    /// A field is missing or of the wrong kind.
    #[error("{field}: {fix}")]
    Field {
        /// Which.
        field: &'static str,
        /// What to send.
        fix: String,
    },
    /// A control event was refused.
    #[error("control event refused: {0}")]
    Control(#[from] ControlError),
}

/// The longest text frame looked at, octets: 30 s of mu-law in base64, and room.
pub const MAX_FRAME: usize = 512 * 1024;

/// One stream.
#[derive(Clone, Debug)]
pub struct TwilioSession {
    #[expect(dead_code)]
    params: StreamParams,
}

impl TwilioSession {
    /// A stream that began now.
    pub fn new(params: StreamParams, _ids: &mut IdSource, _now: Instant) -> Self {
        Self { params }
    }

    /// The two frames that must go out first: `connected`, `start`.
    pub fn start_frames(&mut self) -> [String; 2] {
        [String::new(), String::new()]
    }

    /// One text frame of the bot.
    pub fn handle_text(&mut self, _text: &str) -> Result<Vec<BotInput>, BadFrame> {
        Ok(vec![BotInput::Ignored])
    }

    /// 20 ms of the caller.
    pub fn media(&mut self, _mulaw: &[u8], _now: Instant) -> String {
        String::new()
    }

    /// A key of the caller.
    pub fn dtmf(&mut self, _digit: char) -> String {
        String::new()
    }

    /// Everything before this mark has been played, or was cleared.
    pub fn mark(&mut self, _name: &str) -> String {
        String::new()
    }

    /// News about the handoff.
    pub fn tell(&mut self, _update: &BotUpdate) -> String {
        String::new()
    }

    /// The last frame.
    pub fn stop(&mut self) -> String {
        String::new()
    }
}
