//! The screen pop of one handoff at one desk: offered once, amended at most so often, taken off once.

use call_model::{DeskId, Instant};
use core::time::Duration;

/// A pop that is on a desk's page.
#[derive(Debug)]
pub(crate) struct Pop {
    pub(crate) desk: DeskId,
    /// The page said it shows it.
    pub(crate) acknowledged: bool,
    last: Instant,
    grown: bool,
}

impl Pop {
    /// A pop that was just offered.
    pub(crate) const fn new(desk: DeskId, now: Instant) -> Self {
        Self { desk, acknowledged: false, last: now, grown: false }
    }

    /// There is more to show.
    pub(crate) const fn note_growth(&mut self) {
        self.grown = true;
    }

    /// Whether to amend it now.
    pub(crate) fn handle_timeout(&mut self, every: Duration, now: Instant) -> bool {
        let due = self.grown && now >= self.last + every;
        if due {
            self.grown = false;
            self.last = now;
        }
        due
    }

    /// When the next amendment may go.
    pub(crate) fn poll_timeout(&self, every: Duration) -> Option<Instant> {
        self.grown.then(|| self.last + every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_coalesced() {
        let every = Duration::from_millis(250);
        let at = Instant::from_millis;
        let mut pop = Pop::new(DeskId("anna".to_owned()), at(0));
        assert_eq!(pop.poll_timeout(every), None);
        pop.note_growth();
        pop.note_growth();
        assert_eq!(pop.poll_timeout(every), Some(at(250)));
        assert!(!pop.handle_timeout(every, at(249)));
        assert!(pop.handle_timeout(every, at(250)));
        assert!(!pop.handle_timeout(every, at(900)));
        pop.note_growth();
        assert!(pop.handle_timeout(every, at(900)));
    }
}
