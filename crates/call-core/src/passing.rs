//! Headers of the caller's INVITE that go on to bots and desks, by the trunk's list.

use sip_wire::Message;

/// What may be listed besides `X-` headers: what says where a call came from, and is ours neither to make nor to change.
const KNOWN: [&str; 5] = ["Diversion", "History-Info", "Identity", "Date", "P-Charging-Vector"];
/// Ours to say, whatever case they are in.
const OURS: [&str; 2] = ["X-Call-ID", "X-Handoff-"];
/// Octets of one value, and of all lines.
const LONGEST: usize = 1_024;
const TOGETHER: usize = 4_096;

/// A name that a trunk's list may have.
///
/// # Errors
/// What is wrong with it.
pub fn passable(name: &str) -> Result<String, String> {
    let begins = |with: &str| name.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
    let token = name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    let extension = begins("X-") && name.len() > 2 && token && !OURS.into_iter().any(begins);
    if extension || KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return Ok(name.to_owned());
    }
    let (known, ours) = (KNOWN.join(", "), OURS.join(" and "));
    Err(format!("`{name}` is not passed on: {known} and X- headers are, except {ours}, which are ours"))
}

/// What an INVITE has of them, in the order of the list; a value that is too long, or has an octet that no line may
/// have, is left out.
pub(crate) fn passed(names: &[String], request: &Message) -> Vec<(String, String)> {
    let mut room = TOGETHER;
    let mut passed = Vec::new();
    for name in names {
        for value in request.headers.get_all(name) {
            let size = size(name, value);
            if value.len() <= LONGEST && size <= room && !value.chars().any(char::is_control) {
                room -= size;
                passed.push((name.clone(), value.to_owned()));
            }
        }
    }
    passed
}

/// As many of them as there is room for, none of them cut; and the names of those there is none for.
pub(crate) fn fitting(passed: &[(String, String)], mut room: usize) -> (Vec<(String, String)>, Vec<String>) {
    let (mut fit, mut left_out) = (Vec::new(), Vec::new());
    for (name, value) in passed {
        match room.checked_sub(size(name, value)) {
            Some(rest) => {
                room = rest;
                fit.push((name.clone(), value.clone()));
            }
            None => left_out.push(name.clone()),
        }
    }
    (fit, left_out)
}

/// Octets of the line.
const fn size(name: &str, value: &str) -> usize {
    name.len() + value.len() + 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn only_what_is_not_ours_to_say_may_be_listed() {
        for name in ["diversion", "History-Info", "Identity", "X-Customer", "x-a1"] {
            assert_eq!(passable(name).as_deref(), Ok(name));
        }
        for name in ["From", "User-to-User", "Via", "X-Call-ID", "x-handoff-id", "X-", "X-A\r\nVia", "X-A:", "", "é-X"]
        {
            assert!(passable(name).is_err(), "{name}");
        }
    }

    #[test]
    fn values_are_bounded_and_cannot_break_a_line() {
        let mut invite = Message::response(200, "");
        let long = "a".repeat(LONGEST + 1);
        for value in ["one", "two\rthree", "four\0", &*long, "five"] {
            invite.headers.push("X-A", value);
        }
        invite.headers.push("X-B", "six");
        let some = passed(&names(&["X-B", "X-A"]), &invite);
        let values: Vec<&str> = some.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["six", "one", "five"]);
        let (fit, left_out) = fitting(&some, 20);
        assert_eq!((fit.len(), left_out), (2, vec!["X-A".to_owned()]));
        let mut many = Message::response(200, "");
        for _ in 0..10 {
            many.headers.push("X-A", "a".repeat(1_000));
        }
        assert_eq!(passed(&names(&["X-A"]), &many).len(), 4);
    }
}
