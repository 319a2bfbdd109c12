//! Multipart bodies (RFC 5621).

use crate::headers::Headers;
use crate::message::Message;
use crate::text;
use crate::values::Parameterised;

/// One part of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyPart {
    /// Headers of the part (Content-Type, Content-Disposition, Content-ID ..).
    pub headers: Headers,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A `multipart/mixed` body to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multipart {
    /// Parts in order.
    pub parts: Vec<BodyPart>,
}

impl Multipart {
    /// Puts the body and its headers on a message. `seed` makes the boundary; it is lengthened until it occurs in no part.
    pub fn attach_to(&self, message: &mut Message, seed: &str) {
        let mut boundary: String = seed.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        boundary.insert_str(0, "wl");
        while self.parts.iter().any(|part| find(&part.bytes, boundary.as_bytes()).is_some()) {
            boundary.push('x');
        }
        message.headers.set("MIME-Version", "1.0");
        message.headers.set("Content-Type", format!("multipart/mixed;boundary={boundary}"));
        message.body = self.bytes(&boundary);
    }

    fn bytes(&self, boundary: &str) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &self.parts {
            out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            for (name, value) in part.headers.iter() {
                text::encode_clean(name, &mut out);
                out.extend_from_slice(b": ");
                text::encode_clean(value, &mut out);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(&part.bytes);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        out
    }
}

impl Message {
    /// The parts of a multipart body, or the whole body as one part; none for an empty body.
    pub fn body_parts(&self) -> Vec<BodyPart> {
        if self.body.is_empty() {
            return Vec::new();
        }
        let boundary = match self.content_type() {
            Some(Ok(kind)) if kind.value.starts_with("multipart/") => kind.params.get_unquoted("boundary"),
            _ => None,
        };
        match boundary {
            Some(boundary) if !boundary.is_empty() => split_parts(&self.body, &boundary),
            _ => {
                let mut headers = Headers::new();
                headers.copy_from(&self.headers, "Content-Type");
                headers.copy_from(&self.headers, "Content-Disposition");
                vec![BodyPart { headers, bytes: self.body.clone() }]
            }
        }
    }

    /// The first part of this media type, e.g. `application/sdp`.
    pub fn body_part(&self, media_type: &str) -> Option<BodyPart> {
        self.body_parts().into_iter().find(|part| part.media_type().is_some_and(|kind| kind == media_type))
    }
}

impl BodyPart {
    /// Media type in lower case, without parameters.
    pub fn media_type(&self) -> Option<String> {
        Parameterised::parse(self.headers.get("Content-Type")?).ok().map(|kind| kind.value)
    }
}

fn split_parts(body: &[u8], boundary: &str) -> Vec<BodyPart> {
    let mut delimiter = b"--".to_vec();
    text::encode(boundary, &mut delimiter);
    let mut parts = Vec::new();
    let mut rest = body;
    let mut inside = false;
    while let Some(at) = find_delimiter(rest, &delimiter) {
        if inside {
            parts.push(parse_part(rest[..at].strip_suffix(b"\r\n").unwrap_or(&rest[..at])));
        }
        rest = &rest[at + delimiter.len()..];
        inside = !rest.starts_with(b"--");
        let line_end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        rest = &rest[line_end..];
        if !inside {
            break;
        }
    }
    parts
}

/// A delimiter counts only at the start of a line.
fn find_delimiter(bytes: &[u8], delimiter: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = find(&bytes[from..], delimiter).map(|at| at + from) {
        if at == 0 || bytes[at - 1] == b'\n' {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

fn parse_part(bytes: &[u8]) -> BodyPart {
    let (headers, bytes) = crate::parse::part_headers(bytes);
    BodyPart { headers, bytes: bytes.to_vec() }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len().max(1)).position(|window| window == wanted)
}
