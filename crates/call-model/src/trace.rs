//! What happened, as data: feeds ladders, `warmline tail` and the ledger. Separate from logs.

use crate::callback::CallbackId;
use crate::cause::{EndCause, Party};
use crate::fact::{Decision, Fact, Speaker};
use crate::ids::{CallId, HandoffId, LegId, Role};
use crate::leg::{HandoffOutcome, HandoffStage, Method, TransferState};
use crate::media::{LegStats, Selector};
use crate::pop::{DeskId, Disposition};
use crate::secret::Redacted;
use crate::time::Instant;
use core::time::Duration;

/// One thing that happened.
#[derive(Clone, PartialEq, Debug)]
pub struct TraceEvent {
    /// When.
    pub at: Instant,
    /// In which call, unless it belongs to none.
    pub call: Option<CallId>,
    /// What.
    pub kind: TraceKind,
}

/// What happened.
#[derive(Clone, PartialEq, Debug)]
pub enum TraceKind {
    /// A call began.
    Began {
        /// Who calls.
        from: Redacted,
        /// What they dialled.
        to: Redacted,
        /// The trunk's name.
        trunk: String,
        /// Session-ID (RFC 7989).
        session_id: String,
    },
    /// A SIP message passed.
    Sip {
        /// The leg, when known.
        leg: Option<LegId>,
        /// The part of the peer.
        role: Option<Role>,
        /// Whether we sent it.
        sent: bool,
        /// `INVITE` or `200 OK`, with what a reader wants: `INVITE (hold)`, `NOTIFY 200`.
        what: String,
        /// `Call-ID` of the dialog.
        sip_call_id: String,
        /// `CSeq`, as written: `2 REFER`.
        cseq: String,
        /// A retransmission.
        again: bool,
    },
    /// The transfer moved on.
    State {
        /// From.
        from: TransferState,
        /// To.
        to: TransferState,
    },
    /// A leg hears something else from now on.
    Fed {
        /// The listener.
        leg: LegId,
        /// Its part.
        role: Role,
        /// The source.
        from: Selector,
        /// The source's part, if it is a leg.
        source: Option<Role>,
    },
    /// Something was observed.
    Fact(Fact),
    /// Caller or bot begins or ends to speak: heard in the audio, whatever is said.
    Speech {
        /// Who.
        speaker: Speaker,
        /// Begins.
        speaks: bool,
    },
    /// A human is needed.
    Decided(Decision),
    /// A desk was chosen.
    Routed {
        /// The handoff.
        handoff: HandoffId,
        /// Which desk.
        desk: DeskId,
        /// Why this one.
        because: String,
    },
    /// No desk is free: the caller waits in line, or stands at another place there.
    Queued {
        /// The handoff.
        handoff: HandoffId,
        /// Which place: 1 is next.
        place: usize,
        /// How many wait.
        of: usize,
        /// How long it may take; nothing where nobody knows.
        wait: Option<Duration>,
        /// Why nobody can take the caller; empty when only the place has changed.
        because: String,
    },
    /// The caller waits in line no longer.
    Dequeued {
        /// The handoff.
        handoff: HandoffId,
        /// Since a human was needed.
        waited: Duration,
        /// `offered`, `too_long`, `nobody_left`, `withdrawn`, `caller_gone`, `elsewhere`, `call_over`.
        how: &'static str,
    },
    /// The screen pop changed.
    Pop {
        /// The handoff.
        handoff: HandoffId,
        /// Whose.
        desk: DeskId,
        /// `offered`, `acknowledged`, `amended`, `accepted`, `declined`, `joined`, `retracted`, `unacknowledged`.
        what: &'static str,
    },
    /// Progress of taking ourselves out of the path.
    Release {
        /// In words: `NOTIFY 200`, `REFER refused`.
        what: String,
        /// SIP status, when there is one.
        status: Option<u16>,
    },
    /// RTP first flowed from a leg.
    Flowing {
        /// The leg.
        leg: LegId,
        /// Its part.
        role: Role,
    },
    /// Statistics of a leg.
    Quality {
        /// The leg.
        leg: LegId,
        /// Its part.
        role: Role,
        /// Its trunk, bot or desk.
        name: String,
        /// The numbers.
        stats: LegStats,
        /// The leg is over. This may come after the end of the call.
        last: bool,
    },
    /// A handoff is over, with its one outcome; told again only where that turned out to be another.
    HandoffEnded {
        /// Which.
        handoff: HandoffId,
        /// How.
        outcome: HandoffOutcome,
        /// How far it had come.
        stage: HandoffStage,
        /// The SIP status that decided, when there was one.
        sip: Option<u16>,
        /// By which method.
        method: Method,
        /// It takes the place of the one that was told before: what nobody waited for any more has come true.
        corrects: bool,
    },
    /// A call that a human had taken ended soon after; it is charged to the desk.
    EarlyDrop {
        /// The handoff.
        handoff: HandoffId,
        /// The desk that had the caller.
        desk: DeskId,
        /// Who hung up, or whose side failed.
        by: Party,
        /// How long after the join.
        after: Duration,
        /// What is known of why, in words: the `Reason` of the BYE, a SIP status, missing audio.
        cause: String,
    },
    /// Something happened to the recording of the call.
    Recording {
        /// Its name, under which it is kept.
        name: String,
        /// `began`, `paused`, `resumed`, `ended`; `incomplete`: some of it could not be written. Of an external recorder:
        /// `recorder began`, `recorder ended`, `recorder failed`; `recorder lost`: it is not tried any more in this call.
        what: &'static str,
    },
    /// Something happened to a callback: in the call in which it was asked for, or in the one that is made for it.
    Callback {
        /// Which.
        callback: CallbackId,
        /// `promised`, `refused`, `due`, `calling`, `kept`, `postponed`, `given_up`, `cancelled`, `rescheduled`.
        what: &'static str,
        /// In words: when, and why.
        text: String,
    },
    /// Something happened to a message that the caller is asked for.
    Voicemail {
        /// `asked`, `began`, `left`, `empty`.
        what: &'static str,
        /// In words; may be empty.
        text: String,
    },
    /// A human said what became of a conversation. This may come after the end of the call.
    Disposed {
        /// The handoff.
        handoff: HandoffId,
        /// Whose.
        desk: DeskId,
        /// What.
        disposition: Disposition,
    },
    /// A leg ended.
    LegEnded {
        /// The leg.
        leg: LegId,
        /// Its part.
        role: Role,
        /// Why.
        cause: EndCause,
    },
    /// The call is over.
    Ended {
        /// Why.
        cause: EndCause,
    },
    /// Something was thrown away on purpose: an unknown source, a malformed packet.
    Dropped {
        /// What and why.
        what: String,
    },
    /// Anything else worth a line.
    Note {
        /// About whom.
        about: Party,
        /// The line.
        text: String,
    },
}
