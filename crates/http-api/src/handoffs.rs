//! Each handoff as one resource, kept from trace events: where it stands, how it ended, and what passed on the wire.
//! Pure.

use crate::shapes::{EarlyDropShape, EvidenceShape, HandoffStatusShape, state};
use call_model::{
    CallId, HandoffId, HandoffOutcome, HandoffStage, Instant, Method, Role, TraceEvent, TraceKind, TransferState,
    WallAnchor,
};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Handoffs remembered; the oldest is forgotten first.
const MOST: usize = 4096;
/// SIP messages remembered of one handoff: of a long one, the first.
const MOST_EVIDENCE: usize = 48;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Handoffs {
    stories: BTreeMap<HandoffId, Story>,
    order: VecDeque<HandoffId>,
    /// The latest handoff of each call that is up.
    current: BTreeMap<CallId, HandoffId>,
}

/// What is known of one handoff.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) call: CallId,
    began: Instant,
    desk: String,
    because: String,
    state: TransferState,
    stage: HandoffStage,
    /// While the caller waits: at which place, and how long it may take.
    line: Option<(usize, Option<Duration>)>,
    over: Option<Over>,
    early_drop: Option<(String, Duration, String)>,
    evidence: Vec<Evidence>,
}

#[derive(Clone, Debug)]
struct Over {
    at: Instant,
    outcome: HandoffOutcome,
    stage: HandoffStage,
    sip: Option<u16>,
    method: Method,
}

#[derive(Clone, Debug)]
struct Evidence {
    at: Instant,
    role: Option<Role>,
    sent: bool,
    what: String,
    sip_call_id: String,
    cseq: String,
}

impl Handoffs {
    pub(crate) fn get(&self, id: HandoffId) -> Option<&Story> {
        self.stories.get(&id)
    }

    pub(crate) fn handle(&mut self, event: &TraceEvent) {
        let Some(call) = event.call else { return };
        match &event.kind {
            TraceKind::Routed { handoff, desk, because } => {
                let story = self.story(*handoff, call, event.at);
                story.desk.clone_from(&desk.0);
                story.because.clone_from(because);
                story.stage = HandoffStage::Consult;
                self.current.insert(call, *handoff);
            }
            TraceKind::Queued { handoff, place, wait, because, .. } => {
                let story = self.story(*handoff, call, event.at);
                story.line = Some((*place, *wait));
                if !because.is_empty() {
                    story.because.clone_from(because);
                }
                self.current.insert(call, *handoff);
            }
            TraceKind::Dequeued { handoff, .. } => self.story(*handoff, call, event.at).line = None,
            TraceKind::HandoffEnded { handoff, outcome, stage, sip, method, .. } => {
                let (outcome, stage, sip, method) = (*outcome, *stage, *sip, *method);
                self.story(*handoff, call, event.at).over = Some(Over { at: event.at, outcome, stage, sip, method });
            }
            TraceKind::EarlyDrop { handoff, by, after, cause, .. } => {
                self.story(*handoff, call, event.at).early_drop = Some((by.to_string(), *after, cause.clone()));
            }
            TraceKind::State { to, .. } => {
                if let Some(story) = self.of_call(call) {
                    story.came_to(*to);
                }
            }
            TraceKind::Sip { role, sent, what, sip_call_id, cseq, again: false, .. } => {
                if let Some(story) = self.of_call(call).filter(|_| is_evidence(*role, what)) {
                    let (what, sip_call_id, cseq) = (what.clone(), sip_call_id.clone(), cseq.clone());
                    story.note(Evidence { at: event.at, role: *role, sent: *sent, what, sip_call_id, cseq });
                }
            }
            TraceKind::Ended { .. } => {
                self.current.remove(&call);
            }
            _ => {}
        }
    }

    fn of_call(&mut self, call: CallId) -> Option<&mut Story> {
        self.stories.get_mut(self.current.get(&call)?)
    }

    fn story(&mut self, id: HandoffId, call: CallId, at: Instant) -> &mut Story {
        if !self.stories.contains_key(&id) {
            if self.order.len() == MOST
                && let Some(oldest) = self.order.pop_front()
            {
                self.stories.remove(&oldest);
            }
            self.order.push_back(id);
        }
        self.stories.entry(id).or_insert_with(|| Story {
            call,
            began: at,
            desk: String::new(),
            because: String::new(),
            state: TransferState::Consulting,
            stage: HandoffStage::Route,
            line: None,
            over: None,
            early_drop: None,
            evidence: Vec::new(),
        })
    }
}

/// What the desk's telephone says and is told, and every REFER with what comes of it.
fn is_evidence(role: Option<Role>, what: &str) -> bool {
    role == Some(Role::Desk) || what.starts_with("NOTIFY") || what.contains("REFER")
}

impl Story {
    fn came_to(&mut self, to: TransferState) {
        self.state = to;
        match to {
            TransferState::Consulting => self.stage = HandoffStage::Consult,
            TransferState::Accepting => self.stage = HandoffStage::Accept,
            TransferState::Joined => self.stage = HandoffStage::Join,
            TransferState::Releasing | TransferState::Released => self.stage = HandoffStage::Release,
            TransferState::WithBot | TransferState::Recovering => {}
        }
    }

    fn note(&mut self, evidence: Evidence) {
        if self.evidence.len() < MOST_EVIDENCE {
            self.evidence.push(evidence);
        }
    }

    pub(crate) fn shape(&self, id: HandoffId, wall: &WallAnchor) -> HandoffStatusShape {
        let over = self.over.as_ref();
        HandoffStatusShape {
            handoff: id.to_string(),
            call: self.call.to_string(),
            state: if over.is_some() { "ended" } else { state(self.state) },
            stage: over.map_or(self.stage, |over| over.stage).to_string(),
            desk: (!self.desk.is_empty()).then(|| self.desk.clone()),
            because: self.because.clone(),
            place: self.line.map(|(place, _)| place),
            wait_s: self.line.and_then(|(_, wait)| wait).map(|wait| wait.as_secs()),
            began_unix_ms: wall.unix_ms(self.began),
            ended_unix_ms: over.map(|over| wall.unix_ms(over.at)),
            outcome: over.map(|over| over.outcome.as_str()),
            method: over.map(|over| over.method.as_str()),
            sip: over.and_then(|over| over.sip),
            retryable: over.map(|over| over.outcome.retryable()),
            early_drop: self.early_drop.as_ref().map(|(by, after, cause)| EarlyDropShape {
                by: by.clone(),
                after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
                cause: cause.clone(),
            }),
            evidence: self.evidence.iter().map(|evidence| evidence.shape(wall)).collect(),
        }
    }
}

impl Evidence {
    fn shape(&self, wall: &WallAnchor) -> EvidenceShape {
        EvidenceShape {
            at_unix_ms: wall.unix_ms(self.at),
            role: self.role.map(|role| role.to_string()),
            sent: self.sent,
            what: self.what.clone(),
            code: self.what.trim_start_matches("NOTIFY ").split(' ').next().and_then(|code| code.parse().ok()),
            sip_call_id: self.sip_call_id.clone(),
            cseq: self.cseq.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use call_model::{DeskId, EndCause, EndReason, Party};

    const CALL: CallId = CallId(7);
    const WALL: WallAnchor = WallAnchor { at: Instant::ZERO, unix_ms: 1_000 };

    fn id(n: u32) -> HandoffId {
        format!("{n:026}").parse().expect("an id")
    }

    fn add(handoffs: &mut Handoffs, ms: u64, kind: TraceKind) {
        handoffs.handle(&TraceEvent { at: Instant::from_millis(ms), call: Some(CALL), kind });
    }

    fn sip(role: Role, sent: bool, what: &str, cseq: &str, again: bool) -> TraceKind {
        let (what, sip_call_id, cseq) = (what.to_owned(), "c@x".to_owned(), cseq.to_owned());
        TraceKind::Sip { leg: None, role: Some(role), sent, what, sip_call_id, cseq, again }
    }

    fn routed(n: u32) -> TraceKind {
        TraceKind::Routed { handoff: id(n), desk: DeskId("anna".into()), because: "free".into() }
    }

    #[test]
    fn a_handoff_is_followed_from_the_choice_to_the_outcome() {
        let mut handoffs = Handoffs::default();
        add(&mut handoffs, 1, routed(1));
        add(&mut handoffs, 2, TraceKind::State { from: TransferState::WithBot, to: TransferState::Consulting });
        add(&mut handoffs, 3, sip(Role::Desk, true, "INVITE", "1 INVITE", false));
        add(&mut handoffs, 3, sip(Role::Desk, true, "INVITE", "1 INVITE", true));
        add(&mut handoffs, 3, sip(Role::Bot, true, "BYE", "2 BYE", false));
        let now = handoffs.get(id(1)).expect("known").shape(id(1), &WALL);
        assert_eq!((now.state, now.stage.as_str(), now.outcome, now.retryable), ("consulting", "consult", None, None));
        add(&mut handoffs, 9, sip(Role::Desk, false, "486 Busy Here", "1 INVITE", false));
        let (outcome, stage) = (HandoffOutcome::Busy, HandoffStage::Consult);
        let ended = TraceKind::HandoffEnded {
            handoff: id(1),
            outcome,
            stage,
            sip: Some(486),
            method: Method::Stay,
            corrects: false,
        };
        add(&mut handoffs, 9, ended);
        let now = handoffs.get(id(1)).expect("known").shape(id(1), &WALL);
        assert_eq!((now.state, now.outcome, now.sip, now.retryable), ("ended", Some("busy"), Some(486), Some(true)));
        assert_eq!((now.began_unix_ms, now.ended_unix_ms), (1_001, Some(1_009)));
        let wire: Vec<_> = now.evidence.iter().map(|e| (e.what.as_str(), e.cseq.as_str(), e.code)).collect();
        assert_eq!(wire, [("INVITE", "1 INVITE", None), ("486 Busy Here", "1 INVITE", Some(486))]);
    }

    #[test]
    fn refer_and_notify_are_evidence_on_every_leg_until_the_call_is_over() {
        let mut handoffs = Handoffs::default();
        add(&mut handoffs, 1, routed(1));
        add(&mut handoffs, 2, sip(Role::Caller, true, "REFER", "3 REFER", false));
        add(&mut handoffs, 3, sip(Role::Caller, false, "202 Accepted (REFER)", "3 REFER", false));
        add(&mut handoffs, 4, sip(Role::Caller, false, "NOTIFY 200", "8 NOTIFY", false));
        add(&mut handoffs, 5, TraceKind::Ended { cause: EndCause::new(Party::Gateway, EndReason::Released) });
        add(&mut handoffs, 6, sip(Role::Caller, false, "NOTIFY 200", "9 NOTIFY", false));
        let codes: Vec<_> = handoffs.get(id(1)).expect("known").shape(id(1), &WALL).evidence;
        assert_eq!(codes.iter().map(|e| e.code).collect::<Vec<_>>(), [None, Some(202), Some(200)]);
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let mut handoffs = Handoffs::default();
        (0..=MOST as u32).for_each(|n| add(&mut handoffs, u64::from(n), routed(n)));
        assert!(handoffs.get(id(0)).is_none() && handoffs.get(id(1)).is_some());
        assert_eq!(handoffs.stories.len(), MOST);
    }
}
