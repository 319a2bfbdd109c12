//! Amazon Connect.
//!
//! docs.aws.amazon.com: a flow reads `$.Media.Sip.Headers.*` of a fixed list only. Behind an Amazon Chime SDK Voice
//! Connector with a SIP media application, a Lambda gets `User-to-User`, `Diversion` and `x-*` (`Participants[].SipHeaders`)
//! and may set contact attributes.

use crate::{Refusal, Request, Screen, only_sdp};

/// The headers a flow can read.
const FLOW: [&str; 12] = [
    "from",
    "to",
    "p-charge-info",
    "isup-oli",
    "jip",
    "hop-counter",
    "originating-switch",
    "originating-trunk",
    "call-forwarding-indicator",
    "calling-party-address",
    "called-party-address",
    "siprec-metadata",
];

/// What a flow reads on a plain number.
///
/// # Errors
/// 415 for a body of several parts.
pub fn flow(request: &Request) -> Result<Screen, Refusal> {
    only_sdp(request)?;
    let mut screen = Screen::default();
    for (name, value) in request.named(|name| FLOW.contains(&name)) {
        screen.put(format!("$.Media.Sip.Headers.{name}"), value);
    }
    Ok(screen)
}

/// What the Lambda of a SIP media application gets, with User-to-User decoded as ours tells it to.
///
/// # Errors
/// 415 for a body of several parts.
pub fn application(request: &Request) -> Result<Screen, Refusal> {
    only_sdp(request)?;
    let mut screen = Screen::default();
    for (name, value) in request.named(|name| name == "user-to-user" || name == "diversion" || name.starts_with("x-")) {
        screen.put(format!("SipHeaders.{name}"), value);
    }
    Ok(screen)
}
