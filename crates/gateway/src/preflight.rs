//! What `serve --check` tries beyond reading the file, so that `serve` does not refuse afterwards.

use crate::config::{Complaint, Settings};
use prosody::{Model, ModelError};

/// Loads and tries the model when a route listens, and looks at the ledger's place. Leaves nothing behind.
pub(crate) fn complaints(settings: &Settings) -> Vec<Complaint> {
    let mut found = Vec::new();
    if settings.switchboard.routes.iter().any(|route| route.listen)
        && let Err(error) = Model::load(&settings.listen.model_config())
    {
        let key = if matches!(error, ModelError::Library { .. }) { "model.onnxruntime" } else { "model.path" };
        found.push(Complaint { path: key.to_owned(), problem: error.to_string() });
    }
    if let Err(error) = ledger::check(&settings.ledger) {
        found.push(Complaint { path: "ledger.path".to_owned(), problem: error.to_string() });
    }
    found
}
