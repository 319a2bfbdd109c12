//! Text that came from peers, made safe for a line on a terminal.

/// The text on one line: anything that could move a cursor, break a line or turn the writing direction is replaced.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_unsafe(c) { ' ' } else { c }).collect()
}

/// The text in quotes, at most `max` characters of it.
pub(crate) fn quoted(text: &str, max: usize) -> String {
    let mut out = String::from("\"");
    out.extend(text.chars().take(max).map(|c| if is_unsafe(c) { ' ' } else { c }));
    if text.chars().nth(max).is_some() {
        out.push('…');
    }
    out.push('"');
    out
}

/// Cuts a text into lines of at most `width` characters, at spaces where there are any.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let line = lines.last_mut().expect("lines begins with one and only grows");
            let used = line.chars().count();
            let gap = usize::from(used > 0);
            if used + gap + word.len() <= width {
                line.extend(std::iter::repeat_n(' ', gap).chain(word));
                break;
            }
            if used == 0 {
                line.extend(word.drain(..width.max(1).min(word.len())));
            }
            lines.push(String::new());
        }
    }
    lines
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_peers_cannot_move_the_cursor() {
        assert_eq!(one_line("486 \u{1b}[2JBusy\r\n\u{202e}x"), "486  [2JBusy   x");
        assert_eq!(quoted("a\nb", 9), "\"a b\"");
        assert_eq!(quoted("abcdef", 3), "\"abc…\"");
    }

    #[test]
    fn long_text_is_cut_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrapped("", 4), [""]);
    }
}
