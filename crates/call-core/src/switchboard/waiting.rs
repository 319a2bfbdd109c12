//! Who waits for a desk, across all calls: as soon as one is free, the next in line is offered there.

use super::{Switchboard, TimerName};
use crate::call::Call;
use call_model::{CallId, HandoffId, Instant};
use core::time::Duration;
use routing::Wanted;

/// A caller who waits, for the API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitingView {
    /// The handoff.
    pub handoff: HandoffId,
    /// The call.
    pub call: CallId,
    /// What is needed.
    pub wanted: Wanted,
    /// Since when a human is sought.
    pub since: Instant,
    /// When the wait ends, whatever comes.
    pub until: Option<Instant>,
    /// How long it may still take; nothing where nobody knows.
    pub expected: Option<Duration>,
    /// Desks that were rung for this caller.
    pub tried: usize,
}

impl Switchboard {
    /// Offers desks that have come free to those who wait.
    pub(super) fn serve_queue(&mut self, now: Instant) {
        let due = self.queue_due.is_some_and(|at| at <= now);
        if !self.seats.take_touched() && !due {
            return;
        }
        // Each is offered at most once: who cannot be served after all goes on waiting.
        for _ in 0..self.queue.len() {
            let next = self.seats.next_waiting(&self.queue, now);
            let Some(call) = next.and_then(|handoff| self.handoffs.get(&handoff).copied()) else { break };
            self.with_call(call, now, Call::on_desk_free);
        }
        let opens = || [self.seats.next_opening(now), self.queue.next_again(now)].into_iter().flatten().min();
        self.queue_due = if self.queue.is_empty() { None } else { opens() };
    }

    pub(super) fn next_in_queue(&self) -> Option<(Instant, TimerName)> {
        self.queue_due.map(|at| (at, TimerName::Queue))
    }

    /// Everybody who waits, the next first.
    pub fn waiting(&self, now: Instant) -> Vec<WaitingView> {
        let view = |(nth, waiting): (usize, &routing::Waiting)| {
            let call = *self.handoffs.get(&waiting.handoff)?;
            let handoff = self.calls.get(&call)?.call.handoff.as_ref()?;
            let desks = self.seats.staffed(&waiting.wanted, &[], now);
            Some(WaitingView {
                handoff: waiting.handoff,
                call,
                wanted: waiting.wanted.clone(),
                since: waiting.since,
                until: handoff.line.as_ref().map(|line| line.until),
                expected: self.queue.expected(nth + 1, desks),
                tried: handoff.tried.len(),
            })
        };
        self.queue.iter().enumerate().filter_map(view).collect()
    }

    /// How many wait; cheaper than counting [`Self::waiting`].
    pub fn waiting_count(&self) -> usize {
        self.queue.len()
    }

    /// How long a desk is taken by a conversation, on average; nothing before there are enough to say so.
    pub fn service_time(&self) -> Option<Duration> {
        self.queue.service()
    }
}
