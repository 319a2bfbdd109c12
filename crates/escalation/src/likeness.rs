//! How alike two texts are, by their words alone: no embedding, so synonyms are strangers to each other.

use crate::words::Words;

/// The words of a text that carry its meaning, each cut to its stem and kept once, and whether it denies.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Gist {
    stems: Vec<String>,
    denies: bool,
}

/// Fewer meaningful words than this are like nothing: "yes please" comes up in every call.
const LEAST: usize = 2;
/// More than this are not looked at.
const MOST: usize = 60;

impl Gist {
    pub(crate) fn new(words: &Words) -> Self {
        let all = || (0..words.len()).filter_map(|index| words.get(index));
        let mut stems: Vec<String> = all()
            .filter(|word| !is_filler(word) && !denies(word))
            .take(MOST)
            .map(|word| stem(word).to_owned())
            .collect();
        stems.sort_unstable();
        stems.dedup();
        Self { stems, denies: all().any(denies) }
    }

    /// 0 nothing in common, 1 the same words (Dice). Too few words are like nothing.
    pub(crate) fn like(&self, other: &Self) -> f32 {
        if self.stems.len().min(other.stems.len()) < LEAST {
            return 0.0;
        }
        let common = self.stems.iter().filter(|stem| other.stems.binary_search(stem).is_ok()).count();
        2.0 * common as f32 / (self.stems.len() + other.stems.len()) as f32
    }

    /// One says yes, the other no.
    pub(crate) const fn opposes(&self, other: &Self) -> bool {
        self.denies != other.denies
    }
}

/// The first letters say enough: `charged`, `charges` and `charging` are the same.
fn stem(word: &str) -> &str {
    let word = ["ing", "ed", "es", "s"]
        .iter()
        .find_map(|ending| word.strip_suffix(ending).filter(|rest| rest.chars().count() > 3))
        .unwrap_or(word);
    word.strip_suffix('e').filter(|rest| rest.chars().count() > 3).unwrap_or(word)
}

fn denies(word: &str) -> bool {
    matches!(
        word,
        "no" | "not"
            | "cannot"
            | "cant"
            | "never"
            | "dont"
            | "doesnt"
            | "didnt"
            | "wont"
            | "isnt"
            | "arent"
            | "wasnt"
            | "werent"
            | "wouldnt"
            | "couldnt"
            | "nothing"
            | "unable"
            | "impossible"
            | "nicht"
            | "kein"
            | "keine"
            | "nunca"
            | "jamais"
    )
}

/// Words that are in every sentence; "why", "when" and "how" stay, for they tell questions apart.
fn is_filler(word: &str) -> bool {
    word.len() < 2 || FILLERS.binary_search(&word).is_ok()
}

/// In order.
#[rustfmt::skip]
const FILLERS: &[&str] = &[
    "about", "again", "already", "also", "am", "an", "and", "are", "as", "ask", "asked", "asking", "at", "be", "been",
    "but", "by", "can", "could", "das", "de", "der", "des", "did", "die", "do", "does", "done", "du", "ein", "eine",
    "el", "elle", "en", "er", "es", "est", "et", "for", "from", "fur", "get", "go", "going", "got", "had", "has",
    "have", "having", "he", "hello", "here", "hi", "hm", "hmm", "ich", "id", "if", "il", "im", "in", "is", "ist",
    "it", "its", "ive", "je", "just", "know", "la", "las", "le", "les", "let", "lets", "like", "look", "los", "may",
    "me", "mean", "might", "mine", "mit", "must", "my", "need", "now", "of", "ok", "okay", "on", "or", "our", "para",
    "please", "por", "que", "really", "right", "said", "say", "shall", "she", "should", "sie", "so", "tell", "than",
    "thank", "thanks", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "to",
    "told", "uh", "um", "un", "una", "und", "us", "very", "von", "vous", "want", "was", "we", "well", "were", "what",
    "whats", "which", "who", "will", "with", "would", "yeah", "yes", "you", "your", "yours", "zu",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn like(one: &str, other: &str) -> f32 {
        Gist::new(&Words::new(one)).like(&Gist::new(&Words::new(other)))
    }

    #[test]
    fn the_same_question_in_other_words_is_alike_and_another_question_is_not() {
        for (one, other) in [
            ("Why was I charged twice for my order?", "I want to know why you charged the order two times, twice!"),
            ("When will my parcel be delivered?", "So when is the parcel getting delivered then"),
            ("How do I reset my password", "I said, resetting the password, how"),
            ("where is my refund", "Where's the refund, where is it"),
        ] {
            assert!(like(one, other) >= 0.6, "{one} / {other}: {}", like(one, other));
        }
        for (one, other) in [
            ("Why was I charged twice for my order?", "When will my order arrive?"),
            ("How do I reset my password", "How do I change my address"),
            ("yes please", "yes please"),
            ("", ""),
        ] {
            assert!(like(one, other) < 0.6, "{one} / {other}: {}", like(one, other));
        }
    }

    #[test]
    fn the_fillers_are_in_order() {
        assert!(FILLERS.is_sorted());
    }

    #[test]
    fn synonyms_are_not_seen() {
        assert!(like("where is my parcel", "what happened to the package I ordered") < 0.3);
    }
}
