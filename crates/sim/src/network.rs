//! What lies between the parties.

use crate::setup::Party;
use call_model::{IdSource, Instant};
use core::time::Duration;

/// How one kind of traffic fares. All shares are per mille.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// Shortest way.
    pub delay: Duration,
    /// Added at random up to this; more than the packet spacing reorders.
    pub jitter: Duration,
    /// Share lost.
    pub loss: u16,
    /// Share delivered twice.
    pub repeat: u16,
}

impl Link {
    /// 5 ms, nothing lost.
    pub const GOOD: Self = Self { delay: Duration::from_millis(5), jitter: Duration::ZERO, loss: 0, repeat: 0 };
}

/// A seeded network: one link for SIP over UDP, one for RTP. TCP has the delay of the SIP link and loses nothing.
#[derive(Clone, Debug)]
pub struct Network {
    /// SIP over UDP.
    pub sip: Link,
    /// RTP and RTCP.
    pub rtp: Link,
    /// Packets lost so far.
    pub lost: u64,
    /// Packets repeated so far.
    pub repeated: u64,
    dice: IdSource,
}

impl Network {
    /// A network with these links and this seed.
    pub fn new(sip: Link, rtp: Link, seed: u64) -> Self {
        Self { sip, rtp, lost: 0, repeated: 0, dice: IdSource::from_u64(seed ^ 0x6e65_7477) }
    }

    /// When a packet sent now arrives: never, once or twice.
    pub fn carry(&mut self, link: Link, now: Instant) -> [Option<Instant>; 2] {
        let lost = self.dice.below(1000) < u64::from(link.loss);
        let twice = self.dice.below(1000) < u64::from(link.repeat);
        self.lost += u64::from(lost);
        self.repeated += u64::from(!lost && twice);
        let mut arrival = || now + link.delay + Duration::from_nanos(self.dice.below(link.jitter.as_nanos() as u64));
        let (first, second) = (arrival(), arrival());
        [(!lost).then_some(first), (!lost && twice).then_some(second)]
    }
}

/// Messages that are lost on purpose.
#[derive(Debug)]
pub(crate) struct Loss {
    pub(crate) party: Party,
    pub(crate) to_gateway: bool,
    pub(crate) what: &'static str,
    pub(crate) times: u32,
}
