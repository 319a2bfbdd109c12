//! INVITE with Replaces (RFC 3891): a human moves to another telephone, a colleague takes over, a ringing telephone is
//! picked up elsewhere. Judged on who hears whom and on what everybody is told.

use crate::support::{asks_for_a_human, heard, judge, scenario};
use call_model::{HandoffOutcome, Instant, Method, PopUpdate, TraceKind};
use core::time::Duration;
use phone::PhoneEvent;
use sim::{
    BOT, BOT_TONE, CALLER_TONE, CALLER2, CALLER2_TONE, DESK, DESK_TONE, DESK2, DESK2_TONE, Do, Link, Party, Setup,
    TRUNK, World,
};

/// Desks that may take over each other's calls.
fn setup(desks: usize) -> Setup {
    Setup { desks, desks_may_take_over: true, ..Setup::default() }
}

/// How a party's call failed, if it did.
fn failed(world: &World, party: Party) -> Option<u16> {
    world.events().iter().find_map(|(_, who, event)| match event {
        PhoneEvent::Failed(status) if *who == party => Some(*status),
        _ => None,
    })
}

fn ended_as_replaced(world: &World, party: Party) -> bool {
    world.events().iter().any(|(_, who, event)| {
        let replaced = |reason: &Option<String>| reason.as_deref().is_some_and(|reason| reason.contains("Replaced"));
        *who == party && matches!(event, PhoneEvent::Ended { by_remote: true, reason } if replaced(reason))
    })
}

fn pops(world: &World) -> Vec<String> {
    let short = |pop: &PopUpdate| match pop {
        PopUpdate::Offered { desk, .. } => Some(format!("{desk} offered")),
        PopUpdate::Joined { desk, .. } => Some(format!("{desk} joined")),
        PopUpdate::Retracted { desk, .. } => Some(format!("{desk} retracted")),
        _ => None,
    };
    world.pops().iter().filter_map(|(_, pop)| short(pop)).collect()
}

fn method(world: &World) -> Option<(HandoffOutcome, Method)> {
    world.trace().iter().find_map(|event| match event.kind {
        TraceKind::HandoffEnded { outcome, method, .. } => Some((outcome, method)),
        _ => None,
    })
}

#[test]
fn a_human_moves_to_another_telephone_and_the_caller_does_not_notice() {
    let mut world = asks_for_a_human(&setup(1));
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::TakeOver(DESK2, DESK, false)).at(16_000, Do::HangUp(TRUNK));
    scenario("replaced_after_the_join", &mut world, 60_000);
    heard(&world, TRUNK, 8_200, 12_000, &[DESK_TONE]);
    heard(&world, TRUNK, 12_200, 15_950, &[DESK2_TONE]);
    heard(&world, DESK2, 12_200, 15_950, &[CALLER_TONE]);
    let (from, to) = (Instant::from_millis(11_900), Instant::from_millis(15_900));
    assert_eq!(world.verdict().longest_between(from, to), None, "the caller notices nothing");
    assert!(ended_as_replaced(&world, DESK));
    assert_eq!(pops(&world), ["ada offered", "ada joined", "ada retracted"]);
}

/// Audio of the old telephone is still under way then, and the new one has said nothing yet.
#[test]
fn who_takes_over_and_says_nothing_hears_the_caller() {
    let rtp_link = Link { delay: Duration::from_millis(60), ..Link::GOOD };
    let mut world = asks_for_a_human(&Setup { rtp_link, ..setup(1) });
    world
        .at(8_000, Do::Press(DESK, '1'))
        .at(11_900, Do::Mute(DESK2, true))
        .at(12_000, Do::TakeOver(DESK2, DESK, false))
        .at(16_000, Do::HangUp(TRUNK))
        .run_until(60_000);
    judge("silent take-over", &world);
    heard(&world, DESK2, 12_250, 15_950, &[CALLER_TONE]);
}

#[test]
fn a_telephone_that_takes_over_before_the_accept_still_has_to_accept() {
    let mut world = asks_for_a_human(&setup(1));
    world.at(7_000, Do::TakeOver(DESK2, DESK, false)).at(9_000, Do::Press(DESK2, '1')).at(14_000, Do::HangUp(TRUNK));
    scenario("replaced_before_the_accept", &mut world, 60_000);
    heard(&world, TRUNK, 500, 9_050, &[BOT_TONE]);
    heard(&world, TRUNK, 9_200, 13_950, &[DESK2_TONE]);
    heard(&world, DESK2, 9_200, 13_950, &[CALLER_TONE]);
    assert!(ended_as_replaced(&world, DESK));
    assert_eq!(method(&world), Some((HandoffOutcome::Joined, Method::Replaced)));
}

#[test]
fn a_ringing_telephone_is_picked_up_at_another() {
    for early_only in [true, false] {
        let mut world = asks_for_a_human(&setup(1));
        world.at(5_500, Do::TakeOver(DESK2, DESK, early_only)).at(8_000, Do::Press(DESK2, '1'));
        world.at(12_000, Do::HangUp(TRUNK));
        if early_only {
            scenario("replaced_while_ringing", &mut world, 60_000);
        } else {
            world.run_until(60_000);
            judge("picked up", &world);
        }
        heard(&world, TRUNK, 500, 8_050, &[BOT_TONE]);
        heard(&world, TRUNK, 8_200, 11_950, &[DESK2_TONE]);
        heard(&world, DESK2, 8_200, 11_950, &[CALLER_TONE]);
        assert!(world.events().iter().any(|(_, who, event)| *who == DESK && *event == PhoneEvent::Cancelled));
    }
}

/// The old telephone answers while the other one takes over: the other one has it, whoever's message comes first.
#[test]
fn an_answer_that_crosses_the_take_over_loses_nobody() {
    for micros in (6_300_000..6_800_000).step_by(20_000) {
        let mut world = asks_for_a_human(&setup(1));
        world.at_micros(micros, Do::TakeOver(DESK2, DESK, false)).at(9_000, Do::Press(DESK2, '1'));
        world.at(13_000, Do::HangUp(TRUNK)).run_until(60_000);
        judge("crossing", &world);
        heard(&world, TRUNK, 500, 9_050, &[BOT_TONE]);
        heard(&world, TRUNK, 9_200, 12_950, &[DESK2_TONE]);
        assert!(!world.phones[DESK].is_busy(), "{micros}\n{}", world.ladder());
    }
}

/// The answer of the old telephone is late, its audio is not, and it has said nothing yet about where it is. Nothing comes
/// from the new one yet.
#[test]
fn a_key_pressed_at_a_telephone_that_was_taken_over_while_it_answered_accepts_nothing() {
    let mut world = asks_for_a_human(&setup(1));
    world
        .at(5_600, Do::Delay(DESK, true, Duration::from_secs(1)))
        .at(6_700, Do::Mute(DESK2, true))
        .at(6_700, Do::TakeOver(DESK2, DESK, false))
        .at(6_900, Do::Press(DESK, '1'))
        .at(8_000, Do::Mute(DESK2, false))
        .at(9_000, Do::Press(DESK2, '1'))
        .at(13_000, Do::HangUp(TRUNK));
    scenario("replaced_while_it_answers", &mut world, 60_000);
    heard(&world, TRUNK, 500, 9_050, &[BOT_TONE]);
    heard(&world, TRUNK, 9_200, 12_950, &[DESK2_TONE]);
    heard(&world, DESK2, 9_200, 12_950, &[CALLER_TONE]);
}

#[test]
fn a_colleague_who_takes_over_gets_the_pop() {
    let mut world = asks_for_a_human(&setup(2));
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::TakeOver(DESK2, DESK, false)).at(16_000, Do::HangUp(TRUNK));
    scenario("replaced_by_a_colleague", &mut world, 60_000);
    heard(&world, TRUNK, 12_200, 15_950, &[DESK2_TONE]);
    assert_eq!(
        pops(&world),
        ["ada offered", "ada joined", "ada retracted", "bob offered", "bob joined", "bob retracted"]
    );
}

#[test]
fn who_may_not_take_over_changes_nothing() {
    // A telephone that nobody listed; an early-only wish for a call that is up; the bot's call.
    for (name, setup, at, who, of, early_only, status) in [
        ("a stranger", Setup::default(), 12_000, DESK2, DESK, false, 403),
        ("too late", setup(1), 12_000, DESK2, DESK, true, 486),
        ("the bot's call", setup(1), 2_000, DESK2, BOT, false, 403),
        ("the caller's call", setup(1), 2_000, DESK2, TRUNK, false, 403),
        ("a trunk", setup(1), 12_000, CALLER2, DESK, false, 403),
    ] {
        let mut world = asks_for_a_human(&setup);
        world.at(8_000, Do::Press(DESK, '1')).at(at, Do::TakeOver(who, of, early_only));
        world.at(16_000, Do::HangUp(TRUNK)).run_until(60_000);
        judge(name, &world);
        assert_eq!(failed(&world, who), Some(status), "{name}");
        heard(&world, TRUNK, 8_200, 15_950, &[DESK_TONE]);
        heard(&world, DESK, 8_200, 15_950, &[CALLER_TONE]);
    }
}

#[test]
fn the_trunk_may_put_another_caller_in_the_place_of_one() {
    let mut world = asks_for_a_human(&setup(1));
    world
        .at(8_000, Do::Press(DESK, '1'))
        .at(12_000, Do::TakeOver(CALLER2, TRUNK, false))
        .at(16_000, Do::HangUp(CALLER2));
    scenario("replaced_caller", &mut world, 60_000);
    heard(&world, DESK, 8_200, 12_000, &[CALLER_TONE]);
    heard(&world, DESK, 12_200, 15_950, &[CALLER2_TONE]);
    heard(&world, CALLER2, 12_200, 15_950, &[DESK_TONE]);
    assert!(ended_as_replaced(&world, TRUNK));
}
