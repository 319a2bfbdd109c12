//! Five9.
//!
//! LiveKit's field guide for Five9: custom `X-` headers of the INVITE become call variables; what the agent's side wants
//! to tell comes back in `X-` headers of its BYE; REFER is not supported.

use crate::{Refusal, Request, Screen, only_sdp};

/// What it answers to REFER.
pub const REFER: u16 = 405;

/// Call variables.
///
/// # Errors
/// 415 for a body of several parts; 405 for REFER.
pub fn receive(request: &Request) -> Result<Screen, Refusal> {
    if request.method == "REFER" {
        return Err(Refusal::new(REFER, "REFER is not supported"));
    }
    only_sdp(request)?;
    let mut screen = Screen::default();
    if request.method == "INVITE" {
        for (name, value) in request.named(|name| name.starts_with("x-")) {
            screen.put(name, value);
        }
    }
    Ok(screen)
}

/// Headers of the BYE with which it ends a call for a reason.
pub fn bye(reason: &str) -> Vec<(String, String)> {
    vec![("X-RouteReason".to_owned(), reason.to_owned())]
}
