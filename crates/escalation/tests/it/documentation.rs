//! docs/rules.md says what the parser does.

use escalation::{Conversation, Rules};
use std::sync::Arc;

const PAGE: &str = include_str!("../../../../docs/rules.md");

#[test]
fn the_examples_of_the_page_are_what_they_say() {
    let examples: Vec<&str> = PAGE.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [rule, by_intent, conversation] = examples[..] else { panic!("{examples:?}") };
    assert_eq!(Rules::parse(rule).map(|rules| rules.rules().len()), Ok(1));
    assert_eq!(Rules::parse(by_intent).map(|rules| rules.rules()[0].by_intent.len()), Ok(2));
    let conversations = Conversation::parse(conversation).expect("a conversation");
    let decision = conversations[0].play(&Arc::new(Rules::default_pack()));
    assert_eq!(decision.map(|decision| decision.rule), conversations[0].expect);
}

#[test]
fn every_kind_and_every_field_is_explained() {
    let unknown = Rules::parse("[[rule]]\nname='x'\nkind='?'").expect_err("no such kind");
    let kinds = unknown[0].text.split_once("one of ").map(|(_, kinds)| kinds).expect("the complaint lists the kinds");
    let fields = include_str!("../../src/parse.rs").split('"').skip(1).step_by(2).filter(|text| is_field(text));
    for word in kinds.split(", ").chain(fields) {
        assert!(PAGE.contains(&format!("`{word}`")), "docs/rules.md does not explain `{word}`");
    }
}

/// Names of fields, among all texts of the parser.
fn is_field(text: &str) -> bool {
    let name = text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    name && text.len() > 3 && !["rule", "file", "line"].contains(&text)
}
