//! What operations ask of a recording, and what its writer complains about.

use super::Switchboard;
use call_model::{CallId, Instant, RecordingWish, TraceKind};

/// Why nothing was done to a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordingRefused {
    /// No such call, or it is over.
    UnknownCall,
    /// The call is not to be recorded.
    NotRecorded,
    /// It runs already, has not begun, or is over.
    NotNow,
}

impl core::fmt::Display for RecordingRefused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::UnknownCall => "no such call",
            Self::NotRecorded => "this call is not to be recorded",
            Self::NotNow => "its recording is not where that can be done",
        })
    }
}

impl Switchboard {
    /// Operations want something of a call's recording.
    ///
    /// # Errors
    /// When there is no such call, or nothing of the kind to be done.
    pub fn handle_recording(
        &mut self,
        call: CallId,
        wish: RecordingWish,
        now: Instant,
    ) -> Result<(), RecordingRefused> {
        let result = self.with_call(call, now, |call, world| call.ask_of_recording(wish, world));
        self.pump(now);
        result.unwrap_or(Err(RecordingRefused::UnknownCall))
    }

    /// Some of a recording could not be written. The call may be over by now.
    pub fn handle_recording_incomplete(&mut self, call: CallId, name: String, now: Instant) {
        self.trace(Some(call), TraceKind::Recording { name, what: "incomplete" }, now);
    }
}
