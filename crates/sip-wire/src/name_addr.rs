//! `From`, `To`, `Contact`, `Route`, `Refer-To` .. values (RFC 3261 §20.10, §25.1).

use std::fmt;

use crate::error::ParseError;
use crate::params::Params;
use crate::text;
use crate::uri::Uri;

/// A URI with an optional display name and header parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// Display name without quotes; `None` when there is none. See [`text::readable`] before showing it.
    pub display: Option<String>,
    /// The URI.
    pub uri: Uri,
    /// Parameters of the header, outside `<>`.
    pub params: Params,
}

impl NameAddr {
    /// A value without display name and parameters.
    pub fn new(uri: Uri) -> NameAddr {
        NameAddr { display: None, uri, params: Params::new() }
    }

    /// Reads one value (a list is split before).
    pub fn parse(text: &str) -> Result<NameAddr, ParseError> {
        let text = text.trim_matches(text::is_lws);
        if text.starts_with('"') {
            let end = text::closing_quote(text).ok_or(ParseError("quote is not closed"))?;
            let display = text::unquote(&text[..=end]);
            let rest = text[end + 1..].trim_start_matches(text::is_lws);
            let rest = rest.strip_prefix('<').ok_or(ParseError("no '<' after the display name"))?;
            return NameAddr::after_angle(Some(display), rest);
        }
        match text.find('<') {
            Some(at) => {
                let display = text[..at].trim_matches(text::is_lws);
                NameAddr::after_angle(check_display(display)?, &text[at + 1..])
            }
            None => NameAddr::bare(text),
        }
    }

    fn after_angle(display: Option<String>, text: &str) -> Result<NameAddr, ParseError> {
        let (uri, params) = text.split_once('>').ok_or(ParseError("'<' is not closed"))?;
        Ok(NameAddr { display, uri: Uri::parse(uri)?, params: Params::parse(params)? })
    }

    /// Without `<>` every `;` belongs to the header, and `?` and `,` may not stand at all (RFC 3261 §20).
    fn bare(text: &str) -> Result<NameAddr, ParseError> {
        let (uri, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        if uri.contains(['?', ',']) {
            return Err(ParseError("a URI with '?' or ',' needs '<>'"));
        }
        Ok(NameAddr { display: None, uri: Uri::parse(uri.trim_matches(text::is_lws))?, params: Params::parse(params)? })
    }

    /// The `tag` parameter; an empty tag counts as none.
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// The same value with this tag.
    pub fn with_tag(mut self, tag: &str) -> NameAddr {
        self.params.set("tag", Some(tag));
        self
    }

    /// Display name for people.
    pub fn display_text(&self) -> Option<String> {
        self.display.as_deref().map(|name| text::readable(name).into_owned())
    }
}

/// Stricter than the field's habits only where a reader could be misled: RFC 4475 §3.1.2.15 (`Bell, Alexander <..>`).
fn check_display(display: &str) -> Result<Option<String>, ParseError> {
    if display.contains(|c: char| matches!(c, '"' | ',' | ';' | '>' | ':' | '\\') || c.is_control()) {
        return Err(ParseError("display name needs quotes"));
    }
    Ok((!display.is_empty()).then(|| display.to_owned()))
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write!(f, "{} ", text::quote(display))?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}
