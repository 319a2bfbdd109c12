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
    check_request_headers(request).map_err(|error| refuse(400, error.to_string()))?;
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
/// there is never an answer. Other headers are the business of whoever reads them, so that a strange Contact does
/// not cost an answered call.
pub fn validate_response(response: &Message) -> Result<(), Malformed> {
    check_response(response).map_err(|error| Malformed {
        call_id: response.headers.get("Call-ID").map(str::to_owned),
        ..Malformed::silent(error.to_string())
    })
}

fn check_response(response: &Message) -> Result<(), HeaderError> {
    check_single(response, &["From", "To", "Call-ID", "CSeq"])?;
    // RFC 3261 §8.1.3.3: we never proxy, so a response with a second Via is not for us.
    if response.vias()?.len() != 1 {
        return Err(HeaderError::Repeated("Via"));
    }
    check_dialog_headers(response)?;
    response.cseq().map(|_| ())
}

fn check_request_headers(request: &Message) -> Result<(), HeaderError> {
    check_single(request, &SINGLE)?;
    check_vias(request)?;
    check_dialog_headers(request)?;
    request.max_forwards()?;
    request.expires()?;
    request.contacts()?;
    request.name_addrs("Route")?;
    request.name_addrs("Record-Route")?;
    request.refer_to().transpose()?;
    request.replaces().transpose()?;
    if !request.body.is_empty() {
        request.content_type().transpose()?;
    }
    Ok(())
}

fn check_dialog_headers(message: &Message) -> Result<(), HeaderError> {
    message.from()?;
    message.to()?;
    if message.call_id().is_empty() {
        return Err(HeaderError::Missing("Call-ID"));
    }
    if message.call_id().contains([' ', '\t']) {
        return Err(HeaderError::Bad { name: "Call-ID", why: "white space in it" });
    }
    Ok(())
}

fn check_single(message: &Message, names: &[&'static str]) -> Result<(), HeaderError> {
    match names.iter().find(|name| message.headers.get_all(name).nth(1).is_some()) {
        Some(name) => Err(HeaderError::Repeated(name)),
        None => Ok(()),
    }
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
