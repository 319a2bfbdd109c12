//! The control channel: what a bot tells Warmline beside its audio, and what it is told (docs/control-events.md).

use call_model::{BotUpdate, FactKind};

/// Why a control event was refused; names the field and what to fix.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field}: {fix}")]
pub struct ControlError {
    /// Such as `turn.text`; `body` when the whole is meant.
    pub field: String,
    /// What is wrong and what to send instead.
    pub fix: String,
}

/// Reads one control event, the same object on the WebSocket and as HTTP body.
pub fn parse(_json: &str) -> Result<Vec<FactKind>, ControlError> {
    Ok(Vec::new())
}

/// What the bot is told, as the JSON object of docs/control-events.md.
pub fn encode(_update: &BotUpdate) -> String {
    String::new()
}
