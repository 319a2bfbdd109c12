//! Keys in the configuration: how a peer is told of them, and those pressed once a desk has answered.

use super::reader::Section;
use call_core::KeysOut;
use call_model::DialStep;
use std::time::Duration;

/// Most keys and pauses of one desk.
const MOST: usize = 64;

/// How a peer is told of keys.
pub(super) fn keys_out(section: &mut Section) -> KeysOut {
    let keys = section.text("dtmf", |text| match text {
        "rtp" => Ok(KeysOut::Rtp),
        "info" => Ok(KeysOut::InfoRelay),
        "info_plain" => Ok(KeysOut::InfoPlain),
        _ => Err(format!(
            "`{text}` is not known: rtp (telephone-events or tones), info (application/dtmf-relay) or info_plain \
             (application/dtmf)"
        )),
    });
    keys.unwrap_or_default()
}

/// What stands before and after a comma behind the address: `sip:conf@192.0.2.9,ww1234#`. A comma in the user part is
/// part of the address.
pub(super) fn split_target(text: &str) -> (&str, Option<&str>) {
    let host = text.rfind('@').map_or(0, |at| at + 1);
    let comma = text[host..].find(',').map(|at| host + at);
    comma.map_or((text, None), |at| (&text[..at], Some(&text[at + 1..])))
}

/// Keys, `w` for half a second of silence, `W` for a whole one.
pub(super) fn post_digits(text: &str) -> Result<Vec<DialStep>, String> {
    let step = |character: char| match character {
        '0'..='9' | '*' | '#' | 'A'..='D' => Ok(DialStep::Key(character)),
        'w' => Ok(DialStep::Pause(Duration::from_millis(500))),
        'W' => Ok(DialStep::Pause(Duration::from_secs(1))),
        _ => Err(format!("`{text}` holds `{character}`: only 0-9 * # A-D are keys, w waits 0.5 s and W a second")),
    };
    let steps = text.chars().map(step).collect::<Result<Vec<_>, _>>()?;
    if steps.len() > MOST { Err(format!("`{text}` has more than {MOST} keys and pauses")) } else { Ok(steps) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_behind_the_address_begins_the_keys() {
        for (text, expected) in [
            ("sip:a@192.0.2.9:5060", ("sip:a@192.0.2.9:5060", None)),
            ("sip:a@192.0.2.9:5060,wwww1234#", ("sip:a@192.0.2.9:5060", Some("wwww1234#"))),
            ("sip:a,b@192.0.2.9", ("sip:a,b@192.0.2.9", None)),
            ("tel:+442079460000,W9", ("tel:+442079460000", Some("W9"))),
        ] {
            assert_eq!(split_target(text), expected);
        }
    }

    #[test]
    fn keys_and_pauses_are_read_and_anything_else_is_named() {
        let half = DialStep::Pause(Duration::from_millis(500));
        let steps = post_digits("wW1#").expect("keys");
        assert_eq!(steps, [half, DialStep::Pause(Duration::from_secs(1)), DialStep::Key('1'), DialStep::Key('#')]);
        assert!(post_digits("12p3").expect_err("p").contains("`p`"));
        assert!(post_digits(&"1".repeat(65)).expect_err("long").contains("64"));
    }
}
