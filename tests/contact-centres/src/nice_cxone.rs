//! NICE CXone.
//!
//! help.nicecxone.com, SIPGETHEADER: only headers that begin with `X-`, only of the initial INVITE (or its 2xx); of a
//! repeated header one value can be read; the trunk group must have it enabled.

use crate::{Refusal, Request, Screen, only_sdp};

/// What SIPGETHEADER finds, by header name as written.
///
/// # Errors
/// 415 for a body of several parts.
pub fn receive(request: &Request, enabled: bool) -> Result<Screen, Refusal> {
    only_sdp(request)?;
    let mut screen = Screen::default();
    if !enabled {
        screen.lose("SIP headers are not enabled for this trunk group");
        return Ok(screen);
    }
    if !request.is_initial_invite() {
        screen.lose(format!("headers of a {} within a call are not read", request.method));
        return Ok(screen);
    }
    for (name, value) in request.named(|name| name.starts_with("x-")) {
        if screen.fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            screen.lose(format!("a second {name}"));
        } else {
            screen.put(name, value);
        }
    }
    Ok(screen)
}
