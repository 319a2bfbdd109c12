//! A bad rules file is refused with everything that is wrong with it.

use escalation::Rules;

#[test]
fn every_mistake_is_named_at_once_with_its_place() {
    let file = r#"
        colour = "red"
        [[rule]]
        name = "Loud"
        kind = "distress"
        threshold = 7
        clear_bellow = 0.4
        speech_ratio = "much"
        [[rule]]
        kind = "emergency"
        [[rule]]
        name = "x"
        kind = "telepathy"
        [[rule]]
        name = "low"
        kind = "low_confidence"
        times = 0
        urgency = "panic"
        cool_down_s = -1
        [[rule]]
        name = "low"
        kind = "asked"
        phrases = ["a human", "a?", 3]
        [[rule]]
        name = "d"
        kind = "distress"
        clear_below = 0.8
        threshold_before_baseline = 0.2
        [[rule]]
        name = "k"
        kind = "key"
        digits = "09x"
        [[rule]]
        name = 5
        kind = "bot_down"
    "#;
    assert_eq!(
        complaints(file),
        [
            "colour: not known here; a rules file holds [[rule]] tables only",
            "rule[0].name: use 1 to 40 of a-z, 0-9, - and _, for it travels in SIP headers",
            "rule[0].threshold: 7 is not between 0 and 1",
            "rule[0].speech_ratio: expected a number from 0 to 1, found string",
            "rule[0].clear_bellow: not known for a rule of kind `distress`",
            "rule[1].name: missing; write a short name for reports, such as \"caller-asked\"",
            "rule[1].phrases: missing; list at least one phrase",
            "rule[2].kind: `telepathy` is not a kind; one of asked, key, emergency, compliance, bot_down, bot_escalates, \
         distress, low_confidence, failed_attempts",
            "rule[3].urgency: `panic` is not one of normal, high, emergency",
            "rule[3].times: expected a whole number from 1 to 10, found integer",
            "rule[3].cool_down_s: -1 is not between 0 and 86400 seconds",
            "rule[4].phrases[1]: the phrase needs at least one word that is not optional",
            "rule[4].phrases[2]: expected a phrase in quotes, found integer",
            "rule[4].name: a second rule named `low`; names must differ",
            "rule[5].clear_below: 0.8 is over the threshold 0.7; it must not be",
            "rule[5].threshold_before_baseline: 0.2 is under the threshold 0.7; without a baseline ask for more, not less",
            "rule[6].digits: one or more of 0-9, *, #, A-D, such as \"0\"",
            "rule[7].name: expected a text in quotes, found integer",
        ]
    );
}

#[test]
fn what_is_no_rules_file_at_all_is_refused_with_advice() {
    for (file, complaint) in [
        ("", "rule: no rules; add at least one [[rule]] (see docs/rules.md)"),
        ("rule = []", "rule: no rules; add at least one [[rule]] (see docs/rules.md)"),
        ("rule = 3", "rule: write each rule as a table that begins with [[rule]]"),
        ("rule = [1]", "rule[0]: write each rule as a table that begins with [[rule]]"),
    ] {
        assert_eq!(complaints(file), [complaint]);
    }
    let broken = complaints("[[rule]]\nname = \"x\"\nkind = ");
    assert!(broken[0].starts_with("line 3: not TOML: "), "{broken:?}");
    assert!(complaints(&" ".repeat(2 << 20))[0].starts_with("file: 2097152 octets;"));
    assert!(complaints(&"[[rule]]\n".repeat(201))[0].starts_with("rule: 201 rules; at most 200"));
    let long = format!("[[rule]]\nname='a'\nkind='emergency'\nphrases=[{}]", "'x',".repeat(1001));
    assert_eq!(complaints(&long), ["rule[0].phrases: 1001 phrases; 1 to 1000 are allowed"]);
}

#[test]
fn numbers_that_are_no_numbers_are_refused() {
    let file = "[[rule]]\nname='a'\nkind='distress'\nthreshold=nan\nfor_s=inf";
    assert_eq!(
        complaints(file),
        ["rule[0].threshold: NaN is not between 0 and 1", "rule[0].for_s: inf is not between 0 and 86400 seconds",]
    );
}

#[test]
fn a_rule_on_words_alone_needs_words() {
    assert!(Rules::parse("[[rule]]\nname='a'\nkind='asked'").is_ok());
    assert_eq!(
        complaints("[[rule]]\nname='a'\nkind='asked'\nevent=false"),
        ["rule[0].phrases: missing; list at least one phrase"]
    );
}

fn complaints(file: &str) -> Vec<String> {
    Rules::parse(file).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}
