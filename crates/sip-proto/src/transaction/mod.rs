//! The four transaction machines (RFC 3261 §17, RFC 6026), each a table, and the layer that runs them.

pub(crate) mod invite_client;
pub(crate) mod invite_server;
pub(crate) mod key;
mod layer;
pub(crate) mod non_invite_client;
pub(crate) mod non_invite_server;

pub(crate) use layer::{ClientResult, NewClient, NewServer, Transactions};

use crate::config::EndpointConfig;
use crate::timer::TimerName;
use core::time::Duration;

/// One transaction. Never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct TxId(pub(crate) u64);

/// What can happen to a client transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ClientInput {
    /// A 1xx came.
    Provisional,
    /// A 2xx came.
    Success,
    /// A 3xx-6xx came.
    Failure,
    /// A deadline came.
    Timer(TimerName),
    /// The flow is gone.
    TransportError,
}

/// What can happen to a server transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ServerInput {
    /// The request came again.
    Request,
    /// We answer 1xx.
    Provisional,
    /// We answer 2xx.
    Success,
    /// We answer 3xx-6xx.
    Failure,
    /// The ACK of a 3xx-6xx came.
    Ack,
    /// A deadline came.
    Timer(TimerName),
}

/// What a machine wants done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// Send the message at hand.
    Send,
    /// Send the last message again.
    SendAgain,
    /// Send the ACK of a 3xx-6xx.
    Acknowledge,
    /// Hand the response to the user of the transaction.
    Report,
    /// Set a deadline; how far away is [`Timing`]'s business.
    Start(TimerName),
    /// Drop a deadline.
    Stop(TimerName),
    /// Tell the user that nothing came.
    TimedOut,
    /// Tell the user that the transport failed.
    TransportFailed,
}

/// How long the deadlines are: the one place where UDP and TCP differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Timing {
    pub(crate) t1: Duration,
    pub(crate) t2: Duration,
    pub(crate) t4: Duration,
}

impl Timing {
    pub(crate) const fn new(config: &EndpointConfig) -> Self {
        Self { t1: config.t1, t2: config.t2, t4: config.t4 }
    }

    /// 64*T1, the span of a transaction.
    pub(crate) fn span(&self) -> Duration {
        self.t1 * 64
    }

    /// The length of a deadline that does not repeat. None: the transport is reliable and needs none.
    pub(crate) fn once(&self, name: TimerName, reliable: bool) -> Option<Duration> {
        match name {
            TimerName::RetransmitRequest | TimerName::RetransmitResponse => (!reliable).then_some(self.t1),
            TimerName::AbsorbAcks => Some(if reliable { Duration::ZERO } else { self.t4 }),
            TimerName::AbsorbRequests => Some(if reliable { Duration::ZERO } else { self.span() }),
            _ => Some(self.span()),
        }
    }
}
