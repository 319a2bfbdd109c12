//! TOML to rules. Walks the tables by hand, so that one reading finds every mistake.

use crate::complaint::Complaint;
use crate::phrase::Phrase;
use crate::rules::{Category, Distress, Judgement, Name, Often, Rule, Said, When};
use crate::shipped;
use call_model::{Layer, Urgency};
use core::time::Duration;
use toml::{Table, Value};

const MAX_FILE: usize = 1 << 20;
const MAX_RULES: usize = 200;
const MAX_PHRASES: usize = 1000;
const MAX_SECONDS: f64 = 86_400.0;
const MAX_NAMES: usize = 100;
const KINDS: &str = "asked, key, emergency, compliance, legal, medical, minors, fraud, dispute, cancellation, vulnerable, \
     bot_down, bot_escalates, distress, low_confidence, failed_attempts, frustration, same_question, loop, hedging, \
     unclear, verification, system_error, high_value, vip, silence, monologue, long_call";

/// Every rule, or every complaint.
pub(crate) fn rules(text: &str) -> Result<Vec<Rule>, Vec<Complaint>> {
    if text.len() > MAX_FILE {
        let what = format!("{} octets; a rules file has at most {MAX_FILE}", text.len());
        return Err(vec![Complaint::new("file", what)]);
    }
    let mut table: Table = text.parse().map_err(|error| vec![not_toml(text, &error)])?;
    let mut complaints = Vec::new();
    let listed = table.remove("rule");
    for key in table.keys() {
        complaints.push(Complaint::new(key, "not known here; a rules file holds [[rule]] tables only"));
    }
    let rules = match listed {
        Some(Value::Array(list)) => all_rules(list, &mut complaints),
        Some(_) => fail(&mut complaints, "rule", "write each rule as a table that begins with [[rule]]"),
        None => fail(&mut complaints, "rule", "no rules; add at least one [[rule]] (see docs/rules.md)"),
    };
    if complaints.is_empty() { Ok(rules) } else { Err(complaints) }
}

fn fail(complaints: &mut Vec<Complaint>, path: &str, text: &str) -> Vec<Rule> {
    complaints.push(Complaint::new(path, text));
    Vec::new()
}

pub(crate) fn not_toml(text: &str, error: &toml::de::Error) -> Complaint {
    let at = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.as_bytes().get(..at).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    Complaint::new(format!("line {line}"), format!("not TOML: {}", error.message()))
}

fn all_rules(list: Vec<Value>, complaints: &mut Vec<Complaint>) -> Vec<Rule> {
    if list.is_empty() {
        return fail(complaints, "rule", "no rules; add at least one [[rule]] (see docs/rules.md)");
    }
    if list.len() > MAX_RULES {
        return fail(complaints, "rule", &format!("{} rules; at most {MAX_RULES}", list.len()));
    }
    let mut rules: Vec<Rule> = Vec::new();
    for (index, value) in list.into_iter().enumerate() {
        let path = format!("rule[{index}]");
        let Value::Table(table) = value else {
            complaints.push(Complaint::new(path, "write each rule as a table that begins with [[rule]]"));
            continue;
        };
        let Some(rule) = rule(path, table, complaints) else { continue };
        if rules.iter().any(|other| other.name == rule.name) {
            let what = format!("a second rule named `{}`; names must differ", rule.name);
            complaints.push(Complaint::new(format!("rule[{index}].name"), what));
        }
        rules.push(rule);
    }
    rules
}

fn rule(path: String, mut table: Table, complaints: &mut Vec<Complaint>) -> Option<Rule> {
    let before = complaints.len();
    let intents = table.remove("when_intent");
    let mut reader = Reader { path: path.clone(), table, complaints };
    let name = reader.name();
    let base = reader.table.clone();
    let usual = reader.judgement()?;
    let Some(intents) = intents else { return Some(Rule { name: name?, usual, by_intent: Vec::new() }) };
    let sound = complaints.len() == before;
    let path = format!("{path}.when_intent");
    let by_intent = match intents {
        _ if usual.when.layer() == Layer::Hard => {
            complaints.push(Complaint::new(path, "a hard rule holds whatever the intent; leave this out"));
            Vec::new()
        }
        Value::Table(intents) => {
            let one = |(intent, own)| {
                let judgement = override_of(&format!("{path}.{intent}"), &base, own, sound, complaints)?;
                Some((Name(intent), judgement))
            };
            intents.into_iter().filter_map(one).collect()
        }
        _ => {
            complaints
                .push(Complaint::new(path, "write each intent as a table that begins with [rule.when_intent.NAME]"));
            Vec::new()
        }
    };
    Some(Rule { name: name?, usual, by_intent })
}

/// The rule's fields with some of its own in their place; or `off = true`. What is wrong with the rule itself was
/// complained of already.
fn override_of(
    path: &str,
    base: &Table,
    own: Value,
    sound: bool,
    complaints: &mut Vec<Complaint>,
) -> Option<Option<Judgement>> {
    let Value::Table(mut own) = own else {
        complaints.push(Complaint::new(path, "write the fields that differ as a table"));
        return None;
    };
    if own.len() == 1 && own.remove("off") == Some(Value::Boolean(true)) {
        return Some(None);
    }
    for field in ["name", "kind", "when_intent", "off"] {
        if own.remove(field).is_some() {
            let what = "cannot differ by intent; to switch the rule off write `off = true` alone";
            complaints.push(Complaint::new(format!("{path}.{field}"), what));
        }
    }
    let fields: Vec<String> = own.keys().map(|field| format!("{path}.{field}")).collect();
    let mut table = base.clone();
    table.extend(own);
    let mut found = Vec::new();
    let judgement = Reader { path: path.to_owned(), table, complaints: &mut found }.judgement();
    found.retain(|complaint| sound || fields.iter().any(|field| complaint.path.starts_with(field)));
    complaints.append(&mut found);
    judgement.map(Some)
}

/// Takes fields out of one table; what is left over at the end is unknown.
struct Reader<'a> {
    path: String,
    table: Table,
    complaints: &'a mut Vec<Complaint>,
}

impl Reader<'_> {
    /// The kind, what the rule looks for, and what follows.
    fn judgement(mut self) -> Option<Judgement> {
        let urgency = self.urgency();
        let kind = self.must("kind", &format!("one of {KINDS}"))?;
        let (when, rests) = self.when(&kind)?;
        let cool_down = self.seconds("cool_down_s", rests, 0.0);
        let lasting = if when.within().is_some() { self.seconds("for_s", 0.0, 0.0) } else { Duration::ZERO };
        let tunable = when.layer() == Layer::Tunable;
        let rearm = if tunable { self.seconds("rearm_s", 0.0, 0.0) } else { Duration::ZERO };
        if when.within().is_some_and(|within| lasting > within) {
            self.complain("for_s", "is longer than `within_s`, after which nothing counts any more".to_owned());
        }
        let unknown: Vec<String> = self.table.keys().cloned().collect();
        for field in unknown {
            self.complain(&field, format!("not known for a rule of kind `{kind}`"));
        }
        Some(Judgement { urgency, cool_down, lasting, rearm, when })
    }

    /// What the rule looks for, and its default cool-down in seconds.
    fn when(&mut self, kind: &str) -> Option<(When, f64)> {
        if let Some(category) = Category::ALL.into_iter().find(|category| category.trigger().as_str() == kind) {
            return Some((When::Category(category, self.said(kind, true)), 30.0));
        }
        Some(match kind {
            "asked" => {
                let event = self.flag("event", true);
                (When::Asked { event, said: self.said(kind, !event) }, 5.0)
            }
            "key" => (When::Key { digits: self.digits() }, 5.0),
            "bot_down" => (When::BotDown, 5.0),
            "bot_escalates" => (When::BotEscalates, 5.0),
            "distress" => (When::Distress(self.distress()), 60.0),
            "low_confidence" => (self.low_confidence(), 60.0),
            "failed_attempts" => (When::FailedAttempts(self.often(2, 300.0)), 60.0),
            "frustration" => {
                let (said, often) = (self.said(kind, true), self.often(2, 60.0));
                let with_distress = self.ratio("with_distress", 0.50);
                (When::Frustration { said, often, with_distress, fuse: self.seconds("fuse_s", 10.0, 0.0) }, 60.0)
            }
            "same_question" => {
                (When::SameQuestion { alike: self.ratio("alike", 0.60), often: self.often(3, 300.0) }, 60.0)
            }
            "loop" => (When::Loop { alike: self.ratio("alike", 0.80), often: self.often(3, 180.0) }, 60.0),
            "hedging" => {
                let (said, alike) = (self.said(kind, true), self.ratio("alike", 0.70));
                (When::Hedging { said, alike, often: self.often(2, 120.0) }, 60.0)
            }
            "unclear" => (When::Unclear { said: self.said(kind, true), often: self.often(2, 90.0) }, 60.0),
            "verification" => {
                let actions = self.names("actions", &["verify*", "authenticate*", "identify*", "check_identity"]);
                (When::Verification { actions, often: self.often(2, 300.0) }, 60.0)
            }
            "system_error" => (When::SystemError { said: self.said(kind, true), often: self.often(1, 120.0) }, 60.0),
            "high_value" => {
                let intents = self.names("intents", &["quote*", "negotiat*", "onboarding*"]);
                (When::HighValue { intents, confidence: self.ratio("confidence", 0.70) }, 300.0)
            }
            "vip" => (self.vip(), 3600.0),
            "silence" => (When::Silence(self.seconds("for_s", 20.0, 1.0)), 60.0),
            "monologue" => (When::Monologue(self.seconds("for_s", 60.0, 1.0)), 120.0),
            "long_call" => (When::LongCall(self.seconds("after_s", 600.0, 1.0)), 300.0),
            other => {
                self.complain("kind", format!("`{other}` is not a kind; one of {KINDS}"));
                return None;
            }
        })
    }

    fn low_confidence(&mut self) -> When {
        let below = self.ratio("below", 0.70);
        let review_below = self.ratio("review_below", below.max(0.85));
        if review_below < below {
            self.complain("review_below", format!("{review_below} is under `below` {below}; it must not be"));
        }
        let clear_above = self.ratio("clear_above", below);
        if clear_above < below {
            self.complain("clear_above", format!("{clear_above} is under `below` {below}; it must not be"));
        }
        let Often { times, within } = self.often(2, 120.0);
        When::LowConfidence { below, review_below, clear_above, times, within }
    }

    fn vip(&mut self) -> When {
        let entity = self.text_or("entity", "tier");
        let values = self.texts("values", &["vip", "gold", "platinum"]);
        When::Vip { entity, values: values.iter().map(|value| value.to_lowercase()).collect() }
    }

    fn often(&mut self, times: usize, within: f64) -> Often {
        Often { times: self.times(times), within: self.seconds("within_s", within, 1.0) }
    }

    fn distress(&mut self) -> Distress {
        let threshold = self.ratio("threshold", 0.70);
        let clear_below = self.ratio("clear_below", 0.50);
        let before = self.ratio("threshold_before_baseline", 0.90);
        if clear_below > threshold {
            self.complain("clear_below", format!("{clear_below} is over the threshold {threshold}; it must not be"));
        }
        if before < threshold {
            let what =
                format!("{before} is under the threshold {threshold}; without a baseline ask for more, not less");
            self.complain("threshold_before_baseline", what);
        }
        Distress {
            threshold,
            threshold_before_baseline: (!self.flag("needs_baseline", false)).then_some(before),
            clear_below,
            lasting: self.seconds("for_s", 3.0, 0.0),
            speech_ratio: self.ratio("speech_ratio", 0.30),
            forget: self.seconds("forget_s", 20.0, 1.0),
        }
    }

    /// The file's own words before those that ship for the kind.
    fn said(&mut self, kind: &str, must: bool) -> Said {
        let phrases = self.phrases("phrases");
        let unless = self.phrases("unless");
        let shipped = self.flag("shipped", true);
        if must && !shipped && phrases.is_none() {
            self.complain("phrases", "missing; list at least one phrase, or leave out `shipped`".to_owned());
        }
        let mut said = Said { phrases: phrases.unwrap_or_default(), unless: unless.unwrap_or_default() };
        if shipped {
            let with = shipped::said(kind);
            said.phrases.extend(with.phrases);
            said.unless.extend(with.unless);
        }
        said
    }

    fn names(&mut self, field: &str, default: &[&str]) -> Vec<Name> {
        self.texts(field, default).into_iter().map(Name).collect()
    }

    /// A list of texts, none of them empty.
    fn texts(&mut self, field: &str, default: &[&str]) -> Vec<String> {
        let Some(value) = self.table.remove(field) else { return default.iter().map(ToString::to_string).collect() };
        let texts = value.as_array().filter(|list| (1..=MAX_NAMES).contains(&list.len())).and_then(|list| {
            list.iter().map(|text| text.as_str().filter(|text| !text.is_empty()).map(str::to_owned)).collect()
        });
        if texts.is_none() {
            self.complain(field, format!("write a list of 1 to {MAX_NAMES} texts, none of them empty"));
        }
        texts.unwrap_or_default()
    }

    /// None: the field is not there. Bad phrases are complained of and left out.
    fn phrases(&mut self, field: &str) -> Option<Vec<Phrase>> {
        let list = match self.table.remove(field)? {
            Value::Array(list) if (1..=MAX_PHRASES).contains(&list.len()) => list,
            Value::Array(list) => {
                self.complain(field, format!("{} phrases; 1 to {MAX_PHRASES} are allowed", list.len()));
                return Some(Vec::new());
            }
            other => {
                self.wrong(field, "a list of phrases", &other);
                return Some(Vec::new());
            }
        };
        let parsed = list.iter().enumerate().filter_map(|(index, value)| {
            let path = format!("{field}[{index}]");
            let Value::String(text) = value else {
                self.wrong(&path, "a phrase in quotes", value);
                return None;
            };
            Phrase::parse(text).map_err(|what| self.complain(&path, what)).ok()
        });
        Some(parsed.collect())
    }

    fn name(&mut self) -> Option<String> {
        let name = self.must("name", "a short name for reports, such as \"caller-asked\"")?;
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 40 || !name.chars().all(fits) {
            let what = "use 1 to 40 of a-z, 0-9, - and _, for it travels in SIP headers".to_owned();
            self.complain("name", what);
        }
        Some(name)
    }

    fn urgency(&mut self) -> Urgency {
        match self.text_or("urgency", "normal").as_str() {
            "normal" => Urgency::Normal,
            "high" => Urgency::High,
            "emergency" => Urgency::Emergency,
            other => {
                self.complain("urgency", format!("`{other}` is not one of normal, high, emergency"));
                Urgency::Normal
            }
        }
    }

    fn digits(&mut self) -> Vec<char> {
        let digits: Vec<char> = self.text_or("digits", "0").chars().collect();
        let known = |c: &char| c.is_ascii_digit() || matches!(c, '*' | '#' | 'A'..='D');
        if digits.is_empty() || !digits.iter().all(known) {
            self.complain("digits", "one or more of 0-9, *, #, A-D, such as \"0\"".to_owned());
        }
        digits
    }

    fn times(&mut self, default: usize) -> usize {
        match self.table.remove("times") {
            None => default,
            Some(Value::Integer(times @ 1..=10)) => usize::try_from(times).unwrap_or(default),
            Some(other) => {
                self.wrong("times", "a whole number from 1 to 10", &other);
                default
            }
        }
    }

    fn ratio(&mut self, field: &str, default: f32) -> f32 {
        match self.number(field) {
            None => default,
            Some(Ok(number)) if (0.0..=1.0).contains(&number) => number as f32,
            Some(Ok(number)) => {
                self.complain(field, format!("{number} is not between 0 and 1"));
                default
            }
            Some(Err(other)) => {
                self.wrong(field, "a number from 0 to 1", &other);
                default
            }
        }
    }

    fn seconds(&mut self, field: &str, default: f64, least: f64) -> Duration {
        let seconds = match self.number(field) {
            None => default,
            Some(Ok(number)) if (least..=MAX_SECONDS).contains(&number) => number,
            Some(Ok(number)) => {
                self.complain(field, format!("{number} is not between {least} and {MAX_SECONDS} seconds"));
                default
            }
            Some(Err(other)) => {
                self.wrong(field, "a number of seconds", &other);
                default
            }
        };
        Duration::from_secs_f64(seconds)
    }

    fn number(&mut self, field: &str) -> Option<Result<f64, Value>> {
        Some(match self.table.remove(field)? {
            Value::Integer(number) => Ok(number as f64),
            Value::Float(number) => Ok(number),
            other => Err(other),
        })
    }

    fn flag(&mut self, field: &str, default: bool) -> bool {
        match self.table.remove(field) {
            None => default,
            Some(Value::Boolean(flag)) => flag,
            Some(other) => {
                self.wrong(field, "true or false", &other);
                default
            }
        }
    }

    fn text_or(&mut self, field: &str, default: &str) -> String {
        match self.table.remove(field) {
            None => default.to_owned(),
            Some(Value::String(text)) => text,
            Some(other) => {
                self.wrong(field, "a text in quotes", &other);
                default.to_owned()
            }
        }
    }

    fn must(&mut self, field: &str, what: &str) -> Option<String> {
        match self.table.remove(field) {
            Some(Value::String(text)) => return Some(text),
            Some(other) => self.wrong(field, "a text in quotes", &other),
            None => self.complain(field, format!("missing; write {what}")),
        }
        None
    }

    fn wrong(&mut self, field: &str, wanted: &str, got: &Value) {
        self.complain(field, format!("expected {wanted}, found {}", got.type_str()));
    }

    fn complain(&mut self, field: &str, text: String) {
        self.complaints.push(Complaint::new(format!("{}.{field}", self.path), text));
    }
}
