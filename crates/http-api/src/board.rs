//! One desk: its current pops and its ring of events. Pure; the hub owns the lock and the wake-up.

use crate::shapes::PackageShape;
use call_model::{CallId, DeskState, HandoffId, HandoffOutcome, Instant, PopUpdate, WallAnchor};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Pops a desk may have at once; more means that something upstream forgot to retract.
const MOST_POPS: usize = 32;
/// Closed handoffs remembered, so that a late click gets a reason.
const MOST_CLOSED: usize = 256;

/// Where a pop stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum PopStatus {
    Offered,
    Acknowledged,
    Accepted,
    Declined,
    Joined,
    Released,
}

impl PopStatus {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Acknowledged => "acknowledged",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Joined => "joined",
            Self::Released => "released",
        }
    }
}

#[derive(Debug)]
struct Pop {
    call: CallId,
    status: PopStatus,
    sip_call_id: String,
    package: Arc<Value>,
    claimed_by: Option<String>,
    offered: std::time::Instant,
    joined: Option<std::time::Instant>,
    /// What the human has set.
    held: bool,
    muted: bool,
    /// `handing_back` or `passing_on`, while that is tried.
    leaving: Option<&'static str>,
}

/// A handoff that was here.
#[derive(Debug)]
struct Closed {
    handoff: HandoffId,
    call: CallId,
    why: String,
    talked: bool,
}

/// One event of a desk's stream.
#[derive(Clone, Debug)]
pub(crate) struct DeskEvent {
    pub(crate) seq: u64,
    pub(crate) name: &'static str,
    pub(crate) data: Arc<str>,
    /// Whose stories are in it.
    pub(crate) shows: Vec<(CallId, HandoffId)>,
}

/// What a reader gets.
#[derive(Clone, Debug)]
pub(crate) enum Read {
    /// Strictly after its position, oldest first; empty when there is nothing yet.
    Events(Vec<DeskEvent>),
    /// It has no position, or one that the ring no longer holds: everything there is now, and the position it stands for.
    Snapshot(DeskEvent),
}

/// The answer to "may this tab take it?"
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Claim {
    /// It is this tab's.
    Won,
    /// It was already this tab's.
    Mine,
    /// Another tab was first.
    Taken,
    /// It was declined on this desk, or people already talk.
    TooLate(&'static str),
    /// It is over, and why.
    Closed(String),
    /// Never seen here.
    Unknown,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Board {
    desk: String,
    ring: VecDeque<DeskEvent>,
    most: usize,
    /// The number the next event gets; the first is 1.
    next: u64,
    pops: BTreeMap<HandoffId, Pop>,
    closed: VecDeque<Closed>,
    /// What the human said of themselves, and until when that holds, as a date.
    state: (DeskState, Option<u64>),
}

impl Board {
    pub(crate) fn new(desk: String, most: usize) -> Self {
        let most = most.max(1);
        let state = (DeskState::Available, None);
        Self { desk, ring: VecDeque::new(), most, next: 1, pops: BTreeMap::new(), closed: VecDeque::new(), state }
    }

    /// The position of a reader that has seen everything.
    pub(crate) fn head(&self) -> u64 {
        self.next - 1
    }

    pub(crate) fn has(&self, handoff: HandoffId) -> bool {
        self.pops.contains_key(&handoff)
    }

    /// The package and its call, while it is this desk's.
    pub(crate) fn package(&self, handoff: HandoffId) -> Option<(CallId, Arc<Value>)> {
        self.pops.get(&handoff).map(|pop| (pop.call, Arc::clone(&pop.package)))
    }

    /// Why a handoff that was here is not any more.
    pub(crate) fn closed(&self, handoff: HandoffId) -> Option<&str> {
        self.closed.iter().rev().find(|closed| closed.handoff == handoff).map(|closed| closed.why.as_str())
    }

    /// The call of a handoff whose caller this desk has, or had.
    pub(crate) fn conversation(&self, handoff: HandoffId) -> Option<CallId> {
        let open = self.pops.get(&handoff).filter(|pop| pop.joined.is_some()).map(|pop| pop.call);
        let over = || self.closed.iter().rev().find(|closed| closed.handoff == handoff && closed.talked);
        open.or_else(|| over().map(|closed| closed.call))
    }

    pub(crate) fn handle(&mut self, update: &PopUpdate, wall: &WallAnchor) {
        match update {
            PopUpdate::Offered { sip_call_id, package, .. } => {
                self.forget_finished();
                let id = package.id;
                let pop = Pop {
                    call: package.call,
                    status: PopStatus::Offered,
                    sip_call_id: sip_call_id.clone(),
                    package: Arc::new(package_value(package, wall)),
                    claimed_by: None,
                    offered: std::time::Instant::now(),
                    joined: None,
                    held: false,
                    muted: false,
                    leaving: None,
                };
                let (data, shows) = (pop.full(id), vec![(pop.call, id)]);
                self.closed.retain(|closed| closed.handoff != id);
                self.pops.insert(id, pop);
                self.push_showing("offered", &data, shows);
            }
            PopUpdate::Amended { package, .. } => self.amend(package.id, package_value(package, wall)),
            PopUpdate::Redialled { handoff, sip_call_id, .. } => {
                if let Some(pop) = self.pops.get_mut(handoff) {
                    pop.sip_call_id.clone_from(sip_call_id);
                    let (data, shows) = (pop.full(*handoff), vec![(pop.call, *handoff)]);
                    self.push_showing("amended", &data, shows);
                }
            }
            PopUpdate::Joined { handoff, .. } => {
                self.mark(*handoff, PopStatus::Joined);
            }
            PopUpdate::HandingBack { handoff, .. } => self.leaving(*handoff, "handing_back", true, json!({})),
            PopUpdate::NotHandedBack { handoff, why, .. } => {
                self.leaving(*handoff, "not_handed_back", false, json!({"why": why}));
            }
            PopUpdate::PassingOn { handoff, .. } => self.leaving(*handoff, "passing_on", true, json!({})),
            PopUpdate::NotPassedOn { handoff, why, .. } => {
                self.leaving(*handoff, "not_passed_on", false, json!({"why": why}));
            }
            PopUpdate::Controls { handoff, held, muted, .. } => {
                if let Some(pop) = self.pops.get_mut(handoff) {
                    (pop.held, pop.muted) = (*held, *muted);
                    self.tell(*handoff, "controls", json!({"held": held, "muted": muted}));
                }
            }
            PopUpdate::State { state, until, .. } => {
                self.state = (*state, until.map(|until: Instant| wall.unix_ms(until)));
                self.push("state", &self.state_shape());
            }
            // Once released the call is over for us, not for the two who talk: the story stays until the human is done.
            PopUpdate::Retracted { handoff, .. } if self.status(*handoff) == Some(PopStatus::Released) => {}
            PopUpdate::Retracted { handoff, why, .. } => self.close(*handoff, "retracted", json!({"why": why}), why),
            PopUpdate::Ended { handoff, outcome, .. } => self.end(*handoff, *outcome),
        }
    }

    /// Moves a pop on. Says whether that was news; never goes backwards. The time is how long it took since the offer.
    pub(crate) fn mark(&mut self, handoff: HandoffId, status: PopStatus) -> Option<Duration> {
        let pop = self.pops.get_mut(&handoff)?;
        if status <= pop.status {
            return None;
        }
        pop.status = status;
        if status >= PopStatus::Joined {
            pop.joined.get_or_insert_with(std::time::Instant::now);
        }
        let took = pop.offered.elapsed();
        self.push(status.as_str(), &json!({"handoff": handoff.to_string(), "status": status.as_str()}));
        Some(took)
    }

    /// The caller's call is over although nobody retracted its pops: they must not stay on the screen.
    pub(crate) fn call_ended(&mut self, call: CallId, released: bool) {
        let ids: Vec<_> = self.pops.iter().filter(|(_, pop)| pop.call == call).map(|(id, _)| *id).collect();
        for id in ids {
            if released {
                self.mark(id, PopStatus::Released);
            } else {
                self.close(id, "retracted", json!({"why": "the call is over"}), "the call is over");
            }
        }
    }

    /// The first tab that wants to act on a pop owns it.
    pub(crate) fn claim(&mut self, handoff: HandoffId, tab: &str, accept: bool) -> Claim {
        let Some(pop) = self.pops.get_mut(&handoff) else {
            return self.closed(handoff).map_or(Claim::Unknown, |why| Claim::Closed(why.to_owned()));
        };
        match &pop.claimed_by {
            Some(owner) if owner == tab => match (pop.status, accept) {
                (PopStatus::Declined, true) => Claim::TooLate("it was declined here"),
                (PopStatus::Accepted | PopStatus::Joined | PopStatus::Released, false) => {
                    Claim::TooLate("it was accepted here")
                }
                _ => Claim::Mine,
            },
            Some(_) => Claim::Taken,
            // The key on the phone was quicker than the click: both say the same.
            None if accept && pop.status >= PopStatus::Accepted && pop.status != PopStatus::Declined => Claim::Mine,
            None if pop.status >= PopStatus::Accepted => Claim::TooLate("it was already answered"),
            None => {
                pop.claimed_by = Some(tab.to_owned());
                Claim::Won
            }
        }
    }

    /// The human is done with a caller whose end we cannot see. Says where the pop stands when it is not such a one.
    pub(crate) fn done(&mut self, handoff: HandoffId) -> Result<(), Option<PopStatus>> {
        match self.status(handoff) {
            Some(PopStatus::Released) => {
                self.close(handoff, "retracted", json!({"why": "you are done"}), "you were done");
                Ok(())
            }
            other => Err(other),
        }
    }

    fn status(&self, handoff: HandoffId) -> Option<PopStatus> {
        self.pops.get(&handoff).map(|pop| pop.status)
    }

    /// The switchboard refused what the claim was for.
    pub(crate) fn unclaim(&mut self, handoff: HandoffId) {
        if let Some(pop) = self.pops.get_mut(&handoff) {
            pop.claimed_by = None;
        }
    }

    /// What is new after `position`.
    pub(crate) fn read_after(&self, position: Option<u64>, most: usize) -> Read {
        let oldest_usable = self.ring.front().map_or(self.head(), |event| event.seq - 1);
        match position {
            Some(seq) if seq >= oldest_usable && seq <= self.head() => {
                let skip = usize::try_from(seq - oldest_usable).unwrap_or(usize::MAX);
                Read::Events(self.ring.iter().skip(skip).take(most).cloned().collect())
            }
            _ => Read::Snapshot(self.snapshot()),
        }
    }

    fn snapshot(&self) -> DeskEvent {
        let pops: Vec<_> = self.pops.iter().map(|(id, pop)| pop.full(*id)).collect();
        let mut data = self.state_shape();
        data["desk"] = self.desk.clone().into();
        data["pops"] = pops.into();
        let data = data.to_string();
        let shows = self.pops.iter().map(|(id, pop)| (pop.call, *id)).collect();
        DeskEvent { seq: self.head(), name: "snapshot", data: data.into(), shows }
    }

    fn amend(&mut self, id: HandoffId, package: Value) {
        let Some(pop) = self.pops.get_mut(&id) else { return };
        pop.package = Arc::new(package);
        let (data, shows) = (pop.full(id), vec![(pop.call, id)]);
        self.push_showing("amended", &data, shows);
    }

    fn end(&mut self, handoff: HandoffId, outcome: HandoffOutcome) {
        match outcome {
            // People talk: the card stays until the conversation is over.
            HandoffOutcome::Joined | HandoffOutcome::Unproven => {
                self.mark(handoff, PopStatus::Joined);
            }
            HandoffOutcome::Released => {
                self.mark(handoff, PopStatus::Released);
            }
            _ => {
                let why = outcome_words(outcome);
                self.close(handoff, "ended", json!({"outcome": outcome.as_str(), "why": why}), why);
            }
        }
    }

    /// News of a pop that changes nothing of it.
    fn tell(&mut self, handoff: HandoffId, name: &'static str, mut data: Value) {
        if self.has(handoff) {
            data["handoff"] = handoff.to_string().into();
            self.push(name, &data);
        }
    }

    /// The human wants to leave the caller to somebody else, or has to keep them after all.
    fn leaving(&mut self, handoff: HandoffId, name: &'static str, leaving: bool, data: Value) {
        if let Some(pop) = self.pops.get_mut(&handoff) {
            pop.leaving = leaving.then_some(name);
        }
        self.tell(handoff, name, data);
    }

    fn state_shape(&self) -> Value {
        json!({"state": self.state.0.as_str(), "until_unix_ms": self.state.1})
    }

    fn close(&mut self, handoff: HandoffId, name: &'static str, mut data: Value, why: &str) {
        let Some(pop) = self.pops.remove(&handoff) else { return };
        if self.closed.len() == MOST_CLOSED {
            self.closed.pop_front();
        }
        let (call, talked) = (pop.call, pop.joined.is_some());
        self.closed.push_back(Closed { handoff, call, why: why.to_owned(), talked });
        data["handoff"] = handoff.to_string().into();
        self.push(name, &data);
    }

    /// A new caller comes: what the human is done with goes. A released conversation never tells us its end.
    fn forget_finished(&mut self) {
        let finished: Vec<_> =
            self.pops.iter().filter(|(_, pop)| pop.status == PopStatus::Released).map(|(id, _)| *id).collect();
        for id in finished {
            self.close(id, "retracted", json!({"why": "the conversation went on without us"}), "released");
        }
        while self.pops.len() >= MOST_POPS {
            let Some(oldest) = self.pops.keys().next().copied() else { break };
            self.close(oldest, "retracted", json!({"why": "too many calls on this desk"}), "too many calls");
        }
    }

    fn push(&mut self, name: &'static str, data: &Value) {
        self.push_showing(name, data, Vec::new());
    }

    fn push_showing(&mut self, name: &'static str, data: &Value, shows: Vec<(CallId, HandoffId)>) {
        if self.ring.len() == self.most {
            self.ring.pop_front();
        }
        self.ring.push_back(DeskEvent { seq: self.next, name, data: data.to_string().into(), shows });
        self.next += 1;
    }
}

impl Pop {
    fn full(&self, id: HandoffId) -> Value {
        json!({
            "handoff": id.to_string(),
            "sip_call_id": self.sip_call_id,
            "status": self.status.as_str(),
            "held": self.held,
            "muted": self.muted,
            "leaving": self.leaving,
            "talking_ms": self.joined.map(|joined| u64::try_from(joined.elapsed().as_millis()).unwrap_or(u64::MAX)),
            "package": *self.package,
        })
    }
}

/// In words for the human.
const fn outcome_words(outcome: HandoffOutcome) -> &'static str {
    match outcome {
        HandoffOutcome::Joined => "you were connected",
        HandoffOutcome::Released => "you were connected",
        HandoffOutcome::Unproven => "you were connected, but not heard both ways",
        HandoffOutcome::NoTarget => "nobody was there to ring",
        HandoffOutcome::NoAnswer => "it rang out",
        HandoffOutcome::Busy => "the phone was busy",
        HandoffOutcome::Declined => "it was declined",
        HandoffOutcome::NotAccepted => "it was answered but not accepted in time",
        HandoffOutcome::Failed => "the phone could not be reached",
        HandoffOutcome::CallerGone => "the caller hung up",
    }
}

fn package_value(package: &call_model::HandoffPackage, wall: &WallAnchor) -> Value {
    serde_json::to_value(PackageShape::from_model(package, wall)).unwrap_or_else(|error| {
        tracing::error!(%error, "a handoff package could not be serialised");
        Value::Null
    })
}
