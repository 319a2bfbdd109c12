//! Callers who wait in line because no desk is free. Judged on what they hear, and on who gets the desk.

use crate::support::{asks_for_a_human, heard, ring, scenario};
use call_core::{Queueing, Release, WhileConsulting};
use call_model::{BotCommand, BotUpdate, DeskState, FactKind, HandoffOutcome, TraceKind};
use core::time::Duration;
use phone::Answer;
use sim::{
    BOT_LOST_TONE, BOT_TONE, CALLER_TONE, CALLER2, CALLER2_TONE, DESK, DESK_TONE, Do, MUSIC_TONE, PLACE_TONE, Setup,
    TRUNK, World,
};

fn queue(max_wait: u64) -> Setup {
    let queue = Some(Queueing { max_wait: Duration::from_secs(max_wait), max_length: 10 });
    Setup { release: Release::Stay, queue, ..Setup::default() }
}

/// The other caller has the only desk from the eighth second on; ours wants it from the twelfth.
fn taken(setup: &Setup) -> World {
    let mut world = World::new(setup);
    world.at(0, Do::DialFrom(CALLER2, "7002")).at(3_000, Do::Press(CALLER2, '0')).at(8_000, Do::Press(DESK, '1'));
    world.at(9_000, Do::Dial("7001")).at(12_000, Do::Press(TRUNK, '0'));
    world
}

fn outcomes(world: &World) -> Vec<HandoffOutcome> {
    let outcome = |event: &call_model::TraceEvent| match event.kind {
        TraceKind::HandoffEnded { outcome, .. } => Some(outcome),
        _ => None,
    };
    world.trace().iter().filter_map(outcome).collect()
}

/// How each wait ended.
fn waits(world: &World) -> Vec<&'static str> {
    let how = |event: &call_model::TraceEvent| match event.kind {
        TraceKind::Dequeued { how, .. } => Some(how),
        _ => None,
    };
    world.trace().iter().filter_map(how).collect()
}

fn told(world: &World) -> Vec<&BotUpdate> {
    let mut told = Vec::new();
    for (_, command) in world.told() {
        if let BotCommand::Tell(update) = command {
            told.push(update);
        }
    }
    told
}

/// From then on our caller and the human talk.
fn two_talk(world: &World, from: u64, to: u64) {
    heard(world, TRUNK, from, to, &[DESK_TONE]);
    heard(world, DESK, from, to, &[CALLER_TONE]);
}

#[test]
fn a_caller_waits_with_the_bot_and_gets_the_desk_when_it_is_free() {
    let mut world = taken(&queue(300));
    world.at(20_000, Do::HangUp(CALLER2)).at(25_000, Do::Press(DESK, '1')).at(30_000, Do::HangUp(TRUNK));
    scenario("waits_with_the_bot", &mut world, 90_000);
    heard(&world, DESK, 8_250, 19_950, &[CALLER2_TONE]);
    heard(&world, TRUNK, 9_500, 24_950, &[BOT_TONE]);
    two_talk(&world, 25_250, 29_950);
    assert_eq!((outcomes(&world), waits(&world)), (vec![HandoffOutcome::Joined; 2], vec!["offered"]));
}

#[test]
fn a_caller_who_waits_with_music_hears_at_which_place() {
    let mut world = taken(&Setup { while_consulting: WhileConsulting::Music, ..queue(300) });
    world.at(45_000, Do::HangUp(CALLER2)).at(50_000, Do::Press(DESK, '1')).at(54_000, Do::HangUp(TRUNK));
    scenario("waits_with_music", &mut world, 120_000);
    heard(&world, TRUNK, 14_000, 33_000, &[MUSIC_TONE]);
    heard(&world, TRUNK, 33_700, 34_200, &[PLACE_TONE]);
    heard(&world, TRUNK, 35_000, 44_950, &[MUSIC_TONE]);
    two_talk(&world, 50_250, 53_950);
}

#[test]
fn a_caller_for_whom_it_takes_too_long_is_the_bots_again() {
    let mut world = taken(&Setup { stream_bot: true, ..queue(10) });
    world.at(40_000, Do::HangUp(CALLER2)).at(41_000, Do::HangUp(TRUNK));
    scenario("waits_too_long", &mut world, 100_000);
    heard(&world, TRUNK, 9_500, 40_950, &[BOT_TONE]);
    assert_eq!(outcomes(&world), [HandoffOutcome::Joined, HandoffOutcome::NoTarget]);
    assert_eq!(waits(&world), ["too_long"]);
    assert!(told(&world).contains(&&BotUpdate::HandoffQueued { place: 1, wait: None }), "{:?}", told(&world));
    let failed = |update: &&BotUpdate| matches!(update, BotUpdate::HandoffFailed { outcome: "no_target", .. });
    assert!(told(&world).iter().any(failed), "{:?}", told(&world));
}

#[test]
fn a_caller_who_hangs_up_leaves_the_line_and_no_telephone_rings() {
    let mut world = taken(&queue(300));
    world.at(16_000, Do::HangUp(TRUNK)).at(20_000, Do::HangUp(CALLER2));
    scenario("waits_and_hangs_up", &mut world, 90_000);
    assert_eq!(waits(&world), ["caller_gone"]);
    assert_eq!(outcomes(&world), [HandoffOutcome::Joined, HandoffOutcome::CallerGone]);
    assert_eq!(world.invites(DESK).count(), 1, "only for the other caller");
}

#[test]
fn a_bot_that_needs_nobody_any_more_takes_the_caller_out_of_the_line() {
    let mut world = World::new(&queue(300));
    world.at(0, Do::State("ada", DeskState::Busy)).at(100, Do::Dial("7001")).at(3_000, Do::Press(TRUNK, '0'));
    world.at(10_000, Do::Fact(FactKind::Withdrawn)).at(12_000, Do::State("ada", DeskState::Available));
    world.at(16_000, Do::HangUp(TRUNK));
    scenario("waits_and_the_bot_goes_on", &mut world, 90_000);
    heard(&world, TRUNK, 500, 15_950, &[BOT_TONE]);
    assert_eq!((waits(&world), world.invites(DESK).count()), (vec!["withdrawn"], 0));
    assert_eq!(outcomes(&world), [HandoffOutcome::NoTarget]);
}

#[test]
fn a_handoff_that_is_withdrawn_stops_the_ringing() {
    let mut world = asks_for_a_human(&queue(300));
    world.at(5_500, Do::Fact(FactKind::Withdrawn)).at(12_000, Do::HangUp(TRUNK));
    scenario("withdrawn_while_a_desk_rings", &mut world, 90_000);
    heard(&world, TRUNK, 500, 11_950, &[BOT_TONE]);
    assert_eq!(outcomes(&world), [HandoffOutcome::NoAnswer]);
}

#[test]
fn a_human_who_comes_back_is_offered_who_waits() {
    let mut world = World::new(&queue(300));
    world.at(0, Do::State("ada", DeskState::Busy)).at(100, Do::Dial("7001")).at(3_000, Do::Press(TRUNK, '0'));
    world.at(12_000, Do::State("ada", DeskState::Available)).at(17_000, Do::Press(DESK, '1'));
    world.at(21_000, Do::HangUp(TRUNK));
    scenario("waits_for_a_human_who_is_busy", &mut world, 90_000);
    two_talk(&world, 17_250, 20_950);
}

#[test]
fn where_nobody_is_there_nobody_waits() {
    let mut world = World::new(&queue(300));
    world.at(0, Do::State("ada", DeskState::Away)).at(100, Do::Dial("7001")).at(3_000, Do::Press(TRUNK, '0'));
    world.at(12_000, Do::HangUp(TRUNK));
    scenario("waits_for_nobody", &mut world, 90_000);
    assert_eq!((outcomes(&world), waits(&world).len()), (vec![HandoffOutcome::NoTarget], 0));
    heard(&world, TRUNK, 500, 11_950, &[BOT_TONE]);
}

#[test]
fn a_caller_is_the_bots_again_when_nobody_is_left_to_wait_for() {
    let mut world = World::new(&queue(300));
    world.at(0, Do::State("ada", DeskState::Busy)).at(100, Do::Dial("7001")).at(3_000, Do::Press(TRUNK, '0'));
    // Gone for a moment, and then for good.
    world.at(14_000, Do::State("ada", DeskState::Away)).at(27_000, Do::State("ada", DeskState::Busy));
    world.at(36_000, Do::State("ada", DeskState::Away)).at(100_000, Do::HangUp(TRUNK));
    scenario("waits_and_nobody_is_left", &mut world, 160_000);
    assert_eq!((outcomes(&world), waits(&world)), (vec![HandoffOutcome::NoTarget], vec!["nobody_left"]));
    heard(&world, TRUNK, 500, 99_950, &[BOT_TONE]);
}

#[test]
fn a_desk_that_did_not_answer_is_asked_again_and_one_that_declined_is_not() {
    let timers = call_core::Timers { ring_timeout: Duration::from_secs(6), ..Default::default() };
    let mut world = asks_for_a_human(&Setup { timers, desk: [ring(Answer::Never); 2], ..queue(300) });
    world.at(20_000, Do::Arrival(DESK, ring(Answer::After(Duration::from_secs(2)))));
    world.at(46_000, Do::Decline("I am busy")).at(52_000, Do::HangUp(TRUNK));
    scenario("waits_and_is_declined", &mut world, 120_000);
    assert_eq!(world.invites(DESK).count(), 2, "after half a minute once more, and after the no not again");
    assert_eq!((outcomes(&world), waits(&world)), (vec![HandoffOutcome::Declined], vec!["offered"]));
    heard(&world, TRUNK, 500, 51_950, &[BOT_TONE]);
}

#[test]
fn a_caller_whose_bot_dies_while_they_wait_goes_on_waiting() {
    let mut world = taken(&Setup { stream_bot: true, ..queue(300) });
    // The first stream is the other caller's, and gone by then.
    world.at(15_000, Do::BotGone { finished: false }).at(22_000, Do::HangUp(CALLER2));
    world.at(27_000, Do::Press(DESK, '1')).at(31_000, Do::HangUp(TRUNK));
    scenario("waits_and_the_bot_dies", &mut world, 100_000);
    heard(&world, TRUNK, 15_200, 15_700, &[BOT_LOST_TONE]);
    heard(&world, TRUNK, 16_500, 21_950, &[MUSIC_TONE]);
    two_talk(&world, 27_250, 30_950);
}

#[test]
fn who_is_in_a_hurry_goes_first() {
    // Both wait for a human who is busy; the second is an emergency.
    let mut world = World::new(&Setup { stream_bot: true, ..queue(300) });
    world.at(0, Do::State("ada", DeskState::Busy)).at(100, Do::DialFrom(CALLER2, "7002"));
    world.at(3_000, Do::Press(CALLER2, '0')).at(6_000, Do::Dial("7001")).at(9_000, Do::Press(TRUNK, '0'));
    world.run_until(12_000);
    let ours = world.switchboard.waiting(world.now()).last().map(|last| last.call).expect("two wait");
    let said = FactKind::Turn {
        speaker: call_model::Speaker::Caller,
        text: "There is a fire, this is an emergency".to_owned(),
        confidence: None,
    };
    let now = world.now();
    world.switchboard.handle_fact(ours, said, now);
    world.at(13_000, Do::State("ada", DeskState::Available)).at(19_000, Do::Press(DESK, '1'));
    world.at(23_000, Do::HangUp(TRUNK)).at(29_000, Do::Press(DESK, '1')).at(33_000, Do::HangUp(CALLER2));
    scenario("waits_behind_an_emergency", &mut world, 100_000);
    two_talk(&world, 19_250, 22_950);
    heard(&world, CALLER2, 29_250, 32_950, &[DESK_TONE]);
}
