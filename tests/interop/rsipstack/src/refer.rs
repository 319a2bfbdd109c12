//! `Refer-To` and `Replaces`, which rsipstack hands over as text.

use rsipstack::dialog::DialogId;

/// Whom to call, and the value of `Replaces`.
pub(crate) struct Target {
    pub(crate) uri: String,
    pub(crate) replaces: Option<String>,
}

impl Target {
    /// Of the value of `Refer-To`.
    pub(crate) fn read(value: &str) -> Self {
        let inner = value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(value, |(inner, _)| inner);
        let (uri, headers) = inner.split_once('?').unwrap_or((inner, ""));
        let named = headers.split('&').filter_map(|header| header.split_once('='));
        let mut replaces = named.filter(|(name, _)| name.eq_ignore_ascii_case("Replaces")).map(|(_, value)| value);
        let decoded = |value| percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned();
        Self { uri: uri.to_owned(), replaces: replaces.next().map(decoded) }
    }
}

/// The dialog of ours that a `Replaces` means: its to-tag is ours (RFC 3891 §3).
pub(crate) fn meant(replaces: &str) -> Option<DialogId> {
    let mut parts = replaces.split(';');
    let call_id = parts.next()?.trim().to_owned();
    let tags: Vec<(&str, &str)> = parts.filter_map(|part| part.trim().split_once('=')).collect();
    let tag = |wanted: &str| tags.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned());
    Some(DialogId { call_id, local_tag: tag("to-tag")?, remote_tag: tag("from-tag")? })
}
