//! A peer whose every word the test writes.

use super::*;
use sip_proto::DialogEvent as E;

pub const PEER: &str = "198.51.100.20:5060";
pub const SDP: &str = "v=0\r\no=trunk 1 1 IN IP4 198.51.100.30\r\ns=-\r\nc=IN IP4 198.51.100.30\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";

pub struct Peer {
    pub cseq: u32,
    pub to_tag: String,
}

impl Peer {
    pub fn request(&mut self, method: &str, extra: &[(&str, &str)], body: &str) -> Vec<u8> {
        self.cseq += 1;
        let tag = if self.to_tag.is_empty() { String::new() } else { format!(";tag={}", self.to_tag) };
        let mut text = format!(
            "{method} sip:gw@{A} SIP/2.0\r\nVia: SIP/2.0/UDP {PEER};rport;branch=z9hG4bKp{}\r\nMax-Forwards: 70\r\n\
             From: <sip:+447700900123@trunk.example.net>;tag=tr-1\r\nTo: <sip:+442079460000@gw.example.com>{tag}\r\n\
             Call-ID: byhand@trunk.example.net\r\nCSeq: {} {method}\r\nContact: <sip:{PEER}>\r\n",
            self.cseq, self.cseq
        );
        for (name, value) in extra {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        text.into_bytes()
    }
}

/// An answered call from a peer played by hand.
pub fn answered_by_hand(world: &mut World, extra: &[(&str, &str)]) -> (Peer, DialogId) {
    let mut peer = Peer { cseq: 0, to_tag: String::new() };
    let mut headers = vec![("Content-Type", "application/sdp")];
    headers.extend_from_slice(extra);
    let invite = peer.request("INVITE", &headers, SDP);
    world.inject(PEER, A, &invite);
    let dialog = dialog_of(&world.run_until(A, |event| matches!(event, E::Incoming { .. }))).expect("a dialog");
    world.on(A, |endpoint, now| endpoint.accept(dialog, local(20_000), &[], now)).expect("accepted");
    peer.to_tag = last(world).to_tag().expect("our tag");
    peer.cseq -= 1;
    let ack = peer.request("ACK", &[], "");
    world.inject(PEER, A, &ack);
    world.run_until(A, |event| matches!(event, E::Confirmed { .. }));
    (peer, dialog)
}

pub fn last(world: &World) -> &Message {
    &world.outside.last().expect("something was sent").1
}

pub fn answer(world: &mut World, code: u16, extra: &[(&str, &str)]) {
    let mut response = last(world).response_to(code, "", Some("tr-1"));
    for (name, value) in extra {
        response.headers.push(name, *value);
    }
    world.inject(PEER, A, &response.to_bytes());
}
