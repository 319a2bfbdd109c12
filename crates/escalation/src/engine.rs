use crate::rules::Rules;
use call_model::{Decision, Fact, Instant};
use std::collections::VecDeque;
use std::sync::Arc;

/// What one call has shown so far, judged by the rules.
#[derive(Clone, Debug)]
pub struct Engine {
    #[expect(dead_code)]
    rules: Arc<Rules>,
    decided: VecDeque<Decision>,
}

/// Why the engine wants to be woken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TimerName {
    /// Evidence is too old to count.
    Forget,
}

impl Engine {
    /// An engine for one call.
    pub fn new(rules: Arc<Rules>) -> Self {
        Self { rules, decided: VecDeque::new() }
    }

    /// Something was observed. At most one decision follows.
    pub fn handle_fact(&mut self, _fact: &Fact) {}

    /// The caller is the bot's again after a handoff that failed: requests are heard at once, while tunable rules
    /// start their cool-down from here and need new evidence.
    pub fn handle_returned(&mut self, _now: Instant) {}

    /// Forgets evidence that is too old to count.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// The decision, if one was taken since the last call.
    pub fn poll_output(&mut self) -> Option<Decision> {
        self.decided.pop_front()
    }

    /// When [`Engine::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<(Instant, TimerName)> {
        None
    }
}
