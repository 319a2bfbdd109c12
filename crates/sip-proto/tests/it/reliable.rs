//! Provisional responses that are acknowledged (RFC 3262), in both roles, and what UPDATE may do before the answer
//! (RFC 3311).

use crate::harness::peer::*;
use crate::harness::*;
use call_model::Direction;
use core::time::Duration;
use sip_proto::{AcceptError, DialogEvent as E, DialogId, EndpointConfig};
use sip_wire::{Message, Method};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A demands that provisional responses are acknowledged.
fn demanding(seed: u64, network: Network) -> World {
    let mut world = World::new(seed, network);
    world.add(A, EndpointConfig { reliable: true, ..EndpointConfig::default() });
    world
}

fn arrives(world: &mut World, at: &str) -> DialogId {
    dialog_of(&world.run_until(at, |event| matches!(event, E::Incoming { .. }))).expect("a dialog")
}

fn sent<'a>(world: &'a World, at: &str, what: &str) -> Vec<&'a Message> {
    let node = &world.nodes[&address(at)];
    let both = node.sent.iter().zip(&node.messages);
    both.filter(|(note, _)| note.what == what && !note.again).map(|(_, message)| message).collect()
}

fn late_offer(world: &mut World) -> DialogId {
    let mut request = invite_request(world.flow(A, B), local(20_000));
    request.late_offer = true;
    world.on(A, |endpoint, now| endpoint.invite(request, now))
}

#[test]
fn ringing_is_acknowledged_whatever_the_network_does() {
    let lossy = Network { loss_percent: 30, delay_ms: (5, 400), twice_percent: 20 };
    for (seed, network) in (0..40).map(|seed| (seed, if seed == 0 { PERFECT } else { lossy })) {
        let mut world = demanding(seed, network);
        let a = world.invite(A, B);
        let b = arrives(&mut world, B);
        world.on(B, |endpoint, now| endpoint.ring(b, 180, now));
        world.run_until(A, |event| *event == E::Ringing { dialog: a, code: 180 });
        world.on(B, |endpoint, now| endpoint.ring(b, 183, now));
        world.run_until(A, |event| *event == E::Ringing { dialog: a, code: 183 });
        world.on(B, |endpoint, now| endpoint.accept(b, local(30_000), &[], now)).expect("a common codec");
        world.run_until(A, |event| matches!(event, E::Answered { .. }));
        world.run_until(B, |event| matches!(event, E::Confirmed { .. }));
        let first = sent(&world, B, "180 Ringing (reliable)")[0].rseq().expect("a number");
        let next = sent(&world, B, "183 Session Progress (reliable)")[0].rseq();
        assert_eq!(next, Some(first + 1));
        let racks: Vec<_> = sent(&world, A, "PRACK").iter().filter_map(|prack| prack.rack()).collect();
        assert_eq!(racks.iter().map(|rack| rack.rseq).collect::<Vec<_>>(), [first, first + 1]);
        assert!(racks.iter().all(|rack| rack.cseq.to_string() == "1 INVITE"));
        world.on(A, |endpoint, now| endpoint.bye(a, None, now));
        world.run_to_silence();
        world.assert_empty();
    }
}

#[test]
fn without_demand_nothing_is_acknowledged() {
    let mut world = World::new(1, PERFECT);
    world.invite(A, B);
    let b = arrives(&mut world, B);
    world.on(B, |endpoint, now| endpoint.ring(b, 180, now));
    world.run_for(MS(2_000));
    assert_eq!(sent(&world, B, "180 Ringing").len(), 1);
    assert!(sent(&world, A, "INVITE")[0].supports("100rel"));
}

#[test]
fn an_answer_in_a_provisional_response_holds_the_200_until_it_is_acknowledged() {
    let mut world = demanding(1, PERFECT);
    let a = world.invite(A, B);
    let b = arrives(&mut world, B);
    let media = world.on(B, |endpoint, now| endpoint.progress(b, 183, local(30_000), now)).expect("progress");
    let again = world.on(B, |endpoint, now| endpoint.accept(b, local(30_000), &[], now)).expect("accepted");
    assert_eq!((media, media.is_some()), (again, true));
    let twice = world.on(B, |endpoint, now| endpoint.accept(b, local(30_000), &[], now));
    assert_eq!(twice, Err(AcceptError::NotWaiting));
    assert_eq!(sent(&world, B, "200 OK").len(), 0, "not before PRACK");
    let E::Answered { media, .. } = world.run_until(A, |event| matches!(event, E::Answered { .. })) else { return };
    assert_eq!((media.rtp.port(), media.direction), (30_000, Direction::SendRecv));
    assert_eq!(
        world.run_until(B, |event| matches!(event, E::Confirmed { .. })),
        E::Confirmed { dialog: b, media: None }
    );
    assert!(sent(&world, B, "200 OK")[0].body.is_empty(), "what was said is not said again");
    world.on(A, |endpoint, now| endpoint.reinvite(a, local(20_002), now));
    let changed = world.run_until(B, |event| matches!(event, E::MediaChanged { .. }));
    assert!(matches!(changed, E::MediaChanged { media, .. } if media.rtp.port() == 20_002));
}

#[test]
fn a_foretaste_that_nobody_acknowledges_is_said_again_in_the_200() {
    let mut world = World::new(1, PERFECT);
    world.invite(A, B);
    let b = arrives(&mut world, B);
    world.on(B, |endpoint, now| endpoint.progress(b, 183, local(30_000), now)).expect("progress");
    world.on(B, |endpoint, now| endpoint.accept(b, local(30_000), &[], now)).expect("accepted");
    world.run_until(B, |event| matches!(event, E::Confirmed { .. }));
    let (early, answer) = (sent(&world, B, "183 Session Progress")[0], sent(&world, B, "200 OK")[0]);
    assert_eq!(early.body, answer.body);
    assert!(!answer.body.is_empty());
}

#[test]
fn the_offer_comes_in_the_provisional_response_and_the_answer_in_prack() {
    let mut world = demanding(1, PERFECT);
    late_offer(&mut world);
    let b = arrives(&mut world, B);
    assert!(world.node(B).endpoint.offer_is_due(b));
    world.on(B, |endpoint, now| endpoint.ring(b, 180, now));
    assert_eq!(sent(&world, B, "180 Ringing (reliable)").len(), 0, "not without our offer");
    assert_eq!(world.on(B, |endpoint, now| endpoint.progress(b, 180, local(30_000), now)), Ok(None));
    assert!(!world.node(B).endpoint.offer_is_due(b));
    // Answered before the PRACK comes: what was agreed is told with the ACK.
    assert_eq!(world.on(B, |endpoint, now| endpoint.accept(b, local(30_000), &[], now)), Ok(None));
    let confirmed = world.run_until(B, |event| matches!(event, E::Confirmed { .. }));
    assert!(
        matches!(confirmed, E::Confirmed { media: Some(media), .. } if media.rtp.port() == 20_000),
        "{confirmed:?}"
    );
    assert!(world.take(A).iter().any(|event| matches!(event, E::Answered { media, .. } if media.rtp.port() == 30_000)));
    let prack = sent(&world, A, "PRACK")[0];
    assert!(String::from_utf8_lossy(&prack.body).contains("m=audio 20000"));
    assert!(sent(&world, B, "200 OK")[0].body.is_empty());
}

/// An INVITE by hand that demands 100rel, and our response to it.
fn by_hand(world: &mut World, sdp: &str) -> (Peer, DialogId) {
    let mut peer = Peer { cseq: 0, to_tag: String::new() };
    let kind = ("Content-Type", "application/sdp");
    let headers = [("Require", "100rel"), kind];
    let invite = peer.request("INVITE", &headers[..if sdp.is_empty() { 1 } else { 2 }], sdp);
    world.inject(PEER, A, &invite);
    (peer, arrives(world, A))
}

/// What our latest provisional response wants to hear.
fn rack(world: &World) -> String {
    let own = world.outside.iter().rev().find_map(|(_, message)| message.rseq()).expect("a reliable response");
    format!("{own} 1 INVITE")
}

fn prack(world: &mut World, peer: &mut Peer, rack: &str, sdp: &str) -> Message {
    let kind = [("RAck", rack), ("Content-Type", "application/sdp")];
    let request = peer.request("PRACK", &kind[..if sdp.is_empty() { 1 } else { 2 }], sdp);
    world.inject(PEER, A, &request);
    let answers = world.outside.iter().rev().map(|(_, message)| message);
    let of_prack = |message: &&Message| message.cseq().is_ok_and(|cseq| cseq.number == peer.cseq);
    answers.into_iter().find(of_prack).expect("an answer").clone()
}

#[test]
fn what_is_never_acknowledged_is_sent_again_ever_more_slowly_and_refuses_the_call() {
    let mut world = World::new(1, PERFECT);
    let (_, dialog) = by_hand(&mut world, SDP);
    world.on(A, |endpoint, now| endpoint.ring(dialog, 180, now));
    let began = world.now;
    let mut times = Vec::new();
    let mut count = world.outside.len();
    while world.step(began + MS(40_000)) && world.take(A).is_empty() {
        if world.outside.len() > count && last(&world).code() == Some(180) {
            times.push(world.now.since(began).as_millis());
        }
        count = world.outside.len();
    }
    assert_eq!(times, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    assert_eq!(world.now.since(began), MS(32_000));
    assert_eq!(last(&world).code(), Some(504));
    assert!(world.node(A).events.contains(&E::Cancelled { dialog, reason: None }));
}

#[test]
fn a_prack_for_nothing_gets_481_and_the_right_one_ends_the_repetition() {
    let mut world = World::new(1, PERFECT);
    let (mut peer, dialog) = by_hand(&mut world, SDP);
    world.on(A, |endpoint, now| endpoint.ring(dialog, 180, now));
    peer.to_tag = last(&world).to_tag().expect("our tag");
    let right = rack(&world);
    for wrong in ["1 1 INVITE", &right.replace(" 1 ", " 2 "), &right.replace("INVITE", "UPDATE"), "", "x"] {
        assert_eq!(prack(&mut world, &mut peer, wrong, "").code(), Some(481), "{wrong}");
    }
    assert_eq!(prack(&mut world, &mut peer, &right, "").code(), Some(200));
    assert_eq!(prack(&mut world, &mut peer, &right, "").code(), Some(481), "once");
    let count = world.outside.len();
    world.run_for(MS(60_000));
    assert_eq!((world.outside.len(), world.take(A)), (count, vec![]), "the call still waits");
}

#[test]
fn a_prack_that_comes_after_the_200_is_taken() {
    let mut world = World::new(1, PERFECT);
    let (mut peer, dialog) = by_hand(&mut world, SDP);
    world.on(A, |endpoint, now| endpoint.ring(dialog, 180, now));
    world.on(A, |endpoint, now| endpoint.accept(dialog, local(20_000), &[], now)).expect("nothing holds it");
    peer.to_tag = last(&world).to_tag().expect("our tag");
    assert!(!last(&world).body.is_empty());
    let right = rack(&world);
    assert_eq!(prack(&mut world, &mut peer, &right, "").code(), Some(200));
}

#[test]
fn prack_and_update_may_change_the_session_once_it_is_agreed_and_not_before() {
    let moved = SDP.replace("40000", "40002");
    let mut world = World::new(1, PERFECT);
    let (mut peer, dialog) = by_hand(&mut world, SDP);
    let update = |world: &mut World, peer: &mut Peer, sdp: &str| {
        let request = peer.request("UPDATE", &[("Content-Type", "application/sdp")], sdp);
        world.inject(PEER, A, &request);
        last(world).clone()
    };
    world.on(A, |endpoint, now| endpoint.ring(dialog, 180, now));
    peer.to_tag = last(&world).to_tag().expect("our tag");
    // Its first offer is not answered yet (RFC 3311 §5.2).
    let refused = update(&mut world, &mut peer, &moved);
    assert_eq!((refused.code(), refused.headers.get("Retry-After")), (Some(500), Some("1")));
    let right = rack(&world);
    assert_eq!(prack(&mut world, &mut peer, &right, "").code(), Some(200));
    let media = world.on(A, |endpoint, now| endpoint.progress(dialog, 183, local(20_000), now)).expect("progress");
    assert_eq!(media.map(|media| media.rtp.port()), Some(40_000));
    let right = rack(&world);
    let answer = prack(&mut world, &mut peer, &right, &moved);
    assert_eq!((answer.code(), answer.body.is_empty()), (Some(200), false));
    let answer = update(&mut world, &mut peer, &SDP.replace("40000", "40004"));
    assert_eq!((answer.code(), answer.body.is_empty()), (Some(200), false));
    assert_eq!(update(&mut world, &mut peer, &SDP.replace(" 8 0 ", " 18 ")).code(), Some(488));
    let media = world.on(A, |endpoint, now| endpoint.accept(dialog, local(20_000), &[], now)).expect("accepted");
    assert_eq!(media.map(|media| media.rtp.port()), Some(40_004), "what was said last, and could be used, holds");
}

#[test]
fn an_update_that_crosses_our_offer_gets_491_and_no_answer_to_it_ends_the_call() {
    for (sdp, code) in [("", 400), ("v=0 nonsense", 488), (&*SDP.replace(" 8 0 ", " 18 "), 488)] {
        let mut world = World::new(1, PERFECT);
        let (mut peer, dialog) = by_hand(&mut world, "");
        world.on(A, |endpoint, now| endpoint.progress(dialog, 180, local(20_000), now)).expect("progress");
        peer.to_tag = last(&world).to_tag().expect("our tag");
        let request = peer.request("UPDATE", &[("Content-Type", "application/sdp")], SDP);
        world.inject(PEER, A, &request);
        assert_eq!(last(&world).code(), Some(491));
        let right = rack(&world);
        assert_eq!(prack(&mut world, &mut peer, &right, sdp).code(), Some(code), "{sdp}");
        assert_eq!(last(&world).code(), Some(488), "the INVITE's answer");
        assert_eq!(world.take(A), [E::Cancelled { dialog, reason: None }]);
    }
}

/// An INVITE of ours to a peer played by hand.
fn calls_out(world: &mut World, late_offer: bool) -> (DialogId, Message) {
    let mut request = invite_request(world.flow(A, PEER), local(20_000));
    request.late_offer = late_offer;
    let dialog = world.on(A, |endpoint, now| endpoint.invite(request, now));
    (dialog, last(world).clone())
}

fn respond(world: &mut World, invite: &Message, code: u16, tag: &str, rseq: Option<u32>, sdp: &str) {
    let mut response = invite.response_to(code, "", Some(tag));
    response.headers.push("Contact", format!("<sip:{tag}@{PEER}>"));
    if let Some(rseq) = rseq {
        response.headers.push("Require", "100rel");
        response.headers.push("RSeq", rseq.to_string());
        response.headers.push("Record-Route", format!("<sip:{PEER};lr;via={tag}>"));
    }
    if !sdp.is_empty() {
        response.headers.push("Content-Type", "application/sdp");
        response.body = sdp.as_bytes().to_vec();
    }
    world.inject(PEER, A, &response.to_bytes());
}

#[test]
fn each_branch_counts_for_itself_and_what_comes_out_of_order_is_not_heard() {
    let mut world = World::new(1, PERFECT);
    let (dialog, invite) = calls_out(&mut world, false);
    let mut pracks = Vec::new();
    for (tag, code, rseq) in
        [("one", 183, 7), ("two", 183, 900), ("one", 180, 9), ("one", 183, 7), ("two", 180, 901), ("one", 181, 8)]
    {
        let before = world.outside.len();
        respond(&mut world, &invite, code, tag, Some(rseq), "");
        for (_, prack) in world.outside.split_off(before) {
            let target = prack.request_uri().and_then(|uri| uri.user_text()).unwrap_or_default();
            assert_eq!(prack.method(), Some(&Method::Prack));
            assert_eq!(prack.headers.get("Route"), Some(&*format!("<sip:{PEER};lr;via={tag}>")));
            pracks.push((
                target,
                prack.to_tag(),
                prack.headers.get("RAck").map(str::to_owned),
                prack.cseq().map(|c| c.number),
            ));
        }
    }
    let expected = [("one", 7, 2), ("two", 900, 3), ("two", 901, 4), ("one", 8, 5)];
    let expected = expected
        .map(|(tag, rseq, cseq)| (tag.to_owned(), Some(tag.to_owned()), Some(format!("{rseq} 1 INVITE")), Ok(cseq)));
    assert_eq!(pracks, expected);
    let rings = [183, 180, 181].map(|code| E::Ringing { dialog, code });
    assert_eq!(world.take(A), rings, "180 with number 9 is not heard");
}

#[test]
fn the_answer_of_the_branch_that_answers_counts() {
    let mut world = World::new(1, PERFECT);
    let (dialog, invite) = calls_out(&mut world, false);
    respond(&mut world, &invite, 183, "one", Some(1), SDP);
    respond(&mut world, &invite, 183, "two", Some(1), &SDP.replace("40000", "40002"));
    // The second branch moves its audio before it answers; the third never rang.
    let ring = |cseq: u32, tag: &str| {
        format!(
            "UPDATE sip:gw@{A} SIP/2.0\r\nVia: SIP/2.0/UDP {PEER};rport;branch=z9hG4bKu{cseq}{tag}\r\nMax-Forwards: 70\r\n\
             From: <sip:x@b.example>;tag={tag}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} UPDATE\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{}",
            invite.headers.get("From").unwrap_or_default(),
            invite.call_id(),
            SDP.len(),
            SDP.replace("40000", "40008")
        )
    };
    for (cseq, tag, code) in [(1, "two", 200), (1, "two", 500), (1, "three", 491)] {
        let mut update = ring(cseq, tag);
        if code == 500 {
            update = update.replace("z9hG4bKu", "z9hG4bKv");
        }
        world.inject(PEER, A, update.as_bytes());
        assert_eq!(last(&world).code(), Some(code), "{tag}");
    }
    world.take(A);
    respond(&mut world, &invite, 200, "two", None, "");
    assert_eq!(last(&world).method(), Some(&Method::Ack));
    let events = world.take(A);
    assert!(matches!(events.as_slice(), [E::Answered { media, .. }] if media.rtp.port() == 40_008), "{events:?}");
    // The other answers as well: acknowledged, and hung up.
    respond(&mut world, &invite, 200, "one", None, "");
    assert_eq!(last(&world).method(), Some(&Method::Bye));
    assert_eq!(last(&world).to_tag().as_deref(), Some("one"));
    assert_eq!(world.node(A).endpoint.sip_call_id(dialog), invite.call_id());
}

#[test]
fn an_offer_in_a_provisional_response_is_answered_in_prack() {
    let mut world = World::new(1, PERFECT);
    let (_, invite) = calls_out(&mut world, true);
    respond(&mut world, &invite, 180, "one", Some(5), SDP);
    let prack = last(&world).clone();
    assert_eq!(prack.method(), Some(&Method::Prack));
    assert!(String::from_utf8_lossy(&prack.body).contains("m=audio 20000"));
    respond(&mut world, &invite, 200, "one", None, "");
    assert!(last(&world).body.is_empty(), "the ACK has nothing left to say");
    assert!(matches!(world.take(A).last(), Some(E::Answered { media, .. }) if media.rtp.port() == 40_000));
}

#[test]
fn an_answer_that_cannot_be_used_gives_the_call_up() {
    for (late, sdp) in [(false, SDP.replace(" 8 0 ", " 18 ")), (true, SDP.replace(" 8 0 ", " 18 "))] {
        let mut world = World::new(1, PERFECT);
        let (dialog, invite) = calls_out(&mut world, late);
        respond(&mut world, &invite, 183, "one", Some(5), &sdp);
        let methods: Vec<_> = world.outside.iter().filter_map(|(_, message)| message.method().cloned()).collect();
        assert_eq!(methods, [Method::Invite, Method::Prack, Method::Cancel]);
        respond(&mut world, &invite, 487, "one", None, "");
        assert!(matches!(world.take(A).last(), Some(E::Failed { dialog: d, code: 487, .. }) if *d == dialog));
    }
}
