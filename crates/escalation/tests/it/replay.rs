//! Recorded calls, judged again.

use call_model::{FactKind, Instant, Speaker, VoiceScore};
use core::time::Duration;
use escalation::{Change, Moment, Rules, change, judge};
use std::sync::Arc;

fn rules(text: &str) -> Arc<Rules> {
    Arc::new(Rules::parse(text).expect("rules of a test"))
}

fn at(ms: u64, moment: Moment) -> (Instant, Moment) {
    (Instant::from_millis(ms), moment)
}

fn turn(text: &str, confidence: f32) -> Moment {
    let confidence = Some(confidence);
    Moment::Fact(FactKind::Turn { speaker: Speaker::Bot, text: text.to_owned(), confidence })
}

fn voice(distress: f32) -> Moment {
    let score = VoiceScore { distress, speech_ratio: 1.0, baselined: true, ..VoiceScore::default() };
    Moment::Fact(FactKind::Voice(score))
}

const CAREFUL: &str = "[[rule]]\nname = 'unsure'\nkind = 'low_confidence'\n\
                       [[rule]]\nname = 'upset'\nkind = 'distress'\n\
                       [[rule]]\nname = 'dead-air'\nkind = 'silence'\nfor_s = 20";

#[test]
fn rules_that_did_not_fire_tell_how_near_they_came() {
    let speech = |speaks| Moment::Speech { speaker: Speaker::Bot, speaks };
    let call = [
        at(1_000, speech(true)),
        at(5_000, turn("insurance coverage", 0.41)),
        at(6_000, voice(0.60)),
        at(7_000, speech(false)),
        at(24_000, speech(true)),
        at(25_000, turn("Yes.", 0.9)),
        at(26_000, Moment::End),
    ];
    let verdict = judge(&rules(CAREFUL), &call);
    assert_eq!(verdict.decisions, []);
    let near: Vec<String> = verdict.near.iter().map(|near| format!("{}: {}", near.rule, near.text)).collect();
    assert_eq!(near, ["dead-air: 17 s of 20 s", "unsure: 1 of 2", "upset: highest 0.60 of 0.70"]);
    assert_eq!(verdict.near[1].because[0].text, "confidence 0.41 on \"insurance coverage\"");
    assert_eq!(verdict.near[2].because[0].text, "distress 0.60, and 0.70 counts");
    let sure = [at(5_000, turn("It is the third of May.", 0.75)), at(6_000, Moment::End)];
    assert_eq!(judge(&rules(CAREFUL), &sure).near[0].text, "lowest 0.75, low is under 0.70");
}

#[test]
fn a_change_is_told_up_to_the_moment_a_human_was_fetched() {
    let call = [
        at(5_000, turn("insurance coverage", 0.41)),
        at(9_000, turn("insurance coverage, perhaps", 0.45)),
        at(9_000, Moment::Handoff),
        at(40_000, turn("What else?", 0.10)),
        at(60_000, Moment::End),
    ];
    let was = Some((Instant::from_millis(9_000), "unsure"));
    let told = |text: &str| change(&rules(text), &call, was);
    assert_eq!(told(CAREFUL), Change::None);
    let once = "[[rule]]\nname = 'unsure'\nkind = 'low_confidence'\ntimes = 1";
    assert!(
        matches!(told(once), Change::Sooner(by, decision) if by == Duration::from_secs(4) && decision.rule == "unsure")
    );
    let thrice = "[[rule]]\nname = 'unsure'\nkind = 'low_confidence'\ntimes = 3";
    assert_eq!(told(thrice), Change::NotBy(Instant::from_millis(9_000)), "the third came when a human had the caller");
    let renamed = "[[rule]]\nname = 'guessing'\nkind = 'low_confidence'";
    assert!(matches!(told(renamed), Change::Reason(decision) if decision.rule == "guessing"));
    assert!(matches!(change(&rules(CAREFUL), &call, None), Change::Called(_)));
}

#[test]
fn versions_of_a_file_differ_and_the_same_text_is_the_same_version() {
    let version = |text: &str| rules(text).version();
    assert_eq!(version(CAREFUL), version(CAREFUL));
    assert_ne!(version(CAREFUL), version(&CAREFUL.replace("20", "21")));
    assert_eq!(rules(CAREFUL).text(), CAREFUL);
}
