//! What one rule has seen of one call, and when that is enough.

use crate::likeness::Gist;
use crate::rules::{Distress, Often, Said, When};
use crate::words::{Words, quoted};
use call_model::{Because, Fact, FactKind, Instant, Speaker, VoiceScore};
use core::time::Duration;

/// A turn, cut into words; a caller's with the end of what was said just before.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) speaker: Speaker,
    text: String,
    words: Words,
    /// Words before this one were heard with the turn before.
    fresh: usize,
    /// What this turn says, without the one before.
    pub(crate) gist: Gist,
}

/// What one rule has seen so far. Bounded by the rule's `times`, and [`MOST_SEEN`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) run: Option<Run>,
    calmest: Option<(Instant, f32)>,
    /// By source: what the caller said, what the bot said, intents.
    pub(crate) lows: [Vec<Because>; 3],
    /// What is counted, the oldest first.
    pub(crate) seen: Vec<Seen>,
    /// The most telling figure so far: the highest distress, or the lowest confidence and on what.
    pub(crate) extreme: Option<(f32, Because)>,
    /// The newest voice that helps words of frustration.
    pub(crate) voice: Option<(Instant, f32)>,
}

/// One thing that is counted.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) because: Because,
    pub(crate) what: What,
}

/// What tells one from another.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// Nothing does: each counts.
    Any,
    /// The action, or the intent.
    Named(String),
    /// What was said.
    Said(Gist),
}

/// Windows over the threshold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    since: Instant,
    /// The newest window that counted or at least was voiced.
    last: Instant,
    first: f32,
    pub(crate) counted: Duration,
}

/// Windows come once a second; a pause without speech between two counts as no more than this.
const LONGEST_STEP: Duration = Duration::from_millis(1_500);
/// Characters of a caller's words in a reason.
pub(crate) const QUOTE: usize = 80;
/// Words of the turn before that may begin a phrase, and for how long.
const TAIL_WORDS: usize = 6;
/// Things kept that are not counted yet, such as turns that may be repeated; the oldest go first.
pub(crate) const MOST_SEEN: usize = 24;

impl Heard {
    pub(crate) fn new(speaker: Speaker, tail: &str, text: &str) -> Self {
        let gist = Gist::new(&Words::new(text));
        let fresh = Words::new(tail).len();
        let text = format!("{tail} {text}");
        Self { speaker, words: Words::new(&text), text, fresh, gist }
    }

    /// The words of an action's result.
    fn result(text: &str) -> Self {
        Self { speaker: Speaker::Bot, words: Words::new(text), text: text.to_owned(), fresh: 0, gist: Gist::default() }
    }

    /// The last few words, for the next turn.
    pub(crate) fn tail(&self) -> &str {
        let first = self.words.len().saturating_sub(TAIL_WORDS);
        self.words.place(first, self.words.len()).map_or("", |(from, to)| &self.text[from..to])
    }

    /// The turn itself, as a reason quotes it.
    pub(crate) fn quote(&self) -> String {
        let from = self.words.place(self.fresh, self.words.len()).map_or(0, |(from, _)| from);
        quoted(&self.text[from..], QUOTE)
    }

    /// The words that count, quoted.
    pub(crate) fn find(&self, said: &Said) -> Option<String> {
        let found =
            |masked: &[bool]| said.phrases.iter().find_map(|phrase| phrase.find(&self.words, masked, self.fresh));
        found(&[])?;
        let mut masked = vec![false; self.words.len()];
        said.unless.iter().for_each(|phrase| phrase.mask(&self.words, &mut masked, self.fresh));
        let (first, end) = found(&masked)?;
        let (from, to) = self.words.place(first, end)?;
        Some(quoted(&self.text[from..to], QUOTE))
    }
}

impl Evidence {
    /// Takes a fact in; the reasons, when the rule is satisfied. Whoever goes by them clears the evidence.
    pub(crate) fn observe(
        &mut self,
        when: &When,
        fact: &Fact,
        heard: Option<&Heard>,
        now: Instant,
    ) -> Option<Vec<Because>> {
        let one = |text: String| Some(vec![Because { at: fact.at, text }]);
        let by = |speaker| heard.filter(|heard| heard.speaker == speaker);
        match (when, &fact.kind) {
            (When::Asked { event: true, .. }, FactKind::AskedForHuman) => {
                one("the bot reports that the caller asked for a human".to_owned())
            }
            (When::Asked { said, .. } | When::Category(_, said), FactKind::Turn { .. }) => {
                one(format!("the caller said {}", by(Speaker::Caller)?.find(said)?))
            }
            (When::Key { digits }, FactKind::LoneDigit(digit)) if digits.contains(digit) => {
                one(format!("the caller pressed {digit}"))
            }
            (When::BotDown, FactKind::BotDown { why }) => one(format!("the bot is gone: {}", plain(why))),
            (When::BotEscalates, FactKind::BotEscalates { because }) => {
                one(format!("the bot asks for a human: {}", plain(because)))
            }
            (When::Distress(distress), FactKind::Voice(score)) => self.voice(distress, score, now),
            (When::LowConfidence { below, clear_above, times, .. }, kind) => {
                self.confidence((*below, *clear_above), *times, kind, now)
            }
            (When::FailedAttempts(often), FactKind::Action { name, succeeded, result }) => {
                self.attempt(*often, name, *succeeded, result, now)
            }
            (When::Verification { actions, often }, FactKind::Action { name, succeeded, result })
                if actions.iter().any(|action| action.fits(name)) =>
            {
                self.attempt(*often, name, *succeeded, result, now)
            }
            (When::SystemError { said, often }, FactKind::Action { name, succeeded: false, result }) => {
                Heard::result(result).find(said)?;
                self.attempt(*often, name, false, result, now)
            }
            (When::HighValue { intents, confidence }, FactKind::Intent { name, confidence: sure })
                if intents.iter().any(|intent| intent.fits(name)) && sure.is_none_or(|sure| sure >= *confidence) =>
            {
                one(format!("the caller's intent is {}", quoted(name, QUOTE)))
            }
            (When::Vip { entity, values }, FactKind::Entity { name, value })
                if name == entity && values.contains(&value.to_lowercase()) =>
            {
                one(format!("{} is {}", plain(name), quoted(value, QUOTE)))
            }
            (When::Frustration { often, with_distress, fuse, .. }, FactKind::Voice(score)) => {
                self.frustrated_voice(*often, *with_distress, *fuse, score, now)
            }
            (When::Frustration { said, often, fuse, .. }, FactKind::Turn { .. }) => {
                let words = by(Speaker::Caller)?.find(said)?;
                self.frustrated_words(*often, *fuse, &words, now)
            }
            (When::SameQuestion { alike, often }, FactKind::Turn { .. }) => {
                self.said_again(*alike, *often, "the caller", by(Speaker::Caller)?, now)
            }
            (When::Loop { alike, often }, FactKind::Turn { .. }) => {
                self.said_again(*alike, *often, "the bot", by(Speaker::Bot)?, now)
            }
            (When::Loop { often, .. }, FactKind::Intent { name, .. }) => self.came_back(*often, name, now),
            (When::Hedging { said, alike, often }, FactKind::Turn { .. }) => {
                self.hedge(said, *alike, *often, by(Speaker::Bot)?, now)
            }
            (When::Unclear { said, often }, FactKind::Turn { .. }) => {
                let words = by(Speaker::Bot)?.find(said)?;
                self.count(*often, What::Any, format!("the bot had to ask again: {words}"), now)
            }
            _ => None,
        }
    }

    /// When something of it is too old to count.
    pub(crate) fn stale_at(&self, when: &When) -> Option<Instant> {
        let counted = when.within().and_then(|within| {
            let lows = self.lows.iter().filter_map(|lows| lows.first());
            let oldest = lows.chain(self.seen.first().map(|seen| &seen.because)).map(|because| because.at).min()?;
            Some(oldest + within)
        });
        match when {
            When::Distress(distress) => self.run.map(|run| run.last + distress.forget),
            _ => counted,
        }
    }

    /// Drops what is too old to count.
    pub(crate) fn forget(&mut self, when: &When, now: Instant) {
        if let When::Distress(distress) = when {
            self.run = self.run.filter(|run| run.last + distress.forget > now);
        }
        if let Some(within) = when.within() {
            self.lows.iter_mut().for_each(|lows| lows.retain(|low| low.at + within > now));
            self.seen.retain(|seen| seen.because.at + within > now);
        }
    }

    /// How much is held that counts.
    pub(crate) fn counted(&self) -> usize {
        let seen = self.seen.iter().filter(|seen| !matches!(seen.what, What::Said(_))).count();
        seen + self.lows.iter().map(Vec::len).sum::<usize>() + usize::from(self.run.is_some())
    }

    /// Starts anew; what the caller sounded like when calm stays known.
    pub(crate) fn clear(&mut self) {
        *self = Self { calmest: self.calmest, extreme: self.extreme.take(), ..Self::default() };
    }

    fn voice(&mut self, rule: &Distress, score: &VoiceScore, now: Instant) -> Option<Vec<Because>> {
        let usable = score.distress.is_finite() && score.speech_ratio >= rule.speech_ratio;
        let threshold = if score.baselined { Some(rule.threshold) } else { rule.threshold_before_baseline };
        let (true, Some(threshold)) = (usable, threshold) else { return None };
        if self.calmest.is_none_or(|(_, calmest)| score.distress < calmest) {
            self.calmest = Some((now, score.distress));
        }
        if self.extreme.as_ref().is_none_or(|(highest, _)| score.distress > *highest) {
            let text = format!("distress {:.2}, and {threshold:.2} counts", score.distress);
            self.extreme = Some((score.distress, Because { at: now, text }));
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

    fn confidence(
        &mut self,
        (below, clear_above): (f32, f32),
        times: usize,
        kind: &FactKind,
        now: Instant,
    ) -> Option<Vec<Because>> {
        let (source, confidence) = sureness(kind)?;
        let lows = self.lows.get_mut(source)?;
        if self.extreme.as_ref().is_none_or(|(lowest, _)| confidence < *lowest) {
            let text = format!("{}, and under {below:.2} is low", confidence_in(kind, confidence));
            self.extreme = Some((confidence, Because { at: now, text }));
        }
        if confidence >= below {
            if confidence >= clear_above {
                lows.clear();
            }
            return None;
        }
        if lows.len() == MOST_SEEN {
            lows.remove(0);
        }
        let nth = ORDINALS.get(lows.len()).filter(|_| !lows.is_empty());
        let nth = nth.map_or(String::new(), |nth| format!(", {nth} low in a row"));
        lows.push(Because { at: now, text: format!("{}{nth}", confidence_in(kind, confidence)) });
        (lows.len() >= times).then(|| lows.clone())
    }

    fn attempt(&mut self, often: Often, name: &str, worked: bool, result: &str, now: Instant) -> Option<Vec<Because>> {
        if worked {
            self.seen.retain(|seen| !matches!(&seen.what, What::Named(failed) if failed == name));
            return None;
        }
        let text = match plain(result) {
            result if result.is_empty() => format!("{} failed", plain(name)),
            result => format!("{} failed: {result}", plain(name)),
        };
        self.count(often, What::Named(name.to_owned()), text, now)
    }

    /// Counts one more; the reasons, when they are enough.
    pub(crate) fn count(&mut self, often: Often, what: What, text: String, now: Instant) -> Option<Vec<Because>> {
        self.keep(Seen { because: Because { at: now, text }, what });
        let enough = self.seen.len() >= often.times;
        enough.then(|| self.seen.iter().map(|seen| seen.because.clone()).collect())
    }
}

/// Confidence that is neither good nor low: it goes on, and is flagged.
pub(crate) fn doubt(when: &When, fact: &Fact) -> Option<Because> {
    let When::LowConfidence { below, review_below, .. } = when else { return None };
    let (_, confidence) = sureness(&fact.kind)?;
    let between = (*below..*review_below).contains(&confidence);
    between.then(|| Because { at: fact.at, text: confidence_in(&fact.kind, confidence) })
}

/// How sure the bot is, if the fact tells, and of which of three sources: the caller's words, its own, the intent.
fn sureness(kind: &FactKind) -> Option<(usize, f32)> {
    let (source, confidence) = match kind {
        FactKind::Turn { speaker: Speaker::Caller, confidence, .. } => (0, *confidence),
        FactKind::Turn { speaker: Speaker::Bot, confidence, .. } => (1, *confidence),
        FactKind::Intent { confidence, .. } => (2, *confidence),
        _ => return None,
    };
    confidence.filter(|confidence| *confidence >= 0.0).map(|confidence| (source, confidence))
}

fn confidence_in(kind: &FactKind, confidence: f32) -> String {
    let on = match kind {
        FactKind::Turn { text, .. } => format!("on {}", quoted(text, QUOTE)),
        FactKind::Intent { name, .. } => format!("in the intent {}", quoted(name, QUOTE)),
        _ => String::new(),
    };
    format!("confidence {confidence:.2} {on}")
}

/// A text on one line, bounded.
pub(crate) fn plain(text: &str) -> String {
    quoted(text, 2 * QUOTE).trim_matches('"').to_owned()
}

/// What the n-th of several is called; the first needs no mention.
pub(crate) const ORDINALS: [&str; 10] =
    ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];
