//! What is recorded of the calls.

use super::{FRAME, World};
use call_model::{Instant, LegId, RecordingCommand};
use phone::Ear;
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct Recorded {
    commands: Vec<(Instant, RecordingCommand)>,
    ears: BTreeMap<LegId, Ear>,
}

impl World {
    /// When recordings began and ended.
    pub fn recordings(&self) -> &[(Instant, RecordingCommand)] {
        &self.recorded.commands
    }

    /// What the ears of all recordings heard, in the order in which they were opened.
    pub fn recorded(&self) -> impl Iterator<Item = &Ear> {
        self.recorded.ears.values()
    }

    pub(super) fn on_recording(&mut self, command: RecordingCommand) {
        if let RecordingCommand::Begin { ears, .. } = &command {
            let fresh = ears.iter().map(|ear| (*ear, self.stream_ear.unused()));
            self.recorded.ears.extend(fresh);
        }
        self.recorded.commands.push((self.now, command));
    }

    pub(super) fn record(&mut self, leg: LegId, number: u64, samples: &[i16]) {
        let at = Instant::ZERO + FRAME * number.try_into().unwrap_or(u32::MAX);
        if let Some(ear) = self.recorded.ears.get_mut(&leg).filter(|ear| !ear.is_deaf()) {
            ear.hear(samples, at);
        }
    }
}
