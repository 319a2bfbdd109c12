//! One row per call for those who bill and count: times, the last handoff, whose doing the end was, and its legs.

use crate::legs::{self, LEGS_JSON, LegRow};
use crate::query::{CALL_COLUMNS, CallRow, bound, call_row};
use rusqlite::{Connection, Row, params};
use serde::Serialize;

/// A call data record. Times are milliseconds since 1970; the fields of the handoff are those of the call's last one.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[allow(missing_docs, reason = "the names are those of the tables, where they are explained")]
pub struct CdrRow {
    #[serde(flatten)]
    pub call: CallRow,
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
    /// The worse of what both sides of a leg heard, over all legs.
    pub worst_mos: Option<f64>,
    /// What the audio of each leg was like.
    pub quality: Vec<LegRow>,
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
    db.prepare_cached(&format!(
        "SELECT {CALL_COLUMNS}, (SELECT count(*) FROM handoffs WHERE call = calls.call) AS handoffs, last.*,
                (SELECT group_concat(what, char(10)) FROM
                    (SELECT what FROM events WHERE call = calls.call AND kind = 'leg_ended' ORDER BY id)) AS legs,
                {LEGS_JSON} AS quality
         FROM calls LEFT JOIN
                (SELECT handoff, trigger_kind, desk, outcome, stage, method, sip, retryable, dropped_by,
                        dropped_after_ms, dropped_cause FROM handoffs) AS last
            ON last.handoff =
                (SELECT handoff FROM handoffs WHERE call = calls.call ORDER BY began_ms DESC, handoff DESC LIMIT 1)
         WHERE began_ms >= ? AND began_ms < ? ORDER BY began_ms, call LIMIT ?",
    ))?
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
    let dropped_by: Option<String> = row.get("dropped_by")?;
    let legs: Option<String> = row.get("legs")?;
    let quality: String = row.get("quality")?;
    let quality = legs::parse(0, &quality)?;
    Ok(CdrRow {
        call: call_row(row)?,
        handoffs: row.get("handoffs")?,
        handoff: row.get("handoff")?,
        trigger: row.get("trigger_kind")?,
        desk: row.get("desk")?,
        outcome: row.get("outcome")?,
        stage: row.get("stage")?,
        method: row.get("method")?,
        sip: row.get("sip")?,
        retryable: row.get("retryable")?,
        early_drop: dropped_by.is_some(),
        dropped_by,
        dropped_after_ms: row.get("dropped_after_ms")?,
        dropped_cause: row.get("dropped_cause")?,
        legs: legs.map(|legs| legs.lines().map(str::to_owned).collect()).unwrap_or_default(),
        worst_mos: legs::worst_mos(&quality),
        quality,
    })
}
