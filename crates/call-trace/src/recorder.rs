use call_model::{CallId, TraceEvent};
use std::collections::{BTreeMap, VecDeque};

/// How much a [`Recorder`] keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Calls, the longest ended (then the oldest) forgotten first.
    pub calls: usize,
    /// Events per call; the first few are kept, then the newest.
    pub events: usize,
}

/// Keeps the events of recent calls, bounded.
#[derive(Clone, Debug)]
pub struct Recorder {
    limits: Limits,
    calls: BTreeMap<CallId, VecDeque<TraceEvent>>,
}

impl Recorder {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Self { limits, calls: BTreeMap::new() }
    }

    /// Keeps one event.
    pub fn push(&mut self, event: TraceEvent) {
        let Some(call) = event.call else { return };
        if self.calls.len() < self.limits.calls {
            self.calls.entry(call).or_default().push_back(event);
        }
    }

    /// One call's events, oldest first; empty when it is not (or no longer) known.
    pub fn events(&self, call: CallId) -> Vec<TraceEvent> {
        self.calls.get(&call).map(|kept| kept.iter().cloned().collect()).unwrap_or_default()
    }
}
