//! Evidence in how caller and bot talk: repetitions, circles, hedges, frustration.

use crate::evidence::{Evidence, Heard, MOST_SEEN, ORDINALS, QUOTE, Seen, What};
use crate::rules::{Often, Said};
use crate::words::quoted;
use call_model::{Because, Instant, VoiceScore};
use core::time::Duration;

impl Evidence {
    /// Words of frustration. A distressed voice close by makes one time enough.
    pub(crate) fn frustrated_words(
        &mut self,
        often: Often,
        fuse: Duration,
        words: &str,
        now: Instant,
    ) -> Option<Vec<Because>> {
        let enough = self.count(often, What::Any, format!("the caller said {words}"), now);
        let voice = self.voice.filter(|(at, _)| now.since(*at) <= fuse);
        enough.or_else(|| Some(self.fused(voice?)))
    }

    /// A voice is not counted: it only lends weight to words.
    pub(crate) fn frustrated_voice(
        &mut self,
        often: Often,
        with_distress: f32,
        fuse: Duration,
        score: &VoiceScore,
        now: Instant,
    ) -> Option<Vec<Because>> {
        if !(score.distress >= with_distress && score.baselined && score.speech_ratio > 0.0) {
            return None;
        }
        self.voice = Some((now, score.distress));
        let close = self.seen.last().is_some_and(|words| now.since(words.because.at) <= fuse) && often.times > 1;
        close.then(|| self.fused((now, score.distress)))
    }

    fn fused(&self, (at, distress): (Instant, f32)) -> Vec<Because> {
        let words = self.seen.iter().map(|seen| seen.because.clone());
        let text = format!("in a voice whose distress is {distress:.2}");
        words.chain([Because { at, text }]).collect()
    }

    /// The same words again, more or less.
    pub(crate) fn said_again(
        &mut self,
        alike: f32,
        often: Often,
        who: &str,
        heard: &Heard,
        now: Instant,
    ) -> Option<Vec<Because>> {
        let same = |seen: &&Seen| matches!(&seen.what, What::Said(gist) if gist.like(&heard.gist) >= alike);
        let before: Vec<Because> = self.seen.iter().filter(same).map(|seen| seen.because.clone()).collect();
        let nth = ORDINALS.get(before.len()).filter(|_| !before.is_empty());
        let nth = nth.map_or(String::new(), |nth| format!(" for the {nth} time, more or less"));
        let text = format!("{who} said {}{nth}", heard.quote());
        self.keep(Seen { because: Because { at: now, text: text.clone() }, what: What::Said(heard.gist.clone()) });
        let enough = before.len() + 1 >= often.times;
        enough.then(|| before.into_iter().chain([Because { at: now, text }]).collect())
    }

    /// An intent that the conversation had left and is in again; one that is only reported again is not.
    pub(crate) fn came_back(&mut self, often: Often, name: &str, now: Instant) -> Option<Vec<Because>> {
        let is = |seen: &Seen| matches!(&seen.what, What::Named(intent) if intent == name);
        if self.seen.iter().rev().find(|seen| matches!(seen.what, What::Named(_))).is_some_and(is) {
            return None;
        }
        let before = self.seen.iter().filter(|seen| is(seen)).map(|seen| seen.because.clone());
        let mut all: Vec<Because> = before.collect();
        let again = if all.is_empty() { "is" } else { "is again" };
        let because = Because { at: now, text: format!("the caller's intent {again} {}", quoted(name, QUOTE)) };
        self.keep(Seen { because: because.clone(), what: What::Named(name.to_owned()) });
        all.push(because);
        (all.len() >= often.times).then_some(all)
    }

    /// A hedge, or a yes to what was a no before.
    pub(crate) fn hedge(
        &mut self,
        said: &Said,
        alike: f32,
        often: Often,
        heard: &Heard,
        now: Instant,
    ) -> Option<Vec<Because>> {
        let opposed = |seen: &&Seen| matches!(&seen.what, What::Said(gist) if gist.like(&heard.gist) >= alike && gist.opposes(&heard.gist));
        let text = match (heard.find(said), self.seen.iter().rev().find(opposed)) {
            (Some(words), _) => Some(format!("the bot hedged: {words}")),
            (None, Some(before)) => Some(format!("the bot said {} after {}", heard.quote(), before.because.text)),
            (None, None) => None,
        };
        self.keep(Seen { because: Because { at: now, text: heard.quote() }, what: What::Said(heard.gist.clone()) });
        self.keep(Seen { because: Because { at: now, text: text? }, what: What::Any });
        let hedges = self.seen.iter().filter(|seen| matches!(seen.what, What::Any));
        let hedges: Vec<Because> = hedges.map(|seen| seen.because.clone()).collect();
        (hedges.len() >= often.times).then_some(hedges)
    }

    pub(crate) fn keep(&mut self, seen: Seen) {
        if self.seen.len() == MOST_SEEN {
            self.seen.remove(0);
        }
        self.seen.push(seen);
    }
}
