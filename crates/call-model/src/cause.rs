//! Why a call or leg ended, and whose doing it was.

use core::fmt;

/// Who is meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "the names are the definition")]
pub enum Party {
    Caller,
    Desk,
    Trunk,
    Bot,
    Recorder,
    Gateway,
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Caller => "caller",
            Self::Desk => "desk",
            Self::Trunk => "trunk",
            Self::Bot => "bot",
            Self::Recorder => "recorder",
            Self::Gateway => "gateway",
        })
    }
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum EndReason {
    /// The party hung up an established call.
    HungUp,
    /// The caller gave up before an answer (CANCEL).
    Cancelled,
    /// The party refused (4xx-6xx).
    Refused,
    /// No answer in time.
    TimedOut,
    /// The transport failed.
    Unreachable,
    /// Caller and human talk without us.
    Released,
    /// The bot said it is finished.
    Finished,
    /// Nothing configured for what was dialled.
    NoRoute,
    /// The gateway is shutting down.
    Draining,
    /// No port, no capacity.
    NoCapacity,
    /// The keys of its audio were not agreed on: the DTLS handshake failed.
    HandshakeFailed,
    /// A bug: an impossible state, recorded rather than panicked.
    Fault,
}

impl EndReason {
    /// The token used on every surface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HungUp => "hung_up",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::Released => "released",
            Self::Finished => "finished",
            Self::NoRoute => "no_route",
            Self::Draining => "draining",
            Self::NoCapacity => "no_capacity",
            Self::HandshakeFailed => "handshake_failed",
            Self::Fault => "fault",
        }
    }
}

/// Why something ended: whose doing, what, and the SIP status if there was one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndCause {
    /// Whose doing.
    pub by: Party,
    /// What happened.
    pub reason: EndReason,
    /// The SIP status that said so.
    pub sip: Option<u16>,
}

impl EndCause {
    /// A cause without a SIP status.
    pub const fn new(by: Party, reason: EndReason) -> Self {
        Self { by, reason, sip: None }
    }

    /// A cause with the SIP status that said so.
    pub const fn sip(by: Party, reason: EndReason, status: u16) -> Self {
        Self { by, reason, sip: Some(status) }
    }
}

impl fmt::Display for EndCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.by, self.reason.as_str())?;
        self.sip.map_or(Ok(()), |status| write!(f, " ({status})"))
    }
}
