//! Messages that callers left; what was said is with the recordings.

use crate::callbacks::Stored;
use call_model::{Redacted, Voicemail, WallAnchor};
use rusqlite::{Connection, Row, params};
use std::sync::Arc;
use std::time::Duration;

const COLUMNS: &str = "voicemail, call, number, at_ms, lasted_ms, recording, package";

/// A message on its way to the disk.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Left {
    left: Voicemail,
    package: String,
    /// Older ones are forgotten.
    since_ms: u64,
}

impl Left {
    pub(crate) fn new(left: &Voicemail, wall: &WallAnchor, keep: Option<Duration>) -> Self {
        // Plain texts and numbers: this does not fail.
        let package = serde_json::to_string(&Stored::of(&left.package, wall)).unwrap_or_default();
        let keep = keep.map(|keep| u64::try_from(keep.as_millis()).unwrap_or(u64::MAX));
        let since_ms = keep.map_or(0, |keep| left.at_ms.saturating_sub(keep));
        Self { left: left.clone(), package, since_ms }
    }

    pub(crate) fn apply(&self, db: &Connection) -> rusqlite::Result<()> {
        let Voicemail { id, call, number, at_ms, lasted, recording, .. } = &self.left;
        let lasted = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX);
        db.prepare_cached(&format!("INSERT OR REPLACE INTO voicemails ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"))?
            .execute(params![
                id.to_string(),
                call.to_string(),
                number.reveal(),
                at_ms,
                lasted,
                recording,
                self.package
            ])?;
        db.prepare_cached("DELETE FROM voicemails WHERE at_ms < ?")?.execute([crate::query::bound(self.since_ms)])?;
        Ok(())
    }
}

/// The newest first; or the one of that name.
pub(crate) fn voicemails(
    db: &Connection,
    (limit, id): (u32, Option<&str>),
    wall: &WallAnchor,
) -> rusqlite::Result<Vec<Voicemail>> {
    db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM voicemails WHERE ?2 IS NULL OR voicemail = ?2 ORDER BY at_ms DESC, voicemail LIMIT ?1"
    ))?
    .query_map(params![limit, id], |row| read(row, wall))?
    .collect()
}

fn read(row: &Row<'_>, wall: &WallAnchor) -> rusqlite::Result<Voicemail> {
    let unreadable = |column: usize, what: String| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, what.into())
    };
    let text = |column: usize| row.get::<_, String>(column);
    let call = text(1)?.parse().map_err(|error| unreadable(1, format!("{error}")))?;
    let number = Redacted::new(text(2)?);
    let stored: Stored = serde_json::from_str(&text(6)?).map_err(|error| unreadable(6, error.to_string()))?;
    Ok(Voicemail {
        id: text(0)?.parse().map_err(|error| unreadable(0, format!("{error}")))?,
        call,
        at_ms: row.get(3)?,
        lasted: Duration::from_millis(row.get(4)?),
        recording: text(5)?,
        package: Arc::new(stored.package(call, number.clone(), wall)),
        number,
    })
}
