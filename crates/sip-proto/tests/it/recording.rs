//! Recording sessions (RFC 7866), with a recorder whose every word the test writes.

use crate::harness::peer::*;
use crate::harness::*;
use call_model::{Direction, LocalMedia, SrtpUse};
use core::time::Duration;
use sip_proto::{BodyPart, DialogEvent as E, DialogId, Proposal};
use sip_wire::{Message, Method};

/// What a recorder answers: it takes both streams, the second at another port.
const TAKEN: &str = "v=0\r\no=srs 1 1 IN IP4 198.51.100.40\r\ns=-\r\nc=IN IP4 198.51.100.40\r\nt=0 0\r\n\
    m=audio 41000 RTP/AVP 8\r\na=label:1\r\na=recvonly\r\n\
    m=audio 41002 RTP/AVP 8\r\na=label:2\r\na=recvonly\r\n";

fn stream(port: u16, direction: Direction) -> LocalMedia {
    LocalMedia { direction, ..local(port) }
}

fn metadata(text: &str) -> BodyPart {
    BodyPart {
        content_type: "application/rs-metadata+xml".to_owned(),
        content_id: None,
        disposition: "recording-session",
        bytes: text.as_bytes().to_vec(),
    }
}

fn call(world: &mut World) -> DialogId {
    let mut request = invite_request(world.flow(A, PEER), stream(20_000, Direction::SendOnly));
    request.second = Some(stream(20_002, Direction::SendOnly));
    request.extra_part = Some(metadata("<recording/>"));
    world.on(A, |endpoint, now| endpoint.invite(request, now))
}

/// The latest request from us.
fn asked(world: &World) -> Message {
    let requests = world.outside.iter().rev().map(|(_, message)| message);
    requests.clone().find(|message| message.is_request()).expect("a request").clone()
}

fn answer_with(world: &mut World, sdp: &str) {
    let mut response = asked(world).response_to(200, "", Some("srs-1"));
    response.headers.push("Contact", format!("<sip:{PEER}>;+sip.srs"));
    response.headers.push("Content-Type", "application/sdp");
    response.body = sdp.as_bytes().to_vec();
    world.inject(PEER, A, &response.to_bytes());
}

fn sdp_of(message: &Message) -> String {
    let part = message.body_part("application/sdp").expect("a description");
    String::from_utf8(part.bytes).expect("text")
}

fn established(world: &mut World) -> DialogId {
    let dialog = call(world);
    world.run_for(Duration::from_millis(50));
    answer_with(world, TAKEN);
    world.run_until(A, |event| matches!(event, E::Answered { .. }));
    dialog
}

#[test]
fn both_streams_are_offered_and_agreed_to() {
    let mut world = World::new(1, PERFECT);
    let dialog = established(&mut world);
    let invite = &world.outside[0].1;
    assert_eq!(invite.require(), ["siprec"]);
    assert!(invite.headers.get("Contact").is_some_and(|contact| contact.ends_with(">;+sip.src")), "{invite:?}");
    let part = invite.body_part("application/rs-metadata+xml").expect("metadata");
    assert_eq!(
        (part.headers.get("Content-Disposition"), part.bytes.as_slice()),
        (Some("recording-session"), b"<recording/>" as &[u8])
    );
    let sdp = sdp_of(invite);
    let lines: Vec<&str> = sdp
        .lines()
        .filter(|line| line.starts_with("m=") || line.starts_with("a=label") || *line == "a=sendonly")
        .collect();
    let [one, _, _, two, ..] = lines[..] else { panic!("{sdp}") };
    assert!(one.starts_with("m=audio 20000 ") && two.starts_with("m=audio 20002 "), "{sdp}");
    assert_eq!((lines[1], lines[2], lines[4], lines[5]), ("a=sendonly", "a=label:1", "a=sendonly", "a=label:2"));

    let answered = world.node(A).events.iter().find_map(|event| match event {
        E::Answered { media, .. } => Some(*media),
        _ => None,
    });
    let first = answered.expect("answered");
    let second = world.node(A).endpoint.second_media(dialog).expect("a second stream");
    assert_eq!((first.rtp.port(), second.rtp.port()), (41_000, 41_002));
    assert_eq!((first.direction, second.direction), (Direction::SendOnly, Direction::SendOnly));
}

#[test]
fn each_stream_has_keys_of_its_own() {
    let mut world = World::new(5, PERFECT);
    let mut request = invite_request(world.flow(A, PEER), stream(20_000, Direction::SendOnly));
    request.local.srtp = SrtpUse::Required;
    request.second = Some(LocalMedia { rtp: address("192.0.2.1:20002"), ..request.local.clone() });
    world.on(A, |endpoint, now| endpoint.invite(request, now));
    world.run_for(Duration::from_millis(50));
    let sdp = sdp_of(&asked(&world));
    let keys: Vec<&str> = sdp.lines().filter(|line| line.starts_with("a=crypto:1 ")).collect();
    assert!(keys.len() == 2 && keys[0] != keys[1], "{sdp}");
}

#[test]
fn who_takes_one_stream_only_is_no_recorder() {
    let mut world = World::new(2, PERFECT);
    call(&mut world);
    world.run_for(Duration::from_millis(50));
    answer_with(&mut world, &TAKEN.replace("m=audio 41002", "m=audio 0"));
    let failed = world.run_until(A, |event| matches!(event, E::Failed { .. }));
    assert!(matches!(failed, E::Failed { code: 606, .. }), "{failed:?}");
    world.run_for(Duration::from_millis(50));
    assert_eq!(asked(&world).method(), Some(&Method::Bye));
}

#[test]
fn a_change_carries_both_streams_and_metadata() {
    let mut world = World::new(3, PERFECT);
    let dialog = established(&mut world);
    let proposal = Proposal {
        local: stream(20_000, Direction::Inactive),
        second: Some(stream(20_002, Direction::Inactive)),
        part: Some(metadata("<recording>paused</recording>")),
    };
    world.on(A, |endpoint, now| endpoint.propose(dialog, proposal, now));
    world.run_for(Duration::from_millis(50));
    let reinvite = asked(&world);
    assert_eq!((reinvite.method(), reinvite.require()), (Some(&Method::Invite), vec!["siprec".to_owned()]));
    assert_eq!(sdp_of(&reinvite).matches("a=inactive").count(), 2);
    assert!(reinvite.body_part("application/rs-metadata+xml").is_some());
    answer_with(&mut world, &TAKEN.replace("recvonly", "inactive"));
    world.run_until(A, |event| matches!(event, E::MediaChanged { .. }));
    let second = world.node(A).endpoint.second_media(dialog).expect("a second stream");
    assert_eq!(second.direction, Direction::Inactive);
}

/// A request of the recorder's within the dialog.
fn from_recorder(world: &World, method: &str, extra: &str, body: &str) -> Vec<u8> {
    let invite = &world.outside[0].1;
    let (from, to) = (invite.headers.get("From").expect("From"), invite.headers.get("To").expect("To"));
    format!(
        "{method} sip:gw@{A} SIP/2.0\r\nVia: SIP/2.0/UDP {PEER};branch=z9hG4bKsrs{}\r\nMax-Forwards: 70\r\n\
         From: {to};tag=srs-1\r\nTo: {from}\r\nCall-ID: {}\r\nCSeq: 7 {method}\r\nContact: <sip:{PEER}>;+sip.srs\r\n\
         Require: siprec\r\n{extra}Content-Length: {}\r\n\r\n{body}",
        body.len(),
        invite.call_id(),
        body.len()
    )
    .into_bytes()
}

#[test]
fn a_recorder_may_hold_move_and_ask_again() {
    let mut world = World::new(4, PERFECT);
    let dialog = established(&mut world);
    let moved = TAKEN.replace("41002", "41010").replace("srs 1 1", "srs 1 2");
    let reinvite = from_recorder(&world, "INVITE", "Content-Type: application/sdp\r\n", &moved);
    world.inject(PEER, A, &reinvite);
    world.run_until(A, |event| matches!(event, E::MediaChanged { .. }));
    let answer = last(&world).clone();
    assert_eq!(answer.code(), Some(200));
    assert!(answer.headers.get("Contact").is_some_and(|contact| contact.ends_with("+sip.src")), "{answer:?}");
    assert_eq!(sdp_of(&answer).matches("m=audio 2000").count(), 2, "{}", sdp_of(&answer));
    let second = world.node(A).endpoint.second_media(dialog).expect("a second stream");
    assert_eq!(second.rtp.port(), 41_010);

    let ask =
        from_recorder(&world, "UPDATE", "Content-Type: application/rs-metadata-request\r\n", "SRS wants all").clone();
    let ask = String::from_utf8(ask).expect("text").replace("CSeq: 7", "CSeq: 8");
    world.inject(PEER, A, ask.as_bytes());
    world.run_until(A, |event| matches!(event, E::MetadataWanted { .. }));
}
