//! What is recorded of the calls, here and elsewhere.

use super::{FRAME, Item, World};
use crate::recorder::RECORDER;
use call_model::{Instant, LegId, RecordingCommand};
use phone::Ear;
use sip_proto::Flow;
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

    pub(super) fn carry_to_recorder(&mut self, flow: Flow, bytes: Vec<u8>) {
        self.capture.sip(flow.local, flow.remote, &bytes, self.now);
        let back = Flow { transport: flow.transport, local: flow.remote, remote: flow.local };
        self.carry_sip((RECORDER, false), flow.transport, bytes, |bytes| Item::SipToRecorder(back, bytes));
    }

    pub(super) fn deliver_to_recorder(&mut self, flow: Flow, bytes: &[u8]) {
        if let Some(answer) = self.srs.hear_sip(flow, bytes, self.now) {
            self.carry_to_gateway(flow, answer);
        }
    }

    /// From the recorder, which talks on this flow.
    pub(super) fn carry_to_gateway(&mut self, flow: Flow, bytes: Vec<u8>) {
        let back = Flow { transport: flow.transport, local: flow.remote, remote: flow.local };
        self.carry_sip((RECORDER, true), flow.transport, bytes, |bytes| Item::SipToGateway(back, bytes));
    }
}
