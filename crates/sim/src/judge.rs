//! The caller's view: is there always something to hear?

use call_model::{Direction, Instant};
use core::time::Duration;

/// The longest pause between packets a caller may meet while their call is up.
pub const LONGEST_SILENCE: Duration = Duration::from_millis(500);

/// Three frames: what a join may cost the caller.
const NOTABLE: Duration = Duration::from_millis(60);

/// An answer that was never acknowledged is hung up after 64*T1 (RFC 3261 §13.3.1.4); goodbye takes no longer than this.
const LONGEST_GOODBYE: Duration = Duration::from_secs(33);

/// Watches the packets that reach the caller.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    met: bool,
    /// The caller has gone where the gateway sent it.
    elsewhere: bool,
    up_since: Option<Instant>,
    last: Option<Instant>,
    /// What the caller wants, from the moment it asks.
    wants: Direction,
    /// The caller asked not to hear anything, and whether that was agreed and undone is not known yet.
    in_doubt: bool,
    /// What both sides agreed.
    agreed: Direction,
    goodbye_by: Option<Instant>,
    longest: Duration,
    /// Pauses that somebody might notice, and when they were over; the first few hundred.
    notable: Vec<(Instant, Duration)>,
    broken: Vec<String>,
}

impl Verdict {
    /// The caller dials (again).
    pub(crate) fn dials(&mut self) {
        let Self { longest, notable, broken, .. } = core::mem::take(self);
        *self = Self { longest, notable, broken, ..Self::default() };
    }

    pub(crate) fn up(&mut self, now: Instant) {
        if self.met {
            // A second answer is the human's own, after a release: from then on the gateway feeds nobody.
            self.elsewhere = true;
            return self.down(now);
        }
        self.met = true;
        if self.goodbye_by.is_some() {
            // The gateway's answer was late, and it says goodbye already.
            return;
        }
        self.up_since = Some(now);
        self.last = Some(now);
    }

    /// The call is over, or the gateway says goodbye: its BYE is out.
    pub(crate) fn down(&mut self, now: Instant) {
        self.judge(now);
        self.up_since = None;
        self.last = None;
    }

    /// The gateway has closed the caller's audio; the BYE must follow, though not before the ACK it may wait for.
    pub(crate) fn closed(&mut self, now: Instant) {
        self.down(now);
        self.goodbye_by = Some(now + LONGEST_GOODBYE);
    }

    /// A caller who is still there, though the gateway has had the time for its goodbye.
    pub(crate) fn still_there(&mut self, now: Instant) {
        if !self.elsewhere && self.goodbye_by.is_some_and(|by| by < now) {
            self.goodbye_by = None;
            self.complain(format!("at {now:?} the caller still waits to be hung up"));
        }
    }

    /// The caller asks to hold or to resume. Whether the gateway hears of it before its answer is lost is not the
    /// gateway's fault, so a caller who asks not to hear anything is not judged from then on.
    pub(crate) fn asked(&mut self, direction: Direction, now: Instant) {
        self.on_hold(now, |verdict| {
            verdict.wants = direction;
            verdict.in_doubt |= !direction.receives();
        });
    }

    pub(crate) fn agreed(&mut self, direction: Direction, now: Instant) {
        self.on_hold(now, |verdict| {
            verdict.agreed = direction;
            verdict.in_doubt &= !direction.receives();
        });
    }

    pub(crate) fn refused(&mut self, now: Instant) {
        self.on_hold(now, |verdict| {
            verdict.wants = verdict.agreed;
            verdict.in_doubt &= !verdict.agreed.receives();
        });
    }

    fn on_hold(&mut self, now: Instant, change: impl FnOnce(&mut Self)) {
        self.judge(now);
        change(self);
        self.last = self.up_since.map(|_| now);
    }

    pub(crate) fn packet(&mut self, now: Instant) {
        self.judge(now);
        self.last = self.up_since.map(|_| now);
    }

    /// Judges the time up to now; call at the end of a run too.
    pub(crate) fn judge(&mut self, now: Instant) {
        let listens = self.wants.receives() && self.agreed.receives() && !self.in_doubt;
        let Some(last) = self.last.filter(|_| listens) else { return };
        let pause = now - last;
        self.longest = self.longest.max(pause);
        if pause >= NOTABLE && self.notable.len() < 500 {
            self.notable.push((now, pause));
        }
        if pause > LONGEST_SILENCE {
            self.complain(format!("the caller heard nothing from {last:?} to {now:?}"));
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

    /// The longest pause that was over between two moments, if any took three frames or more.
    pub fn longest_between(&self, from: Instant, to: Instant) -> Option<Duration> {
        let there = self.notable.iter().filter(|(over, _)| (from..to).contains(over));
        there.map(|(_, pause)| *pause).max()
    }

    /// What was broken; empty when all was well.
    pub fn broken(&self) -> &[String] {
        &self.broken
    }
}
