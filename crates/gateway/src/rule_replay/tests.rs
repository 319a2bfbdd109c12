use super::*;
use crate::cli::Record;
use call_model::{
    EndCause, EndReason, Fact, FactKind, Party, Redacted, Speaker, TraceEvent, TraceKind, TransferState, VoiceScore,
    WallAnchor,
};
use ledger::Ledger;

const RULES: &str = "[[rule]]\nname = 'unsure'\nkind = 'low_confidence'\n[[rule]]\nname = 'upset'\nkind = 'distress'\n\
                     [[rule]]\nname = 'dead-air'\nkind = 'silence'\nfor_s = 20\n";

/// A ledger in a file of its own that goes with the test.
struct Kept {
    folder: PathBuf,
    ledger: Ledger,
}

impl Kept {
    fn new(name: &str, rules: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("warmline-replay-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
        let wall = WallAnchor { at: Instant::ZERO, unix_ms: now - 3_600_000 };
        let keep = Some(Duration::from_secs(86_400));
        let ledger = Ledger::open_keeping(&Place::File(folder.join("ledger")), wall, keep).expect("a ledger");
        let rules = Rules::parse(rules).expect("rules of a test");
        ledger.rules(&rules.version(), rules.text(), Instant::ZERO);
        Self { folder, ledger }
    }

    fn place(&self) -> Record {
        Record { ledger: Some(self.folder.join("ledger")), config: None }
    }

    fn rules(&self, text: &str) -> PathBuf {
        let path = self.folder.join("new.toml");
        std::fs::write(&path, text).expect("written");
        path
    }

    fn event(&self, call: u64, ms: u64, kind: TraceKind) {
        self.ledger.record(&TraceEvent { at: Instant::from_millis(ms), call: Some(CallId(call)), kind });
    }

    fn fact(&self, call: u64, ms: u64, kind: FactKind) {
        self.event(call, ms, TraceKind::Fact(Fact { at: Instant::from_millis(ms), kind }));
    }

    fn began(&self, call: u64, ms: u64) {
        let (from, to) = (Redacted::new("+447700900123"), Redacted::new("+442079460958"));
        self.event(call, ms, TraceKind::Began { from, to, trunk: "carrier".into(), session_id: "f8".repeat(16) });
    }

    fn ended(&self, call: u64, ms: u64) {
        let cause = EndCause::new(Party::Caller, EndReason::HungUp);
        self.event(call, ms, TraceKind::Ended { cause });
    }

    fn turn(&self, call: u64, ms: u64, speaker: Speaker, text: &str, confidence: Option<f32>) {
        self.fact(call, ms, FactKind::Turn { speaker, text: text.to_owned(), confidence });
    }

    /// What the rules decide of these facts, written down as the switchboard does.
    fn handed_over(&self, call: u64, rule: &str, ms: u64) {
        let rules = Rules::parse(RULES).expect("rules of a test");
        let trigger = rules.rules().iter().find(|known| known.name == rule).map(escalation::Rule::trigger);
        let at = Instant::from_millis(ms);
        let decision = Decision {
            at,
            rule: rule.to_owned(),
            trigger: trigger.unwrap_or(call_model::Trigger::Operator),
            layer: call_model::Layer::Tunable,
            urgency: call_model::Urgency::Normal,
            because: vec![call_model::Because { at, text: "it was so".to_owned() }],
        };
        self.event(call, ms, TraceKind::Decided(decision));
        self.event(call, ms, TraceKind::State { from: TransferState::WithBot, to: TransferState::Consulting });
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.ledger.close();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Three calls: the first is handed over for two unsure answers, the second has one, the third an operator took.
fn three_calls(name: &str) -> Kept {
    let kept = Kept::new(name, RULES);
    kept.began(1, 1_000);
    kept.turn(1, 5_000, Speaker::Bot, "insurance coverage", Some(0.41));
    kept.turn(1, 9_000, Speaker::Bot, "coverage for basements", Some(0.55));
    kept.handed_over(1, "unsure", 9_000);
    kept.ended(1, 60_000);
    kept.began(2, 2_000);
    kept.turn(2, 5_000, Speaker::Bot, "delivery", Some(0.62));
    kept.event(2, 7_000, TraceKind::Speech { speaker: Speaker::Bot, speaks: false });
    kept.ended(2, 19_000);
    kept.began(3, 3_000);
    kept.turn(3, 5_000, Speaker::Caller, "hello there", None);
    kept.handed_over(3, "operator", 9_000);
    kept.ended(3, 60_000);
    kept.ledger.calls(1).expect("an answer");
    kept
}

#[test]
fn a_call_is_explained_by_the_rules_that_it_had() {
    let kept = three_calls("explain");
    // Rules that come later change nothing about calls that were.
    kept.ledger.rules("other", "[[rule]]\nname = 'zero'\nkind = 'key'\n", Instant::from_millis(70_000));
    let told = explain(&CallId(1).to_string(), &kept.place()).expect("told");
    assert!(told.contains("  0:08.0  unsure (low_confidence, tunable)\n"), "{told}");
    assert!(told.contains("    0:04.0  confidence 0.41 on \"insurance coverage\"\n"), "{told}");
    assert!(told.contains("second low in a row"), "{told}");
    let told = explain(&CallId(2).to_string(), &kept.place()).expect("told");
    assert!(told.contains("no rule decided"), "{told}");
    assert!(told.contains("  dead-air                 12 s of 20 s\n"), "{told}");
    assert!(told.contains("  unsure                   1 of 2\n"), "{told}");
    let told = explain(&CallId(3).to_string(), &kept.place()).expect("told");
    assert!(told.contains("  0:06.0  operator: decided outside the rules file\n"), "{told}");
    let unknown = explain(&CallId(9).to_string(), &kept.place()).expect_err("there is none").to_string();
    assert!(unknown.contains("knows no call"), "{unknown}");
}

#[test]
fn replay_tells_which_calls_change_and_what_cannot_be_judged() {
    let kept = three_calls("replay");
    // Of this one nothing was recorded, and of the next something that does not lead to what was decided.
    kept.began(4, 4_000);
    kept.ended(4, 9_000);
    kept.began(5, 5_000);
    kept.turn(5, 6_000, Speaker::Bot, "Certainly.", Some(0.99));
    kept.handed_over(5, "unsure", 9_000);
    kept.ended(5, 12_000);
    kept.ledger.calls(1).expect("an answer");
    let once = kept.rules(&RULES.replace("'low_confidence'", "'low_confidence'\ntimes = 1"));
    let told = replay(&once, Duration::from_secs(86_400), &kept.place(), true).expect("told");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let counts =
        ["judged", "unchanged", "sooner", "called", "not_recorded", "unexplained"].map(|key| told[key].as_u64());
    assert_eq!(counts, [3, 1, 1, 1, 1, 1].map(Some), "{told}");
    assert_eq!(
        (told["changed"][0]["what"].as_str(), told["by_rule"]["unsure"].as_u64()),
        (Some("4.0 s sooner, unsure"), Some(2))
    );
    let words = replay(&once, Duration::from_secs(86_400), &kept.place(), false).expect("told");
    assert!(words.contains("a human at 0:03.0, unsure (was: no rule)"), "{words}");
    let never = kept.rules("[[rule]]\nname = 'zero'\nkind = 'key'\n");
    let words = replay(&never, Duration::from_secs(86_400), &kept.place(), false).expect("told");
    assert!(words.contains("no human by 0:08.0 (was: unsure)"), "{words}");
    let none = replay(&never, Duration::from_secs(60), &kept.place(), false).expect("told");
    assert!(none.starts_with("      0 calls judged again\n"), "an hour ago is not within a minute: {none}");
    let bad = kept.rules("[[rule]]\nname = 'a'\nkind = 'b'\n[[rule]]\nname = '?'\nkind = 'key'\n");
    let refused = replay(&bad, Duration::from_secs(60), &kept.place(), false).expect_err("refused").to_string();
    assert!(refused.contains("rule[0].kind") && refused.contains("rule[1].name"), "{refused}");
}

/// Three minutes each: a voice a second, who speaks, twenty turns, an intent and an action, judged by the general pack.
#[test]
fn recorded_calls_are_judged_again_as_they_were() {
    const CALLS: u64 = 500;
    const SAID: [&str; 20] = [
        "Good morning, I moved house last week",
        "Welcome back, which town is it now",
        "Leeds, near the station",
        "Thank you, and the postcode please",
        "Lima Sierra one, four Delta Yankee",
        "That street is on our list already",
        "My neighbour told me about paper bills",
        "They arrive on the third of every month",
        "Could mine come by email instead",
        "Certainly, your address ends in example dot org",
        "Right, and my daughter pays half of it",
        "Two payers are no trouble for us",
        "She banks with somebody else though",
        "Any bank in the country will do",
        "Lovely, what about the meter reading",
        "A photograph of the dial is enough",
        "I shall take one this afternoon",
        "Send it whenever suits you best",
        "Many thanks for sorting this out",
        "Enjoy the new garden",
    ];
    let kept = Kept::new("rate", Rules::default_pack().text());
    for call in 1..=CALLS {
        kept.began(call, 1_000);
        kept.fact(call, 4_000, FactKind::Intent { name: "late_fee".into(), confidence: Some(0.93) });
        for second in 0..180 {
            let ms = 5_000 + second * 1_000 + call % 7;
            let score = VoiceScore { distress: 0.2, speech_ratio: 0.8, baselined: true, ..VoiceScore::default() };
            kept.fact(call, ms, FactKind::Voice(score));
            let speaker = if second % 18 < 9 { Speaker::Caller } else { Speaker::Bot };
            if second % 3 < 2 {
                kept.event(call, ms + 1, TraceKind::Speech { speaker, speaks: second % 3 == 0 });
            }
            if second % 9 == 8 {
                kept.turn(call, ms + 2, speaker, SAID[second as usize / 9], Some(0.95));
            }
        }
        let result = "found".to_owned();
        kept.fact(call, 186_500, FactKind::Action { name: "lookup".into(), succeeded: true, result });
        kept.ended(call, 190_000);
        if call % 50 == 0 {
            kept.ledger.calls(1).expect("an answer");
        }
    }
    kept.ledger.calls(1).expect("an answer");
    assert_eq!(kept.ledger.health().dropped, 0);
    let report = open(&kept.place()).expect("a ledger");
    let rules = Arc::new(Rules::default_pack());
    let started = std::time::Instant::now();
    let sums = Sums::of(&report, &rules, 0).expect("judged");
    let took = started.elapsed();
    assert_eq!(sums.judged() as u64, CALLS, "{}", sums.json());
    let rate = CALLS as f64 * 60.0 / took.as_secs_f64();
    eprintln!("{CALLS} calls of three minutes in {:.2} s: {rate:.0} calls a minute", took.as_secs_f64());
}
