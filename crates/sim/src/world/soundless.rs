//! Runs in which only SIP is simulated: what the media path would say.

use super::World;
use call_model::{MediaCommand, MediaEvent};

impl World {
    /// Whoever is there is taken to be heard, and to have something to say; keys are pressed at once.
    pub(super) fn take_for_done(&mut self, command: MediaCommand) {
        let events = match command {
            MediaCommand::Remote { leg, media } => {
                vec![MediaEvent::Flowing { leg, from: media.rtp }, MediaEvent::Speaks { leg }]
            }
            MediaCommand::Pressed { leg, digit, held } => vec![MediaEvent::Digit { leg, digit, held }],
            MediaCommand::Dial { leg, .. } => vec![MediaEvent::Dialled { leg }],
            _ => Vec::new(),
        };
        for event in events {
            self.switchboard.handle_media(event, self.now);
        }
    }
}
