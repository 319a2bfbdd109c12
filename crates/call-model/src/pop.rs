//! The screen pop: the document on the human's desk and its delivery.

use crate::ids::HandoffId;
use crate::leg::HandoffOutcome;
use crate::package::HandoffPackage;
use crate::time::Instant;

/// A desk's name in the configuration.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DeskId(pub String);

impl core::fmt::Display for DeskId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a human says of themselves, and so whether they are rung.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DeskState {
    /// They take callers.
    #[default]
    Available,
    /// They do something else. Not rung.
    Busy,
    /// They are not there. Not rung.
    Away,
    /// They write down what the last caller wanted. Not rung until they are done, or the time for it is over.
    AfterCall,
}

impl DeskState {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Available, Self::Busy, Self::Away, Self::AfterCall];

    /// The token on every surface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Busy => "busy",
            Self::Away => "away",
            Self::AfterCall => "after_call",
        }
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
    /// Another human is sought for the caller, whom this one keeps meanwhile.
    PassingOn {
        /// Whose page.
        desk: DeskId,
        /// Which.
        handoff: HandoffId,
    },
    /// Nobody else took the caller: the human still has them.
    NotPassedOn {
        /// Whose page.
        desk: DeskId,
        /// Which.
        handoff: HandoffId,
        /// In words for the human.
        why: &'static str,
    },
    /// What the human has set is different now.
    Controls {
        /// Whose page.
        desk: DeskId,
        /// Which.
        handoff: HandoffId,
        /// The caller waits with music.
        held: bool,
        /// The caller does not hear the human.
        muted: bool,
    },
    /// The desk counts as this from now on.
    State {
        /// Whose page.
        desk: DeskId,
        /// As what.
        state: DeskState,
        /// Until then at most; then it is available.
        until: Option<Instant>,
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
            | Self::PassingOn { desk, .. }
            | Self::NotPassedOn { desk, .. }
            | Self::Controls { desk, .. }
            | Self::State { desk, .. }
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
    Declined {
        /// Which.
        handoff: HandoffId,
        /// Why not, for whoever is asked next; may be empty.
        reason: String,
    },
    /// The human gives the caller back to the bot.
    HandBack {
        /// Which.
        handoff: HandoffId,
        /// What the bot, and whoever comes after it, should know.
        notes: String,
    },
    /// The human passes the caller on, and keeps them until somebody else has them.
    PassOn {
        /// Which.
        handoff: HandoffId,
        /// To this desk and no other; else to whoever is best.
        desk: Option<DeskId>,
        /// What the next human should know; may be empty.
        reason: String,
    },
    /// The caller waits with music, or no longer.
    Hold {
        /// Which.
        handoff: HandoffId,
        /// Which of the two.
        on: bool,
    },
    /// The caller does not hear the human, or does again.
    Mute {
        /// Which.
        handoff: HandoffId,
        /// Which of the two.
        on: bool,
    },
    /// Keys for a machine at the caller's end.
    Keys {
        /// Which.
        handoff: HandoffId,
        /// `0-9`, `*`, `#`, `A-D`, one after the other.
        keys: String,
    },
    /// The conversation is over: the caller is hung up.
    End(HandoffId),
}

impl DeskAction {
    /// Which handoff it is about.
    pub const fn handoff(&self) -> HandoffId {
        match self {
            Self::Acknowledged(id) | Self::Accepted(id) | Self::End(id) => *id,
            Self::Declined { handoff, .. }
            | Self::HandBack { handoff, .. }
            | Self::PassOn { handoff, .. }
            | Self::Hold { handoff, .. }
            | Self::Mute { handoff, .. }
            | Self::Keys { handoff, .. } => *handoff,
        }
    }
}

/// What a human says of a conversation that is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disposition {
    /// One of those that are configured.
    pub code: String,
    /// In their words; may be empty.
    pub notes: String,
}
