//! Cisco Unified CVP with UCCE.
//!
//! CVP configuration guide and orourke.tv (2025-09): the headers that an administrator lists are passed to ICM in
//! `Call.SIPHeader`, in compact form, 210 octets in all, what is longer is cut off; User-to-User arrives in
//! `user.microapp.uui`; 255 octets in all.

use crate::uui::{Value, from_hex};
use crate::{Refusal, Request, Screen, only_sdp};

/// The list our documentation tells an administrator to enter.
pub const PASSED: [&str; 3] = ["x-handoff-id", "x-handoff-trigger", "x-handoff-score"];
/// Octets of headers.
const HEADERS: usize = 210;
/// Octets of everything.
const ALL: usize = 255;

/// What a script is given.
///
/// # Errors
/// 415 for a body of several parts.
pub fn receive(request: &Request, passed: &[&str]) -> Result<Screen, Refusal> {
    only_sdp(request)?;
    let mut screen = Screen::default();
    let mut line = String::new();
    for (name, value) in request.named(|name| passed.contains(&name)) {
        line.push_str(&format!("{name}:{value}|"));
    }
    if line.len() > HEADERS {
        screen.lose(format!("{} octets of headers cut to {HEADERS}", line.len()));
        line.truncate(HEADERS);
    }
    // A name whose value was cut off is of no use to a script, and a value cut in its middle is a wrong one.
    for part in line.split_terminator('|') {
        if let Some((name, value)) = part.split_once(':') {
            screen.put(name, value);
        }
    }
    let uui = request.one("user-to-user").and_then(Value::parse);
    if let Some(octets) = uui.and_then(|value| from_hex(value.data)) {
        let text: String = octets.iter().skip(1).map(|octet| char::from(*octet)).collect();
        let room = ALL.saturating_sub(line.len());
        if text.len() > room {
            screen.lose(format!("User-to-User cut to {room} octets"));
        }
        screen.put("user.microapp.uui", text.get(..room).unwrap_or(&text));
    }
    Ok(screen)
}
