//! Microsoft Teams, Direct Routing.
//!
//! learn.microsoft.com, "Direct Routing - SIP protocol": requests with Replaces are rejected; sips: URIs are not supported.
//! The user sees who calls, from P-Asserted-Identity or From, and no other header.

use crate::{Refusal, Request, Screen, only_sdp};

/// What the Teams user is shown.
///
/// # Errors
/// 400 for Replaces and sips:, 415 for a body of several parts.
pub fn receive(request: &Request) -> Result<Screen, Refusal> {
    if request.one("replaces").is_some() {
        return Err(Refusal::new(400, "Replaces is rejected"));
    }
    let addresses = ["from", "to", "contact", "p-asserted-identity"].into_iter().filter_map(|name| request.one(name));
    if let Some(uri) = addresses.chain([request.uri.as_str()]).find(|uri| uri.to_ascii_lowercase().contains("sips:")) {
        return Err(Refusal::new(400, format!("sips: is not supported: {uri}")));
    }
    only_sdp(request)?;
    let mut screen = Screen::default();
    if let Some(caller) = request.one("p-asserted-identity").or(request.one("from")) {
        screen.put("caller", caller);
    }
    Ok(screen)
}
