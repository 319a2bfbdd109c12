//! Verdicts that depend on header values (RFC 3261 §8.2, RFC 4475, RFC 5118).

use crate::error::HeaderError;
use crate::malformed::Malformed;
use crate::message::Message;
use crate::method::Method;
use crate::uri::Scheme;

/// Headers that may stand once.
const SINGLE: [&str; 12] = [
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Max-Forwards",
    "Content-Type",
    "Expires",
    "Replaces",
    "Refer-To",
    "Referred-By",
    "Event",
    "Subscription-State",
];

/// Checks what every request must have before a transaction is made for it. The order decides the answer code:
/// structure first (400), then method against CSeq (501 for a method nobody knows, else 400), then the scheme (416).
///
/// Requests of RFC 2543 clients (no branch, no From tag, no Max-Forwards) pass.
pub fn validate_request(request: &Message) -> Result<(), Malformed> {
    let method = request.method();
    let refuse = |code, reason: String| Malformed::refused(code, reason, method, &request.headers);
    check_headers(request).map_err(|error| refuse(400, error.to_string()))?;
    let cseq = request.cseq().map_err(|error| refuse(400, error.to_string()))?;
    if method != Some(&cseq.method) {
        let code = if matches!(method, Some(Method::Other(_))) { 501 } else { 400 };
        return Err(refuse(code, "CSeq names another method".into()));
    }
    if let Some(uri) = request.request_uri() {
        if matches!(uri.scheme(), Scheme::Other(_)) {
            return Err(refuse(416, "unsupported Request-URI scheme".into()));
        }
        if uri.has_headers() {
            return Err(refuse(400, "headers in the Request-URI".into()));
        }
    }
    Ok(())
}

/// Checks what every response must have before it is matched to a transaction. A response that fails is dropped:
/// there is never an answer.
pub fn validate_response(response: &Message) -> Result<(), Malformed> {
    let drop = |error: HeaderError| Malformed {
        call_id: Some(response.call_id().to_owned()),
        ..Malformed::silent(error.to_string())
    };
    check_headers(response).map_err(drop)?;
    response.cseq().map(|_| ()).map_err(drop)
}

fn check_headers(message: &Message) -> Result<(), HeaderError> {
    check_repeats(message)?;
    check_vias(message)?;
    message.from()?;
    message.to()?;
    if message.call_id().is_empty() {
        return Err(HeaderError::Missing("Call-ID"));
    }
    if message.call_id().contains([' ', '\t']) {
        return Err(HeaderError::Bad { name: "Call-ID", why: "white space in it" });
    }
    message.max_forwards()?;
    message.expires()?;
    message.contacts()?;
    message.name_addrs("Route")?;
    message.name_addrs("Record-Route")?;
    message.refer_to().transpose()?;
    message.replaces().transpose()?;
    message.content_type().transpose()?;
    Ok(())
}

fn check_repeats(message: &Message) -> Result<(), HeaderError> {
    for name in SINGLE {
        if message.headers.get_all(name).nth(1).is_some() {
            return Err(HeaderError::Repeated(name));
        }
    }
    Ok(())
}

fn check_vias(message: &Message) -> Result<(), HeaderError> {
    let vias = message.vias()?;
    let top = vias.first().ok_or(HeaderError::Missing("Via"))?;
    // RFC 4475 §3.2.1: the bare cookie claims RFC 3261 and identifies nothing.
    if top.branch() == Some(crate::via::COOKIE) {
        return Err(HeaderError::Bad { name: "Via", why: "branch is the bare cookie" });
    }
    Ok(())
}
