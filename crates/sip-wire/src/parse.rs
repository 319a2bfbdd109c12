//! Bytes to message.

use crate::headers::Headers;
use crate::malformed::Malformed;
use crate::message::{Message, Start};
use crate::method::Method;
use crate::text;
use crate::uri::Uri;

/// Largest message accepted, over UDP and over a stream.
pub const MAX_MESSAGE_BYTES: usize = 65_536;
/// Largest start line and headers together. RFC 4475 §3.1.1.7 has 3.5 kB; identity headers add a few more.
pub const MAX_HEAD_BYTES: usize = 32_768;
/// Most header lines accepted.
pub const MAX_HEADER_LINES: usize = 256;

/// Start line and headers, read as far as they can be.
#[derive(Debug)]
pub(crate) struct Head {
    start: Option<Start>,
    method: Option<Method>,
    headers: Headers,
    content_length: ContentLength,
    problem: Option<(u16, &'static str)>,
    is_response: bool,
}

/// What the Content-Length lines say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentLength {
    Absent,
    Bytes(usize),
    Bad,
    Repeated,
}

pub(crate) fn datagram(bytes: &[u8]) -> Result<Message, Malformed> {
    let bytes = skip_blank_lines(bytes);
    if bytes.is_empty() {
        return Err(Malformed::silent("empty datagram"));
    }
    let limit = bytes.len().min(MAX_HEAD_BYTES);
    let (head_end, complete) = match find_head_end(&bytes[..limit], &mut 0) {
        Some(end) => (end, true),
        None => (limit, false),
    };
    let head = Head::parse(&bytes[..head_end]);
    if !complete {
        let code = if bytes.len() > limit { 513 } else { 400 };
        return Err(head.refuse(code, "headers do not end"));
    }
    let rest = &bytes[head_end..];
    let length = match head.content_length {
        ContentLength::Absent => rest.len(),
        ContentLength::Bytes(length) if length > rest.len() => {
            return Err(head.refuse(400, "Content-Length larger than the body"));
        }
        ContentLength::Bytes(length) => length,
        ContentLength::Bad => return Err(head.refuse(400, "Content-Length is not a number")),
        ContentLength::Repeated => return Err(head.refuse(400, "Content-Length stands more than once")),
    };
    head.into_message(rest[..length].to_vec())
}

/// RFC 3261 §7.5: line ends before the start line are ignored.
pub(crate) fn skip_blank_lines(bytes: &[u8]) -> &[u8] {
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    &bytes[blank..]
}

/// Index after the empty line that ends the headers. `from` remembers where the last complete line ended, so that a
/// stream that grows byte by byte is not read again from its start.
pub(crate) fn find_head_end(bytes: &[u8], from: &mut usize) -> Option<usize> {
    let mut line_start = *from;
    while let Some(length) = bytes[line_start..].iter().position(|byte| *byte == b'\n') {
        let line = &bytes[line_start..line_start + length];
        line_start += length + 1;
        if line.is_empty() || line == b"\r" {
            return Some(line_start);
        }
        *from = line_start;
    }
    None
}

impl Head {
    /// Reads a head; problems are kept, so that an answer can carry what was readable.
    pub(crate) fn parse(bytes: &[u8]) -> Head {
        let mut lines = Lines { rest: bytes };
        let first = lines.next().unwrap_or_default();
        let mut head = Head {
            start: None,
            method: None,
            headers: Headers::with_capacity(24),
            content_length: ContentLength::Absent,
            problem: None,
            is_response: first.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")),
        };
        head.read_start_line(first);
        head.read_headers(lines);
        head
    }

    fn read_start_line(&mut self, line: &[u8]) {
        let line = text::decode(line);
        if self.is_response {
            match parse_status_line(&line) {
                Some(start) => self.start = Some(start),
                None => self.note(400, "bad status line"),
            }
            return;
        }
        let method = line.split(' ').next().unwrap_or("");
        self.method = text::is_token(method).then(|| Method::parse(method));
        match parse_request_line(&line) {
            Ok(start) => self.start = Some(start),
            Err((code, why)) => self.note(code, why),
        }
    }

    fn read_headers(&mut self, lines: Lines<'_>) {
        for (count, line) in lines.enumerate() {
            if line.is_empty() {
                return;
            }
            if count == MAX_HEADER_LINES {
                self.note(513, "too many headers");
                return;
            }
            let Some((name, value)) = split_header(line) else {
                self.note(400, "header line is not 'name: value'");
                continue;
            };
            let value = unfold(value);
            if name.eq_ignore_ascii_case("Content-Length") || name.eq_ignore_ascii_case("l") {
                self.note_content_length(&value);
            } else {
                self.headers.push(name, value);
            }
        }
    }

    fn note_content_length(&mut self, value: &str) {
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        self.content_length = match self.content_length {
            ContentLength::Absent if !digits => ContentLength::Bad,
            // More digits than a usize holds is larger than any body.
            ContentLength::Absent => ContentLength::Bytes(value.parse().unwrap_or(usize::MAX)),
            _ => ContentLength::Repeated,
        };
    }

    fn note(&mut self, code: u16, why: &'static str) {
        self.problem.get_or_insert((code, why));
    }

    /// False when the first line starts with neither a method nor a SIP version: then nothing after it can be trusted.
    pub(crate) fn looks_like_sip(&self) -> bool {
        self.is_response || self.method.is_some()
    }

    pub(crate) fn content_length(&self) -> ContentLength {
        self.content_length
    }

    /// A refusal because of framing. A problem found earlier in the head tells more and wins, unless the message is too
    /// large: then the rest of the head was never read whole.
    pub(crate) fn refuse(&self, code: u16, why: &'static str) -> Malformed {
        let (code, why) = self.problem.filter(|_| code != 513).unwrap_or((code, why));
        if self.is_response {
            return Malformed { call_id: self.headers.get("Call-ID").map(str::to_owned), ..Malformed::silent(why) };
        }
        Malformed::refused(code, why, self.method.as_ref(), &self.headers)
    }

    pub(crate) fn into_message(self, body: Vec<u8>) -> Result<Message, Malformed> {
        match (self.problem, self.start) {
            (None, Some(start)) => Ok(Message { start, headers: self.headers, body }),
            (_, start) => Err(Head { start, ..self }.refuse(400, "bad start line")),
        }
    }
}

/// Headers and content of one part of a multipart body; lines that are no headers are left out.
pub(crate) fn part_headers(bytes: &[u8]) -> (Headers, &[u8]) {
    let end = find_head_end(bytes, &mut 0).unwrap_or(bytes.len());
    let mut lines = Lines { rest: &bytes[..end] };
    let mut headers = Headers::new();
    for line in lines.by_ref().take(MAX_HEADER_LINES).take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = split_header(line) {
            headers.push(name, unfold(value));
        }
    }
    (headers, &bytes[end..])
}

fn split_header(line: &[u8]) -> Option<(&str, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = line[..colon].trim_ascii_end();
    let good = !name.is_empty() && name.iter().all(|byte| text::is_token_byte(*byte));
    // Token bytes are ASCII.
    good.then(|| std::str::from_utf8(name).ok()).flatten().map(|name| (name, &line[colon + 1..]))
}

fn parse_request_line(line: &str) -> Result<Start, (u16, &'static str)> {
    let mut parts = line.split(' ');
    let (Some(method), Some(uri), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err((400, "request line is not three words"));
    };
    if !text::is_token(method) {
        return Err((400, "method is not a token"));
    }
    check_version(version)?;
    let uri = Uri::parse(uri).map_err(|_| (400, "bad Request-URI"))?;
    Ok(Start::Request { method: Method::parse(method), uri })
}

fn check_version(version: &str) -> Result<(), (u16, &'static str)> {
    if version.eq_ignore_ascii_case("SIP/2.0") {
        return Ok(());
    }
    let number = version.get(..4).filter(|start| start.eq_ignore_ascii_case("SIP/")).map(|_| &version[4..]);
    let numeric = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match number.and_then(|number| number.split_once('.')) {
        Some((major, minor)) if numeric(major) && numeric(minor) => Err((505, "SIP version is not 2.0")),
        _ => Err((400, "no SIP version")),
    }
}

fn parse_status_line(line: &str) -> Option<Start> {
    let (version, rest) = line.split_once(' ')?;
    let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let three_digits = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
    let code = three_digits.then(|| code.parse().ok()).flatten().filter(|code| (100..700).contains(code))?;
    check_version(version).ok()?;
    Some(Start::Response { code, reason: reason.to_owned() })
}

/// Header value: folds become one space, outer white space goes, inner control characters stay as received.
fn unfold(value: &[u8]) -> String {
    let value = value.trim_ascii();
    if !value.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        return text::decode(value);
    }
    let mut flat = Vec::with_capacity(value.len());
    let mut in_fold = false;
    for byte in value {
        match byte {
            b'\r' | b'\n' => in_fold = true,
            b' ' | b'\t' if in_fold => {}
            _ => {
                if in_fold {
                    while flat.last() == Some(&b' ') || flat.last() == Some(&b'\t') {
                        flat.pop();
                    }
                    flat.push(b' ');
                    in_fold = false;
                }
                flat.push(*byte);
            }
        }
    }
    text::decode(&flat)
}

/// Logical lines: a line that starts with white space continues the one before. Ends are CRLF; a bare LF is taken
/// for one too, because some equipment sends it and we never pass bytes on as they came.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let mut end = 0;
        loop {
            match self.rest[end..].iter().position(|byte| *byte == b'\n') {
                None => end = self.rest.len(),
                Some(at) => end += at + 1,
            }
            let blank = matches!(&self.rest[..end], b"\n" | b"\r\n");
            if blank || !matches!(self.rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}
