//! Example conversations with the decision each must come to: how people who own rules test them.

use crate::complaint::Complaint;
use crate::engine::Engine;
use crate::rules::Rules;
use call_model::{Decision, Fact, FactKind, Instant, Speaker, VoiceScore};
use core::time::Duration;
use std::sync::Arc;
use toml::{Table, Value};

/// A conversation as it may happen, and the rule that must decide in it.
#[derive(Clone, PartialEq, Debug)]
pub struct Conversation {
    /// What it shows.
    pub name: String,
    /// The rule that must decide first; none: nothing may decide.
    pub expect: Option<String>,
    /// The rules file that it is about, as its own file names it.
    pub rules: Option<String>,
    steps: Vec<Step>,
}

#[derive(Clone, PartialEq, Debug)]
enum Step {
    Fact(FactKind),
    Wait(Duration),
    /// One voice window a second.
    Voice(f32, u64),
}

const MAX_FILE: usize = 1 << 20;
const HOW: &str = "write `caller: words`, `bot: words`, `bot 0.41: words`, `intent NAME`, `intent NAME 0.9`, \
     `entity NAME = VALUE`, `action NAME ok`, `action NAME failed: result`, `voice 0.8 for 5 s`, `wait 20 s`, `key 0`, \
     `asked for a human`, `escalates: reason` or `bot down: reason`";
/// How long a word takes to say.
const WORD: Duration = Duration::from_millis(400);

impl Conversation {
    /// Reads a file of conversations; every complaint at once.
    pub fn parse(text: &str) -> Result<Vec<Self>, Vec<Complaint>> {
        if text.len() > MAX_FILE {
            return Err(vec![Complaint::new("file", format!("{} octets; at most {MAX_FILE}", text.len()))]);
        }
        let table: Table = text.parse().map_err(|error| vec![crate::parse::not_toml(text, &error)])?;
        let mut complaints = Vec::new();
        for key in table.keys().filter(|key| *key != "conversation") {
            complaints.push(Complaint::new(key, "not known here; a file holds [[conversation]] tables only"));
        }
        let listed = table.get("conversation").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if listed.is_empty() {
            complaints
                .push(Complaint::new("conversation", "none; add at least one [[conversation]] (see docs/rules.md)"));
        }
        let read = listed
            .iter()
            .enumerate()
            .filter_map(|(index, value)| conversation(&format!("conversation[{index}]"), value, &mut complaints));
        let conversations = read.collect();
        if complaints.is_empty() { Ok(conversations) } else { Err(complaints) }
    }

    /// Plays it against rules: the first decision, if one is taken.
    pub fn play(&self, rules: &Arc<Rules>) -> Option<Decision> {
        let mut engine = Engine::new(Arc::clone(rules));
        let mut now = Instant::from_millis(1_000);
        self.steps.iter().find_map(|step| {
            match step {
                Step::Fact(kind) => {
                    let spoken = match kind {
                        FactKind::Turn { speaker, text, .. } => Some((*speaker, text.split_whitespace().count())),
                        _ => None,
                    };
                    if let Some((speaker, words)) = spoken {
                        engine.handle_speech(speaker, true, now);
                        pass(&mut engine, &mut now, WORD.saturating_mul(u32::try_from(words).unwrap_or(u32::MAX)));
                        engine.handle_speech(speaker, false, now);
                    }
                    engine.handle_fact(&Fact { at: now, kind: kind.clone() });
                }
                Step::Wait(lasting) => pass(&mut engine, &mut now, *lasting),
                Step::Voice(distress, seconds) => {
                    for _ in 0..*seconds {
                        pass(&mut engine, &mut now, Duration::from_secs(1));
                        let score = VoiceScore {
                            distress: *distress,
                            speech_ratio: 1.0,
                            baselined: true,
                            ..VoiceScore::default()
                        };
                        engine.handle_fact(&Fact { at: now, kind: FactKind::Voice(score) });
                    }
                }
            }
            engine.poll_output()
        })
    }
}

/// Lets time pass, and everything that is due happen on the way.
fn pass(engine: &mut Engine, now: &mut Instant, lasting: Duration) {
    let end = *now + lasting;
    while let Some((due, _)) = engine.poll_timeout().filter(|(due, _)| *due <= end && *due > *now) {
        *now = due;
        engine.handle_timeout(due);
    }
    *now = end;
    engine.handle_timeout(end);
}

fn conversation(path: &str, value: &Value, complaints: &mut Vec<Complaint>) -> Option<Conversation> {
    let mut complain = |field: &str, text: String| complaints.push(Complaint::new(format!("{path}{field}"), text));
    let Some(table) = value.as_table() else {
        complain("", "write each conversation as a table that begins with [[conversation]]".to_owned());
        return None;
    };
    for field in table.keys().filter(|field| !["name", "expect", "rules", "says"].contains(&field.as_str())) {
        complain(&format!(".{field}"), "not known; a conversation has name, expect, rules and says".to_owned());
    }
    let text = |field: &str| table.get(field).and_then(Value::as_str).map(str::to_owned);
    let name = text("name");
    if name.is_none() {
        complain(".name", "missing; write what the conversation shows".to_owned());
    }
    let expect = text("expect");
    if expect.is_none() {
        complain(".expect", "missing; write the name of the rule that must decide, or \"nothing\"".to_owned());
    }
    let says = table.get("says").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if says.is_empty() {
        complain(".says", format!("missing; list what happens: {HOW}"));
    }
    let mut steps = Vec::new();
    for (index, line) in says.iter().enumerate() {
        match line.as_str().and_then(step) {
            Some(step) => steps.push(step),
            None => complain(&format!(".says[{index}]"), format!("`{line}` is not understood; {HOW}")),
        }
    }
    let rules = table.get("rules").map(|rules| rules.as_str().map(str::to_owned));
    if rules == Some(None) {
        complain(".rules", "write the path of a rules file in quotes, as seen from this file".to_owned());
    }
    let expect = expect?;
    Some(Conversation { name: name?, expect: (expect != "nothing").then_some(expect), rules: rules.flatten(), steps })
}

fn step(line: &str) -> Option<Step> {
    let (head, rest) =
        line.split_once(':').map_or((line.trim(), None), |(head, rest)| (head.trim(), Some(rest.trim())));
    let words: Vec<&str> = head.split_whitespace().collect();
    let fact = match (words.as_slice(), rest) {
        (["caller" | "bot"], Some(text)) => turn(head, text, None),
        ([who @ ("caller" | "bot"), figure], Some(text)) => turn(who, text, Some(ratio(figure)?)),
        (["intent", name], None) => FactKind::Intent { name: (*name).to_owned(), confidence: None },
        (["intent", name, figure], None) => {
            FactKind::Intent { name: (*name).to_owned(), confidence: Some(ratio(figure)?) }
        }
        (["entity", name, "=", value @ ..], None) => {
            FactKind::Entity { name: (*name).to_owned(), value: value.join(" ") }
        }
        (["action", name, "ok"], None) => action(name, true, ""),
        (["action", name, "failed"], result) => action(name, false, result.unwrap_or_default()),
        (["voice", figure, "for", seconds, "s"], None) => {
            return Some(Step::Voice(ratio(figure)?, seconds.parse().ok().filter(|seconds| *seconds <= 3_600)?));
        }
        (["wait", seconds, "s"], None) => {
            let seconds = seconds.parse::<u64>().ok().filter(|seconds| *seconds <= 86_400)?;
            return Some(Step::Wait(Duration::from_secs(seconds)));
        }
        (["key", key], None) => FactKind::LoneDigit(key.parse().ok()?),
        (["asked", "for", "a", "human"], None) => FactKind::AskedForHuman,
        (["escalates"], Some(because)) => FactKind::BotEscalates { because: because.to_owned() },
        (["bot", "down"], why) => FactKind::BotDown { why: why.unwrap_or_default().to_owned() },
        _ => return None,
    };
    Some(Step::Fact(fact))
}

fn turn(who: &str, text: &str, confidence: Option<f32>) -> FactKind {
    let speaker = if who == "caller" { Speaker::Caller } else { Speaker::Bot };
    FactKind::Turn { speaker, text: text.to_owned(), confidence }
}

fn action(name: &str, succeeded: bool, result: &str) -> FactKind {
    FactKind::Action { name: name.to_owned(), succeeded, result: result.to_owned() }
}

fn ratio(text: &str) -> Option<f32> {
    text.parse().ok().filter(|figure| (0.0..=1.0).contains(figure))
}
