//! What the human does with the caller on the page: hold, mute, keys, pass on, end, and time to write it down. Judged on
//! what each of them hears.

use crate::support::{asks_for_a_human, heard, scenario};
use call_core::{DeskRefused, Release};
use call_model::{DeskAction, DeskId, DeskState, HandoffId, Instant, PopUpdate};
use core::time::Duration;
use phone::OnRefer;
use sim::{BOT_TONE, CALLER_TONE, DESK, DESK_TONE, DESK2, DESK2_TONE, Do, Party, Setup, TRUNK, World};

/// A human has the caller from the eighth second on.
fn joined(setup: &Setup) -> World {
    let mut world = asks_for_a_human(setup);
    world.at(8_000, Do::Press(DESK, '1'));
    world
}

fn hold(handoff: HandoffId) -> DeskAction {
    DeskAction::Hold { handoff, on: true }
}

fn resume(handoff: HandoffId) -> DeskAction {
    DeskAction::Hold { handoff, on: false }
}

fn mute(handoff: HandoffId) -> DeskAction {
    DeskAction::Mute { handoff, on: true }
}

fn unmute(handoff: HandoffId) -> DeskAction {
    DeskAction::Mute { handoff, on: false }
}

fn to_anybody(handoff: HandoffId) -> DeskAction {
    DeskAction::PassOn { handoff, desk: None, reason: "needs billing".to_owned() }
}

fn two_talk(world: &World, desk: (Party, f32), from: u64, to: u64) {
    heard(world, TRUNK, from, to, &[desk.1]);
    heard(world, desk.0, from, to, &[CALLER_TONE]);
}

/// Whether the party heard nothing of these tones meanwhile.
fn none_of(world: &World, party: Party, from: u64, to: u64, tones: &[f32]) {
    let (from, to) = (Instant::from_millis(from), Instant::from_millis(to));
    let wrong = world.ear(party).between(from, to).find(|block| block.tones.iter().any(|tone| tones.contains(tone)));
    assert!(wrong.is_none(), "party {party} heard {wrong:?}\n{}", world.ladder());
}

fn set(world: &World) -> Vec<(bool, bool)> {
    let told = world.pops().iter().filter_map(|(_, pop)| match pop {
        PopUpdate::Controls { held, muted, .. } => Some((*held, *muted)),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_caller_on_hold_hears_music_and_the_human_nothing() {
    let mut world = joined(&Setup { release: Release::Stay, ..Setup::default() });
    world
        .at(12_000, Do::Control(hold))
        .at(14_000, Do::Control(hold))
        .at(16_000, Do::Control(resume))
        .at(20_000, Do::HangUp(TRUNK));
    scenario("held_on_the_page", &mut world, 60_000);
    two_talk(&world, (DESK, DESK_TONE), 8_250, 11_950);
    none_of(&world, TRUNK, 12_100, 15_950, &[DESK_TONE, BOT_TONE]);
    none_of(&world, DESK, 12_100, 15_950, &[CALLER_TONE]);
    two_talk(&world, (DESK, DESK_TONE), 16_150, 19_950);
    assert_eq!(set(&world), [(true, false), (false, false)], "the second click changed nothing");
    let gap = world.phones[TRUNK].media.longest_gap(Instant::from_millis(11_000), Instant::from_millis(19_000));
    assert!(gap <= Duration::from_millis(60), "{gap:?}");
}

#[test]
fn a_muted_human_is_not_heard_and_hears() {
    let mut world = joined(&Setup { release: Release::Stay, ..Setup::default() });
    world.at(12_000, Do::Control(mute)).at(16_000, Do::Control(unmute)).at(20_000, Do::HangUp(TRUNK));
    scenario("muted_on_the_page", &mut world, 60_000);
    heard(&world, TRUNK, 12_100, 15_950, &[]);
    heard(&world, DESK, 8_250, 19_950, &[CALLER_TONE]);
    heard(&world, TRUNK, 16_150, 19_950, &[DESK_TONE]);
}

#[test]
fn nobody_is_released_who_is_on_hold() {
    let setup = Setup { release: Release::Refer, on_refer: OnRefer::Follow, ..Setup::default() };
    let mut world = joined(&setup);
    world.at(8_200, Do::Control(hold)).at(25_000, Do::Control(resume)).at(40_000, Do::HangUp(TRUNK));
    scenario("held_and_then_released", &mut world, 90_000);
    let ladder = world.ladder();
    let before = |what: &str| ladder.find(what).unwrap_or_else(|| panic!("no {what} in\n{ladder}"));
    assert!(before("talks with the caller") < before("REFER"), "{ladder}");
}

#[test]
fn keys_of_the_page_are_pressed_at_the_callers_end() {
    let mut world = joined(&Setup { release: Release::Stay, ..Setup::default() });
    world
        .at(12_000, Do::Control(|handoff| DeskAction::Keys { handoff, keys: "42#".to_owned() }))
        .at(20_000, Do::HangUp(TRUNK));
    scenario("keys_on_the_page", &mut world, 60_000);
    let keys: String = world.phones[TRUNK].media.measured().digits.iter().map(|(_, key)| key).collect();
    assert_eq!(keys, "42#");
    two_talk(&world, (DESK, DESK_TONE), 14_000, 19_950);
}

#[test]
fn the_human_passes_the_caller_on_and_keeps_them_until_then() {
    let mut world = joined(&Setup { release: Release::Stay, desks: 2, ..Setup::default() });
    world.at(12_000, Do::Control(to_anybody)).at(19_000, Do::Press(DESK2, '1')).at(23_000, Do::HangUp(TRUNK));
    scenario("passed_on_from_the_page", &mut world, 60_000);
    two_talk(&world, (DESK, DESK_TONE), 8_250, 18_900);
    two_talk(&world, (DESK2, DESK2_TONE), 19_250, 22_950);
    let package = world.pops().iter().rev().find_map(|(_, pop)| match pop {
        PopUpdate::Offered { package, .. } => Some(package),
        _ => None,
    });
    let package = package.expect("the second desk had a pop");
    assert_eq!(package.because[0].text, "ada passes the caller on: needs billing");
    assert!(world.pops().iter().any(|(_, pop)| matches!(pop, PopUpdate::PassingOn { .. })));
}

#[test]
fn a_caller_on_hold_waits_with_music_until_the_next_human_is_there() {
    let mut world = joined(&Setup { release: Release::Stay, desks: 2, ..Setup::default() });
    world
        .at(11_000, Do::Control(hold))
        .at(12_000, Do::Control(to_anybody))
        .at(19_000, Do::Press(DESK2, '1'))
        .at(23_000, Do::HangUp(TRUNK));
    scenario("passed_on_while_held", &mut world, 60_000);
    none_of(&world, TRUNK, 11_100, 18_900, &[DESK_TONE]);
    two_talk(&world, (DESK2, DESK2_TONE), 19_250, 22_950);
}

#[test]
fn nobody_takes_the_caller_and_the_human_is_told() {
    let mut world = joined(&Setup { release: Release::Stay, desks: 1, ..Setup::default() });
    world.at(12_000, Do::Control(to_anybody)).at(20_000, Do::HangUp(TRUNK));
    scenario("not_passed_on_from_the_page", &mut world, 60_000);
    two_talk(&world, (DESK, DESK_TONE), 8_250, 19_950);
    let why = world.pops().iter().find_map(|(_, pop)| match pop {
        PopUpdate::NotPassedOn { why, .. } => Some(*why),
        _ => None,
    });
    assert_eq!(why, Some("nobody is available at the moment"));
    assert_eq!(world.controls(), [Ok(())]);
}

#[test]
fn the_human_ends_the_call_on_the_page() {
    let mut world = joined(&Setup { release: Release::Stay, ..Setup::default() });
    world.at(14_000, Do::Control(DeskAction::End)).at(16_000, Do::Control(hold));
    scenario("ended_on_the_page", &mut world, 60_000);
    two_talk(&world, (DESK, DESK_TONE), 8_250, 13_950);
    assert!(world.ladder().contains("call ended: desk hung_up"), "{}", world.ladder());
    assert_eq!(world.controls(), [Ok(()), Err(DeskRefused::NotYours)]);
}

#[test]
fn a_human_who_says_busy_is_not_rung_and_one_who_writes_is_left_alone() {
    let after_call = Duration::from_secs(30);
    let setup = Setup { release: Release::Stay, desks: 2, after_call, ..Setup::default() };
    let mut world = joined(&setup);
    world.at(0, Do::State("ada", DeskState::Busy)).at(9_000, Do::Press(DESK2, '1')).at(20_000, Do::HangUp(TRUNK));
    world.run_until(60_000);
    two_talk(&world, (DESK2, DESK2_TONE), 9_250, 19_950);
    let states: Vec<_> = world
        .pops()
        .iter()
        .filter_map(|(_, pop)| match pop {
            PopUpdate::State { desk, state, until } => Some((desk.0.as_str(), *state, until.is_some())),
            _ => None,
        })
        .collect();
    assert_eq!(states, [("ada", DeskState::Busy, false), ("bob", DeskState::AfterCall, true)]);
    let at = Instant::from_millis;
    assert_eq!(world.switchboard.desk_state("bob", at(45_000)), DeskState::AfterCall);
    assert_eq!(world.switchboard.desk_state("bob", at(51_000)), DeskState::Available);
    assert!(world.switchboard.handle_state(&DeskId("ada".to_owned()), DeskState::Available, at(60_000)));
    assert_eq!(world.switchboard.desk_state("ada", at(60_000)), DeskState::Available);
}

#[test]
fn whoever_is_asked_next_reads_why_the_first_declined() {
    let mut world = asks_for_a_human(&Setup { release: Release::Stay, desks: 2, ..Setup::default() });
    world
        .at(5_000, Do::Decline("speaks Portuguese, I do not"))
        .at(10_000, Do::Press(DESK2, '1'))
        .at(14_000, Do::HangUp(TRUNK));
    scenario("declined_with_a_reason", &mut world, 60_000);
    let last = world.pops().iter().rev().find_map(|(_, pop)| match pop {
        PopUpdate::Offered { package, .. } => package.because.last().map(|because| because.text.clone()),
        _ => None,
    });
    assert_eq!(last.as_deref(), Some("ada declined: speaks Portuguese, I do not"));
}
