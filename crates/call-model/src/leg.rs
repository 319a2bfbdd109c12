//! The states of a transfer and the closed list of how a handoff may end.

use core::fmt;

/// Where the caller's call stands. The names are the same in code, traces, API and docs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TransferState {
    /// The bot has the caller.
    WithBot,
    /// The bot (or music) has the caller while a desk rings.
    Consulting,
    /// A desk answered and has yet to prove that it is a human.
    Accepting,
    /// Caller and human hear each other.
    Joined,
    /// Joined, and a REFER is out to take us from the path.
    Releasing,
    /// Caller and human talk without us.
    Released,
    /// The human, or the bot, has gone and the caller has not.
    Recovering,
}

impl fmt::Display for TransferState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// How far a handoff had come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "the names are the definition")]
pub enum HandoffStage {
    Route,
    Consult,
    Accept,
    Join,
    Release,
}

impl HandoffStage {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Route, Self::Consult, Self::Accept, Self::Join, Self::Release];
}

impl fmt::Display for HandoffStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Route => "route",
            Self::Consult => "consult",
            Self::Accept => "accept",
            Self::Join => "join",
            Self::Release => "release",
        })
    }
}

/// The one outcome each handoff ends with: the same words in API, ledger, metrics and trace.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum HandoffOutcome {
    /// Joined, and we stayed in the path by configuration or because release was refused.
    Joined,
    /// Joined, then released: we left the path.
    Released,
    /// Joined, but nobody proved by speech on both sides that they hear each other; they stay connected. Or the trunk
    /// was told to call the desk, agreed, and hung up without reporting.
    Unproven,
    /// Nobody was there to ring.
    NoTarget,
    /// Rang out.
    NoAnswer,
    /// Busy (486, 600).
    Busy,
    /// Declined by the human (603, page).
    Declined,
    /// Answered, but nobody proved to be human in time.
    NotAccepted,
    /// The desk's side failed (other 4xx-6xx, transport).
    Failed,
    /// The caller hung up before the join.
    CallerGone,
}

/// How caller and human were brought together, or last tried to be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Method {
    /// We stay in the path and swap audio.
    #[default]
    Stay,
    /// REFER of the trunk, with Replaces of the desk's dialog.
    ReferTrunk,
    /// REFER of the desk's side, with Replaces of the caller's dialog.
    ReferDesk,
    /// INVITE with Replaces from the desk's side.
    Replaced,
    /// Dialled and bridged on answer, with neither whisper nor gate.
    Cold,
    /// REFER of the trunk to the target, without consultation.
    Blind,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Stay, Self::ReferTrunk, Self::ReferDesk, Self::Replaced, Self::Cold, Self::Blind];

    /// The token used on every surface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stay => "stay",
            Self::ReferTrunk => "refer_trunk",
            Self::ReferDesk => "refer_desk",
            Self::Replaced => "replaced",
            Self::Cold => "cold",
            Self::Blind => "blind",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl HandoffOutcome {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Joined,
        Self::Released,
        Self::Unproven,
        Self::NoTarget,
        Self::NoAnswer,
        Self::Busy,
        Self::Declined,
        Self::NotAccepted,
        Self::Failed,
        Self::CallerGone,
    ];

    /// The token used on every surface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Released => "released",
            Self::Unproven => "unproven",
            Self::NoTarget => "no_target",
            Self::NoAnswer => "no_answer",
            Self::Busy => "busy",
            Self::Declined => "declined",
            Self::NotAccepted => "not_accepted",
            Self::Failed => "failed",
            Self::CallerGone => "caller_gone",
        }
    }

    /// Whether trying the same target again later may help.
    pub const fn retryable(self) -> bool {
        matches!(self, Self::NoTarget | Self::NoAnswer | Self::Busy | Self::NotAccepted | Self::Failed)
    }
}

impl fmt::Display for HandoffOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
