//! Which cells of the table "states and events" a run has been through.

use call_model::{CallId, Party, Role, TraceEvent, TraceKind, TransferState};
use std::collections::BTreeMap;

/// The rows of the table.
pub const EVENTS: [&str; 20] = [
    "trigger fires",
    "target 1xx",
    "target 200",
    "human accepts",
    "target 3xx-6xx",
    "target silent",
    "accept timer",
    "human BYE",
    "caller BYE",
    "caller CANCEL",
    "caller RTP silent",
    "bot dies",
    "bot BYE",
    "page declines",
    "REFER refused",
    "NOTIFY >=300",
    "no NOTIFY",
    "NOTIFY 200",
    "re-INVITE",
    "REFER received",
];

/// The columns.
pub const STATES: [TransferState; 7] = [
    TransferState::WithBot,
    TransferState::Consulting,
    TransferState::Accepting,
    TransferState::Joined,
    TransferState::Releasing,
    TransferState::Released,
    TransferState::Recovering,
];

/// Hits per cell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cells(BTreeMap<(usize, TransferState), u64>);

impl Default for Cells {
    fn default() -> Self {
        let all = (0..EVENTS.len()).flat_map(|event| STATES.into_iter().map(move |state| ((event, state), 0)));
        Self(all.collect())
    }
}

impl Cells {
    /// Adds what the trace of a run shows.
    pub fn add(&mut self, trace: &[TraceEvent]) {
        let mut states: BTreeMap<CallId, TransferState> = BTreeMap::new();
        for event in trace {
            let Some(call) = event.call else { continue };
            let state = *states.get(&call).unwrap_or(&TransferState::WithBot);
            if let Some(row) = row(&event.kind).and_then(|name| EVENTS.iter().position(|event| *event == name)) {
                *self.0.entry((row, state)).or_default() += 1;
            }
            if let TraceKind::State { to, .. } = event.kind {
                states.insert(call, to);
            }
        }
    }

    /// Adds another count.
    pub fn merge(&mut self, other: &Self) {
        for (cell, hits) in &other.0 {
            *self.0.entry(*cell).or_default() += hits;
        }
    }

    /// Every cell: event, state, hits; none where the cell cannot be reached.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, TransferState, Option<u64>)> + '_ {
        self.0.iter().map(|((event, state), hits)| {
            let event = EVENTS[*event];
            (event, *state, (*hits > 0 || is_reachable(event, *state)).then_some(*hits))
        })
    }
}

/// Whether an event can come in a state at all.
fn is_reachable(event: &str, state: TransferState) -> bool {
    use TransferState::{Accepting, Consulting, Joined, Recovering, Released, Releasing, WithBot};
    match event {
        "trigger fires" => !matches!(state, Released | Joined | Releasing),
        "target 1xx" | "target 200" | "target 3xx-6xx" | "target silent" => state == Consulting,
        "human accepts" | "accept timer" => state == Accepting,
        "page declines" => matches!(state, Consulting | Accepting),
        "human BYE" => matches!(state, Accepting | Joined | Releasing | Released),
        "caller CANCEL" => matches!(state, WithBot),
        "caller BYE" => true,
        "caller RTP silent" | "re-INVITE" | "REFER received" => !matches!(state, Released),
        "bot dies" | "bot BYE" => matches!(state, WithBot | Consulting | Accepting),
        "REFER refused" | "NOTIFY >=300" | "no NOTIFY" | "NOTIFY 200" => state == Releasing,
        _ => matches!(state, Recovering),
    }
}

fn row(kind: &TraceKind) -> Option<&'static str> {
    Some(match kind {
        TraceKind::Decided(_) => "trigger fires",
        TraceKind::Sip { role: Some(role), sent: false, what, again: false, .. } => return sip_row(*role, what),
        TraceKind::Sip { role: Some(Role::Desk), sent: true, what, again: false, .. } if what == "CANCEL" => {
            "target silent"
        }
        TraceKind::Note { about: Party::Desk, text } if text == "pressed 1" => "human accepts",
        TraceKind::Note { about: Party::Caller, text } if text.starts_with("no audio") => "caller RTP silent",
        TraceKind::Pop { what: "accepted", .. } => "human accepts",
        TraceKind::Pop { what: "declined", .. } => "page declines",
        TraceKind::Fact(fact) if matches!(fact.kind, call_model::FactKind::BotDown { .. }) => "bot dies",
        TraceKind::Release { what, .. } if what == "REFER refused" => "REFER refused",
        TraceKind::Release { what, status: Some(300..) } if what == "NOTIFY" => "NOTIFY >=300",
        TraceKind::Release { what, status: Some(200..) } if what.starts_with("NOTIFY") => "NOTIFY 200",
        TraceKind::Release { what, .. } if what.contains("silence") || what == "no outcome" => "no NOTIFY",
        TraceKind::HandoffEnded { outcome: call_model::HandoffOutcome::NotAccepted, .. } => "accept timer",
        _ => return None,
    })
}

fn sip_row(role: Role, what: &str) -> Option<&'static str> {
    let initial = !what.ends_with(')');
    Some(match (role, what) {
        (Role::Caller, "BYE") => "caller BYE",
        (Role::Caller, "CANCEL") => "caller CANCEL",
        (Role::Desk, "BYE") => "human BYE",
        (Role::Bot, "BYE") => "bot BYE",
        (_, "REFER") => "REFER received",
        (_, "INVITE (hold)") => "re-INVITE",
        (Role::Desk, what) if initial && what.starts_with("18") => "target 1xx",
        (Role::Desk, what) if initial && what.starts_with("200") => "target 200",
        (Role::Desk, what) if initial && what.as_bytes().first().is_some_and(|c| (b'3'..=b'6').contains(c)) => {
            "target 3xx-6xx"
        }
        _ => return None,
    })
}
