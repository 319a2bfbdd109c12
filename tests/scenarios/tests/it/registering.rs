//! We register at a trunk, and desks' telephones register here.

use crate::support::{asks_for_a_human, ring, scenario};
use call_model::TraceKind;
use core::time::Duration;
use phone::Answer;
use sim::{CALLER2, DESK, DESK2, Do, GATEWAY, Setup, TRUNK, World};

fn notes(world: &World) -> Vec<String> {
    let note = |kind: &TraceKind| if let TraceKind::Note { text, .. } = kind { Some(text.clone()) } else { None };
    world.trace().iter().filter(|event| event.call.is_none()).filter_map(|event| note(&event.kind)).collect()
}

#[test]
fn a_trunk_is_registered_at_refreshed_called_by_and_left() {
    let setup = Setup { registers: Some(600), ..Setup::default() };
    let mut world = World::new(&setup);
    // The registrar sends calls to our contact.
    world.at(2_000, Do::DialFor("gateway", "7001")).at(6_000, Do::HangUp(TRUNK)).at(400_000, Do::Drain);
    scenario("registered_trunk", &mut world, 410_000);
    let registered = "trunk trunk: registered, for 600 s";
    assert_eq!(notes(&world), [registered, "trunk trunk: no longer registered"]);
}

#[test]
fn a_trunk_that_does_not_know_our_password_is_asked_less_and_less() {
    let setup = Setup { registers: Some(600), wrong_password: true, ..Setup::default() };
    let mut world = World::new(&setup);
    world.run_until(3_600_000);
    let notes = notes(&world);
    assert!((5..=9).contains(&notes.len()), "{notes:#?}");
    let why = "trunk trunk: not registered: 401 Unauthorized: the password of gateway is not the one it knows; tried";
    assert!(notes.iter().all(|note| note.starts_with(why)), "{notes:#?}");
    let status = world.switchboard.registration("trunk").expect("it is to register").view;
    assert!(status.until.is_none() && status.next.is_some() && status.trouble.is_some(), "{status:?}");
}

#[test]
fn a_desk_whose_telephone_has_registered_is_called_where_it_did() {
    let setup = Setup { desks_register: true, ..Setup::default() };
    let mut world = asks_for_a_human(&setup);
    world.at(500, Do::Register(DESK, 3600)).at(7_000, Do::Press(DESK, '1')).at(14_000, Do::HangUp(TRUNK));
    scenario("registered_desk", &mut world, 60_000);
}

#[test]
fn a_desk_that_is_not_registered_is_passed_over_and_the_decision_says_so() {
    let setup = Setup { desks: 2, desks_register: true, ..Setup::default() };
    let mut world = asks_for_a_human(&setup);
    world.at(500, Do::Register(DESK, 3600)).at(600, Do::Register(DESK2, 3600)).at(2_000, Do::SignOff(DESK));
    world.at(8_000, Do::Press(DESK2, '1')).at(14_000, Do::HangUp(TRUNK));
    scenario("unregistered_desk_is_passed_over", &mut world, 60_000);
}

#[test]
fn a_telephone_that_signs_off_while_it_talks_talks_on() {
    let setup = Setup { desks_register: true, ..Setup::default() };
    let mut world = asks_for_a_human(&setup);
    world.at(500, Do::Register(DESK, 3600)).at(7_000, Do::Press(DESK, '1')).at(10_000, Do::SignOff(DESK));
    world.at(14_000, Do::DialFrom(CALLER2, "7002")).at(17_000, Do::Press(CALLER2, '0'));
    world.at(20_000, Do::HangUp(CALLER2)).at(24_000, Do::HangUp(TRUNK));
    scenario("desk_signs_off_while_it_talks", &mut world, 80_000);
}

#[test]
fn a_registration_that_runs_out_takes_the_desk_along() {
    let setup =
        Setup { desks_register: true, desk: [ring(Answer::After(Duration::from_secs(1))); 2], ..Setup::default() };
    let mut world = World::new(&setup);
    world.at(500, Do::Register(DESK, 60)).at(2_000, Do::Stop { party: DESK, loud: false });
    world.run_until(70_000);
    let at = format!("at udp {}", "10.0.0.13:5060");
    assert_eq!(
        notes(&world),
        [
            format!("desk ada: a telephone is registered {at}"),
            format!("desk ada: no telephone {at} any more: its registration has run out; 0 left"),
        ]
    );
    assert_eq!(world.switchboard.telephones("ada").map(<[_]>::len), Some(0), "{GATEWAY}");
}
