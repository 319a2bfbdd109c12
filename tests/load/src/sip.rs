//! The few SIP messages that the caller and the callee write, and what they read from the others'.

use sip_wire::{Message, Uri};
use std::net::SocketAddrV4;

/// What a caller needs to know about its dialog.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub(crate) number: usize,
    /// Numbers begin anew with each series; branches and Call-IDs may not.
    pub(crate) series: u32,
    pub(crate) call_id: String,
    /// Our own address.
    pub(crate) local: SocketAddrV4,
    /// What was dialled.
    pub(crate) target: String,
    /// The To header as last seen.
    pub(crate) to: String,
}

impl Dialog {
    pub(crate) fn new(series: u32, number: usize, user: &str, local: SocketAddrV4, gateway: SocketAddrV4) -> Self {
        let target = format!("sip:{user}@{gateway}");
        let call_id = format!("load-{series}-{number}@{}", local.ip());
        Self { number, series, call_id, local, to: format!("<{target}>"), target }
    }

    /// `events`: whether keys can be said as telephone-event.
    pub(crate) fn invite(&self, rtp: SocketAddrV4, events: bool) -> Vec<u8> {
        let body = sdp(rtp, self.number, "0 8", events);
        let contact = format!("Contact: <sip:load@{}>\r\nContent-Type: application/sdp\r\n", self.local);
        self.request("INVITE", 1, &contact, &body)
    }

    pub(crate) fn ack(&self) -> Vec<u8> {
        self.request("ACK", 1, "", "")
    }

    /// A key, the way telephones without telephone-event say it.
    pub(crate) fn info(&self, key: char) -> Vec<u8> {
        let body = format!("Signal={key}\r\nDuration=100\r\n");
        self.request("INFO", 2, "Content-Type: application/dtmf-relay\r\n", &body)
    }

    pub(crate) fn bye(&self) -> Vec<u8> {
        self.request("BYE", 3, "", "")
    }

    /// Learns the remote target and tag from the 200.
    pub(crate) fn answered(&mut self, answer: &Message) {
        if let Ok(Some(contact)) = answer.contact() {
            self.target = contact.uri.to_string();
        }
        if let Some(to) = answer.headers.get("To") {
            self.to = to.to_owned();
        }
    }

    fn request(&self, method: &str, cseq: u32, headers: &str, body: &str) -> Vec<u8> {
        let Self { number, series, call_id, local, target, to } = self;
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-{series}-{number}-{method}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:load@{local}>;tag=caller-{number}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

/// The callee's final answer: telephone-event when that was offered.
pub(crate) fn accept(invite: &Message, local: SocketAddrV4, rtp: SocketAddrV4, number: usize) -> Vec<u8> {
    let mut answer = invite.response_to(200, "OK", Some(&format!("callee-{number}")));
    answer.headers.push("Contact", format!("<sip:bot@{local}>"));
    answer.headers.push("Content-Type", "application/sdp");
    let events = invite.body.windows(EVENT.len()).any(|part| part == EVENT.as_bytes());
    answer.body = sdp(rtp, number, "0", events).into_bytes();
    answer.to_bytes()
}

const EVENT: &str = "telephone-event";

fn sdp(rtp: SocketAddrV4, number: usize, codecs: &str, events: bool) -> String {
    let (ip, port) = (rtp.ip(), rtp.port());
    let (event, mapped) = if events { (" 101", format!("a=rtpmap:101 {EVENT}/8000\r\n")) } else { ("", String::new()) };
    format!(
        "v=0\r\no=load {number} 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {codecs}{event}\r\n{mapped}a=ptime:20\r\na=sendrecv\r\n"
    )
}

/// Where the other side wants its audio.
pub(crate) fn media_address(sdp: &[u8]) -> Option<SocketAddrV4> {
    let text = std::str::from_utf8(sdp).ok()?;
    let ip = text.lines().find_map(|line| line.strip_prefix("c=IN IP4 "))?.trim().parse().ok()?;
    let audio = text.lines().find_map(|line| line.strip_prefix("m=audio "))?;
    Some(SocketAddrV4::new(ip, audio.split(' ').next()?.parse().ok()?))
}

/// The number of the call that was dialled: what follows the prefix digit.
pub(crate) fn dialled(uri: &Uri) -> Option<usize> {
    uri.user()?.get(1..)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let rtp: SocketAddrV4 = "127.0.0.11:4000".parse().expect("an address");
        let dialog =
            Dialog::new(1, 17, "717", "127.0.0.11:5090".parse().expect("one"), "127.0.0.1:5060".parse().expect("one"));
        let invite = Message::parse_datagram(&dialog.invite(rtp, true)).expect("an INVITE");
        assert_eq!(dialled(invite.request_uri().expect("a URI")), Some(17));
        assert_eq!(media_address(&invite.body), Some(rtp));
        let answer = accept(&invite, "127.0.0.12:5091".parse().expect("one"), rtp, 17);
        let answer = Message::parse_datagram(&answer).expect("an answer");
        let mut dialog = dialog;
        dialog.answered(&answer);
        assert_eq!(dialog.target, "sip:bot@127.0.0.12:5091");
        assert_eq!(Message::parse_datagram(&dialog.bye()).expect("a BYE").to_tag().as_deref(), Some("callee-17"));
    }
}
