//! One row per call for those who bill and count: times, the last handoff, whose doing the end was, and its legs.

use crate::query::bound;
use rusqlite::{Connection, Row, params};
use serde::Serialize;

/// A call data record. Times are milliseconds since 1970; the fields of the handoff are those of the call's last one.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the names are those of the tables, where they are explained")]
pub struct CdrRow {
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
    /// How many handoffs the call had.
    pub handoffs: u64,
    pub handoff: Option<String>,
    pub trigger: Option<String>,
    pub desk: Option<String>,
    pub outcome: Option<String>,
    pub stage: Option<String>,
    pub method: Option<String>,
    pub sip: Option<u16>,
    pub retryable: Option<bool>,
    /// The conversation ended soon after the join.
    pub early_drop: bool,
    pub dropped_by: Option<String>,
    pub dropped_after_ms: Option<u64>,
    pub dropped_cause: Option<String>,
    /// How each leg ended, in order: `desk: desk hung_up`.
    pub legs: Vec<String>,
}

/// What becomes of the handoffs of each desk.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct DeskRow {
    /// The desk.
    pub desk: String,
    /// Handoffs that it was the last to have.
    pub handoffs: u64,
    /// Of those, how many it joined.
    pub joined: u64,
    /// How many of these were never proven by audio.
    pub unproven: u64,
    /// How many of these conversations ended soon.
    pub early_drops: u64,
    /// From the start of the handoff to the join, milliseconds, mean.
    pub mean_wait_ms: Option<f64>,
}

/// Calls begun in `since_ms..until_ms`, oldest first.
pub(crate) fn cdrs(db: &Connection, since_ms: u64, until_ms: u64, limit: u32) -> rusqlite::Result<Vec<CdrRow>> {
    db.prepare_cached(
        "SELECT c.call, c.session_id, c.trunk, c.caller, c.called, c.began_ms, c.joined_ms, c.ended_ms, c.ended_by,
                c.ended_reason, c.ended_sip, (SELECT count(*) FROM handoffs WHERE call = c.call), h.handoff,
                h.trigger_kind, h.desk, h.outcome, h.stage, h.method, h.sip, h.retryable, h.dropped_by,
                h.dropped_after_ms, h.dropped_cause,
                (SELECT group_concat(what, char(10)) FROM
                    (SELECT what FROM events WHERE call = c.call AND kind = 'leg_ended' ORDER BY id))
         FROM calls c LEFT JOIN handoffs h ON h.handoff =
                (SELECT handoff FROM handoffs WHERE call = c.call ORDER BY began_ms DESC, handoff DESC LIMIT 1)
         WHERE c.began_ms >= ? AND c.began_ms < ? ORDER BY c.began_ms, c.call LIMIT ?",
    )?
    .query_map(params![bound(since_ms), bound(until_ms), limit], cdr_row)?
    .collect()
}

/// Handoffs begun in `since_ms..until_ms` by desk.
pub(crate) fn desks(db: &Connection, since_ms: u64, until_ms: u64) -> rusqlite::Result<Vec<DeskRow>> {
    db.prepare_cached(
        "SELECT desk, count(*), count(joined_ms), count(*) FILTER (WHERE outcome = 'unproven'), count(dropped_by),
                avg(joined_ms - began_ms) FROM handoffs
         WHERE desk IS NOT NULL AND began_ms >= ? AND began_ms < ? GROUP BY desk ORDER BY desk",
    )?
    .query_map(params![bound(since_ms), bound(until_ms)], |row| {
        Ok(DeskRow {
            desk: row.get(0)?,
            handoffs: row.get(1)?,
            joined: row.get(2)?,
            unproven: row.get(3)?,
            early_drops: row.get(4)?,
            mean_wait_ms: row.get(5)?,
        })
    })?
    .collect()
}

fn cdr_row(row: &Row<'_>) -> rusqlite::Result<CdrRow> {
    let dropped_by: Option<String> = row.get(20)?;
    let legs: Option<String> = row.get(23)?;
    Ok(CdrRow {
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
        handoffs: row.get(11)?,
        handoff: row.get(12)?,
        trigger: row.get(13)?,
        desk: row.get(14)?,
        outcome: row.get(15)?,
        stage: row.get(16)?,
        method: row.get(17)?,
        sip: row.get(18)?,
        retryable: row.get(19)?,
        early_drop: dropped_by.is_some(),
        dropped_by,
        dropped_after_ms: row.get(21)?,
        dropped_cause: row.get(22)?,
        legs: legs.map(|legs| legs.lines().map(str::to_owned).collect()).unwrap_or_default(),
    })
}
