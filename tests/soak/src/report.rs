//! What a soak found, for people and for programs.

use serde_json::{Value, json};
use sim::{Cell, Cells, Findings, Storm, World};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// A storm in which something broke.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Broken {
    /// Which.
    pub seed: u64,
    /// What, the first few.
    pub what: Vec<String>,
}

/// Broken storms kept; more are only counted.
const KEPT: usize = 50;

/// A run of so many storms reaches every cell that can be reached.
const LONG: u64 = 100_000;

/// What a soak found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Calls that reached the gateway.
    pub calls: u64,
    /// Storms played.
    pub storms: u64,
    /// Handoffs, each with its outcome.
    pub handoffs: u64,
    /// Handoffs by outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// What was done to the calls, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Callers lost.
    pub lost: u64,
    /// Legs, ports, dialogs, parties left 60 s after the end.
    pub leaked_legs: u64,
    /// Outcomes and words that are not what happened.
    pub wrong_outcomes: u64,
    /// Other invariants.
    pub other: u64,
    /// The storms to replay.
    pub broken: Vec<Broken>,
    /// How often each cell of the table was hit.
    pub cells: Cells,
    /// How long it took.
    pub took: Duration,
}

impl Report {
    /// Adds one storm.
    pub fn add(&mut self, storm: &Storm, world: &World, findings: &Findings, seed: u64) {
        self.storms += 1;
        for event in world.trace() {
            match &event.kind {
                sim::TraceKind::Began { .. } => self.calls += 1,
                sim::TraceKind::HandoffEnded { outcome, corrects: false, .. } => {
                    self.handoffs += 1;
                    *self.outcomes.entry(outcome.to_string()).or_default() += 1;
                }
                _ => {}
            }
        }
        for (kind, count) in &storm.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        let (lost, repeated) = world.mishaps();
        *self.faults.entry("packet lost").or_default() += lost;
        *self.faults.entry("packet repeated").or_default() += repeated;
        self.cells.add(world.trace(), world.witness());
        self.lost += findings.lost.len() as u64;
        self.leaked_legs += findings.leaked.len() as u64;
        self.wrong_outcomes += findings.wrong.len() as u64;
        self.other += findings.other.len() as u64;
        if !findings.is_clean() {
            self.broken.push(Broken { seed, what: findings.all().take(6).collect() });
            self.broken.truncate(KEPT);
        }
    }

    /// Adds another report.
    pub fn merge(&mut self, other: Self) {
        self.calls += other.calls;
        self.storms += other.storms;
        self.handoffs += other.handoffs;
        self.lost += other.lost;
        self.leaked_legs += other.leaked_legs;
        self.wrong_outcomes += other.wrong_outcomes;
        self.other += other.other;
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        for (kind, count) in other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        self.broken.extend(other.broken);
        self.cells.merge(&other.cells);
    }

    pub(crate) fn sort(&mut self) {
        self.broken.sort();
        self.broken.truncate(KEPT);
    }

    /// Whether nothing broke.
    pub fn is_clean(&self) -> bool {
        self.lost + self.leaked_legs + self.wrong_outcomes + self.other == 0
    }

    /// Calls played per second.
    pub fn per_second(&self) -> f64 {
        self.calls as f64 / self.took.as_secs_f64().max(1e-9)
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| _ = writeln!(text, "{name:<16} {value}");
        line("calls", format!("{} in {} storms", self.calls, self.storms));
        line("handoffs", format!("{} {}", self.handoffs, list(&self.outcomes)));
        line("faults", list(&self.faults));
        line("lost", self.lost.to_string());
        line("leaked_legs", self.leaked_legs.to_string());
        line("wrong_outcomes", self.wrong_outcomes.to_string());
        line("other", self.other.to_string());
        line("took", format!("{:.1} s, {:.0} calls per second", self.took.as_secs_f64(), self.per_second()));
        for broken in &self.broken {
            let _ = writeln!(text, "seed {}: {}", broken.seed, broken.what.join("; "));
        }
        if let Some(broken) = self.broken.first() {
            let _ = writeln!(text, "see one with: cargo xtask soak --calls 1 --seed {} --ladder", broken.seed);
        }
        let _ = writeln!(text, "\n{}", self.table());
        if self.is_blind() {
            let _ = writeln!(text, "never reached: {}", self.missed().join(", "));
        }
        text
    }

    /// The table of cells; a dash where an event cannot come, and why.
    fn table(&self) -> String {
        let mut text = format!("{:<18}", "hits per cell");
        for state in sim::STATES {
            let _ = write!(text, "{:>12}", state.to_string());
        }
        let (mut event, mut reasons) = ("", String::new());
        for cell in self.cells.all() {
            if cell.event != event {
                event = cell.event;
                let _ = write!(text, "\n{event:<18}");
                if let Some(why) = self.cells.all().filter(|cell| cell.event == event).find_map(|cell| cell.unreachable)
                {
                    let _ = write!(reasons, "\n  - {event:<18} {why}");
                }
            }
            let shown = match cell {
                Cell { hits: 0, unreachable: Some(_), .. } => "-".to_owned(),
                Cell { hits, unreachable: Some(_), .. } => format!("({hits})"),
                Cell { hits, .. } => hits.to_string(),
            };
            let _ = write!(text, "{shown:>12}");
        }
        text + "\nnever, or only across a change of state (in brackets):" + &reasons
    }

    /// Cells that can be reached and were not.
    pub fn missed(&self) -> Vec<String> {
        let missed = self.cells.all().filter(|cell| cell.hits == 0 && cell.unreachable.is_none());
        missed.map(|cell| format!("{} in {}", cell.event, cell.state)).collect()
    }

    /// Whether the run was long enough to reach every cell, and has not.
    pub fn is_blind(&self) -> bool {
        self.storms >= LONG && !self.missed().is_empty()
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let cells: Vec<Value> = self
            .cells
            .all()
            .map(|Cell { event, state, hits, unreachable }| {
                json!({ "event": event, "state": state.to_string(), "hits": hits, "unreachable": unreachable })
            })
            .collect();
        let broken: Vec<Value> =
            self.broken.iter().map(|broken| json!({ "seed": broken.seed, "what": broken.what })).collect();
        json!({
            "calls": self.calls,
            "storms": self.storms,
            "handoffs": self.handoffs,
            "outcomes": self.outcomes,
            "faults": self.faults,
            "lost": self.lost,
            "leaked_legs": self.leaked_legs,
            "wrong_outcomes": self.wrong_outcomes,
            "other": self.other,
            "broken": broken,
            "cells": cells,
            "cells_missed": self.missed(),
            "seconds": self.took.as_secs_f64(),
            "calls_per_second": self.per_second(),
        })
    }
}

fn list<K: std::fmt::Display>(of: &BTreeMap<K, u64>) -> String {
    of.iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", ")
}
