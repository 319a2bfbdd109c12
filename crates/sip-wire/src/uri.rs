//! URIs, kept byte for byte as received.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use crate::error::ParseError;
use crate::text;

/// URI scheme. Comparison with other spellings is case-insensitive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:` (RFC 3966)
    Tel,
    /// Any other scheme, lower case. The rest of such a URI is opaque.
    Other(String),
}

/// Host part of a SIP URI or a Via sent-by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A domain name.
    Name(String),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address; written in brackets.
    V6(Ipv6Addr),
}

impl Host {
    /// Reads a host. IPv6 needs its brackets (RFC 5118 §4.1).
    pub fn parse(text: &str) -> Result<Host, ParseError> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(ParseError("IPv6 bracket is not closed"))?;
            return parse_v6(inner).map(Host::V6).ok_or(ParseError("not an IPv6 address"));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Host::V4(address));
        }
        if text.is_empty() || !text.chars().all(is_host_char) {
            return Err(ParseError("not a host name"));
        }
        Ok(Host::Name(text.to_owned()))
    }

    /// The address, when the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Name(_) => None,
            Host::V4(address) => Some(IpAddr::V4(*address)),
            Host::V6(address) => Some(IpAddr::V6(*address)),
        }
    }
}

/// `_` is in no standard and in many host names.
fn is_host_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')
}

/// RFC 5118 §4.10: a widely copied grammar bug wrote `:::` before an embedded IPv4 address; read it as `::`.
fn parse_v6(text: &str) -> Option<Ipv6Addr> {
    let lenient = || text.contains('.').then(|| text.replacen(":::", "::", 1).parse().ok()).flatten();
    text.parse().ok().or_else(lenient)
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Host {
        match address {
            IpAddr::V4(address) => Host::V4(address),
            IpAddr::V6(address) => Host::V6(address),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V4(address) => write!(f, "{address}"),
            Host::V6(address) => write!(f, "[{address}]"),
        }
    }
}

/// Splits `host`, `host:port`, `[v6]:port`. A bare IPv6 address is an error: its end cannot be told from a port.
pub(crate) fn parse_host_port(text: &str) -> Result<(Host, Option<u16>), ParseError> {
    let (host, port) = match text.rfind(']') {
        Some(end) => {
            let (host, rest) = text.split_at(end + 1);
            let rest = rest.trim_matches(text::is_lws);
            let port = rest.strip_prefix(':');
            if port.is_none() && !rest.is_empty() {
                return Err(ParseError("text after an IPv6 address"));
            }
            (host, port)
        }
        None => match text.split_once(':') {
            Some((_, port)) if port.contains(':') => return Err(ParseError("IPv6 address without brackets")),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map(|port| parse_port(port.trim_matches(text::is_lws))).transpose()?;
    Ok((Host::parse(host.trim_matches(text::is_lws))?, port))
}

fn parse_port(text: &str) -> Result<u16, ParseError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().ok_or(ParseError("not a port"))
}

/// A URI. The text stays byte for byte what was received; [`fmt::Display`] writes it unchanged.
///
/// The parts are read for `sip:`, `sips:` and `tel:`; every other scheme is opaque.
/// No URI value holds white space, control characters, `<`, `>` or `"`, so writing one can never end a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    raw: String,
    scheme: Scheme,
    user: Option<Range<usize>>,
    host: Option<Host>,
    port: Option<u16>,
    params: Range<usize>,
    headers: Range<usize>,
}

impl Uri {
    /// Reads a URI of any scheme.
    pub fn parse(text: &str) -> Result<Uri, ParseError> {
        if text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"')) {
            return Err(ParseError("a character no URI may hold"));
        }
        let (scheme, rest) = text.split_once(':').ok_or(ParseError("URI without a scheme"))?;
        let mut letters = scheme.bytes();
        let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        if !letters.next().is_some_and(|first| first.is_ascii_alphabetic()) || !letters.all(good) {
            return Err(ParseError("not a URI scheme"));
        }
        let start = scheme.len() + 1;
        match scheme {
            _ if scheme.eq_ignore_ascii_case("sip") => Uri::parse_sip(text, Scheme::Sip, start),
            _ if scheme.eq_ignore_ascii_case("sips") => Uri::parse_sip(text, Scheme::Sips, start),
            _ if scheme.eq_ignore_ascii_case("tel") => Uri::parse_tel(text, start, rest),
            _ => Ok(Uri::opaque(text, Scheme::Other(scheme.to_ascii_lowercase()))),
        }
    }

    fn opaque(text: &str, scheme: Scheme) -> Uri {
        let end = text.len()..text.len();
        Uri { raw: text.to_owned(), scheme, user: None, host: None, port: None, params: end.clone(), headers: end }
    }

    fn parse_tel(text: &str, start: usize, rest: &str) -> Result<Uri, ParseError> {
        let number_end = start + rest.find(';').unwrap_or(rest.len());
        if number_end == start {
            return Err(ParseError("tel URI without a number"));
        }
        Ok(Uri { user: Some(start..number_end), params: number_end..text.len(), ..Uri::opaque(text, Scheme::Tel) })
    }

    fn parse_sip(text: &str, scheme: Scheme, start: usize) -> Result<Uri, ParseError> {
        // The user part may hold `;` and `?` unescaped (RFC 4475 §3.1.1.9), so `@` is looked for first.
        let (user, host_start) = match text[start..].find('@') {
            Some(0) => return Err(ParseError("empty user part")),
            Some(at) => (Some(start..start + at), start + at + 1),
            None => (None, start),
        };
        let tail = &text[host_start..];
        let host_end = host_start + tail.find([';', '?']).unwrap_or(tail.len());
        let headers_start = host_start + tail.find('?').unwrap_or(tail.len());
        let (host, port) = parse_host_port(&text[host_start..host_end])?;
        Ok(Uri {
            raw: text.to_owned(),
            scheme,
            user,
            host: Some(host),
            port,
            params: host_end..headers_start,
            headers: headers_start..text.len(),
        })
    }

    /// Builds `sip:user@host:port`: the user escaped where needed, no user when empty, and `-` for a character that no
    /// host name may hold.
    pub fn sip(user: &str, host: &Host, port: Option<u16>) -> Uri {
        let user = text::escape_user(user);
        let at = if user.is_empty() { "" } else { "@" };
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let host = match host {
            Host::Name(name) if name.is_empty() => "invalid".to_owned(),
            Host::Name(name) => name.replace(|c: char| !is_host_char(c), "-"),
            Host::V4(_) | Host::V6(_) => host.to_string(),
        };
        let text = format!("sip:{user}{at}{host}{port}");
        Uri::parse(&text).unwrap_or_else(|_| Uri::opaque(&text, Scheme::Sip))
    }

    /// The whole URI as received.
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// The scheme.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// True for `sip:` and `sips:`.
    pub fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// The user part as received, still escaped, without password; the number for `tel:`.
    pub fn user(&self) -> Option<&str> {
        let userinfo = &self.raw[self.user.clone()?];
        Some(userinfo.split_once(':').map_or(userinfo, |(user, _)| user))
    }

    /// The user part with escapes undone: for routing and showing, never for putting into a URI.
    pub fn user_text(&self) -> Option<String> {
        self.user().map(|user| text::unescape(user).into_owned())
    }

    /// The host; `None` for `tel:` and opaque URIs.
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// The port, when written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// All parameters as (name, value), still escaped.
    pub fn params(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.raw[self.params.clone()].split(';').filter(|part| !part.is_empty()).map(split_pair)
    }

    /// A parameter's value, still escaped; an empty text when it has none. The name is compared case-insensitively
    /// and with escapes undone.
    pub fn param(&self, name: &str) -> Option<&str> {
        let same = |known: &str| known.eq_ignore_ascii_case(name) || text::unescape(known).eq_ignore_ascii_case(name);
        self.params().find(|(known, _)| same(known)).map(|(_, value)| value.unwrap_or(""))
    }

    /// The `?name=value&..` headers, still escaped.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.raw[self.headers.clone()]
            .trim_start_matches('?')
            .split('&')
            .filter(|part| !part.is_empty())
            .map(|part| part.split_once('=').unwrap_or((part, "")))
    }

    /// One embedded header with its escapes undone.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers()
            .find(|(known, _)| text::unescape(known).eq_ignore_ascii_case(name))
            .map(|(_, value)| text::unescape(value).into_owned())
    }

    /// True when `?headers` are there.
    pub fn has_headers(&self) -> bool {
        !self.headers.is_empty()
    }

    /// The same URI with a parameter added or replaced.
    pub fn with_param(&self, name: &str, value: Option<&str>) -> Uri {
        let mut params = String::new();
        for (known, old) in self.params().filter(|(known, _)| !known.eq_ignore_ascii_case(name)) {
            push_param(&mut params, known, old);
        }
        push_param(&mut params, &text::escape_param(name), value.map(text::escape_param).as_deref());
        self.rebuilt(&params, &self.raw[self.headers.clone()])
    }

    /// The same URI without the parameter.
    pub fn without_param(&self, name: &str) -> Uri {
        let mut params = String::new();
        for (known, old) in self.params().filter(|(known, _)| !known.eq_ignore_ascii_case(name)) {
            push_param(&mut params, known, old);
        }
        self.rebuilt(&params, &self.raw[self.headers.clone()])
    }

    /// The same URI with a `?header` added; `value` is escaped here.
    pub fn with_header(&self, name: &str, value: &str) -> Uri {
        let old = &self.raw[self.headers.clone()];
        let separator = if old.is_empty() { '?' } else { '&' };
        let headers = format!("{old}{separator}{}={}", text::escape(name), text::escape(value));
        self.rebuilt(&self.raw[self.params.clone()], &headers)
    }

    /// The same URI without `?headers`, as it stands in a Request-URI or Contact.
    pub fn without_headers(&self) -> Uri {
        self.rebuilt(&self.raw[self.params.clone()], "")
    }

    fn rebuilt(&self, params: &str, headers: &str) -> Uri {
        let text = format!("{}{params}{headers}", &self.raw[..self.params.start]);
        // The pieces come from a URI or are escaped, so this parses; if not, the URI stays as it was.
        Uri::parse(&text).unwrap_or_else(|_| self.clone())
    }

    /// RFC 3261 §19.1.4 comparison, simplified to what routing needs: scheme, user (escapes undone), host
    /// (case-insensitive), port, and the parameters `transport`, `user`, `ttl`, `method`, `maddr`.
    pub fn equivalent(&self, other: &Uri) -> bool {
        if self.host.is_none() || other.host.is_none() {
            return self.scheme == other.scheme
                && text::unescape(&self.raw).eq_ignore_ascii_case(&text::unescape(&other.raw));
        }
        let host = |uri: &Uri| uri.host.as_ref().map(|host| host.to_string().to_ascii_lowercase());
        let param = |uri: &Uri, name| uri.param(name).map(|value| text::unescape(value).to_ascii_lowercase());
        self.scheme == other.scheme
            && self.user_text() == other.user_text()
            && host(self) == host(other)
            && self.port == other.port
            && ["transport", "user", "ttl", "method", "maddr"]
                .iter()
                .all(|name| param(self, name) == param(other, name))
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

impl std::str::FromStr for Uri {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Uri, ParseError> {
        Uri::parse(text)
    }
}

fn split_pair(part: &str) -> (&str, Option<&str>) {
    part.split_once('=').map_or((part, None), |(name, value)| (name, Some(value)))
}

fn push_param(out: &mut String, name: &str, value: Option<&str>) {
    out.push(';');
    out.push_str(name);
    if let Some(value) = value {
        out.push('=');
        out.push_str(value);
    }
}
