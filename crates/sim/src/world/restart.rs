//! A gateway that is killed and started again, and what it had written down.

use super::{EPOCH_MS, World, engine_config};
use call_core::Switchboard;
use call_model::{Callback, IdSource, Instant, WallAnchor};
use rtp_proto::{MediaEngine, NoTap};
use std::sync::Arc;

impl World {
    /// Every callback, as it is written down.
    pub fn callbacks(&self) -> impl Iterator<Item = &Callback> + '_ {
        self.callbacks.values()
    }

    /// The gateway is killed and started again: what was written down is all that it knows.
    pub(crate) fn restart(&mut self) {
        let config = Arc::new(self.switchboard.config().clone());
        let wall = WallAnchor { at: Instant::ZERO, unix_ms: EPOCH_MS };
        let mut ids = IdSource::from_u64(self.now.as_nanos());
        self.switchboard = Switchboard::new(config, ids.fork(), wall);
        self.media = MediaEngine::new(engine_config(!self.is_deaf()), ids, Box::new(NoTap));
        self.ports.clear();
        self.streams.clear();
        self.switchboard.restore_callbacks(self.callbacks.values().cloned().collect(), self.now);
    }
}
