//! What the audio of each leg was like.

use call_model::{LegId, LegStats, Role};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

/// One leg's audio over its life.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
#[allow(missing_docs, reason = "the names are those of the table, where they are explained")]
pub struct LegRow {
    pub leg: u8,
    pub role: String,
    pub name: String,
    pub received: u64,
    pub sent: u64,
    pub lost: u64,
    pub jitter_ms: f64,
    pub round_trip_ms: Option<f64>,
    pub remote_jitter_ms: Option<f64>,
    pub mos: Option<f64>,
    pub remote_mos: Option<f64>,
}

/// The legs of `calls.call`, as JSON.
pub(crate) const LEGS_JSON: &str = "(SELECT json_group_array(json_object('leg', leg, 'role', role, 'name', name,
    'received', received, 'sent', sent, 'lost', lost, 'jitter_ms', jitter_ms, 'round_trip_ms', round_trip_ms,
    'remote_jitter_ms', remote_jitter_ms, 'mos', mos, 'remote_mos', remote_mos))
    FROM (SELECT * FROM legs WHERE legs.call = calls.call ORDER BY leg))";

/// Reads what [`LEGS_JSON`] gave.
pub(crate) fn parse(column: usize, json: &str) -> rusqlite::Result<Vec<LegRow>> {
    serde_json::from_str(json).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// The worse of what both sides heard, over all legs.
pub(crate) fn worst_mos(legs: &[LegRow]) -> Option<f64> {
    legs.iter().flat_map(|leg| [leg.mos, leg.remote_mos]).flatten().min_by(f64::total_cmp)
}

/// Writes down one leg.
pub(crate) fn insert(db: &Connection, leg: LegId, role: Role, name: &str, stats: &LegStats) -> rusqlite::Result<()> {
    let thousandths = |value: f32| (f64::from(value) * 1000.0).round() / 1000.0;
    let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    db.prepare_cached("INSERT OR REPLACE INTO legs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?.execute(params![
        leg.call.to_string(),
        leg.index,
        role.to_string(),
        name,
        count(stats.received),
        count(stats.sent),
        count(stats.lost),
        thousandths(stats.jitter_ms),
        stats.round_trip_ms.map(thousandths),
        stats.remote_jitter_ms.map(thousandths),
        stats.mos.map(thousandths),
        stats.remote_mos.map(thousandths),
    ])?;
    Ok(())
}
