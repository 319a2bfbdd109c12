//! Rules that look at who speaks and since when, driven by what is heard in the audio alone.

use crate::support::{heard, judge, scenario};
use call_model::{FactKind, Speaker, TraceKind, Trigger};
use escalation::Rules;
use sim::{BOT_TONE, DESK, DESK_TONE, Do, Setup, TRUNK, World};
use std::sync::Arc;

fn with(rules: &str) -> World {
    let rules = Arc::new(Rules::parse(rules).expect("rules of a test"));
    let mut world = World::new(&Setup { rules: Some(rules), ..Setup::default() });
    world.at(0, Do::Dial("7001"));
    world
}

/// When each rule decided, in seconds, and the kind of reason.
fn decided(world: &World) -> Vec<(u64, Trigger)> {
    let decisions = world.trace().iter().filter_map(|event| match &event.kind {
        TraceKind::Decided(decision) => Some((event.at.as_millis() / 1_000, decision.trigger)),
        _ => None,
    });
    decisions.collect()
}

#[test]
fn a_line_on_which_nobody_speaks_gets_a_human_once() {
    let mut world = with("[[rule]]\nname = 'dead-air'\nkind = 'silence'\nfor_s = 15");
    // The caller is the first to fall silent, so the bot owes no answer.
    world.at(2_000, Do::Mute(TRUNK, true)).at(5_000, Do::Mute(sim::BOT, true));
    world.at(28_000, Do::Press(DESK, '1')).at(60_000, Do::HangUp(TRUNK));
    scenario("silence_gets_a_human", &mut world, 120_000);
    assert_eq!(decided(&world), [(20, Trigger::Silence)], "and not while the human has the caller");
    heard(&world, TRUNK, 500, 4_950, &[BOT_TONE]);
    heard(&world, TRUNK, 28_300, 59_950, &[DESK_TONE]);
}

#[test]
fn a_line_on_which_the_bot_speaks_is_not_silent_and_a_long_call_is_told_from_it() {
    let mut world = with(
        "[[rule]]\nname = 'dead-air'\nkind = 'silence'\nfor_s = 15\n\
         [[rule]]\nname = 'long'\nkind = 'long_call'\nafter_s = 30",
    );
    world.at(2_000, Do::Mute(TRUNK, true)).at(36_000, Do::Press(DESK, '1')).at(40_000, Do::HangUp(TRUNK));
    world.run_until(90_000);
    judge("long call", &world);
    assert!(matches!(decided(&world)[..], [(30 | 31, Trigger::LongCall)]), "{:?}", decided(&world));
}

#[test]
fn a_caller_who_talks_without_an_answer_gets_a_human() {
    let mut world = with("[[rule]]\nname = 'talks'\nkind = 'monologue'\nfor_s = 20");
    world.at(3_000, Do::Mute(sim::BOT, true)).at(30_000, Do::Press(DESK, '1')).at(34_000, Do::HangUp(TRUNK));
    world.run_until(90_000);
    judge("monologue", &world);
    assert!(matches!(decided(&world)[..], [(23 | 24, Trigger::Monologue)]), "{:?}", decided(&world));
}

#[test]
fn middling_confidence_is_for_review_and_hands_nobody_over() {
    let mut world = World::new(&Setup::default());
    let said = FactKind::Turn { speaker: Speaker::Bot, text: "Delivery is free.".into(), confidence: Some(0.78) };
    world.at(0, Do::Dial("7001")).at(2_000, Do::Fact(said)).at(6_000, Do::HangUp(TRUNK)).run_until(60_000);
    judge("review", &world);
    assert_eq!(decided(&world), []);
    let flagged = world.trace().iter().any(|event| match &event.kind {
        TraceKind::Note { text, .. } => text.starts_with("for review: confidence 0.78 on \"Delivery is free.\""),
        _ => false,
    });
    assert!(flagged, "{}", world.ladder());
}
