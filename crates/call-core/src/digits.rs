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

#[cfg(test)]
mod tests {
    use super::*;

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
