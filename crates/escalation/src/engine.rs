use crate::evidence::{Evidence, Heard, doubt};
use crate::near::Near;
use crate::pulse::Pulse;
use crate::rules::{Judgement, Rule, Rules};
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
    /// The latest intent of the caller, by which rules may judge otherwise.
    intent: Option<String>,
    pulse: Pulse,
    doubts: VecDeque<Doubt>,
}

/// Something that goes on, and that somebody should look at later.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Doubt {
    /// The rule that flags it.
    pub rule: String,
    /// What was observed.
    pub because: Because,
}

/// Why the engine wants to be woken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TimerName {
    /// Evidence is too old to count.
    Forget,
    /// A rule over time is satisfied unless something happens before.
    Judge,
}

#[derive(Clone, Debug, Default)]
struct Watch {
    quiet_until: Option<Instant>,
    /// When it fired last.
    fired: Option<Instant>,
    /// It does not fire before, if it has to be armed again.
    armed_at: Option<Instant>,
    evidence: Evidence,
}

/// A sentence that speech recognition cut in two is heard as one when the halves are this close.
const SAME_SENTENCE: Duration = Duration::from_secs(4);
/// Characters of a turn that are looked at, from its end: the newest words matter.
const MAX_TURN: usize = 4000;
/// Decisions and doubts kept for a caller that does not drain; the oldest go first.
const MAX_KEPT: usize = 16;

impl Engine {
    /// An engine for one call.
    pub fn new(rules: Arc<Rules>) -> Self {
        let watches = vec![Watch::default(); rules.rules().len()];
        Self {
            rules,
            watches,
            tail: None,
            now: Instant::ZERO,
            decided: VecDeque::new(),
            intent: None,
            pulse: Pulse::default(),
            doubts: VecDeque::new(),
        }
    }

    /// Something was observed. At most one decision follows, taken by the strongest rule that is satisfied: hard
    /// before tunable, then the more urgent, then the file's order. The reasons of the others are added to it.
    pub fn handle_fact(&mut self, fact: &Fact) {
        self.advance(fact.at);
        self.pulse.begin(self.now);
        let heard = self.hear(fact);
        if let FactKind::Intent { name, .. } = &fact.kind {
            self.intent = Some(name.clone());
        }
        let rules = Arc::clone(&self.rules);
        let mut fired = self.due(&rules);
        for (rule, watch) in rules.rules().iter().zip(&mut self.watches) {
            let Some(judgement) = rule.judgement(self.intent.as_deref()) else { continue };
            if let Some(because) = doubt(&judgement.when, fact) {
                push(&mut self.doubts, Doubt { rule: rule.name.clone(), because });
            }
            if watch.is_quiet(self.now) && judgement.rearm.is_zero() {
                continue;
            }
            let before = watch.evidence.counted();
            let because = watch.evidence.observe(&judgement.when, fact, heard.as_ref(), self.now);
            if watch.is_disarmed(self.now) {
                if because.is_some() || watch.evidence.counted() > before {
                    watch.armed_at = Some(self.now + judgement.rearm);
                }
                watch.evidence.clear();
                continue;
            }
            if let Some(because) = because.filter(|because| lasted(because) >= judgement.lasting) {
                watch.rest(judgement, self.now);
                fired.push((rule, judgement, because));
            }
        }
        self.decide(fired);
    }

    /// Caller or bot begins or ends to speak, whatever they say.
    pub fn handle_speech(&mut self, speaker: Speaker, speaks: bool, now: Instant) {
        self.handle_timeout(now);
        self.pulse.begin(self.now);
        self.pulse.speech(speaker, speaks, self.now);
    }

    /// A human is fetched: the time that rules count stands still until [`Engine::handle_returned`].
    pub fn handle_handoff(&mut self) {
        self.pulse.leave();
    }

    /// The caller is the bot's again after a handoff that failed: hard rules listen again at once, while tunable
    /// rules start their cool-down here and need new evidence.
    pub fn handle_returned(&mut self, now: Instant) {
        self.advance(now);
        self.pulse.begin_anew(self.now);
        for (rule, watch) in self.rules.rules().iter().zip(&mut self.watches) {
            match (rule.layer(), rule.judgement(self.intent.as_deref())) {
                (Layer::Hard, _) => watch.quiet_until = None,
                (Layer::Tunable, Some(judgement)) => watch.rest(judgement, self.now),
                (Layer::Tunable, None) => watch.evidence.clear(),
            }
        }
    }

    /// Forgets evidence that is too old to count, and lets rules over time decide.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        let rules = Arc::clone(&self.rules);
        let fired = self.due(&rules);
        self.decide(fired);
    }

    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        for (rule, watch) in self.rules.rules().iter().zip(&mut self.watches) {
            if let Some(judgement) = rule.judgement(self.intent.as_deref()) {
                watch.evidence.forget(&judgement.when, self.now);
            }
        }
    }

    /// The rules over time that are satisfied by now.
    fn due<'a>(&mut self, rules: &'a Rules) -> Vec<Fired<'a>> {
        let mut fired = Vec::new();
        for (rule, watch) in rules.rules().iter().zip(&mut self.watches) {
            let Some(judgement) = rule.judgement(self.intent.as_deref()) else { continue };
            if watch.due(&self.pulse, judgement).is_some_and(|due| due <= self.now) {
                watch.rest(judgement, self.now);
                fired.push((rule, judgement, self.pulse.because(&judgement.when, self.now)));
            }
        }
        fired
    }

    /// How near each tunable rule is to being satisfied; rules of which nothing was seen are left out.
    pub fn near(&self) -> Vec<Near> {
        let judged = self.rules.rules().iter().zip(&self.watches);
        let near = judged.filter_map(|(rule, watch)| {
            let when = &rule.judgement(self.intent.as_deref())?.when;
            let near = watch.evidence.near(when).or_else(|| self.pulse.near(when, self.now))?;
            Some(Near { rule: rule.name.clone(), ..near })
        });
        near.collect()
    }

    /// What somebody should look at later, if there is anything.
    pub fn poll_doubt(&mut self) -> Option<Doubt> {
        self.doubts.pop_front()
    }

    /// The decision, if one was taken.
    pub fn poll_output(&mut self) -> Option<Decision> {
        self.decided.pop_front()
    }

    /// When [`Engine::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<(Instant, TimerName)> {
        let judged = self.rules.rules().iter().zip(&self.watches).filter_map(|(rule, watch)| {
            let judgement = rule.judgement(self.intent.as_deref())?;
            let stale = watch.evidence.stale_at(&judgement.when).map(|at| (at, TimerName::Forget));
            let due = watch.due(&self.pulse, judgement).map(|at| (at, TimerName::Judge));
            stale.into_iter().chain(due).min()
        });
        judged.min()
    }

    /// The words of a turn; a bot's turn in between ends the caller's sentence.
    fn hear(&mut self, fact: &Fact) -> Option<Heard> {
        let FactKind::Turn { speaker, text, .. } = &fact.kind else { return None };
        let before = self.tail.take();
        if *speaker != Speaker::Caller {
            return Some(Heard::new(*speaker, "", newest(text)));
        }
        let close = before.filter(|(at, _)| self.now.since(*at) <= SAME_SENTENCE);
        let tail = close.map_or(Cow::Borrowed(""), |(_, tail)| Cow::Owned(tail));
        let heard = Heard::new(*speaker, &tail, newest(text));
        self.tail = Some((self.now, heard.tail().to_owned()));
        Some(heard)
    }

    fn decide(&mut self, mut fired: Vec<Fired<'_>>) {
        fired.sort_by_key(|(rule, judgement, _)| (rule.layer(), Reverse(judgement.urgency)));
        let Some((rule, judgement, _)) = fired.first() else { return };
        let (name, trigger, layer, urgency) = (rule.name.clone(), rule.trigger(), rule.layer(), judgement.urgency);
        let mut because: Vec<Because> = Vec::new();
        for reason in fired.into_iter().flat_map(|(_, _, reasons)| reasons) {
            if !because.contains(&reason) {
                because.push(reason);
            }
        }
        push(&mut self.decided, Decision { at: self.now, rule: name, trigger, layer, urgency, because });
    }
}

/// A rule that is satisfied, how it judged, and why.
type Fired<'a> = (&'a Rule, &'a Judgement, Vec<Because>);

impl Watch {
    fn rest(&mut self, judgement: &Judgement, now: Instant) {
        self.quiet_until = Some(now + judgement.cool_down);
        self.fired = Some(now);
        self.armed_at = Some(now + judgement.rearm);
        self.evidence.clear();
    }

    fn is_quiet(&self, now: Instant) -> bool {
        self.quiet_until.is_some_and(|until| until > now)
    }

    fn is_disarmed(&self, now: Instant) -> bool {
        self.is_quiet(now) || self.armed_at.is_some_and(|at| at > now)
    }

    /// A rule that has to be armed again is not due for a stretch that it fired on.
    fn due(&self, pulse: &Pulse, judgement: &Judgement) -> Option<Instant> {
        let due = pulse.due(&judgement.when)?;
        let stretch = judgement.when.stretch()?;
        if !judgement.rearm.is_zero() && self.fired.is_some_and(|fired| due <= fired + stretch) {
            return None;
        }
        Some(self.quiet_until.map_or(due, |until| due.max(until)))
    }
}

/// From the first to the last.
fn lasted(because: &[Because]) -> Duration {
    let at = || because.iter().map(|because| because.at);
    at().max().zip(at().min()).map_or(Duration::ZERO, |(last, first)| last.since(first))
}

fn push<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == MAX_KEPT {
        queue.pop_front();
    }
    queue.push_back(item);
}

fn newest(text: &str) -> &str {
    let skip = text.chars().count().saturating_sub(MAX_TURN);
    text.char_indices().nth(skip).map_or(text, |(at, _)| &text[at..])
}
