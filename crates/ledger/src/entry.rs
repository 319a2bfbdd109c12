//! What of a trace event is worth keeping, as a value that the writer can apply later.

use crate::facts::{self, Part};
use crate::legs;
use call_model::{
    CallId, Decision, EndCause, FactKind, HandoffId, HandoffOutcome, HandoffStage, LegId, LegStats, Method, Party,
    Role, TraceEvent, TraceKind, TransferState, Urgency, WallAnchor,
};
use rusqlite::{Connection, params};

/// One change to the database.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Entry {
    call: CallId,
    at_ms: u64,
    change: Change,
}

#[derive(Clone, PartialEq, Debug)]
enum Change {
    Began { session_id: String, trunk: String, caller: String, called: String },
    Voice { distress: f32 },
    Decided { decision: Decision, because: String },
    Routed { handoff: HandoffId, desk: String, because: String },
    Pop { handoff: HandoffId, desk: String, what: &'static str },
    State { from: TransferState, to: TransferState },
    HandoffEnded { handoff: HandoffId, outcome: HandoffOutcome, stage: HandoffStage, sip: Option<u16>, method: Method },
    EarlyDrop { handoff: HandoffId, desk: String, by: Party, after_ms: u64, cause: String },
    Leg { leg: LegId, role: Role, name: String, stats: LegStats },
    Ended(EndCause),
    Facts(Part),
    Forget,
    Rules { version: String, text: String },
    Other { kind: &'static str, what: String },
}

impl Entry {
    /// Nothing for what the ledger does not keep.
    pub(crate) fn from_trace(event: &TraceEvent, wall: &WallAnchor) -> Option<Self> {
        let change = match &event.kind {
            TraceKind::Began { from, to, trunk, session_id } => Change::Began {
                session_id: session_id.clone(),
                trunk: trunk.clone(),
                caller: from.reveal().to_owned(),
                called: to.reveal().to_owned(),
            },
            TraceKind::Fact(fact) => match &fact.kind {
                FactKind::Voice(score) => Change::Voice { distress: score.distress },
                _ => return None,
            },
            TraceKind::Decided(decision) => {
                Change::Decided { decision: decision.clone(), because: because_json(decision, wall) }
            }
            TraceKind::Routed { handoff, desk, because } => {
                Change::Routed { handoff: *handoff, desk: desk.0.clone(), because: because.clone() }
            }
            TraceKind::Queued { handoff, place, of, because, .. } => {
                Change::Other { kind: "queued", what: format!("{handoff}: place {place} of {of}: {because}") }
            }
            TraceKind::Dequeued { handoff, waited, how } => {
                Change::Other { kind: "dequeued", what: format!("{handoff}: {how} after {} s", waited.as_secs()) }
            }
            TraceKind::Pop { handoff, desk, what } => Change::Pop { handoff: *handoff, desk: desk.0.clone(), what },
            TraceKind::State { from, to } => Change::State { from: *from, to: *to },
            TraceKind::HandoffEnded { handoff, outcome, stage, sip, method, .. } => {
                let (outcome, stage, sip, method) = (*outcome, *stage, *sip, *method);
                Change::HandoffEnded { handoff: *handoff, outcome, stage, sip, method }
            }
            TraceKind::Quality { leg, role, name, stats, last: true } => {
                Change::Leg { leg: *leg, role: *role, name: name.clone(), stats: *stats }
            }
            TraceKind::Ended { cause } => Change::Ended(*cause),
            TraceKind::Release { what, .. } => Change::Other { kind: "release", what: what.clone() },
            TraceKind::Recording { name, what } => Change::Other { kind: "recording", what: format!("{what}: {name}") },
            TraceKind::Callback { callback, what, text } => {
                Change::Other { kind: "callback", what: format!("{callback}: {what}: {text}") }
            }
            TraceKind::LegEnded { role, cause, .. } => {
                Change::Other { kind: "leg_ended", what: format!("{role}: {cause}") }
            }
            TraceKind::EarlyDrop { handoff, desk, by, after, cause } => {
                let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                Change::EarlyDrop { handoff: *handoff, desk: desk.0.clone(), by: *by, after_ms, cause: cause.clone() }
            }
            TraceKind::Disposed { handoff, desk, disposition } => {
                let what = format!("{desk}, {handoff}: {}: {}", disposition.code, disposition.notes);
                Change::Other { kind: "disposition", what }
            }
            TraceKind::Note { about, text } => Change::Other { kind: "note", what: format!("{about}: {text}") },
            TraceKind::Sip { .. }
            | TraceKind::Fed { .. }
            | TraceKind::Flowing { .. }
            | TraceKind::Speech { .. }
            | TraceKind::Quality { last: false, .. }
            | TraceKind::Dropped { .. } => return None,
        };
        Some(Self { call: event.call?, at_ms: wall.unix_ms(event.at), change })
    }

    /// What the rules were told of a call.
    pub(crate) fn facts(part: Part) -> Self {
        Self { call: CallId(0), at_ms: 0, change: Change::Facts(part) }
    }

    /// Facts of calls that began before are no longer kept.
    pub(crate) fn forget(before_ms: u64) -> Self {
        Self { call: CallId(0), at_ms: before_ms, change: Change::Forget }
    }

    /// The rules of calls that begin from now on.
    pub(crate) fn rules(at_ms: u64, version: &str, text: &str) -> Self {
        let change = Change::Rules { version: version.to_owned(), text: text.to_owned() };
        Self { call: CallId(0), at_ms, change }
    }

    /// A story was shown to somebody.
    pub(crate) fn viewed(call: CallId, handoff: HandoffId, who: &str, at_ms: u64) -> Self {
        Self { call, at_ms, change: Change::Other { kind: "viewed", what: format!("{handoff}: {who}") } }
    }

    /// The call that this ends, and when.
    pub(crate) fn ends(&self) -> Option<(CallId, u64)> {
        matches!(self.change, Change::Ended(_)).then_some((self.call, self.at_ms))
    }

    /// Applies it, within the caller's transaction.
    pub(crate) fn apply(&self, db: &Connection) -> rusqlite::Result<()> {
        let (call, at) = (self.call.to_string(), self.at_ms);
        match &self.change {
            Change::Began { session_id, trunk, caller, called } => {
                db.prepare_cached(
                    "INSERT OR IGNORE INTO calls (call, session_id, trunk, caller, called, began_ms, rules)
                     VALUES (?, ?, ?, ?, ?, ?, (SELECT max(id) FROM rules))",
                )?
                .execute(params![call, session_id, trunk, caller, called, at])?;
            }
            Change::Voice { distress } => {
                db.prepare_cached(
                    "UPDATE calls SET voice_windows = voice_windows + 1,
                            peak_distress = max(coalesce(peak_distress, 0), ?2) WHERE call = ?1",
                )?
                .execute(params![call, f64::from(*distress)])?;
            }
            Change::Leg { leg, role, name, stats } => legs::insert(db, *leg, *role, name, stats)?,
            Change::Decided { decision, because } => decided(db, &call, at, decision, because)?,
            Change::Routed { handoff, desk, because } => {
                db.prepare_cached(
                    "INSERT INTO handoffs (handoff, call, began_ms, trigger_kind, desk, routed_because)
                     VALUES (?1, ?2, ?3, (SELECT trigger_kind FROM decisions WHERE call = ?2 ORDER BY id DESC LIMIT 1),
                             ?4, ?5)
                     ON CONFLICT (handoff) DO UPDATE SET desk = excluded.desk, routed_because = excluded.routed_because",
                )?
                .execute(params![handoff.to_string(), call, at, desk, because])?;
            }
            Change::Pop { handoff, desk, what } => pop(db, &call, at, &handoff.to_string(), desk, what)?,
            Change::State { from, to } => state(db, &call, at, *from, *to)?,
            Change::HandoffEnded { handoff, outcome, stage, sip, method } => {
                db.prepare_cached(
                    "INSERT INTO handoffs (handoff, call, began_ms, trigger_kind, ended_ms, outcome, stage, sip,
                             method, retryable)
                     VALUES (?1, ?2, ?3, (SELECT trigger_kind FROM decisions WHERE call = ?2 ORDER BY id DESC LIMIT 1),
                             ?3, ?4, ?5, ?6, ?7, ?8)
                     ON CONFLICT (handoff) DO UPDATE SET ended_ms = excluded.ended_ms, outcome = excluded.outcome,
                             stage = excluded.stage, sip = excluded.sip, method = excluded.method,
                             retryable = excluded.retryable",
                )?
                .execute(params![
                    handoff.to_string(),
                    call,
                    at,
                    outcome.as_str(),
                    stage.to_string(),
                    sip,
                    method.as_str(),
                    outcome.retryable()
                ])?;
            }
            Change::EarlyDrop { handoff, desk, by, after_ms, cause } => {
                db.prepare_cached(
                    "UPDATE handoffs SET dropped_by = ?2, dropped_after_ms = ?3, dropped_cause = ?4 WHERE handoff = ?1",
                )?
                .execute(params![handoff.to_string(), by.to_string(), after_ms, cause])?;
                let what = format!("{by} after {} s at {desk}: {cause}", after_ms / 1000);
                event(db, &call, at, "early_drop", &what)?;
            }
            Change::Ended(cause) => {
                db.prepare_cached(
                    "UPDATE calls SET ended_ms = ?2, ended_by = ?3, ended_reason = ?4, ended_sip = ?5
                     WHERE call = ?1 AND ended_ms IS NULL",
                )?
                .execute(params![call, at, cause.by.to_string(), cause.reason.as_str(), cause.sip])?;
            }
            Change::Facts(part) => part.apply(db)?,
            Change::Forget => facts::forget(db, at).map(|_| ())?,
            Change::Rules { version, text } => facts::rules(db, at, version, text)?,
            Change::Other { kind, what } => event(db, &call, at, kind, what)?,
        }
        Ok(())
    }
}

fn decided(db: &Connection, call: &str, at: u64, decision: &Decision, because: &str) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO decisions (call, at_ms, rule, trigger_kind, layer, urgency, because) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        call,
        at,
        decision.rule,
        decision.trigger.as_str(),
        decision.layer.to_string(),
        urgency(decision.urgency),
        because
    ])?;
    Ok(())
}

fn pop(db: &Connection, call: &str, at: u64, handoff: &str, desk: &str, what: &str) -> rusqlite::Result<()> {
    // The first acknowledgement and acceptance count.
    let column = match what {
        "acknowledged" => Some("acknowledged_ms"),
        "accepted" => Some("accepted_ms"),
        "joined" => Some("joined_ms"),
        _ => None,
    };
    if let Some(column) = column {
        db.prepare_cached(&format!("UPDATE handoffs SET {column} = coalesce({column}, ?2) WHERE handoff = ?1"))?
            .execute(params![handoff, at])?;
    }
    event(db, call, at, "pop", &format!("{what} on {desk}"))
}

fn state(db: &Connection, call: &str, at: u64, from: TransferState, to: TransferState) -> rusqlite::Result<()> {
    if to == TransferState::Joined {
        db.prepare_cached("UPDATE calls SET joined_ms = coalesce(joined_ms, ?2) WHERE call = ?1")?
            .execute(params![call, at])?;
    }
    event(db, call, at, "state", &format!("{from} -> {to}"))
}

fn event(db: &Connection, call: &str, at: u64, kind: &str, what: &str) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO events (call, at_ms, kind, what) VALUES (?, ?, ?, ?)")?
        .execute(params![call, at, kind, what])?;
    Ok(())
}

fn because_json(decision: &Decision, wall: &WallAnchor) -> String {
    let list = decision.because.iter().map(|fact| {
        let at = wall.unix_ms(fact.at);
        serde_json::json!({"at_ms": at, "text": fact.text})
    });
    serde_json::Value::Array(list.collect()).to_string()
}

const fn urgency(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Normal => "normal",
        Urgency::High => "high",
        Urgency::Emergency => "emergency",
    }
}
