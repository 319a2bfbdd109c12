//! The section that says how calls are recorded.

use super::reader::{Complaints, Section};
use crate::recording::{Key, RecordingSettings};
use call_core::{Consent, Record, Recorded, Recording, SwitchboardConfig};
use std::path::Path;
use std::time::Duration;

/// What the switchboard is told, and where recordings are kept, if they are.
pub(super) fn recording(mut section: Section, base: &Path) -> (Recording, Option<RecordingSettings>) {
    let directory = section.text("directory", |text| Ok(base.join(text)));
    let has_key = section.peek("key").is_some();
    let key = section
        .secret("key")
        .and_then(|secret| Key::read(&secret).map_err(|problem| section.complain("key", problem)).ok());
    if directory.is_some() && !has_key {
        section.complain("key", "is missing: recordings are encrypted; write key = \"file:recording.key\"");
    }
    let calls = section.text("calls", record).unwrap_or_default();
    let what = section.text("what", |text| match text {
        "stereo" => Ok(Recorded::Stereo),
        "mixed" => Ok(Recorded::Mixed),
        "caller" => Ok(Recorded::Caller),
        "human" => Ok(Recorded::Human),
        other => Err(format!("`{other}` is not known: write \"stereo\", \"mixed\", \"caller\" or \"human\"")),
    });
    let consent = section.text("consent", |text| match text {
        "implied" => Ok(Consent::Implied),
        "announced" => Ok(Consent::Announced),
        "asked" => Ok(Consent::Asked),
        other => Err(format!("`{other}` is not known: write \"implied\", \"announced\" or \"asked\"")),
    });
    let consent = consent.unwrap_or_default();
    let consent_key = section.text("consent_key", |text| match text.as_bytes() {
        [key @ (b'0'..=b'9' | b'*' | b'#')] => Ok(char::from(*key)),
        _ => Err(format!("`{text}` is not one key: write one of 0-9, * and #")),
    });
    if consent_key.is_some() && consent != Consent::Asked {
        section.complain("consent_key", "is given, but nobody is asked: write consent = \"asked\", or remove it");
    }
    let days = section.number("retention_days", 0..=36_500, 90);
    let retention = (days > 0).then(|| Duration::from_secs(days * 86_400));
    section.finish();
    let settings = directory.zip(key).map(|(directory, key)| RecordingSettings { directory, key, retention });
    (Recording { calls, what: what.unwrap_or_default(), consent, consent_key }, settings)
}

/// Whether calls are recorded, as trunks and routes say it too.
pub(super) fn record(text: &str) -> Result<Record, String> {
    match text {
        "never" => Ok(Record::Never),
        "while_here" => Ok(Record::WhileHere),
        "always" => Ok(Record::Always),
        other => Err(format!("`{other}` is not known: write \"never\", \"while_here\" or \"always\"")),
    }
}

/// What is to be recorded needs a place.
pub(super) fn check(board: &SwitchboardConfig, kept: bool, complaints: &Complaints) {
    let trunks = board.trunks.iter().enumerate().map(|(at, trunk)| (format!("trunks[{at}].record"), trunk.record));
    let routes = board.routes.iter().enumerate().map(|(at, route)| (format!("routes[{at}].record"), route.record));
    let all = core::iter::once(("recording.calls".to_owned(), Some(board.recording.calls)));
    let wanted = |record: Option<Record>| record.is_some_and(|record| record != Record::Never);
    if let Some((path, _)) = all.chain(trunks).chain(routes).find(|(_, record)| wanted(*record) && !kept) {
        complaints.add(path, "asks for recordings, which have no place: set recording.directory and recording.key");
    }
}
