use crate::complaint::Complaint;
use crate::parse;
use crate::phrase::Phrase;
use call_model::{Layer, Trigger, Urgency};
use core::time::Duration;

/// A checked rules file: no rule in it is nonsense.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    text: String,
}

/// One rule.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// Its name in the file: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// How it judges as long as no intent says otherwise.
    pub usual: Judgement,
    /// How it judges while the caller's latest intent has this name; none: not at all.
    pub by_intent: Vec<(Name, Option<Judgement>)>,
}

/// What a rule looks for, and what follows.
#[derive(Clone, PartialEq, Debug)]
pub struct Judgement {
    /// How quickly somebody should take the call.
    pub urgency: Urgency,
    /// How long it stays quiet after it fired.
    pub cool_down: Duration,
    /// How far the first and the last thing that it counts must be apart.
    pub lasting: Duration,
    /// After it fired, nothing that counts may be seen for this long before it fires again.
    pub rearm: Duration,
    /// What it looks for.
    pub when: When,
}

/// The name of an intent, an action or the like; with `*` at its end, of all that begin so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name(pub(crate) String);

/// What a rule looks for.
#[derive(Clone, PartialEq, Debug)]
pub enum When {
    /// The caller asks for a human: the bot reports it, or the caller's words say so.
    Asked {
        /// Whether the bot's report counts.
        event: bool,
        /// The words that count.
        said: Said,
    },
    /// The caller presses one of these keys alone.
    Key {
        /// `0-9`, `*`, `#`, `A-D`.
        digits: Vec<char>,
    },
    /// Words of the caller that only a human may answer.
    Category(Category, Said),
    /// The bot is gone while the caller is not.
    BotDown,
    /// The bot asks for it.
    BotEscalates,
    /// The caller's voice has been distressed for a while.
    Distress(Distress),
    /// Low confidence several times in a row.
    LowConfidence {
        /// Confidence under this is low, 0..1.
        below: f32,
        /// Confidence from `below` to under this goes on and is flagged for review, 0..1.
        review_below: f32,
        /// Confidence from `below` to under this neither counts nor ends the row, 0..1.
        clear_above: f32,
        /// How many in a row.
        times: usize,
        /// A low older than this no longer counts.
        within: Duration,
    },
    /// What the bot tried went wrong several times.
    FailedAttempts(Often),
    /// The caller's words are frustrated, several times, or once in a voice that is distressed.
    Frustration {
        /// The words that count.
        said: Said,
        /// How often without the voice's help.
        often: Often,
        /// A voice at or over this makes one time enough, 0..1.
        with_distress: f32,
        /// How far words and voice may be apart.
        fuse: Duration,
    },
    /// The caller says the same again, in these or other words.
    SameQuestion {
        /// How like two turns must be, 0..1.
        alike: f32,
        /// How often it must be said, the first time included.
        often: Often,
    },
    /// The bot says the same again, or the conversation comes back to an intent it had left.
    Loop {
        /// How like two turns of the bot must be, 0..1.
        alike: f32,
        /// How often, the first time included.
        often: Often,
    },
    /// The bot hedges, takes back what it said, or says yes and no to the same.
    Hedging {
        /// The bot's words that count.
        said: Said,
        /// How like two turns must be to contradict each other, 0..1.
        alike: f32,
        /// How often.
        often: Often,
    },
    /// The bot asks the caller to say it again.
    Unclear {
        /// The bot's words that count.
        said: Said,
        /// How often.
        often: Often,
    },
    /// The caller could not be verified.
    Verification {
        /// Which actions verify.
        actions: Vec<Name>,
        /// How many failures.
        often: Often,
    },
    /// An action failed because a system did.
    SystemError {
        /// The words of a result that tell so.
        said: Said,
        /// How often.
        often: Often,
    },
    /// What the caller wants is worth a human's time.
    HighValue {
        /// Which intents.
        intents: Vec<Name>,
        /// An intent that is less certain does not count, 0..1.
        confidence: f32,
    },
    /// The bot knows the caller as one of few.
    Vip {
        /// The entity that tells.
        entity: String,
        /// Its values that count, in lower case.
        values: Vec<String>,
    },
    /// Neither caller nor bot has been heard for this long.
    Silence(Duration),
    /// The caller has spoken for this long without a word of the bot.
    Monologue(Duration),
    /// Caller and bot have talked for this long.
    LongCall(Duration),
}

/// How often within how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Often {
    /// How often.
    pub times: usize,
    /// What is older no longer counts.
    pub within: Duration,
}

/// Matters that are a human's, told by the caller's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are the definition")]
pub enum Category {
    Emergency,
    Compliance,
    Legal,
    Medical,
    Minors,
    Fraud,
    Dispute,
    Cancellation,
    Vulnerable,
}

impl Category {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Emergency,
        Self::Compliance,
        Self::Legal,
        Self::Medical,
        Self::Minors,
        Self::Fraud,
        Self::Dispute,
        Self::Cancellation,
        Self::Vulnerable,
    ];

    /// The kind of reason; its token is the rule's `kind`.
    pub const fn trigger(self) -> Trigger {
        match self {
            Self::Emergency => Trigger::Emergency,
            Self::Compliance => Trigger::Compliance,
            Self::Legal => Trigger::Legal,
            Self::Medical => Trigger::Medical,
            Self::Minors => Trigger::Minors,
            Self::Fraud => Trigger::Fraud,
            Self::Dispute => Trigger::Dispute,
            Self::Cancellation => Trigger::Cancellation,
            Self::Vulnerable => Trigger::Vulnerable,
        }
    }
}

/// Phrases to listen for, and phrases that look like them and are not.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Said {
    /// Any of these fires.
    pub phrases: Vec<Phrase>,
    /// Words within one of these do not count.
    pub unless: Vec<Phrase>,
}

/// Distress with hysteresis.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Distress {
    /// A window at or over this counts, 0..1.
    pub threshold: f32,
    /// The same while the caller's own baseline is not known yet; none: such windows do not count.
    pub threshold_before_baseline: Option<f32>,
    /// A window under this starts the count anew, 0..1. One in between neither counts nor resets.
    pub clear_below: f32,
    /// How long windows must count.
    pub lasting: Duration,
    /// Windows with less speech than this are passed over, 0..1.
    pub speech_ratio: f32,
    /// After this long without a window that counts, the count starts anew.
    pub forget: Duration,
}

impl Rules {
    /// Reads a rules file; every complaint at once, each with its path and what to fix.
    pub fn parse(toml: &str) -> Result<Self, Vec<Complaint>> {
        parse::rules(toml).map(|rules| Self { rules, text: toml.to_owned() })
    }

    /// The file as it was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A short name of this very text, to tell versions of a file apart (FNV-1a); no proof against forgery.
    pub fn version(&self) -> String {
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        format!("{:016x}", self.text.bytes().fold(0xcbf2_9ce4_8422_2325, mix))
    }

    /// The rules that ship with the gateway: `config/rules.toml` at build time.
    pub fn default_pack() -> Self {
        Self::parse(DEFAULT_PACK).unwrap_or_default()
    }

    /// All rules, in the file's order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

/// A test proves that it parses.
pub(crate) const DEFAULT_PACK: &str = include_str!("../../../config/rules.toml");

impl Rule {
    /// The kind of reason it gives.
    pub fn trigger(&self) -> Trigger {
        self.usual.when.trigger()
    }

    /// Hard rules decide at once on one fact; tunable ones weigh.
    pub fn layer(&self) -> Layer {
        self.usual.when.layer()
    }

    /// How it judges while the caller's latest intent is this one: the exact name goes before the longest beginning.
    pub(crate) fn judgement(&self, intent: Option<&str>) -> Option<&Judgement> {
        let named = self.by_intent.iter().filter(|(name, _)| intent.is_some_and(|intent| name.fits(intent)));
        let closest = named.max_by_key(|(name, _)| (!name.0.ends_with('*'), name.0.len()));
        closest.map_or(Some(&self.usual), |(_, judgement)| judgement.as_ref())
    }
}

impl Name {
    pub(crate) fn fits(&self, name: &str) -> bool {
        self.0.strip_suffix('*').map_or(self.0 == name, |beginning| name.starts_with(beginning))
    }
}

impl When {
    pub(crate) fn trigger(&self) -> Trigger {
        match self {
            Self::Asked { .. } => Trigger::Asked,
            Self::Key { .. } => Trigger::Dtmf,
            Self::Category(category, _) => category.trigger(),
            Self::BotDown => Trigger::BotDown,
            Self::BotEscalates => Trigger::Bot,
            Self::Distress(_) => Trigger::Distress,
            Self::LowConfidence { .. } => Trigger::LowConfidence,
            Self::FailedAttempts(_) => Trigger::FailedAttempts,
            Self::Frustration { .. } => Trigger::Frustration,
            Self::SameQuestion { .. } => Trigger::SameQuestion,
            Self::Loop { .. } => Trigger::Loop,
            Self::Hedging { .. } => Trigger::Hedging,
            Self::Unclear { .. } => Trigger::Unclear,
            Self::Verification { .. } => Trigger::Verification,
            Self::SystemError { .. } => Trigger::SystemError,
            Self::HighValue { .. } => Trigger::HighValue,
            Self::Vip { .. } => Trigger::Vip,
            Self::Silence(_) => Trigger::Silence,
            Self::Monologue(_) => Trigger::Monologue,
            Self::LongCall(_) => Trigger::LongCall,
        }
    }

    pub(crate) fn layer(&self) -> Layer {
        match self {
            Self::Asked { .. } | Self::Key { .. } | Self::Category(..) | Self::BotDown => Layer::Hard,
            _ => Layer::Tunable,
        }
    }

    /// How long what a rule over time looks at must last.
    pub(crate) fn stretch(&self) -> Option<Duration> {
        match self {
            Self::Silence(lasting) | Self::Monologue(lasting) | Self::LongCall(lasting) => Some(*lasting),
            _ => None,
        }
    }

    /// How long evidence counts that is counted.
    pub(crate) fn within(&self) -> Option<Duration> {
        match self {
            Self::LowConfidence { within, .. } => Some(*within),
            Self::FailedAttempts(often)
            | Self::Frustration { often, .. }
            | Self::SameQuestion { often, .. }
            | Self::Loop { often, .. }
            | Self::Hedging { often, .. }
            | Self::Unclear { often, .. }
            | Self::Verification { often, .. }
            | Self::SystemError { often, .. } => Some(often.within),
            _ => None,
        }
    }
}
