//! What callers hear before they are answered, where their trunk takes early media.

use crate::support::{heard, judge, ring, scenario};
use core::time::Duration;
use phone::{Answer, Arrival};
use sim::{BOT_TONE, CALLER_TONE, Do, Setup, TRUNK, World};

/// A bot that speaks at once and answers after two seconds.
fn early_bot() -> Setup {
    let bot = Arrival::Early(Answer::After(Duration::from_secs(2)));
    Setup { bot, early_media: true, ..Setup::default() }
}

fn call(setup: &Setup) -> World {
    let mut world = World::new(setup);
    world.at(0, Do::Dial("7001")).at(6_000, Do::HangUp(TRUNK));
    world
}

#[test]
fn a_caller_hears_the_bot_before_it_answers_and_goes_on_hearing_it() {
    let mut world = call(&early_bot());
    scenario("early_media", &mut world, 40_000);
    heard(&world, TRUNK, 300, 5_950, &[BOT_TONE]);
    heard(&world, sim::BOT, 2_500, 5_950, &[CALLER_TONE]);
    let measured = world.phones[TRUNK].media.measured();
    assert_eq!((measured.sources.len(), measured.timestamp_faults), (1, 0), "one stream from the first packet on");
}

#[test]
fn a_trunk_that_does_not_ask_for_early_media_gets_none() {
    let mut world = call(&Setup { early_media: false, ..early_bot() });
    world.run_until(40_000);
    judge("no early media", &world);
    let first = world.phones[TRUNK].media.measured().first.expect("answered in the end");
    assert!(first >= call_model::Instant::from_millis(2_000), "{first:?}\n{}", world.ladder());
    heard(&world, TRUNK, 2_300, 5_950, &[BOT_TONE]);
}

#[test]
fn a_bot_that_only_rings_makes_the_caller_hear_its_own_network() {
    let bot = ring(Answer::After(Duration::from_secs(2)));
    let mut world = call(&Setup { bot, ..early_bot() });
    world.run_until(40_000);
    judge("only ringing", &world);
    assert!(!world.ladder().contains("183"), "{}", world.ladder());
}

#[test]
fn a_bot_that_speaks_early_and_then_refuses_ends_the_call_with_its_refusal() {
    let bot = Arrival::Early(Answer::Refuse(Duration::from_secs(1), 486));
    let mut world = call(&Setup { bot, ..early_bot() });
    scenario("early_media_refused", &mut world, 40_000);
}

#[test]
fn a_caller_who_gives_up_while_it_hears_early_media_leaves_nothing_behind() {
    let mut world = World::new(&early_bot());
    world.at(0, Do::Dial("7001")).at(1_000, Do::HangUp(TRUNK));
    world.run_until(40_000);
    judge("given up", &world);
}

#[test]
fn everything_works_where_provisional_responses_are_acknowledged() {
    let setup = Setup { reliable: vec![TRUNK, sim::BOT], ..early_bot() };
    let mut world = call(&setup);
    world.run_until(40_000);
    judge("reliable", &world);
    heard(&world, TRUNK, 400, 5_950, &[BOT_TONE]);
}
