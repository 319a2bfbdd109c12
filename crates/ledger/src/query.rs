//! What reports and the API ask. Plain functions over a connection, so that a report on a file and a live ledger give
//! the same answers.

use crate::legs::{self, LEGS_JSON, LegRow};
use rusqlite::{Connection, Row, params};
use serde::Serialize;

/// One call, as recorded. Times are milliseconds since 1970.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the names are those of the table, where they are explained")]
pub struct CallRow {
    pub call: String,
    pub session_id: String,
    pub trunk: String,
    pub caller: String,
    pub called: String,
    pub began_ms: u64,
    pub joined_ms: Option<u64>,
    pub ended_ms: Option<u64>,
    pub ended_by: Option<String>,
    pub ended_reason: Option<String>,
    pub ended_sip: Option<u16>,
    pub voice_windows: u64,
    pub peak_distress: Option<f64>,
}

/// A decision, as recorded.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the names are those of the table, where they are explained")]
pub struct DecisionRow {
    pub at_ms: u64,
    pub rule: String,
    pub trigger: String,
    pub layer: String,
    pub urgency: String,
    pub because: Vec<BecauseRow>,
}

/// One fact behind a decision.
#[derive(Clone, PartialEq, Serialize, serde::Deserialize, Debug)]
#[allow(missing_docs, reason = "the names are the definition")]
pub struct BecauseRow {
    pub at_ms: u64,
    pub text: String,
}

/// A handoff, as recorded.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the names are those of the table, where they are explained")]
pub struct HandoffRow {
    pub handoff: String,
    pub call: String,
    pub began_ms: u64,
    pub trigger: Option<String>,
    pub desk: Option<String>,
    pub routed_because: Option<String>,
    pub acknowledged_ms: Option<u64>,
    pub accepted_ms: Option<u64>,
    pub joined_ms: Option<u64>,
    pub ended_ms: Option<u64>,
    pub outcome: Option<String>,
    pub stage: Option<String>,
    pub sip: Option<u16>,
    pub method: Option<String>,
    pub retryable: Option<bool>,
    pub dropped_by: Option<String>,
    pub dropped_after_ms: Option<u64>,
    pub dropped_cause: Option<String>,
}

/// One line of a call's story.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the names are those of the table, where they are explained")]
pub struct EventRow {
    pub at_ms: u64,
    pub kind: String,
    pub what: String,
}

/// A call with all that is recorded of it.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the names are the definition")]
pub struct CallStory {
    pub call: CallRow,
    pub decisions: Vec<DecisionRow>,
    pub handoffs: Vec<HandoffRow>,
    pub events: Vec<EventRow>,
    pub legs: Vec<LegRow>,
}

/// How many handoffs ended how, and how long callers waited.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct OutcomeRow {
    /// The outcome token, or `open` for those that have not ended.
    pub outcome: String,
    /// The kind of reason, when one was recorded.
    pub trigger: Option<String>,
    /// How many.
    pub count: u64,
    /// From the start of the handoff to the join, milliseconds, mean; of those that were joined.
    pub mean_wait_ms: Option<f64>,
}

pub(crate) const CALL_COLUMNS: &str = "call, session_id, trunk, caller, called, began_ms, joined_ms, ended_ms, ended_by, \
                            ended_reason, ended_sip, voice_windows, peak_distress";
const HANDOFF_COLUMNS: &str = "handoff, call, began_ms, trigger_kind, desk, routed_because, acknowledged_ms, \
                               accepted_ms, joined_ms, ended_ms, outcome, stage, sip, method, retryable, dropped_by, \
                               dropped_after_ms, dropped_cause";

pub(crate) fn calls(db: &Connection, limit: u32) -> rusqlite::Result<Vec<CallRow>> {
    db.prepare_cached(&format!("SELECT {CALL_COLUMNS} FROM calls ORDER BY began_ms DESC, call LIMIT ?"))?
        .query_map([limit], call_row)?
        .collect()
}

pub(crate) fn story(db: &Connection, call: &str) -> rusqlite::Result<Option<CallStory>> {
    let found: Vec<CallRow> = db
        .prepare_cached(&format!("SELECT {CALL_COLUMNS} FROM calls WHERE call = ?"))?
        .query_map([call], call_row)?
        .collect::<rusqlite::Result<_>>()?;
    let Some(row) = found.into_iter().next() else { return Ok(None) };
    let decisions = db
        .prepare_cached(
            "SELECT at_ms, rule, trigger_kind, layer, urgency, because FROM decisions WHERE call = ? ORDER BY id",
        )?
        .query_map([call], decision_row)?
        .collect::<rusqlite::Result<_>>()?;
    let handoffs = db
        .prepare_cached(&format!("SELECT {HANDOFF_COLUMNS} FROM handoffs WHERE call = ? ORDER BY began_ms, handoff"))?
        .query_map([call], handoff_row)?
        .collect::<rusqlite::Result<_>>()?;
    let events = db
        .prepare_cached("SELECT at_ms, kind, what FROM events WHERE call = ? ORDER BY id")?
        .query_map([call], |row| Ok(EventRow { at_ms: row.get(0)?, kind: row.get(1)?, what: row.get(2)? }))?
        .collect::<rusqlite::Result<_>>()?;
    let legs: String = db
        .prepare_cached(&format!("SELECT {LEGS_JSON} FROM calls WHERE call = ?"))?
        .query_row([call], |row| row.get(0))?;
    Ok(Some(CallStory { call: row, decisions, handoffs, events, legs: legs::parse(0, &legs)? }))
}

pub(crate) fn handoffs(db: &Connection, limit: u32) -> rusqlite::Result<Vec<HandoffRow>> {
    db.prepare_cached(&format!("SELECT {HANDOFF_COLUMNS} FROM handoffs ORDER BY began_ms DESC, handoff LIMIT ?"))?
        .query_map([limit], handoff_row)?
        .collect()
}

pub(crate) fn outcomes(db: &Connection, since_ms: u64, until_ms: u64) -> rusqlite::Result<Vec<OutcomeRow>> {
    db.prepare_cached(
        "SELECT coalesce(outcome, 'open'), trigger_kind, count(*), avg(joined_ms - began_ms) FROM handoffs
         WHERE began_ms >= ? AND began_ms < ? GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2",
    )?
    .query_map(params![bound(since_ms), bound(until_ms)], |row| {
        Ok(OutcomeRow { outcome: row.get(0)?, trigger: row.get(1)?, count: row.get(2)?, mean_wait_ms: row.get(3)? })
    })?
    .collect()
}

/// SQLite's integers are signed.
pub(crate) fn bound(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

pub(crate) fn call_row(row: &Row<'_>) -> rusqlite::Result<CallRow> {
    Ok(CallRow {
        call: row.get(0)?,
        session_id: row.get(1)?,
        trunk: row.get(2)?,
        caller: row.get(3)?,
        called: row.get(4)?,
        began_ms: row.get(5)?,
        joined_ms: row.get(6)?,
        ended_ms: row.get(7)?,
        ended_by: row.get(8)?,
        ended_reason: row.get(9)?,
        ended_sip: row.get(10)?,
        voice_windows: row.get(11)?,
        peak_distress: row.get(12)?,
    })
}

fn decision_row(row: &Row<'_>) -> rusqlite::Result<DecisionRow> {
    let because: String = row.get(5)?;
    let because = serde_json::from_str(&because)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(5, rusqlite::types::Type::Text, Box::new(error)))?;
    Ok(DecisionRow {
        at_ms: row.get(0)?,
        rule: row.get(1)?,
        trigger: row.get(2)?,
        layer: row.get(3)?,
        urgency: row.get(4)?,
        because,
    })
}

fn handoff_row(row: &Row<'_>) -> rusqlite::Result<HandoffRow> {
    Ok(HandoffRow {
        handoff: row.get(0)?,
        call: row.get(1)?,
        began_ms: row.get(2)?,
        trigger: row.get(3)?,
        desk: row.get(4)?,
        routed_because: row.get(5)?,
        acknowledged_ms: row.get(6)?,
        accepted_ms: row.get(7)?,
        joined_ms: row.get(8)?,
        ended_ms: row.get(9)?,
        outcome: row.get(10)?,
        stage: row.get(11)?,
        sip: row.get(12)?,
        method: row.get(13)?,
        retryable: row.get(14)?,
        dropped_by: row.get(15)?,
        dropped_after_ms: row.get(16)?,
        dropped_cause: row.get(17)?,
    })
}
