//! What decides to whom a caller goes.

use super::reader::Section;
use call_core::Order;

/// What decides between desks that are equally good.
pub(super) fn routing(mut section: Section) -> Order {
    let order = section.text("between_equals", |text| match text {
        "configured" => Ok(Order::Configured),
        "longest_idle" => Ok(Order::LongestIdle),
        _ => Err(format!("`{text}` is not known: configured (order in this file) or longest_idle")),
    });
    section.finish();
    order.unwrap_or_default()
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
