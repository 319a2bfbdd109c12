//! The one place that reads the clock.

use call_model::{Instant, WallAnchor};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Makes [`Instant`]s. Copies share one origin.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
    wall: WallAnchor,
}

impl Clock {
    /// A clock whose origin is now.
    pub fn start() -> Self {
        let origin = std::time::Instant::now();
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ms = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        Self { origin, wall: WallAnchor { at: Instant::ZERO, unix_ms } }
    }

    /// Now.
    pub fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// How long until `when`; zero when it has passed.
    pub fn until(&self, when: Instant) -> Duration {
        when.since(self.now())
    }

    /// By which instants get dates.
    pub fn wall(&self) -> WallAnchor {
        self.wall
    }
}
