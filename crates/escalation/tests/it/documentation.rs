//! docs/rules.md says what the parser does.

use escalation::Rules;

const PAGE: &str = include_str!("../../../../docs/rules.md");

#[test]
fn the_example_of_the_page_is_a_rules_file() {
    let example = PAGE.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    assert_eq!(Rules::parse(example).map(|rules| rules.rules().len()), Ok(1));
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
