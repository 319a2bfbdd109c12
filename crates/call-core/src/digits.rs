//! Keys pressed alone: no digit in the 3 s before, none in the 1.5 s after. A caller who types an account number also
//! presses 0, and does not want a human.

use call_model::Instant;
use core::time::Duration;

const BEFORE: Duration = Duration::from_secs(3);
const AFTER: Duration = Duration::from_millis(1500);

/// Watches one caller's keys.
#[derive(Debug, Default)]
pub(crate) struct LoneDigits {
    last: Option<Instant>,
    candidate: Option<(char, Instant)>,
}

impl LoneDigits {
    /// A key was pressed.
    pub(crate) fn handle_digit(&mut self, digit: char, now: Instant) {
        let alone_so_far = self.last.is_none_or(|last| now.since(last) > BEFORE);
        self.candidate = alone_so_far.then_some((digit, now + AFTER));
        self.last = Some(now);
    }

    /// The key that proves to have been alone, once.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<char> {
        self.candidate.take_if(|(_, at)| *at <= now).map(|(digit, _)| digit)
    }

    /// When it will be known.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.candidate.map(|(_, at)| at)
    }
}

/// Between two keys of one sequence.
const BETWEEN: Duration = Duration::from_secs(3);

/// Watches a telephone for a sequence of keys.
#[derive(Debug, Default)]
pub(crate) struct KeySequence {
    typed: String,
    last: Option<Instant>,
}

impl KeySequence {
    /// A key was pressed. Whether the last ones are `keys`; each counts once.
    pub(crate) fn ends(&mut self, digit: char, keys: &str, now: Instant) -> bool {
        if self.last.is_none_or(|last| now.since(last) > BETWEEN) {
            self.typed.clear();
        }
        self.last = Some(now);
        self.typed.push(digit);
        let most = keys.chars().count();
        while self.typed.chars().count() > most {
            self.typed.remove(0);
        }
        let found = !keys.is_empty() && self.typed == keys;
        if found {
            self.typed.clear();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(keys: &str, presses: &[(char, u64)]) -> Vec<u64> {
        let mut sequence = KeySequence::default();
        let ends = presses.iter().filter(|(digit, at)| sequence.ends(*digit, keys, Instant::from_millis(*at)));
        ends.map(|(_, at)| *at).collect()
    }

    #[test]
    fn a_sequence_is_found_once_among_other_keys() {
        assert_eq!(found("*9", &[('1', 0), ('*', 10), ('*', 20), ('9', 30), ('9', 40)]), [30]);
        assert_eq!(found("99", &[('9', 0), ('9', 10), ('9', 20), ('9', 30)]), [10, 30]);
        assert_eq!(found("", &[('*', 0), ('9', 10)]), [0_u64; 0]);
    }

    #[test]
    fn keys_far_apart_are_no_sequence() {
        assert_eq!(found("*9", &[('*', 0), ('9', 3001), ('*', 4000), ('9', 7000)]), [7000]);
    }

    fn lone(presses: &[(char, u64)]) -> Vec<(char, u64)> {
        let mut digits = LoneDigits::default();
        let mut found = Vec::new();
        for millis in 0..20_000 {
            let now = Instant::from_millis(millis);
            found.extend(digits.handle_timeout(now).map(|digit| (digit, millis)));
            for (digit, _) in presses.iter().filter(|(_, at)| *at == millis) {
                digits.handle_digit(*digit, now);
            }
        }
        found
    }

    #[test]
    fn a_key_alone_is_reported_when_nothing_follows() {
        assert_eq!(lone(&[('0', 100)]), [('0', 1600)]);
        assert_eq!(lone(&[('0', 100), ('0', 9000)]), [('0', 1600), ('0', 10_500)]);
    }

    #[test]
    fn keys_close_together_are_a_number() {
        assert_eq!(lone(&[('0', 100), ('7', 1599)]), []);
        assert_eq!(lone(&[('4', 100), ('0', 3100)]), [('4', 1600)]);
        assert_eq!(lone(&[('4', 100), ('0', 3101)]), [('4', 1600), ('0', 4601)]);
        assert_eq!(lone(&[('1', 0), ('2', 1000), ('0', 2000)]), []);
    }
}
