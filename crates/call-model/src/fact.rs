//! Timed observations, and the explained outcome of rules over them.

use crate::callback::CallbackWish;
use crate::package::Article;
use crate::recording::RecordingWish;
use crate::time::Instant;
use core::fmt;

/// Something observed at a moment of a call.
#[derive(Clone, PartialEq, Debug)]
pub struct Fact {
    /// When.
    pub at: Instant,
    /// What.
    pub kind: FactKind,
}

/// What was observed.
#[derive(Clone, PartialEq, Debug)]
pub enum FactKind {
    /// The prosody model's view of the last window of the caller's speech.
    Voice(VoiceScore),
    /// Somebody said something; from the bot's control events.
    Turn {
        /// Who.
        speaker: Speaker,
        /// The words.
        text: String,
        /// The bot's confidence in its own answer or in the recognition, 0..1.
        confidence: Option<f32>,
    },
    /// What the caller wants.
    Intent {
        /// A short name, such as `dispute_fee`.
        name: String,
        /// 0..1.
        confidence: Option<f32>,
    },
    /// A value heard, such as an order number.
    Entity {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// Something the bot tried.
    Action {
        /// What.
        name: String,
        /// Whether it worked.
        succeeded: bool,
        /// The result in words.
        result: String,
    },
    /// The caller asked for a person, and the bot says so.
    AskedForHuman,
    /// The bot wants a person to take over.
    BotEscalates {
        /// Its reason.
        because: String,
    },
    /// The caller pressed one key alone: no digit in the 3 s before it or the 1.5 s after it.
    LoneDigit(char),
    /// The bot's summary so far.
    Summary(String),
    /// The bot's advice to the human.
    NextSteps(Vec<String>),
    /// How the human may begin, in the bot's words.
    Opening(String),
    /// What the human may want to read.
    Articles(Vec<Article>),
    /// The bot has introduced the human; it leaves the two alone.
    Introduced,
    /// The bot says something to the caller that must be over before the human gets them.
    Announcement {
        /// The stream mark that tells its end, where the bot has one.
        mark: Option<String>,
    },
    /// The caller needs no human any more, as the bot sees it.
    Withdrawn,
    /// The caller wants to be called back.
    Callback(CallbackWish),
    /// Somebody wants something of the recording.
    Recording(RecordingWish),
    /// The bot is gone while the caller is not.
    BotDown {
        /// For the human and the operator.
        why: String,
    },
}

/// Who spoke.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speaker {
    /// The caller.
    Caller,
    /// The bot.
    Bot,
}

/// The six classes of the model contract, in its order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[allow(missing_docs, reason = "the names are the definition")]
pub enum Emotion {
    #[default]
    Neutral,
    Happy,
    Sad,
    Angry,
    Fear,
    Disgust,
}

impl Emotion {
    /// All classes, in the model's output order.
    pub const ALL: [Self; 6] = [Self::Neutral, Self::Happy, Self::Sad, Self::Angry, Self::Fear, Self::Disgust];
}

impl fmt::Display for Emotion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Neutral => "neutral",
            Self::Happy => "happy",
            Self::Sad => "sad",
            Self::Angry => "angry",
            Self::Fear => "fear",
            Self::Disgust => "disgust",
        })
    }
}

/// One window (3 s) of the caller's voice. All values are 0..1.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct VoiceScore {
    /// The model's anger probability, before the caller's own baseline.
    pub anger: f32,
    /// How activated the voice is.
    pub arousal: f32,
    /// Anger after baseline, smoothing and calibration: what rules look at.
    pub distress: f32,
    /// The likeliest class.
    pub emotion: Emotion,
    /// Its probability.
    pub confidence: f32,
    /// Share of the window that is speech.
    pub speech_ratio: f32,
    /// Whether the caller's baseline (about 10 s of speech) is complete.
    pub baselined: bool,
}

/// The kinds of reason for which a human is called, as they appear in headers, metrics and the ledger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "the names are the definition")]
pub enum Trigger {
    Asked,
    Dtmf,
    Emergency,
    Compliance,
    Distress,
    LowConfidence,
    FailedAttempts,
    Legal,
    Medical,
    Minors,
    Fraud,
    Dispute,
    Cancellation,
    Vulnerable,
    Frustration,
    SameQuestion,
    Loop,
    Hedging,
    Unclear,
    Verification,
    SystemError,
    HighValue,
    Vip,
    Silence,
    Monologue,
    LongCall,
    Bot,
    BotDown,
    /// Somebody in operations asked for it.
    Operator,
    /// A dialled target that goes straight to a human, by configuration.
    Direct,
    /// A human who has the caller passes it on to another.
    PassedOn,
}

impl Trigger {
    /// All of them.
    pub const ALL: [Self; 31] = [
        Self::Asked,
        Self::Dtmf,
        Self::Emergency,
        Self::Compliance,
        Self::Distress,
        Self::LowConfidence,
        Self::FailedAttempts,
        Self::Legal,
        Self::Medical,
        Self::Minors,
        Self::Fraud,
        Self::Dispute,
        Self::Cancellation,
        Self::Vulnerable,
        Self::Frustration,
        Self::SameQuestion,
        Self::Loop,
        Self::Hedging,
        Self::Unclear,
        Self::Verification,
        Self::SystemError,
        Self::HighValue,
        Self::Vip,
        Self::Silence,
        Self::Monologue,
        Self::LongCall,
        Self::Bot,
        Self::BotDown,
        Self::Operator,
        Self::Direct,
        Self::PassedOn,
    ];

    /// The token used on every surface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Dtmf => "dtmf",
            Self::Emergency => "emergency",
            Self::Compliance => "compliance",
            Self::Distress => "distress",
            Self::LowConfidence => "low_confidence",
            Self::FailedAttempts => "failed_attempts",
            Self::Legal => "legal",
            Self::Medical => "medical",
            Self::Minors => "minors",
            Self::Fraud => "fraud",
            Self::Dispute => "dispute",
            Self::Cancellation => "cancellation",
            Self::Vulnerable => "vulnerable",
            Self::Frustration => "frustration",
            Self::SameQuestion => "same_question",
            Self::Loop => "loop",
            Self::Hedging => "hedging",
            Self::Unclear => "unclear",
            Self::Verification => "verification",
            Self::SystemError => "system_error",
            Self::HighValue => "high_value",
            Self::Vip => "vip",
            Self::Silence => "silence",
            Self::Monologue => "monologue",
            Self::LongCall => "long_call",
            Self::Bot => "bot",
            Self::BotDown => "bot_down",
            Self::Operator => "operator",
            Self::Direct => "direct",
            Self::PassedOn => "passed_on",
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which layer of the rules decided.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Layer {
    /// Nothing overrides it.
    Hard,
    /// Operations people tune it.
    Tunable,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hard => "hard",
            Self::Tunable => "tunable",
        })
    }
}

/// How quickly somebody should take it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[allow(missing_docs, reason = "the names are the definition")]
pub enum Urgency {
    #[default]
    Normal,
    High,
    Emergency,
}

/// One fact that caused a decision, in words a human reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Because {
    /// When it was observed.
    pub at: Instant,
    /// Such as `confidence 0.41 on "insurance coverage", second low in a row`.
    pub text: String,
}

/// An explained outcome: this call needs a human.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// When it was taken.
    pub at: Instant,
    /// The rule's name in the rules file.
    pub rule: String,
    /// The kind of reason.
    pub trigger: Trigger,
    /// Which layer the rule is in.
    pub layer: Layer,
    /// How quickly somebody should take it.
    pub urgency: Urgency,
    /// Never empty.
    pub because: Vec<Because>,
}
