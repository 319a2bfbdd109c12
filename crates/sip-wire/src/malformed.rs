//! What to do with a message that cannot be processed.

use crate::headers::Headers;
use crate::message::{Message, Start};
use crate::method::Method;
use crate::reason::reason_phrase;

/// Why a message cannot be processed, and what to answer where an answer can be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong, for traces and logs. Never holds text from the message.
    pub reason: String,
    /// The status code that fits; also set when nothing may be answered (ACK, responses, no Via).
    pub code: u16,
    /// A response ready to be sent to where the message came from. It copies the Vias, From, To, Call-ID and CSeq
    /// that were readable, and its To tag depends on them alone, so that a retransmission gets the same answer.
    pub answer: Option<Box<Message>>,
    /// The byte stream cannot be followed any further: close the connection after the answer.
    pub close_stream: bool,
    /// Call-ID of the message, when there was one, so that the trace can show it with its call.
    pub call_id: Option<String>,
}

impl Malformed {
    /// Bytes that are no request one could answer.
    pub(crate) fn silent(reason: impl Into<String>) -> Malformed {
        Malformed { reason: reason.into(), code: 400, answer: None, close_stream: false, call_id: None }
    }

    /// A request that gets `code`. Nothing is answered to an ACK, or without a Via to copy.
    pub(crate) fn refused(
        code: u16,
        reason: impl Into<String>,
        method: Option<&Method>,
        headers: &Headers,
    ) -> Malformed {
        let answerable = method != Some(&Method::Ack) && headers.contains("Via");
        let reason = reason.into();
        let answer = answerable.then(|| Box::new(answer(code, &reason, headers)));
        Malformed { reason, code, answer, close_stream: false, call_id: headers.get("Call-ID").map(str::to_owned) }
    }

    pub(crate) fn closing(mut self) -> Malformed {
        self.close_stream = true;
        self
    }
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Malformed {}

fn answer(code: u16, reason: &str, request: &Headers) -> Message {
    let phrase = if code == 400 { format!("Bad Request ({reason})") } else { reason_phrase(code).to_owned() };
    let mut message = Message::response_from_headers(request, code, &phrase, Some(&stateless_tag(request)));
    if let Start::Response { reason, .. } = &mut message.start {
        reason.truncate(reason.floor_char_boundary(120));
    }
    message
}

/// RFC 3261 §8.2.7: a stateless answer carries the same To tag each time. FNV-1a over what identifies the request.
pub(crate) fn stateless_tag(request: &Headers) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for name in ["Via", "From", "Call-ID", "CSeq"] {
        for byte in request.get(name).unwrap_or("").bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    format!("wl{hash:016x}")
}
