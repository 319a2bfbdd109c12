//! Small header values: CSeq, RAck, Replaces, Event and Content-Type.

use std::fmt;

use crate::error::ParseError;
use crate::method::Method;
use crate::params::Params;
use crate::text;
use crate::uri::Uri;

/// Sequence number and method (RFC 3261 §20.16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// Sequence number.
    pub number: u32,
    /// Method.
    pub method: Method,
}

impl CSeq {
    /// Reads `1 INVITE`.
    pub fn parse(text: &str) -> Result<CSeq, ParseError> {
        let text = text.trim_matches(text::is_lws);
        let (number, method) = text.split_once(text::is_lws).ok_or(ParseError("CSeq without a method"))?;
        let method = method.trim_matches(text::is_lws);
        if !text::is_token(method) {
            return Err(ParseError("CSeq method is not a token"));
        }
        Ok(CSeq { number: parse_number(number)?, method: Method::parse(method) })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// Which reliable provisional response a PRACK acknowledges (RFC 3262 §7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAck {
    /// The response's `RSeq`.
    pub rseq: u32,
    /// The response's `CSeq`.
    pub cseq: CSeq,
}

impl RAck {
    /// Reads `776656 1 INVITE`.
    pub fn parse(text: &str) -> Result<RAck, ParseError> {
        let text = text.trim_matches(text::is_lws);
        let (rseq, cseq) = text.split_once(text::is_lws).ok_or(ParseError("RAck without a CSeq"))?;
        Ok(RAck { rseq: parse_number(rseq)?, cseq: CSeq::parse(cseq)? })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rseq, self.cseq)
    }
}

/// Decimal digits only (no sign), leading zeros allowed, overflow is an error.
pub(crate) fn parse_number<T: std::str::FromStr>(text: &str) -> Result<T, ParseError> {
    let text = text.trim_matches(text::is_lws);
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ParseError("not a number"));
    }
    text.parse().map_err(|_| ParseError("number out of range"))
}

/// Who refreshes a session, by its part in the transaction that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// Whoever sent the request.
    Uac,
    /// Whoever answers it.
    Uas,
}

/// `Session-Expires` (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// How long the session lives without being refreshed, in seconds.
    pub interval: u32,
    /// Who refreshes it; absent: to be chosen by who answers.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Reads `1800;refresher=uac`.
    pub fn parse(text: &str) -> Result<SessionExpires, ParseError> {
        let (interval, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        let refresher = match Params::parse(params)?.get("refresher") {
            None => None,
            Some(part) if part.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(part) if part.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) => return Err(ParseError("refresher is neither uac nor uas")),
        };
        Ok(SessionExpires { interval: parse_number(interval)?, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.interval)?;
        match self.refresher {
            Some(Refresher::Uac) => f.write_str(";refresher=uac"),
            Some(Refresher::Uas) => f.write_str(";refresher=uas"),
            None => Ok(()),
        }
    }
}

/// The dialog an INVITE replaces (RFC 3891). `to_tag` is the tag owned by the receiver of that INVITE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    /// Call-ID of the replaced dialog.
    pub call_id: String,
    /// Local tag of the party that receives the INVITE with Replaces.
    pub to_tag: String,
    /// That party's remote tag.
    pub from_tag: String,
    /// Replace only while the dialog is early.
    pub early_only: bool,
}

impl Replaces {
    /// Reads the header value.
    pub fn parse(text: &str) -> Result<Replaces, ParseError> {
        let (call_id, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        let params = Params::parse(params)?;
        let call_id = call_id.trim_matches(text::is_lws);
        if call_id.is_empty() || call_id.contains([' ', '\t', ',']) {
            return Err(ParseError("Replaces without a Call-ID"));
        }
        let tag = |name, why| params.get(name).filter(|tag| !tag.is_empty()).map(str::to_owned).ok_or(ParseError(why));
        Ok(Replaces {
            call_id: call_id.to_owned(),
            to_tag: tag("to-tag", "Replaces without to-tag")?,
            from_tag: tag("from-tag", "Replaces without from-tag")?,
            early_only: params.has("early-only"),
        })
    }

    /// The value a Refer-To URI carries in its `?Replaces=` header.
    pub fn from_refer_to(uri: &Uri) -> Option<Result<Replaces, ParseError>> {
        uri.header("Replaces").map(|value| Replaces::parse(&value))
    }

    /// The value with every reserved byte escaped (`@` %40, `;` %3B, `=` %3D), as it stands inside a Refer-To URI.
    pub fn escaped(&self) -> String {
        text::escape(&self.to_string())
    }

    /// `target?Replaces=..&Require=replaces`, to be put in `<>` as Refer-To (RFC 5589 §7.5). Headers the target
    /// already carries stay in front.
    pub fn refer_to(&self, target: &Uri) -> Uri {
        target.with_header("Replaces", &self.to_string()).with_header("Require", "replaces")
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};to-tag={};from-tag={}", self.call_id, self.to_tag, self.from_tag)?;
        f.write_str(if self.early_only { ";early-only" } else { "" })
    }
}

/// A token-like value with parameters: Event, Subscription-State, Content-Type, Content-Disposition, Reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameterised {
    /// The value before the first `;`, lower case, without white space around `/`.
    pub value: String,
    /// Parameters.
    pub params: Params,
}

impl Parameterised {
    /// Reads `value;a=b`.
    pub fn parse(text: &str) -> Result<Parameterised, ParseError> {
        let (value, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        let value: String = value.split('/').map(|part| part.trim_matches(text::is_lws)).collect::<Vec<_>>().join("/");
        if !value.split('/').all(text::is_token) {
            return Err(ParseError("not a token"));
        }
        Ok(Parameterised { value: value.to_ascii_lowercase(), params: Params::parse(params)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rack_is_read_and_written() {
        for (text, written) in [
            ("776656 1 INVITE", Some("776656 1 INVITE")),
            (" 1 \t 2   invite ", Some("1 2 invite")),
            ("4294967296 1 INVITE", None),
            ("1 INVITE", None),
            ("1", None),
            ("", None),
        ] {
            assert_eq!(RAck::parse(text).ok().map(|value| value.to_string()).as_deref(), written, "{text}");
        }
    }

    #[test]
    fn session_expires_is_read_and_written() {
        for (text, written) in [
            ("1800", Some("1800")),
            (" 90 ; refresher = UAS ;x=y", Some("90;refresher=uas")),
            ("4294967295;refresher=uac", Some("4294967295;refresher=uac")),
            ("4294967296", None),
            ("-1", None),
            ("", None),
            ("90;refresher=both", None),
        ] {
            assert_eq!(SessionExpires::parse(text).ok().map(|value| value.to_string()).as_deref(), written, "{text}");
        }
    }
}
