//! Messages out of a byte stream (TCP, TLS).

use crate::malformed::Malformed;
use crate::message::Message;
use crate::parse::{ContentLength, Head, MAX_HEAD_BYTES, MAX_MESSAGE_BYTES, find_head_end};

/// One thing found in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framed {
    /// A complete message.
    Message(Box<Message>),
    /// A double CRLF between messages (RFC 5626 §4.4.1): answer it with one CRLF.
    KeepAlive,
}

/// Cuts a byte stream into messages (RFC 3261 §18.3). Holds at most one message of [`MAX_MESSAGE_BYTES`] plus what one
/// `push` brought, as long as `next_frame` is called until `None` after each push.
///
/// After a [`Malformed`] with `close_stream` the framer swallows everything: where the next message starts is unknown.
#[derive(Debug, Default)]
pub struct StreamFramer {
    buffer: Vec<u8>,
    scanned: usize,
    waiting: Option<Waiting>,
    closed: bool,
}

/// A head whose body has not arrived yet.
#[derive(Debug)]
struct Waiting {
    head: Box<Head>,
    body_at: usize,
    end: usize,
}

impl StreamFramer {
    /// An empty framer for one connection.
    pub fn new() -> StreamFramer {
        StreamFramer::default()
    }

    /// Adds bytes received.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.closed {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next message, keepalive or error; `None` when more bytes are needed.
    pub fn next_frame(&mut self) -> Option<Result<Framed, Malformed>> {
        if self.closed {
            return None;
        }
        if self.waiting.is_none() {
            if let Some(keepalive) = self.skip_blank_lines() {
                return Some(Ok(keepalive));
            }
            match self.read_head()? {
                Ok(waiting) => self.waiting = Some(waiting),
                Err(malformed) => return Some(Err(self.close(malformed))),
            }
        }
        self.take_message()
    }

    /// True when the bytes of a message have begun to arrive and are not complete: a peer that leaves it so for long
    /// should be disconnected.
    pub fn is_mid_message(&self) -> bool {
        !self.closed && !self.buffer.is_empty() && self.buffer != b"\r\n"
    }

    fn skip_blank_lines(&mut self) -> Option<Framed> {
        loop {
            match self.buffer.as_slice() {
                [b'\r', b'\n', b'\r', b'\n', ..] => {
                    self.buffer.drain(..4);
                    return Some(Framed::KeepAlive);
                }
                // The start of a double CRLF, or a single one (the answer to our own keepalive).
                b"\r" | b"\r\n" | b"\r\n\r" => return None,
                [b'\r' | b'\n', ..] => {
                    self.buffer.drain(..1);
                }
                _ => return None,
            }
        }
    }

    fn read_head(&mut self) -> Option<Result<Waiting, Malformed>> {
        if matches!(self.buffer.first(), None | Some(b'\r' | b'\n')) {
            return None;
        }
        let Some(body_at) = find_head_end(&self.buffer, &mut self.scanned) else {
            let too_long = self.buffer.len() > MAX_HEAD_BYTES;
            return too_long.then(|| Err(Head::parse(&self.buffer).refuse(513, "headers do not end")));
        };
        let head = Head::parse(&self.buffer[..body_at]);
        Some(match head.content_length() {
            _ if body_at > MAX_HEAD_BYTES => Err(head.refuse(513, "headers too long")),
            ContentLength::Absent => Err(head.refuse(400, "no Content-Length on a stream")),
            ContentLength::Bad => Err(head.refuse(400, "Content-Length is not a number")),
            ContentLength::Repeated => Err(head.refuse(400, "Content-Length stands more than once")),
            ContentLength::Bytes(length) if length > MAX_MESSAGE_BYTES - body_at => {
                Err(head.refuse(513, "message too large"))
            }
            ContentLength::Bytes(_) if !head.looks_like_sip() => Err(head.refuse(400, "bad start line")),
            ContentLength::Bytes(length) => Ok(Waiting { head: Box::new(head), body_at, end: body_at + length }),
        })
    }

    fn take_message(&mut self) -> Option<Result<Framed, Malformed>> {
        let waiting = self.waiting.take_if(|waiting| self.buffer.len() >= waiting.end)?;
        let body = self.buffer[waiting.body_at..waiting.end].to_vec();
        self.buffer.drain(..waiting.end);
        self.scanned = 0;
        Some(waiting.head.into_message(body).map(|message| Framed::Message(Box::new(message))))
    }

    fn close(&mut self, malformed: Malformed) -> Malformed {
        self.closed = true;
        self.buffer = Vec::new();
        malformed.closing()
    }
}
