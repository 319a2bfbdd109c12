//! Twilio Media Streams with us in Twilio's place: we dial the bot and speak first.
//!
//! Every frame is a JSON text; audio is base64 of headerless mu-law, 8000 Hz, 20 ms in 160 octets. Beside Twilio's
//! events a bot may send, and is sent, events named `warmline` ([`crate::control`]), which it may ignore.

use crate::control::{self, ControlError, Told};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use call_model::{BotUpdate, FactKind, IdSource, Instant, Redacted, Resumed, Secret};
use serde::Serialize;
use serde_json::{Map, Value};

/// What the bot learns in `start`, as `customParameters`.
#[derive(Clone, PartialEq, Debug)]
pub struct StreamParams {
    /// Who is calling: `from_number`.
    pub from: Redacted,
    /// What they dialled: `to_number`.
    pub to: Redacted,
    /// Session-ID (RFC 7989): `warmline_session_id`; also the digits of `callSid`.
    pub session_id: String,
    /// Where the control channel is reached over HTTP: `warmline_control_url`.
    pub control_url: Option<String>,
    /// What to present there: `warmline_control_token`.
    pub control_token: Secret,
    /// Set when a human had the caller before: `warmline_resumed`, `warmline_handoff_id`, `warmline_handoff_notes`,
    /// `warmline_summary`.
    pub resumed: Option<Box<Resumed>>,
}

/// What the bot sent.
#[derive(Clone, PartialEq, Debug)]
pub enum BotInput {
    /// mu-law, 8000 Hz, any length but none.
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
    /// Longer than [`MAX_FRAME`].
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

/// The longest text frame looked at, octets: 48 s of mu-law in base64.
pub const MAX_FRAME: usize = 512 * 1024;
/// The longest name of a mark, characters.
const MAX_MARK: usize = 256;
/// Twilio's account; we have none, and bots only look at its form.
const ACCOUNT: &str = "AC00000000000000000000000000000000";
/// Bots pad or do not pad.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One stream.
#[derive(Clone, Debug)]
pub struct TwilioSession {
    params: StreamParams,
    stream_sid: String,
    call_sid: String,
    began: Instant,
    /// Of the last frame that had one.
    sequence: u64,
    chunk: u64,
}

impl TwilioSession {
    /// A stream that begins now.
    pub fn new(params: StreamParams, ids: &mut IdSource, now: Instant) -> Self {
        let hex = params.session_id.len() == 32 && params.session_id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let call = if hex { params.session_id.clone() } else { ids.hex(32) };
        let (stream_sid, call_sid) = (format!("MZ{}", ids.hex(32)), format!("CA{call}"));
        Self { params, stream_sid, call_sid, began: now, sequence: 0, chunk: 0 }
    }

    /// The stream's name on the wire.
    pub fn stream_sid(&self) -> &str {
        &self.stream_sid
    }

    /// The two frames that must go out first: `connected`, `start`. Bots tell the protocol from exactly these.
    pub fn start_frames(&mut self) -> [String; 2] {
        let connected = Connected { event: "connected", protocol: "Call", version: "1.0.0" };
        let sequence_number = self.next();
        let start = Start {
            stream_sid: &self.stream_sid,
            account_sid: ACCOUNT,
            call_sid: &self.call_sid,
            tracks: ["inbound"],
            media_format: MediaFormat { encoding: "audio/x-mulaw", sample_rate: 8000, channels: 1 },
            custom_parameters: CustomParameters {
                from_number: self.params.from.reveal(),
                to_number: self.params.to.reveal(),
                warmline_session_id: &self.params.session_id,
                warmline_control_url: self.params.control_url.as_deref(),
                warmline_control_token: self.params.control_token.expose(),
                resumed: self.params.resumed.as_deref().map(ResumedParameters::new),
            },
        };
        let start = StartFrame { event: "start", sequence_number, start, stream_sid: &self.stream_sid };
        [crate::json(&connected), crate::json(&start)]
    }

    /// One text frame of the bot.
    ///
    /// # Errors
    /// The frame cannot be used; says which field and what to send. The stream goes on.
    pub fn handle_text(&mut self, text: &str) -> Result<Vec<BotInput>, BadFrame> {
        if text.len() > MAX_FRAME {
            return Err(BadFrame::TooLong(text.len()));
        }
        let mut frame: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| BadFrame::NotJson(error.to_string()))?;
        let Some(Value::String(event)) = frame.get("event") else {
            return Err(field("event", "missing; every frame names its event in a text"));
        };
        if let Some(Value::String(sid)) = frame.get("streamSid")
            && *sid != self.stream_sid
        {
            return Err(field("streamSid", &format!("is not this stream's; send {}", self.stream_sid)));
        }
        Ok(match event.as_str() {
            "media" => audio(&mut frame)?,
            "mark" => vec![BotInput::Mark(mark_name(&mut frame)?)],
            "clear" => vec![BotInput::Clear],
            "stop" => vec![BotInput::Stop],
            control::EVENT => control::from_value(Value::Object(frame))?.into_iter().map(BotInput::Control).collect(),
            _ => vec![BotInput::Ignored],
        })
    }

    /// The caller's voice: mu-law, usually 160 octets for 20 ms.
    pub fn media(&mut self, mulaw: &[u8], now: Instant) -> String {
        self.chunk += 1;
        let (chunk, timestamp) = (self.chunk.to_string(), now.since(self.began).as_millis().to_string());
        let media = Media { track: "inbound", chunk, timestamp, payload: BASE64.encode(mulaw) };
        self.frame("media", Part { media: Some(media), ..Part::default() })
    }

    /// A key of the caller.
    pub fn dtmf(&mut self, digit: char) -> String {
        let dtmf = Dtmf { track: "inbound_track", digit };
        self.frame("dtmf", Part { dtmf: Some(dtmf), ..Part::default() })
    }

    /// Everything before this mark has been played, or was cleared.
    pub fn mark(&mut self, name: &str) -> String {
        self.frame("mark", Part { mark: Some(Mark { name }), ..Part::default() })
    }

    /// News about the handoff.
    pub fn tell(&mut self, update: &BotUpdate) -> String {
        let sequence_number = self.next();
        crate::json(&Told::new(update, Some(Stamp { sequence_number, stream_sid: &self.stream_sid })))
    }

    /// The last frame.
    pub fn stop(&mut self) -> String {
        let call_sid = self.call_sid.clone();
        let stop = Stop { account_sid: ACCOUNT, call_sid };
        self.frame("stop", Part { stop: Some(stop), ..Part::default() })
    }

    fn frame(&mut self, event: &'static str, part: Part<'_>) -> String {
        let sequence_number = self.next();
        crate::json(&Frame { event, stamp: Stamp { sequence_number, stream_sid: &self.stream_sid }, part })
    }

    fn next(&mut self) -> String {
        self.sequence += 1;
        self.sequence.to_string()
    }
}

fn audio(frame: &mut Map<String, Value>) -> Result<Vec<BotInput>, BadFrame> {
    let payload = match frame.get_mut("media").and_then(|media| media.get_mut("payload")) {
        Some(Value::String(payload)) => core::mem::take(payload),
        _ => return Err(field("media.payload", "missing; base64 of mu-law, 8000 Hz")),
    };
    let mulaw = BASE64.decode(payload).map_err(|error| field("media.payload", &format!("not base64: {error}")))?;
    Ok(if mulaw.is_empty() { vec![BotInput::Ignored] } else { vec![BotInput::Audio(mulaw)] })
}

fn mark_name(frame: &mut Map<String, Value>) -> Result<String, BadFrame> {
    match frame.get_mut("mark").and_then(|mark| mark.get_mut("name")) {
        Some(Value::String(name)) if name.chars().count() <= MAX_MARK => Ok(core::mem::take(name)),
        Some(Value::String(_)) => Err(field("mark.name", &format!("longer than {MAX_MARK} characters"))),
        _ => Err(field("mark.name", "missing; a text that is sent back when the audio before it was played")),
    }
}

fn field(field: &'static str, fix: &str) -> BadFrame {
    BadFrame::Field { field, fix: fix.to_owned() }
}

#[derive(Serialize)]
struct Connected {
    event: &'static str,
    protocol: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StartFrame<'a> {
    event: &'static str,
    sequence_number: String,
    start: Start<'a>,
    stream_sid: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Start<'a> {
    stream_sid: &'a str,
    account_sid: &'static str,
    call_sid: &'a str,
    tracks: [&'static str; 1],
    media_format: MediaFormat,
    custom_parameters: CustomParameters<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MediaFormat {
    encoding: &'static str,
    sample_rate: u32,
    channels: u8,
}

#[derive(Serialize)]
struct CustomParameters<'a> {
    from_number: &'a str,
    to_number: &'a str,
    warmline_session_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    warmline_control_url: Option<&'a str>,
    warmline_control_token: &'a str,
    #[serde(flatten)]
    resumed: Option<ResumedParameters<'a>>,
}

#[derive(Serialize)]
struct ResumedParameters<'a> {
    warmline_resumed: &'static str,
    warmline_handoff_id: String,
    warmline_handoff_notes: &'a str,
    warmline_summary: &'a str,
}

impl<'a> ResumedParameters<'a> {
    fn new(resumed: &'a Resumed) -> Self {
        Self {
            warmline_resumed: resumed.how,
            warmline_handoff_id: resumed.handoff.to_string(),
            warmline_handoff_notes: &resumed.notes,
            warmline_summary: &resumed.summary,
        }
    }
}

/// What every frame after `start` carries.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stamp<'a> {
    sequence_number: String,
    stream_sid: &'a str,
}

#[derive(Serialize)]
struct Frame<'a> {
    event: &'static str,
    #[serde(flatten)]
    stamp: Stamp<'a>,
    #[serde(flatten)]
    part: Part<'a>,
}

/// One of them.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    media: Option<Media>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dtmf: Option<Dtmf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<Mark<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<Stop>,
}

#[derive(Serialize)]
struct Media {
    track: &'static str,
    chunk: String,
    timestamp: String,
    payload: String,
}

#[derive(Serialize)]
struct Dtmf {
    track: &'static str,
    digit: char,
}

#[derive(Serialize)]
struct Mark<'a> {
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stop {
    account_sid: &'static str,
    call_sid: String,
}
