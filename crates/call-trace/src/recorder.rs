use crate::redact::redact;
use call_model::{CallId, TraceEvent, TraceKind};
use std::collections::{BTreeMap, VecDeque};

/// How much a [`Recorder`] keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Calls. The call that ended first is forgotten first; when none has ended, the one that began first.
    pub calls: usize,
    /// Events per call: the first quarter is kept, then the newest.
    pub events: usize,
}

impl Default for Limits {
    /// About 10 MB at worst.
    fn default() -> Self {
        Self { calls: 200, events: 400 }
    }
}

/// Keeps the events of recent calls, bounded and redacted.
#[derive(Clone, Debug)]
pub struct Recorder {
    limits: Limits,
    calls: BTreeMap<CallId, Kept>,
    /// In order of arrival: running calls, and ended ones.
    running: VecDeque<CallId>,
    ended: VecDeque<CallId>,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    first: Vec<TraceEvent>,
    newest: VecDeque<TraceEvent>,
    left_out: u64,
}

impl Recorder {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Self { limits, calls: BTreeMap::new(), running: VecDeque::new(), ended: VecDeque::new() }
    }

    /// Keeps one event; one that belongs to no call is not kept.
    pub fn push(&mut self, mut event: TraceEvent) {
        let Some(call) = event.call else { return };
        if self.limits.calls == 0 || self.limits.events == 0 {
            return;
        }
        if !self.calls.contains_key(&call) {
            self.make_room();
            self.running.push_back(call);
        }
        if matches!(event.kind, TraceKind::Ended { .. }) && !self.ended.contains(&call) {
            self.running.retain(|running| *running != call);
            self.ended.push_back(call);
        }
        redact(&mut event.kind);
        self.calls.entry(call).or_default().push(event, self.limits.events);
    }

    /// One call's events, oldest first; empty when it is not (or no longer) known.
    pub fn events(&self, call: CallId) -> Vec<TraceEvent> {
        let Some(kept) = self.calls.get(&call) else { return Vec::new() };
        kept.first.iter().chain(&kept.newest).cloned().collect()
    }

    /// How many events of a call were left out for want of room.
    pub fn left_out(&self, call: CallId) -> u64 {
        self.calls.get(&call).map_or(0, |kept| kept.left_out)
    }

    /// The calls that are known, ended ones first, each group in order.
    pub fn calls(&self) -> impl Iterator<Item = CallId> {
        self.ended.iter().chain(&self.running).copied()
    }

    fn make_room(&mut self) {
        while self.calls.len() >= self.limits.calls {
            let Some(oldest) = self.ended.pop_front().or_else(|| self.running.pop_front()) else { return };
            self.calls.remove(&oldest);
        }
    }
}

impl Kept {
    fn push(&mut self, event: TraceEvent, limit: usize) {
        let first = limit / 4;
        if self.first.len() < first {
            return self.first.push(event);
        }
        if self.newest.len() >= limit - first {
            self.newest.pop_front();
            self.left_out += 1;
        }
        self.newest.push_back(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use call_model::{EndCause, EndReason, Instant, Party};

    #[test]
    fn a_long_call_keeps_its_beginning_and_its_newest_events() {
        let mut recorder = Recorder::new(Limits { calls: 1, events: 8 });
        (0..20).for_each(|n| recorder.push(note(1, &n.to_string())));
        let texts: Vec<String> = recorder.events(CallId(1)).iter().map(|event| crate::describe(&event.kind)).collect();
        assert_eq!(texts.join(" ").replace("gateway: ", ""), "0 1 14 15 16 17 18 19");
        assert_eq!(recorder.left_out(CallId(1)), 12);
    }

    #[test]
    fn calls_that_ended_are_forgotten_before_calls_that_run() {
        let mut recorder = Recorder::new(Limits { calls: 2, events: 8 });
        recorder.push(note(1, "runs"));
        recorder.push(note(2, "ends"));
        recorder.push(TraceEvent {
            kind: TraceKind::Ended { cause: EndCause::new(Party::Caller, EndReason::HungUp) },
            ..note(2, "")
        });
        recorder.push(note(3, "new"));
        assert_eq!(recorder.calls().collect::<Vec<_>>(), [CallId(1), CallId(3)]);
        recorder.push(note(4, "newer"));
        assert_eq!(recorder.calls().collect::<Vec<_>>(), [CallId(3), CallId(4)]);
        assert_eq!(recorder.events(CallId(1)), []);
    }

    #[test]
    fn nothing_is_kept_unredacted_and_nothing_without_a_call() {
        let mut recorder = Recorder::new(Limits::default());
        recorder.push(note(1, "card 4111 1111 1111 1111 ok"));
        recorder.push(TraceEvent { call: None, ..note(1, "stray") });
        let texts: Vec<String> = recorder.events(CallId(1)).iter().map(|event| crate::describe(&event.kind)).collect();
        assert_eq!(texts, ["gateway: card **11 ok"]);
    }

    fn note(call: u64, text: &str) -> TraceEvent {
        let kind = TraceKind::Note { about: Party::Gateway, text: text.to_owned() };
        TraceEvent { at: Instant::ZERO, call: Some(CallId(call)), kind }
    }
}
