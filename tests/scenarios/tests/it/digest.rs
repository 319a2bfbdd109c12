//! Peers that ask who we are, and peers whom we ask.

use crate::support::{asks_for_a_human, heard, scenario, they_talk};
use call_core::{OnHumanGone, Release};
use call_model::Direction;
use phone::{OnRefer, PhoneEvent};
use sim::{BOT, BOT_TONE, DESK, Do, Setup, TRUNK, World};

/// Bot and desk ask at every INVITE; the human gets the caller all the same.
#[test]
fn bot_and_desk_ask_who_we_are() {
    let mut world = asks_for_a_human(&Setup { asking: vec![BOT, DESK], ..Setup::default() });
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
    scenario("bot_and_desk_ask_who_we_are", &mut world, 60_000);
    heard(&world, TRUNK, 600, 8_050, &[BOT_TONE]);
    they_talk(&world, 8_200, 11_950);
}

#[test]
fn a_desk_that_does_not_know_us_is_a_desk_that_refuses() {
    let mut world = asks_for_a_human(&Setup { asking: vec![DESK], wrong_password: true, desks: 2, ..Setup::default() });
    world.at(8_000, Do::Press(sim::DESK2, '1')).at(12_000, Do::HangUp(TRUNK));
    scenario("desk_refuses_our_password", &mut world, 60_000);
    heard(&world, TRUNK, 8_200, 11_950, &[sim::DESK2_TONE]);
}

/// REFER, and the BYE after it, are sent again with credentials.
#[test]
fn a_trunk_that_asks_follows_the_release() {
    let setup = Setup { release: Release::Auto, on_refer: OnRefer::Follow, asking: vec![TRUNK], ..Setup::default() };
    let mut world = asks_for_a_human(&setup);
    world.at(8_000, Do::Press(DESK, '1')).at(60_000, Do::HangUp(TRUNK));
    scenario("release_challenged_401", &mut world, 110_000);
    they_talk(&world, 8_200, 11_050);
    they_talk(&world, 11_300, 59_950);
}

#[test]
fn a_trunk_that_asks_and_does_not_like_the_answer_keeps_both_in_our_hands() {
    let setup = Setup {
        release: Release::Refer,
        on_refer: OnRefer::Follow,
        asking: vec![TRUNK],
        wrong_password: true,
        ..Setup::default()
    };
    let mut world = asks_for_a_human(&setup);
    world.at(8_000, Do::Press(DESK, '1')).at(60_000, Do::HangUp(TRUNK));
    scenario("release_challenged_in_vain", &mut world, 110_000);
    they_talk(&world, 8_200, 59_950);
}

#[test]
fn the_human_goes_and_a_bot_that_asks_is_called_again() {
    let setup = Setup { asking: vec![BOT], on_human_gone: OnHumanGone::Bot, ..Setup::default() };
    let mut world = asks_for_a_human(&setup);
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(DESK)).at(18_000, Do::HangUp(TRUNK));
    scenario("human_gone_and_the_bot_asks", &mut world, 60_000);
    heard(&world, TRUNK, 12_700, 17_950, &[BOT_TONE]);
}

/// Each new call is asked; hold within it is not.
#[test]
fn a_caller_on_a_trunk_that_we_ask_has_to_say_who_it_is() {
    let mut world = asks_for_a_human(&Setup { trunk_is_asked: true, ..Setup::default() });
    world
        .at(5_000, Do::Hold(TRUNK, Direction::SendOnly))
        .at(6_000, Do::Hold(TRUNK, Direction::SendRecv))
        .at(8_000, Do::Press(DESK, '1'))
        .at(12_000, Do::HangUp(TRUNK));
    scenario("trunk_has_to_say_who_it_is", &mut world, 60_000);
    they_talk(&world, 8_200, 11_950);
}

#[test]
fn a_caller_who_cannot_say_who_it_is_makes_no_call() {
    let stranger = Setup { desks_may_call: true, trunk_is_asked: true, ..Setup::default() };
    let mut world = World::new(&stranger);
    world.at(0, Do::DialFrom(DESK, "7001"));
    scenario("caller_cannot_say_who_it_is", &mut world, 45_000);
    assert!(world.events().iter().any(|(_, party, event)| *party == DESK && *event == PhoneEvent::Failed(401)));
    assert!(!world.ladder().contains("call from"));
}
