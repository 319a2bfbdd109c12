//! `Session-ID` (RFC 7989): both halves in everything that is said within a dialog.

use crate::harness::peer::*;
use crate::harness::*;
use core::time::Duration;
use sip_proto::DialogEvent as E;
use sip_wire::{Message, Method};

const CALLER: &str = "ab30317f1a784dc48ff824d0d3715d86";
const OTHER: &str = "47755a9de7794ba387653f2099600ef2";
const NIL: &str = "00000000000000000000000000000000";

fn said(message: &Message) -> &str {
    message.headers.get("Session-ID").unwrap_or_default()
}

#[test]
fn both_halves_are_in_every_message_of_both_sides() {
    let mut world = World::new(1, PERFECT);
    let a = world.invite(A, B);
    let b = dialog_of(&world.run_until(B, |event| matches!(event, E::Incoming { .. }))).expect("a dialog");
    world.on(B, |endpoint, now| endpoint.ring(b, 180, now));
    world.run_for(Duration::from_millis(50));
    world.on(B, |endpoint, now| endpoint.accept(b, local(30_000), &[], now)).expect("a common codec");
    world.run_until(B, |event| matches!(event, E::Confirmed { .. }));
    world.on(A, |endpoint, now| endpoint.request(a, Method::Info, &[], None, now));
    world.run_for(Duration::from_secs(1));
    world.on(B, |endpoint, now| endpoint.bye(b, None, now));
    world.run_for(Duration::from_secs(1));
    let own = world.node(B).messages[0].session_id().expect("the half of B");
    assert_ne!(own, CALLER);
    let (ours, theirs) = (format!("{CALLER};remote={own}"), format!("{own};remote={CALLER}"));
    let sent =
        |world: &mut World, at: &str| world.node(at).messages.iter().map(|m| said(m).to_owned()).collect::<Vec<_>>();
    assert_eq!(sent(&mut world, A), [CALLER, &ours, &ours, &ours], "INVITE, ACK, INFO, 200");
    assert_eq!(sent(&mut world, B), [&*theirs; 5], "100, 180, 200, 200 (INFO), BYE");
}

#[test]
fn the_other_half_follows_the_peer_and_what_is_no_identifier_is_not_believed() {
    let mut world = World::new(1, PERFECT);
    let (mut peer, _) = answered_by_hand(&mut world, &[("Session-ID", CALLER)]);
    let own = last(&world).session_id().expect("our half");
    for (sent, known) in [
        (OTHER, OTHER),
        ("", OTHER),
        (NIL, OTHER),
        ("47755A9DE7794BA387653F2099600EF2", OTHER),
        ("47755a9d\";x=\"", OTHER),
        (&*format!("{CALLER};remote={own}"), CALLER),
    ] {
        let request = peer.request("OPTIONS", &[("Session-ID", sent)], "");
        world.inject(PEER, A, &request);
        assert_eq!(said(last(&world)), format!("{own};remote={known}"), "after {sent}");
    }
}

#[test]
fn whoever_does_not_speak_of_it_hears_nothing_of_it() {
    let mut world = World::new(1, PERFECT);
    answered_by_hand(&mut world, &[]);
    assert!(world.outside.iter().all(|(_, message)| !message.headers.contains("Session-ID")));
}

#[test]
fn cancel_and_the_ack_of_a_refusal_carry_it() {
    let mut world = World::new(1, PERFECT);
    let request = invite_request(world.flow(A, PEER), local(20_000));
    let dialog = world.on(A, |endpoint, now| endpoint.invite(request, now));
    let invite = last(&world).clone();
    world.inject(PEER, A, &invite.response_to(180, "", Some("tr-1")).to_bytes());
    world.on(A, |endpoint, now| endpoint.cancel(dialog, None, now));
    assert_eq!((last(&world).method(), last(&world).session_id().as_deref()), (Some(&Method::Cancel), Some(CALLER)));
    world.inject(PEER, A, &invite.response_to(487, "", Some("tr-1")).to_bytes());
    assert_eq!((last(&world).method(), last(&world).session_id().as_deref()), (Some(&Method::Ack), Some(CALLER)));
}
