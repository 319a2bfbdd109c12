//! A message that a caller left.

use crate::ids::{CallId, HandoffId};
use crate::package::HandoffPackage;
use crate::secret::Redacted;
use core::time::Duration;
use std::sync::Arc;

/// A message that a caller left, and what was known by then.
#[derive(Clone, PartialEq, Debug)]
pub struct Voicemail {
    /// Its public name: that of the handoff which nobody took.
    pub id: HandoffId,
    /// The call.
    pub call: CallId,
    /// Who left it.
    pub number: Redacted,
    /// When it began, milliseconds since 1970.
    pub at_ms: u64,
    /// How long it is.
    pub lasted: Duration,
    /// Under which name it is recorded.
    pub recording: String,
    /// What was known of the caller.
    pub package: Arc<HandoffPackage>,
}
