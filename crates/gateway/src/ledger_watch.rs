//! Says in the log that the ledger loses rows: once, and then at most once a minute.

use call_model::Instant;
use ledger::Health;
use std::time::Duration;

const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// What was said already.
#[derive(Default)]
pub(crate) struct LedgerWatch {
    told: u64,
    told_fault: bool,
    at: Option<Instant>,
}

impl LedgerWatch {
    /// Logs what is new and due.
    pub(crate) fn look(&mut self, health: &Health, now: Instant) {
        let Some(lost) = self.due(health, now) else { return };
        let cause = cause(health);
        if lost > 0 {
            tracing::error!(
                rows = lost,
                in_all = health.dropped,
                cause,
                "the ledger lost rows: calls go on unrecorded"
            );
        } else {
            tracing::error!(cause, "the ledger cannot write: it tries again, then it loses rows");
        }
    }

    /// Rows lost since it was last said, when it is time to say so.
    fn due(&mut self, health: &Health, now: Instant) -> Option<u64> {
        let lost = health.dropped.saturating_sub(self.told);
        let broke = health.fault.is_some() && !self.told_fault;
        if lost == 0 && !broke {
            self.told_fault = health.fault.is_some();
            return None;
        }
        if self.at.is_some_and(|at| now.since(at) < AGAIN_AFTER) {
            return None;
        }
        *self = Self { told: health.dropped, told_fault: health.fault.is_some(), at: Some(now) };
        Some(lost)
    }
}

/// The last word, after the ledger was closed.
pub(crate) fn sum_up(health: &Health) {
    if health.dropped > 0 {
        tracing::error!(rows = health.dropped, cause = cause(health), "the ledger lost rows while this process ran");
    }
}

/// With what to do about it.
fn cause(health: &Health) -> &str {
    health.fault.as_deref().unwrap_or("the disk was too slow or failed for a while: look at its free space and load")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(dropped: u64, fault: Option<&str>) -> Health {
        Health { dropped, fault: fault.map(str::to_owned) }
    }

    #[test]
    fn a_loss_is_told_at_once_and_then_once_a_minute() {
        let (mut watch, mut now) = (LedgerWatch::default(), Instant::ZERO);
        assert_eq!(watch.due(&health(0, None), now), None);
        assert_eq!(watch.due(&health(3, Some("full")), now), Some(3));
        for _ in 0..59 {
            now += Duration::from_secs(1);
            assert_eq!(watch.due(&health(10, Some("full")), now), None);
        }
        now += Duration::from_secs(1);
        assert_eq!(watch.due(&health(11, Some("full")), now), Some(8));
        now += Duration::from_secs(120);
        assert_eq!(watch.due(&health(11, Some("full")), now), None, "nothing new");
    }

    #[test]
    fn a_failed_write_is_told_before_rows_are_lost_and_again_after_it_healed() {
        let (mut watch, now) = (LedgerWatch::default(), Instant::ZERO);
        assert_eq!(watch.due(&health(0, Some("locked")), now), Some(0));
        assert_eq!(watch.due(&health(0, None), now + Duration::from_secs(70)), None);
        assert_eq!(watch.due(&health(0, Some("locked")), now + Duration::from_secs(80)), Some(0));
    }
}
