//! The table "states and events" of the design: how often a run has been through each of its cells, and why the others
//! cannot be reached.

use crate::witness::{Did, Witness};
use call_model::{CallId, FactKind, HandoffOutcome, Party, Role, TraceEvent, TraceKind, TransferState};
use std::collections::BTreeMap;

/// The rows: those of the design, then some of our own.
pub const EVENTS: [&str; 24] = [
    "trigger fires",
    "target 1xx",
    "target 200",
    "human accepts",
    "target fails",
    "accept timer",
    "human BYE",
    "caller BYE",
    "caller RTP silent",
    "bot dies",
    "voice model dies",
    "desk page down",
    "REFER refused",
    "NOTIFY >=300",
    "no NOTIFY",
    "NOTIFY 200",
    "re-INVITE 488/491",
    "gateway drains",
    "gateway crashes",
    "re-INVITE",
    "page declines",
    "REFER received",
    "hand-back",
    "take-over",
];

/// The columns. Nobody has the caller in any other state for longer than a prompt, and after the end nothing comes.
pub const STATES: [TransferState; 5] = [
    TransferState::WithBot,
    TransferState::Consulting,
    TransferState::Accepting,
    TransferState::Joined,
    TransferState::Releasing,
];

/// Hits per cell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cells(BTreeMap<(usize, TransferState), u64>);

/// One cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cell {
    /// The row.
    pub event: &'static str,
    /// The column.
    pub state: TransferState,
    /// How often.
    pub hits: u64,
    /// Why it cannot be reached, if so.
    pub unreachable: Option<&'static str>,
}

impl Default for Cells {
    fn default() -> Self {
        let all = (0..EVENTS.len()).flat_map(|event| STATES.into_iter().map(move |state| ((event, state), 0)));
        Self(all.collect())
    }
}

impl Cells {
    /// Adds what the trace of a run shows, and what was done around it.
    pub fn add(&mut self, trace: &[TraceEvent], witness: &Witness) {
        let mut states: BTreeMap<CallId, TransferState> = BTreeMap::new();
        let mut around = witness.did.iter().peekable();
        for event in trace {
            while let Some((_, did)) = around.next_if(|(at, _)| *at <= event.at) {
                self.happened(did, &states);
            }
            let Some(call) = event.call else { continue };
            match event.kind {
                TraceKind::Began { .. } => _ = states.insert(call, TransferState::WithBot),
                TraceKind::Ended { .. } => _ = states.remove(&call),
                _ => {}
            }
            if let (Some(name), Some(state)) = (row(&event.kind), states.get(&call)) {
                self.hit(name, *state);
            }
            if let TraceKind::State { to, .. } = event.kind {
                states.insert(call, to);
            }
        }
    }

    /// What happens to every call that is up.
    fn happened(&mut self, did: &Did, states: &BTreeMap<CallId, TransferState>) {
        let name = match did {
            Did::ModelGone => "voice model dies",
            Did::PageGone => "desk page down",
            Did::Drained => "gateway drains",
            Did::HandedBack => "hand-back",
            _ => return,
        };
        states.values().for_each(|state| self.hit(name, *state));
    }

    fn hit(&mut self, name: &str, state: TransferState) {
        let row = EVENTS.iter().position(|event| *event == name);
        if let Some(hits) = row.and_then(|row| self.0.get_mut(&(row, state))) {
            *hits += 1;
        }
    }

    /// Adds another count.
    pub fn merge(&mut self, other: &Self) {
        for (cell, hits) in &other.0 {
            *self.0.entry(*cell).or_default() += hits;
        }
    }

    /// Every cell, row by row.
    pub fn all(&self) -> impl Iterator<Item = Cell> + '_ {
        self.0.iter().map(|((event, state), hits)| {
            let event = EVENTS[*event];
            Cell { event, state: *state, hits: *hits, unreachable: unreachable(event, *state) }
        })
    }
}

/// Why an event cannot come in a state; nothing when it can.
fn unreachable(event: &str, state: TransferState) -> Option<&'static str> {
    use TransferState::{Accepting, Consulting, Joined, Releasing, WithBot};
    let (there, why): (&[TransferState], _) = match event {
        "target 1xx" | "target 200" => (&[Consulting], "a desk rings only while one is being fetched"),
        "human accepts" => (&[Consulting, Accepting], "there is no pop and no call to accept"),
        "target fails" => (&[Consulting, Accepting], "a desk rings only while one is being fetched"),
        "accept timer" => (&[Accepting], "runs from the desk's answer to the accept"),
        "human BYE" => (&[Accepting, Joined, Releasing], "no human is on the line"),
        "bot dies" => (&[WithBot, Consulting, Accepting, Joined], "a bot that stays on keeps us in the path"),
        "REFER refused" | "NOTIFY >=300" | "no NOTIFY" | "NOTIFY 200" => {
            (&[Consulting, Releasing], "no REFER is out; while consulting, one without Replaces may be")
        }
        "re-INVITE 488/491" => (&[], "ours refresh a session, and no storm lasts that long"),
        "gateway crashes" => (&[], "the simulator has no processes"),
        "page declines" => (&[Consulting, Accepting], "the pop offers no choice any more"),
        "take-over" => (&[Consulting, Accepting, Joined, Releasing], "there is no desk's call to take over"),
        _ => return None,
    };
    (!there.contains(&state)).then_some(why)
}

fn row(kind: &TraceKind) -> Option<&'static str> {
    Some(match kind {
        TraceKind::Decided(_) => "trigger fires",
        TraceKind::Sip { role: Some(role), sent: false, what, again: false, .. } => return sip_row(*role, what),
        TraceKind::Sip { role: Some(Role::Desk), sent: true, what, again: false, .. } if what == "CANCEL" => {
            "target fails"
        }
        TraceKind::Note { about: Party::Desk, text } if text == "pressed 1" => "human accepts",
        TraceKind::Note { about: Party::Desk, text } if text.starts_with("pressed *") => "hand-back",
        TraceKind::Note { about: Party::Caller, text } if text.starts_with("no audio") => "caller RTP silent",
        TraceKind::Note { text, .. } if text.starts_with("INVITE with Replaces refused") => "take-over",
        TraceKind::Note { text, .. } if text == "another telephone has taken over" => "take-over",
        TraceKind::Pop { what: "accepted", .. } => "human accepts",
        TraceKind::Pop { what: "declined", .. } => "page declines",
        TraceKind::LegEnded { role: Role::Bot, cause, .. } if cause.by == Party::Bot => "bot dies",
        TraceKind::Fact(fact) if matches!(fact.kind, FactKind::BotDown { .. }) => "bot dies",
        TraceKind::Release { what, .. } if what == "REFER refused" => "REFER refused",
        TraceKind::Release { what, status: Some(300..) } if what == "NOTIFY" => "NOTIFY >=300",
        TraceKind::Release { what, status: Some(200..) } if what.starts_with("NOTIFY") => "NOTIFY 200",
        TraceKind::Release { what, .. } if what.contains("silence") || what == "no outcome" => "no NOTIFY",
        TraceKind::HandoffEnded { outcome: HandoffOutcome::NotAccepted, .. } => "accept timer",
        _ => return None,
    })
}

fn sip_row(role: Role, what: &str) -> Option<&'static str> {
    let initial = !what.ends_with(')');
    Some(match (role, what) {
        (Role::Caller, "BYE" | "CANCEL") => "caller BYE",
        (Role::Desk, "BYE") => "human BYE",
        (_, "REFER") => "REFER received",
        (_, "INVITE (hold)") => "re-INVITE",
        (Role::Desk, what) if initial && what.starts_with("18") => "target 1xx",
        (Role::Desk, what) if initial && what.starts_with("200") => "target 200",
        (Role::Desk, what) if initial && what.as_bytes().first().is_some_and(|c| (b'3'..=b'6').contains(c)) => {
            "target fails"
        }
        _ => return None,
    })
}
