//! Live and recently ended calls, kept from trace events. Pure.

use crate::shapes::{self, CallHandoffShape, CallShape, DecisionShape, LegShape, VoiceShape};
use call_model::{
    CallId, Decision, EndCause, FactKind, HandoffId, HandoffOutcome, HandoffStage, Instant, LegId, LegStats, Method,
    Redacted, Role, TraceEvent, TraceKind, TransferState, Trigger, VoiceScore, WallAnchor,
};
use std::collections::{BTreeMap, VecDeque};

/// What is known of one call.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    began: Instant,
    session_id: String,
    trunk: String,
    from: Redacted,
    to: Redacted,
    state: TransferState,
    ended: Option<(Instant, EndCause)>,
    decision: Option<Decision>,
    handoff: Option<Handoff>,
    voice: Option<(Instant, VoiceScore)>,
    voice_windows: u64,
    legs: BTreeMap<LegId, (Role, String, LegStats)>,
}

#[derive(Clone, Debug)]
struct Handoff {
    id: HandoffId,
    desk: String,
    because: String,
    over: Option<Over>,
}

/// How a handoff ended.
#[derive(Clone, Copy, Debug)]
struct Over {
    outcome: HandoffOutcome,
    stage: HandoffStage,
    sip: Option<u16>,
    method: Method,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Book {
    calls: BTreeMap<CallId, Record>,
    ended: VecDeque<CallId>,
    most_ended: usize,
}

impl Book {
    pub(crate) fn new(most_ended: usize) -> Self {
        Self { calls: BTreeMap::new(), ended: VecDeque::new(), most_ended }
    }

    /// Calls that have not ended.
    pub(crate) fn active(&self) -> usize {
        self.calls.len() - self.ended.len()
    }

    /// When the call began.
    pub(crate) fn began(&self, call: CallId) -> Option<Instant> {
        self.calls.get(&call).map(|record| record.began)
    }

    /// The trunk that the call came by.
    pub(crate) fn trunk(&self, call: CallId) -> Option<&str> {
        self.calls.get(&call).map(|record| record.trunk.as_str())
    }

    /// Calls of a trunk that have not ended.
    pub(crate) fn active_on(&self, trunk: &str) -> usize {
        self.calls.values().filter(|record| record.trunk == trunk && record.ended.is_none()).count()
    }

    /// The kind of the last decision of the call.
    pub(crate) fn trigger(&self, call: CallId) -> Option<Trigger> {
        self.calls.get(&call)?.decision.as_ref().map(|decision| decision.trigger)
    }

    pub(crate) fn call(&self, call: CallId) -> Option<(CallId, Record)> {
        self.calls.get(&call).map(|record| (call, record.clone()))
    }

    /// Newest first.
    pub(crate) fn calls(&self, most: usize) -> Vec<(CallId, Record)> {
        let mut calls: Vec<_> = self.calls.iter().map(|(id, record)| (record.began, *id)).collect();
        calls.sort_unstable_by(|a, b| b.cmp(a));
        calls.truncate(most);
        calls.into_iter().filter_map(|(_, id)| self.call(id)).collect()
    }

    pub(crate) fn handle(&mut self, event: &TraceEvent) {
        let Some(call) = event.call else { return };
        if let TraceKind::Began { from, to, trunk, session_id } = &event.kind {
            self.calls.insert(call, Record::new(event.at, from, to, trunk, session_id));
            return;
        }
        let Some(record) = self.calls.get_mut(&call) else { return };
        match &event.kind {
            TraceKind::State { to, .. } => record.state = *to,
            TraceKind::Fact(fact) => {
                if let FactKind::Voice(score) = fact.kind {
                    record.voice = Some((event.at, score));
                    record.voice_windows += 1;
                }
            }
            TraceKind::Decided(decision) => record.decision = Some(decision.clone()),
            TraceKind::Routed { handoff, desk, because } => {
                record.handoff =
                    Some(Handoff { id: *handoff, desk: desk.0.clone(), because: because.clone(), over: None });
            }
            TraceKind::HandoffEnded { handoff, outcome, stage, sip, method, .. } => {
                let over = Over { outcome: *outcome, stage: *stage, sip: *sip, method: *method };
                record.handoff_ended(*handoff, over);
            }
            TraceKind::Quality { leg, role, name, stats, .. } => {
                record.legs.insert(*leg, (*role, name.clone(), *stats));
            }
            TraceKind::Ended { cause } => self.end(call, event.at, *cause),
            _ => {}
        }
    }

    fn end(&mut self, call: CallId, at: Instant, cause: EndCause) {
        let Some(record) = self.calls.get_mut(&call) else { return };
        if record.ended.replace((at, cause)).is_some() {
            return;
        }
        self.ended.push_back(call);
        while self.ended.len() > self.most_ended {
            if let Some(oldest) = self.ended.pop_front() {
                self.calls.remove(&oldest);
            }
        }
    }
}

impl Record {
    fn new(at: Instant, from: &Redacted, to: &Redacted, trunk: &str, session_id: &str) -> Self {
        Self {
            began: at,
            session_id: session_id.to_owned(),
            trunk: trunk.to_owned(),
            from: from.clone(),
            to: to.clone(),
            state: TransferState::WithBot,
            ended: None,
            decision: None,
            handoff: None,
            voice: None,
            voice_windows: 0,
            legs: BTreeMap::new(),
        }
    }

    fn handoff_ended(&mut self, id: HandoffId, over: Over) {
        let over = Some(over);
        match &mut self.handoff {
            Some(handoff) if handoff.id == id => handoff.over = over,
            // Nobody was there to ring: it ends without ever having been routed.
            _ => self.handoff = Some(Handoff { id, desk: String::new(), because: String::new(), over }),
        }
    }

    pub(crate) fn shape(&self, id: CallId, wall: &WallAnchor) -> CallShape {
        CallShape {
            id: id.to_string(),
            session_id: self.session_id.clone(),
            trunk: self.trunk.clone(),
            from: self.from.reveal().to_owned(),
            to: self.to.reveal().to_owned(),
            state: shapes::state(self.state),
            began_unix_ms: wall.unix_ms(self.began),
            ended_unix_ms: self.ended.map(|(at, _)| wall.unix_ms(at)),
            ended_by: self.ended.map(|(_, cause)| cause.by.to_string()),
            ended_reason: self.ended.map(|(_, cause)| cause.reason.as_str()),
            decision: self.decision.as_ref().map(|decision| DecisionShape::from_model(decision, wall)),
            handoff: self.handoff.as_ref().map(Handoff::shape),
            voice: self.voice.map(|(at, score)| VoiceShape::from_model(at, &score, wall)),
            voice_windows: self.voice_windows,
            legs: self
                .legs
                .iter()
                .map(|(leg, (role, name, stats))| LegShape::from_model(*leg, *role, name, stats))
                .collect(),
        }
    }
}

impl Handoff {
    fn shape(&self) -> CallHandoffShape {
        CallHandoffShape {
            id: self.id.to_string(),
            desk: self.desk.clone(),
            because: self.because.clone(),
            outcome: self.over.map(|over| over.outcome.as_str()),
            stage: self.over.map(|over| over.stage.to_string()),
            sip: self.over.and_then(|over| over.sip),
            method: self.over.map(|over| over.method.as_str()),
            retryable: self.over.map(|over| over.outcome.retryable()),
        }
    }
}
