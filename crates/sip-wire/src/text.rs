//! Text rules shared by all headers: bytes to text and back, quoting, escaping, lists.
//!
//! SIP is UTF-8, and the field sends Latin-1 all the same.
//! [`decode`] keeps every byte: valid UTF-8 stays as it is, and a byte that is not part of valid UTF-8 becomes the
//! private character `U+10FF00 + byte`, which [`encode`] turns back into that byte.
//! So a value may be copied from one message to another through any `String` and leaves as it came.
//! [`readable`] gives the text to show to people (the stray bytes read as Latin-1).

use std::borrow::Cow;

const STRAY_BASE: u32 = 0x0010_FF00;

fn stray(byte: u8) -> char {
    char::from_u32(STRAY_BASE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn stray_byte(c: char) -> Option<u8> {
    (STRAY_BASE + 0x80..=STRAY_BASE + 0xFF).contains(&u32::from(c)).then_some((u32::from(c) & 0xFF) as u8)
}

/// Wire bytes to text without losing a byte.
pub fn decode(bytes: &[u8]) -> String {
    if bytes.is_ascii() {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if stray_byte(c).is_some() {
                // The private characters themselves: kept byte by byte, so that decode and encode stay inverse.
                out.extend(c.encode_utf8(&mut [0; 4]).bytes().map(stray));
            } else {
                out.push(c);
            }
        }
        out.extend(chunk.invalid().iter().map(|byte| stray(*byte)));
    }
    out
}

/// Text to wire bytes, the inverse of [`decode`].
pub fn encode(text: &str, out: &mut Vec<u8>) {
    if text.is_ascii() {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    for c in text.chars() {
        match stray_byte(c) {
            Some(byte) => out.push(byte),
            None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// As [`encode`], with CR, LF and NUL replaced by a space: the only way header text leaves this crate.
pub(crate) fn encode_clean(text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    encode(text, out);
    for byte in &mut out[start..] {
        if matches!(byte, b'\r' | b'\n' | 0) {
            *byte = b' ';
        }
    }
}

/// The text for people: stray bytes read as Latin-1, control characters dropped.
pub fn readable(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| c.is_control() || stray_byte(c).is_some()) {
        return Cow::Borrowed(text);
    }
    text.chars().map(|c| stray_byte(c).map_or(c, char::from)).filter(|c| !c.is_control()).collect::<String>().into()
}

/// Space and tab (folding is gone once a message is parsed).
pub(crate) fn is_lws(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

/// True for a non-empty RFC 3261 §25.1 token.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// Writes a quoted-string: `"` and `\` are escaped, CR, LF and NUL become spaces.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\r' | '\n' | '\0' => out.push(' '),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The content of a quoted-string; text without quotes comes back unchanged.
pub fn unquote(text: &str) -> String {
    let text = text.trim_matches(is_lws);
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    out
}

/// Byte index of the quote that closes the quoted-string at the start of `text`.
pub(crate) fn closing_quote(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'"' => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Index of the first wanted character outside quotes, or the length; `None` when a quote is not closed before it.
pub(crate) fn find_outside_quotes(text: &str, wanted: impl Fn(char) -> bool) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if quoted {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = false,
                _ => {}
            }
        } else if wanted(c) {
            return Some(at);
        } else if c == '"' {
            quoted = true;
        }
    }
    (!quoted).then_some(text.len())
}

/// The values of a comma-separated list; commas inside quotes and inside `<>` do not separate. Empty values are
/// given too: whether one is an error is for the reader of that header to say.
pub fn split_list(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = list_value_end(text);
        rest = text.get(end + 1..);
        Some(text[..end].trim_matches(is_lws))
    })
}

fn list_value_end(text: &str) -> usize {
    let (mut quoted, mut escaped, mut angle) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !angle => quoted = !quoted,
            _ if quoted => {}
            b'<' => angle = true,
            b'>' => angle = false,
            b',' if !angle => return at,
            _ => {}
        }
    }
    text.len()
}

/// Undoes `%XX` escapes of a URI part. A `%` that starts no escape stays. The result is for comparing and showing:
/// it may hold separators, so it never goes back into a URI as it is.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut encoded = Vec::with_capacity(text.len());
    encode(text, &mut encoded);
    let mut out = Vec::with_capacity(encoded.len());
    let mut at = 0;
    while at < encoded.len() {
        match (encoded[at], encoded.get(at + 1).and_then(hex), encoded.get(at + 2).and_then(hex)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 3;
            }
            (byte, _, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(decode(&out))
}

/// Escapes everything but RFC 3261 "unreserved" characters, so that the result holds no separator of any URI part.
pub fn escape(text: &str) -> String {
    escape_except(text, b"")
}

/// Escapes what may not stand in the user part of a SIP URI; `;` and `?` may, but are escaped for weaker readers.
pub(crate) fn escape_user(text: &str) -> String {
    escape_except(text, b"&=+$,/")
}

/// Escapes what may not stand in a URI parameter.
pub(crate) fn escape_param(text: &str) -> String {
    escape_except(text, b"[]/:&+$")
}

fn escape_except(text: &str, allowed: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    encode(text, &mut bytes);
    let mut out = String::with_capacity(bytes.len() + 16);
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) || allowed.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

fn hex(byte: &u8) -> Option<u8> {
    char::from(*byte).to_digit(16).map(|digit| digit as u8)
}
