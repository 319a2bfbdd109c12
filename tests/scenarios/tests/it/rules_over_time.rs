//! Rules that look at who speaks and since when, driven by what is heard in the audio alone.

use crate::support::{heard, judge, scenario};
use call_model::{Decision, FactKind, Instant, Speaker, TraceKind, TransferState, Trigger};
use escalation::{Moment, Rules, judge as judge_again};
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

/// What the rules of a call were told, as its trace has it.
fn moments(world: &World) -> Vec<(Instant, Moment)> {
    let moments = world.trace().iter().filter_map(|event| {
        let moment = match &event.kind {
            TraceKind::Fact(fact) => Moment::Fact(fact.kind.clone()),
            TraceKind::Speech { speaker, speaks } => Moment::Speech { speaker: *speaker, speaks: *speaks },
            TraceKind::State { to: TransferState::WithBot, .. } => Moment::Returned,
            TraceKind::State { from: TransferState::WithBot, .. } => Moment::Handoff,
            TraceKind::Ended { .. } => Moment::End,
            _ => return None,
        };
        Some((event.at, moment))
    });
    moments.collect()
}

#[test]
fn a_trace_judged_again_by_its_rules_comes_to_the_same_decisions() {
    let rules = "[[rule]]\nname = 'dead-air'\nkind = 'silence'\nfor_s = 15\n\
                 [[rule]]\nname = 'talks'\nkind = 'monologue'\nfor_s = 20\ncool_down_s = 10\n\
                 [[rule]]\nname = 'zero'\nkind = 'key'\n\
                 [[rule]]\nname = 'long'\nkind = 'long_call'\nafter_s = 40";
    let mut world = with(rules);
    // Nobody accepts: the caller is the bot's again, and the rules begin anew.
    world.at(3_000, Do::Mute(sim::BOT, true)).at(75_000, Do::Press(TRUNK, '0'));
    world.at(150_000, Do::HangUp(TRUNK)).run_until(200_000);
    let decisions = world.trace().iter().filter_map(|event| match &event.kind {
        TraceKind::Decided(decision) => Some(decision.clone()),
        _ => None,
    });
    let decisions: Vec<Decision> = decisions.collect();
    assert!(decisions.len() >= 2, "{}", world.ladder());
    let rules = Arc::new(Rules::parse(rules).expect("rules of a test"));
    assert_eq!(judge_again(&rules, &moments(&world)).decisions, decisions);
}

#[test]
fn a_call_keeps_the_rules_it_began_with_and_the_next_one_has_the_new() {
    let mut world = with("[[rule]]\nname = 'old'\nkind = 'key'\ndigits = '0'");
    let new = Rules::parse("[[rule]]\nname = 'new'\nkind = 'key'\ndigits = '9'").expect("rules of a test");
    world.at(6_000, Do::Press(TRUNK, '9')).at(10_000, Do::HangUp(TRUNK)).at(20_000, Do::Dial("7001"));
    world.at(24_000, Do::Press(TRUNK, '0')).at(30_000, Do::Press(TRUNK, '9')).at(40_000, Do::Press(DESK, '1'));
    world.at(50_000, Do::HangUp(TRUNK)).run_until(4_000);
    world.switchboard.set_rules(Arc::new(new));
    world.run_until(120_000);
    assert_eq!(world.broken(), [""; 0]);
    assert!(matches!(decided(&world)[..], [(31 | 32, Trigger::Dtmf)]), "{:?}", decided(&world));
}
