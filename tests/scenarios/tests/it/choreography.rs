//! Who stays and who waits around a join, judged on the tones that each of the three hears.

use crate::support::{asks_for_a_human, heard, scenario};
use call_core::{Choreography, CoPilot, Introduce, Release};
use call_model::{BotCommand, BotUpdate, FactKind};
use phone::OnRefer;
use sim::{BOT, BOT_TONE, CALLER_TONE, Click, DESK, DESK_TONE, Do, MUSIC_TONE, Setup, TRUNK, World};

fn three_way() -> Setup {
    let choreography = Choreography { introduce: Introduce::ThreeWay, ..Choreography::default() };
    Setup { stream_bot: true, choreography, ..Setup::default() }
}

fn co_pilot(co_pilot: CoPilot) -> Setup {
    Setup { stream_bot: true, choreography: Choreography { co_pilot, ..Choreography::default() }, ..Setup::default() }
}

/// All three hear the other two.
fn all_talk(world: &World, from: u64, to: u64) {
    heard(world, TRUNK, from, to, &[BOT_TONE, DESK_TONE]);
    heard(world, DESK, from, to, &[CALLER_TONE, BOT_TONE]);
    heard(world, BOT, from, to, &[CALLER_TONE, DESK_TONE]);
}

fn two_talk(world: &World, from: u64, to: u64) {
    heard(world, TRUNK, from, to, &[DESK_TONE]);
    heard(world, DESK, from, to, &[CALLER_TONE]);
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

fn trace_has(world: &World, text: &str) -> bool {
    world.ladder().contains(text)
}

#[test]
fn the_bot_introduces_the_human_and_leaves() {
    let mut world = asks_for_a_human(&three_way());
    world.at(8_000, Do::Press(DESK, '1')).at(11_000, Do::Fact(FactKind::Introduced)).at(15_000, Do::HangUp(TRUNK));
    scenario("three_way_introduction", &mut world, 60_000);
    heard(&world, TRUNK, 500, 7_950, &[BOT_TONE]);
    heard(&world, BOT, 500, 2_950, &[CALLER_TONE]);
    all_talk(&world, 8_250, 10_950);
    two_talk(&world, 11_250, 14_950);
    let introduce = BotUpdate::Introduce { desk: "ada".to_owned(), display: "ada".to_owned() };
    assert_eq!(told(&world)[1..], [&introduce, &BotUpdate::HandoffAccepted]);
}

#[test]
fn an_introduction_that_takes_too_long_is_ended() {
    let mut world = asks_for_a_human(&three_way());
    world.at(8_000, Do::Press(DESK, '1')).at(22_000, Do::HangUp(TRUNK));
    scenario("three_way_introduction_takes_too_long", &mut world, 60_000);
    all_talk(&world, 8_250, 17_950);
    two_talk(&world, 18_300, 21_950);
}

#[test]
fn a_bot_that_goes_while_it_introduces_takes_nobody_along() {
    let mut world = asks_for_a_human(&three_way());
    world.at(8_000, Do::Press(DESK, '1')).at(10_000, Do::BotGone { finished: false }).at(14_000, Do::HangUp(TRUNK));
    scenario("three_way_introduction_bot_dies", &mut world, 60_000);
    all_talk(&world, 8_250, 9_950);
    two_talk(&world, 10_250, 13_950);
}

#[test]
fn a_human_who_goes_while_introduced_leaves_the_caller_with_the_bot() {
    let mut world = asks_for_a_human(&three_way());
    world.at(8_000, Do::Press(DESK, '1')).at(10_000, Do::HangUp(DESK)).at(14_000, Do::HangUp(TRUNK));
    scenario("three_way_introduction_human_goes", &mut world, 60_000);
    all_talk(&world, 8_250, 9_950);
    heard(&world, TRUNK, 10_250, 13_950, &[BOT_TONE]);
    heard(&world, BOT, 10_250, 13_950, &[CALLER_TONE]);
}

#[test]
fn a_sip_bot_introduces_as_well() {
    let mut world = asks_for_a_human(&Setup { stream_bot: false, ..three_way() });
    world.at(8_000, Do::Press(DESK, '1')).at(11_000, Do::HangUp(BOT)).at(15_000, Do::HangUp(TRUNK));
    scenario("three_way_introduction_by_a_sip_bot", &mut world, 60_000);
    all_talk(&world, 8_250, 10_950);
    two_talk(&world, 11_250, 14_950);
}

#[test]
fn we_leave_the_path_after_the_introduction_and_not_before() {
    let setup = Setup { release: Release::Refer, on_refer: OnRefer::Refuse(603), ..three_way() };
    let mut world = asks_for_a_human(&setup);
    world.at(8_000, Do::Press(DESK, '1')).at(14_000, Do::Fact(FactKind::Introduced)).at(18_000, Do::HangUp(TRUNK));
    scenario("three_way_introduction_before_release", &mut world, 60_000);
    all_talk(&world, 8_250, 13_950);
    two_talk(&world, 14_250, 17_950);
    let released = world
        .trace()
        .iter()
        .find(|event| matches!(&event.kind, call_model::TraceKind::Release { what, .. } if what == "REFER sent"));
    let at = released.expect("it is tried").at;
    assert!(at >= call_model::Instant::from_millis(14_000), "REFER at {at:?}");
}

#[test]
fn a_silent_co_pilot_hears_both_and_nobody_hears_it() {
    let mut world = asks_for_a_human(&Setup { release: Release::Refer, ..co_pilot(CoPilot::Silent) });
    world.at(8_000, Do::Press(DESK, '1')).at(20_000, Do::HangUp(TRUNK));
    scenario("co_pilot_silent", &mut world, 60_000);
    two_talk(&world, 8_250, 19_950);
    heard(&world, BOT, 8_250, 19_950, &[CALLER_TONE, DESK_TONE]);
    assert!(!trace_has(&world, "REFER"), "it needs us in the path");
    assert_eq!(told(&world)[1], &BotUpdate::CoPilot { desk: "ada".to_owned() });
}

#[test]
fn a_co_pilot_that_is_heard_is_heard_by_the_human_only() {
    let mut world = asks_for_a_human(&co_pilot(CoPilot::Heard));
    world.at(8_000, Do::Press(DESK, '1')).at(20_000, Do::HangUp(DESK)).at(24_000, Do::HangUp(TRUNK));
    scenario("co_pilot_heard", &mut world, 70_000);
    heard(&world, TRUNK, 8_250, 19_950, &[DESK_TONE]);
    heard(&world, DESK, 8_250, 19_950, &[CALLER_TONE, BOT_TONE]);
    heard(&world, BOT, 8_250, 19_950, &[CALLER_TONE, DESK_TONE]);
    heard(&world, TRUNK, 20_250, 23_950, &[BOT_TONE]);
}

#[test]
fn a_co_pilot_does_not_hear_the_music_of_a_human_who_holds() {
    let mut world = asks_for_a_human(&co_pilot(CoPilot::Silent));
    world
        .at(8_000, Do::Press(DESK, '1'))
        .at(11_000, Do::Hold(DESK, call_model::Direction::Inactive))
        .at(15_000, Do::HangUp(TRUNK));
    scenario("co_pilot_while_the_human_holds", &mut world, 60_000);
    heard(&world, TRUNK, 11_400, 14_950, &[MUSIC_TONE]);
    heard(&world, BOT, 11_400, 14_950, &[CALLER_TONE]);
}

#[test]
fn the_join_waits_until_the_announcement_was_played() {
    let mut world = asks_for_a_human(&Setup { stream_bot: true, ..Setup::default() });
    let mark = || Some("announced".to_owned());
    world
        .at(4_000, Do::Fact(FactKind::Announcement { mark: mark() }))
        .at(6_000, Do::BotSays(4_000, "announced"))
        .at(7_500, Do::Press(DESK, '1'))
        .at(14_000, Do::HangUp(TRUNK));
    scenario("announcement_is_played_first", &mut world, 60_000);
    heard(&world, TRUNK, 500, 9_950, &[BOT_TONE]);
    heard(&world, DESK, 7_700, 9_950, &[]);
    two_talk(&world, 10_250, 13_950);
}

#[test]
fn an_announcement_that_never_ends_delays_the_join_by_five_seconds() {
    let mut world = asks_for_a_human(&Setup { stream_bot: true, ..Setup::default() });
    world
        .at(4_000, Do::Fact(FactKind::Announcement { mark: Some("never".to_owned()) }))
        .at(7_500, Do::Press(DESK, '1'))
        .at(8_500, Do::Press(DESK, '1'))
        .at(16_000, Do::HangUp(TRUNK));
    scenario("announcement_never_ends", &mut world, 60_000);
    heard(&world, TRUNK, 500, 12_450, &[BOT_TONE]);
    two_talk(&world, 12_750, 15_950);
}

#[test]
fn a_bot_that_dies_in_its_announcement_holds_nobody_up() {
    let mut world = asks_for_a_human(&Setup { stream_bot: true, ..Setup::default() });
    world
        .at(4_000, Do::Fact(FactKind::Announcement { mark: Some("never".to_owned()) }))
        .at(7_500, Do::Press(DESK, '1'))
        .at(9_000, Do::BotGone { finished: false })
        .at(14_000, Do::HangUp(TRUNK));
    scenario("announcement_and_the_bot_dies", &mut world, 60_000);
    two_talk(&world, 9_250, 13_950);
}

#[test]
fn an_announcement_without_a_mark_lasts_as_long_as_the_bot_speaks() {
    let mut world = asks_for_a_human(&Setup::default());
    world
        .at(4_000, Do::Fact(FactKind::Announcement { mark: None }))
        .at(7_500, Do::Page(Click::Accept))
        .at(9_000, Do::Mute(BOT, true))
        .at(14_000, Do::HangUp(TRUNK));
    scenario("announcement_without_a_mark", &mut world, 60_000);
    heard(&world, DESK, 7_700, 9_600, &[]);
    two_talk(&world, 10_000, 13_950);
}

#[test]
fn an_announcement_that_was_played_before_the_human_came_holds_nobody_up() {
    let mut world = asks_for_a_human(&Setup { stream_bot: true, ..Setup::default() });
    world
        .at(4_000, Do::BotSays(100, "announced"))
        .at(5_000, Do::Fact(FactKind::Announcement { mark: Some("announced".to_owned()) }))
        .at(8_000, Do::Press(DESK, '1'))
        .at(12_000, Do::HangUp(TRUNK));
    scenario("announcement_was_played_before", &mut world, 60_000);
    two_talk(&world, 8_250, 11_950);
}
