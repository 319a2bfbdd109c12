//! The packs that ship, and the example conversations that come with them.

use escalation::{Conversation, Rules};
use std::path::Path;
use std::sync::Arc;

const PACKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/packs");

#[test]
fn every_pack_is_in_order_and_has_its_conversations() {
    let named: Vec<String> = conversations().into_iter().filter_map(|conversation| conversation.rules).collect();
    for pack in ["healthcare", "finance", "home-services", "e-commerce"] {
        let file = format!("{pack}.toml");
        let rules = rules(&file);
        let triggers: Vec<&str> = rules.rules().iter().map(|rule| rule.trigger().as_str()).collect();
        for must in ["emergency", "asked", "dtmf", "legal", "compliance", "bot_down"] {
            assert!(triggers.contains(&must), "{pack} does not listen for {must}");
        }
        assert!(named.iter().filter(|name| **name == file).count() >= 5, "{pack} has too few conversations");
    }
}

#[test]
fn every_conversation_is_decided_as_it_says() {
    let wrong: Vec<_> = conversations()
        .iter()
        .filter_map(|conversation| {
            let decision = conversation.play(&rules(conversation.rules.as_deref().expect("each names its rules")));
            let rule = decision.as_ref().map(|decision| decision.rule.clone());
            (rule != conversation.expect).then(|| (conversation.name.clone(), conversation.expect.clone(), decision))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_file_of_conversations_that_is_wrong_is_refused_with_its_places() {
    let file = "colour = 1\n[[conversation]]\nname = 'a'\nexpect = 'x'\nmood = 1\nrules = 2\n\
                says = ['caller: hello', 'bot 7: hm', 'sings', 'wait 1 h', 3]\n[[conversation]]";
    let complaints: Vec<String> =
        Conversation::parse(file).expect_err("wrong").iter().map(|complaint| complaint.path.clone()).collect();
    assert_eq!(
        complaints,
        [
            "colour",
            "conversation[0].mood",
            "conversation[0].says[1]",
            "conversation[0].says[2]",
            "conversation[0].says[3]",
            "conversation[0].says[4]",
            "conversation[0].rules",
            "conversation[1].name",
            "conversation[1].expect",
            "conversation[1].says",
        ]
    );
    assert!(Conversation::parse("").expect_err("empty")[0].text.starts_with("none; add"));
    assert!(Conversation::parse("[[").expect_err("no TOML")[0].path.starts_with("line 1"));
}

fn conversations() -> Vec<Conversation> {
    Conversation::parse(&read("conversations.toml")).expect("config/packs/conversations.toml is in order")
}

fn rules(file: &str) -> Arc<Rules> {
    let complaints = |complaints| panic!("{file}: {complaints:#?}");
    Arc::new(Rules::parse(&read(file)).unwrap_or_else(complaints))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(PACKS).join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}
