//! Whole dialogs between two endpoints: set-up, tear-down, cancellation, loss.

use crate::harness::*;
use core::time::Duration;
use sip_proto::{DialogEvent as E, DialogId, EndedBecause, Transport};
use sip_wire::{Message, Method};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A calls B, B rings and answers; both dialogs.
fn establish(world: &mut World) -> (DialogId, DialogId) {
    let a = world.invite(A, B);
    let b = arriving(world);
    world.on(B, |endpoint, now| endpoint.ring(b, 180, now));
    world.on(B, |endpoint, now| endpoint.accept(b, local(30_000), &[], now)).expect("a common codec");
    world.run_until(A, |event| matches!(event, E::Answered { .. }));
    world.run_until(B, |event| matches!(event, E::Confirmed { .. }));
    (a, b)
}

fn arriving(world: &mut World) -> DialogId {
    let event = world.run_until(B, |event| matches!(event, E::Incoming { .. }));
    dialog_of(&event).expect("a dialog")
}

fn whats(world: &mut World, at: &str) -> Vec<String> {
    world.node(at).sent.iter().map(|note| note.what.clone()).collect()
}

#[test]
fn a_call_is_set_up_and_hung_up() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut world = World::new(1, PERFECT);
        world.transport = transport;
        let (a, b) = establish(&mut world);
        world.on(A, |endpoint, now| endpoint.bye(a, Some("SIP;cause=200;text=\"Transferred\""), now));
        let ended = world.run_until(A, is_terminal);
        assert_eq!(ended, E::Ended { dialog: a, by_remote: false, reason: None, because: EndedBecause::Bye });
        let ended = world.run_until(B, is_terminal);
        let reason = Some("SIP;cause=200;text=\"Transferred\"".to_owned());
        assert_eq!(ended, E::Ended { dialog: b, by_remote: true, reason, because: EndedBecause::Bye });
        assert_eq!(whats(&mut world, A), ["INVITE", "ACK", "BYE"]);
        assert_eq!(whats(&mut world, B), ["100 Trying", "180 Ringing", "200 OK", "200 OK (BYE)"]);
        world.run_to_silence();
        world.assert_empty();
    }
}

#[test]
fn both_sides_agree_on_the_media() {
    let mut world = World::new(2, PERFECT);
    let (a, b) = establish(&mut world);
    let answered = world.node(A).events.iter().find_map(|event| match event {
        E::Answered { media, .. } => Some(*media),
        _ => None,
    });
    let media = answered.expect("answered");
    assert_eq!(media.rtp, "203.0.113.10:30000".parse().unwrap());
    assert_eq!(media.rtcp, "203.0.113.10:30001".parse().unwrap());
    assert_eq!((media.codec, media.telephone_event), (call_model::Codec::Pcma, Some(101)));
    let value = world.node(A).endpoint.replaces_value(a).expect("established");
    assert_eq!(world.node(B).endpoint.match_replaces(&value), Some(b));
    assert!(world.node(A).endpoint.remote_supports(a, "replaces"));
    assert!(world.node(B).endpoint.remote_allows(b, &Method::Refer));
}

#[test]
fn cancel_before_any_response_waits_for_the_first_provisional() {
    let mut world = World::new(3, PERFECT);
    let a = world.invite(A, B);
    world.on(A, |endpoint, now| endpoint.cancel(a, Some("SIP;cause=487"), now));
    assert_eq!(whats(&mut world, A), ["INVITE"]);
    let failed = world.run_until(A, is_terminal);
    assert!(matches!(failed, E::Failed { code: 487, .. }), "{failed:?}");
    let cancelled = world.run_until(B, is_terminal);
    assert!(matches!(cancelled, E::Cancelled { reason: Some(reason), .. } if reason == "SIP;cause=487"));
    assert_eq!(whats(&mut world, A), ["INVITE", "CANCEL", "ACK"]);
    world.run_to_silence();
    world.assert_empty();
}

#[test]
fn a_cancel_that_crosses_the_200_ends_in_ack_bye_and_late() {
    let mut world = World::new(4, PERFECT);
    let a = world.invite(A, B);
    let b = arriving(&mut world);
    world.on(B, |endpoint, now| endpoint.ring(b, 180, now));
    world.run_until(A, |event| matches!(event, E::Ringing { .. }));
    world.on(B, |endpoint, now| endpoint.accept(b, local(30_000), &[], now)).expect("accepted");
    world.on(A, |endpoint, now| endpoint.cancel(a, None, now));
    world.run_to_silence();
    let ends: Vec<_> = world.take(A).into_iter().filter(is_terminal).collect();
    assert_eq!(ends, [E::Late { dialog: a }]);
    let ends: Vec<_> = world.take(B).into_iter().filter(is_terminal).collect();
    assert!(matches!(ends.as_slice(), [E::Ended { by_remote: true, because: EndedBecause::Bye, .. }]), "{ends:?}");
    assert!(whats(&mut world, A).ends_with(&["ACK".into(), "BYE".into()]));
    world.assert_empty();
}

#[test]
fn a_lost_ack_is_sent_again_for_each_200_and_the_call_stands() {
    let mut world = World::new(5, PERFECT);
    world.lose = Some(|message, count| message.method() == Some(&Method::Ack) && count < 3);
    let (_, _) = establish(&mut world);
    let acks: Vec<_> = world.node(A).sent.iter().filter(|note| note.what == "ACK").map(|note| note.again).collect();
    assert_eq!(acks, [false, true, true, true]);
    let repeats = world.node(B).sent.iter().filter(|note| note.what == "200 OK" && note.again).count();
    assert_eq!(repeats, 3);
}

#[test]
fn a_200_that_is_never_acknowledged_is_hung_up_after_64_t1() {
    let mut world = World::new(6, PERFECT);
    world.lose = Some(|message, _| message.method() == Some(&Method::Ack));
    let _ = world.invite(A, B);
    let b = arriving(&mut world);
    world.on(B, |endpoint, now| endpoint.accept(b, local(30_000), &[], now)).expect("accepted");
    let from = world.now;
    let ended = world.run_until(B, is_terminal);
    assert_eq!(ended, E::Ended { dialog: b, by_remote: false, reason: None, because: EndedBecause::NoAck });
    assert_eq!(world.now.since(from), seconds(32));
    world.run_to_silence();
    assert!(world.take(A).iter().any(|event| matches!(event, E::Ended { by_remote: true, .. })));
    world.assert_empty();
}

#[test]
fn an_answer_to_an_invite_that_was_given_up_is_hung_up_as_late() {
    let mut world = World::new(7, PERFECT);
    // Only the very last words of B get through.
    world.lose = Some(|message, count| match message.code() {
        Some(100..=199) => true,
        Some(200) => message.cseq().unwrap().method == Method::Invite && count < 8,
        _ => false,
    });
    let a = world.invite(A, B);
    let b = arriving(&mut world);
    world.run_for(seconds(16));
    world.on(B, |endpoint, now| endpoint.accept(b, local(30_000), &[], now)).expect("accepted");
    let failed = world.run_until(A, is_terminal);
    assert!(matches!(failed, E::Failed { code: 408, .. }), "{failed:?}");
    world.run_until(A, |event| *event == E::Late { dialog: a });
    world.run_until(B, |event| matches!(event, E::Ended { by_remote: true, .. }));
    world.run_to_silence();
    world.assert_empty();
}

#[test]
fn a_rejected_call_fails_with_the_code_and_retry_after() {
    let mut world = World::new(8, Network { loss_percent: 0, delay_ms: (5, 40), twice_percent: 50 });
    let a = world.invite(A, B);
    let b = arriving(&mut world);
    let headers = [("Retry-After".to_owned(), "30 (later)".to_owned())];
    world.on(B, |endpoint, now| endpoint.reject(b, 486, "", &headers, now));
    let failed = world.run_until(A, is_terminal);
    let reason = "Busy Here".to_owned();
    assert_eq!(failed, E::Failed { dialog: a, code: 486, reason, retry_after: Some(30) });
    world.run_to_silence();
    assert_eq!(world.take(B).into_iter().filter(is_terminal).count(), 0);
    world.assert_empty();
}

#[test]
fn without_a_common_codec_nothing_is_sent_and_488_follows() {
    let mut world = World::new(9, PERFECT);
    let mut request = invite_request(world.flow(A, B), local(20_000));
    request.local.codecs = vec![call_model::Codec::Pcmu];
    world.on(A, |endpoint, now| endpoint.invite(request, now));
    let b = arriving(&mut world);
    let mut ours = local(30_000);
    ours.codecs = vec![call_model::Codec::Pcma];
    let refused = world.on(B, |endpoint, now| endpoint.accept(b, ours, &[], now));
    assert_eq!(refused, Err(sip_proto::AcceptError::NoCommonCodec));
    world.on(B, |endpoint, now| endpoint.reject(b, 488, "", &[], now));
    let failed = world.run_until(A, is_terminal);
    assert!(matches!(failed, E::Failed { code: 488, .. }));
}

#[test]
fn a_late_offer_is_answered_in_the_ack() {
    let mut world = World::new(10, PERFECT);
    let mut request = invite_request(world.flow(A, B), local(20_000));
    request.late_offer = true;
    world.on(A, |endpoint, now| endpoint.invite(request, now));
    let incoming = world.run_until(B, |event| matches!(event, E::Incoming { .. }));
    assert!(matches!(incoming, E::Incoming { offer: None, .. }));
    let b = dialog_of(&incoming).unwrap();
    let media = world.on(B, |endpoint, now| endpoint.accept(b, local(30_000), &[], now)).expect("accepted");
    assert_eq!(media, None);
    let answered = world.run_until(A, |event| matches!(event, E::Answered { .. }));
    assert!(matches!(answered, E::Answered { media, .. } if media.rtp.port() == 30_000));
    let confirmed = world.run_until(B, |event| matches!(event, E::Confirmed { .. }));
    assert!(matches!(confirmed, E::Confirmed { media: Some(media), .. } if media.rtp.port() == 20_000));
}

#[test]
fn a_bye_before_the_ack_waits_for_it() {
    let mut world = World::new(11, PERFECT);
    let _ = world.invite(A, B);
    let b = arriving(&mut world);
    world.on(B, |endpoint, now| endpoint.accept(b, local(30_000), &[], now)).expect("accepted");
    world.on(B, |endpoint, now| endpoint.bye(b, None, now));
    assert!(!whats(&mut world, B).contains(&"BYE".to_owned()));
    world.run_to_silence();
    assert!(world.take(A).iter().any(|event| matches!(event, E::Ended { by_remote: true, .. })));
    assert!(world.take(B).iter().any(|event| matches!(event, E::Ended { by_remote: false, .. })));
    world.assert_empty();
}

#[test]
fn byes_that_cross_end_both_sides_once() {
    let mut world = World::new(12, PERFECT);
    let (a, b) = establish(&mut world);
    world.on(A, |endpoint, now| endpoint.bye(a, None, now));
    world.on(B, |endpoint, now| endpoint.bye(b, None, now));
    world.run_to_silence();
    for at in [A, B] {
        let ends: Vec<_> = world.take(at).into_iter().filter(is_terminal).collect();
        assert!(matches!(ends.as_slice(), [E::Ended { by_remote: false, .. }]), "{ends:?}");
    }
    world.assert_empty();
}

#[test]
fn a_copy_that_is_answered_after_the_refusal_is_hung_up() {
    for later in [1, 31, 40] {
        let mut world = World::new(14, PERFECT);
        let phone = "192.0.2.9:5060";
        let request = invite_request(world.flow(A, phone), local(20_000));
        let a = world.on(A, |endpoint, now| endpoint.invite(request, now));
        let invite = world.outside.pop().expect("the INVITE").1;
        world.inject(phone, A, &invite.response_to(486, "", Some("one")).to_bytes());
        assert!(matches!(world.take(A).as_slice(), [E::Failed { dialog, code: 486, .. }] if *dialog == a));
        world.run_for(seconds(later));
        world.outside.clear();
        let mut ok = invite.response_to(200, "", Some("two"));
        ok.headers.push("Contact", format!("<sip:two@{phone}>"));
        world.inject(phone, A, &ok.to_bytes());
        let said: Vec<_> = world.outside.iter().map(|(_, message)| message.method().unwrap().to_string()).collect();
        if later < 32 {
            assert_eq!(said, ["ACK", "BYE"], "{later} s later");
            assert_eq!(world.take(A), [E::Late { dialog: a }]);
        } else {
            assert!(said.is_empty(), "what is forgotten is left to the phone, which hangs up without an ACK: {said:?}");
        }
        world.run_for(seconds(200));
        assert_eq!(world.node(A).endpoint.dialog_count(), 0);
    }
}

#[test]
fn of_two_answers_to_a_forked_invite_the_first_stays_and_the_other_is_hung_up() {
    let mut world = World::new(13, PERFECT);
    let proxy = "192.0.2.9:5060";
    let request = invite_request(world.flow(A, proxy), local(20_000));
    let a = world.on(A, |endpoint, now| endpoint.invite(request, now));
    let invite = world.outside.pop().expect("the INVITE").1;
    let answer = |tag: &str, host: &str| {
        let mut ok = invite.response_to(200, "", Some(tag));
        ok.headers.push("Contact", format!("<sip:{tag}@{host}>"));
        ok.headers.push("Content-Type", "application/sdp");
        ok.body =
            b"v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
                .to_vec();
        ok
    };
    let (first, second) = (answer("one", "192.0.2.31"), answer("two", "192.0.2.32"));
    world.inject(proxy, A, &first.to_bytes());
    world.inject(proxy, A, &second.to_bytes());
    world.inject(proxy, A, &second.to_bytes());
    world.inject(proxy, A, &first.to_bytes());
    assert!(matches!(world.take(A).as_slice(), [E::Answered { dialog, .. }] if *dialog == a));
    let heard: Vec<(String, String)> = world
        .outside
        .iter()
        .map(|(to, message)| (to.ip().to_string(), message.method().unwrap().to_string()))
        .collect();
    let expected = [
        ("192.0.2.31", "ACK"),
        ("192.0.2.32", "ACK"),
        ("192.0.2.32", "BYE"),
        ("192.0.2.32", "ACK"),
        ("192.0.2.31", "ACK"),
    ];
    let expected: Vec<_> = expected.iter().map(|(to, what)| ((*to).to_owned(), (*what).to_owned())).collect();
    assert_eq!(heard, expected);
    world.run_for(seconds(200));
    assert_eq!(world.node(A).endpoint.dialog_count(), 1, "only the one that stands");
}

#[test]
fn an_invite_nobody_answers_times_out_and_one_on_a_dead_flow_fails_at_once() {
    let mut world = World::new(14, PERFECT);
    let request = invite_request(world.flow(A, "192.0.2.99:5060"), local(20_000));
    world.on(A, |endpoint, now| endpoint.invite(request.clone(), now));
    let from = world.now;
    let failed = world.run_until(A, is_terminal);
    assert!(matches!(failed, E::Failed { code: 408, .. }));
    assert_eq!(world.now.since(from), seconds(32));
    let sent: Vec<_> = world.node(A).sent.iter().map(|note| note.again).collect();
    assert_eq!(sent, [false, true, true, true, true, true, true]);
    let flow = request.flow;
    world.on(A, |endpoint, now| endpoint.invite(request, now));
    world.on(A, |endpoint, now| endpoint.handle_flow_failed(flow, now));
    let failed = world.run_until(A, is_terminal);
    assert!(matches!(failed, E::Failed { code: 503, .. }));
    world.run_to_silence();
    world.assert_empty();
}

/// Also one whose RTP is at an address that ours does not reach.
#[test]
fn an_answer_without_a_usable_description_is_hung_up_with_the_reason() {
    let sdp = |family: &str, format: u8| {
        format!("v=0\r\no=- 1 1 IN {family}\r\ns=-\r\nc=IN {family}\r\nt=0 0\r\nm=audio 4000 RTP/AVP {format}\r\n")
    };
    for body in [sdp("IP4 192.0.2.7", 18), sdp("IP6 2001:db8::7", 0), String::new()] {
        let mut world = World::new(16, PERFECT);
        let peer = "192.0.2.9:5060";
        let request = invite_request(world.flow(A, peer), local(20_000));
        world.on(A, |endpoint, now| endpoint.invite(request, now));
        let mut ok = world.outside.pop().expect("the INVITE").1.response_to(200, "", Some("one"));
        ok.headers.push("Contact", format!("<sip:one@{peer}>"));
        ok.headers.push("Content-Type", "application/sdp");
        ok.body = body.into_bytes();
        world.inject(peer, A, &ok.to_bytes());
        assert!(matches!(world.take(A).as_slice(), [E::Failed { code: 606, .. }]));
        let bye = &world.outside.last().expect("the BYE").1;
        assert_eq!(bye.method(), Some(&Method::Bye));
        assert_eq!(bye.headers.get("Reason"), Some("SIP;cause=488;text=\"Not Acceptable Here\""));
    }
}

/// Whom nobody has heard, ICMP may speak for; whoever said 100 speaks for himself.
#[test]
fn the_news_of_a_closed_port_counts_only_where_nothing_was_heard() {
    let mut world = World::new(17, PERFECT);
    let peer = "192.0.2.9:5060";
    let request = invite_request(world.flow(A, peer), local(20_000));
    let flow = request.flow;
    let dialog = world.on(A, |endpoint, now| endpoint.invite(request.clone(), now));
    assert!(world.nodes[&address(A)].endpoint.is_unheard(dialog));
    let trying = world.outside.pop().expect("the INVITE").1.response_to(100, "", None);
    world.inject(peer, A, &trying.to_bytes());
    assert!(!world.nodes[&address(A)].endpoint.is_unheard(dialog));
    world.on(A, |endpoint, now| endpoint.handle_flow_failed(flow, now));
    assert!(world.take(A).is_empty());
    world.on(A, |endpoint, now| endpoint.invite(request, now));
    world.on(A, |endpoint, now| endpoint.handle_flow_failed(flow, now));
    assert!(matches!(world.take(A).as_slice(), [E::Failed { code: 503, .. }]));
}

#[test]
fn an_invite_goes_where_its_flow_says_whatever_its_uri_names() {
    let mut world = World::new(15, PERFECT);
    let mut request = invite_request(world.flow(A, "192.0.2.9:5080"), local(20_000));
    request.request_uri = uri("sip:+44%32@203.0.113.99:5060;user=phone");
    request.call_id = Some("chosen@gw".to_owned());
    let a = world.on(A, |endpoint, now| endpoint.invite(request, now));
    let (to, invite) = world.outside.last().expect("the INVITE");
    assert_eq!(*to, address("192.0.2.9:5080"));
    assert_eq!(invite.request_uri().unwrap().as_str(), "sip:+44%32@203.0.113.99:5060;user=phone");
    assert_eq!((invite.call_id(), world.nodes[&address(A)].endpoint.sip_call_id(a)), ("chosen@gw", "chosen@gw"));
}

/// What both sides say about one call, for any way it went.
fn check_consistent(world: &mut World, seed: u64) {
    let a: Vec<_> = world.node(A).events.clone();
    let b: Vec<_> = world.node(B).events.clone();
    let ends = |events: &[E]| events.iter().filter(|event| is_terminal(event)).count();
    let failed_then_late = matches!(
        a.iter().filter(|event| is_terminal(event)).collect::<Vec<_>>().as_slice(),
        [E::Failed { .. }, E::Late { .. }]
    );
    assert!(ends(&a) == 1 || failed_then_late, "seed {seed}: {a:?}");
    let arrived = b.iter().any(|event| matches!(event, E::Incoming { .. }));
    assert_eq!(b.iter().filter(|event| matches!(event, E::Incoming { .. })).count(), usize::from(arrived));
    assert_eq!(ends(&b), usize::from(arrived), "seed {seed}: {b:?}");
    if b.iter().any(|event| matches!(event, E::Confirmed { .. })) {
        let answered = a.iter().any(|event| matches!(event, E::Answered { .. } | E::Late { .. }));
        assert!(answered, "seed {seed}: B confirmed what A never answered");
    }
    if a.iter().any(|event| matches!(event, E::Answered { .. })) {
        assert!(matches!(b.last(), Some(E::Ended { .. })), "seed {seed}: {b:?}");
    }
    assert!(world.node(A).dropped.iter().all(|why| why != "ACK for nothing we know"));
}

/// One call with every decision rolled; who hangs up, and when, as well.
fn lossy_call(seed: u64) -> &'static str {
    let mut world = World::new(seed, Network { loss_percent: 30, delay_ms: (5, 120), twice_percent: 5 });
    let a = world.invite(A, B);
    let cancel_at = (world.roll(4) == 0).then(|| Duration::from_millis(world.roll(3000)));
    let answer_after = Duration::from_millis(world.roll(4000));
    let talk = Duration::from_millis(world.roll(5000));
    let caller_hangs_up = world.roll(2) == 0;
    if world.roll(20) == 0 {
        world.lose = Some(|message, _| message.code().is_some_and(|code| code < 200));
    }
    if let Some(at) = cancel_at {
        world.run_for(at);
        world.on(A, |endpoint, now| endpoint.cancel(a, None, now));
    }
    let patience = world.now + Duration::from_secs(100);
    let mut b = None;
    while b.is_none() && world.step(patience) {
        b = world.node(B).events.first().and_then(dialog_of);
    }
    if let Some(b) = b {
        world.on(B, |endpoint, now| endpoint.ring(b, 180, now));
        world.run_for(answer_after);
        let _ = world.on(B, |endpoint, now| endpoint.accept(b, local(30_000), &[], now));
        world.run_for(talk);
        if caller_hangs_up {
            world.on(A, |endpoint, now| endpoint.bye(a, None, now));
        } else {
            world.on(B, |endpoint, now| endpoint.bye(b, None, now));
        }
        // Whoever is still in the call when the dust has settled hangs up: a peer may have gone unheard.
        world.run_for(seconds(70));
        world.on(A, |endpoint, now| endpoint.bye(a, None, now));
        world.on(B, |endpoint, now| endpoint.bye(b, None, now));
    }
    world.run_to_silence();
    check_consistent(&mut world, seed);
    world.assert_empty();
    let events = &world.node(A).events;
    let any = |wanted: fn(&E) -> bool| events.iter().any(wanted);
    match () {
        () if any(|event| matches!(event, E::Answered { .. })) => "answered",
        () if any(|event| matches!(event, E::Late { .. })) => "late",
        () if any(|event| matches!(event, E::Failed { code: 487, .. })) => "cancelled",
        () => "failed",
    }
}

#[test]
fn ten_thousand_calls_over_a_network_that_loses_a_third_end_the_same_on_both_sides() {
    let mut endings = std::collections::BTreeMap::new();
    for seed in 0..10_000 {
        *endings.entry(lossy_call(seed)).or_insert(0) += 1;
    }
    // The dice reach every way a call can go.
    for ending in ["answered", "cancelled", "late", "failed"] {
        assert!(endings.get(ending).is_some_and(|count| *count > 0), "{endings:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_ladder() {
    let ladder = |seed| {
        let mut world = World::new(seed, Network { loss_percent: 30, delay_ms: (5, 120), twice_percent: 5 });
        let _ = world.invite(A, B);
        world.run_for(seconds(40));
        (whats(&mut world, A), world.node(A).messages.iter().map(Message::to_bytes).collect::<Vec<_>>())
    };
    assert_eq!(ladder(7), ladder(7));
}
