//! Phrases of a rules file, and where they occur in what a caller said.

use crate::words::{Words, bucket};

/// A compiled phrase: `talk|speak to a? real? human|person`. See docs/rules.md for the notation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Phrase {
    source: String,
    steps: Vec<Step>,
    at_start: bool,
    at_end: bool,
    /// The steps a match may begin with, one bit each.
    entry: u64,
    /// The steps that may be left out, one bit each.
    optional: u64,
    /// The buckets of words a match may begin with: most words of a turn end here.
    begins: u128,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Step {
    /// Any of these; empty: any word.
    words: Vec<Word>,
    optional: bool,
    /// The buckets of its words.
    buckets: u128,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Word {
    Exact(String),
    Prefix(String),
}

/// Words that `...` may stand for.
const GAP: usize = 3;
/// One bit of a mask for each step, and one for "done".
const MAX_STEPS: usize = 63;

impl Phrase {
    /// Compiles a phrase; the error says what to fix.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        let mut phrase = Self {
            source: source.to_owned(),
            steps: Vec::new(),
            at_start: false,
            at_end: false,
            entry: 0,
            optional: 0,
            begins: 0,
        };
        let tokens: Vec<&str> = source.split_whitespace().collect();
        for (index, token) in tokens.iter().enumerate() {
            match *token {
                "^" if index == 0 => phrase.at_start = true,
                "$" if index + 1 == tokens.len() => phrase.at_end = true,
                "..." => phrase.steps.extend((0..GAP).map(|_| Step::new(Vec::new(), true))),
                token => phrase.push_token(token)?,
            }
        }
        if phrase.steps.len() > MAX_STEPS {
            return Err(format!("the phrase has {} steps; at most {MAX_STEPS}: split it in two", phrase.steps.len()));
        }
        if !phrase.steps.iter().any(|step| !step.optional) {
            return Err("the phrase needs at least one word that is not optional".to_owned());
        }
        let optional = phrase.steps.iter().enumerate().filter(|(_, step)| step.optional);
        phrase.optional = optional.fold(0, |bits, (i, _)| bits | (1 << i));
        phrase.entry = phrase.with_skips(1);
        let entry = bits(phrase.entry).filter_map(|i| phrase.steps.get(i));
        phrase.begins = entry.fold(0, |buckets, step| buckets | step.buckets);
        Ok(phrase)
    }

    /// The phrase as it stands in the file.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The first occurrence that ends after word `fresh`, as (first word, word after the last), none of it masked.
    ///
    /// Words before `fresh` were heard earlier: they may begin a phrase, but not be all of it.
    pub(crate) fn find(&self, words: &Words, masked: &[bool], fresh: usize) -> Option<(usize, usize)> {
        if !self.is_possible(words) {
            return None;
        }
        self.starts(words, fresh).find_map(|first| {
            let end = self.matches_at(words, masked, first)?;
            (end > fresh).then_some((first, end))
        })
    }

    /// Marks the words of every occurrence.
    pub(crate) fn mask(&self, words: &Words, masked: &mut [bool], fresh: usize) {
        if !self.is_possible(words) {
            return;
        }
        for first in self.starts(words, fresh) {
            let end = self.matches_at(words, &[], first).unwrap_or(first);
            masked.iter_mut().take(end).skip(first).for_each(|word| *word = true);
        }
    }

    /// Whether every word it needs may be there.
    fn is_possible(&self, words: &Words) -> bool {
        self.steps.iter().all(|step| step.optional || step.buckets & words.buckets() != 0)
    }

    fn starts(&self, words: &Words, fresh: usize) -> core::ops::Range<usize> {
        let (first, end) = if self.at_start { (fresh, fresh + 1) } else { (0, words.len()) };
        first..end.min(words.len())
    }

    fn push_token(&mut self, token: &str) -> Result<(), String> {
        let (body, optional) = token.strip_suffix('?').map_or((token, false), |body| (body, true));
        let alternatives: Vec<&str> = body.split('|').collect();
        let simple = alternatives.len() == 1 && !optional && !body.ends_with('*');
        if simple {
            let words = Words::new(body);
            let exact = (0..words.len()).filter_map(|i| words.get(i)).map(|word| Word::Exact(word.to_owned()));
            self.steps.extend(exact.map(|word| Step::new(vec![word], false)));
            return if words.len() == 0 { Err(format!("`{token}` holds no word")) } else { Ok(()) };
        }
        let words = alternatives.iter().map(|text| Self::word(text, token)).collect::<Result<Vec<_>, _>>()?;
        self.steps.push(Step::new(words, optional));
        Ok(())
    }

    fn word(text: &str, token: &str) -> Result<Word, String> {
        let (text, prefix) = text.strip_suffix('*').map_or((text, false), |text| (text, true));
        let words = Words::new(text);
        match (words.get(0), words.len()) {
            (Some(word), 1) if prefix => Ok(Word::Prefix(word.to_owned())),
            (Some(word), 1) => Ok(Word::Exact(word.to_owned())),
            _ => Err(format!("each part of `{token}` must be one word; write several words apart, without | ? or *")),
        }
    }

    /// Where the longest occurrence from word `first` ends. All states at once, so the time is bounded by
    /// steps times words whatever the phrase.
    fn matches_at(&self, words: &Words, masked: &[bool], first: usize) -> Option<usize> {
        let done = 1_u64 << self.steps.len();
        if self.begins & words.bucket(first) == 0 {
            return None;
        }
        let mut states = self.entry;
        let mut end = None;
        for index in first.. {
            if states & done != 0 && (!self.at_end || index == words.len()) {
                end = Some(index);
            }
            if states & !done == 0 || masked.get(index).copied().unwrap_or(false) {
                break;
            }
            let Some(word) = words.get(index) else { break };
            states = self.advance(states, word, words.bucket(index));
        }
        end.filter(|end| *end > first)
    }

    fn advance(&self, states: u64, word: &str, bucket: u128) -> u64 {
        let accepts =
            |i: &usize| self.steps.get(*i).is_some_and(|step| step.buckets & bucket != 0 && step.accepts(word));
        self.with_skips(bits(states).filter(accepts).fold(0, |next, i| next | (1_u64 << (i + 1))))
    }

    /// Adds the states reached by leaving optional steps out.
    fn with_skips(&self, mut states: u64) -> u64 {
        loop {
            let more = states | ((states & self.optional) << 1);
            if more == states {
                return states;
            }
            states = more;
        }
    }
}

/// The numbers of the bits that are set.
fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let first = (set != 0).then(|| set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(first)
    })
}

impl Step {
    fn new(words: Vec<Word>, optional: bool) -> Self {
        let buckets = words.iter().fold(0, |buckets, word| buckets | word.buckets());
        Self { buckets: if words.is_empty() { u128::MAX } else { buckets }, words, optional }
    }

    fn accepts(&self, word: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|w| w.matches(word))
    }
}

impl Word {
    /// A beginning of one letter may be in any.
    fn buckets(&self) -> u128 {
        match self {
            Self::Prefix(prefix) if prefix.len() < 2 => u128::MAX,
            Self::Exact(text) | Self::Prefix(text) => bucket(text),
        }
    }

    fn matches(&self, word: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == word,
            Self::Prefix(prefix) => word.starts_with(prefix.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_match_whole_words_and_nothing_else() {
        for (phrase, text, found) in [
            ("heart attack", "I think it's a HEART-attack!", true),
            ("heart attack", "my heart, attacked", false),
            ("talk|speak to a? human", "let me speak to human", true),
            ("talk|speak to a? human", "let me talk to a human please", true),
            ("talk|speak to a? human", "let me talk to the human", false),
            ("smell ... gas", "i smell a lot of gas", true),
            ("smell ... gas", "i smell gas", true),
            ("smell ... gas", "i smell something but not any gas", false),
            ("anaphyla*", "is it anaphylaxis", true),
            ("anaphyla*", "ana", false),
            ("^ agent please? $", "Agent, please.", true),
            ("^ agent please? $", "my agent please", false),
            ("^ agent please? $", "agent please help", false),
            ("^ agent", "agent of change", true),
            ("can't breathe", "I cant breathe", true),
            ("人工", "我要人工服务", true),
            ("a b? c? d", "a d", true),
            ("... stop", "stop", true),
        ] {
            let words = Words::new(text);
            let result = Phrase::parse(phrase).map(|p| p.find(&words, &[], 0).is_some());
            assert_eq!(result, Ok(found), "{phrase} in {text}");
        }
    }

    #[test]
    fn a_masked_word_is_not_there() {
        let words = Words::new("no emergency here but an emergency");
        let phrase = Phrase::parse("emergency").expect("a phrase");
        assert_eq!(phrase.find(&words, &[], 0), Some((1, 2)));
        assert_eq!(phrase.find(&words, &[true, true, false, false, false, false], 0), Some((5, 6)));
        assert_eq!(phrase.find(&words, &[true; 6], 0), None);
    }

    #[test]
    fn words_heard_earlier_may_begin_a_phrase_but_not_be_all_of_it() {
        let words = Words::new("speak to a human about this");
        let phrase = Phrase::parse("speak to a human").expect("a phrase");
        assert_eq!(phrase.find(&words, &[], 3), Some((0, 4)));
        assert_eq!(phrase.find(&words, &[], 4), None);
        let start = Phrase::parse("^ about").expect("a phrase");
        assert_eq!(start.find(&words, &[], 4), Some((4, 5)));
        assert_eq!(start.find(&words, &[], 0), None);
    }

    #[test]
    fn a_phrase_that_makes_no_sense_is_refused_with_advice() {
        for (phrase, complaint) in [
            ("", "the phrase needs at least one word that is not optional"),
            ("a? ...", "the phrase needs at least one word that is not optional"),
            ("--", "`--` holds no word"),
            ("e-mail|post", "each part of `e-mail|post` must be one word; write several words apart, without | ? or *"),
            ("a||b", "each part of `a||b` must be one word; write several words apart, without | ? or *"),
        ] {
            assert_eq!(Phrase::parse(phrase).map(|_| ()), Err(complaint.to_owned()));
        }
        assert!(Phrase::parse(&"word ".repeat(64)).is_err_and(|text| text.contains("split it in two")));
    }
}
