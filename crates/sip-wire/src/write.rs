//! Message to bytes.

use crate::message::{Message, Start};
use crate::text;

pub(crate) fn message(message: &Message) -> Vec<u8> {
    let guess = message.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum::<usize>();
    let mut out = Vec::with_capacity(guess + message.body.len() + 128);
    start_line(&message.start, &mut out);
    for (name, value) in message.headers.iter() {
        if !name.is_empty() && !name.eq_ignore_ascii_case("Content-Length") {
            token(name, &mut out);
            out.extend_from_slice(b": ");
            text::encode_clean(value, &mut out);
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", message.body.len()).as_bytes());
    out.extend_from_slice(&message.body);
    out
}

fn start_line(start: &Start, out: &mut Vec<u8>) {
    match start {
        Start::Request { method, uri } => {
            token(method.as_str(), out);
            out.push(b' ');
            // A Uri holds no white space or control character by construction; the writer does not rely on it.
            text::encode_clean(uri.as_str(), out);
            out.extend_from_slice(b" SIP/2.0\r\n");
        }
        Start::Response { code, reason } => {
            out.extend_from_slice(format!("SIP/2.0 {:03} ", (*code).min(999)).as_bytes());
            text::encode_clean(reason, out);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Method and header names: whatever is no token character becomes `_`, and so does an empty name.
fn token(name: &str, out: &mut Vec<u8>) {
    let name = if name.is_empty() { "_" } else { name };
    out.extend(name.bytes().map(|byte| if text::is_token_byte(byte) { byte } else { b'_' }));
}
