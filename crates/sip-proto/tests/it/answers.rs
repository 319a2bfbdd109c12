//! What requests outside dialogs get, up to the torture messages of RFC 4475 and RFC 5118.

use crate::harness::*;
use core::time::Duration;
use proptest::prelude::*;
use sip_proto::{DialogEvent as E, DialogId, EndpointConfig};
use sip_wire::{Message, Method};
use torture::{CASES, Endpoint as Verdict};

const PEER: &str = "198.51.100.20:5060";
const SDP: &str = "v=0\r\no=trunk 1 1 IN IP4 198.51.100.30\r\ns=-\r\nc=IN IP4 198.51.100.30\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";

/// A request from outside, distinguished by `n`.
fn request(method: &str, n: u32, extra: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!(
        "{method} sip:gw@{A} SIP/2.0\r\nVia: SIP/2.0/UDP {PEER};rport;branch=z9hG4bKo{n}\r\n\
         From: <sip:+447700900123@trunk.example.net>;tag=tr-{n}\r\nTo: <sip:+442079460000@gw.example.com>\r\n\
         Call-ID: out{n}@trunk.example.net\r\nCSeq: 7 {method}\r\nContact: <sip:{PEER}>\r\n"
    );
    for (name, value) in extra {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() && !extra.iter().any(|(name, _)| *name == "Content-Type") {
        text.push_str("Content-Type: application/sdp\r\n");
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    text.into_bytes()
}

fn finals(world: &World) -> Vec<&Message> {
    world.outside.iter().map(|(_, message)| message).filter(|m| m.code().is_some_and(|code| code >= 200)).collect()
}

fn incoming(world: &mut World) -> Vec<DialogId> {
    incoming_at(world, A)
}

fn incoming_at(world: &mut World, at: &str) -> Vec<DialogId> {
    let events = world.take(at);
    events.iter().filter(|event| matches!(event, E::Incoming { .. })).filter_map(dialog_of).collect()
}

#[test]
fn each_kind_of_request_gets_its_answer() {
    for (method, extra, body, code) in [
        ("OPTIONS", vec![], "", 200),
        ("OPTIONS", vec![("Max-Forwards", "0")], "", 200),
        ("REGISTER", vec![], "", 405),
        ("MESSAGE", vec![], "", 405),
        ("PUBLISH", vec![], "", 405),
        ("FROBNICATE", vec![], "", 501),
        ("SUBSCRIBE", vec![("Event", "presence")], "", 489),
        ("NOTIFY", vec![("Event", "message-summary")], "", 489),
        ("NOTIFY", vec![("Event", "refer")], "", 481),
        ("REFER", vec![("Refer-To", "<sip:a@b.example>")], "", 603),
        ("BYE", vec![], "", 481),
        ("INFO", vec![], "", 481),
        ("UPDATE", vec![], "", 481),
        ("PRACK", vec![], "", 481),
        ("CANCEL", vec![], "", 481),
        ("INVITE", vec![("Max-Forwards", "0")], SDP, 483),
        ("INVITE", vec![("Require", "replaces, precondition")], SDP, 420),
        ("INVITE", vec![("Proxy-Require", "privacy")], SDP, 420),
        ("INVITE", vec![("Content-Type", "text/html")], "<p>", 415),
        ("INVITE", vec![("Content-Encoding", "gzip")], SDP, 415),
        ("INVITE", vec![("Accept", "text/html")], SDP, 406),
        ("INVITE", vec![], "not sdp", 400),
        ("BYE", vec![("Replaces", "a@b;to-tag=1;from-tag=2")], "", 400),
        ("INVITE", vec![("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKours")], SDP, 482),
    ] {
        let mut world = World::new(1, PERFECT);
        world.inject(PEER, A, &request(method, 1, &extra, body));
        let codes: Vec<_> = finals(&world).iter().filter_map(|message| message.code()).collect();
        assert_eq!(codes, [code], "{method} {extra:?}");
        let answer = finals(&world)[0];
        assert!(answer.to_tag().is_some());
        match code {
            405 | 501 => assert!(answer.headers.contains("Allow")),
            415 => assert!(answer.headers.contains("Accept") || answer.headers.contains("Accept-Encoding")),
            420 => assert!(answer.headers.get("Unsupported").is_some_and(|tags| !tags.contains("replaces"))),
            200 => assert!(answer.headers.contains("Allow") && answer.headers.contains("Accept")),
            _ => {}
        }
        assert!(incoming(&mut world).is_empty());
        world.run_to_silence();
        world.assert_empty();
    }
}

#[test]
fn responses_go_to_the_source_and_its_port_when_rport_asks_for_it() {
    let mut world = World::new(2, PERFECT);
    world.inject("198.51.100.99:40001", A, &request("OPTIONS", 1, &[], ""));
    let plain = String::from_utf8(request("OPTIONS", 2, &[], "")).unwrap().replace(";rport", "");
    world.inject("198.51.100.99:40001", A, plain.as_bytes());
    let to: Vec<_> = world.outside.iter().map(|(to, _)| *to).collect();
    assert_eq!(to, [address("198.51.100.99:40001"), address("198.51.100.99:5060")]);
    let via = world.outside[0].1.via().unwrap();
    assert_eq!((via.rport(), via.received()), (Some(40001), Some([198, 51, 100, 99].into())));
}

#[test]
fn the_same_invite_by_two_ways_is_merged() {
    let mut world = World::new(3, PERFECT);
    let invite = String::from_utf8(request("INVITE", 1, &[], SDP)).unwrap();
    world.inject(PEER, A, invite.as_bytes());
    world.inject(PEER, A, invite.replace("z9hG4bKo1", "z9hG4bKother").as_bytes());
    assert_eq!(incoming(&mut world).len(), 1);
    assert_eq!(finals(&world)[0].code(), Some(482));
}

#[test]
fn a_call_beyond_the_limit_gets_503_with_retry_after_and_leaves_no_trace() {
    let mut world = World::new(4, PERFECT);
    world.add(A, EndpointConfig { max_dialogs: 2, retry_after: 9, ..EndpointConfig::default() });
    for n in 0..4 {
        world.inject(PEER, A, &request("INVITE", n, &[], SDP));
    }
    assert_eq!(incoming(&mut world).len(), 2);
    let refused: Vec<_> = finals(&world).iter().map(|m| (m.code(), m.headers.get("Retry-After"))).collect();
    assert_eq!(refused, [(Some(503), Some("9")), (Some(503), Some("9"))]);
}

#[test]
fn a_flood_is_answered_without_being_remembered() {
    let mut world = World::new(5, PERFECT);
    world.add(A, EndpointConfig { max_transactions: 10, ..EndpointConfig::default() });
    for n in 0..500 {
        world.inject(PEER, A, &request("OPTIONS", n, &[], ""));
    }
    assert_eq!(world.node(A).endpoint.transaction_count(), 10);
    assert_eq!(finals(&world).iter().filter(|message| message.code() == Some(503)).count(), 490);
    world.run_to_silence();
    world.assert_empty();
}

#[test]
fn one_address_above_its_rate_is_refused_and_its_calls_go_on() {
    let mut world = World::new(5, PERFECT);
    world.add(A, EndpointConfig { new_requests_per_s: 5, ..EndpointConfig::default() });
    world.inject(PEER, A, &request("INVITE", 1, &[], SDP));
    let dialog = incoming(&mut world)[0];
    for n in 2..500 {
        world.inject(PEER, A, &request("OPTIONS", n, &[], ""));
    }
    assert_eq!(world.node(A).endpoint.transaction_count(), 10, "two seconds' worth");
    let refused: Vec<_> = finals(&world).into_iter().filter(|message| message.code() == Some(503)).collect();
    assert_eq!(refused.len(), 489);
    assert!(refused.iter().all(|message| message.headers.get("Retry-After").is_some()));
    assert!(world.on(A, |endpoint, now| endpoint.accept(dialog, local(20_000), &[], now)).is_ok());
}

#[test]
fn a_draining_endpoint_refuses_new_calls_and_pings_and_keeps_what_it_has() {
    let mut world = World::new(6, PERFECT);
    world.inject(PEER, A, &request("INVITE", 1, &[], SDP));
    let dialog = incoming(&mut world)[0];
    world.on(A, |endpoint, _| endpoint.drain());
    world.inject(PEER, A, &request("INVITE", 2, &[], SDP));
    world.inject(PEER, A, &request("OPTIONS", 3, &[], ""));
    assert!(finals(&world).iter().all(|message| message.code() == Some(503)));
    assert!(world.on(A, |endpoint, now| endpoint.accept(dialog, local(20_000), &[], now)).is_ok());
}

#[test]
fn a_ping_is_answered_by_any_final_status_or_by_silence() {
    let mut world = World::new(7, PERFECT);
    let flow = world.flow(A, B);
    let ping = world.on(A, |endpoint, now| endpoint.options(flow, uri("sip:192.0.2.2"), now));
    let pong = world.run_until(A, |event| matches!(event, E::Pong { .. }));
    let E::Pong { ping: which, code, allow, supported } = pong else { panic!() };
    assert_eq!(
        (which, code, supported),
        (ping, Some(200), ["100rel", "replaces", "norefersub", "timer"].map(str::to_owned).to_vec())
    );
    assert!(allow.contains(&"REFER".to_owned()));
    let flow = world.flow(A, "192.0.2.77:5060");
    world.on(A, |endpoint, now| endpoint.options(flow, uri("sip:192.0.2.77"), now));
    let pong = world.run_until(A, |event| matches!(event, E::Pong { .. }));
    assert!(matches!(pong, E::Pong { code: None, .. }));
}

#[test]
fn replaces_is_matched_or_refused_as_rfc_3891_wants() {
    let mut world = World::new(8, PERFECT);
    world.inject(PEER, A, &request("INVITE", 1, &[], SDP));
    let first = incoming(&mut world)[0];
    let tag = {
        world.on(A, |endpoint, now| endpoint.ring(first, 180, now));
        world.outside.last().unwrap().1.to_tag().unwrap()
    };
    let value = |flags: &str| format!("out1@trunk.example.net;to-tag={tag};from-tag=tr-1{flags}");
    let ask = |world: &mut World, n: u32, extra: &[(&str, &str)]| {
        world.outside.clear();
        world.inject(PEER, A, &request("INVITE", n, extra, SDP));
        finals(world).first().and_then(|message| message.code())
    };
    let (plain, early) = (value(""), value(";early-only"));
    assert_eq!(ask(&mut world, 2, &[("Replaces", &plain)]), Some(481), "an early dialog we did not make");
    world.on(A, |endpoint, now| endpoint.accept(first, local(20_000), &[], now)).unwrap();
    world.outside.clear();
    assert_eq!(ask(&mut world, 3, &[("Replaces", &early)]), Some(486));
    assert_eq!(ask(&mut world, 4, &[("Replaces", "nobody@x;to-tag=1;from-tag=2")]), Some(481));
    assert_eq!(ask(&mut world, 5, &[("Replaces", &plain), ("Join", &plain)]), Some(400));
    assert_eq!(ask(&mut world, 6, &[("Replaces", &plain), ("Replaces", &plain)]), Some(400));
    assert_eq!(ask(&mut world, 7, &[("Replaces", &plain), ("Require", "replaces")]), None);
    let replaced = world.take(A).into_iter().find_map(|event| match event {
        E::Incoming { replaces, .. } => replaces,
        _ => None,
    });
    assert_eq!(replaced, Some(first));
    let bye = String::from_utf8(request("BYE", 8, &[], "")).unwrap();
    let bye = bye.replace("out8@", "out1@").replace("tag=tr-8", "tag=tr-1");
    let bye = bye.replace("gw.example.com>", &format!("gw.example.com>;tag={tag}")).replace("CSeq: 7", "CSeq: 8");
    world.inject(PEER, A, bye.as_bytes());
    assert_eq!(finals(&world).last().and_then(|message| message.code()), Some(200));
    assert_eq!(ask(&mut world, 9, &[("Replaces", &plain)]), Some(603), "over");
}

#[test]
fn the_handoff_parts_travel_beside_the_sdp() {
    let mut world = World::new(9, PERFECT);
    let mut asked = invite_request(world.flow(A, B), local(20_000));
    asked.extra_part = Some(sip_proto::BodyPart {
        disposition: "by-reference;handling=optional",
        content_type: "application/vnd.warmline.handoff+json".to_owned(),
        content_id: Some("ctx.1@gw.example.com".to_owned()),
        bytes: b"{\"v\":1}".to_vec(),
    });
    world.on(A, |endpoint, now| endpoint.invite(asked, now));
    let event = world.run_until(B, |event| matches!(event, E::Incoming { .. }));
    let E::Incoming { request, offer, dialog, .. } = event else { panic!() };
    assert_eq!(offer.map(|offer| offer.rtp.port()), Some(20_000));
    let json = request.body_part("application/vnd.warmline.handoff+json").expect("the part");
    assert_eq!(json.bytes, b"{\"v\":1}");
    assert!(world.on(B, |endpoint, now| endpoint.accept(dialog, local(30_000), &[], now)).is_ok());
}

#[test]
fn every_torture_message_gets_what_the_table_says() {
    // An address that occurs in none of the messages, lest one seem to have passed here before.
    const HERE: &str = "203.0.113.77:5060";
    for case in CASES {
        let mut world = World::new(10, PERFECT);
        world.read_along = false;
        world.add(HERE, EndpointConfig::default());
        let before = world.node(HERE).endpoint.dialog_count();
        world.inject(PEER, HERE, case.bytes);
        let codes: Vec<_> = finals(&world).iter().filter_map(|message| message.code()).collect();
        let calls = incoming_at(&mut world, HERE);
        let has_to_tag = Message::parse_datagram(case.bytes).is_ok_and(|message| message.to_tag().is_some());
        match case.endpoint {
            // It names a dialog that we do not have; RFC 3261 §12.2.2 leaves 481 or recreating that dialog.
            Verdict::Routed if has_to_tag => assert_eq!((calls.len(), codes), (0, vec![481]), "{}", case.name),
            Verdict::Routed => {
                assert_eq!((calls.len(), codes.as_slice()), (1, &[][..]), "{} ({})", case.name, case.tests);
                world.on(HERE, |endpoint, now| endpoint.reject(calls[0], 404, "", &[], now));
                assert_eq!(finals(&world).last().and_then(|m| m.code()), Some(404), "{}", case.name);
            }
            Verdict::Answers(allowed) => {
                assert!(calls.is_empty() && codes.len() == 1, "{}: {codes:?} {calls:?}", case.name);
                assert!(allowed.contains(&codes[0]), "{} ({}): {codes:?}", case.name, case.tests);
            }
            Verdict::Silent => {
                assert!(calls.is_empty() && world.outside.is_empty(), "{}: {codes:?}", case.name);
                assert_eq!(before, world.node(HERE).endpoint.dialog_count());
            }
        }
        let elsewhere = world.outside.iter().find(|(to, _)| to.ip() != address(PEER).ip());
        assert!(elsewhere.is_none(), "{}: sent to {elsewhere:?}", case.name);
        world.run_to_silence();
        world.assert_empty();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Any message, damaged anywhere, at any point of a call: no panic, and everything is forgotten in the end.
    #[test]
    fn damaged_messages_do_no_harm(seed: u64, which in 0usize..100, at in 0usize..600, with: u8, cut: bool) {
        let mut world = World::new(seed, PERFECT);
        world.read_along = false;
        let a = world.invite(A, B);
        let b = dialog_of(&world.run_until(B, |event| matches!(event, E::Incoming { .. }))).unwrap();
        let _ = world.on(B, |endpoint, now| endpoint.accept(b, local(30_000), &[], now));
        world.run_for(Duration::from_secs(1));
        world.on(A, |endpoint, now| {
            endpoint.refer(a, "sip:x@y.example", "sip:gw@gw.example.com", now);
            endpoint.reinvite(a, local(20_002), now);
            endpoint.request(a, Method::Info, &[], Some(("text/plain", b"x")), now);
        });
        world.run_for(Duration::from_secs(1));
        let to_a = world.node(B).messages.clone();
        let to_b = world.node(A).messages.clone();
        let torture = &CASES[which % CASES.len()];
        let pick = |messages: &[Message]| messages[which % messages.len()].to_bytes();
        for (from, to, mut bytes) in
            [(B, A, pick(&to_a)), (A, B, pick(&to_b)), (PEER, A, torture.bytes.to_vec()), (B, A, pick(&to_b))]
        {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = with;
            }
            if cut {
                bytes.truncate(at);
            }
            world.inject(from, to, &bytes);
        }
        for (at, dialog) in [(A, a), (B, b)] {
            world.on(at, |endpoint, now| endpoint.bye(dialog, None, now));
            for stray in incoming(&mut world) {
                world.on(A, |endpoint, now| endpoint.reject(stray, 404, "", &[], now));
            }
        }
        world.run_for(Duration::from_secs(100));
        for at in [A, B] {
            let open: Vec<_> = world.node(at).events.iter().filter_map(dialog_of).collect();
            for dialog in open {
                world.on(at, |endpoint, now| endpoint.bye(dialog, None, now));
            }
        }
        world.run_to_silence();
        world.assert_empty();
    }
}
