//! Keys in SIP INFO (RFC 6086), the two ways that gateways have settled on.

use core::time::Duration;

/// How a peer is told of keys that others press.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum KeysOut {
    /// In its RTP: telephone-events (RFC 4733) where they were agreed, else tones.
    #[default]
    Rtp,
    /// By INFO with `application/dtmf-relay`: `Signal=5`, `Duration=160`.
    InfoRelay,
    /// By INFO with `application/dtmf`: the key alone.
    InfoPlain,
}

/// The content type and body of a key; none for peers that are told otherwise.
pub(crate) fn write(keys: KeysOut, digit: char, held: Duration) -> Option<(&'static str, String)> {
    match keys {
        KeysOut::Rtp => None,
        KeysOut::InfoRelay => {
            Some(("application/dtmf-relay", format!("Signal={digit}\r\nDuration={}\r\n", held.as_millis())))
        }
        KeysOut::InfoPlain => Some(("application/dtmf", digit.to_string())),
    }
}

/// The key in a body, and how long it was held: zero when that is not said.
pub(crate) fn read(content_type: &str, body: &[u8]) -> Option<(char, Duration)> {
    let text = String::from_utf8_lossy(body);
    let field = |wanted: &str| {
        let named = text.lines().filter_map(|line| line.split_once('='));
        named.map(|(name, value)| (name.trim(), value.trim())).find(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    let signal = match content_type.split(';').next().map(str::trim) {
        Some("application/dtmf-relay") => field("signal")?.1,
        // Some write the same fields under this name.
        Some("application/dtmf") => field("signal").map_or(text.trim(), |(_, value)| value),
        _ => return None,
    };
    let held =
        field("duration").and_then(|(_, value)| value.parse().ok()).map_or(Duration::ZERO, Duration::from_millis);
    Some((key(signal)?, held))
}

/// A key by itself, or by the number of its event.
fn key(signal: &str) -> Option<char> {
    let mut characters = signal.chars();
    match (characters.next().map(|one| one.to_ascii_uppercase()), characters.next()) {
        (Some(digit @ ('0'..='9' | '*' | '#' | 'A'..='D')), None) => Some(digit),
        (Some('1'), Some(_)) => match signal {
            "10" => Some('*'),
            "11" => Some('#'),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_in_every_way_they_are_written() {
        let held = Duration::from_millis(160);
        for (content_type, body, expected) in [
            ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", Some(('5', held))),
            ("application/dtmf-relay; charset=utf-8", "signal = # \nduration = 160", Some(('#', held))),
            ("application/dtmf-relay", "Signal=11", Some(('#', Duration::ZERO))),
            ("application/dtmf-relay", "Signal=d\r\nDuration=long", Some(('D', Duration::ZERO))),
            ("application/dtmf", "7\r\n", Some(('7', Duration::ZERO))),
            ("application/dtmf", "Signal=*\r\nDuration=160", Some(('*', held))),
            ("application/dtmf", "12", None),
            ("application/dtmf-relay", "5", None),
            ("application/dtmf-relay", "Signal=\r\n", None),
            ("application/dtmf-relay", "Signal=16", None),
            ("text/plain", "5", None),
        ] {
            assert_eq!(read(content_type, body.as_bytes()), expected, "{content_type}: {body}");
        }
        assert_eq!(read("application/dtmf", &[0xff, 0xfe]), None);
    }

    #[test]
    fn what_we_write_we_read() {
        let held = Duration::from_millis(120);
        for digit in "0123456789*#ABCD".chars() {
            let (content_type, body) = write(KeysOut::InfoRelay, digit, held).expect("told");
            assert_eq!(read(content_type, body.as_bytes()), Some((digit, held)));
            let (content_type, body) = write(KeysOut::InfoPlain, digit, held).expect("told");
            assert_eq!(read(content_type, body.as_bytes()), Some((digit, Duration::ZERO)));
        }
        assert_eq!(write(KeysOut::Rtp, '1', held), None);
    }
}
