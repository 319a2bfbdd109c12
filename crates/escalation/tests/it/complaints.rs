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
        shipped = false
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
            "rule[1].phrases: missing; list at least one phrase, or leave out `shipped`",
            "rule[2].kind: `telepathy` is not a kind; one of asked, key, emergency, compliance, legal, medical, minors, \
         fraud, dispute, cancellation, vulnerable, bot_down, bot_escalates, distress, low_confidence, failed_attempts, \
         frustration, same_question, loop, hedging, unclear, verification, system_error, high_value, vip, silence, \
         monologue, long_call",
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
        complaints("[[rule]]\nname='a'\nkind='asked'\nevent=false\nshipped=false"),
        ["rule[0].phrases: missing; list at least one phrase, or leave out `shipped`"]
    );
}

#[test]
fn every_wrong_field_of_the_newer_kinds_is_named() {
    for (fields, complaint) in [
        (
            "kind='low_confidence'\nbelow=0.8\nreview_below=0.7",
            "review_below: 0.7 is under `below` 0.8; it must not be",
        ),
        ("kind='frustration'\nwith_distress=2", "with_distress: 2 is not between 0 and 1"),
        ("kind='frustration'\nfuse_s=-1", "fuse_s: -1 is not between 0 and 86400 seconds"),
        ("kind='frustration'\nshipped=1", "shipped: expected true or false, found integer"),
        ("kind='fraud'\nshipped=false", "phrases: missing; list at least one phrase, or leave out `shipped`"),
        ("kind='same_question'\nalike='very'", "alike: expected a number from 0 to 1, found string"),
        ("kind='loop'\ntimes=11", "times: expected a whole number from 1 to 10, found integer"),
        ("kind='hedging'\nwithin_s=0", "within_s: 0 is not between 1 and 86400 seconds"),
        ("kind='unclear'\nphrases=['a?']", "phrases[0]: the phrase needs at least one word that is not optional"),
        ("kind='verification'\nactions=[]", "actions: write a list of 1 to 100 texts, none of them empty"),
        ("kind='system_error'\nunless=7", "unless: expected a list of phrases, found integer"),
        ("kind='high_value'\nintents=['']", "intents: write a list of 1 to 100 texts, none of them empty"),
        ("kind='high_value'\nconfidence=70", "confidence: 70 is not between 0 and 1"),
        ("kind='vip'\nentity=1", "entity: expected a text in quotes, found integer"),
        ("kind='vip'\nvalues='gold'", "values: write a list of 1 to 100 texts, none of them empty"),
        ("kind='silence'\nfor_s=0", "for_s: 0 is not between 1 and 86400 seconds"),
        ("kind='monologue'\nfor_s='long'", "for_s: expected a number of seconds, found string"),
        ("kind='long_call'\nfor_s=9", "for_s: not known for a rule of kind `long_call`"),
    ] {
        let file = format!("[[rule]]\nname='a'\n{fields}");
        assert_eq!(complaints(&file), [format!("rule[0].{complaint}")], "{fields}");
    }
}

#[test]
fn what_differs_by_intent_is_checked_with_the_rule_around_it() {
    let file = r#"
        [[rule]]
        name = "voice"
        kind = "distress"
        [rule.when_intent.refund]
        threshold = 0.4
        [rule.when_intent.billing]
        threshold = 7
        loudness = 1
        [rule.when_intent.greeting]
        off = true
        for_s = 3
        [rule.when_intent.praise]
        kind = "asked"
        [[rule]]
        name = "faq"
        kind = "loop"
        when_intent = { faq = 3 }
        [[rule]]
        name = "help"
        kind = "emergency"
        [rule.when_intent.refund]
        off = true
        [[rule]]
        name = "low"
        kind = "low_confidence"
        when_intent = 1
        [[rule]]
        name = "broken"
        kind = "loop"
        alike = 3
        [rule.when_intent.refund]
        times = 0
    "#;
    assert_eq!(
        complaints(file),
        [
            "rule[0].when_intent.billing.threshold: 7 is not between 0 and 1",
            "rule[0].when_intent.billing.loudness: not known for a rule of kind `distress`",
            "rule[0].when_intent.greeting.off: cannot differ by intent; to switch the rule off write `off = true` alone",
            "rule[0].when_intent.praise.kind: cannot differ by intent; to switch the rule off write `off = true` alone",
            "rule[0].when_intent.refund.clear_below: 0.5 is over the threshold 0.4; it must not be",
            "rule[1].when_intent.faq: write the fields that differ as a table",
            "rule[2].when_intent: a hard rule holds whatever the intent; leave this out",
            "rule[3].when_intent: write each intent as a table that begins with [rule.when_intent.NAME]",
            "rule[4].alike: 3 is not between 0 and 1",
            "rule[4].when_intent.refund.times: expected a whole number from 1 to 10, found integer",
        ]
    );
}

fn complaints(file: &str) -> Vec<String> {
    Rules::parse(file).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}
