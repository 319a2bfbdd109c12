//! What an endpoint says, and the values its commands take.

use crate::flow::Flow;
use crate::offer_answer::Offer;
use crate::registration::RegistrationEvent;
use call_model::{LocalMedia, RemoteMedia};
use core::fmt;
use sip_wire::{Message, Uri};

/// One dialog of an endpoint, from the first INVITE until it is forgotten. Never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DialogId(pub u64);

/// A request received inside a dialog that waits for [`Endpoint::respond`](crate::Endpoint::respond).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

/// What a peer's REFER subscribed it to, from [`Endpoint::accept_refer`](crate::Endpoint::accept_refer) to the last
/// NOTIFY. Never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SubscriptionId(pub u64);

/// An OPTIONS sent to see whether a peer is alive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PingId(pub u64);

/// A name and address for `From` or `To`, without a tag (the endpoint makes tags).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// The display name, unquoted.
    pub display: Option<String>,
    /// The address.
    pub uri: Uri,
}

impl Address {
    /// An address without a display name.
    pub const fn new(uri: Uri) -> Self {
        Self { display: None, uri }
    }
}

/// A body part that travels beside the SDP in `multipart/mixed` (RFC 5621).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BodyPart {
    /// Its `Content-Type`.
    pub content_type: String,
    /// Its `Content-ID` without angle brackets, when a `cid:` URI points at it.
    pub content_id: Option<String>,
    /// Its `Content-Disposition`.
    pub disposition: &'static str,
    /// Its octets.
    pub bytes: Vec<u8>,
}

/// Everything an outgoing INVITE is made of.
#[derive(Clone, PartialEq, Debug)]
pub struct InviteRequest {
    /// Where to send it, and what our `Via` and `Contact` say.
    pub flow: Flow,
    /// The Request-URI, sent byte-exact.
    pub request_uri: Uri,
    /// `To`.
    pub to: Address,
    /// `From`.
    pub from: Address,
    /// `Call-ID`, when it must be known before the INVITE leaves (the screen pop names it); none: the endpoint makes
    /// one. The caller sees to it that it is unique.
    pub call_id: Option<String>,
    /// `Max-Forwards`: 70 for a new call, the caller's minus one for a leg on a caller's behalf (RFC 7332).
    pub max_forwards: u8,
    /// Further headers, in order: `Session-ID`, `P-Asserted-Identity`, `User-to-User`, `X-Call-ID` and the like.
    pub headers: Vec<(String, String)>,
    /// A part beside the SDP; with one the body is `multipart/mixed`.
    pub extra_part: Option<BodyPart>,
    /// Our audio.
    pub local: LocalMedia,
    /// Another audio stream: this is a recording session with us as its client (RFC 7866), and says so.
    pub second: Option<LocalMedia>,
    /// Send no SDP: the offer comes in the 200, our answer goes in the ACK (RFC 3261 §13.2.1).
    pub late_offer: bool,
}

/// What we offer anew within a dialog.
#[derive(Clone, PartialEq, Debug)]
pub struct Proposal {
    /// Our audio.
    pub local: LocalMedia,
    /// The other stream of a recording session; none: as it is.
    pub second: Option<LocalMedia>,
    /// A part beside the SDP.
    pub part: Option<BodyPart>,
}

impl From<LocalMedia> for Proposal {
    fn from(local: LocalMedia) -> Self {
        Self { local, second: None, part: None }
    }
}

/// Why [`Endpoint::accept`](crate::Endpoint::accept) did not answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AcceptError {
    /// The offer and our codecs have nothing in common. Nothing was sent: reject with 488.
    #[error("no common codec")]
    NoCommonCodec,
    /// The dialog is unknown, was answered already, or was cancelled meanwhile.
    #[error("not waiting for an answer")]
    NotWaiting,
}

/// What an endpoint wants done, or says.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// Send these bytes.
    Transmit {
        /// Where.
        flow: Flow,
        /// The message.
        bytes: Vec<u8>,
        /// For the trace.
        note: SentNote,
    },
    /// Something happened to a dialog.
    Event(DialogEvent),
    /// Something happened to a registration.
    Registration(RegistrationEvent),
    /// A message came in, retransmissions included. Precedes what it caused.
    Seen(SeenNote),
    /// Something was thrown away on purpose: what and why.
    Dropped(String),
}

/// A message sent, in a reader's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SentNote {
    /// The dialog, when it belongs to one.
    pub dialog: Option<DialogId>,
    /// `INVITE`, `200 OK`, with what a reader wants: `INVITE (hold)`, `200 OK (BYE)`, `NOTIFY 200`.
    pub what: String,
    /// `Call-ID`.
    pub sip_call_id: String,
    /// `CSeq`, as written: `2 REFER`.
    pub cseq: String,
    /// A retransmission.
    pub again: bool,
}

/// A message received, in a reader's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeenNote {
    /// Where it came from.
    pub flow: Flow,
    /// The dialog, when it belongs to one that existed before.
    pub dialog: Option<DialogId>,
    /// As in [`SentNote::what`].
    pub what: String,
    /// `Call-ID`.
    pub sip_call_id: String,
    /// `CSeq`, as written.
    pub cseq: String,
    /// A retransmission.
    pub again: bool,
}

/// What happened to a dialog.
///
/// Each dialog ends with exactly one of [`Failed`](Self::Failed), [`Cancelled`](Self::Cancelled),
/// [`Late`](Self::Late) and [`Ended`](Self::Ended), or with our own `reject`, which is not reported back.
/// The one exception: `Late` may follow `Failed` when an INVITE that was given up is answered after all.
#[derive(Clone, PartialEq, Debug)]
pub enum DialogEvent {
    /// An INVITE came; 100 is already sent. Waits for `ring`, `accept` or `reject`.
    Incoming {
        /// The new dialog.
        dialog: DialogId,
        /// Where from.
        flow: Flow,
        /// The INVITE itself (identity headers, `Replaces`, capabilities).
        request: Box<Message>,
        /// What the caller offers; none: the offer is ours to make in the 200.
        offer: Option<Offer>,
        /// The dialog that `Replaces` (RFC 3891) names, when the INVITE carries one and it matched.
        replaces: Option<DialogId>,
    },
    /// Our INVITE rings somewhere (101-199).
    Ringing {
        /// The dialog.
        dialog: DialogId,
        /// The provisional status.
        code: u16,
    },
    /// Whoever our INVITE rings can be heard before it answers, if we send and listen so. Another branch of a fork may
    /// say otherwise afterwards, and so may the answer.
    EarlyMedia {
        /// The dialog.
        dialog: DialogId,
        /// What this branch says.
        media: RemoteMedia,
    },
    /// Our INVITE was answered; the ACK is sent.
    Answered {
        /// The dialog.
        dialog: DialogId,
        /// What was agreed.
        media: RemoteMedia,
    },
    /// Our 200 was acknowledged.
    Confirmed {
        /// The dialog.
        dialog: DialogId,
        /// What was agreed, when the answer came in the ACK (late offer); otherwise `accept` returned it.
        media: Option<RemoteMedia>,
    },
    /// A re-INVITE or UPDATE, by either side, changed what was agreed; it is answered.
    MediaChanged {
        /// The dialog.
        dialog: DialogId,
        /// What holds now.
        media: RemoteMedia,
    },
    /// The recorder wants to be told again of what it records (RFC 7866 §8.2); its request is answered.
    MetadataWanted {
        /// The dialog.
        dialog: DialogId,
    },
    /// Our re-INVITE was refused (488, or 491 four times over); the session is as before (RFC 3261 §14.1).
    ChangeRefused {
        /// The dialog.
        dialog: DialogId,
        /// The status.
        code: u16,
    },
    /// Our INVITE failed: refused, timed out (408), transport failed (503), or answered without usable SDP (606, made here).
    Failed {
        /// The dialog.
        dialog: DialogId,
        /// The status; made here for timeouts and transport errors.
        code: u16,
        /// The reason phrase.
        reason: String,
        /// `Retry-After`, in seconds.
        retry_after: Option<u32>,
    },
    /// The caller gave up before we answered, and 487 is sent; or never acknowledged a provisional response, and 504 is.
    Cancelled {
        /// The dialog.
        dialog: DialogId,
        /// `Reason` of the CANCEL (RFC 3326), if it was one.
        reason: Option<String>,
    },
    /// An established dialog is over.
    Ended {
        /// The dialog.
        dialog: DialogId,
        /// The peer ended it.
        by_remote: bool,
        /// The `Reason` header of the BYE, if any (RFC 3326).
        reason: Option<String>,
        /// How it ended.
        because: EndedBecause,
    },
    /// A 2xx came after CANCEL or after we had given up: it was acknowledged and hung up at once.
    Late {
        /// The dialog.
        dialog: DialogId,
    },
    /// REFER came. Answer with `accept_refer`, or refuse with `respond`; it may wait, but not for ever (the peer gives
    /// up after 64*T1).
    Referred {
        /// The dialog.
        dialog: DialogId,
        /// To be answered.
        request: RequestId,
        /// The value of `Refer-To`, as received.
        refer_to: String,
        /// All of it.
        message: Box<Message>,
    },
    /// A peer no longer hears how its REFER fares: it does not want to, or cannot be told.
    Unsubscribed {
        /// The dialog, which may be over.
        dialog: DialogId,
        /// What has ended.
        subscription: SubscriptionId,
        /// The status by which it refused NOTIFY; 408 for silence or age, 503 for a transport failure, 0 when it asked for this.
        code: u16,
    },
    /// Our REFER was accepted (2xx): the peer will try. Says nothing about the outcome.
    ReferAccepted {
        /// The dialog.
        dialog: DialogId,
        /// The status.
        code: u16,
    },
    /// Our REFER was refused. Final.
    ReferRefused {
        /// The dialog.
        dialog: DialogId,
        /// The status; 408 for silence, 503 for a transport failure.
        code: u16,
        /// Option tags of `Unsupported` (420).
        unsupported: Vec<String>,
        /// `Retry-After`, in seconds.
        retry_after: Option<u32>,
    },
    /// NOTIFY came for our REFER; it is answered. May follow `Ended`, when BYE overtook it. Final when `status` is 200 or more, or `terminated`.
    ReferNotify {
        /// The dialog.
        dialog: DialogId,
        /// The status line in the `message/sipfrag`, if it could be read. Terminated without one, or with 1xx: unknown
        /// outcome, to be taken for a failure.
        status: Option<u16>,
        /// The subscription is over.
        terminated: bool,
    },
    /// NOTIFY 2xx came for a REFER of ours before the last one, which is no longer reported on otherwise.
    EarlierReferSucceeded {
        /// The dialog.
        dialog: DialogId,
    },
    /// Our REFER was accepted, then silence. Final, unless a `ReferNotify` with a final status comes after all.
    ReferTimeout {
        /// The dialog.
        dialog: DialogId,
        /// What did not come.
        stage: ReferStage,
    },
    /// INFO came and was answered 200.
    Info {
        /// The dialog.
        dialog: DialogId,
        /// Its `Content-Type`, in lower case.
        content_type: String,
        /// Its body.
        body: Vec<u8>,
    },
    /// A request sent with [`Endpoint::request`](crate::Endpoint::request) got its final response.
    RequestDone {
        /// The dialog.
        dialog: DialogId,
        /// The method.
        method: sip_wire::Method,
        /// The status; 408 for silence, 503 for a transport failure.
        code: u16,
        /// The peer said so itself.
        answered: bool,
    },
    /// An OPTIONS of ours is over.
    Pong {
        /// Which.
        ping: PingId,
        /// Any final status means alive; none: no answer within 64*T1, or the transport failed.
        code: Option<u16>,
        /// Methods of `Allow`.
        allow: Vec<String>,
        /// Option tags of `Supported`.
        supported: Vec<String>,
    },
}

/// How an established dialog ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndedBecause {
    /// BYE, by the side that `by_remote` names. Ours may have gone unanswered.
    Bye,
    /// Our 200 was never acknowledged; we sent BYE (RFC 3261 §13.3.1.4).
    NoAck,
    /// The peer no longer knows the dialog: 481 or 408 to a request of ours (RFC 3261 §12.2.1.2); the status.
    Gone(u16),
    /// The peer answered our offer with something we cannot use; we sent BYE.
    BadAnswer,
    /// Nobody refreshed the session in time (RFC 4028 §10); we sent BYE.
    Expired,
}

impl fmt::Display for EndedBecause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bye => f.write_str("bye"),
            Self::NoAck => f.write_str("no_ack"),
            Self::Gone(code) => write!(f, "gone ({code})"),
            Self::BadAnswer => f.write_str("bad_answer"),
            Self::Expired => f.write_str("expired"),
        }
    }
}

/// What did not come after REFER was accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReferStage {
    /// No NOTIFY at all within 64*T1 (RFC 6665 timer N).
    NoNotify,
    /// No NOTIFY with a final result within `refer_result_timeout`.
    NoResult,
}
