use crate::complaint::Complaint;
use crate::parse;
use crate::phrase::Phrase;
use call_model::{Layer, Trigger, Urgency};
use core::time::Duration;

/// A checked rules file: no rule in it is nonsense.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// Its name in the file: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// How quickly somebody should take the call.
    pub urgency: Urgency,
    /// How long it stays quiet after it fired.
    pub cool_down: Duration,
    /// What it looks for.
    pub when: When,
}

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
    /// Words of an emergency.
    Emergency(Said),
    /// Words that the law or the house wants a human to hear.
    Compliance(Said),
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
        /// How many in a row.
        times: usize,
        /// A low older than this no longer counts.
        within: Duration,
    },
    /// What the bot tried went wrong several times.
    FailedAttempts {
        /// How many.
        times: usize,
        /// A failure older than this no longer counts.
        within: Duration,
    },
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
        parse::rules(toml).map(|rules| Self { rules })
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
        match self.when {
            When::Asked { .. } => Trigger::Asked,
            When::Key { .. } => Trigger::Dtmf,
            When::Emergency(_) => Trigger::Emergency,
            When::Compliance(_) => Trigger::Compliance,
            When::BotDown => Trigger::BotDown,
            When::BotEscalates => Trigger::Bot,
            When::Distress(_) => Trigger::Distress,
            When::LowConfidence { .. } => Trigger::LowConfidence,
            When::FailedAttempts { .. } => Trigger::FailedAttempts,
        }
    }

    /// Hard rules decide at once on one fact; tunable ones weigh.
    pub fn layer(&self) -> Layer {
        match self.when {
            When::Asked { .. } | When::Key { .. } | When::Emergency(_) | When::Compliance(_) | When::BotDown => {
                Layer::Hard
            }
            When::BotEscalates | When::Distress(_) | When::LowConfidence { .. } | When::FailedAttempts { .. } => {
                Layer::Tunable
            }
        }
    }
}
