//! What a human receives with a caller.

use crate::callback::CallbackNote;
use crate::fact::{Because, Speaker, Trigger, Urgency, VoiceScore};
use crate::ids::{CallId, HandoffId};
use crate::leg::HandoffOutcome;
use crate::secret::Redacted;
use crate::time::Instant;

/// Everything a human needs to carry on as if they had listened. Grows while the desk rings.
#[derive(Clone, PartialEq, Debug)]
pub struct HandoffPackage {
    /// The public name of the handoff.
    pub id: HandoffId,
    /// The call.
    pub call: CallId,
    /// Session-ID (RFC 7989): the call's name outside.
    pub session_id: String,
    /// Counts up with every amendment, from 1.
    pub version: u32,
    /// When the call began, milliseconds since 1970.
    pub call_started_unix_ms: u64,
    /// When the handoff began.
    pub started: Instant,
    /// Who is calling.
    pub caller: Redacted,
    /// The caller's display name, when the trunk gave one.
    pub caller_name: Option<Redacted>,
    /// What they dialled.
    pub called: Redacted,
    /// Why a human is needed, the kind.
    pub trigger: Trigger,
    /// The rule that decided.
    pub rule: String,
    /// The facts behind it.
    pub because: Vec<Because>,
    /// How quickly somebody should take it.
    pub urgency: Urgency,
    /// The bot's summary, or one made from what is known.
    pub summary: String,
    /// Whose it is.
    pub summary_by: SummaryBy,
    /// What the caller wants, when known.
    pub intent: Option<String>,
    /// Values heard, by name.
    pub entities: Vec<(String, String)>,
    /// What the bot tried.
    pub actions: Vec<Attempt>,
    /// What to do next.
    pub next_steps: Vec<String>,
    /// How the human may begin, when the bot said.
    pub opening: Option<String>,
    /// What the human may want to read.
    pub articles: Vec<Article>,
    /// What was said.
    pub transcript: Vec<Utterance>,
    /// How the caller sounded over time.
    pub trajectory: Vec<(Instant, VoiceScore)>,
    /// Handoffs of this call that are over, oldest first.
    pub earlier: Vec<EarlierHandoff>,
    /// Set when it is us who call.
    pub callback: Option<CallbackNote>,
}

impl HandoffPackage {
    /// How much of what a human would want is there, 0..=100.
    ///
    /// Of eight parts: caller, summary by the bot, intent, entities, actions, next steps, transcript, voice.
    pub fn completeness(&self) -> u8 {
        let parts = [
            !self.caller.reveal().is_empty(),
            !self.summary.is_empty() && self.summary_by == SummaryBy::Bot,
            self.intent.is_some(),
            !self.entities.is_empty(),
            !self.actions.is_empty(),
            !self.next_steps.is_empty(),
            !self.transcript.is_empty(),
            !self.trajectory.is_empty(),
        ];
        let there = parts.iter().filter(|part| **part).count();
        (there * 100 / parts.len()) as u8
    }
}

/// Who wrote a summary.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SummaryBy {
    /// The bot, in its own words, or whoever asked for the handoff.
    #[default]
    Bot,
    /// We put together what was observed, for want of one.
    Gateway,
}

impl SummaryBy {
    /// The token of packages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bot => "bot",
            Self::Gateway => "gateway",
        }
    }
}

/// A handoff of the same call that is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EarlierHandoff {
    /// Its public name.
    pub id: HandoffId,
    /// The desk that had the caller, or was rung last.
    pub desk: Option<String>,
    /// Its one outcome.
    pub outcome: HandoffOutcome,
    /// How it ended for the human.
    pub ended_by: HandoffEnd,
    /// What the human left for whoever comes next; may be empty.
    pub notes: String,
}

/// How a handoff ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HandoffEnd {
    /// The human gave the caller back to the bot.
    HandedBack,
    /// The human hung up, or was lost.
    HumanGone,
    /// Nobody took the caller.
    Failed,
    /// The human passed the caller on to another.
    PassedOn,
}

impl HandoffEnd {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::HandedBack, Self::HumanGone, Self::Failed, Self::PassedOn];

    /// The token in documents and toward bots.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HandedBack => "handed_back",
            Self::HumanGone => "human_gone",
            Self::Failed => "failed",
            Self::PassedOn => "passed_on",
        }
    }
}

/// Something the bot tried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// When.
    pub at: Instant,
    /// What.
    pub name: String,
    /// Whether it worked.
    pub succeeded: bool,
    /// The result in words.
    pub result: String,
}

/// Something to read: an article of a knowledge base, a rule of the house.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Article {
    /// Its title.
    pub title: String,
    /// What matters of it; may be empty.
    pub text: String,
    /// Where the whole of it is, http or https.
    pub url: Option<String>,
}

/// Something said.
#[derive(Clone, PartialEq, Debug)]
pub struct Utterance {
    /// When.
    pub at: Instant,
    /// Who.
    pub speaker: Speaker,
    /// The words.
    pub text: String,
    /// Confidence, 0..1.
    pub confidence: Option<f32>,
}
