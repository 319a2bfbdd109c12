//! What a call and its legs say to each other. A leg is a SIP dialog, a bot's stream or a page's audio; the call does not
//! see which messages that takes.

use crate::held::Held;
use crate::minutes::Minutes;
use crate::typing::Typing;
use crate::whisper::Whisper;
use call_model::{
    Codec, Direction, EndCause, FactKind, HandoffId, Instant, LegId, RemoteMedia, Resumed, Role, Selector,
};
use core::time::Duration;

/// From a leg to its call.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum LegEvent {
    /// A party we dialled rings.
    Ringing,
    /// A party we dialled can be heard before it answers.
    EarlyMedia {
        /// How.
        media: RemoteMedia,
    },
    /// The caller was told how it can hear before it is answered.
    Progressed {
        /// How.
        media: RemoteMedia,
    },
    /// A party we dialled has put the caller into a queue.
    Queued,
    /// The party we dialled answered, or our own answer to the caller went out (media: unless it made us offer).
    Answered {
        /// What was agreed.
        media: Option<RemoteMedia>,
    },
    /// What was agreed is different now, or known at last.
    MediaChanged {
        /// What holds.
        media: RemoteMedia,
    },
    /// The party we dialled did not take it, or our answer to the caller failed. The leg is gone.
    Refused {
        /// The status, made up for timeouts (408) and broken transports (503).
        status: u16,
    },
    /// The caller gave up before we answered. The leg is gone.
    Cancelled,
    /// An established leg is gone.
    Ended {
        /// Whether the party hung up, rather than we or a failure.
        by_remote: bool,
        /// The status that told us, unless somebody hung up.
        status: Option<u16>,
    },
    /// It answered after we had given up, and was hung up at once. The leg is gone.
    Late,
    /// Another telephone has taken the leg over (RFC 3891).
    Replaced {
        /// What was agreed with it, unless it made us offer.
        media: Option<RemoteMedia>,
        /// The desk that it belongs to, when that is another one.
        by: Option<String>,
        /// `Call-ID` of the new dialog.
        sip_call_id: String,
        /// The leg's audio was closed and opened anew.
        moved: bool,
    },
    /// It was asked whether it is still there.
    Asked {
        /// It said something, whatever it was.
        answered: bool,
        /// The question did not even get there.
        unreachable: bool,
    },
    /// The party hangs up, and this is the `Reason` it gives (RFC 3326). `Ended` follows.
    Reason(String),
    /// The recorder wants to be told again of what it records.
    MetadataWanted,
    /// Progress of our REFER on this leg.
    Refer(ReferProgress),
    /// The peer sent REFER.
    Referral(Box<Referral>),
}

/// A REFER of a peer's, for as long as its sender waits for the outcome.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ReferralId(pub(crate) u64);

/// A bot or a human's phone asks for the caller to be passed on (RFC 3515).
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Referral {
    pub(crate) id: ReferralId,
    /// To whom.
    pub(crate) target: ReferralTarget,
    /// What it says about why.
    pub(crate) reason: Option<String>,
    /// What it says about the caller.
    pub(crate) facts: Vec<FactKind>,
}

/// Who is to have the caller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ReferralTarget {
    /// The desk of that name.
    Desk(String),
    /// A desk that its sender is talking to already: in the place of that conversation.
    InPlaceOf(InPlaceOf),
    /// Whoever is best.
    Anybody,
}

/// A conversation of a desk's that we are to take over (RFC 3891).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct InPlaceOf {
    /// The desk's name in the configuration.
    pub(crate) desk: String,
    /// Where exactly.
    pub(crate) uri: String,
    /// The value of `Replaces`.
    pub(crate) replaces: String,
}

/// What the sender of a REFER is told. Accepted, it is reported to until a final status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReferralAnswer {
    /// It will be tried.
    Accept,
    /// It will not.
    Refuse(u16),
    /// This is how far it is; 200 or more: how it ended.
    Report(u16),
}

/// How our REFER fares (RFC 3515).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReferProgress {
    /// The peer will try: says nothing about the outcome.
    Accepted(u16),
    /// The peer will not. Final.
    Refused {
        /// With this status.
        status: u16,
        /// It says that Replaces is what it does not support (420).
        no_replaces: bool,
        /// `Retry-After`, in seconds.
        retry_after: Option<u32>,
    },
    /// It could not even be sent: we do not know enough about the other leg. Final.
    Unsendable,
    /// NOTIFY: the status line in it, and whether it was the last one.
    Notify {
        /// The status, if any could be read.
        status: Option<u16>,
        /// No more will come.
        last: bool,
    },
    /// NOTIFY 2xx for one before the last.
    EarlierSucceeded,
    /// Accepted, then silence. Final, unless a NOTIFY with an outcome comes all the same.
    Silence {
        /// At least some NOTIFY came.
        notified: bool,
    },
}

/// From a call to one of its legs.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum LegCommand {
    /// Call somebody. `Answered` or `Refused` follows.
    Dial(Box<Dial>),
    /// Call the recorder. `Answered` or `Refused` follows.
    Record(Box<RecordingOffer>),
    /// Tell it what has changed.
    Describe(Box<RecordingOffer>),
    /// Tell the caller that it rings.
    Ring,
    /// Let the caller hear before it is answered (183), codecs in order of preference. `Progressed` follows.
    Progress {
        /// At least one.
        codecs: Vec<Codec>,
    },
    /// Answer the caller, codecs in order of preference. `Answered` or `Refused` follows.
    Answer {
        /// At least one.
        codecs: Vec<Codec>,
    },
    /// Refuse the caller. The leg is gone.
    Refuse {
        /// 4xx-6xx.
        status: u16,
    },
    /// Should it answer although it is about to be hung up, `Answered` follows after all: somebody is to be told why.
    TakeLateAnswer,
    /// Hang up, whatever state it is in. `Ended`, `Refused` or `Late` follows.
    HangUp {
        /// The value of a `Reason` header (RFC 3326).
        reason: String,
    },
    /// Ask the leg's peer to call the party of another leg in our place (RFC 5589). `Refer` events follow.
    Refer {
        /// That other leg.
        consult: LegId,
        /// The handoff's facts, to be carried along.
        facts: Option<HandoffFacts>,
    },
    /// Ask the leg's peer to call a desk in our place, from nothing. `Refer` events follow.
    ReferTo {
        /// The desk's name in the configuration.
        desk: String,
        /// The handoff's facts, to be carried along.
        facts: Option<HandoffFacts>,
    },
    /// Do not wait for the outcome of that any longer.
    GiveUpRefer,
    /// Find out whether the peer is still there; if not, `Ended` follows.
    Probe,
    /// The same, by refreshing the session, which needs an answer from everybody.
    Refresh,
    /// Tell the peer of a key by INFO.
    Key {
        /// Which.
        digit: char,
        /// How long it is held.
        held: Duration,
    },
}

/// Whom to call, and what to say.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Dial {
    /// A bot or a desk.
    pub(crate) role: Role,
    /// Its name in the configuration.
    pub(crate) name: String,
    /// Codecs to offer, in order of preference.
    pub(crate) codecs: Vec<Codec>,
    /// For a desk that gets a handoff.
    pub(crate) consult: Option<Consult>,
    /// For a bot that gets a caller whom a human had.
    pub(crate) resumed: Option<Box<Resumed>>,
}

/// What a recorder is offered and told.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct RecordingOffer {
    /// The other stream: it has audio of its own, and shares the dialog.
    pub(crate) second: LegId,
    /// Whether there is anything to be heard on either.
    pub(crate) active: [bool; 2],
    /// Who takes part.
    pub(crate) minutes: Minutes,
}

/// What makes an INVITE a consult INVITE.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Consult {
    /// `Call-ID`, which the screen pop has named already.
    pub(crate) sip_call_id: String,
    /// The facts in its headers.
    pub(crate) facts: HandoffFacts,
    /// SDP, User-to-User and X- headers only: the rich one was refused.
    pub(crate) plain: bool,
    /// What it takes the place of.
    pub(crate) in_place_of: Option<InPlaceOf>,
    /// The one that was refused is repeated: the next request under the same `Call-ID`.
    pub(crate) again: bool,
}

/// The small facts about a handoff that SIP may carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HandoffFacts {
    /// Its public name.
    pub id: HandoffId,
    /// Why: a trigger's token, or `verify` for a test.
    pub trigger: &'static str,
    /// How upset the caller sounds, 0-100.
    pub score: u8,
}

/// How far a leg is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LegState {
    /// Chosen, and nothing sent yet.
    Planned,
    /// The caller, not answered.
    Arriving,
    /// Dialled, not answered.
    Dialling,
    /// Answered.
    Up,
    /// Hung up by us, not confirmed.
    Ending,
}

/// A leg as its call sees it.
#[derive(Clone, Debug)]
pub(crate) struct Leg {
    pub(crate) id: LegId,
    pub(crate) role: Role,
    /// The trunk's, bot's or desk's name.
    pub(crate) name: String,
    /// Audio over a WebSocket rather than RTP.
    pub(crate) stream: bool,
    /// A page's audio rather than a telephone's.
    pub(crate) browser: bool,
    pub(crate) state: LegState,
    pub(crate) codec: Option<Codec>,
    pub(crate) direction: Direction,
    /// What it hears.
    pub(crate) feed: Option<Selector>,
    /// What it hears while it has yet to take the caller.
    pub(crate) whisper: Option<Whisper>,
    /// Its RTP was seen.
    pub(crate) flowing: bool,
    /// Somebody speaks there.
    pub(crate) speaking: bool,
    /// Its RTP has stopped, as far as we know.
    pub(crate) silent: bool,
    /// When it was last asked whether it is still there.
    pub(crate) probed: Option<Instant>,
    /// And has not answered that yet.
    pub(crate) owes_answer: bool,
    /// It has answered when asked that.
    pub(crate) answers: bool,
    /// It is on hold.
    pub(crate) held: Option<Held>,
    /// Hung up because the caller went: should it answer all the same, it is told.
    pub(crate) take_late: bool,
    /// Keys that its phone system gets first.
    pub(crate) typing: Typing,
    /// Its audio was closed.
    pub(crate) closed: bool,
    /// Why we hung up.
    pub(crate) cause: Option<EndCause>,
}

impl Leg {
    pub(crate) const fn new(id: LegId, role: Role, name: String, state: LegState) -> Self {
        Self {
            id,
            role,
            name,
            stream: false,
            browser: false,
            state,
            codec: None,
            direction: Direction::SendRecv,
            feed: None,
            whisper: None,
            flowing: false,
            speaking: false,
            silent: false,
            probed: None,
            owes_answer: false,
            answers: false,
            held: None,
            take_late: false,
            typing: Typing::No,
            closed: false,
            cause: None,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.state == LegState::Up
    }

    /// Whether there is anything to hear: not on hold, and when on hold with music of its own, that music comes.
    pub(crate) fn can_be_heard(&self) -> bool {
        match self.direction {
            // A telephone may be silent; a page that is there never is.
            Direction::SendRecv => !(self.browser && self.silent),
            Direction::RecvOnly => !self.silent,
            Direction::SendOnly | Direction::Inactive => false,
        }
    }
}
