//! The other telephone behind a fork: it answers the same INVITE with a tag of its own, and takes what follows.

/// The tag, and the 200 to an INVITE as another branch of a fork would have sent it.
pub(super) fn another(bytes: &[u8]) -> Option<(String, Vec<u8>)> {
    let text = core::str::from_utf8(bytes).ok()?;
    let answers =
        text.starts_with("SIP/2.0 200") && text.lines().any(|l| l.starts_with("CSeq") && l.ends_with("INVITE"));
    let to = text.lines().find(|line| answers && line.starts_with("To:"))?;
    let tag = format!("{}b", to.split_once(";tag=")?.1);
    Some((tag, text.replacen(to, &format!("{to}b"), 1).into_bytes()))
}

/// Whether a request is for the branch of this tag.
pub(super) fn is_to(bytes: &[u8], tag: &str) -> bool {
    let text = core::str::from_utf8(bytes).unwrap_or_default();
    let to = text.lines().find(|line| line.starts_with("To:"));
    to.and_then(|to| to.split_once(";tag=")).is_some_and(|(_, have)| have == tag)
}

/// The 200 to a request within its dialog; an ACK gets none.
pub(super) fn taken(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = core::str::from_utf8(bytes).ok().filter(|text| !text.starts_with("ACK "))?;
    let kept = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let kept = text.lines().filter(|line| kept.iter().any(|name| line.starts_with(name)));
    let head: String = kept.map(|line| format!("{line}\r\n")).collect();
    Some(format!("SIP/2.0 200 OK\r\n{head}Content-Length: 0\r\n\r\n").into_bytes())
}
