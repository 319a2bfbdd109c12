//! What decides to whom a caller goes.

use super::reader::Section;
use call_core::{HeadStarts, Order, Queueing};
use std::time::Duration;

/// What decides between desks that are equally good, and who of those who wait goes first.
pub(super) fn routing(mut section: Section) -> (Order, HeadStarts) {
    let order = section.text("between_equals", |text| match text {
        "configured" => Ok(Order::Configured),
        "longest_idle" => Ok(Order::LongestIdle),
        _ => Err(format!("`{text}` is not known: configured (order in this file) or longest_idle")),
    });
    let default = HeadStarts::default();
    let mut ahead = |key, default: Duration| Duration::from_secs(section.number(key, 0..=86_400, default.as_secs()));
    let head_starts = HeadStarts {
        high: ahead("high_ahead_s", default.high),
        vip: ahead("vip_ahead_s", default.vip),
        emergency: ahead("emergency_ahead_s", default.emergency),
    };
    section.finish();
    (order.unwrap_or_default(), head_starts)
}

/// How callers of a route wait in line; not at all where nothing is said.
pub(super) fn queue(mut section: Section) -> Option<Queueing> {
    if section.is_empty() {
        section.finish_known(&["max_wait_s", "max_length"]);
        return None;
    }
    let max_wait = Duration::from_secs(section.number("max_wait_s", 5..=7200, 300));
    let max_length = usize::try_from(section.number("max_length", 1..=100_000, 50)).unwrap_or(usize::MAX);
    section.finish();
    Some(Queueing { max_wait, max_length })
}

/// The shape of a language tag (RFC 5646); whether anybody speaks it is not ours to say.
pub(super) fn language(text: &str) -> Result<String, String> {
    let mut parts = text.split('-');
    let first = parts.next().is_some_and(|part| matches!(part.len(), 2 | 3) && part.bytes().all(is_letter));
    let rest = parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_alphanumeric()));
    let why = || format!("`{text}` is no language tag such as \"en\" or \"pt-BR\"");
    (first && rest).then(|| text.to_owned()).ok_or_else(why)
}

fn is_letter(octet: u8) -> bool {
    octet.is_ascii_alphabetic()
}
