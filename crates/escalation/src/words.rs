//! Words as rules see them: without case, diacritics and punctuation.

/// A text cut into normalised words, each with its place in the original.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    text: String,
    words: Vec<Span>,
    /// The buckets of all words.
    buckets: u128,
}

/// Which of 128 buckets a word is in, by its first two letters, as one bit: tells at once that two words differ.
pub(crate) fn bucket(word: &str) -> u128 {
    let mut letters = word.bytes();
    let [first, second] = [letters.next(), letters.next()].map(Option::unwrap_or_default);
    1 << ((first.wrapping_mul(31) ^ second) & 127)
}

#[derive(Clone, Copy, Debug)]
struct Span {
    /// Bytes of `Words::text`.
    start: usize,
    end: usize,
    bucket: u128,
    /// Bytes of the original.
    from: usize,
    to: usize,
}

impl Words {
    /// Cuts a text. Apostrophes join (`can't` is `cant`); every other mark parts. Scripts that are written without
    /// spaces are cut into single characters, so a phrase in them is found anywhere.
    pub(crate) fn new(original: &str) -> Self {
        let mut words = Self { text: String::with_capacity(original.len()), words: Vec::new(), buckets: 0 };
        let mut open: Option<Span> = None;
        for (at, c) in original.char_indices() {
            let end = at + c.len_utf8();
            if is_joiner(c) {
                continue;
            }
            if !c.is_alphanumeric() {
                words.close(&mut open);
                continue;
            }
            if is_spaceless(c) {
                words.close(&mut open);
            }
            let start = words.text.len();
            let span = open.get_or_insert(Span { start, end: start, bucket: 0, from: at, to: end });
            span.to = end;
            c.to_lowercase().for_each(|c| push_folded(&mut words.text, c));
            if is_spaceless(c) {
                words.close(&mut open);
            }
        }
        words.close(&mut open);
        words
    }

    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&str> {
        self.words.get(index).map(|span| &self.text[span.start..span.end])
    }

    pub(crate) fn bucket(&self, index: usize) -> u128 {
        self.words.get(index).map_or(0, |span| span.bucket)
    }

    /// The buckets of all words.
    pub(crate) const fn buckets(&self) -> u128 {
        self.buckets
    }

    /// Where words `first..end` stand in the original, in bytes.
    pub(crate) fn place(&self, first: usize, end: usize) -> Option<(usize, usize)> {
        Some((self.words.get(first)?.from, self.words.get(end.checked_sub(1)?)?.to))
    }

    fn close(&mut self, open: &mut Option<Span>) {
        if let Some(mut span) = open.take() {
            span.end = self.text.len();
            if span.end > span.start {
                span.bucket = bucket(&self.text[span.start..]);
                self.buckets |= span.bucket;
                self.words.push(span);
            }
        }
    }
}

/// A text as a reader wants to see it quoted: one line, at most `max` characters, in double quotes.
pub(crate) fn quoted(text: &str, max: usize) -> String {
    let mut out = String::from("\"");
    let mut count = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if count > 0 {
            out.push(' ');
            count += 1;
        }
        for c in word.chars() {
            if count >= max {
                out.push_str("…\"");
                return out;
            }
            out.push(if c == '"' { '\'' } else { c });
            count += 1;
        }
    }
    out.push('"');
    out
}

/// Apostrophes of all fashions, combining marks, soft hyphen and zero-width joiners: they end no word.
fn is_joiner(c: char) -> bool {
    matches!(c, '\'' | '`' | '´' | '\u{2bc}' | '\u{2018}' | '\u{2019}' | '\u{ad}' | '\u{200b}'..='\u{200d}')
        || is_combining(c)
}

fn is_combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Han, kana and the South-East Asian scripts that are written without spaces.
fn is_spaceless(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{2fa1f}')
}

/// Appends a lower-case character without its diacritics.
fn push_folded(out: &mut String, c: char) {
    if c.is_ascii() {
        return out.push(c);
    }
    out.push_str(match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ǎ' | '\u{1ea0}'..='\u{1eb7}' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' | '\u{1eb8}'..='\u{1ec7}' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' | '\u{1ec8}'..='\u{1ecb}' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' | 'ơ' | '\u{1ecc}'..='\u{1ee3}' => "o",
        'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ß' => "ss",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'þ' => "th",
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' | 'ư' | '\u{1ee4}'..='\u{1ef1}' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' | '\u{1ef2}'..='\u{1ef9}' => "y",
        'ź' | 'ż' | 'ž' => "z",
        'ά' => "α",
        'έ' => "ε",
        'ή' => "η",
        'ί' | 'ϊ' | 'ΐ' => "ι",
        'ό' => "ο",
        'ύ' | 'ϋ' | 'ΰ' => "υ",
        'ώ' => "ω",
        'ς' => "σ",
        'ё' => "е",
        'й' => "и",
        _ if is_combining(c) => "",
        _ => return out.push(c),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_diacritics_and_punctuation_do_not_matter() {
        for (text, expected) in [
            ("I CAN'T breathe!!", "i cant breathe"),
            ("I can’t—breathe", "i cant breathe"),
            ("Größe, Çelik; ŁÓDŹ", "grosse celik lodz"),
            ("e\u{301}te\u{301}", "ete"),
            ("Người thật", "nguoi that"),
            ("İstanbul", "istanbul"),
            ("  ... ", ""),
            ("人工 服务", "人 工 服 务"),
            ("call 9-1-1", "call 9 1 1"),
        ] {
            let words = Words::new(text);
            let all: Vec<&str> = (0..words.len()).filter_map(|i| words.get(i)).collect();
            assert_eq!(all.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn a_place_is_a_range_of_the_original() {
        let text = "Oh — I CAN'T, breathe!";
        let words = Words::new(text);
        assert_eq!(words.place(2, 4).map(|(from, to)| &text[from..to]), Some("CAN'T, breathe"));
        assert_eq!(words.place(0, 0), None);
        assert_eq!(words.place(3, 9), None);
    }

    #[test]
    fn a_quote_is_one_bounded_line() {
        assert_eq!(quoted("say\r\n \"hi\"\u{0}", 80), "\"say 'hi'\"");
        assert_eq!(quoted("äöüabc", 4), "\"äöüa…\"");
        assert_eq!(quoted("", 4), "\"\"");
    }
}
