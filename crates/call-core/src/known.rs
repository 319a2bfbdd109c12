//! What is known about a call so far, bounded, and the handoff package made from it.

use crate::call::About;
use call_model::package::{Article, Attempt, SummaryBy, Utterance};
use call_model::{Decision, EarlierHandoff, Fact, FactKind, HandoffId, HandoffPackage, Instant, Speaker, VoiceScore};

const MAX_TURNS: usize = 400;
const MAX_ITEMS: usize = 64;
const MAX_TEXT: usize = 2000;
const MAX_VOICE: usize = 600;
const MAX_EARLIER: usize = 8;
const MAX_ARTICLES: usize = 12;

/// The facts of a call that a human wants to know.
#[derive(Debug, Default)]
pub(crate) struct Known {
    summary: Option<String>,
    intent: Option<String>,
    entities: Vec<(String, String)>,
    actions: Vec<Attempt>,
    next_steps: Vec<String>,
    opening: Option<String>,
    articles: Vec<Article>,
    transcript: Vec<Utterance>,
    trajectory: Vec<(Instant, VoiceScore)>,
    earlier: Vec<EarlierHandoff>,
}

impl Known {
    /// Remembers what a human would want of this fact. False: nothing.
    pub(crate) fn note(&mut self, fact: &Fact) -> bool {
        match &fact.kind {
            FactKind::Voice(score) => self.note_voice(fact.at, *score),
            FactKind::Turn { speaker, text, confidence } => {
                let text = clip(text);
                push(
                    &mut self.transcript,
                    MAX_TURNS,
                    Utterance { at: fact.at, speaker: *speaker, text, confidence: *confidence },
                );
            }
            FactKind::Intent { name, .. } => self.intent = Some(clip(name)),
            FactKind::Entity { name, value } => self.note_entity(clip(name), clip(value)),
            FactKind::Action { name, succeeded, result } => {
                let (name, result) = (clip(name), clip(result));
                push(&mut self.actions, MAX_ITEMS, Attempt { at: fact.at, name, succeeded: *succeeded, result });
            }
            FactKind::Summary(text) => self.summary = Some(clip(text)).filter(|text| !text.is_empty()),
            FactKind::NextSteps(steps) => {
                self.next_steps = steps.iter().take(MAX_ITEMS).map(|step| clip(step)).collect()
            }
            FactKind::Opening(text) => self.opening = Some(clip(text)).filter(|text| !text.is_empty()),
            FactKind::Articles(articles) => articles.iter().for_each(|article| self.note_article(article)),
            FactKind::Introduced
            | FactKind::Withdrawn
            | FactKind::Recording(_)
            | FactKind::Callback(_)
            | FactKind::Announcement { .. }
            | FactKind::AskedForHuman
            | FactKind::BotEscalates { .. }
            | FactKind::LoneDigit(_)
            | FactKind::BotDown { .. } => return false,
        }
        true
    }

    /// How upset the caller sounds now, 0-100.
    pub(crate) fn score(&self) -> u8 {
        let distress = self.trajectory.last().map_or(0.0, |(_, score)| score.distress);
        (distress.clamp(0.0, 1.0) * 100.0).round() as u8
    }

    /// The value last heard under this name.
    pub(crate) fn entity(&self, name: &str) -> Option<&str> {
        self.entities.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The package as it stands.
    pub(crate) fn package(
        &self,
        about: &About,
        handoff: HandoffId,
        decision: &Decision,
        version: u32,
    ) -> HandoffPackage {
        HandoffPackage {
            id: handoff,
            call: about.id,
            session_id: about.session_id.clone(),
            version,
            call_started_unix_ms: about.began_unix_ms,
            started: decision.at,
            caller: about.from.clone(),
            caller_name: about.caller_name.clone(),
            called: about.to.clone(),
            trigger: decision.trigger,
            rule: decision.rule.clone(),
            because: decision.because.clone(),
            urgency: decision.urgency,
            summary: self.summary(decision),
            summary_by: if self.summary.is_some() { SummaryBy::Bot } else { SummaryBy::Gateway },
            intent: self.intent.clone(),
            entities: self.entities.clone(),
            actions: self.actions.clone(),
            next_steps: self.next_steps.clone(),
            opening: self.opening.clone(),
            articles: self.articles.clone(),
            transcript: self.transcript.clone(),
            trajectory: self.trajectory.clone(),
            earlier: self.earlier.clone(),
            callback: None,
        }
    }

    /// What was known when a package was made.
    pub(crate) fn from_package(package: &HandoffPackage) -> Self {
        Self {
            summary: Some(package.summary.clone()).filter(|_| package.summary_by == SummaryBy::Bot),
            intent: package.intent.clone(),
            entities: package.entities.clone(),
            actions: package.actions.clone(),
            next_steps: package.next_steps.clone(),
            opening: package.opening.clone(),
            articles: package.articles.clone(),
            transcript: package.transcript.clone(),
            trajectory: package.trajectory.clone(),
            earlier: package.earlier.clone(),
        }
    }

    /// The bot's summary, or one made from what is known.
    pub(crate) fn summary(&self, decision: &Decision) -> String {
        self.summary.clone().unwrap_or_else(|| self.makeshift_summary(decision))
    }

    /// A handoff is over.
    pub(crate) fn note_earlier(&mut self, earlier: EarlierHandoff) {
        self.forget_earlier(earlier.id);
        push(&mut self.earlier, MAX_EARLIER, earlier);
    }

    /// A handoff is not over after all.
    pub(crate) fn forget_earlier(&mut self, id: HandoffId) {
        self.earlier.retain(|earlier| earlier.id != id);
    }

    /// A summary for want of one by the bot: only what was observed, nothing guessed.
    fn makeshift_summary(&self, decision: &Decision) -> String {
        let mut parts = Vec::new();
        if let Some(intent) = &self.intent {
            parts.push(format!("The caller wants: {}.", intent.replace('_', " ")));
        }
        if let Some(because) = decision.because.first() {
            parts.push(format!("Handed over because: {}.", because.text.trim_end_matches('.')));
        }
        if !self.entities.is_empty() {
            let heard: Vec<_> = self.entities.iter().map(|(name, value)| format!("{name} {value}")).collect();
            parts.push(format!("Heard: {}.", heard.join(", ")));
        }
        if !self.actions.is_empty() {
            let word = |done: bool| if done { "done" } else { "failed" };
            let tried: Vec<_> = self.actions.iter().map(|a| format!("{} ({})", a.name, word(a.succeeded))).collect();
            parts.push(format!("The bot tried: {}.", tried.join(", ")));
        }
        if let Some(said) = self.transcript.iter().rev().find(|turn| turn.speaker == Speaker::Caller) {
            parts.push(format!("Last said: \"{}\"", said.text));
        }
        clip(&parts.join(" "))
    }

    fn note_entity(&mut self, name: String, value: String) {
        if let Some((_, known)) = self.entities.iter_mut().find(|(known, _)| *known == name) {
            *known = value;
        } else if self.entities.len() < MAX_ITEMS {
            self.entities.push((name, value));
        }
    }

    /// The newest article of a title replaces the one before.
    fn note_article(&mut self, article: &Article) {
        let article = Article { title: clip(&article.title), text: clip(&article.text), url: article.url.clone() };
        self.articles.retain(|known| known.title != article.title);
        push(&mut self.articles, MAX_ARTICLES, article);
    }

    /// Keeps the whole curve: when full, every second point goes.
    fn note_voice(&mut self, at: Instant, score: VoiceScore) {
        if self.trajectory.len() >= MAX_VOICE {
            let mut keep = false;
            self.trajectory.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.trajectory.push((at, score));
    }
}

/// Adds an item; the oldest makes room.
fn push<T>(items: &mut Vec<T>, most: usize, item: T) {
    if items.len() >= most {
        items.remove(0);
    }
    items.push(item);
}

/// The first characters of a text.
fn clip(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => text[..end].to_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use call_model::{Because, Layer, Trigger, Urgency};

    fn known(kinds: Vec<FactKind>) -> Known {
        let mut known = Known::default();
        for kind in kinds {
            known.note(&Fact { at: Instant::from_millis(5), kind });
        }
        known
    }

    fn decision() -> Decision {
        let because = vec![Because { at: Instant::ZERO, text: "the caller pressed 0".to_owned() }];
        let (trigger, layer, urgency) = (Trigger::Dtmf, Layer::Hard, Urgency::Normal);
        Decision { at: Instant::ZERO, rule: "zero".to_owned(), trigger, layer, urgency, because }
    }

    #[test]
    fn a_makeshift_summary_says_what_was_observed() {
        let known = known(vec![
            FactKind::Intent { name: "dispute_fee".to_owned(), confidence: None },
            FactKind::Entity { name: "order".to_owned(), value: "41".to_owned() },
            FactKind::Entity { name: "order".to_owned(), value: "42".to_owned() },
            FactKind::Action { name: "refund".to_owned(), succeeded: false, result: "limit".to_owned() },
            FactKind::Turn { speaker: Speaker::Caller, text: "this is wrong".to_owned(), confidence: None },
        ]);
        assert_eq!(
            known.makeshift_summary(&decision()),
            "The caller wants: dispute fee. Handed over because: the caller pressed 0. Heard: order 42. \
             The bot tried: refund (failed). Last said: \"this is wrong\""
        );
    }

    #[test]
    fn nothing_grows_for_ever() {
        let turn = |n: usize| FactKind::Turn {
            speaker: Speaker::Bot,
            text: format!("{n} {}", "x".repeat(9000)),
            confidence: None,
        };
        let voice = |_| FactKind::Voice(VoiceScore { distress: 0.5, ..VoiceScore::default() });
        let entity = |n: usize| FactKind::Entity { name: n.to_string(), value: String::new() };
        let kinds = (0..2000).map(turn).chain((0..2000).map(voice)).chain((0..2000).map(entity)).collect();
        let known = known(kinds);
        assert_eq!((known.transcript.len(), known.entities.len()), (MAX_TURNS, MAX_ITEMS));
        assert!(known.trajectory.len() <= MAX_VOICE);
        assert!(known.transcript.iter().all(|turn| turn.text.chars().count() <= MAX_TEXT));
        assert_eq!(known.transcript[MAX_TURNS - 1].text.split(' ').next(), Some("1999"));
        assert_eq!(known.score(), 50);
    }
}
