use crate::evidence::{Evidence, Heard};
use crate::rules::{Rule, Rules};
use call_model::{Because, Decision, Fact, FactKind, Instant, Layer, Speaker};
use core::time::Duration;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

/// What one call has shown so far, judged by the rules.
#[derive(Clone, Debug)]
pub struct Engine {
    rules: Arc<Rules>,
    /// One for each rule, in the same order.
    watches: Vec<Watch>,
    /// The end of what the caller said last.
    tail: Option<(Instant, String)>,
    now: Instant,
    decided: VecDeque<Decision>,
}

/// Why the engine wants to be woken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TimerName {
    /// Evidence is too old to count.
    Forget,
}

#[derive(Clone, Debug, Default)]
struct Watch {
    quiet_until: Option<Instant>,
    evidence: Evidence,
}

/// A sentence that speech recognition cut in two is heard as one when the halves are this close.
const SAME_SENTENCE: Duration = Duration::from_secs(4);
/// Characters of a turn that are looked at, from its end: the newest words matter.
const MAX_TURN: usize = 4000;
/// Decisions kept for a caller that does not drain; the oldest go first.
const MAX_DECIDED: usize = 16;

impl Engine {
    /// An engine for one call.
    pub fn new(rules: Arc<Rules>) -> Self {
        let watches = vec![Watch::default(); rules.rules().len()];
        Self { rules, watches, tail: None, now: Instant::ZERO, decided: VecDeque::new() }
    }

    /// Something was observed. At most one decision follows, taken by the strongest rule that is satisfied: hard
    /// before tunable, then the more urgent, then the file's order. The reasons of the others are added to it.
    pub fn handle_fact(&mut self, fact: &Fact) {
        self.now = self.now.max(fact.at);
        self.handle_timeout(self.now);
        let heard = self.hear(fact);
        let rules = Arc::clone(&self.rules);
        let mut fired: Vec<(&Rule, Vec<Because>)> = Vec::new();
        for (rule, watch) in rules.rules().iter().zip(&mut self.watches) {
            if watch.quiet_until.is_some_and(|until| until > self.now) {
                continue;
            }
            if let Some(because) = watch.evidence.observe(rule, fact, heard.as_ref(), self.now) {
                watch.rest(rule, self.now);
                fired.push((rule, because));
            }
        }
        self.decide(fired);
    }

    /// The caller is the bot's again after a handoff that failed: hard rules listen again at once, while tunable
    /// rules start their cool-down here and need new evidence.
    pub fn handle_returned(&mut self, now: Instant) {
        self.now = self.now.max(now);
        for (rule, watch) in self.rules.rules().iter().zip(&mut self.watches) {
            match rule.layer() {
                Layer::Hard => watch.quiet_until = None,
                Layer::Tunable => watch.rest(rule, self.now),
            }
        }
    }

    /// Forgets evidence that is too old to count.
    pub fn handle_timeout(&mut self, now: Instant) {
        for (rule, watch) in self.rules.rules().iter().zip(&mut self.watches) {
            watch.evidence.forget(&rule.when, now);
        }
    }

    /// The decision, if one was taken.
    pub fn poll_output(&mut self) -> Option<Decision> {
        self.decided.pop_front()
    }

    /// When [`Engine::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<(Instant, TimerName)> {
        let watched = self.rules.rules().iter().zip(&self.watches);
        let stale = watched.filter_map(|(rule, watch)| watch.evidence.stale_at(&rule.when)).min()?;
        Some((stale, TimerName::Forget))
    }

    /// The words of a caller's turn; a bot's turn in between ends the sentence.
    fn hear(&mut self, fact: &Fact) -> Option<Heard> {
        let FactKind::Turn { speaker, text, .. } = &fact.kind else { return None };
        let before = self.tail.take();
        if *speaker != Speaker::Caller {
            return None;
        }
        let close = before.filter(|(at, _)| self.now.since(*at) <= SAME_SENTENCE);
        let tail = close.map_or(Cow::Borrowed(""), |(_, tail)| Cow::Owned(tail));
        let heard = Heard::new(&tail, newest(text));
        self.tail = Some((self.now, heard.tail().to_owned()));
        Some(heard)
    }

    fn decide(&mut self, mut fired: Vec<(&Rule, Vec<Because>)>) {
        fired.sort_by_key(|(rule, _)| (rule.layer(), Reverse(rule.urgency)));
        let Some((rule, _)) = fired.first() else { return };
        let (name, trigger, layer, urgency) = (rule.name.clone(), rule.trigger(), rule.layer(), rule.urgency);
        let mut because: Vec<Because> = Vec::new();
        for reason in fired.into_iter().flat_map(|(_, reasons)| reasons) {
            if !because.contains(&reason) {
                because.push(reason);
            }
        }
        if self.decided.len() == MAX_DECIDED {
            self.decided.pop_front();
        }
        self.decided.push_back(Decision { at: self.now, rule: name, trigger, layer, urgency, because });
    }
}

impl Watch {
    fn rest(&mut self, rule: &Rule, now: Instant) {
        self.quiet_until = Some(now + rule.cool_down);
        self.evidence.clear();
    }
}

fn newest(text: &str) -> &str {
    let skip = text.chars().count().saturating_sub(MAX_TURN);
    text.char_indices().nth(skip).map_or(text, |(at, _)| &text[at..])
}
