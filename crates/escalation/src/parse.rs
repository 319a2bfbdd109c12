//! TOML to rules. Walks the tables by hand, so that one reading finds every mistake.

use crate::complaint::Complaint;
use crate::phrase::Phrase;
use crate::rules::{Distress, Rule, Said, When};
use call_model::Urgency;
use core::time::Duration;
use toml::{Table, Value};

const MAX_FILE: usize = 1 << 20;
const MAX_RULES: usize = 200;
const MAX_PHRASES: usize = 1000;
const MAX_SECONDS: f64 = 86_400.0;
const KINDS: &str =
    "asked, key, emergency, compliance, bot_down, bot_escalates, distress, low_confidence, failed_attempts";

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

fn not_toml(text: &str, error: &toml::de::Error) -> Complaint {
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
        let Some(rule) = Reader { path, table, complaints }.rule() else { continue };
        if rules.iter().any(|other| other.name == rule.name) {
            let what = format!("a second rule named `{}`; names must differ", rule.name);
            complaints.push(Complaint::new(format!("rule[{index}].name"), what));
        }
        rules.push(rule);
    }
    rules
}

/// Takes fields out of one table; what is left over at the end is unknown.
struct Reader<'a> {
    path: String,
    table: Table,
    complaints: &'a mut Vec<Complaint>,
}

impl Reader<'_> {
    fn rule(mut self) -> Option<Rule> {
        let name = self.name();
        let urgency = self.urgency();
        let kind = self.must("kind", &format!("one of {KINDS}"))?;
        let (when, rests) = self.when(&kind)?;
        let cool_down = self.seconds("cool_down_s", rests, 0.0);
        let unknown: Vec<String> = self.table.keys().cloned().collect();
        for field in unknown {
            self.complain(&field, format!("not known for a rule of kind `{kind}`"));
        }
        Some(Rule { name: name?, urgency, cool_down, when })
    }

    /// What the rule looks for, and its default cool-down in seconds.
    fn when(&mut self, kind: &str) -> Option<(When, f64)> {
        Some(match kind {
            "asked" => {
                let event = self.flag("event", true);
                (When::Asked { event, said: self.said(!event) }, 5.0)
            }
            "key" => (When::Key { digits: self.digits() }, 5.0),
            "emergency" => (When::Emergency(self.said(true)), 30.0),
            "compliance" => (When::Compliance(self.said(true)), 30.0),
            "bot_down" => (When::BotDown, 5.0),
            "bot_escalates" => (When::BotEscalates, 5.0),
            "distress" => (When::Distress(self.distress()), 60.0),
            "low_confidence" => {
                let below = self.ratio("below", 0.70);
                let times = self.times();
                (When::LowConfidence { below, times, within: self.seconds("within_s", 120.0, 1.0) }, 60.0)
            }
            "failed_attempts" => {
                let times = self.times();
                (When::FailedAttempts { times, within: self.seconds("within_s", 300.0, 1.0) }, 60.0)
            }
            other => {
                self.complain("kind", format!("`{other}` is not a kind; one of {KINDS}"));
                return None;
            }
        })
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

    fn said(&mut self, must: bool) -> Said {
        let phrases = self.phrases("phrases");
        let unless = self.phrases("unless");
        if must && phrases.is_none() {
            self.complain("phrases", "missing; list at least one phrase".to_owned());
        }
        Said { phrases: phrases.unwrap_or_default(), unless: unless.unwrap_or_default() }
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

    fn times(&mut self) -> usize {
        match self.table.remove("times") {
            None => 2,
            Some(Value::Integer(times @ 1..=10)) => usize::try_from(times).unwrap_or(2),
            Some(other) => {
                self.wrong("times", "a whole number from 1 to 10", &other);
                2
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
