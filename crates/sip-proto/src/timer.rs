//! Deadlines, named by purpose, in an ordered set: the next one is the first, and none is ever searched for.

use call_model::Instant;
use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

/// What a deadline is for. The RFC's letter is beside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TimerName {
    /// Send our request again (A, E; RFC 3261 §17.1).
    RetransmitRequest,
    /// Nothing was heard over TCP: send it as a datagram after all (RFC 3261 §18.1.1).
    FallBack,
    /// No final response: give up (B, F; RFC 3261 §17.1).
    GiveUp,
    /// Stay to absorb responses sent again (D, K; RFC 3261 §17.1).
    AbsorbResponses,
    /// Stay to take the 2xx of other branches, and repeats (M; RFC 6026 §8.4).
    AbsorbLateOk,
    /// Send our final INVITE response again (G; RFC 3261 §17.2.1).
    RetransmitResponse,
    /// No ACK for a 3xx-6xx: forget it (H; RFC 3261 §17.2.1).
    AwaitAck,
    /// Stay to absorb ACKs sent again (I; RFC 3261 §17.2.1).
    AbsorbAcks,
    /// Stay to absorb requests sent again (J; RFC 3261 §17.2.2).
    AbsorbRequests,
    /// Stay to absorb INVITEs sent again after a 2xx (L; RFC 6026 §8.7).
    AbsorbInvites,
    /// Nobody answered a request in time; its sender has given up (64*T1, F at the other end).
    Unanswered,
    /// Send our 2xx again (RFC 3261 §13.3.1.4).
    RetransmitOk,
    /// Our 2xx was never acknowledged: hang up (RFC 3261 §13.3.1.4).
    HangUpUnacknowledged,
    /// A cancelled INVITE got no final response: take it for cancelled (RFC 3261 §9.1).
    TakeForCancelled,
    /// Send our reliable provisional response again (RFC 3262 §3).
    RetransmitProvisional,
    /// Our reliable provisional response was never acknowledged: refuse the call (RFC 3262 §3).
    RefuseUnacknowledged,
    /// Try our re-INVITE again after glare (RFC 3261 §14.1).
    GlareBackOff,
    /// Our re-INVITE got a 1xx and nothing more: give it up.
    GiveUpChange,
    /// The session is to be refreshed (RFC 4028 §10).
    RefreshSession,
    /// Nobody has refreshed the session: hang up (RFC 4028 §10).
    SessionExpired,
    /// Try our REFER again after 491.
    ReferAgain,
    /// No NOTIFY at all for our REFER (N; RFC 6665 §4.1.2.4).
    AwaitFirstNotify,
    /// No result of our REFER.
    AwaitReferResult,
    /// A subscription to the outcome of the peer's REFER is too old (RFC 6665).
    EndSubscription,
    /// Our BYE has waited long enough for a NOTIFY to be answered.
    HangUpAfterNotify,
    /// Register again, or wait no longer for our leave to be taken.
    RegisterAgain,
    /// A telephone's registration runs out.
    BindingExpires,
    /// A finished dialog is forgotten.
    ForgetDialog,
}

impl fmt::Display for TimerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The deadlines of many owners `O`, at most one per owner and name.
#[derive(Debug)]
pub(crate) struct Timers<O> {
    queue: BTreeSet<(Instant, O, TimerName)>,
    set: BTreeMap<(O, TimerName), Instant>,
}

impl<O: Copy + Ord> Timers<O> {
    pub(crate) const fn new() -> Self {
        Self { queue: BTreeSet::new(), set: BTreeMap::new() }
    }

    /// Sets or moves a deadline.
    pub(crate) fn start(&mut self, owner: O, name: TimerName, at: Instant) {
        self.stop(owner, name);
        self.set.insert((owner, name), at);
        self.queue.insert((at, owner, name));
    }

    pub(crate) fn stop(&mut self, owner: O, name: TimerName) {
        if let Some(at) = self.set.remove(&(owner, name)) {
            self.queue.remove(&(at, owner, name));
        }
    }

    pub(crate) fn is_set(&self, owner: O, name: TimerName) -> bool {
        self.set.contains_key(&(owner, name))
    }

    /// Drops every deadline of an owner.
    pub(crate) fn stop_all(&mut self, owner: O) {
        let first = (owner, TimerName::RetransmitRequest);
        let names: Vec<_> =
            self.set.range(first..).take_while(|((o, _), _)| *o == owner).map(|((_, name), _)| *name).collect();
        for name in names {
            self.stop(owner, name);
        }
    }

    /// The next deadline that has come, removed.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(O, TimerName)> {
        let &(at, owner, name) = self.queue.first()?;
        if at > now {
            return None;
        }
        self.stop(owner, name);
        Some((owner, name))
    }

    /// The next deadline.
    pub(crate) fn next(&self) -> Option<(Instant, TimerName)> {
        self.queue.first().map(|(at, _, name)| (*at, *name))
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.set.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Instant = Instant::from_millis;

    #[test]
    fn deadlines_come_in_order_and_once() {
        let mut timers = Timers::new();
        timers.start(1, TimerName::GiveUp, AT(30));
        timers.start(2, TimerName::RetransmitRequest, AT(10));
        timers.start(2, TimerName::RetransmitRequest, AT(20));
        assert_eq!(timers.next(), Some((AT(20), TimerName::RetransmitRequest)));
        assert_eq!(timers.pop_due(AT(19)), None);
        assert_eq!(timers.pop_due(AT(99)), Some((2, TimerName::RetransmitRequest)));
        assert_eq!(timers.pop_due(AT(99)), Some((1, TimerName::GiveUp)));
        assert_eq!(timers.pop_due(AT(99)), None);
        assert_eq!(timers.len(), 0);
    }

    #[test]
    fn an_owner_that_goes_takes_all_its_deadlines_along() {
        let mut timers = Timers::new();
        for name in [TimerName::RetransmitRequest, TimerName::GiveUp, TimerName::ForgetDialog] {
            timers.start(1, name, AT(5));
        }
        timers.start(2, TimerName::ForgetDialog, AT(6));
        timers.stop_all(1);
        assert_eq!(timers.next(), Some((AT(6), TimerName::ForgetDialog)));
    }
}
