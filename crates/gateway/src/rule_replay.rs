//! `warmline rules explain` and `warmline rules replay`: recorded calls, judged again.

use crate::cli;
use crate::config;
use crate::rule_files;
use anyhow::{Context, bail};
use call_model::{CallId, Decision, Instant};
use escalation::{Change, Moment, Rules, change, judge};
use ledger::{Place, RecordedCall, Report, RulesRow, Told};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Calls that are listed one by one; the sums count all.
const LISTED: usize = 50;

/// Why one call went as it did: the exit status is that of the rules commands.
pub(crate) fn explain(call: &str, record: &cli::Record) -> anyhow::Result<String> {
    let id: CallId = call.parse().context("this is not the id of a call: copy it from `warmline tail` or a report")?;
    let report = open(record)?;
    let Some(recorded) = report.recorded_call(id)? else { bail!("the ledger knows no call {call}") };
    let in_force = report.rules()?;
    let (rules, row) = rules_of(&recorded, &in_force).context(
        "it is not recorded by which rules this call was judged: it is older than this version's ledger, or that text \
         is no longer a valid rules file",
    )?;
    if recorded.moments.is_empty() {
        bail!(
            "what the rules were told of this call is not recorded: it is still up, nothing happened in it, or \
             ledger.keep_facts_days was over or 0"
        );
    }
    let moments = moments(&recorded);
    let verdict = judge(&rules, &moments);
    let began = Instant::from_millis(recorded.began_ms);
    let mut told = format!("call {call}, judged by rules {}\n", row.version);
    if verdict.decisions.is_empty() {
        told.push_str("\nno rule decided\n");
    }
    for decision in &verdict.decisions {
        _ = writeln!(
            told,
            "\n{}  {} ({}, {})",
            at(began, decision.at),
            decision.rule,
            decision.trigger,
            decision.layer
        );
        because(&mut told, began, decision);
    }
    if let Some((when, rule)) = &recorded.decided
        && rules.rules().iter().all(|known| known.name != *rule)
    {
        let when = at(began, Instant::from_millis(*when));
        _ = writeln!(told, "\n{when}  {rule}: decided outside the rules file");
    }
    if !verdict.near.is_empty() {
        told.push_str("\nnear, the nearest first:\n");
    }
    for near in &verdict.near {
        _ = writeln!(told, "  {:24} {}", near.rule, near.text);
        for one in &near.because {
            _ = writeln!(told, "    {}  {}", at(began, one.at), one.text);
        }
    }
    Ok(told)
}

/// What other rules would have done to past calls.
pub(crate) fn replay(rules: &Path, since: Duration, record: &cli::Record, json: bool) -> anyhow::Result<String> {
    let rules = rule_files::load(rules).map_err(|complaints| anyhow::anyhow!(complaints.join("\n")))?;
    let report = open(record)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let since_ms = u64::try_from(now.saturating_sub(since).as_millis()).unwrap_or(0);
    let started = std::time::Instant::now();
    let sums = Sums::of(&report, &Arc::new(rules), since_ms)?;
    Ok(if json { format!("{}\n", sums.json()) } else { sums.told(started.elapsed()) })
}

/// Counts and the calls that change.
#[derive(Default)]
struct Sums {
    unchanged: usize,
    reason: usize,
    sooner: usize,
    later: usize,
    called: usize,
    not_by: usize,
    not_recorded: usize,
    unexplained: usize,
    /// Decisions of the new rules in calls that change.
    by_rule: BTreeMap<String, usize>,
    changed: Vec<(String, Instant, Change, Option<String>)>,
}

impl Sums {
    fn of(report: &Report, rules: &Arc<Rules>, since_ms: u64) -> anyhow::Result<Self> {
        let in_force = report.rules()?;
        let mut known: BTreeMap<i64, Arc<Rules>> = BTreeMap::new();
        let mut sums = Self::default();
        report.recorded(since_ms, |recorded| {
            let had = recorded.rules.and_then(|row| {
                if let Some(had) = known.get(&row) {
                    return Some(Arc::clone(had));
                }
                let had = rules_of(&recorded, &in_force)?.0;
                known.insert(row, Arc::clone(&had));
                Some(had)
            });
            sums.add(&recorded, had.as_ref(), rules);
        })?;
        Ok(sums)
    }

    fn add(&mut self, recorded: &RecordedCall, had: Option<&Arc<Rules>>, rules: &Arc<Rules>) {
        let (Some(had), false) = (had, recorded.moments.is_empty()) else {
            self.not_recorded += 1;
            return;
        };
        let moments = moments(recorded);
        let was = recorded.decided.as_ref().map(|(at, rule)| (Instant::from_millis(*at), rule.as_str()));
        // An operator, the bot's REFER, a number that goes straight to a human: no rules file changes that.
        let beyond = was.is_some_and(|(_, rule)| had.rules().iter().all(|known| known.name != rule));
        let settle = |found: Change| match found {
            Change::NotBy(_) | Change::Reason(_) | Change::Later(..) if beyond => Change::None,
            found => found,
        };
        if settle(change(had, &moments, was)) != Change::None {
            self.unexplained += 1;
            return;
        }
        let found = settle(change(rules, &moments, was));
        let decision = match &found {
            Change::None => {
                self.unchanged += 1;
                return;
            }
            Change::Reason(decision) => (&mut self.reason, Some(decision)),
            Change::Sooner(_, decision) => (&mut self.sooner, Some(decision)),
            Change::Later(_, decision) => (&mut self.later, Some(decision)),
            Change::Called(decision) => (&mut self.called, Some(decision)),
            Change::NotBy(_) => (&mut self.not_by, None),
        };
        let (count, decision) = decision;
        *count += 1;
        if let Some(decision) = decision {
            *self.by_rule.entry(decision.rule.clone()).or_default() += 1;
        }
        let was = recorded.decided.as_ref().map(|(_, rule)| rule.clone());
        self.changed.push((recorded.call.clone(), Instant::from_millis(recorded.began_ms), found, was));
    }

    fn judged(&self) -> usize {
        self.unchanged + self.reason + self.sooner + self.later + self.called + self.not_by
    }

    fn told(&self, took: Duration) -> String {
        let mut told = format!("{:7} calls judged again\n", self.judged());
        for (count, what) in [
            (self.unchanged, "unchanged"),
            (self.sooner, "a human sooner"),
            (self.later, "a human later"),
            (self.called, "a human where none was called"),
            (self.not_by, "no human by the moment one was fetched; what would have come then, nobody knows"),
            (self.reason, "at the same moment, for another reason"),
        ] {
            _ = writeln!(told, "{count:7}   {what}");
        }
        if self.not_recorded + self.unexplained > 0 {
            _ = writeln!(told, "{:7} calls not judged", self.not_recorded + self.unexplained);
            _ = writeln!(told, "{:7}   what the rules were told is not recorded, or no longer kept", self.not_recorded);
            _ = writeln!(told, "{:7}   the record does not lead to what was decided then", self.unexplained);
        }
        if !self.by_rule.is_empty() {
            told.push_str("\ndecided in the calls that change:\n");
        }
        for (rule, count) in &self.by_rule {
            _ = writeln!(told, "{count:7}   {rule}");
        }
        if !self.changed.is_empty() {
            told.push('\n');
        }
        for (call, began, change, was) in self.changed.iter().take(LISTED) {
            let was = was.as_deref().unwrap_or("no rule");
            let (what, decision) = in_words(*began, change);
            _ = writeln!(told, "{call}  {what} (was: {was})");
            decision.into_iter().for_each(|decision| because(&mut told, *began, decision));
        }
        if self.changed.len() > LISTED {
            _ = writeln!(told, "and {} more: --json lists all", self.changed.len() - LISTED);
        }
        let all = self.judged() + self.not_recorded + self.unexplained;
        let rate = all as f64 * 60.0 / took.as_secs_f64().max(0.001);
        _ = writeln!(told, "\n{:.1} s, {rate:.0} calls a minute", took.as_secs_f64());
        told
    }

    fn json(&self) -> Value {
        let changed = self.changed.iter().map(|(call, began, change, was)| {
            let (what, decision) = in_words(*began, change);
            json!({
                "call": call, "what": what, "was": was, "rule": decision.map(|decision| &decision.rule),
                "at_ms": decision.map(|decision| decision.at.as_millis()),
                "because": decision.map(|decision| decision.because.iter().map(|one| &one.text).collect::<Vec<_>>()),
            })
        });
        json!({
            "judged": self.judged(), "unchanged": self.unchanged, "sooner": self.sooner, "later": self.later,
            "called": self.called, "not_by_then": self.not_by, "another_reason": self.reason,
            "not_recorded": self.not_recorded, "unexplained": self.unexplained, "by_rule": self.by_rule,
            "changed": changed.collect::<Vec<_>>(),
        })
    }
}

fn in_words(began: Instant, change: &Change) -> (String, Option<&Decision>) {
    match change {
        Change::None => ("unchanged".to_owned(), None),
        Change::NotBy(when) => (format!("no human by {}", at(began, *when).trim_start()), None),
        Change::Reason(decision) => (format!("{} instead", decision.rule), Some(decision)),
        Change::Sooner(by, decision) => {
            (format!("{:.1} s sooner, {}", by.as_secs_f64(), decision.rule), Some(decision))
        }
        Change::Later(by, decision) => (format!("{:.1} s later, {}", by.as_secs_f64(), decision.rule), Some(decision)),
        Change::Called(decision) => {
            (format!("a human at {}, {}", at(began, decision.at).trim_start(), decision.rule), Some(decision))
        }
    }
}

fn because(told: &mut String, began: Instant, decision: &Decision) {
    for one in &decision.because {
        _ = writeln!(told, "    {}  {}", at(began, one.at), one.text);
    }
}

/// Minutes and seconds since the call began.
fn at(began: Instant, at: Instant) -> String {
    let ms = at.since(began).as_millis();
    format!("{:>3}:{:02}.{:01}", ms / 60_000, ms / 1_000 % 60, ms / 100 % 10)
}

fn open(record: &cli::Record) -> anyhow::Result<Report> {
    let path: PathBuf = match (&record.ledger, &record.config) {
        (Some(ledger), _) => ledger.clone(),
        (None, config) => {
            let path = config.as_deref().unwrap_or(Path::new(crate::serve::USUAL));
            match config::load(path)
                .with_context(|| "name the ledger's file with --ledger, or the configuration")?
                .ledger
            {
                Place::File(file) => file,
                Place::Memory => bail!("ledger.path is :memory:, so there is no record"),
            }
        }
    };
    Ok(Report::open(&path)?)
}

/// The rules that the call was judged by.
fn rules_of<'a>(recorded: &RecordedCall, in_force: &'a BTreeMap<i64, RulesRow>) -> Option<(Arc<Rules>, &'a RulesRow)> {
    let row = in_force.get(&recorded.rules?)?;
    Some((Arc::new(Rules::parse(&row.text).ok()?), row))
}

/// In the time of the wall, so that everything of a call can be compared.
fn moments(recorded: &RecordedCall) -> Vec<(Instant, Moment)> {
    let first = Instant::from_millis(recorded.at_ms);
    let told = recorded.moments.iter().map(|(at, told)| {
        let moment = match told {
            Told::Fact(kind) => Moment::Fact(kind.clone()),
            Told::Speech { speaker, speaks } => Moment::Speech { speaker: *speaker, speaks: *speaks },
            Told::Handoff => Moment::Handoff,
            Told::Returned => Moment::Returned,
        };
        (first + at.since(Instant::ZERO), moment)
    });
    let end = recorded.ended_ms.map(|at| (Instant::from_millis(at), Moment::End));
    told.chain(end).collect()
}

#[cfg(test)]
mod tests;
