//! Provisional responses that are acknowledged (RFC 3262), and calls without an offer.

use crate::support::{asks_for_a_human, heard, scenario};
use phone::PhoneEvent;
use sim::{BOT, BOT_TONE, CALLER_TONE, DESK, DESK_TONE, Do, Setup, TRUNK, World};

fn handed_over(name: &str, setup: &Setup, mishap: impl FnOnce(&mut World)) {
    let mut world = asks_for_a_human(setup);
    mishap(&mut world);
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
    scenario(name, &mut world, 60_000);
    heard(&world, TRUNK, 2_000, 3_950, &[BOT_TONE]);
    heard(&world, TRUNK, 8_200, 11_950, &[DESK_TONE]);
    heard(&world, DESK, 8_200, 11_950, &[CALLER_TONE]);
}

#[test]
fn everybody_wants_ringing_acknowledged() {
    let setup = Setup { reliable: vec![TRUNK, BOT, DESK], ..Setup::default() };
    handed_over("ringing_is_acknowledged", &setup, |_| ());
}

/// The trunk's first two acknowledgements are lost, and the desk's first ringing.
#[test]
fn ringing_is_sent_again_until_it_is_acknowledged() {
    let setup = Setup { reliable: vec![TRUNK, DESK], ..Setup::default() };
    handed_over("ringing_is_acknowledged_late", &setup, |world| {
        world.at(0, Do::Lose(TRUNK, "PRACK", 2)).at(0, Do::Lose(DESK, "SIP/2.0 180", 1));
    });
}

/// The offer is ours to make, in the very first thing we say; the trunk answers it in PRACK.
#[test]
fn a_trunk_without_an_offer_gets_one_with_the_ringing() {
    let setup = Setup { reliable: vec![TRUNK], late_offer: true, ..Setup::default() };
    handed_over("late_offer_answered_in_prack", &setup, |_| ());
}

#[test]
fn a_trunk_without_an_offer_gets_one_with_the_answer() {
    let setup = Setup { late_offer: true, ..Setup::default() };
    handed_over("late_offer_answered_in_ack", &setup, |_| ());
}

/// Without the answer in PRACK there is nothing to talk with: the call is refused after 64*T1, and the bot let go.
#[test]
fn a_trunk_that_never_acknowledges_is_refused() {
    let mut world = World::new(&Setup { reliable: vec![TRUNK], late_offer: true, ..Setup::default() });
    world.at(0, Do::Dial("7001")).at(0, Do::Lose(TRUNK, "PRACK", 100));
    scenario("ringing_never_acknowledged", &mut world, 100_000);
    let failed = |event: &PhoneEvent| *event == PhoneEvent::Failed(504);
    assert!(world.events().iter().any(|(_, party, event)| *party == TRUNK && failed(event)), "{}", world.ladder());
}
