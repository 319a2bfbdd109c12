//! Time as a value. Whoever owns a clock (the gateway, the simulator) makes it; everyone else is told.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// Nanoseconds since an origin that the owner of the clock chose (process start, or zero in the simulator).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The origin itself.
    pub const ZERO: Self = Self(0);

    /// An instant `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// An instant `millis` milliseconds after the origin.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the origin.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Time passed since `earlier`; zero when `earlier` is in fact later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, by: Duration) {
        *self = *self + by;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}s", self.as_millis() / 1000, self.as_millis() % 1000)
    }
}

/// One pair of (instant, wall time), by which records get dates. Taken once at start-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallAnchor {
    /// The instant at which the wall clock was read.
    pub at: Instant,
    /// What it said, in milliseconds since 1970-01-01 UTC.
    pub unix_ms: u64,
}

impl WallAnchor {
    /// The instant of a wall time; the origin for any before it.
    pub fn instant(&self, unix_ms: u64) -> Instant {
        Instant::from_millis((self.at.as_millis() + unix_ms).saturating_sub(self.unix_ms))
    }

    /// Wall time at `when`, in milliseconds since 1970-01-01 UTC.
    pub fn unix_ms(&self, when: Instant) -> u64 {
        if when >= self.at {
            self.unix_ms + (when.as_millis() - self.at.as_millis())
        } else {
            self.unix_ms.saturating_sub(self.at.as_millis() - when.as_millis())
        }
    }
}
