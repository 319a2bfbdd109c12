//! Giving memory back. After a busy hour the allocator keeps what hundreds of calls had used; it is returned to the
//! system when the last call is over and its SIP transactions have died, since then nobody waits for it.

use call_model::Instant;
use std::time::Duration;

/// SIP transactions live for 32 s after their call (RFC 3261 timers D and J).
const REST: Duration = Duration::from_secs(40);

/// When to return memory.
#[derive(Debug, Default)]
pub(crate) struct Trim {
    /// The last look that still saw a call, until memory was returned.
    busy: Option<Instant>,
}

impl Trim {
    /// Whether now is the time; asked about once a second.
    pub(crate) fn is_due(&mut self, calls: usize, now: Instant) -> bool {
        if calls > 0 {
            self.busy = Some(now);
        }
        let due = self.busy.is_some_and(|busy| now.since(busy) >= REST);
        if due {
            self.busy = None;
        }
        due
    }
}

/// Returns free memory to the system. A no-op where the allocator is not glibc's.
#[allow(unsafe_code, reason = "malloc_trim has no safe wrapper")]
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes no pointers; the allocator does its own locking.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_returned_once_and_only_after_a_rest_without_calls() {
        let mut trim = Trim::default();
        let at = Instant::from_millis;
        assert!(!trim.is_due(0, at(1_000_000)), "nothing was used");
        assert!(!trim.is_due(5, at(1_001_000)));
        assert!(!trim.is_due(0, at(1_040_000)));
        assert!(trim.is_due(0, at(1_041_000)));
        assert!(!trim.is_due(0, at(2_000_000)), "once");
    }
}
