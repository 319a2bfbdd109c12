//! One value of User-to-User (RFC 7433 §4.1): data, then parameters.

pub(crate) struct Value<'a> {
    pub(crate) data: &'a str,
    pub(crate) quoted: bool,
    params: Vec<(&'a str, &'a str)>,
}

impl<'a> Value<'a> {
    /// None: a quotation that does not end.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (data, rest, quoted) = match text.strip_prefix('"') {
            Some(inside) => {
                let (data, rest) = inside.split_once('"')?;
                (data, rest, true)
            }
            None => {
                let (data, rest) = text.split_at(text.find(';').unwrap_or(text.len()));
                (data.trim(), rest, false)
            }
        };
        let params =
            rest.split(';').filter_map(|param| param.split_once('=')).map(|(name, value)| (name.trim(), value.trim()));
        Some(Self { data, quoted, params: params.collect() })
    }

    pub(crate) fn param(&self, name: &str) -> Option<&'a str> {
        self.params.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

/// Whether one header holds several values: a comma outside quotation marks.
pub(crate) fn is_list(text: &str) -> bool {
    text.split('"').step_by(2).any(|outside| outside.contains(','))
}

/// Octets of hexadecimal digits; none for an odd number or anything else.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}
