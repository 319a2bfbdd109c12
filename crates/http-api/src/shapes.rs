//! The serialised shapes: what leaves the process as JSON, converted by hand so that no inner type becomes a promise
//! to the outside by accident.
//!
//! Instants become `.._unix_ms`, milliseconds since 1970-01-01 UTC. Keys are always present; unknown is `null` or `[]`.

use call_model::package::{Article, Attempt, Utterance};
use call_model::{
    Because, EarlierHandoff, Emotion, HandoffPackage, Instant, Speaker, TransferState, Urgency, VoiceScore, WallAnchor,
};
use serde::Serialize;

/// `docs/handoff-package.schema.json`.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the fields are those of call_model::HandoffPackage")]
pub struct PackageShape {
    pub id: String,
    pub call: String,
    pub session_id: String,
    pub version: u32,
    pub call_started_unix_ms: u64,
    pub started_unix_ms: u64,
    pub caller: String,
    pub caller_name: Option<String>,
    pub called: String,
    pub trigger: &'static str,
    pub rule: String,
    pub because: Vec<BecauseShape>,
    pub urgency: &'static str,
    pub summary: String,
    pub summary_by: &'static str,
    pub intent: Option<String>,
    pub entities: Vec<EntityShape>,
    pub actions: Vec<ActionShape>,
    pub next_steps: Vec<String>,
    pub opening: Option<String>,
    pub articles: Vec<ArticleShape>,
    pub transcript: Vec<UtteranceShape>,
    pub trajectory: Vec<VoiceShape>,
    pub earlier: Vec<EarlierShape>,
    pub callback: Option<CallbackShape>,
    /// 0..=100.
    pub completeness: u8,
}

/// A handoff of the same call that is over.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the fields are those of call_model::EarlierHandoff")]
pub struct EarlierShape {
    pub id: String,
    pub desk: Option<String>,
    pub outcome: &'static str,
    pub ended_by: &'static str,
    pub notes: String,
}

/// It is us who call.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the fields are those of call_model::CallbackNote")]
pub struct CallbackShape {
    pub id: String,
    pub asked_unix_ms: u64,
    pub promised_unix_ms: u64,
    pub attempt: u8,
}

impl CallbackShape {
    fn from_model(note: call_model::CallbackNote) -> Self {
        Self {
            id: note.id.to_string(),
            asked_unix_ms: note.asked_ms,
            promised_unix_ms: note.promised_ms,
            attempt: note.attempt,
        }
    }
}

/// One reason, in words.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the names are the definition")]
pub struct BecauseShape {
    pub at_unix_ms: u64,
    pub text: String,
}

/// A value heard.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the names are the definition")]
pub struct EntityShape {
    pub name: String,
    pub value: String,
}

/// Something the bot tried.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the names are the definition")]
pub struct ActionShape {
    pub at_unix_ms: u64,
    pub name: String,
    pub succeeded: bool,
    pub result: String,
}

/// Something to read.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the fields are those of call_model::package::Article")]
pub struct ArticleShape {
    pub title: String,
    pub text: String,
    pub url: Option<String>,
}

/// Something said.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the names are the definition")]
pub struct UtteranceShape {
    pub at_unix_ms: u64,
    pub speaker: &'static str,
    pub text: String,
    pub confidence: Option<f64>,
}

/// One window of the caller's voice.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the names are the definition")]
pub struct VoiceShape {
    pub at_unix_ms: u64,
    pub anger: f64,
    pub arousal: f64,
    pub distress: f64,
    pub emotion: &'static str,
    pub confidence: f64,
    pub speech_ratio: f64,
    pub baselined: bool,
}

impl PackageShape {
    /// The package with dates.
    pub fn from_model(package: &HandoffPackage, wall: &WallAnchor) -> Self {
        Self {
            id: package.id.to_string(),
            call: package.call.to_string(),
            session_id: package.session_id.clone(),
            version: package.version,
            call_started_unix_ms: package.call_started_unix_ms,
            started_unix_ms: wall.unix_ms(package.started),
            caller: package.caller.reveal().to_owned(),
            caller_name: package.caller_name.as_ref().map(|name| name.reveal().to_owned()),
            called: package.called.reveal().to_owned(),
            trigger: package.trigger.as_str(),
            rule: package.rule.clone(),
            because: package.because.iter().map(|because| BecauseShape::from_model(because, wall)).collect(),
            urgency: urgency(package.urgency),
            summary: package.summary.clone(),
            summary_by: package.summary_by.as_str(),
            intent: package.intent.clone(),
            entities: package
                .entities
                .iter()
                .map(|(name, value)| EntityShape { name: name.clone(), value: value.clone() })
                .collect(),
            actions: package.actions.iter().map(|attempt| ActionShape::from_model(attempt, wall)).collect(),
            next_steps: package.next_steps.clone(),
            opening: package.opening.clone(),
            articles: package.articles.iter().map(ArticleShape::from_model).collect(),
            transcript: package.transcript.iter().map(|said| UtteranceShape::from_model(said, wall)).collect(),
            trajectory: package.trajectory.iter().map(|(at, score)| VoiceShape::from_model(*at, score, wall)).collect(),
            earlier: package.earlier.iter().map(EarlierShape::from_model).collect(),
            callback: package.callback.map(CallbackShape::from_model),
            completeness: package.completeness(),
        }
    }
}

impl EarlierShape {
    fn from_model(earlier: &EarlierHandoff) -> Self {
        Self {
            id: earlier.id.to_string(),
            desk: earlier.desk.clone(),
            outcome: earlier.outcome.as_str(),
            ended_by: earlier.ended_by.as_str(),
            notes: earlier.notes.clone(),
        }
    }
}

impl BecauseShape {
    /// The reason with its date.
    pub fn from_model(because: &Because, wall: &WallAnchor) -> Self {
        Self { at_unix_ms: wall.unix_ms(because.at), text: because.text.clone() }
    }
}

impl ActionShape {
    fn from_model(attempt: &Attempt, wall: &WallAnchor) -> Self {
        Self {
            at_unix_ms: wall.unix_ms(attempt.at),
            name: attempt.name.clone(),
            succeeded: attempt.succeeded,
            result: attempt.result.clone(),
        }
    }
}

impl ArticleShape {
    fn from_model(article: &Article) -> Self {
        Self { title: article.title.clone(), text: article.text.clone(), url: article.url.clone() }
    }
}

impl UtteranceShape {
    fn from_model(said: &Utterance, wall: &WallAnchor) -> Self {
        Self {
            at_unix_ms: wall.unix_ms(said.at),
            speaker: speaker(said.speaker),
            text: said.text.clone(),
            confidence: said.confidence.map(unit),
        }
    }
}

impl VoiceShape {
    /// The score with its date.
    pub fn from_model(at: Instant, score: &VoiceScore, wall: &WallAnchor) -> Self {
        Self {
            at_unix_ms: wall.unix_ms(at),
            anger: unit(score.anger),
            arousal: unit(score.arousal),
            distress: unit(score.distress),
            emotion: emotion(score.emotion),
            confidence: unit(score.confidence),
            speech_ratio: unit(score.speech_ratio),
            baselined: score.baselined,
        }
    }
}

/// A live or recently ended call, for `GET /v1/calls`.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct CallShape {
    /// Our name of it, 13 characters.
    pub id: String,
    /// Its name outside (RFC 7989).
    pub session_id: String,
    /// The trunk's name.
    pub trunk: String,
    /// Who calls.
    pub from: String,
    /// What they dialled.
    pub to: String,
    /// `with_bot`, `consulting`, `accepting`, `joined`, `releasing`, `released`, `recovering`.
    pub state: &'static str,
    /// When it began.
    pub began_unix_ms: u64,
    /// When it ended, unless it is live.
    pub ended_unix_ms: Option<u64>,
    /// Whose doing the end was, in one token: `caller`, `bot`, ..
    pub ended_by: Option<String>,
    /// Why it ended: `hung_up`, ..
    pub ended_reason: Option<&'static str>,
    /// The last decision.
    pub decision: Option<DecisionShape>,
    /// The last handoff.
    pub handoff: Option<CallHandoffShape>,
    /// The latest voice window.
    pub voice: Option<VoiceShape>,
    /// Windows of speech scored.
    pub voice_windows: u64,
    /// The latest statistics of each leg.
    pub legs: Vec<LegShape>,
}

/// An explained outcome.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the fields are those of call_model::Decision")]
pub struct DecisionShape {
    pub at_unix_ms: u64,
    pub rule: String,
    pub trigger: &'static str,
    pub layer: String,
    pub urgency: &'static str,
    pub because: Vec<BecauseShape>,
}

impl DecisionShape {
    /// The decision with dates.
    pub fn from_model(decision: &call_model::Decision, wall: &WallAnchor) -> Self {
        Self {
            at_unix_ms: wall.unix_ms(decision.at),
            rule: decision.rule.clone(),
            trigger: decision.trigger.as_str(),
            layer: decision.layer.to_string(),
            urgency: urgency(decision.urgency),
            because: decision.because.iter().map(|because| BecauseShape::from_model(because, wall)).collect(),
        }
    }
}

/// The last handoff of a call.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct CallHandoffShape {
    /// Its id.
    pub id: String,
    /// The desk chosen last.
    pub desk: String,
    /// Why that one.
    pub because: String,
    /// The one outcome, when over.
    pub outcome: Option<&'static str>,
    /// How far it had come, when over.
    pub stage: Option<String>,
    /// The SIP status that decided, when there was one.
    pub sip: Option<u16>,
    /// By which method, when over.
    pub method: Option<&'static str>,
    /// Whether trying the same target later may help, when over.
    pub retryable: Option<bool>,
}

/// A leg's part and statistics.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the fields are those of call_model::LegStats")]
pub struct LegShape {
    pub leg: String,
    pub role: String,
    pub name: String,
    pub received: u64,
    pub sent: u64,
    pub lost: u64,
    pub jitter_ms: f64,
    pub round_trip_ms: Option<f64>,
    pub remote_loss: Option<f64>,
    pub remote_jitter_ms: Option<f64>,
    pub mos: Option<f64>,
    pub remote_mos: Option<f64>,
    pub refused: u64,
    pub longest_gap_ms: f64,
}

impl LegShape {
    /// The statistics of a leg.
    pub fn from_model(
        leg: call_model::LegId,
        role: call_model::Role,
        name: &str,
        stats: &call_model::LegStats,
    ) -> Self {
        Self {
            leg: leg.to_string(),
            role: role.to_string(),
            name: name.to_owned(),
            received: stats.received,
            sent: stats.sent,
            lost: stats.lost,
            jitter_ms: share(stats.jitter_ms),
            round_trip_ms: stats.round_trip_ms.map(share),
            remote_loss: stats.remote_loss.map(share),
            remote_jitter_ms: stats.remote_jitter_ms.map(share),
            mos: stats.mos.map(share),
            remote_mos: stats.remote_mos.map(share),
            refused: stats.refused,
            longest_gap_ms: share(stats.longest_gap_ms),
        }
    }
}

/// `GET /v1/handoffs/{id}/status`.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct HandoffStatusShape {
    /// Its id.
    pub handoff: String,
    /// The call.
    pub call: String,
    /// The call's state while it goes on, then `ended`.
    pub state: &'static str,
    /// How far it has come, or had come when it ended: `route`, `consult`, `accept`, `join`, `release`.
    pub stage: String,
    /// The desk chosen last.
    pub desk: Option<String>,
    /// Why that one; while the caller waits in line, why nobody can take them.
    pub because: String,
    /// While the caller waits in line: the place, 1 is next.
    pub place: Option<usize>,
    /// And how many seconds that may take, when known.
    pub wait_s: Option<u64>,
    /// When it began.
    pub began_unix_ms: u64,
    /// When it had its outcome.
    pub ended_unix_ms: Option<u64>,
    /// The one outcome.
    pub outcome: Option<&'static str>,
    /// By which method.
    pub method: Option<&'static str>,
    /// The SIP status that decided.
    pub sip: Option<u16>,
    /// Whether trying the same target later may help.
    pub retryable: Option<bool>,
    /// The call ended soon after the join.
    pub early_drop: Option<EarlyDropShape>,
    /// What passed on the wire, in order.
    pub evidence: Vec<EvidenceShape>,
}

/// A call that ended soon after its join.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the fields are those of call_model::TraceKind::EarlyDrop")]
pub struct EarlyDropShape {
    pub by: String,
    pub after_ms: u64,
    pub cause: String,
}

/// A SIP message of a handoff.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct EvidenceShape {
    /// When.
    pub at_unix_ms: u64,
    /// `desk`, `caller`, `bot`.
    pub role: Option<String>,
    /// Whether we sent it.
    pub sent: bool,
    /// `INVITE`, `486 Busy Here`, `NOTIFY 200`.
    pub what: String,
    /// The SIP status: of the response, or in the NOTIFY.
    pub code: Option<u16>,
    /// `Call-ID`.
    pub sip_call_id: String,
    /// `CSeq`.
    pub cseq: String,
}

/// An error: `{"error": {"code", "message", "fix"}}`.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct ErrorShape {
    /// What is wrong.
    pub error: ErrorBody,
    /// The handoff that is meant, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handoff: Option<String>,
}

/// What is wrong and what to do.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct ErrorBody {
    /// A token programs may branch on.
    pub code: &'static str,
    /// A sentence.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

/// Three decimals are more than the model knows, and keep the document small. JSON has no NaN: it becomes 0.
pub(crate) fn share(value: f32) -> f64 {
    if value.is_finite() { (f64::from(value) * 1000.0).round() / 1000.0 } else { 0.0 }
}

/// Within 0..1, as the schema promises.
pub(crate) fn unit(value: f32) -> f64 {
    share(value).clamp(0.0, 1.0)
}

pub(crate) const fn urgency(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Normal => "normal",
        Urgency::High => "high",
        Urgency::Emergency => "emergency",
    }
}

pub(crate) const fn speaker(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::Caller => "caller",
        Speaker::Bot => "bot",
    }
}

pub(crate) const fn emotion(emotion: Emotion) -> &'static str {
    match emotion {
        Emotion::Neutral => "neutral",
        Emotion::Happy => "happy",
        Emotion::Sad => "sad",
        Emotion::Angry => "angry",
        Emotion::Fear => "fear",
        Emotion::Disgust => "disgust",
    }
}

pub(crate) const fn state(state: TransferState) -> &'static str {
    match state {
        TransferState::WithBot => "with_bot",
        TransferState::Consulting => "consulting",
        TransferState::Accepting => "accepting",
        TransferState::Joined => "joined",
        TransferState::Releasing => "releasing",
        TransferState::Released => "released",
        TransferState::Recovering => "recovering",
    }
}
