//! Audio before the answer: each branch of a fork says where it is, and the answer of one of them counts.

use crate::harness::*;
use sip_proto::{DialogEvent as E, DialogId};
use sip_wire::Message;

const PEER: &str = "198.51.100.20:5060";

/// What a branch of the peer's says to our INVITE, with its audio on this port; none: without SDP.
fn says(invite: &Message, code: u16, tag: &str, port: Option<u16>) -> Vec<u8> {
    let header = |name: &str| invite.headers.get(name).unwrap_or_default().to_owned();
    let sdp = port.map_or(String::new(), |port| {
        format!(
            "v=0\r\no=peer 1 1 IN IP4 198.51.100.30\r\ns=-\r\nc=IN IP4 198.51.100.30\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0\r\n"
        )
    });
    let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "SIP/2.0 {code} X\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag={tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:{PEER}>\r\n{kind}Content-Length: {}\r\n\r\n{sdp}",
        header("Via"),
        header("From"),
        header("To"),
        header("Call-ID"),
        header("CSeq"),
        sdp.len(),
    )
    .into_bytes()
}

fn invited(world: &mut World) -> (DialogId, Message) {
    let request = invite_request(world.flow(A, PEER), local(20_000));
    let dialog = world.on(A, |endpoint, now| endpoint.invite(request, now));
    world.pump();
    let invite = world.outside.last().expect("sent").1.clone();
    (dialog, invite)
}

/// The ports where the peer could be heard before its answer, in order, and that of the answer.
fn ports(events: &[E]) -> (Vec<u16>, Option<u16>) {
    let early = events.iter().filter_map(|event| match event {
        E::EarlyMedia { media, .. } => Some(media.rtp.port()),
        _ => None,
    });
    let answered = events.iter().find_map(|event| match event {
        E::Answered { media, .. } => Some(media.rtp.port()),
        _ => None,
    });
    (early.collect(), answered)
}

#[test]
fn each_branch_is_told_and_the_answer_of_any_of_them_counts() {
    let mut world = World::new(7, PERFECT);
    let (dialog, invite) = invited(&mut world);
    for (code, tag, port) in [(183, "one", Some(4000)), (183, "two", Some(5000)), (180, "three", None)] {
        world.inject(PEER, A, &says(&invite, code, tag, port));
    }
    // Early SDP that nobody can use is no reason to give up: the answer may be better.
    world.inject(PEER, A, &says(&invite, 183, "four", Some(0)));
    world.inject(PEER, A, &says(&invite, 200, "one", Some(4000)));
    let events = world.take(A);
    assert_eq!(ports(&events), (vec![4000, 5000], Some(4000)), "{events:?}");
    world.on(A, |endpoint, now| endpoint.bye(dialog, None, now));
    world.run_to_silence();
}

#[test]
fn an_answer_may_say_something_else_than_what_was_heard_early() {
    let mut world = World::new(7, PERFECT);
    let (dialog, invite) = invited(&mut world);
    world.inject(PEER, A, &says(&invite, 183, "one", Some(4000)));
    world.inject(PEER, A, &says(&invite, 200, "one", Some(6000)));
    assert_eq!(ports(&world.take(A)), (vec![4000], Some(6000)));
    world.on(A, |endpoint, now| endpoint.bye(dialog, None, now));
    world.run_to_silence();
}
