//! What `serve --check` tries beyond reading the file, so that `serve` does not refuse afterwards.

use crate::config::{Complaint, Lookup, Settings};
use crate::recording::RecordingSettings;
use crate::resolve;
use call_model::Party;
use prosody::{Model, ModelError};

/// Loads and tries the model when a route listens, looks at the ledger's and the recordings' places, and looks host names up. Leaves nothing behind.
pub(crate) fn complaints(settings: &Settings) -> Vec<Complaint> {
    let mut found = Vec::new();
    if settings.switchboard.routes.iter().any(|route| route.listen)
        && let Err(error) = Model::load(&settings.listen.model_config())
    {
        let key = match error {
            ModelError::Library { .. } => "model.onnxruntime",
            ModelError::Adapter { .. } => "model.adapter",
            _ => "model.path",
        };
        found.push(Complaint { path: key.to_owned(), problem: error.to_string() });
    }
    if let Err(error) = ledger::check(&settings.ledger) {
        found.push(Complaint { path: "ledger.path".to_owned(), problem: error.to_string() });
    }
    if let Some(Err(error)) = settings.recordings.as_ref().map(RecordingSettings::check) {
        let problem = format!("no file can be made there: {error}");
        found.push(Complaint { path: "recording.directory".to_owned(), problem });
    }
    found.extend(names(settings));
    found
}

/// Host names that lead nowhere now. `serve` starts all the same and goes on asking.
fn names(settings: &Settings) -> Vec<Complaint> {
    let board = &settings.switchboard;
    let complaint = |(lookup, why): (Lookup, String)| {
        let listed = |list, at: Option<usize>| format!("{list}[{}].sip", at.unwrap_or_default());
        let path = match lookup.about {
            Party::Recorder => "recording.recorder.sip".to_owned(),
            Party::Desk => listed("desks", board.desks.iter().position(|desk| desk.name == lookup.name)),
            _ => listed("bots", board.bots.iter().position(|bot| bot.name == lookup.name)),
        };
        let problem = format!("`{}` cannot be looked up ({why}): check the name, or sip.dns", lookup.host);
        Complaint { path, problem }
    };
    match resolve::settle(&mut settings.clone()) {
        Ok(failed) => failed.into_iter().filter(|(lookup, _)| !lookup.optional).map(complaint).collect(),
        Err(problem) => vec![Complaint { path: "sip.dns".to_owned(), problem }],
    }
}
