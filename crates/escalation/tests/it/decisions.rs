//! Each kind of rule: what makes it decide, and what only looks like it. Facts in, decisions out.

use call_model::{Decision, Fact, FactKind, Instant, Layer, Speaker, Trigger, Urgency, VoiceScore};
use escalation::{Engine, Rules, TimerName};
use std::sync::Arc;

#[test]
fn a_caller_who_asks_gets_a_human_at_once() {
    let decisions = run(vec![(9_000, FactKind::AskedForHuman)]);
    assert_eq!(
        lines(&decisions),
        ["9.000 caller-asked asked: 9.000 the bot reports that the caller asked for a human"]
    );
    assert_eq!((decisions[0].layer, decisions[0].urgency), (Layer::Hard, Urgency::Normal));

    let decisions = run(vec![(9_000, caller("Look, I'd rather SPEAK to a real person, OK?"))]);
    assert_eq!(lines(&decisions), ["9.000 caller-asked asked: 9.000 the caller said \"SPEAK to a real person\""]);
}

#[test]
fn a_sentence_cut_in_two_by_recognition_is_heard_as_one() {
    let halves = |second| vec![(1_000, caller("could I please speak to")), (second, caller("a human about my bill"))];
    assert_eq!(triggers(halves(2_500)), [(2_500, Trigger::Asked)]);
    assert_eq!(triggers(halves(9_000)), [], "too far apart to be one sentence");
    let mut interrupted = halves(2_500);
    interrupted.insert(1, (1_500, bot("What is your order number?", None)));
    assert_eq!(triggers(interrupted), [], "the bot spoke in between");
}

#[test]
fn words_heard_once_do_not_fire_again_with_the_next_turn() {
    let rules = rules("[[rule]]\nname='a'\nkind='asked'\ncool_down_s=0\nphrases=['a human']");
    let facts = vec![(1_000, caller("a human")), (2_000, caller("thanks"))];
    assert_eq!(lines(&decide(rules, facts)), ["1.000 a asked: 1.000 the caller said \"a human\""]);
}

#[test]
fn only_the_callers_words_count() {
    assert_eq!(triggers(vec![(1_000, bot("Would you like to speak to a human?", None))]), []);
    assert_eq!(triggers(vec![(1_000, bot("If this is an emergency call 911", None))]), []);
}

#[test]
fn a_lone_zero_gets_a_human_and_other_keys_do_not() {
    assert_eq!(
        lines(&run(vec![(4_000, FactKind::LoneDigit('0'))])),
        ["4.000 caller-pressed-key dtmf: 4.000 the caller pressed 0"]
    );
    assert_eq!(triggers(vec![(4_000, FactKind::LoneDigit('1')), (9_000, FactKind::LoneDigit('#'))]), []);
}

#[test]
fn an_emergency_outranks_everything_and_keeps_the_other_reasons() {
    let decisions = run(vec![(5_000, caller("Let me talk to a human, I can’t breathe, I'll call my lawyer!"))]);
    assert_eq!(
        lines(&decisions),
        ["5.000 emergency emergency: 5.000 the caller said \"can’t breathe\" + \
          5.000 the caller said \"my lawyer\" + 5.000 the caller said \"talk to a human\""]
    );
    assert_eq!(decisions[0].urgency, Urgency::Emergency);
}

#[test]
fn a_bot_that_dies_or_gives_up_needs_a_human() {
    assert_eq!(
        lines(&run(vec![(7_000, FactKind::BotDown { why: "connection reset\r\nby peer".to_owned() })])),
        ["7.000 bot-down bot_down: 7.000 the bot is gone: connection reset by peer"]
    );
    assert_eq!(
        lines(&run(vec![(7_000, FactKind::BotEscalates { because: "customer is angry".to_owned() })])),
        ["7.000 bot-escalates bot: 7.000 the bot asks for a human: customer is angry"]
    );
}

#[test]
fn distress_decides_only_after_it_lasted() {
    let calm = [0.10, 0.12, 0.08];
    let decisions = run(voices(calm.into_iter().chain([0.74, 0.80, 0.85, 0.90, 0.90])));
    assert_eq!(
        lines(&decisions),
        ["7.000 voice-distress distress: 4.000 distress 0.74 passed 0.70, up from 0.08 1 s before + \
          7.000 distress 0.90 after 3.0 s over 0.70, against the caller's own baseline"]
    );
    assert_eq!((decisions[0].layer, decisions[0].urgency), (Layer::Tunable, Urgency::High));
}

#[test]
fn distress_that_comes_and_goes_does_not_decide() {
    assert_eq!(triggers(voices([0.9, 0.9, 0.9, 0.4, 0.9, 0.9, 0.9, 0.1])), [], "cleared before 3 s were full");
    assert_eq!(triggers(voices([0.69; 60])), [], "just under the threshold for a minute");
    assert_eq!(triggers(voices([0.2, 0.99, 0.2, 0.99, 0.2, 0.99])), [], "spikes");
    assert_eq!(triggers(voices([f32::NAN; 20])), [], "not a number");
}

#[test]
fn distress_between_the_thresholds_neither_counts_nor_resets() {
    assert_eq!(triggers(voices([0.8, 0.8, 0.6, 0.6, 0.8, 0.8])), [(6_000, Trigger::Distress)]);
}

#[test]
fn windows_without_speech_are_passed_over() {
    let silent = |at| (at, FactKind::Voice(VoiceScore { speech_ratio: 0.1, ..score(0.99) }));
    assert_eq!(triggers((1..20).map(|s| silent(s * 1_000)).collect()), []);
    let mut facts = voices([0.8, 0.8]);
    facts.extend([silent(3_000), silent(4_000)]);
    facts.extend([(5_000, FactKind::Voice(score(0.8))), (6_000, FactKind::Voice(score(0.8)))]);
    assert_eq!(triggers(facts), [(6_000, Trigger::Distress)], "a pause counts for 1.5 s at most");
}

#[test]
fn before_the_callers_baseline_is_known_more_distress_is_asked_for() {
    let unbaselined = |distress: f32| {
        let kind = move |_| FactKind::Voice(VoiceScore { baselined: false, ..score(distress) });
        (1..=8).map(|s| (s * 1_000, kind(s))).collect()
    };
    assert_eq!(triggers(unbaselined(0.85)), []);
    assert_eq!(triggers(unbaselined(0.95)), [(4_000, Trigger::Distress)]);
    let strict = rules("[[rule]]\nname='d'\nkind='distress'\nneeds_baseline=true");
    assert_eq!(lines(&decide(strict, unbaselined(0.99))), [] as [&str; 0]);
}

#[test]
fn distress_is_forgotten_when_the_caller_falls_silent() {
    let mut facts = voices([0.9, 0.9, 0.9]);
    facts.push((30_000, FactKind::Voice(score(0.9))));
    assert_eq!(triggers(facts.clone()), []);
    let mut engine = Engine::new(default_rules());
    facts.truncate(3);
    facts.iter().for_each(|fact| engine.handle_fact(&at(fact)));
    assert_eq!(engine.poll_timeout(), Some((Instant::from_millis(23_000), TimerName::Forget)));
    engine.handle_timeout(Instant::from_millis(23_000));
    assert_eq!(engine.poll_timeout(), None);
}

#[test]
fn two_low_confidences_in_a_row_decide() {
    let decisions =
        run(vec![(1_000, bot("Do you mean delivery?", Some(0.55))), (5_000, bot("insurance coverage", Some(0.41)))]);
    assert_eq!(
        lines(&decisions),
        ["5.000 low-confidence low_confidence: 1.000 confidence 0.55 on \"Do you mean delivery?\" + \
          5.000 confidence 0.41 on \"insurance coverage\", second low in a row"]
    );
}

#[test]
fn low_confidence_near_misses() {
    let low = |at| (at, bot("hm", Some(0.41)));
    assert_eq!(triggers(vec![low(1_000)]), [], "one");
    assert_eq!(triggers(vec![low(1_000), (2_000, bot("yes", Some(0.70))), low(3_000)]), [], "a good one in between");
    assert_eq!(triggers(vec![low(1_000), (2_000, bot("?", None)), low(3_000)]).len(), 1, "no figure says nothing");
    let heard = FactKind::Turn { speaker: Speaker::Caller, text: "uh".to_owned(), confidence: Some(0.3) };
    assert_eq!(triggers(vec![(1_000, heard.clone()), low(2_000)]), [], "one low exchange, not two");
    assert_eq!(triggers(vec![low(1_000), low(200_000)]), [], "too long ago");
    assert_eq!(triggers(vec![(1_000, bot("x", Some(f32::NAN))), (2_000, bot("x", Some(-1.0)))]), [], "no figures");
    let intent = |at| (at, FactKind::Intent { name: "dispute_fee".to_owned(), confidence: Some(0.5) });
    assert_eq!(triggers(vec![intent(1_000), intent(2_000)]), [(2_000, Trigger::LowConfidence)]);
}

#[test]
fn two_failed_attempts_decide() {
    let decisions = run(vec![
        (1_000, action("lookup_order", false, "no such order")),
        (2_000, action("send_sms", true, "sent")),
        (3_000, action("lookup_order", false, "")),
    ]);
    assert_eq!(
        lines(&decisions),
        ["3.000 failed-attempts failed_attempts: 1.000 lookup_order failed: no such order + 3.000 lookup_order failed"]
    );
}

#[test]
fn failed_attempts_near_misses() {
    let failed = |at| (at, action("lookup", false, "x"));
    assert_eq!(triggers(vec![failed(1_000)]), [], "one");
    assert_eq!(
        triggers(vec![failed(1_000), (2_000, action("lookup", true, "ok")), failed(3_000)]),
        [],
        "it worked then"
    );
    assert_eq!(triggers(vec![failed(1_000), failed(400_000)]), [], "too long ago");
}

#[test]
fn a_rule_that_fired_is_quiet_until_its_cool_down_is_over() {
    let asked = |at| (at, FactKind::AskedForHuman);
    let facts = vec![asked(1_000), asked(2_000), asked(5_999), asked(6_000)];
    assert_eq!(triggers(facts), [(1_000, Trigger::Asked), (6_000, Trigger::Asked)]);
    assert_eq!(triggers(voices([0.95; 80])), [(4_000, Trigger::Distress), (67_000, Trigger::Distress)]);
}

#[test]
fn back_at_the_bot_requests_are_heard_at_once_and_tunable_rules_start_anew() {
    let mut engine = Engine::new(default_rules());
    engine.handle_fact(&at(&(1_000, FactKind::AskedForHuman)));
    voices([0.9; 3]).iter().for_each(|fact| engine.handle_fact(&at(fact)));
    assert_eq!(drain(&mut engine).len(), 1);
    engine.handle_returned(Instant::from_millis(3_500));
    for second in 4..60 {
        engine.handle_fact(&at(&(second * 1_000, FactKind::Voice(score(0.9)))));
    }
    assert_eq!(lines(&drain(&mut engine)), [] as [&str; 0], "upset, but just back");
    engine.handle_fact(&at(&(60_000, FactKind::AskedForHuman)));
    engine.handle_returned(Instant::from_millis(60_100));
    engine.handle_fact(&at(&(60_200, FactKind::AskedForHuman)));
    assert_eq!(drain(&mut engine).len(), 2);
}

#[test]
fn the_same_facts_give_the_same_decisions() {
    let facts = || {
        let mut facts = voices([0.1, 0.8, 0.9, 0.9, 0.9, 0.2]);
        facts.extend([(7_000, caller("get me a manager")), (8_000, FactKind::LoneDigit('0'))]);
        facts
    };
    assert_eq!(run(facts()), run(facts()));
    assert_eq!(run(facts()).len(), 3);
}

#[test]
fn facts_of_any_size_are_bounded_and_an_undrained_engine_does_not_grow() {
    let mut engine = Engine::new(rules("[[rule]]\nname='a'\nkind='asked'\ncool_down_s=0\nphrases=['human']"));
    let endless = "human ".repeat(200_000);
    for second in 0..100 {
        engine.handle_fact(&at(&(second * 1_000, caller(&endless))));
    }
    let decisions = drain(&mut engine);
    assert_eq!(decisions.len(), 16);
    assert!(decisions.iter().flat_map(|d| &d.because).all(|b| b.text.len() < 200));
}

#[test]
fn time_that_runs_backwards_does_no_harm() {
    let facts = vec![(9_000, FactKind::Voice(score(0.9))), (1_000, FactKind::Voice(score(0.9)))];
    assert_eq!(triggers(facts), []);
}

fn run(facts: Vec<(u64, FactKind)>) -> Vec<Decision> {
    decide(default_rules(), facts)
}

fn triggers(facts: Vec<(u64, FactKind)>) -> Vec<(u64, Trigger)> {
    run(facts).iter().map(|decision| (decision.at.as_millis(), decision.trigger)).collect()
}

pub(crate) fn decide(rules: Arc<Rules>, facts: Vec<(u64, FactKind)>) -> Vec<Decision> {
    let mut engine = Engine::new(rules);
    facts
        .iter()
        .flat_map(|fact| {
            engine.handle_fact(&at(fact));
            let decisions = drain(&mut engine);
            assert!(decisions.len() <= 1, "one fact, at most one decision");
            decisions
        })
        .collect()
}

pub(crate) fn drain(engine: &mut Engine) -> Vec<Decision> {
    std::iter::from_fn(|| engine.poll_output()).collect()
}

pub(crate) fn lines(decisions: &[Decision]) -> Vec<String> {
    let line = |d: &Decision| {
        let because: Vec<String> = d.because.iter().map(|b| format!("{} {}", seconds(b.at), b.text)).collect();
        format!("{} {} {}: {}", seconds(d.at), d.rule, d.trigger, because.join(" + "))
    };
    decisions.iter().map(line).collect()
}

fn seconds(at: Instant) -> String {
    format!("{}.{:03}", at.as_millis() / 1000, at.as_millis() % 1000)
}

fn default_rules() -> Arc<Rules> {
    Arc::new(Rules::default_pack())
}

pub(crate) fn rules(toml: &str) -> Arc<Rules> {
    Arc::new(Rules::parse(toml).expect("rules of a test"))
}

pub(crate) fn at((millis, kind): &(u64, FactKind)) -> Fact {
    Fact { at: Instant::from_millis(*millis), kind: kind.clone() }
}

pub(crate) fn caller(text: &str) -> FactKind {
    FactKind::Turn { speaker: Speaker::Caller, text: text.to_owned(), confidence: None }
}

pub(crate) fn bot(text: &str, confidence: Option<f32>) -> FactKind {
    FactKind::Turn { speaker: Speaker::Bot, text: text.to_owned(), confidence }
}

pub(crate) fn action(name: &str, succeeded: bool, result: &str) -> FactKind {
    FactKind::Action { name: name.to_owned(), succeeded, result: result.to_owned() }
}

/// One window a second, from 1 s on.
pub(crate) fn voices(distress: impl IntoIterator<Item = f32>) -> Vec<(u64, FactKind)> {
    distress.into_iter().zip(1..).map(|(d, second)| (second * 1_000, FactKind::Voice(score(d)))).collect()
}

pub(crate) fn score(distress: f32) -> VoiceScore {
    VoiceScore { distress, speech_ratio: 0.8, baselined: true, ..VoiceScore::default() }
}

/// A bot's turn with this confidence, by the second.
fn unsure(confidences: &[(u64, f32)]) -> Vec<(u64, FactKind)> {
    confidences.iter().map(|(second, sure)| (second * 1_000, bot("Well.", Some(*sure)))).collect()
}

fn fires(toml: &str, facts: Vec<(u64, FactKind)>) -> Vec<u64> {
    decide(rules(toml), facts).iter().map(|decision| decision.at.as_millis() / 1_000).collect()
}

#[test]
fn a_confidence_in_between_neither_counts_nor_ends_the_row() {
    let rule = "[[rule]]\nname='a'\nkind='low_confidence'\nbelow=0.5\ncool_down_s=0\n";
    assert_eq!(fires(rule, unsure(&[(1, 0.4), (2, 0.6), (3, 0.4)])), [0_u64; 0]);
    assert_eq!(fires(&format!("{rule}clear_above=0.7"), unsure(&[(1, 0.4), (2, 0.6), (3, 0.4)])), [3]);
    assert_eq!(fires(&format!("{rule}clear_above=0.7"), unsure(&[(1, 0.4), (2, 0.8), (3, 0.4)])), [0_u64; 0]);
}

#[test]
fn what_counts_must_last_as_long_as_the_rule_says() {
    let rule = "[[rule]]\nname='a'\nkind='low_confidence'\ntimes=2\nfor_s=10\n";
    let facts = unsure(&[(1, 0.4), (2, 0.4), (5, 0.4), (11, 0.4), (12, 0.9)]);
    assert_eq!(fires(rule, facts), [11]);
    let rule = "[[rule]]\nname='a'\nkind='failed_attempts'\ntimes=2\nfor_s=10\n";
    let failed =
        |second: u64| (second * 1_000, FactKind::Action { name: "x".into(), succeeded: false, result: "no".into() });
    assert_eq!(fires(rule, vec![failed(1), failed(2), failed(12)]), [12]);
}

#[test]
fn a_rule_that_has_to_be_armed_again_waits_until_nothing_counts_any_more() {
    let rule = "[[rule]]\nname='a'\nkind='low_confidence'\ntimes=1\ncool_down_s=0\n";
    let facts = || unsure(&[(1, 0.4), (5, 0.4), (12, 0.4), (23, 0.4)]);
    assert_eq!(fires(rule, facts()), [1, 5, 12, 23]);
    assert_eq!(fires(&format!("{rule}rearm_s=10"), facts()), [1, 23], "the lows at 5 s and 12 s start the ten anew");
    let rule = "[[rule]]\nname='a'\nkind='silence'\nfor_s=5\ncool_down_s=0\nrearm_s=1";
    let mut engine = Engine::new(rules(rule));
    let mut fired = Vec::new();
    engine.handle_speech(Speaker::Caller, false, Instant::from_millis(1_000));
    for second in 2..=30_u64 {
        let now = Instant::from_millis(second * 1_000);
        if second == 20 {
            engine.handle_speech(Speaker::Caller, true, now);
            engine.handle_speech(Speaker::Caller, false, now);
        }
        engine.handle_timeout(now);
        fired.extend(engine.poll_output().map(|_| second));
    }
    assert_eq!(fired, [6_u64, 25], "one silence fires once");
}
