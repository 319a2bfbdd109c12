//! Bodies: finding the SDP in one, and writing SDP with a part beside it (RFC 5621).

use crate::event::BodyPart;
use sip_wire::{BodyPart as WirePart, Headers, Message, Multipart};

/// By what a recorder asks for all metadata once more (RFC 7866 §8.2).
pub(crate) const METADATA_REQUEST: &str = "application/rs-metadata-request";

/// What a body holds for us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// No body, or nothing in it that must be understood.
    Nothing,
    /// A session description.
    Sdp(Vec<u8>),
    /// Something we do not know and must not ignore: 415.
    Unknown,
}

/// Finds the session description, also inside multipart bodies.
pub(crate) fn find_sdp(message: &Message) -> Found {
    if message.body.is_empty() {
        return Found::Nothing;
    }
    if !message.headers.contains("Content-Type") {
        // RFC 3261 §7.4.1 wants a type; a body without one can only be meant as SDP.
        return Found::Sdp(message.body.clone());
    }
    find(message.body_parts(), 3)
}

/// The session description, if there is one.
pub(crate) fn sdp(message: &Message) -> Option<Vec<u8>> {
    match find_sdp(message) {
        Found::Sdp(sdp) => Some(sdp),
        Found::Nothing | Found::Unknown => None,
    }
}

/// Puts an SDP on a message, with another part beside it if there is one.
pub(crate) fn attach(message: &mut Message, sdp: Vec<u8>, part: Option<&BodyPart>, seed: &str) {
    let Some(part) = part else {
        message.headers.set("Content-Type", "application/sdp");
        message.body = sdp;
        return;
    };
    let mut first = Headers::new();
    first.push("Content-Type", "application/sdp");
    first.push("Content-Disposition", "session;handling=required");
    let mut second = Headers::new();
    second.push("Content-Type", part.content_type.as_str());
    if let Some(id) = &part.content_id {
        second.push("Content-ID", format!("<{id}>"));
    }
    second.push("Content-Disposition", part.disposition);
    let parts = vec![WirePart { headers: first, bytes: sdp }, WirePart { headers: second, bytes: part.bytes.clone() }];
    Multipart { parts }.attach_to(message, seed);
}

/// The status code of the status line that a `message/sipfrag` begins with (RFC 3420), read tolerantly: blank lines
/// before it, no reason phrase, no line end.
pub(crate) fn sipfrag_status(body: &[u8]) -> Option<u16> {
    let line =
        body.split(|byte| matches!(byte, b'\r' | b'\n')).map(<[u8]>::trim_ascii).find(|line| !line.is_empty())?;
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    if !words.next()?.eq_ignore_ascii_case(b"SIP/2.0") {
        return None;
    }
    let code: u16 = core::str::from_utf8(words.next()?).ok()?.parse().ok()?;
    (100..700).contains(&code).then_some(code)
}

fn find(parts: Vec<WirePart>, depth: u8) -> Found {
    let mut found = Found::Unknown;
    for part in parts {
        match part.media_type() {
            Some(kind) if kind == "application/sdp" => return Found::Sdp(part.bytes),
            Some(kind) if kind == METADATA_REQUEST => found = Found::Nothing,
            Some(kind) if kind.starts_with("multipart/") && depth > 0 => {
                let optional = is_optional(&part);
                let inner = Message { headers: part.headers, body: part.bytes, ..Message::response(200, "") };
                match find(inner.body_parts(), depth - 1) {
                    Found::Sdp(sdp) => return Found::Sdp(sdp),
                    Found::Nothing => found = Found::Nothing,
                    Found::Unknown if optional => found = Found::Nothing,
                    Found::Unknown => {}
                }
            }
            _ if is_optional(&part) => found = Found::Nothing,
            _ => {}
        }
    }
    found
}

fn is_optional(part: &WirePart) -> bool {
    part.headers.get("Content-Disposition").is_some_and(|value| {
        let compact: String = value.chars().filter(|c| !c.is_whitespace()).collect();
        compact.to_ascii_lowercase().contains(";handling=optional")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDP: &[u8] = b"v=0\r\ns=-\r\n";

    fn message(headers: &[(&str, &str)], body: &[u8]) -> Message {
        let mut message = Message::response(200, "OK");
        for (name, value) in headers {
            message.headers.push(name, *value);
        }
        message.body = body.to_vec();
        message
    }

    #[test]
    fn what_is_attached_is_found_again() {
        for id in [None, Some("ctx@gw".to_owned())] {
            let part = BodyPart {
                content_type: "application/json".to_owned(),
                content_id: id,
                disposition: "by-reference;handling=optional",
                bytes: b"{\"v\":1}".to_vec(),
            };
            let mut sent = message(&[], b"");
            attach(&mut sent, SDP.to_vec(), Some(&part), "b0undary");
            assert_eq!(find_sdp(&sent), Found::Sdp(SDP.to_vec()));
            assert_eq!(sent.body_part("application/json").map(|part| part.bytes), Some(b"{\"v\":1}".to_vec()));
            for end in 0..sent.body.len() {
                let _ = find_sdp(&Message { body: sent.body[..end].to_vec(), ..sent.clone() });
            }
        }
    }

    #[test]
    fn sdp_is_found_inside_nested_multiparts() {
        let inner = b"--in\r\nContent-Type: application/sdp\r\n\r\nv=0\r\ns=-\r\n\r\n--in--\r\n";
        let body =
            [b"--out\r\nContent-Type: multipart/alternative;boundary=in\r\n\r\n" as &[u8], inner, b"\r\n--out--"];
        let sent = message(&[("Content-Type", "multipart/mixed; boundary=\"out\"")], &body.concat());
        assert_eq!(find_sdp(&sent), Found::Sdp(SDP.to_vec()));
    }

    #[test]
    fn unknown_bodies_count_only_when_they_must_be_handled() {
        let text = ("Content-Type", "text/plain");
        assert_eq!(find_sdp(&message(&[text], b"hello")), Found::Unknown);
        let optional = ("Content-Disposition", "render; handling=optional");
        assert_eq!(find_sdp(&message(&[text, optional], b"hello")), Found::Nothing);
        assert_eq!(find_sdp(&message(&[text], b"")), Found::Nothing);
    }

    #[test]
    fn sipfrag_is_read_tolerantly() {
        for (body, status) in [
            ("SIP/2.0 200 OK\r\n", Some(200)),
            ("SIP/2.0 200", Some(200)),
            ("\r\nsip/2.0  503 Service Unavailable\r\nRetry-After: 5\r\n", Some(503)),
            ("SIP/2.0 100 Trying", Some(100)),
            ("", None),
            ("HTTP/1.1 200 OK", None),
            ("SIP/2.0 9999 Huge", None),
            ("SIP/2.0 4294967301 Huge", None),
            ("SIP/2.0", None),
        ] {
            assert_eq!(sipfrag_status(body.as_bytes()), status, "{body:?}");
        }
    }
}
