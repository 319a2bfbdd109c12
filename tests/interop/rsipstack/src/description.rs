//! Session descriptions: one stream of mu-law with keys.

use std::net::SocketAddr;

/// Ours, for audio at this port.
pub(crate) fn ours(at: SocketAddr, rtp: u16, version: u32, direction: &str) -> Vec<u8> {
    let ip = at.ip();
    format!(
        "v=0\r\no=rsipstack 1 {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {rtp} RTP/AVP 0 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na={direction}\r\n"
    )
    .into_bytes()
}

/// Where the other side wants audio.
pub(crate) fn port(body: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(body).ok()?;
    text.lines().find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok())
}

/// What the other side wants to do with the stream.
pub(crate) fn direction(body: &[u8]) -> &str {
    let known = ["sendonly", "recvonly", "inactive"];
    let text = std::str::from_utf8(body).unwrap_or_default();
    let named = text.lines().find_map(|line| known.into_iter().find(|name| line.strip_prefix("a=") == Some(name)));
    named.unwrap_or("sendrecv")
}

/// The answer to that.
pub(crate) fn mirrored(direction: &str) -> &str {
    match direction {
        "sendonly" => "recvonly",
        "recvonly" => "sendonly",
        same => same,
    }
}
