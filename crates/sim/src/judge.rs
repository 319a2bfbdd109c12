//! The caller's view: is there always something to hear?

use call_model::Instant;
use core::time::Duration;

/// The longest pause between packets a caller may meet while their call is up.
pub const LONGEST_SILENCE: Duration = Duration::from_millis(500);

/// Watches the packets that reach the caller.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    met: bool,
    up_since: Option<Instant>,
    last: Option<Instant>,
    on_hold: bool,
    longest: Duration,
    broken: Vec<String>,
}

impl Verdict {
    pub(crate) fn up(&mut self, now: Instant) {
        self.met = true;
        self.up_since = Some(now);
        self.last = Some(now);
    }

    pub(crate) fn was_up(&self) -> bool {
        self.met
    }

    pub(crate) fn down(&mut self, now: Instant) {
        self.judge(now);
        self.up_since = None;
        self.last = None;
    }

    pub(crate) fn hold(&mut self, held: bool, now: Instant) {
        self.judge(now);
        self.on_hold = held;
        self.last = self.up_since.map(|_| now);
    }

    pub(crate) fn packet(&mut self, now: Instant) {
        self.judge(now);
        self.last = self.up_since.map(|_| now);
    }

    /// Judges the time up to now; call at the end of a run too.
    pub(crate) fn judge(&mut self, now: Instant) {
        let (Some(last), false) = (self.last, self.on_hold) else { return };
        let pause = now - last;
        self.longest = self.longest.max(pause);
        if pause > LONGEST_SILENCE {
            self.broken.push(format!("the caller heard nothing from {last:?} to {now:?}"));
            self.last = Some(now);
        }
    }

    pub(crate) fn complain(&mut self, what: String) {
        if self.broken.len() < 20 {
            self.broken.push(what);
        }
    }

    /// The longest pause met.
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// What was broken; empty when all was well.
    pub fn broken(&self) -> &[String] {
        &self.broken
    }
}
