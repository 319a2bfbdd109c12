//! The peer's REFER and what we tell it: answer, NOTIFYs, their end. The peer's every word is written by the test, but
//! for the property, where two endpoints talk over a network that loses, doubles and reorders.

use crate::harness::peer::*;
use crate::harness::*;
use core::time::Duration;
use proptest::prelude::*;
use sip_proto::{DialogEvent as E, EndedBecause, RequestId, SubscriptionId};
use sip_wire::{Message, Method};

const TO_DESK: (&str, &str) = ("Refer-To", "<sip:desk@cc.example.net>");

/// The peer sends REFER; the request to be answered.
fn referred(world: &mut World, peer: &mut Peer, extra: &[(&str, &str)]) -> RequestId {
    let mut headers = vec![TO_DESK];
    headers.extend_from_slice(extra);
    let refer = peer.request("REFER", &headers, "");
    world.inject(PEER, A, &refer);
    match world.run_until(A, |event| matches!(event, E::Referred { .. })) {
        E::Referred { request, .. } => request,
        other => panic!("{other:?}"),
    }
}

fn accept(world: &mut World, request: RequestId) -> SubscriptionId {
    world.on(A, |endpoint, now| endpoint.accept_refer(request, now)).expect("a subscription")
}

fn report(world: &mut World, subscription: SubscriptionId, status: u16) {
    world.on(A, |endpoint, now| endpoint.notify_refer(subscription, status, now));
}

/// What was sent to the peer since `from`, in short.
fn sent(world: &World, from: usize) -> Vec<String> {
    world.outside[from..].iter().map(|(_, message)| in_short(message)).collect()
}

fn in_short(message: &Message) -> String {
    match message.method() {
        Some(Method::Notify) => {
            let header = |name: &str| message.headers.get(name).unwrap_or("-").to_owned();
            let body = String::from_utf8_lossy(&message.body).into_owned();
            format!("NOTIFY {} | {} | {}", header("Event"), header("Subscription-State"), body.trim_end())
        }
        Some(method) => method.to_string(),
        None => format!("{}", message.code().expect("a response")),
    }
}

/// Requests sent again are of no interest here.
fn answer_all(world: &mut World, from: usize, code: u16) -> usize {
    let requests: Vec<Message> =
        world.outside[from..].iter().map(|(_, message)| message.clone()).filter(Message::is_request).collect();
    let end = world.outside.len();
    for request in requests {
        world.inject(PEER, A, &request.response_to(code, "", None).to_bytes());
    }
    end
}

#[test]
fn the_answer_leaves_first_then_notify_100_progress_and_the_outcome() {
    let mut world = World::new(1, PERFECT);
    let (mut peer, _) = answered_by_hand(&mut world, &[]);
    let request = referred(&mut world, &mut peer, &[]);
    let mut from = world.outside.len();
    let subscription = accept(&mut world, request);
    assert_eq!(sent(&world, from), ["202", "NOTIFY refer | active;expires=180 | SIP/2.0 100 Trying"]);
    let notify = last(&world);
    assert_eq!(notify.headers.get("Content-Type"), Some("message/sipfrag;version=2.0"));
    assert!(notify.contact().is_ok_and(|contact| contact.is_some()), "NOTIFY carries a target (RFC 6665)");
    from = answer_all(&mut world, from, 200);
    report(&mut world, subscription, 180);
    report(&mut world, subscription, 180);
    assert_eq!(sent(&world, from), ["NOTIFY refer | active;expires=180 | SIP/2.0 180 Ringing"]);
    from = answer_all(&mut world, from, 200);
    report(&mut world, subscription, 200);
    assert_eq!(sent(&world, from), ["NOTIFY refer | terminated;reason=noresource | SIP/2.0 200 OK"]);
    from = answer_all(&mut world, from, 200);
    report(&mut world, subscription, 503);
    assert_eq!(sent(&world, from), [""; 0], "one outcome");
}

#[test]
fn a_second_refer_of_a_dialog_is_told_apart_by_its_number() {
    let mut world = World::new(2, PERFECT);
    let (mut peer, _) = answered_by_hand(&mut world, &[]);
    let request = referred(&mut world, &mut peer, &[]);
    world.on(A, |endpoint, now| endpoint.respond(request, 603, "", &[], None, now));
    let request = referred(&mut world, &mut peer, &[]);
    let (number, from) = (peer.cseq, world.outside.len());
    let second = accept(&mut world, request);
    assert_eq!(
        sent(&world, from),
        ["202".to_owned(), format!("NOTIFY refer;id={number} | active;expires=180 | SIP/2.0 100 Trying")]
    );
    let from = answer_all(&mut world, from, 200);
    report(&mut world, second, 486);
    let outcome = format!("NOTIFY refer;id={number} | terminated;reason=noresource | SIP/2.0 486 Busy Here");
    assert_eq!(sent(&world, from), [outcome]);
}

#[test]
fn what_happens_while_a_notify_is_out_is_told_with_the_next() {
    let mut world = World::new(3, PERFECT);
    let (mut peer, _) = answered_by_hand(&mut world, &[]);
    let request = referred(&mut world, &mut peer, &[]);
    let from = world.outside.len();
    let subscription = accept(&mut world, request);
    report(&mut world, subscription, 180);
    report(&mut world, subscription, 200);
    assert_eq!(sent(&world, from).len(), 2, "none overtakes another");
    let from = answer_all(&mut world, from, 200);
    assert_eq!(sent(&world, from), ["NOTIFY refer | terminated;reason=noresource | SIP/2.0 200 OK"]);
}

#[test]
fn a_peer_that_refuses_notify_or_never_answers_it_hears_no_more_and_the_call_stands() {
    for code in [481, 489, 500, 0] {
        let mut world = World::new(4, PERFECT);
        let (mut peer, dialog) = answered_by_hand(&mut world, &[]);
        let request = referred(&mut world, &mut peer, &[]);
        let from = world.outside.len();
        let subscription = accept(&mut world, request);
        let expected = match code {
            0 => {
                world.run_for(Duration::from_secs(33));
                408
            }
            code => {
                answer_all(&mut world, from, code);
                code
            }
        };
        assert_eq!(world.take(A), [E::Unsubscribed { dialog, subscription, code: expected }]);
        let from = world.outside.len();
        report(&mut world, subscription, 200);
        assert_eq!(sent(&world, from), [""; 0], "{code}");
        world.on(A, |endpoint, now| endpoint.bye(dialog, None, now));
        assert_eq!(sent(&world, from), ["BYE"], "{code}: the call's own usage is not touched");
    }
}

#[test]
fn refer_sub_false_is_echoed_and_nothing_is_notified() {
    let mut world = World::new(5, PERFECT);
    let (mut peer, dialog) = answered_by_hand(&mut world, &[]);
    let request = referred(&mut world, &mut peer, &[("Refer-Sub", "false"), ("Require", "norefersub")]);
    let from = world.outside.len();
    let subscription = accept(&mut world, request);
    report(&mut world, subscription, 180);
    report(&mut world, subscription, 200);
    assert_eq!(sent(&world, from), ["202"]);
    assert_eq!(last(&world).headers.get("Refer-Sub"), Some("false"));
    world.on(A, |endpoint, now| endpoint.bye(dialog, None, now));
    assert_eq!(sent(&world, from), ["202", "BYE"]);
}

#[test]
fn odd_refers_get_clean_answers_and_no_subscription() {
    for (headers, code) in [
        (vec![], 400),
        (vec![TO_DESK, TO_DESK], 400),
        (vec![("Refer-To", "<sip:a@b>, <sip:c@d>")], 400),
        (vec![("Refer-To", "<<<>")], 400),
        (vec![("Refer-To", "")], 400),
        (vec![("r", "")], 400),
        (vec![TO_DESK, ("Require", "nosub")], 420),
        (vec![TO_DESK, ("Replaces", "a;to-tag=b;from-tag=c")], 400),
    ] {
        let mut world = World::new(6, PERFECT);
        let (mut peer, _) = answered_by_hand(&mut world, &[]);
        let refer = peer.request("REFER", &headers, "");
        world.inject(PEER, A, &refer);
        assert_eq!(last(&world).code(), Some(code), "{headers:?}");
        assert!(world.take(A).is_empty(), "{headers:?}");
    }
}

#[test]
fn a_refer_that_comes_again_is_answered_again_and_carried_out_once() {
    let mut world = World::new(7, PERFECT);
    let (mut peer, _) = answered_by_hand(&mut world, &[]);
    let refer = peer.request("REFER", &[TO_DESK], "");
    world.inject(PEER, A, &refer);
    world.inject(PEER, A, &refer);
    let events = world.take(A);
    let [E::Referred { request, message, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(message.method(), Some(&Method::Refer));
    let from = world.outside.len();
    accept(&mut world, *request);
    world.inject(PEER, A, &refer);
    assert_eq!(sent(&world, from)[2], "202");
    assert!(world.take(A).is_empty());
    assert_eq!(world.on(A, |endpoint, now| endpoint.accept_refer(*request, now)), None, "answered already");
}

// --- RFC 5057: the subscription is a usage of its own

#[test]
fn the_outcome_still_goes_out_after_the_referrer_hung_up() {
    // 19 us and 280 ms were seen in the field; 60 s is beyond the time for which a dialog lingers by itself.
    for micros in [0, 19, 280_000, 60_000_000] {
        let mut world = World::new(8, PERFECT);
        let (mut peer, dialog) = answered_by_hand(&mut world, &[]);
        let request = referred(&mut world, &mut peer, &[]);
        let from = world.outside.len();
        let subscription = accept(&mut world, request);
        let bye = peer.request("BYE", &[], "");
        world.inject(PEER, A, &bye);
        let ended = world.run_until(A, is_terminal);
        assert_eq!(ended, E::Ended { dialog, by_remote: true, reason: None, because: EndedBecause::Bye });
        let from = answer_all(&mut world, from, 200);
        world.run_for(Duration::from_micros(micros));
        report(&mut world, subscription, 200);
        assert_eq!(in_short(last(&world)), "NOTIFY refer | terminated;reason=noresource | SIP/2.0 200 OK", "{micros}");
        // It may well say that it knows of nothing any more.
        answer_all(&mut world, from, 481);
        world.run_to_silence();
        world.assert_empty();
    }
}

#[test]
fn our_bye_waits_for_the_outcome_to_be_answered_but_not_for_ever() {
    for answered in [true, false] {
        let mut world = World::new(9, PERFECT);
        let (mut peer, dialog) = answered_by_hand(&mut world, &[]);
        let request = referred(&mut world, &mut peer, &[]);
        let from = world.outside.len();
        let subscription = accept(&mut world, request);
        let from = answer_all(&mut world, from, 200);
        report(&mut world, subscription, 200);
        world.on(A, |endpoint, now| endpoint.bye(dialog, Some("SIP;cause=200"), now));
        assert_eq!(sent(&world, from).len(), 1, "no BYE yet");
        if answered {
            answer_all(&mut world, from, 200);
        } else {
            world.run_for(Duration::from_millis(999));
            assert!(sent(&world, from).iter().all(|what| what.starts_with("NOTIFY")));
            world.run_for(Duration::from_millis(2));
        }
        let bye = last(&world);
        assert_eq!((bye.method(), bye.headers.get("Reason")), (Some(&Method::Bye), Some("SIP;cause=200")));
    }
}

#[test]
fn a_subscription_nobody_reports_on_ends_by_itself() {
    let mut world = World::new(10, PERFECT);
    let (mut peer, dialog) = answered_by_hand(&mut world, &[]);
    let request = referred(&mut world, &mut peer, &[]);
    let from = world.outside.len();
    let subscription = accept(&mut world, request);
    let from = answer_all(&mut world, from, 200);
    world.run_for(Duration::from_secs(181));
    assert_eq!(world.take(A), [E::Unsubscribed { dialog, subscription, code: 408 }]);
    assert_eq!(sent(&world, from)[0], "NOTIFY refer | terminated;reason=timeout | SIP/2.0 100 Trying");
}

// --- SUBSCRIBE from the peer

#[test]
fn a_peer_may_refresh_and_end_what_its_refer_began() {
    let mut world = World::new(11, PERFECT);
    let (mut peer, dialog) = answered_by_hand(&mut world, &[]);
    let request = referred(&mut world, &mut peer, &[]);
    let (number, from) = (peer.cseq, world.outside.len());
    let subscription = accept(&mut world, request);
    let from = answer_all(&mut world, from, 200);
    for (event, expires, answer) in [
        ("refer;id=99999".to_owned(), "30", "481"),
        ("refer".to_owned(), "many", "400"),
        (format!("refer;id={number}"), "30", "200"),
    ] {
        let subscribe = peer.request("SUBSCRIBE", &[("Event", &event), ("Expires", expires)], "");
        let at = world.outside.len();
        world.inject(PEER, A, &subscribe);
        assert_eq!(sent(&world, at)[0], answer, "{event}");
    }
    assert_eq!(in_short(last(&world)), "NOTIFY refer | active;expires=30 | SIP/2.0 100 Trying");
    answer_all(&mut world, from, 200);
    let at = world.outside.len();
    let subscribe = peer.request("SUBSCRIBE", &[("Event", "refer"), ("Expires", "0")], "");
    world.inject(PEER, A, &subscribe);
    assert_eq!(sent(&world, at), ["200", "NOTIFY refer | terminated;reason=timeout | SIP/2.0 100 Trying"]);
    assert_eq!(world.take(A), [E::Unsubscribed { dialog, subscription, code: 0 }]);
    answer_all(&mut world, at, 200);
    let at = world.outside.len();
    report(&mut world, subscription, 200);
    assert_eq!(sent(&world, at), [""; 0]);
}

// --- two endpoints

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever the network does and whenever either side hangs up: requests of a dialog are numbered without a gap or
    /// repeat, the referrer hears of at most one outcome and it is the one reported, and nothing is left behind.
    #[test]
    fn numbers_rise_by_one_and_the_outcome_is_told_at_most_once(
        seed: u64,
        loss in 0u64..30,
        twice in 0u64..30,
        slowest in 5u64..400,
        steps in prop::collection::vec((0u64..3_000, 0u8..5), 1..12),
    ) {
        let mut world = World::new(seed, PERFECT);
        let (a, b) = establish(&mut world);
        world.network = Network { loss_percent: loss, delay_ms: (5, slowest), twice_percent: twice };
        let (mut subscription, mut outcome) = (None, None);
        world.on(A, |endpoint, now| endpoint.refer(a, "sip:x@y.example", "sip:gw@gw.example.com", now));
        for (wait, what) in steps {
            world.run_for(Duration::from_millis(wait));
            for event in world.take(B) {
                if let E::Referred { request, .. } = event {
                    subscription = world.on(B, |endpoint, now| endpoint.accept_refer(request, now));
                }
            }
            let Some(subscription) = subscription else { continue };
            match what {
                0 => world.on(A, |endpoint, now| endpoint.bye(a, None, now)),
                1 => world.on(B, |endpoint, now| endpoint.bye(b, None, now)),
                2 => world.on(B, |endpoint, now| endpoint.notify_refer(subscription, 180, now)),
                3 => world.on(B, |endpoint, now| endpoint.reinvite(b, local(30_002), now)),
                _ => {
                    outcome = outcome.or(Some(486));
                    world.on(B, |endpoint, now| endpoint.notify_refer(subscription, 486, now));
                }
            }
        }
        if let Some(subscription) = subscription {
            world.on(B, |endpoint, now| endpoint.notify_refer(subscription, 486, now));
        }
        world.run_for(Duration::from_secs(250));
        let told = world.node(A).events.iter().filter_map(|event| match event {
            E::ReferNotify { status: Some(status @ 200..), .. } => Some(*status),
            _ => None,
        });
        let told: Vec<u16> = told.collect();
        prop_assert!(told.is_empty() || told == [486], "{told:?}");
        for at in [A, B] {
            let mut numbers: Vec<u32> = world.node(at).messages.iter()
                .filter(|message| message.is_request())
                .filter(|message| !matches!(message.method(), Some(Method::Ack | Method::Cancel)))
                .filter_map(|message| message.cseq().ok())
                .map(|cseq| cseq.number)
                .collect();
            // A retransmission repeats its number; a new request has the next one.
            numbers.dedup();
            let mut seen = numbers.clone();
            seen.sort_unstable();
            seen.dedup();
            let first = seen.first().copied().unwrap_or(1);
            prop_assert!(seen.iter().zip(first..).all(|(number, expected)| *number == expected), "{at}: {numbers:?}");
        }
        world.on(A, |endpoint, now| endpoint.bye(a, None, now));
        world.on(B, |endpoint, now| endpoint.bye(b, None, now));
        world.run_to_silence();
        world.assert_empty();
    }
}
