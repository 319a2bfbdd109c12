//! Twilio Programmable Voice on a SIP domain.
//!
//! twilio.com: `X-` headers of the INVITE arrive as `SipHeader_<name>`, and so do a few others by name; `X-Twilio..` is
//! reserved (error 32113); the header part of a SIP URI has fewer than 1024 characters (error 21227); in a REFER a
//! telephone number must be a `tel:` URI, and custom headers are not passed on.

use crate::{Refusal, Request, Screen, only_sdp};

/// Headers that need no `X-`.
const PLAIN: [&str; 4] = ["user-to-user", "remote-party-id", "p-preferred-identity", "p-called-party-id"];
/// Characters of headers in a SIP URI.
const LIMIT: usize = 1023;

/// The parameters of the webhook.
///
/// # Errors
/// 400 for reserved or too many headers, 415 for a body of several parts.
pub fn receive(request: &Request) -> Result<Screen, Refusal> {
    only_sdp(request)?;
    let mut screen = Screen::default();
    let mut part = 0;
    for (name, value) in request.named(|name| name.starts_with("x-") || PLAIN.contains(&name)) {
        if name.to_ascii_lowercase().starts_with("x-twilio") {
            return Err(Refusal::new(400, format!("32113: {name} is reserved")));
        }
        part += name.len() + 1 + value.len() + 1;
        screen.put(format!("SipHeader_{name}"), value);
    }
    if part > LIMIT {
        return Err(Refusal::new(400, format!("21227: {part} characters of headers")));
    }
    Ok(screen)
}

/// Whether it would follow a Refer-To.
///
/// # Errors
/// 403 for a telephone number in a SIP URI whose host is an address, 400 for too many headers.
pub fn refer_to(uri: &str) -> Result<(), Refusal> {
    let (address, headers) = uri.split_once('?').unwrap_or((uri, ""));
    if headers.len() > LIMIT {
        return Err(Refusal::new(400, "21227: too many headers"));
    }
    let number = address.strip_prefix("sip:+").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let by_ip = address.rsplit('@').next().is_some_and(|host| host.starts_with(|c: char| c.is_ascii_digit()));
    if number && by_ip { Err(Refusal::new(403, "a telephone number must be a tel: URI")) } else { Ok(()) }
}
