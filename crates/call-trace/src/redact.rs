//! Numbers of cards, accounts and telephones in words that were said: only the last two digits stay.

use call_model::{FactKind, TraceKind};

/// A number of this many digits or more may name a person or a card. Order numbers are usually shorter.
const LONG: usize = 9;

/// Redacts every text of an event that somebody said or typed. Names and numbers of the parties are redacted by type.
pub fn redact(kind: &mut TraceKind) {
    match kind {
        TraceKind::Fact(fact) => redact_fact(&mut fact.kind),
        TraceKind::Decided(decision) => decision.because.iter_mut().for_each(|reason| digits(&mut reason.text)),
        TraceKind::Note { text, .. } | TraceKind::Dropped { what: text } => digits(text),
        TraceKind::Disposed { disposition, .. } => digits(&mut disposition.notes),
        _ => {}
    }
}

fn redact_fact(kind: &mut FactKind) {
    match kind {
        FactKind::Turn { text, .. } | FactKind::Summary(text) | FactKind::Opening(text) => digits(text),
        FactKind::Entity { value, .. } => digits(value),
        FactKind::Action { result, .. } => digits(result),
        FactKind::BotEscalates { because } => digits(because),
        FactKind::BotDown { why } => digits(why),
        FactKind::Callback(wish) => wish.number.iter_mut().for_each(digits),
        FactKind::NextSteps(steps) => steps.iter_mut().for_each(digits),
        FactKind::Voice(_)
        | FactKind::Intent { .. }
        | FactKind::Articles(_)
        | FactKind::Introduced
        | FactKind::Withdrawn
        | FactKind::Recording(_)
        | FactKind::Announcement { .. }
        | FactKind::AskedForHuman
        | FactKind::LoneDigit(_) => {}
    }
}

/// Replaces each long number, whose digits may be grouped by single spaces, dashes, dots or slashes.
fn digits(text: &mut String) {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let (end, count) = number_at(&chars, at);
        if count >= LONG {
            out.push_str("**");
            let last: Vec<char> = chars[at..end].iter().filter(|c| c.is_numeric()).copied().collect();
            out.extend(&last[last.len() - 2..]);
        } else {
            out.extend(&chars[at..end.max(at + 1)]);
        }
        at = end.max(at + 1);
    }
    *text = out;
}

/// Where the number that begins at `at` ends, and how many digits it has.
fn number_at(chars: &[char], at: usize) -> (usize, usize) {
    let (mut end, mut count, mut next) = (at, 0, at);
    while let Some(c) = chars.get(next) {
        if c.is_numeric() {
            count += 1;
            end = next + 1;
        } else if count == 0 || end != next || !matches!(c, ' ' | '-' | '.' | '/' | '\u{a0}') {
            break;
        }
        next += 1;
    }
    (end, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_keep_two_digits_and_short_ones_stay() {
        for (text, expected) in [
            ("my card is 4111-1111-1111-1234, exp 12/27", "my card is **34, exp 12/27"),
            ("call +44 7700 900123 now", "call +**23 now"),
            ("order 12345678", "order 12345678"),
            ("123456789", "**89"),
            ("1 2 3  4 5 6 7 8 9", "1 2 3  4 5 6 7 8 9"),
            ("", ""),
            ("nö 1", "nö 1"),
        ] {
            let mut redacted = text.to_owned();
            digits(&mut redacted);
            assert_eq!(redacted, expected);
        }
    }
}
