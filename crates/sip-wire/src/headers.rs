//! The ordered list of header fields of a message.

use std::borrow::Cow;

use crate::text;

/// One header field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    name: Cow<'static, str>,
    value: String,
}

impl Header {
    /// Canonical name for headers Warmline knows (`v` reads as `Via`), else as received.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value: unfolded, trimmed, otherwise as received (see [`crate::text`] for bytes that are not UTF-8).
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// Header fields in the order they stand in the message.
///
/// Names are case-insensitive and compact forms are unified with their long forms.
/// A field that lists several values in one line stays one entry here; the typed readers of
/// [`crate::Message`] split it.
/// `Content-Length` never appears in a parsed message: framing consumed it, and the writer computes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<Header>);

impl Headers {
    /// No headers.
    pub fn new() -> Headers {
        Headers::default()
    }

    pub(crate) fn with_capacity(count: usize) -> Headers {
        Headers(Vec::with_capacity(count))
    }

    /// The first value under `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let name = expand(name);
        self.0.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value.as_str())
    }

    /// All values under `name`, one per line of the message.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        let name = expand(name);
        self.0.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value.as_str())
    }

    /// All single values under `name`: every line, split at the commas that separate values.
    pub fn get_list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.get_all(name).flat_map(text::split_list)
    }

    /// True when a line with this name exists.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Adds a line at the end.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.0.push(Header { name: canonical(name), value: value.into() });
    }

    /// Adds a line before all others.
    pub fn push_front(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(0, Header { name: canonical(name), value: value.into() });
    }

    /// Puts one line in the place of all lines with this name (at the place of the first, else at the end).
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let header = Header { name: canonical(name), value: value.into() };
        match self.0.iter().position(|known| known.name.eq_ignore_ascii_case(&header.name)) {
            None => self.0.push(header),
            Some(first) => {
                self.remove(name);
                self.0.insert(first.min(self.0.len()), header);
            }
        }
    }

    /// Removes all lines with this name; says how many there were.
    pub fn remove(&mut self, name: &str) -> usize {
        let name = expand(name);
        let before = self.0.len();
        self.0.retain(|header| !header.name.eq_ignore_ascii_case(name));
        before - self.0.len()
    }

    /// Copies every line with this name from `other`, in order.
    pub fn copy_from(&mut self, other: &Headers, name: &str) {
        let name = expand(name);
        self.0.extend(other.0.iter().filter(|header| header.name.eq_ignore_ascii_case(name)).cloned());
    }

    /// All lines in order, as (name, value).
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|header| (header.name(), header.value()))
    }

    /// Number of lines.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there is no line.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Replaces the value of the first line with this name.
    pub(crate) fn replace_first(&mut self, name: &str, value: String) {
        if let Some(header) = self.0.iter_mut().find(|header| header.name.eq_ignore_ascii_case(name)) {
            header.value = value;
        }
    }
}

/// The long form of a compact header name; other names unchanged.
fn expand(name: &str) -> &str {
    let [letter] = name.as_bytes() else { return name };
    match letter.to_ascii_lowercase() {
        b'a' => "Accept-Contact",
        b'b' => "Referred-By",
        b'c' => "Content-Type",
        b'd' => "Request-Disposition",
        b'e' => "Content-Encoding",
        b'f' => "From",
        b'i' => "Call-ID",
        b'j' => "Reject-Contact",
        b'k' => "Supported",
        b'l' => "Content-Length",
        b'm' => "Contact",
        b'n' => "Identity-Info",
        b'o' => "Event",
        b'r' => "Refer-To",
        b's' => "Subject",
        b't' => "To",
        b'u' => "Allow-Events",
        b'v' => "Via",
        b'x' => "Session-Expires",
        b'y' => "Identity",
        _ => name,
    }
}

/// Canonical spelling without allocating for names Warmline knows.
pub(crate) fn canonical(name: &str) -> Cow<'static, str> {
    let name = expand(name);
    match KNOWN.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(name.to_owned()),
    }
}

/// Most frequent first.
const KNOWN: [&str; 71] = [
    "Via",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Contact",
    "Max-Forwards",
    "Content-Type",
    "Content-Length",
    "Allow",
    "Supported",
    "User-Agent",
    "Route",
    "Record-Route",
    "Session-Expires",
    "Min-SE",
    "P-Asserted-Identity",
    "Session-ID",
    "Accept",
    "Require",
    "Server",
    "Reason",
    "Replaces",
    "Refer-To",
    "Referred-By",
    "Refer-Sub",
    "Event",
    "Subscription-State",
    "Expires",
    "Date",
    "Subject",
    "User-to-User",
    "Call-Info",
    "Content-Disposition",
    "MIME-Version",
    "Accept-Encoding",
    "Accept-Language",
    "Accept-Contact",
    "Reject-Contact",
    "Request-Disposition",
    "Alert-Info",
    "Allow-Events",
    "Authentication-Info",
    "Authorization",
    "Content-Encoding",
    "Content-Language",
    "Diversion",
    "Error-Info",
    "History-Info",
    "Identity",
    "Identity-Info",
    "In-Reply-To",
    "Join",
    "Min-Expires",
    "Organization",
    "Priority",
    "Privacy",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Require",
    "P-Preferred-Identity",
    "RAck",
    "RSeq",
    "Remote-Party-ID",
    "Reply-To",
    "Retry-After",
    "Target-Dialog",
    "Timestamp",
    "Unsupported",
    "WWW-Authenticate",
    "Warning",
];
