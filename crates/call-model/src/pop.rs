//! The screen pop: the document on the human's desk and its delivery.

use crate::ids::HandoffId;
use crate::leg::HandoffOutcome;
use crate::package::HandoffPackage;

/// A desk's name in the configuration.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DeskId(pub String);

impl core::fmt::Display for DeskId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

/// From a call to the desks' pages.
#[derive(Clone, PartialEq, Debug)]
pub enum PopUpdate {
    /// Show it. The consult INVITE waits a moment for the page to acknowledge.
    Offered {
        /// Whose page.
        desk: DeskId,
        /// SIP Call-ID of the desk leg, by which a phone can match the pop.
        sip_call_id: String,
        /// What to show.
        package: Box<HandoffPackage>,
    },
    /// The package grew.
    Amended {
        /// Whose page.
        desk: DeskId,
        /// What to show now.
        package: Box<HandoffPackage>,
    },
    /// The phone rings under another Call-ID from now on.
    Redialled {
        /// Whose page.
        desk: DeskId,
        /// Which.
        handoff: HandoffId,
        /// SIP Call-ID of the desk leg.
        sip_call_id: String,
    },
    /// Caller and human hear each other.
    Joined {
        /// Whose page.
        desk: DeskId,
        /// Which.
        handoff: HandoffId,
    },
    /// The human gives the caller back, and the bot is being fetched.
    HandingBack {
        /// Whose page.
        desk: DeskId,
        /// Which.
        handoff: HandoffId,
    },
    /// The bot could not be had: the human still has the caller.
    NotHandedBack {
        /// Whose page.
        desk: DeskId,
        /// Which.
        handoff: HandoffId,
        /// In words for the human.
        why: String,
    },
    /// Take it off the screen, or close it when the conversation is over.
    Retracted {
        /// Whose page.
        desk: DeskId,
        /// Which.
        handoff: HandoffId,
        /// In words for the human.
        why: &'static str,
    },
    /// The handoff is over, with its one outcome.
    Ended {
        /// Whose page.
        desk: DeskId,
        /// Which.
        handoff: HandoffId,
        /// How.
        outcome: HandoffOutcome,
    },
}

impl PopUpdate {
    /// Whose page it is for.
    pub fn desk(&self) -> &DeskId {
        match self {
            Self::Offered { desk, .. }
            | Self::Amended { desk, .. }
            | Self::Redialled { desk, .. }
            | Self::Joined { desk, .. }
            | Self::HandingBack { desk, .. }
            | Self::NotHandedBack { desk, .. }
            | Self::Retracted { desk, .. }
            | Self::Ended { desk, .. } => desk,
        }
    }
}

/// From a desk's page to the call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeskAction {
    /// The page shows the pop.
    Acknowledged(HandoffId),
    /// The human takes it; counts as the accept gate, before or after the phone is picked up.
    Accepted(HandoffId),
    /// The human does not.
    Declined(HandoffId),
    /// The human gives the caller back to the bot.
    HandBack {
        /// Which.
        handoff: HandoffId,
        /// What the bot, and whoever comes after it, should know.
        notes: String,
    },
}

impl DeskAction {
    /// Which handoff it is about.
    pub const fn handoff(&self) -> HandoffId {
        match self {
            Self::Acknowledged(id) | Self::Accepted(id) | Self::Declined(id) => *id,
            Self::HandBack { handoff, .. } => *handoff,
        }
    }
}
