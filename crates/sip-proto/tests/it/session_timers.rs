//! Session timers (RFC 4028): who refreshes, how, and what becomes of a session that nobody refreshes.

use crate::harness::peer::*;
use crate::harness::*;
use call_model::Direction;
use core::time::Duration;
use sip_proto::{DialogEvent as E, EndedBecause, EndpointConfig};
use sip_wire::{Message, Method};

const MINUTES: fn(u64) -> Duration = |minutes| Duration::from_secs(60 * minutes);

fn config(session_expires: u32) -> EndpointConfig {
    EndpointConfig { session_expires, ..EndpointConfig::default() }
}

fn between(a: EndpointConfig, b: EndpointConfig) -> World {
    let mut world = World::new(1, PERFECT);
    world.add(A, a);
    world.add(B, b);
    world
}

fn sent(world: &mut World, at: &str, method: &Method) -> Vec<Message> {
    world.node(at).messages.iter().filter(|message| message.method() == Some(method)).cloned().collect()
}

fn nothing_ended(world: &mut World) {
    for at in [A, B] {
        assert!(!world.node(at).events.iter().any(is_terminal), "{:?}", world.node(at).events);
    }
}

#[test]
fn a_long_call_is_refreshed_by_update_and_nobody_notices() {
    for (caller_asks, peer_refreshes, by) in [(600, false, A), (600, true, B), (0, false, "nobody")] {
        let mut world = between(EndpointConfig { peer_refreshes, ..config(caller_asks) }, config(0));
        establish(&mut world);
        world.take(A);
        world.run_for(MINUTES(21));
        nothing_ended(&mut world);
        for at in [A, B] {
            assert_eq!(world.take(at), [], "a refresh is no news");
            let updates = sent(&mut world, at, &Method::Update);
            assert_eq!(updates.len(), if at == by { 4 } else { 0 }, "{at}, when {by} refreshes");
            assert!(updates.iter().all(|update| update.body.is_empty()));
        }
    }
}

#[test]
fn the_headers_say_who_refreshes_byte_by_byte() {
    let mut world = between(config(1800), config(1800));
    let (a, _) = establish(&mut world);
    let invite = sent(&mut world, A, &Method::Invite).remove(0);
    assert_eq!(invite.headers.get("Session-Expires"), Some("1800;refresher=uac"));
    assert_eq!(invite.headers.get("Min-SE"), None, "90 goes without saying");
    assert!(invite.supports("timer"));
    let ok = |world: &mut World| {
        let mut answers = world.node(B).messages.iter().filter(|message| message.code() == Some(200));
        answers.next_back().cloned().expect("a 200")
    };
    let answer = ok(&mut world);
    assert_eq!(answer.headers.get("Session-Expires"), Some("1800;refresher=uac"));
    assert_eq!(answer.require(), ["timer"]);
    world.on(A, |endpoint, now| endpoint.reinvite(a, local(20_002), now));
    world.run_for(Duration::from_secs(1));
    assert_eq!(sent(&mut world, A, &Method::Invite)[1].headers.get("Session-Expires"), Some("1800;refresher=uac"));
    assert_eq!(ok(&mut world).headers.get("Session-Expires"), Some("1800;refresher=uac"));
}

#[test]
fn the_refresher_stays_the_same_whoever_speaks() {
    let mut world = between(config(600), config(0));
    let (_, b) = establish(&mut world);
    world.on(B, |endpoint, now| endpoint.reinvite(b, local(30_002), now));
    world.run_for(Duration::from_secs(1));
    let invite = sent(&mut world, B, &Method::Invite).remove(0);
    assert_eq!(invite.headers.get("Session-Expires"), Some("600;refresher=uas"));
    world.run_for(MINUTES(21));
    nothing_ended(&mut world);
    assert_eq!((sent(&mut world, A, &Method::Update).len(), sent(&mut world, B, &Method::Update).len()), (4, 0));
}

#[test]
fn a_peer_without_update_is_refreshed_by_the_same_sdp_again() {
    let mut world = World::new(2, PERFECT);
    let headers = [("Supported", "timer"), ("Session-Expires", "120;refresher=uas"), ("Allow", "INVITE, ACK, BYE")];
    let (_, dialog) = answered_by_hand(&mut world, &headers);
    let ok = world.node(A).messages.iter().find(|message| message.code() == Some(200)).cloned().expect("our 200");
    assert_eq!(ok.headers.get("Session-Expires"), Some("120;refresher=uas"));
    assert_eq!(ok.require(), [] as [&str; 0], "we refresh: nothing is required of the peer");
    world.take(A);
    world.run_for(Duration::from_secs(61));
    let refresh = last(&world).clone();
    assert_eq!(refresh.method(), Some(&Method::Invite));
    assert_eq!(refresh.headers.get("Session-Expires"), Some("120;refresher=uac"));
    assert_eq!(String::from_utf8_lossy(&refresh.body), String::from_utf8_lossy(&ok.body));
    let mut answer = refresh.response_to(200, "", Some("tr-1"));
    answer.headers.push("Contact", format!("<sip:{PEER}>"));
    answer.headers.push("Session-Expires", "120;refresher=uac");
    answer.headers.push("Content-Type", "application/sdp");
    answer.body = SDP.as_bytes().to_vec();
    world.inject(PEER, A, &answer.to_bytes());
    assert_eq!(last(&world).method(), Some(&Method::Ack));
    assert_eq!(world.take(A), [], "nothing has changed");
    // The next one is never answered: the dialog is dead.
    let ended = world.run_until(A, is_terminal);
    assert_eq!(ended, E::Ended { dialog, by_remote: false, reason: None, because: EndedBecause::Gone(408) });
}

#[test]
fn a_peer_that_was_to_refresh_and_does_not_is_hung_up_a_little_early() {
    for (asked, seconds) in [(90, 60), (150, 118)] {
        let mut world = World::new(3, PERFECT);
        let wish = format!("{asked};refresher=uac");
        let (mut peer, dialog) = answered_by_hand(&mut world, &[("Supported", "timer"), ("Session-Expires", &wish)]);
        // On hold nobody hears that it is dead.
        let hold = SDP.to_owned() + "a=sendonly\r\n";
        let headers = [("Content-Type", "application/sdp"), ("Supported", "timer"), ("Session-Expires", &*wish)];
        let reinvite = peer.request("INVITE", &headers, &hold);
        world.inject(PEER, A, &reinvite);
        peer.cseq -= 1;
        let ack = peer.request("ACK", &[], "");
        world.inject(PEER, A, &ack);
        assert!(
            matches!(world.take(A).as_slice(), [.., E::MediaChanged { media, .. }] if media.direction == Direction::RecvOnly)
        );
        let held = world.now;
        let ended = world.run_until(A, is_terminal);
        assert_eq!(ended, E::Ended { dialog, by_remote: false, reason: None, because: EndedBecause::Expired });
        assert_eq!(world.now.since(held), Duration::from_secs(seconds));
        let bye = last(&world);
        assert_eq!(bye.headers.get("Reason"), Some("SIP;cause=408;text=\"Session expired\""));
    }
}

#[test]
fn whoever_wants_shorter_sessions_than_we_is_told_so() {
    for supports in [true, false] {
        let mut world = World::new(4, PERFECT);
        let mut peer = Peer { cseq: 0, to_tag: String::new() };
        let supported = if supports { "timer" } else { "replaces" };
        let headers = [("Content-Type", "application/sdp"), ("Session-Expires", "60"), ("Supported", supported)];
        let invite = peer.request("INVITE", &headers, SDP);
        world.inject(PEER, A, &invite);
        let code = last(&world).code();
        assert_eq!(code, Some(if supports { 422 } else { 100 }), "only one that knows timers understands 422");
        assert_eq!(last(&world).headers.get("Min-SE"), supports.then_some("90"));
    }
}

#[test]
fn a_session_that_is_too_short_for_the_peer_is_asked_for_again() {
    let mut world = between(config(300), EndpointConfig { min_se: 900, ..config(1800) });
    establish(&mut world);
    let invites = sent(&mut world, A, &Method::Invite);
    let said = |invite: &Message| ["Session-Expires", "Min-SE"].map(|name| invite.headers.get(name).map(str::to_owned));
    assert_eq!(said(&invites[0]), [Some("300;refresher=uac".to_owned()), None]);
    assert_eq!(said(&invites[1]), [Some("900;refresher=uac".to_owned()), Some("900".to_owned())]);
    assert_eq!(invites[0].call_id(), invites[1].call_id());
    world.run_for(MINUTES(31));
    nothing_ended(&mut world);
}

#[test]
fn a_peer_that_is_never_content_is_not_asked_for_ever() {
    let mut world = World::new(5, PERFECT);
    let dialog = world.invite(A, PEER);
    for (attempt, least) in (1..).zip(["2000", "3000", "4000", "5000"]) {
        assert_eq!(sent(&mut world, A, &Method::Invite).len(), attempt);
        let invite = sent(&mut world, A, &Method::Invite).pop().expect("an INVITE");
        let mut answer = invite.response_to(422, "", Some("tr-1"));
        answer.headers.push("Min-SE", least);
        world.inject(PEER, A, &answer.to_bytes());
    }
    let failed = world.run_until(A, is_terminal);
    assert!(matches!(failed, E::Failed { dialog: of, code: 422, .. } if of == dialog), "{failed:?}");
}

#[test]
fn refreshes_survive_a_bad_network_and_hold_at_the_same_time() {
    for seed in 0..60 {
        let mut world = World::new(seed, Network { loss_percent: 20, delay_ms: (5, 300), twice_percent: 10 });
        world.add(A, config(90));
        world.add(B, config(90));
        let a = world.invite(A, B);
        let b = dialog_of(&world.run_until(B, |event| matches!(event, E::Incoming { .. }))).expect("a dialog");
        world.on(B, |endpoint, now| endpoint.accept(b, local(30_000), &[], now)).expect("a common codec");
        for minute in 0..10 {
            let more = world.roll(2_000);
            world.run_for(Duration::from_secs(44) + Duration::from_millis(more));
            world.on(A, |endpoint, now| endpoint.reinvite(a, local(20_002 + 2 * minute as u16), now));
            world.on(B, |endpoint, now| endpoint.reinvite(b, local(30_002 + 2 * minute as u16), now));
        }
        nothing_ended(&mut world);
        world.on(A, |endpoint, now| endpoint.bye(a, None, now));
        world.run_to_silence();
        world.assert_empty();
    }
}
