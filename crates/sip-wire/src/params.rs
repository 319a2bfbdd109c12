//! `;name=value` parameters of a header value.

use std::fmt;

use crate::error::ParseError;
use crate::text;

/// Ordered parameters. Names are case-insensitive. Values are kept as received, quotes included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// No parameters.
    pub fn new() -> Params {
        Params::default()
    }

    /// Reads `;a=b;c` (white space around every part allowed, RFC 3261 §25.1).
    pub fn parse(text: &str) -> Result<Params, ParseError> {
        let mut params = Params::new();
        let mut rest = text.trim_matches(text::is_lws);
        while !rest.is_empty() {
            rest = rest.strip_prefix(';').ok_or(ParseError("text where a parameter should start"))?;
            let end = text::find_outside_quotes(rest, |c| c == ';').ok_or(ParseError("quote is not closed"))?;
            let (part, after) = rest.split_at(end);
            params.0.push(parse_param(part)?);
            rest = after;
        }
        Ok(params)
    }

    /// Reads `a=b, c="d"`, as the headers of authentication have it.
    pub(crate) fn parse_list(text: &str) -> Result<Params, ParseError> {
        text::split_list(text).map(parse_param).collect::<Result<_, _>>().map(Params)
    }

    /// The value as received (quotes included); an empty text for a parameter without a value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name).map(|(_, value)| value.as_deref().unwrap_or(""))
    }

    /// The value without its quotes.
    pub fn get_unquoted(&self, name: &str) -> Option<String> {
        self.get(name).map(text::unquote)
    }

    /// True when the parameter is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Sets or adds a parameter. The caller quotes the value where it is no token ([`crate::text::quote`]).
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(str::to_owned);
        match self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some(param) => param.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Removes a parameter.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// All parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, name: &str) -> Option<&(String, Option<String>)> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            write!(f, ";{name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

fn parse_param(part: &str) -> Result<(String, Option<String>), ParseError> {
    let (name, value) = match part.split_once('=') {
        None => (part, None),
        Some((name, value)) => (name, Some(value.trim_matches(text::is_lws))),
    };
    let name = name.trim_matches(text::is_lws);
    if !text::is_token(name) {
        return Err(ParseError("parameter name is not a token"));
    }
    if let Some(value) = value {
        check_value(value)?;
    }
    Ok((name.to_owned(), value.map(str::to_owned)))
}

/// token / host / quoted-string; tolerant about which characters stand in an unquoted value.
fn check_value(value: &str) -> Result<(), ParseError> {
    if value.starts_with('"') {
        return match text::closing_quote(value) {
            Some(end) if end + 1 == value.len() => Ok(()),
            _ => Err(ParseError("text after a quoted parameter value")),
        };
    }
    let bad = |c: char| text::is_lws(c) || matches!(c, '"' | '<' | '>' | ',');
    if value.contains(bad) { Err(ParseError("parameter value is not a token")) } else { Ok(()) }
}
