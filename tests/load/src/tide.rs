//! Calls that come and go.

use crate::traffic::{Generator, LAST_WORDS, Phase};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);

/// Calls that come at a rate, each ended so long after it was answered.
struct Tide {
    prefix: char,
    start: Instant,
    per_second: f64,
    hold: Duration,
    begun: usize,
    up: VecDeque<usize>,
}

impl Tide {
    fn new(prefix: char, per_second: f64, hold: Duration) -> Self {
        Self { prefix, start: Instant::now(), per_second, hold, begun: 0, up: VecDeque::new() }
    }

    /// Begins and ends those that are due, `most` in all.
    fn turn(&mut self, generator: &mut Generator, most: usize, now: Instant) {
        let due = (now.duration_since(self.start).as_secs_f64() * self.per_second) as usize;
        while self.begun < due.min(most) {
            self.up.push_back(generator.invite(self.prefix, now));
            self.begun += 1;
        }
        while let Some(number) = self.up.front().copied() {
            match generator.calls[number].phase {
                Phase::Inviting => break,
                Phase::Up if now.duration_since(generator.calls[number].sent) < self.hold => break,
                Phase::Up => generator.bye(number, now),
                _ => {}
            }
            self.up.pop_front();
        }
    }
}

impl Generator {
    /// So many calls, until all are over.
    pub(crate) fn churn(&mut self, prefix: char, total: usize, per_second: f64, hold: Duration) {
        let at_most = Duration::from_secs_f64(total as f64 / per_second + 40.0);
        let mut tide = Tide::new(prefix, per_second, hold);
        self.drive(at_most, |generator, now| {
            tide.turn(generator, total, now);
            let busy = generator.count(Phase::Inviting) + generator.count(Phase::Ending);
            tide.begun >= total && tide.up.is_empty() && busy == 0
        });
        self.pass(LAST_WORDS);
    }

    /// About `count` calls at once for so long; they stay up when it is over. `look` sees every minute go by.
    pub(crate) fn keep_up(&mut self, count: usize, hold: Duration, minutes: u32, mut look: impl FnMut(&Self, u32)) {
        let mut tide = Tide::new('7', count as f64 / hold.as_secs_f64(), hold);
        let mut seen = 0;
        self.drive(MINUTE * minutes, |generator, now| {
            tide.turn(generator, usize::MAX, now);
            let minute = (now.duration_since(tide.start).as_secs() / MINUTE.as_secs()) as u32;
            if minute > seen {
                seen = minute;
                look(generator, minute);
            }
            false
        });
    }
}
