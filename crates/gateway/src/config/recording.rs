//! The section that says how calls are recorded.

use super::peers::target;
use super::reader::{Complaints, Section};
use super::sections::codecs;
use super::signalling::{keys_need_tls, signalling};
use crate::recording::{Key, RecordingSettings};
use crate::resolve::Lookup;
use call_core::{Consent, Record, RecordTo, Recorded, Recorder, Recording, SwitchboardConfig};
use call_model::Party;
use std::path::Path;
use std::time::Duration;

/// What the switchboard is told, and where recordings are kept, if they are.
pub(super) fn recording(
    mut section: Section,
    base: &Path,
    lookups: &mut Vec<Lookup>,
) -> (Recording, Option<Recorder>, Option<RecordingSettings>) {
    let directory = section.text("directory", |text| Ok(base.join(text)));
    let has_key = section.peek("key").is_some();
    let key = section
        .secret("key")
        .and_then(|secret| Key::read(&secret).map_err(|problem| section.complain("key", problem)).ok());
    if directory.is_some() && !has_key {
        section.complain("key", "is missing: recordings are encrypted; write key = \"file:recording.key\"");
    }
    let calls = section.text("calls", record).unwrap_or_default();
    let to = section.text("to", record_to).unwrap_or_default();
    let (there, it) = (section.holds("recorder"), section.section("recorder"));
    let recorder = if there { recorder(it, lookups) } else { None };
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
    (Recording { calls, what: what.unwrap_or_default(), to, consent, consent_key }, recorder, settings)
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

/// Where recordings go, as routes say it too.
pub(super) fn record_to(text: &str) -> Result<RecordTo, String> {
    match text {
        "file" => Ok(RecordTo::File),
        "recorder" => Ok(RecordTo::Recorder),
        "both" => Ok(RecordTo::Both),
        "recorder_else_file" => Ok(RecordTo::RecorderElseFile),
        other => {
            Err(format!("`{other}` is not known: write \"file\", \"recorder\", \"both\" or \"recorder_else_file\""))
        }
    }
}

/// A recorder that is reached by SIP.
fn recorder(mut section: Section, lookups: &mut Vec<Lookup>) -> Option<Recorder> {
    let name = "recorder";
    let sip = section.required("sip", "\"sip:srs@192.0.2.9:5061;transport=tls\"", target);
    let codecs = codecs(&mut section);
    let signalling = signalling(&mut section);
    if let Some((_, hop)) = &sip {
        keys_need_tls(&section, &signalling, hop.transport);
    }
    section.finish();
    let (uri, hop) = sip?;
    let lookup = hop.lookup(Party::Recorder, name, false);
    lookups.extend(lookup.map(|lookup| Lookup { interface: signalling.interface.clone(), ..lookup }));
    Some(Recorder { name: name.to_owned(), uri, targets: hop.targets(), host: hop.host(), codecs, signalling })
}

/// What is to be recorded needs a place.
pub(super) fn check(board: &SwitchboardConfig, kept: bool, complaints: &Complaints) {
    let to = board.recording.to;
    let trunks = board.trunks.iter().enumerate().map(|(at, trunk)| (format!("trunks[{at}].record"), trunk.record));
    let all = core::iter::once(("recording.calls".to_owned(), Some(board.recording.calls)));
    let routes = board.routes.iter().enumerate();
    let recorded = routes.clone().map(|(at, route)| {
        (format!("routes[{at}].record"), route.record.filter(|_| route.record_to.unwrap_or(to).may_be_kept()))
    });
    let kept_here = all.chain(trunks).filter(|_| to.may_be_kept()).chain(recorded);
    let wanted = |record: Option<Record>| record.is_some_and(|record| record != Record::Never);
    if let Some((path, _)) = kept_here.into_iter().find(|(_, record)| wanted(*record) && !kept) {
        complaints.add(path, "asks for recordings, which have no place: set recording.directory and recording.key");
    }
    let routes = routes.filter_map(|(at, route)| Some((format!("routes[{at}].record_to"), route.record_to?)));
    for (path, to) in core::iter::once(("recording.to".to_owned(), to)).chain(routes) {
        if to.is_sent() && board.recorder.is_none() {
            complaints
                .add(path, "sends recordings to a recorder, and there is none: add [recording.recorder] with sip");
        } else if to != RecordTo::File && to.may_be_kept() && !kept {
            complaints.add(path, "keeps recordings, which have no place: set recording.directory and recording.key");
        }
    }
}
