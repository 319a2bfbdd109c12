//! The kinds that listen to how a conversation goes: what makes each decide, and what only looks like it.

use crate::decisions::{action, at, bot, caller, decide, drain, lines, rules, score, voices};
use call_model::{FactKind, Instant, Speaker, Trigger, Urgency};
use escalation::{Engine, TimerName};

const NOBODY: [&str; 0] = [];

#[test]
fn words_of_frustration_count_twice_alone_or_once_in_a_distressed_voice() {
    let one = |kind: &str| rules(&format!("[[rule]]\nname='f'\nkind='frustration'\n{kind}"));
    let angry = |at| (at, caller("This is ridiculous"));
    assert_eq!(
        lines(&decide(one(""), vec![angry(1_000), (20_000, caller("you are useless"))])),
        ["20.000 f frustration: 1.000 the caller said \"ridiculous\" + 20.000 the caller said \"are useless\""]
    );
    assert_eq!(lines(&decide(one(""), vec![angry(1_000)])), NOBODY);
    assert_eq!(lines(&decide(one(""), vec![angry(1_000), angry(70_000)])), NOBODY, "more than a minute apart");
    let fused = ["5.000 f frustration: 5.000 the caller said \"ridiculous\" + 1.000 in a voice whose distress is 0.60"];
    let voice = |at, distress| (at, FactKind::Voice(score(distress)));
    assert_eq!(lines(&decide(one(""), vec![voice(1_000, 0.6), angry(5_000)])), fused);
    assert_eq!(lines(&decide(one(""), vec![angry(5_000), voice(6_000, 0.6)])).len(), 1, "the voice comes after");
    assert_eq!(lines(&decide(one(""), vec![voice(1_000, 0.49), angry(5_000)])), NOBODY, "calm");
    assert_eq!(lines(&decide(one(""), vec![voice(1_000, 0.6), angry(12_000)])), NOBODY, "long before");
    assert_eq!(lines(&decide(one(""), voices([0.99; 20]))), NOBODY, "the voice alone is the rule distress");
    assert_eq!(lines(&decide(one("with_distress=0.7"), vec![voice(1_000, 0.6), angry(5_000)])), NOBODY);
}

#[test]
fn the_same_question_in_other_words() {
    let one = || rules("[[rule]]\nname='q'\nkind='same_question'");
    let asked = vec![
        (1_000, caller("Why was I charged twice for my order?")),
        (20_000, caller("I want to know why you charged the order twice")),
        (30_000, caller("yes please")),
        (40_000, caller("so why is the order charged twice")),
    ];
    assert_eq!(
        lines(&decide(one(), asked.clone())),
        ["40.000 q same_question: 1.000 the caller said \"Why was I charged twice for my order?\" + \
          20.000 the caller said \"I want to know why you charged the order twice\" for the second time, more or less + \
          40.000 the caller said \"so why is the order charged twice\" for the third time, more or less"]
    );
    assert_eq!(lines(&decide(one(), asked[..3].to_vec())), NOBODY, "twice is allowed");
    let yes = (1..9).map(|second| (second * 1_000, caller("yes please"))).collect();
    assert_eq!(lines(&decide(one(), yes)), NOBODY, "too short to mean anything");
    let others = vec![
        (1_000, caller("why was my order charged twice")),
        (2_000, caller("when will my order arrive")),
        (3_000, caller("how do I change the address of my order")),
    ];
    assert_eq!(lines(&decide(one(), others)), NOBODY);
    let by_bot = (1..9).map(|second| (second * 1_000, bot("why was your order charged twice", None))).collect();
    assert_eq!(lines(&decide(one(), by_bot)), NOBODY, "the bot says it");
}

#[test]
fn a_conversation_in_circles() {
    let one = || rules("[[rule]]\nname='l'\nkind='loop'");
    let again = |at| (at, bot("Please tell me your customer number.", None));
    let decisions = decide(one(), vec![again(1_000), again(9_000), again(17_000)]);
    assert_eq!(decisions.iter().map(|d| (d.at.as_millis(), d.trigger)).collect::<Vec<_>>(), [(17_000, Trigger::Loop)]);
    assert_eq!(lines(&decide(one(), vec![again(1_000), again(9_000)])), NOBODY, "twice");
    assert_eq!(lines(&decide(one(), vec![again(1_000), again(9_000), again(200_000)])), NOBODY, "long ago");

    let intent = |at, name: &str| (at, FactKind::Intent { name: name.to_owned(), confidence: None });
    let there_and_back = [(1_000, "bill"), (2_000, "address"), (3_000, "bill"), (4_000, "address"), (5_000, "bill")];
    assert_eq!(
        lines(&decide(one(), there_and_back.map(|(at, name)| intent(at, name)).to_vec())),
        ["5.000 l loop: 1.000 the caller's intent is \"bill\" + 3.000 the caller's intent is again \"bill\" + \
          5.000 the caller's intent is again \"bill\""]
    );
    let same = (1..9).map(|second| intent(second * 1_000, "bill")).collect();
    assert_eq!(lines(&decide(one(), same)), NOBODY, "reported with every turn, never left");
}

#[test]
fn a_bot_that_hedges_or_contradicts_itself() {
    let one = || rules("[[rule]]\nname='h'\nkind='hedging'");
    let says = |turns: &[&str]| turns.iter().zip(1..).map(|(text, second)| (second * 1_000, bot(text, None))).collect();
    assert_eq!(
        lines(&decide(one(), says(&["I'm not entirely sure about that.", "Hm.", "I might be wrong, though."]))),
        [
            "3.000 h hedging: 1.000 the bot hedged: \"I'm not entirely sure\" + 3.000 the bot hedged: \"I might be wrong\""
        ]
    );
    assert_eq!(lines(&decide(one(), says(&["I'm not sure about that."]))), NOBODY, "once");
    let contradicts = ["Your policy covers water damage.", "Your policy does not cover water damage."];
    let both = [contradicts[0], contradicts[1], "I apologize for the confusion."];
    let decisions = decide(one(), says(&both));
    assert_eq!(decisions.len(), 1);
    assert_eq!(
        decisions[0].because[0].text,
        "the bot said \"Your policy does not cover water damage.\" after \"Your policy covers water damage.\""
    );
    let sure = ["Your order ships on Monday.", "It has not been paid yet.", "Your parcel weighs two kilos."];
    assert_eq!(lines(&decide(one(), says(&sure))), NOBODY);
    let caller_hedges = (1..9).map(|second| (second * 1_000, caller("I'm not sure"))).collect();
    assert_eq!(lines(&decide(one(), caller_hedges)), NOBODY);
}

#[test]
fn a_bot_may_ask_again_once() {
    let one = || rules("[[rule]]\nname='u'\nkind='unclear'");
    let again = |at| (at, bot("Sorry, I didn't catch that. Could you repeat it?", None));
    assert_eq!(lines(&decide(one(), vec![again(1_000)])), NOBODY, "once it may clarify");
    assert_eq!(lines(&decide(one(), vec![again(1_000), (5_000, caller("my bill")), again(9_000)])).len(), 1);
    assert_eq!(lines(&decide(one(), vec![again(1_000), again(99_000)])), NOBODY, "long ago");
}

#[test]
fn verification_and_systems_that_fail() {
    let one = |kind: &str| rules(&format!("[[rule]]\nname='a'\nkind='{kind}'"));
    let failed = |at, name, result| (at, action(name, false, result));
    let wrong = vec![failed(1_000, "verify_pin", "wrong"), failed(2_000, "verify_birthday", "wrong")];
    assert_eq!(
        lines(&decide(one("verification"), wrong.clone())),
        ["2.000 a verification: 1.000 verify_pin failed: wrong + 2.000 verify_birthday failed: wrong"]
    );
    assert_eq!(lines(&decide(one("verification"), wrong[..1].to_vec())), NOBODY);
    let mended = vec![wrong[0].clone(), (1_500, action("verify_pin", true, "")), wrong[1].clone()];
    assert_eq!(lines(&decide(one("verification"), mended)), NOBODY, "it worked in between");
    let others = vec![failed(1_000, "lookup", "x"), failed(2_000, "lookup", "x")];
    assert_eq!(lines(&decide(one("verification"), others.clone())), NOBODY);

    assert_eq!(
        lines(&decide(one("system_error"), vec![failed(1_000, "lookup", "order service timed out")])),
        ["1.000 a system_error: 1.000 lookup failed: order service timed out"]
    );
    assert_eq!(lines(&decide(one("system_error"), vec![failed(1_000, "lookup", "HTTP 503")])).len(), 1);
    assert_eq!(lines(&decide(one("system_error"), vec![failed(1_000, "lookup", "no such order")])), NOBODY);
    assert_eq!(lines(&decide(one("system_error"), vec![(1_000, action("lookup", true, "timed out once"))])), NOBODY);
}

#[test]
fn callers_worth_a_humans_time() {
    let high = rules("[[rule]]\nname='v'\nkind='high_value'\nintents=['quote*','negotiation']");
    let intent = |name: &str, confidence| {
        let high = std::sync::Arc::clone(&high);
        lines(&decide(high, vec![(1_000, FactKind::Intent { name: name.to_owned(), confidence })])).len()
    };
    assert_eq!([intent("quote_request", None), intent("negotiation", Some(0.9))], [1, 1]);
    assert_eq!([intent("quote", Some(0.5)), intent("negotiations", None), intent("faq", None)], [0, 0, 0]);

    let vip = |name: &str, value: &str| {
        let fact = FactKind::Entity { name: name.to_owned(), value: value.to_owned() };
        lines(&decide(rules("[[rule]]\nname='v'\nkind='vip'"), vec![(1_000, fact)])).join("")
    };
    assert_eq!(vip("tier", "Gold"), "1.000 v vip: 1.000 tier is \"Gold\"");
    assert_eq!([vip("tier", "basic"), vip("metal", "gold")], ["", ""]);
}

#[test]
fn middling_confidence_goes_on_and_is_flagged() {
    let mut engine = Engine::new(rules("[[rule]]\nname='low'\nkind='low_confidence'"));
    for confidence in [0.69, 0.70, 0.84, 0.85, 0.99] {
        engine.handle_fact(&at(&(1_000, bot("Delivery is free.", Some(confidence)))));
    }
    let doubts: Vec<String> = std::iter::from_fn(|| engine.poll_doubt())
        .map(|doubt| format!("{}: {}", doubt.rule, doubt.because.text))
        .collect();
    assert_eq!(
        doubts,
        ["low: confidence 0.70 on \"Delivery is free.\"", "low: confidence 0.84 on \"Delivery is free.\""]
    );
    assert_eq!(lines(&drain(&mut engine)), NOBODY);
}

#[test]
fn silence_is_nobody_heard_and_only_while_the_bot_has_the_caller() {
    let seconds = |second: u64| Instant::from_millis(second * 1_000);
    let mut engine = Engine::new(rules("[[rule]]\nname='s'\nkind='silence'\nfor_s=20"));
    assert_eq!(engine.poll_timeout(), None, "nothing has begun");
    engine.handle_speech(Speaker::Bot, true, seconds(1));
    assert_eq!(engine.poll_timeout(), None, "the bot speaks");
    engine.handle_speech(Speaker::Bot, false, seconds(5));
    assert_eq!(engine.poll_timeout(), Some((seconds(25), TimerName::Judge)));
    engine.handle_speech(Speaker::Caller, true, seconds(24));
    engine.handle_speech(Speaker::Caller, false, seconds(26));
    engine.handle_timeout(seconds(45));
    assert_eq!(lines(&drain(&mut engine)), NOBODY);
    engine.handle_timeout(seconds(46));
    assert_eq!(lines(&drain(&mut engine)), ["46.000 s silence: 26.000 nobody has been heard for 20 s"]);
    assert_eq!(engine.poll_timeout(), Some((seconds(106), TimerName::Judge)), "after its cool-down");
    engine.handle_handoff();
    assert_eq!(engine.poll_timeout(), None, "a human is fetched");
    engine.handle_fact(&at(&(60_000, FactKind::Voice(score(0.1)))));
    assert_eq!(engine.poll_timeout(), None, "still");
    engine.handle_returned(seconds(120));
    assert_eq!(engine.poll_timeout(), Some((seconds(180), TimerName::Judge)), "cooled down, silent since it is back");
}

#[test]
fn a_monologue_is_the_callers_until_the_bot_speaks_or_the_caller_pauses() {
    let seconds = |second: u64| Instant::from_millis(second * 1_000);
    let speech = |turns: &[(u64, Speaker, bool)]| {
        let mut engine = Engine::new(rules("[[rule]]\nname='m'\nkind='monologue'\nfor_s=60"));
        turns.iter().for_each(|(at, who, speaks)| engine.handle_speech(*who, *speaks, seconds(*at)));
        engine.handle_timeout(seconds(80));
        lines(&drain(&mut engine))
    };
    use Speaker::{Bot, Caller};
    assert_eq!(
        speech(&[(1, Caller, true)]),
        ["80.000 m monologue: 1.000 the caller has spoken without an answer for 79 s"]
    );
    assert_eq!(speech(&[(1, Caller, true), (30, Caller, false), (32, Caller, true)]).len(), 1, "to breathe");
    assert_eq!(speech(&[(1, Caller, true), (30, Caller, false), (34, Caller, true)]), NOBODY, "a pause");
    assert_eq!(speech(&[(1, Caller, true), (30, Bot, true), (32, Bot, false)]), NOBODY, "the bot spoke");
    assert_eq!(speech(&[(1, Caller, true), (60, Caller, false)]), NOBODY, "over");
}

#[test]
fn a_long_call_is_counted_from_the_first_word_and_anew_when_the_caller_comes_back() {
    let seconds = |second: u64| Instant::from_millis(second * 1_000);
    let mut engine = Engine::new(rules("[[rule]]\nname='t'\nkind='long_call'\nafter_s=300\ncool_down_s=0"));
    engine.handle_fact(&at(&(10_000, caller("hello"))));
    assert_eq!(engine.poll_timeout(), Some((seconds(310), TimerName::Judge)));
    engine.handle_timeout(seconds(310));
    assert_eq!(
        lines(&drain(&mut engine)),
        ["310.000 t long_call: 10.000 the caller has talked with the bot for 300 s"]
    );
    engine.handle_handoff();
    engine.handle_returned(seconds(400));
    assert_eq!(engine.poll_timeout(), Some((seconds(700), TimerName::Judge)));
}

#[test]
fn a_rule_judges_by_the_callers_latest_intent() {
    let tuned = || {
        rules(
            "[[rule]]\nname='low'\nkind='low_confidence'\n\
             [rule.when_intent.faq]\noff=true\n\
             [rule.when_intent.'medical*']\ntimes=1\nurgency='high'\n\
             [rule.when_intent.medical_bill]\nbelow=0.2\nreview_below=0.2",
        )
    };
    let intent = |name: &str| (500, FactKind::Intent { name: name.to_owned(), confidence: None });
    let after = |name, lows: u64| {
        let facts = [intent(name)].into_iter().chain((1..=lows).map(|s| (s * 1_000, bot("hm", Some(0.41))))).collect();
        decide(tuned(), facts).iter().map(|d| (d.at.as_millis(), d.urgency)).collect::<Vec<_>>()
    };
    assert_eq!(after("orders", 2), [(2_000, Urgency::Normal)]);
    assert_eq!(after("faq", 9), []);
    assert_eq!(after("medical_advice", 1), [(1_000, Urgency::High)]);
    assert_eq!(after("medical_bill", 9), [], "the exact name goes before the beginning");
}
