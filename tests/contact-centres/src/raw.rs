//! A SIP request as bytes on the wire, split without help from our own parser.

use crate::Refusal;

/// A request's lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Such as `INVITE`.
    pub method: String,
    /// The Request-URI.
    pub uri: String,
    /// Names in lower case with compact forms expanded, and values, in order; repeated ones as often as they came.
    pub headers: Vec<(String, String)>,
    /// The same names as they were written.
    pub written: Vec<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Compact forms (RFC 3261 §7.3.3, RFC 3515, RFC 3892).
const COMPACT: [(&str, &str); 12] = [
    ("i", "call-id"),
    ("m", "contact"),
    ("e", "content-encoding"),
    ("l", "content-length"),
    ("c", "content-type"),
    ("f", "from"),
    ("s", "subject"),
    ("k", "supported"),
    ("t", "to"),
    ("v", "via"),
    ("r", "refer-to"),
    ("b", "referred-by"),
];

impl Request {
    /// Splits a request.
    ///
    /// # Errors
    /// 400 for what no product would read: no request line, a header line without a name, a bare CR or LF, a mandatory
    /// header missing or twice, a Content-Length that does not fit.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let bad = |why: String| Refusal::new(400, why);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(|| bad("no blank line".into()))?;
        let head = core::str::from_utf8(&bytes[..end]).map_err(|_| bad("the head is not UTF-8".into()))?;
        let body = bytes[end + 4..].to_vec();
        if head.replace("\r\n", "").contains(['\r', '\n', '\0']) {
            return Err(bad("a bare CR, LF or NUL in the head".into()));
        }
        let mut lines = head.split("\r\n");
        let first: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
        let [method, uri, "SIP/2.0"] = first[..] else { return Err(bad(format!("request line {first:?}"))) };
        let mut request =
            Self { method: method.into(), uri: uri.into(), headers: Vec::new(), written: Vec::new(), body };
        for line in lines {
            request.take_line(line).map_err(bad)?;
        }
        for name in ["via", "from", "to", "call-id", "cseq", "max-forwards", "content-length"] {
            let times = request.all(name).count();
            if times != 1 && !(name == "via" && times > 1) {
                return Err(bad(format!("{name} comes {times} times")));
            }
        }
        let length = request.one("content-length").and_then(|text| text.parse::<usize>().ok());
        if length != Some(request.body.len()) {
            return Err(bad(format!("Content-Length {length:?} for {} octets", request.body.len())));
        }
        Ok(request)
    }

    fn take_line(&mut self, line: &str) -> Result<(), String> {
        if line.starts_with([' ', '\t']) {
            let (_, value) = self.headers.last_mut().ok_or("a continuation of nothing")?;
            value.push(' ');
            value.push_str(line.trim());
            return Ok(());
        }
        let (name, value) = line.split_once(':').ok_or_else(|| format!("a line without a colon: {line}"))?;
        let name = name.trim_end();
        let is_token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
        if name.is_empty() || !name.chars().all(is_token) {
            return Err(format!("`{name}` is no header name"));
        }
        let lower = name.to_ascii_lowercase();
        let long = COMPACT.iter().find(|(short, _)| *short == lower).map_or(lower.as_str(), |(_, long)| long);
        self.headers.push((long.to_owned(), value.trim().to_owned()));
        self.written.push(name.to_owned());
        Ok(())
    }

    /// Every value of a header, as often as it came.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a header.
    pub fn one(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Names as written, and values, of the headers whose lower-case name fits.
    pub fn named(&self, fits: impl Fn(&str) -> bool) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.headers.iter().zip(&self.written);
        pairs.filter(move |((lower, _), _)| fits(lower)).map(|((_, value), name)| (name.as_str(), value.as_str()))
    }

    /// Whether it begins a dialog: `To` has no tag.
    pub fn is_initial_invite(&self) -> bool {
        self.method == "INVITE" && self.one("to").is_some_and(|to| !to.to_ascii_lowercase().contains(";tag="))
    }
}
