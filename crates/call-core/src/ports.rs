//! The local RTP ports: even ones, each with the next for RTCP. A port that was used rests before it is used again, so
//! that late packets of the old call find nobody.

use call_model::Instant;
use core::time::Duration;
use std::collections::VecDeque;

/// The port pool.
#[derive(Debug)]
pub(crate) struct PortPool {
    free: VecDeque<u16>,
    resting: VecDeque<(Instant, u16)>,
    rest: Duration,
    size: usize,
}

impl PortPool {
    /// All even ports in the inclusive range whose RTCP port is in it too.
    pub(crate) fn new((first, last): (u16, u16), rest: Duration) -> Self {
        let free: VecDeque<u16> = (first..last).filter(|port| port % 2 == 0).collect();
        Self { size: free.len(), free, resting: VecDeque::new(), rest }
    }

    /// The port that was free longest, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> Option<u16> {
        self.handle_timeout(now);
        self.free.pop_front()
    }

    /// A port comes back and rests.
    pub(crate) fn give_back(&mut self, port: u16, now: Instant) {
        self.resting.push_back((now + self.rest, port));
    }

    /// Ports that have rested become free.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some((until, port)) = self.resting.front().copied()
            && until <= now
        {
            self.resting.pop_front();
            self.free.push_back(port);
        }
    }

    /// When the next port has rested.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.resting.front().map(|(until, _)| *until)
    }

    /// Ports in the hands of legs.
    pub(crate) fn in_use(&self) -> usize {
        self.size - self.free.len() - self.resting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_rests_before_it_is_used_again() {
        let mut pool = PortPool::new((20_000, 20_003), Duration::from_secs(5));
        let at = Instant::from_millis;
        assert_eq!(pool.take(at(0)), Some(20_000));
        assert_eq!(pool.take(at(0)), Some(20_002));
        assert_eq!(pool.take(at(0)), None);
        assert_eq!(pool.in_use(), 2);
        pool.give_back(20_000, at(1000));
        assert_eq!(pool.in_use(), 1);
        assert_eq!(pool.take(at(5999)), None);
        assert_eq!(pool.poll_timeout(), Some(at(6000)));
        assert_eq!(pool.take(at(6000)), Some(20_000));
    }

    #[test]
    fn odd_ranges_give_whole_pairs_only() {
        let mut pool = PortPool::new((20_001, 20_004), Duration::ZERO);
        assert_eq!(pool.take(Instant::ZERO), Some(20_002));
        assert_eq!(pool.take(Instant::ZERO), None);
    }
}
