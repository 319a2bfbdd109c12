//! What one rule has seen of one call, and when that is enough.

use crate::rules::{Distress, Rule, Said, When};
use crate::words::{Words, quoted};
use call_model::{Because, Fact, FactKind, Instant, Speaker, VoiceScore};
use core::time::Duration;

/// What a caller said, cut into words, with the end of what was said just before.
#[derive(Debug)]
pub(crate) struct Heard {
    text: String,
    words: Words,
    /// Words before this one were heard with the turn before.
    fresh: usize,
}

/// What one rule has seen so far. Bounded by the rule's `times`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    run: Option<Run>,
    calmest: Option<(Instant, f32)>,
    /// By source: what the caller said, what the bot said, intents.
    lows: [Vec<Because>; 3],
    failures: Vec<(String, Because)>,
}

/// Windows over the threshold.
#[derive(Clone, Copy, Debug)]
struct Run {
    since: Instant,
    /// The newest window that counted or at least was voiced.
    last: Instant,
    first: f32,
    counted: Duration,
}

/// Windows come once a second; a pause without speech between two counts as no more than this.
const LONGEST_STEP: Duration = Duration::from_millis(1_500);
/// Characters of a caller's words in a reason.
const QUOTE: usize = 80;
/// Words of the turn before that may begin a phrase, and for how long.
const TAIL_WORDS: usize = 6;

impl Heard {
    pub(crate) fn new(tail: &str, text: &str) -> Self {
        let fresh = Words::new(tail).len();
        let text = format!("{tail} {text}");
        Self { words: Words::new(&text), text, fresh }
    }

    /// The last few words, for the next turn.
    pub(crate) fn tail(&self) -> &str {
        let first = self.words.len().saturating_sub(TAIL_WORDS);
        self.words.place(first, self.words.len()).map_or("", |(from, to)| &self.text[from..to])
    }

    fn find(&self, said: &Said) -> Option<String> {
        let mut masked = vec![false; self.words.len()];
        said.unless.iter().for_each(|phrase| phrase.mask(&self.words, &mut masked, self.fresh));
        let (first, end) = said.phrases.iter().find_map(|phrase| phrase.find(&self.words, &masked, self.fresh))?;
        let (from, to) = self.words.place(first, end)?;
        Some(quoted(&self.text[from..to], QUOTE))
    }
}

impl Evidence {
    /// Takes a fact in; the reasons, when the rule is satisfied. The evidence is used up by that.
    pub(crate) fn observe(
        &mut self,
        rule: &Rule,
        fact: &Fact,
        heard: Option<&Heard>,
        now: Instant,
    ) -> Option<Vec<Because>> {
        let one = |text: String| Some(vec![Because { at: fact.at, text }]);
        match (&rule.when, &fact.kind) {
            (When::Asked { event: true, .. }, FactKind::AskedForHuman) => {
                one("the bot reports that the caller asked for a human".to_owned())
            }
            (When::Asked { said, .. }, FactKind::Turn { .. }) => one(format!("the caller said {}", heard?.find(said)?)),
            (When::Emergency(said) | When::Compliance(said), FactKind::Turn { .. }) => {
                one(format!("the caller said {}", heard?.find(said)?))
            }
            (When::Key { digits }, FactKind::LoneDigit(digit)) if digits.contains(digit) => {
                one(format!("the caller pressed {digit}"))
            }
            (When::BotDown, FactKind::BotDown { why }) => one(format!("the bot is gone: {}", plain(why))),
            (When::BotEscalates, FactKind::BotEscalates { because }) => {
                one(format!("the bot asks for a human: {}", plain(because)))
            }
            (When::Distress(distress), FactKind::Voice(score)) => self.voice(distress, score, now),
            (When::LowConfidence { below, times, .. }, kind) => self.confidence(*below, *times, kind, now),
            (When::FailedAttempts { times, .. }, FactKind::Action { name, succeeded, result }) => {
                self.attempt(*times, name, *succeeded, result, now)
            }
            _ => None,
        }
    }

    /// When something of it is too old to count.
    pub(crate) fn stale_at(&self, when: &When) -> Option<Instant> {
        match when {
            When::Distress(distress) => self.run.map(|run| run.last + distress.forget),
            When::LowConfidence { within, .. } => {
                self.lows.iter().filter_map(|lows| lows.first()).map(|low| low.at + *within).min()
            }
            When::FailedAttempts { within, .. } => self.failures.first().map(|(_, failure)| failure.at + *within),
            _ => None,
        }
    }

    /// Drops what is too old to count.
    pub(crate) fn forget(&mut self, when: &When, now: Instant) {
        match when {
            When::Distress(distress) => self.run = self.run.filter(|run| run.last + distress.forget > now),
            When::LowConfidence { within, .. } => {
                self.lows.iter_mut().for_each(|lows| lows.retain(|low| low.at + *within > now));
            }
            When::FailedAttempts { within, .. } => self.failures.retain(|(_, failure)| failure.at + *within > now),
            _ => {}
        }
    }

    /// Starts anew; what the caller sounded like when calm stays known.
    pub(crate) fn clear(&mut self) {
        *self = Self { calmest: self.calmest, ..Self::default() };
    }

    fn voice(&mut self, rule: &Distress, score: &VoiceScore, now: Instant) -> Option<Vec<Because>> {
        let usable = score.distress.is_finite() && score.speech_ratio >= rule.speech_ratio;
        let threshold = if score.baselined { Some(rule.threshold) } else { rule.threshold_before_baseline };
        let (true, Some(threshold)) = (usable, threshold) else { return None };
        if self.calmest.is_none_or(|(_, calmest)| score.distress < calmest) {
            self.calmest = Some((now, score.distress));
        }
        if score.distress < rule.clear_below {
            self.run = None;
            return None;
        }
        let over = score.distress >= threshold;
        let Some(run) = &mut self.run else {
            if over {
                self.run = Some(Run { since: now, last: now, first: score.distress, counted: Duration::ZERO });
            }
            return self.enough(rule, score, threshold);
        };
        let step = now.since(run.last).min(LONGEST_STEP);
        run.last = now;
        if !over {
            return None;
        }
        run.counted += step;
        self.enough(rule, score, threshold)
    }

    fn enough(&mut self, rule: &Distress, score: &VoiceScore, threshold: f32) -> Option<Vec<Because>> {
        let run = self.run.filter(|run| run.counted >= rule.lasting)?;
        let calm = self.calmest.filter(|(at, calmest)| *at < run.since && *calmest < run.first);
        let calm = calm.map_or(String::new(), |(at, calmest)| {
            format!(", up from {calmest:.2} {} s before", run.since.since(at).as_secs())
        });
        let voice = if score.baselined { "against the caller's own baseline" } else { "before a baseline was known" };
        let passed = Because { at: run.since, text: format!("distress {:.2} passed {threshold:.2}{calm}", run.first) };
        let lasted = run.counted.as_secs_f32();
        let text = format!("distress {:.2} after {lasted:.1} s over {threshold:.2}, {voice}", score.distress);
        self.run = None;
        Some(vec![passed, Because { at: run.last, text }])
    }

    fn confidence(&mut self, below: f32, times: usize, kind: &FactKind, now: Instant) -> Option<Vec<Because>> {
        let (source, confidence, on) = match kind {
            FactKind::Turn { speaker, text, confidence } => {
                (if *speaker == Speaker::Caller { 0 } else { 1 }, (*confidence)?, format!("on {}", quoted(text, QUOTE)))
            }
            FactKind::Intent { name, confidence } => {
                (2, (*confidence)?, format!("in the intent {}", quoted(name, QUOTE)))
            }
            _ => return None,
        };
        let lows = &mut self.lows[source];
        if confidence >= below {
            lows.clear();
            return None;
        }
        if !(0.0..below).contains(&confidence) {
            return None;
        }
        let nth = ORDINALS.get(lows.len()).filter(|_| !lows.is_empty());
        let nth = nth.map_or(String::new(), |nth| format!(", {nth} low in a row"));
        lows.push(Because { at: now, text: format!("confidence {confidence:.2} {on}{nth}") });
        (lows.len() >= times).then(|| core::mem::take(lows))
    }

    fn attempt(&mut self, times: usize, name: &str, worked: bool, result: &str, now: Instant) -> Option<Vec<Because>> {
        if worked {
            self.failures.retain(|(failed, _)| failed != name);
            return None;
        }
        let text = match plain(result) {
            result if result.is_empty() => format!("{} failed", plain(name)),
            result => format!("{} failed: {result}", plain(name)),
        };
        self.failures.push((name.to_owned(), Because { at: now, text }));
        let enough = self.failures.len() >= times;
        enough.then(|| core::mem::take(&mut self.failures).into_iter().map(|(_, because)| because).collect())
    }
}

/// A text on one line, bounded.
fn plain(text: &str) -> String {
    quoted(text, 2 * QUOTE).trim_matches('"').to_owned()
}

/// What the n-th low in a row is called; the first needs no mention.
const ORDINALS: [&str; 10] =
    ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];
