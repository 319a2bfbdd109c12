//! Digest authentication between two endpoints, and with a peer played by hand: who is told, how often, and what for.

use crate::harness::peer::*;
use crate::harness::*;
use call_model::{IdSource, Secret};
use core::time::Duration;
use sip_proto::{Account, Credentials, DialogEvent as E, EndpointConfig, Guard};
use sip_wire::{DigestResponse, Message, Method};

const REALM: &str = "carrier.example";

fn credentials(password: &str) -> Credentials {
    Credentials { realm: REALM.to_owned(), username: "acct".to_owned(), password: Secret::new(password) }
}

/// A tells everybody who it is; B asks, for everything if `within`.
fn world(seed: u64, password: &str, within: bool) -> World {
    let mut world = World::new(seed, PERFECT);
    let peer = vec![(address(B).ip(), 32), (address(PEER).ip(), 32)];
    let account = Account { peer, credentials: credentials(password) };
    world.add(A, EndpointConfig { accounts: vec![account], ..EndpointConfig::default() });
    let guard = Guard { peer: vec![(address(A).ip(), 32)], credentials: credentials("secret"), within };
    world.add(B, EndpointConfig { guards: vec![guard], ..EndpointConfig::default() });
    world
}

fn sent<'a>(world: &'a mut World, at: &str, method: &'a Method) -> Vec<&'a Message> {
    world.node(at).messages.iter().filter(|message| message.method() == Some(method)).collect()
}

fn answer_in(message: &Message) -> Option<DigestResponse> {
    message.headers.get("Authorization").map(|value| DigestResponse::parse(value).expect("we read what we write"))
}

#[test]
fn a_challenged_invite_goes_out_again_with_credentials_and_its_ack_carries_them_too() {
    let mut world = world(1, "secret", false);
    establish(&mut world);
    let invites: Vec<Message> = sent(&mut world, A, &Method::Invite).into_iter().cloned().collect();
    let [first, second] = invites.as_slice() else { panic!("{invites:?}") };
    assert_eq!(first.call_id(), second.call_id());
    assert_eq!(first.from_tag(), second.from_tag());
    assert_eq!(second.cseq().unwrap().number, first.cseq().unwrap().number + 1);
    assert_ne!(first.via().unwrap().branch(), second.via().unwrap().branch());
    assert_eq!(first.body, second.body, "the same offer");
    assert_eq!(first.headers.get("Authorization"), None);
    assert!(answer_in(second).is_some());
    let acks = sent(&mut world, A, &Method::Ack);
    assert_eq!(answer_in(acks[0]), None, "that of the 401");
    assert_eq!(answer_in(acks[1]), answer_in(second), "that of the 200");
}

#[test]
fn every_method_within_a_dialog_is_sent_again_and_the_nonce_is_used_on() {
    let mut world = world(2, "secret", true);
    let (a, b) = establish(&mut world);
    world.on(A, |endpoint, now| endpoint.reinvite(a, local(20_002), now));
    world.run_until(A, |event| matches!(event, E::MediaChanged { .. }));
    for method in [Method::Options, Method::Info, Method::Update] {
        world.on(A, |endpoint, now| endpoint.request(a, method, &[], None, now));
        assert!(matches!(
            world.run_until(A, |event| matches!(event, E::RequestDone { .. })),
            E::RequestDone { code: 200, .. }
        ));
    }
    world.on(A, |endpoint, now| endpoint.refer(a, "sip:desk@192.0.2.9", "sip:gw@192.0.2.1", now));
    let E::Referred { request, .. } = world.run_until(B, |event| matches!(event, E::Referred { .. })) else { panic!() };
    world.on(B, |endpoint, now| endpoint.respond(request, 603, "", &[], None, now));
    world.run_until(A, |event| matches!(event, E::ReferRefused { code: 603, .. }));
    world.on(A, |endpoint, now| endpoint.bye(a, None, now));
    world.run_until(A, |event| matches!(event, E::Ended { .. }));
    assert!(world.take(B).iter().any(|event| matches!(event, E::Ended { dialog, .. } if *dialog == b)));
    let challenges = world.node(B).sent.iter().filter(|note| note.what.starts_with("401")).count();
    assert_eq!(challenges, 1, "asked once, answered for the rest of the call");
    let counts: Vec<u32> = world
        .node(A)
        .messages
        .iter()
        .filter(|m| m.method() != Some(&Method::Ack))
        .filter_map(answer_in)
        .filter_map(|answer| answer.counted.map(|(count, _)| count))
        .collect();
    assert_eq!(counts, [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_nonce_that_has_grown_old_is_replaced() {
    let mut world = world(3, "secret", true);
    let (a, _) = establish(&mut world);
    world.run_for(Duration::from_secs(90));
    world.on(A, |endpoint, now| endpoint.bye(a, None, now));
    world.run_until(B, |event| matches!(event, E::Ended { .. }));
    let byes = sent(&mut world, A, &Method::Bye);
    assert_eq!(byes.len(), 2);
    assert_ne!(answer_in(byes[0]).unwrap().nonce, answer_in(byes[1]).unwrap().nonce);
    let stale = |message: &&Message| message.headers.get("WWW-Authenticate").is_some_and(|v| v.contains("stale=true"));
    assert_eq!(world.node(B).messages.iter().filter(stale).count(), 1);
}

#[test]
fn a_wrong_password_is_tried_once_and_counted() {
    let mut world = world(4, "guess", false);
    world.invite(A, B);
    let failed = world.run_until(A, |event| matches!(event, E::Failed { .. }));
    assert!(matches!(failed, E::Failed { code: 401, .. }), "{failed:?}");
    assert_eq!(sent(&mut world, A, &Method::Invite).len(), 2);
    assert!(world.node(B).events.is_empty(), "nothing of it is heard above");
    assert_eq!(world.node(B).dropped, ["wrong credentials from 192.0.2.1, 1 in all"]);
    world.run_to_silence();
    world.assert_empty();
}

#[test]
fn whatever_is_wrong_a_stranger_gets_the_same_answer() {
    let mut answers = Vec::new();
    for (header, value) in [
        ("Subject", "no credentials at all"),
        (
            "Authorization",
            "Digest username=\"acct\", realm=\"carrier.example\", nonce=\"1\", uri=\"x\", response=\"0\"",
        ),
        (
            "Authorization",
            "Digest username=\"nobody\", realm=\"carrier.example\", nonce=\"1\", uri=\"x\", response=\"0\"",
        ),
        ("Authorization", "nonsense"),
        ("Replaces", "nosuch@call;to-tag=1;from-tag=2"),
        ("Require", "unheard-of"),
        ("Content-Type", "text/plain"),
    ] {
        let mut world = World::new(5, PERFECT);
        let guard = Guard { peer: vec![(address(PEER).ip(), 32)], credentials: credentials("secret"), within: false };
        world.add(A, EndpointConfig { guards: vec![guard], ..EndpointConfig::default() });
        let mut peer = Peer { cseq: 0, to_tag: String::new() };
        let invite = peer.request("INVITE", &[(header, value)], "");
        world.inject(PEER, A, &invite);
        let answer = last(&world).clone();
        let names: Vec<String> = answer.headers.iter().map(|(name, _)| name.to_owned()).collect();
        answers.push((answer.code(), names, answer.headers.get_all("WWW-Authenticate").count()));
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0] && answer.0 == Some(401) && answer.2 == 2),
        "{answers:?}"
    );
}

#[test]
fn a_caller_who_gives_up_meanwhile_is_not_called_again() {
    let mut world = world(6, "secret", false);
    let a = world.invite(A, PEER);
    world.on(A, |endpoint, now| endpoint.cancel(a, None, now));
    answer(&mut world, 401, &[("WWW-Authenticate", "Digest realm=\"carrier.example\", nonce=\"n\"")]);
    assert!(matches!(world.run_until(A, |event| matches!(event, E::Failed { .. })), E::Failed { code: 401, .. }));
    assert_eq!(sent(&mut world, A, &Method::Invite).len(), 1);
}

#[test]
fn a_proxy_and_the_peer_behind_it_both_get_their_answer_byte_by_byte() {
    let mut world = world(7, "secret", false);
    world.invite(A, PEER);
    let ask = "Digest realm=\"carrier.example\", nonce=\"n\", opaque=\"o\", algorithm=MD5, qop=\"auth\"";
    answer(&mut world, 407, &[("Proxy-Authenticate", ask)]);
    answer_last_invite(&mut world, 401, &[("WWW-Authenticate", "Digest realm=\"carrier.example\", nonce=\"m\"")]);
    let invite = last_invite(&world).clone();
    assert_eq!(
        invite.headers.get("Authorization"),
        Some(
            "Digest username=\"acct\", realm=\"carrier.example\", nonce=\"m\", \
             uri=\"sip:+442079460000@198.51.100.20:5060\", response=\"0f3e8dc85785961cc2b6d7ac36193a0b\", algorithm=MD5"
        )
    );
    let proxy = DigestResponse::parse(invite.headers.get("Proxy-Authorization").unwrap()).unwrap();
    assert_eq!((proxy.nonce.as_str(), proxy.opaque.as_deref()), ("n", Some("o")));
    assert_eq!(proxy.counted.map(|(count, _)| count), Some(2), "the second time that this nonce is used");
    assert_eq!(invite.cseq().unwrap().number, 3);
}

#[test]
fn signs_of_life_are_asked_for_with_credentials_too() {
    let mut world = world(8, "secret", false);
    let flow = world.flow(A, PEER);
    world.on(A, |endpoint, now| endpoint.options(flow, uri("sip:trunk.example.net"), now));
    answer(&mut world, 401, &[("WWW-Authenticate", "Digest realm=\"carrier.example\", nonce=\"n\"")]);
    assert_eq!(last(&world).headers.get("CSeq"), Some("2 OPTIONS"));
    assert!(answer_in(last(&world)).is_some());
    answer(&mut world, 200, &[]);
    assert!(matches!(world.run_until(A, |event| matches!(event, E::Pong { .. })), E::Pong { code: Some(200), .. }));
}

#[test]
fn a_bad_network_and_challenges_for_everything_leave_nothing_behind() {
    for seed in 0..200 {
        let mut world = world(seed, "secret", true);
        world.network = Network { loss_percent: 10, delay_ms: (5, 200), twice_percent: 10 };
        let mut dice = IdSource::from_u64(seed);
        let a = world.invite(A, B);
        world.run_for(Duration::from_millis(dice.below(2_000)));
        if let Some(b) = world.take(B).iter().find_map(dialog_of) {
            let _ = world.on(B, |endpoint, now| endpoint.accept(b, local(30_000), &[], now));
        }
        world.run_for(Duration::from_millis(dice.below(5_000)));
        world.on(A, |endpoint, now| endpoint.reinvite(a, local(20_002), now));
        world.run_for(Duration::from_millis(dice.below(80_000)));
        world.on(A, |endpoint, now| endpoint.bye(a, None, now));
        world.run_to_silence();
        world.assert_empty();
        let ends = world.node(A).events.iter().filter(|event| is_terminal(event)).count();
        assert_eq!(ends, 1, "seed {seed}: {:?}", world.node(A).events);
    }
}

fn last_invite(world: &World) -> &Message {
    let mut invites = world.outside.iter().map(|(_, message)| message).filter(|m| m.method() == Some(&Method::Invite));
    invites.next_back().expect("an INVITE")
}

fn answer_last_invite(world: &mut World, code: u16, extra: &[(&str, &str)]) {
    let mut response = last_invite(world).response_to(code, "", Some("tr-1"));
    for (name, value) in extra {
        response.headers.push(name, *value);
    }
    world.inject(PEER, A, &response.to_bytes());
}
