//! A SIP message as a value, its typed header readers, and the responses built from it.

use core::fmt;
use std::net::SocketAddr;

use crate::error::{HeaderError, ParseError};
use crate::headers::Headers;
use crate::malformed::Malformed;
use crate::method::Method;
use crate::name_addr::NameAddr;
use crate::params::Params;
use crate::reason::reason_phrase;
use crate::uri::Uri;
use crate::values::{CSeq, Parameterised, RAck, Replaces, SessionExpires, parse_number};
use crate::via::Via;
use crate::{parse, write};

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// `METHOD uri SIP/2.0`
    Request {
        /// Method.
        method: Method,
        /// Request-URI.
        uri: Uri,
    },
    /// `SIP/2.0 code reason`
    Response {
        /// Status code, 100 to 699 when parsed.
        code: u16,
        /// Reason phrase, may be empty.
        reason: String,
    },
}

/// A request or a response.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// First line.
    pub start: Start,
    /// Header fields without Content-Length.
    pub headers: Headers,
    /// Body, any bytes.
    pub body: Vec<u8>,
}

/// Without the body, which may hold keys.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, headers, body } = self;
        let body = format_args!("{} octets", body.len());
        f.debug_struct("Message").field("start", start).field("headers", headers).field("body", &body).finish()
    }
}

impl Message {
    /// Reads one UDP datagram (RFC 3261 §18.3): without Content-Length the body is the rest of the datagram, bytes
    /// after it are ignored when it is smaller, and it is an error (400) when it is larger.
    ///
    /// Total: any bytes give a message or a [`Malformed`]. What depends on header values is checked by
    /// [`crate::validate_request`], so that the reader of a trace can see the message all the same.
    pub fn parse_datagram(bytes: &[u8]) -> Result<Message, Malformed> {
        parse::datagram(bytes)
    }

    /// A request without headers.
    pub fn request(method: Method, uri: Uri) -> Message {
        Message { start: Start::Request { method, uri }, headers: Headers::new(), body: Vec::new() }
    }

    /// A response without headers.
    pub fn response(code: u16, reason: &str) -> Message {
        Message {
            start: Start::Response { code, reason: reason.to_owned() },
            headers: Headers::new(),
            body: Vec::new(),
        }
    }

    /// The response to this request (RFC 3261 §8.2.6): Vias, From, To, Call-ID and CSeq copied as received; Timestamp
    /// for 100; Record-Route for 101 to 299 (§12.1.1). `to_tag` is added to To when it has no tag yet; give `None`
    /// for 100. An empty `reason` means the usual phrase.
    pub fn response_to(&self, code: u16, reason: &str, to_tag: Option<&str>) -> Message {
        Message::response_from_headers(&self.headers, code, reason, to_tag)
    }

    pub(crate) fn response_from_headers(request: &Headers, code: u16, reason: &str, to_tag: Option<&str>) -> Message {
        let mut response = Message::response(code, if reason.is_empty() { reason_phrase(code) } else { reason });
        let headers = &mut response.headers;
        headers.copy_from(request, "Via");
        if (101..300).contains(&code) {
            headers.copy_from(request, "Record-Route");
        }
        // Repeated single headers occur in requests that are refused; one of each is enough for an answer.
        for name in ["From", "To", "Call-ID", "CSeq"] {
            if let Some(value) = request.get(name) {
                headers.push(name, value);
            }
        }
        if code == 100 {
            headers.copy_from(request, "Timestamp");
        }
        if let (Some(tag), Some(to)) = (to_tag, request.get("To")) {
            headers.set("To", with_tag(to, tag));
        }
        response
    }

    /// The bytes to send. Content-Length is always written and computed here; CR, LF and NUL in any field leave as
    /// spaces, so that no field can become two.
    pub fn to_bytes(&self) -> Vec<u8> {
        write::message(self)
    }

    /// True for a request.
    pub fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// The request's method.
    pub fn method(&self) -> Option<&Method> {
        match &self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The response's status code.
    pub fn code(&self) -> Option<u16> {
        match &self.start {
            Start::Request { .. } => None,
            Start::Response { code, .. } => Some(*code),
        }
    }

    /// The response's reason phrase.
    pub fn reason(&self) -> Option<&str> {
        match &self.start {
            Start::Request { .. } => None,
            Start::Response { reason, .. } => Some(reason),
        }
    }

    /// The Request-URI.
    pub fn request_uri(&self) -> Option<&Uri> {
        match &self.start {
            Start::Request { uri, .. } => Some(uri),
            Start::Response { .. } => None,
        }
    }

    /// The topmost Via.
    pub fn via(&self) -> Result<Via, HeaderError> {
        let value = self.headers.get_list("Via").next().ok_or(HeaderError::Missing("Via"))?;
        Via::parse(value).map_err(HeaderError::bad("Via"))
    }

    /// All Vias, topmost first.
    pub fn vias(&self) -> Result<Vec<Via>, HeaderError> {
        self.headers.get_list("Via").map(Via::parse).collect::<Result<_, _>>().map_err(HeaderError::bad("Via"))
    }

    /// Notes in the topmost Via where the request came from ([`Via::set_received`]). Does nothing to a Via that
    /// cannot be read.
    pub fn note_source(&mut self, source: SocketAddr) {
        let Some(line) = self.headers.get("Via") else { return };
        let mut values = crate::text::split_list(line);
        let Some(Ok(mut top)) = values.next().map(Via::parse) else { return };
        top.set_received(source);
        let line = std::iter::once(top.to_string()).chain(values.map(str::to_owned)).collect::<Vec<_>>().join(", ");
        self.headers.replace_first("Via", line);
    }

    /// The `From` value.
    pub fn from(&self) -> Result<NameAddr, HeaderError> {
        self.name_addr("From")
    }

    /// The `To` value.
    pub fn to(&self) -> Result<NameAddr, HeaderError> {
        self.name_addr("To")
    }

    /// The tag of From, if there is one and From can be read.
    pub fn from_tag(&self) -> Option<String> {
        self.from().ok()?.tag().map(str::to_owned)
    }

    /// The tag of To, if there is one and To can be read.
    pub fn to_tag(&self) -> Option<String> {
        self.to().ok()?.tag().map(str::to_owned)
    }

    /// The Call-ID, byte for byte; empty when there is none.
    pub fn call_id(&self) -> &str {
        self.headers.get("Call-ID").unwrap_or("")
    }

    /// Sequence number and method.
    pub fn cseq(&self) -> Result<CSeq, HeaderError> {
        let value = self.headers.get("CSeq").ok_or(HeaderError::Missing("CSeq"))?;
        CSeq::parse(value).map_err(HeaderError::bad("CSeq"))
    }

    /// The first Contact; `None` when there is none or it is `*`.
    pub fn contact(&self) -> Result<Option<NameAddr>, HeaderError> {
        match self.headers.get_list("Contact").next() {
            None | Some("*") => Ok(None),
            Some(value) => NameAddr::parse(value).map(Some).map_err(HeaderError::bad("Contact")),
        }
    }

    /// All Contacts; none when it is `*`.
    pub fn contacts(&self) -> Result<Vec<NameAddr>, HeaderError> {
        match self.headers.get("Contact") {
            Some("*") => Ok(Vec::new()),
            _ => self.name_addrs("Contact"),
        }
    }

    /// The Route values, topmost first; values that cannot be read are left out (validation refuses them).
    pub fn route_set(&self) -> Vec<NameAddr> {
        self.headers.get_list("Route").filter_map(|value| NameAddr::parse(value).ok()).collect()
    }

    /// The Record-Route values, topmost first; values that cannot be read are left out (validation refuses them).
    pub fn record_routes(&self) -> Vec<NameAddr> {
        self.headers.get_list("Record-Route").filter_map(|value| NameAddr::parse(value).ok()).collect()
    }

    /// Max-Forwards; `None` when there is none (RFC 2543 clients).
    pub fn max_forwards(&self) -> Result<Option<u8>, HeaderError> {
        self.number("Max-Forwards")
    }

    /// Expires in seconds.
    pub fn expires(&self) -> Result<Option<u32>, HeaderError> {
        self.number("Expires")
    }

    /// How long the session lives (RFC 4028); one that cannot be read counts as none.
    pub fn session_expires(&self) -> Option<SessionExpires> {
        self.headers.get("Session-Expires").and_then(|value| SessionExpires::parse(value).ok())
    }

    /// The shortest session the sender takes, in seconds.
    pub fn min_se(&self) -> Option<u32> {
        let value = self.headers.get("Min-SE")?;
        parse_number(value.split(';').next().unwrap_or_default()).ok()
    }

    /// The sender's own half of `Session-ID` (RFC 7989 §5); none when there is none, or it is no identifier.
    pub fn session_id(&self) -> Option<String> {
        let value = self.headers.get("Session-ID")?;
        let id = value.split(';').next()?.trim();
        let hex = id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (hex && id.bytes().any(|byte| byte != b'0')).then(|| id.to_owned())
    }

    /// The number of a provisional response that must be acknowledged (RFC 3262 §7.1); none: it need not be.
    pub fn rseq(&self) -> Option<u32> {
        let reliable = self.headers.get_list("Require").any(|tag| tag.eq_ignore_ascii_case("100rel"));
        self.headers.get("RSeq").filter(|_| reliable).and_then(|value| parse_number(value).ok())
    }

    /// What this PRACK acknowledges; none when it cannot be read.
    pub fn rack(&self) -> Option<RAck> {
        self.headers.get("RAck").and_then(|value| RAck::parse(value).ok())
    }

    /// The dialog this INVITE wants to replace.
    pub fn replaces(&self) -> Option<Result<Replaces, HeaderError>> {
        self.headers.get("Replaces").map(|value| Replaces::parse(value).map_err(HeaderError::bad("Replaces")))
    }

    /// The Refer-To value; exactly one must stand in a REFER (RFC 3515 §2.4.2).
    pub fn refer_to(&self) -> Option<Result<NameAddr, HeaderError>> {
        self.optional_name_addr("Refer-To")
    }

    /// The Referred-By value.
    pub fn referred_by(&self) -> Option<Result<NameAddr, HeaderError>> {
        self.optional_name_addr("Referred-By")
    }

    /// Event package and parameters (`id`).
    pub fn event(&self) -> Option<Result<Parameterised, HeaderError>> {
        self.parameterised("Event")
    }

    /// Subscription-State and parameters (`expires`, `reason`).
    pub fn subscription_state(&self) -> Option<Result<Parameterised, HeaderError>> {
        self.parameterised("Subscription-State")
    }

    /// Media type of the body, e.g. `application/sdp`, lower case.
    pub fn content_type(&self) -> Option<Result<Parameterised, HeaderError>> {
        self.parameterised("Content-Type")
    }

    /// The option tags in Require.
    pub fn require(&self) -> Vec<String> {
        self.tokens("Require")
    }

    /// The option tags in Supported.
    pub fn supported(&self) -> Vec<String> {
        self.tokens("Supported")
    }

    /// True when Supported or Require names the option tag.
    pub fn supports(&self, tag: &str) -> bool {
        ["Supported", "Require"]
            .iter()
            .any(|name| self.headers.get_list(name).any(|value| value.eq_ignore_ascii_case(tag)))
    }

    /// Whether Allow lists the method; `None` without an Allow header.
    pub fn allows(&self, method: &Method) -> Option<bool> {
        self.headers.contains("Allow").then(|| self.headers.get_list("Allow").any(|value| value == method.as_str()))
    }

    /// The single values of a list header, empty ones left out.
    pub fn tokens(&self, name: &str) -> Vec<String> {
        self.headers.get_list(name).filter(|value| !value.is_empty()).map(str::to_owned).collect()
    }

    /// A header read as one name-addr.
    pub fn name_addr(&self, name: &'static str) -> Result<NameAddr, HeaderError> {
        self.optional_name_addr(name).unwrap_or(Err(HeaderError::Missing(name)))
    }

    /// A header read as a list of name-addrs.
    pub fn name_addrs(&self, name: &'static str) -> Result<Vec<NameAddr>, HeaderError> {
        self.headers.get_list(name).map(NameAddr::parse).collect::<Result<_, _>>().map_err(HeaderError::bad(name))
    }

    fn optional_name_addr(&self, name: &'static str) -> Option<Result<NameAddr, HeaderError>> {
        self.headers.get(name).map(|value| NameAddr::parse(value).map_err(HeaderError::bad(name)))
    }

    /// A header read as `value;params`.
    pub fn parameterised(&self, name: &'static str) -> Option<Result<Parameterised, HeaderError>> {
        self.headers.get(name).map(|value| Parameterised::parse(value).map_err(HeaderError::bad(name)))
    }

    fn number<T: std::str::FromStr>(&self, name: &'static str) -> Result<Option<T>, HeaderError> {
        self.headers.get(name).map(parse_number).transpose().map_err(HeaderError::bad(name))
    }
}

/// Adds a tag to a To value as received, unless it has one or cannot be read (then a peer can only match by branch).
fn with_tag(to: &str, tag: &str) -> String {
    let tagged = |params: &Params| params.get("tag").is_some_and(|tag| !tag.is_empty());
    match NameAddr::parse(to) {
        Ok(value) if tagged(&value.params) => to.to_owned(),
        Ok(value) if value.params.has("tag") => value.with_tag(tag).to_string(),
        Ok(_) => format!("{to};tag={tag}"),
        Err(ParseError(_)) => to.to_owned(),
    }
}
