//! What happens inside an established dialog: hold, glare, REFER and its NOTIFYs, routes, odd requests.

use crate::harness::peer::*;
use crate::harness::*;
use call_model::Direction;
use core::time::Duration;
use sip_proto::{DialogEvent as E, DialogId, EndedBecause, ReferStage, RequestId};
use sip_wire::Method;

fn towards(direction: Direction) -> call_model::LocalMedia {
    call_model::LocalMedia { direction, ..local(20_000) }
}

fn changed(world: &mut World, at: &str) -> Direction {
    match world.run_until(at, |event| matches!(event, E::MediaChanged { .. })) {
        E::MediaChanged { media, .. } => media.direction,
        other => panic!("{other:?}"),
    }
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

// --- hold and glare

#[test]
fn hold_and_resume_reach_the_other_side_mirrored() {
    let mut world = World::new(1, PERFECT);
    let (a, _) = establish(&mut world);
    for (ours, a_gets, b_gets) in [
        (Direction::SendOnly, Direction::SendOnly, Direction::RecvOnly),
        (Direction::Inactive, Direction::Inactive, Direction::Inactive),
        (Direction::SendRecv, Direction::SendRecv, Direction::SendRecv),
    ] {
        world.on(A, |endpoint, now| endpoint.reinvite(a, towards(ours), now));
        assert_eq!((changed(&mut world, A), changed(&mut world, B)), (a_gets, b_gets), "{ours:?}");
    }
    assert!(world.node(A).sent.iter().any(|note| note.what == "INVITE (hold)"));
    world.run_for(Duration::from_secs(100));
    assert_eq!(world.node(B).sent.iter().filter(|note| note.again).count(), 0, "each 200 was acknowledged");
}

#[test]
fn a_side_that_holds_stays_on_hold_when_the_other_re_invites() {
    let mut world = World::new(2, PERFECT);
    let (a, b) = establish(&mut world);
    world.on(A, |endpoint, now| endpoint.reinvite(a, towards(Direction::SendOnly), now));
    assert_eq!(changed(&mut world, B), Direction::RecvOnly);
    world.on(B, |endpoint, now| endpoint.reinvite(b, local(30_002), now));
    assert_eq!(changed(&mut world, B), Direction::RecvOnly);
}

#[test]
fn two_re_invites_that_cross_are_refused_491_and_tried_again() {
    for seed in 0..50 {
        let mut world = World::new(seed, PERFECT);
        let (a, b) = establish(&mut world);
        world.on(A, |endpoint, now| endpoint.reinvite(a, local(20_002), now));
        world.on(B, |endpoint, now| endpoint.reinvite(b, local(30_002), now));
        world.run_for(Duration::from_secs(20));
        let media = |world: &mut World, at: &str| {
            world
                .take(at)
                .into_iter()
                .filter_map(|event| match event {
                    E::MediaChanged { media, .. } => Some(media.rtp.port()),
                    E::ChangeRefused { .. } => panic!("refused"),
                    _ => None,
                })
                .next_back()
        };
        assert_eq!((media(&mut world, A), media(&mut world, B)), (Some(30_002), Some(20_002)), "seed {seed}");
        assert!(world.node(A).sent.iter().any(|note| note.what == "491 Request Pending"));
        assert!(world.node(B).sent.iter().any(|note| note.what == "491 Request Pending"));
    }
}

#[test]
fn wishes_that_come_while_one_is_under_way_end_with_the_last() {
    let mut world = World::new(4, PERFECT);
    let (a, _) = establish(&mut world);
    for port in [20_002, 20_004, 20_006] {
        world.on(A, |endpoint, now| endpoint.reinvite(a, local(port), now));
    }
    world.run_for(Duration::from_secs(5));
    let ports: Vec<_> = world
        .take(B)
        .into_iter()
        .filter_map(|event| match event {
            E::MediaChanged { media, .. } => Some(media.rtp.port()),
            _ => None,
        })
        .collect();
    assert_eq!(ports, [20_002, 20_006]);
}

#[test]
fn a_change_refused_488_keeps_the_session() {
    let mut world = World::new(5, PERFECT);
    let (a, _) = establish(&mut world);
    let mut other = local(20_002);
    other.codecs = vec![];
    world.on(A, |endpoint, now| endpoint.reinvite(a, other, now));
    let refused = world.run_until(A, |event| matches!(event, E::ChangeRefused { .. }));
    assert_eq!(refused, E::ChangeRefused { dialog: a, code: 488 });
    world.on(A, |endpoint, now| endpoint.bye(a, None, now));
    world.run_until(B, |event| matches!(event, E::Ended { by_remote: true, .. }));
}

#[test]
fn a_re_invite_nobody_answers_ends_the_dialog() {
    let mut world = World::new(6, PERFECT);
    let (a, _) = establish(&mut world);
    world.lose = Some(|message, _| message.method() == Some(&Method::Invite));
    world.on(A, |endpoint, now| endpoint.reinvite(a, local(20_002), now));
    let ended = world.run_until(A, is_terminal);
    assert!(matches!(ended, E::Ended { because: EndedBecause::Gone(408), .. }));
    world.run_until(B, |event| matches!(event, E::Ended { by_remote: true, .. }));
}

// --- by hand: a peer whose every word the test writes

#[test]
fn an_update_is_answered_with_sdp_and_one_without_an_offer_plainly() {
    let mut world = World::new(7, PERFECT);
    let (mut peer, _) = answered_by_hand(&mut world, &[]);
    let held = SDP.replace("m=audio", "a=sendonly\r\nm=audio");
    let update = peer.request("UPDATE", &[("Content-Type", "application/sdp")], &held);
    world.inject(PEER, A, &update);
    assert_eq!(last(&world).code(), Some(200));
    assert!(String::from_utf8_lossy(&last(&world).body).contains("a=recvonly"));
    assert_eq!(changed(&mut world, A), Direction::RecvOnly);
    let refresh = peer.request("UPDATE", &[], "");
    world.inject(PEER, A, &refresh);
    assert_eq!((last(&world).code(), last(&world).body.len()), (Some(200), 0));
}

#[test]
fn a_re_invite_without_sdp_gets_our_offer_and_its_ack_the_answer() {
    let mut world = World::new(8, PERFECT);
    let (mut peer, _) = answered_by_hand(&mut world, &[]);
    let reinvite = peer.request("INVITE", &[], "");
    world.inject(PEER, A, &reinvite);
    let offer = String::from_utf8_lossy(&last(&world).body).into_owned();
    assert!(offer.contains("m=audio 20000 RTP/AVP 8 0 101"), "{offer}");
    peer.cseq -= 1;
    let held = SDP.replace("m=audio", "a=inactive\r\nm=audio");
    let ack = peer.request("ACK", &[("Content-Type", "application/sdp")], &held);
    world.inject(PEER, A, &ack);
    assert_eq!(changed(&mut world, A), Direction::Inactive);
}

#[test]
fn every_request_takes_the_route_set_through_two_proxies() {
    let mut world = World::new(9, PERFECT);
    let routes = [("Record-Route", "<sip:192.0.2.51;lr>, <sip:192.0.2.52;lr>")];
    let (_, dialog) = answered_by_hand(&mut world, &routes);
    assert_eq!(last(&world).headers.get("Record-Route"), Some(routes[0].1), "copied into the 200");
    world.on(A, |endpoint, now| {
        endpoint.request(dialog, Method::Info, &[], Some(("text/plain", b"x")), now);
        endpoint.refer(dialog, "sip:x@y.example", "sip:gw@gw.example.com", now);
        endpoint.reinvite(dialog, local(20_002), now);
        endpoint.bye(dialog, None, now);
    });
    let sent: Vec<_> = world.outside.iter().rev().take(4).collect();
    let mut numbers = Vec::new();
    for (to, message) in sent.into_iter().rev() {
        assert_eq!(*to, address("192.0.2.51:5060"), "{:?}", message.method());
        assert_eq!(message.request_uri().unwrap().as_str(), format!("sip:{PEER}"));
        let routes: Vec<_> = message.route_set().iter().map(|route| route.uri.as_str().to_owned()).collect();
        assert_eq!(routes, ["sip:192.0.2.51;lr", "sip:192.0.2.52;lr"]);
        numbers.push((message.method().unwrap().to_string(), message.cseq().unwrap().number));
    }
    let expected: Vec<_> =
        ["INFO", "REFER", "INVITE", "BYE"].iter().zip(1..).map(|(what, n)| ((*what).to_owned(), n)).collect();
    assert_eq!(numbers, expected, "one counter for all methods");
}

#[test]
fn a_strict_router_gets_the_request_with_the_target_last() {
    let mut world = World::new(10, PERFECT);
    let (_, dialog) = answered_by_hand(&mut world, &[("Record-Route", "<sip:192.0.2.51>, <sip:192.0.2.52;lr>")]);
    world.on(A, |endpoint, now| endpoint.bye(dialog, None, now));
    let (to, bye) = world.outside.last().unwrap();
    assert_eq!(*to, address("192.0.2.51:5060"));
    assert_eq!(bye.request_uri().unwrap().as_str(), "sip:192.0.2.51");
    let routes: Vec<_> = bye.route_set().iter().map(|route| route.uri.as_str().to_owned()).collect();
    assert_eq!(routes, ["sip:192.0.2.52;lr".to_owned(), format!("sip:{PEER}")]);
}

#[test]
fn requests_follow_the_peers_latest_contact() {
    let mut world = World::new(11, PERFECT);
    let (mut peer, dialog) = answered_by_hand(&mut world, &[]);
    let moved = String::from_utf8(peer.request("UPDATE", &[], "")).unwrap();
    let moved = moved.replace(&format!("Contact: <sip:{PEER}>"), "Contact: <sip:there@198.51.100.77:5070>");
    world.inject(PEER, A, moved.as_bytes());
    world.on(A, |endpoint, now| endpoint.bye(dialog, None, now));
    let (to, bye) = world.outside.last().unwrap();
    assert_eq!(
        (*to, bye.request_uri().unwrap().as_str()),
        (address("198.51.100.77:5070"), "sip:there@198.51.100.77:5070")
    );
}

#[test]
fn info_is_answered_and_reported() {
    let mut world = World::new(12, PERFECT);
    let (mut peer, dialog) = answered_by_hand(&mut world, &[]);
    let info = peer.request("INFO", &[("Content-Type", "Application/dtmf-relay")], "Signal=5\r\n");
    world.inject(PEER, A, &info);
    assert_eq!(last(&world).code(), Some(200));
    let content_type = "application/dtmf-relay".to_owned();
    assert_eq!(world.take(A), [E::Info { dialog, content_type, body: b"Signal=5\r\n".to_vec() }]);
    world.inject(PEER, A, &info);
    assert!(world.take(A).is_empty(), "a repeat is answered and not reported again");
    assert_eq!(world.node(A).sent.last().map(|note| note.again), Some(true));
}

#[test]
fn odd_requests_inside_a_dialog_get_their_answers() {
    let mut world = World::new(13, PERFECT);
    let (mut peer, _) = answered_by_hand(&mut world, &[]);
    for (method, extra, code) in [
        ("OPTIONS", vec![], 200),
        ("PRACK", vec![("RAck", "1 1 INVITE")], 481),
        ("MESSAGE", vec![], 405),
        ("FROBNICATE", vec![], 501),
        ("SUBSCRIBE", vec![("Event", "presence")], 489),
        ("SUBSCRIBE", vec![("Event", "refer")], 481),
        ("NOTIFY", vec![("Event", "refer"), ("Subscription-State", "active")], 481),
        ("NOTIFY", vec![("Event", "dialog")], 489),
        ("INFO", vec![("Require", "precondition, replaces")], 420),
        ("REFER", vec![], 400),
        ("REFER", vec![("Refer-To", "<sip:a@b>, <sip:c@d>")], 400),
    ] {
        let request = peer.request(method, &extra, "");
        world.inject(PEER, A, &request);
        assert_eq!(last(&world).code(), Some(code), "{method} {extra:?}");
        match code {
            405 | 501 => assert!(last(&world).headers.get("Allow").unwrap().contains("REFER")),
            420 => assert_eq!(last(&world).headers.get("Unsupported"), Some("precondition")),
            489 => assert_eq!(last(&world).headers.get("Allow-Events"), Some("refer")),
            _ => {}
        }
    }
}

#[test]
fn a_request_overtaken_by_a_later_one_is_refused_500_but_bye_counts() {
    let mut world = World::new(14, PERFECT);
    let (mut peer, _) = answered_by_hand(&mut world, &[]);
    peer.cseq = 50;
    let info = peer.request("INFO", &[], "");
    world.inject(PEER, A, &info);
    peer.cseq = 30;
    let stale = peer.request("OPTIONS", &[], "");
    world.inject(PEER, A, &stale);
    assert_eq!(last(&world).code(), Some(500));
    let bye = peer.request("BYE", &[], "");
    world.inject(PEER, A, &bye);
    assert_eq!(last(&world).code(), Some(200));
}

#[test]
fn after_a_lost_connection_the_dialog_goes_on_over_one_to_the_contact() {
    let mut world = World::new(15, PERFECT);
    world.transport = sip_proto::Transport::Tcp;
    let from = "198.51.100.20:41234";
    let mut peer = Peer { cseq: 0, to_tag: String::new() };
    let invite = peer.request("INVITE", &[("Content-Type", "application/sdp")], SDP);
    world.inject(from, A, &invite);
    let dialog = dialog_of(&world.run_until(A, |event| matches!(event, E::Incoming { .. }))).expect("a dialog");
    world.on(A, |endpoint, now| endpoint.accept(dialog, local(20_000), &[], now)).expect("accepted");
    peer.to_tag = last(&world).to_tag().expect("our tag");
    peer.cseq -= 1;
    let ack = peer.request("ACK", &[], "");
    world.inject(from, A, &ack);
    world.on(A, |endpoint, now| endpoint.refer(dialog, "sip:x@y.example", "sip:gw@gw.example.com", now));
    assert_eq!(world.outside.last().unwrap().0, address(from), "the connection in use is kept");
    let flow = world.flow(A, from);
    world.take(A);
    world.on(A, |endpoint, now| endpoint.handle_flow_failed(flow, now));
    assert_eq!(world.take(A), [E::ReferRefused { dialog, code: 503, unsupported: vec![], retry_after: None }]);
    world.on(A, |endpoint, now| endpoint.bye(dialog, None, now));
    assert_eq!(world.outside.last().unwrap().0, address(PEER));
}

// --- REFER

fn refer(world: &mut World, dialog: DialogId) -> u32 {
    world.on(A, |endpoint, now| {
        endpoint.refer(dialog, "sip:desk@cc.example.net?Replaces=a%40b", "sip:gw@gw.example.com", now)
    });
    assert_eq!(last(world).headers.get("Refer-To"), Some("<sip:desk@cc.example.net?Replaces=a%40b>"));
    last(world).cseq().expect("our CSeq").number
}

fn notify(world: &mut World, peer: &mut Peer, event: &str, state: &str, body: &str) -> u16 {
    let headers = [("Event", event), ("Subscription-State", state), ("Content-Type", "message/sipfrag;version=2.0")];
    let notify = peer.request("NOTIFY", &headers, body);
    world.inject(PEER, A, &notify);
    last(world).code().expect("a response")
}

#[test]
fn a_refer_that_works_reports_acceptance_progress_and_success() {
    let mut world = World::new(20, PERFECT);
    let (mut peer, dialog) = answered_by_hand(&mut world, &[]);
    let cseq = refer(&mut world, dialog);
    answer(&mut world, 202, &[]);
    let event = format!("refer;id={cseq}");
    assert_eq!(notify(&mut world, &mut peer, &event, "active;expires=60", "SIP/2.0 100 Trying\r\n"), 200);
    assert_eq!(notify(&mut world, &mut peer, &event, "terminated;reason=noresource", "SIP/2.0 200 OK"), 200);
    assert_eq!(notify(&mut world, &mut peer, &event, "terminated;reason=noresource", "SIP/2.0 200 OK"), 200);
    let expected = [
        E::ReferAccepted { dialog, code: 202 },
        E::ReferNotify { dialog, status: Some(100), terminated: false },
        E::ReferNotify { dialog, status: Some(200), terminated: true },
    ];
    assert_eq!(world.take(A), expected);
    world.run_for(Duration::from_secs(100));
    assert!(world.take(A).is_empty(), "no timeout after a result");
}

#[test]
fn a_notify_that_overtakes_the_202_counts_as_acceptance() {
    let mut world = World::new(21, PERFECT);
    let (mut peer, dialog) = answered_by_hand(&mut world, &[]);
    refer(&mut world, dialog);
    let accepted = last(&world).response_to(202, "", Some("tr-1"));
    assert_eq!(notify(&mut world, &mut peer, "refer", "active", "SIP/2.0 180 Ringing\r\n"), 200);
    world.inject(PEER, A, &accepted.to_bytes());
    let expected =
        [E::ReferAccepted { dialog, code: 202 }, E::ReferNotify { dialog, status: Some(180), terminated: false }];
    assert_eq!(world.take(A), expected);
}

#[test]
fn a_refused_refer_is_reported_with_its_code_and_the_dialog_stands() {
    for (code, extra, unsupported) in [
        (405, vec![], vec![]),
        (603, vec![], vec![]),
        (481, vec![], vec![]),
        (420, vec![("Unsupported", "replaces")], vec!["replaces".to_owned()]),
    ] {
        let mut world = World::new(22, PERFECT);
        let (mut peer, dialog) = answered_by_hand(&mut world, &[]);
        refer(&mut world, dialog);
        answer(&mut world, code, &extra);
        assert_eq!(world.take(A), [E::ReferRefused { dialog, code, unsupported, retry_after: None }]);
        let info = peer.request("INFO", &[], "");
        world.inject(PEER, A, &info);
        assert_eq!(last(&world).code(), Some(200));
    }
}

#[test]
fn silence_after_refer_is_408_and_silence_after_202_is_timer_n() {
    let mut world = World::new(23, PERFECT);
    let (_, dialog) = answered_by_hand(&mut world, &[]);
    refer(&mut world, dialog);
    world.run_for(Duration::from_secs(33));
    assert_eq!(world.take(A), [E::ReferRefused { dialog, code: 408, unsupported: vec![], retry_after: None }]);
    let cseq = refer(&mut world, dialog);
    assert!(cseq > 1, "a second REFER has a number of its own");
    answer(&mut world, 200, &[]);
    world.run_for(Duration::from_millis(31_999));
    assert_eq!(world.take(A), [E::ReferAccepted { dialog, code: 200 }]);
    world.run_for(Duration::from_millis(1));
    assert_eq!(world.take(A), [E::ReferTimeout { dialog, stage: ReferStage::NoNotify }]);
}

#[test]
fn a_refer_stuck_at_ringing_times_out_and_is_unsubscribed() {
    let mut world = World::new(24, PERFECT);
    let (mut peer, dialog) = answered_by_hand(&mut world, &[]);
    let cseq = refer(&mut world, dialog);
    answer(&mut world, 202, &[]);
    notify(&mut world, &mut peer, "refer", "active", "SIP/2.0 180 Ringing");
    world.take(A);
    world.run_for(Duration::from_secs(30));
    assert_eq!(world.take(A), [E::ReferTimeout { dialog, stage: ReferStage::NoResult }]);
    let subscribe = last(&world);
    assert_eq!(subscribe.method(), Some(&Method::Subscribe));
    assert_eq!(subscribe.headers.get("Event"), Some(format!("refer;id={cseq}").as_str()));
    assert_eq!(subscribe.headers.get("Expires"), Some("0"));
    answer(&mut world, 481, &[]);
    assert_eq!(notify(&mut world, &mut peer, "refer", "terminated", ""), 200);
    assert!(world.take(A).is_empty(), "the dialog stands, and nothing is reported twice");
}

#[test]
fn a_refer_we_gave_up_ourselves_is_unsubscribed_and_only_its_outcome_is_still_reported() {
    let mut world = World::new(25, PERFECT);
    let (mut peer, dialog) = answered_by_hand(&mut world, &[]);
    let cseq = refer(&mut world, dialog);
    answer(&mut world, 202, &[]);
    notify(&mut world, &mut peer, "refer", "active", "SIP/2.0 100 Trying");
    world.take(A);
    world.on(A, |endpoint, now| endpoint.give_up_refer(dialog, now));
    let subscribe = last(&world);
    assert_eq!(subscribe.method(), Some(&Method::Subscribe));
    assert_eq!(subscribe.headers.get("Event"), Some(format!("refer;id={cseq}").as_str()));
    answer(&mut world, 200, &[]);
    assert_eq!(notify(&mut world, &mut peer, "refer", "active", "SIP/2.0 180 Ringing"), 200);
    world.run_for(Duration::from_secs(60));
    assert!(world.take(A).is_empty(), "nobody waits any more");
    assert_eq!(notify(&mut world, &mut peer, "refer", "terminated", "SIP/2.0 200 OK"), 200);
    assert_eq!(world.take(A), [E::ReferNotify { dialog, status: Some(200), terminated: true }]);
}

#[test]
fn refer_endings_without_a_clear_result_are_told_apart() {
    for (state, body, status, terminated) in [
        ("terminated;reason=noresource", "", None, true),
        ("terminated", "SIP/2.0 100 Trying", Some(100), true),
        ("active", "SIP/2.0 486", Some(486), false),
        ("terminated;reason=noresource", "\r\nSIP/2.0 503 Service Unavailable\r\nRetry-After: 5\r\n", Some(503), true),
    ] {
        let mut world = World::new(25, PERFECT);
        let (mut peer, dialog) = answered_by_hand(&mut world, &[]);
        refer(&mut world, dialog);
        answer(&mut world, 202, &[]);
        world.take(A);
        assert_eq!(notify(&mut world, &mut peer, "refer", state, body), 200);
        assert_eq!(world.take(A), [E::ReferNotify { dialog, status, terminated }]);
        world.run_for(Duration::from_secs(100));
        assert!(world.take(A).is_empty(), "final: {body}");
    }
}

#[test]
fn a_notify_for_another_refer_is_481_and_491_is_tried_again() {
    let mut world = World::new(26, PERFECT);
    let (mut peer, dialog) = answered_by_hand(&mut world, &[]);
    let cseq = refer(&mut world, dialog);
    answer(&mut world, 491, &[]);
    world.run_for(Duration::from_secs(4));
    assert_eq!(last(&world).method(), Some(&Method::Refer));
    let again = last(&world).cseq().unwrap().number;
    assert!(again > cseq);
    answer(&mut world, 202, &[]);
    assert_eq!(notify(&mut world, &mut peer, &format!("refer;id={cseq}"), "active", "SIP/2.0 100"), 481);
    assert_eq!(notify(&mut world, &mut peer, &format!("refer;id={again}"), "active", "SIP/2.0 100"), 200);
}

#[test]
fn a_refer_before_the_last_that_succeeds_after_all_is_reported_named_or_not() {
    let mut world = World::new(26, PERFECT);
    let (mut peer, dialog) = answered_by_hand(&mut world, &[]);
    let first = format!("refer;id={}", refer(&mut world, dialog));
    answer(&mut world, 202, &[]);
    world.on(A, |endpoint, now| endpoint.give_up_refer(dialog, now));
    refer(&mut world, dialog);
    answer(&mut world, 202, &[]);
    world.take(A);
    assert_eq!(notify(&mut world, &mut peer, &first, "active", "SIP/2.0 180 Ringing"), 200);
    assert!(world.take(A).is_empty(), "it has been given up");
    assert_eq!(notify(&mut world, &mut peer, &first, "terminated", "SIP/2.0 200 OK"), 200);
    assert_eq!(world.take(A), [E::EarlierReferSucceeded { dialog }]);
    assert_eq!(notify(&mut world, &mut peer, "refer", "terminated", "SIP/2.0 486 Busy Here"), 200);
    assert_eq!(world.take(A), [E::ReferNotify { dialog, status: Some(486), terminated: true }]);
    assert_eq!(notify(&mut world, &mut peer, "refer", "terminated", "SIP/2.0 200 OK"), 200);
    assert_eq!(world.take(A), [E::EarlierReferSucceeded { dialog }]);
}

#[test]
fn a_notify_that_a_bye_overtakes_is_still_answered_200_and_reported() {
    let mut world = World::new(27, PERFECT);
    let (mut peer, dialog) = answered_by_hand(&mut world, &[]);
    refer(&mut world, dialog);
    answer(&mut world, 202, &[]);
    let bye = peer.request("BYE", &[], "");
    world.inject(PEER, A, &bye);
    assert_eq!(notify(&mut world, &mut peer, "refer", "terminated", "SIP/2.0 200 OK"), 200);
    let events = world.take(A);
    assert!(matches!(events[1], E::Ended { by_remote: true, .. }), "{events:?}");
    assert_eq!(events[2], E::ReferNotify { dialog, status: Some(200), terminated: true });
    let info = peer.request("INFO", &[], "");
    world.inject(PEER, A, &info);
    assert_eq!(last(&world).code(), Some(481), "the call itself is over");
    world.run_to_silence();
    world.assert_empty();
}

#[test]
fn a_refer_received_is_handed_on_and_its_answer_sent() {
    let mut world = World::new(28, PERFECT);
    let (mut peer, dialog) = answered_by_hand(&mut world, &[]);
    let refer = peer.request("REFER", &[("Refer-To", "<sip:else@where.example>")], "");
    world.inject(PEER, A, &refer);
    let referred = world.run_until(A, |event| matches!(event, E::Referred { .. }));
    let E::Referred { request, refer_to, .. } = referred else { panic!() };
    assert_eq!(refer_to, "<sip:else@where.example>");
    world.on(A, |endpoint, now| endpoint.respond(request, 603, "", &[header("X-Why", "policy")], None, now));
    assert_eq!((last(&world).code(), last(&world).headers.get("X-Why")), (Some(603), Some("policy")));
    world.on(A, |endpoint, now| endpoint.respond(RequestId(9999), 200, "", &[], None, now));
    let _ = dialog;
}

#[test]
fn between_two_endpoints_refer_and_notify_survive_loss() {
    for seed in 0..300 {
        let mut world = World::new(seed, Network { loss_percent: 30, delay_ms: (5, 80), twice_percent: 5 });
        let _ = world.invite(A, B);
        world.run_for(Duration::from_secs(60));
        let Some(b) = world.take(B).first().and_then(dialog_of) else { continue };
        if world.on(B, |endpoint, now| endpoint.accept(b, local(30_000), &[], now)).is_err() {
            continue;
        }
        world.run_for(Duration::from_secs(20));
        let Some(E::Answered { dialog: a, .. }) =
            world.take(A).into_iter().find(|event| matches!(event, E::Answered { .. }))
        else {
            continue;
        };
        world.on(A, |endpoint, now| endpoint.refer(a, "sip:x@y.example", "sip:gw@gw.example.com", now));
        world.run_for(Duration::from_secs(20));
        if let Some(E::Referred { request, .. }) =
            world.take(B).into_iter().find(|event| matches!(event, E::Referred { .. }))
        {
            world.on(B, |endpoint, now| {
                endpoint.respond(request, 202, "", &[], None, now);
                let headers = [header("Event", "refer"), header("Subscription-State", "terminated;reason=noresource")];
                let body = Some(("message/sipfrag;version=2.0", &b"SIP/2.0 200 OK\r\n"[..]));
                endpoint.request(b, Method::Notify, &headers, body, now);
            });
        }
        world.run_for(Duration::from_secs(120));
        let finals = world.take(A).into_iter().filter(|event| match event {
            E::ReferRefused { .. } | E::ReferTimeout { .. } => true,
            E::ReferNotify { status, terminated, .. } => *terminated || status.is_some_and(|status| status >= 200),
            _ => false,
        });
        assert_eq!(finals.count(), 1, "seed {seed}: exactly one ending");
        world.on(A, |endpoint, now| endpoint.bye(a, None, now));
        world.run_for(Duration::from_secs(70));
        world.on(B, |endpoint, now| endpoint.bye(b, None, now));
        world.run_to_silence();
        world.assert_empty();
    }
}

/// Its Call-ID travels to desks and bots, its tags in a Replaces: whoever knows them is not yet its peer.
#[test]
fn a_request_within_a_dialog_comes_from_its_peer() {
    const STRANGER: &str = "198.51.100.66:5060";
    const NEIGHBOUR: &str = "198.51.100.21:5060";
    let mut world = World::new(9, PERFECT);
    let (mut peer, _) = answered_by_hand(&mut world, &[]);
    let network = |text: &str, prefix| (text.parse().expect("an address"), prefix);
    let peers = vec![vec![network("198.51.100.20", 31)], vec![network("198.51.100.66", 32)]];
    world.on(A, |endpoint, _| endpoint.set_peers(peers));
    for (method, body) in [("INVITE", SDP), ("BYE", "")] {
        let taken = peer.request(method, &[("Content-Type", "application/sdp")], body);
        world.inject(STRANGER, A, &taken);
        assert_eq!(last(&world).code(), Some(481), "{method}");
        let ack = peer.request("ACK", &[], "");
        world.inject(STRANGER, A, &ack);
    }
    assert_eq!(world.node(A).endpoint.dialog_count(), 1);
    let update = peer.request("UPDATE", &[], "");
    world.inject(NEIGHBOUR, A, &update);
    assert_eq!(last(&world).code(), Some(200), "another address of the same peer");
    let bye = peer.request("BYE", &[], "");
    world.inject(PEER, A, &bye);
    assert_eq!(last(&world).code(), Some(200));
}
