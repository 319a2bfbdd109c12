//! The phrases that ship: what must fire, and what must not.

use call_model::{Fact, FactKind, Instant, Speaker, Trigger};
use escalation::{Engine, Rules};
use std::sync::Arc;

#[test]
fn the_pack_that_ships_has_every_kind_of_rule() {
    let pack = Rules::parse(include_str!("../../../../config/rules.toml")).expect("config/rules.toml is in order");
    assert_eq!(pack, Rules::default_pack());
    let triggers: Vec<&str> = pack.rules().iter().map(|rule| rule.trigger().as_str()).collect();
    assert_eq!(
        triggers.join(" "),
        "emergency asked dtmf vulnerable minors fraud legal compliance medical dispute cancellation bot_down bot \
         distress low_confidence failed_attempts frustration same_question loop hedging unclear verification system_error"
    );
}

#[test]
fn asking_for_a_human_is_heard() {
    all_fire(
        Trigger::Asked,
        &[
            "I want to speak to a human",
            "can I talk to a real person",
            "let me talk to someone",
            "could you put me through to an agent please",
            "transfer me to a representative",
            "connect me with customer service",
            "Agent!",
            "operator please",
            "representative",
            "I need a human",
            "get me a manager",
            "get me your supervisor now",
            "is there someone I can speak to",
            "I'd like to speak with one of your advisors",
            "give me a real person",
            "I don't want to talk to a robot, I want a human",
            "no more bots, give me a person",
            "not a machine, a real human",
            "hand me over to a human being",
            "I want a real agent",
            "please pass me to somebody",
            "can i chat with a live agent",
            "speak to human",
            "Quiero hablar con una persona",
            "Ich möchte mit einem Menschen sprechen",
            "Je voudrais parler à un conseiller",
            "i would prefer an actual person",
            "just let me speak to your manager",
        ],
    );
}

#[test]
fn talk_about_people_is_not_a_request() {
    none_fire(&[
        "are you a human or a robot",
        "are you a real person",
        "I don't want to speak to a human",
        "please don't transfer me to an agent",
        "I was just talking to someone about this",
        "my real estate agent told me so",
        "the person at the door took the parcel",
        "I am a human resources manager",
        "who is the manager of the store",
        "I spoke to a representative yesterday",
        "my agent number is 42",
        "can you talk slower",
        "you are a very helpful agent",
        "how many people are in the queue",
        "it is for one person",
        "I'd like a table for four people",
        "operator error I guess",
        "I never asked for a person",
        "the human body",
        "I have a person to pick up at nine",
    ]);
}

#[test]
fn emergencies_are_heard() {
    all_fire(
        Trigger::Emergency,
        &[
            "I can't breathe",
            "my husband cannot breathe",
            "she is not breathing",
            "I think I'm having a heart attack",
            "I have chest pains",
            "there's a pain in my left chest",
            "my father is unconscious",
            "she passed out",
            "he took a lot of pills",
            "I want to kill myself",
            "I am going to end my life",
            "I don't want to live anymore",
            "he is suicidal",
            "send an ambulance",
            "we need an ambulance right now",
            "my house is on fire",
            "I can smell gas in the kitchen",
            "there is a gas leak",
            "someone is breaking into my house",
            "he has a gun",
            "call the police",
            "please call 911",
            "call 9-1-1",
            "this is an emergency",
            "it's not an emergency line I know but I can't breathe",
            "the bleeding won't stop",
            "the baby is choking",
            "He's having a seizure",
            "ICH BEKOMME KEINE LUFT",
            "no puedo respirar",
            "c'est une urgence",
        ],
    );
}

#[test]
fn talk_about_emergencies_is_not_one() {
    none_fire(&[
        "it's not an emergency",
        "this isn't an emergency, just a question",
        "I want to change my emergency contact",
        "the emergency exit sign I ordered",
        "your bill nearly gave me a heart attack",
        "it was a stroke of luck",
        "the waiting is killing me",
        "I bought a fire extinguisher",
        "how much is the gas bill",
        "my fire TV stick does not turn on",
        "the price of the pills",
        "I need a police report for the insurance",
        "can I breathe life into this old phone",
        "heart rate monitor",
        "order number 9 1 2",
        "the share prices collapsed",
        "I am dying to know",
        "do you sell carbon paper",
        "my life insurance ends in may",
        "the knife set I ordered",
    ]);
}

#[test]
fn compliance_words_are_heard() {
    all_fire(
        Trigger::Compliance,
        &[
            "I want to make a formal complaint",
            "I'd like to file a complaint",
            "I'm going to the ombudsman",
            "I will report you to the regulator",
            "delete all my data",
            "under GDPR I have rights",
            "this is a data breach",
            "stop recording me",
            "I do not consent to this",
            "that is discrimination",
        ],
    );
}

#[test]
fn compliance_near_misses() {
    none_fire(&[
        "I'm a lawyer and need an invoice",
        "I hold power of attorney for my mother",
        "my name is Sue",
        "the tennis court booking",
        "I have no complaints at all",
        "turn on fraud alerts please",
        "how do I delete a contact",
        "what is your privacy policy",
        "can you record my meter reading",
        "how much data do I have left",
        "I lost my card",
        "change my account",
    ]);
}

fn all_fire(trigger: Trigger, texts: &[&str]) {
    let missed: Vec<_> = texts.iter().filter(|text| heard(text) != Some(trigger)).map(|t| (t, heard(t))).collect();
    assert!(missed.is_empty(), "not heard as {trigger}: {missed:#?}");
}

fn none_fire(texts: &[&str]) {
    let fired: Vec<_> = texts.iter().filter_map(|text| Some((text, decision(text)?))).collect();
    assert!(fired.is_empty(), "should not fire: {fired:#?}");
}

fn heard(text: &str) -> Option<Trigger> {
    decision(text).map(|(trigger, _)| trigger)
}

fn decision(text: &str) -> Option<(Trigger, String)> {
    let mut engine = Engine::new(Arc::new(Rules::default_pack()));
    let kind = FactKind::Turn { speaker: Speaker::Caller, text: text.to_owned(), confidence: None };
    engine.handle_fact(&Fact { at: Instant::from_millis(1), kind });
    engine.poll_output().map(|decision| (decision.trigger, decision.because[0].text.clone()))
}
