//! To whom a caller goes: language, seniority, turns. Judged on whom the caller hears.

use crate::support::{asks_for_a_human, heard, scenario};
use call_core::{Order, Release};
use call_model::FactKind;
use sim::{CALLER_TONE, DESK, DESK_TONE, DESK2, DESK2_TONE, Do, Setup, TRUNK, World};

fn two_desks() -> Setup {
    Setup { release: Release::Stay, desks: 2, ..Setup::default() }
}

/// Both humans press 1 should they be rung.
fn taken(mut world: World) -> World {
    world.at(8_000, Do::Press(DESK, '1')).at(8_000, Do::Press(DESK2, '1')).at(12_000, Do::HangUp(TRUNK));
    world
}

fn second_desk_talks(world: &World) {
    heard(world, TRUNK, 8_250, 11_950, &[DESK2_TONE]);
    heard(world, DESK2, 8_250, 11_950, &[CALLER_TONE]);
}

#[test]
fn a_caller_gets_the_desk_that_speaks_their_language() {
    let mut world = taken(asks_for_a_human(&Setup { languages: [Some("en"), Some("es")], ..two_desks() }));
    world.at(1_000, Do::Fact(FactKind::Entity { name: "language".to_owned(), value: "es-MX".to_owned() }));
    scenario("chosen_for_the_language", &mut world, 60_000);
    second_desk_talks(&world);
}

#[test]
fn a_caller_who_needs_experience_gets_the_senior_desk() {
    let setup = Setup { seniority: [0, 5], stream_bot: true, ..two_desks() };
    let mut world = taken(World::new(&setup));
    let said = FactKind::Turn {
        speaker: call_model::Speaker::Caller,
        text: "There is a fire, this is an emergency".to_owned(),
        confidence: None,
    };
    world.at(0, Do::Dial("7001")).at(3_000, Do::Fact(said));
    scenario("chosen_for_the_seniority", &mut world, 60_000);
    second_desk_talks(&world);
}

#[test]
fn equal_desks_take_turns() {
    let mut world = World::new(&Setup { order: Order::LongestIdle, equals: true, ..two_desks() });
    for call in [0, 20_000, 40_000] {
        world.at(call, Do::Dial("7001")).at(call + 3_000, Do::Press(TRUNK, '0'));
        world.at(call + 8_000, Do::Press(DESK, '1')).at(call + 8_000, Do::Press(DESK2, '1'));
        world.at(call + 12_000, Do::HangUp(TRUNK));
    }
    world.run_until(100_000);
    assert!(world.broken().is_empty() && world.switchboard.is_idle(), "{:?}\n{}", world.broken(), world.ladder());
    heard(&world, TRUNK, 8_250, 11_950, &[DESK_TONE]);
    heard(&world, TRUNK, 28_250, 31_950, &[DESK2_TONE]);
    heard(&world, TRUNK, 48_250, 51_950, &[DESK_TONE]);
}
