//! What the rules were told of a call, kept so that it can be judged again.

use call_model::{CallId, FactKind, Instant, Speaker, TraceEvent, TraceKind, TransferState, VoiceScore, WallAnchor};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One thing that an engine of rules was told.
#[derive(Clone, PartialEq, Debug)]
pub enum Told {
    /// Something was observed.
    Fact(FactKind),
    /// Caller or bot began or ended to speak.
    Speech {
        /// Who.
        speaker: Speaker,
        /// Began.
        speaks: bool,
    },
    /// A human was fetched.
    Handoff,
    /// The caller was the bot's again.
    Returned,
}

/// A call as its rules saw it.
#[derive(Clone, PartialEq, Debug)]
pub struct RecordedCall {
    /// Its id, in text.
    pub call: String,
    /// When it began and ended, milliseconds since 1970.
    pub began_ms: u64,
    /// None: its end was not recorded.
    pub ended_ms: Option<u64>,
    /// The rules that it was judged by: their row in [`crate::RulesRow`].
    pub rules: Option<i64>,
    /// The first decision, milliseconds since 1970, and its rule.
    pub decided: Option<(u64, String)>,
    /// The wall time of the first moment, milliseconds since 1970.
    pub at_ms: u64,
    /// What was told, counted from the first moment. Empty: not recorded, or no longer kept.
    pub moments: Vec<(Instant, Told)>,
}

/// Rules that were in force.
#[derive(Clone, PartialEq, Debug)]
pub struct RulesRow {
    /// Since when, milliseconds since 1970.
    pub at_ms: u64,
    /// The short name of the text.
    pub version: String,
    /// The file.
    pub text: String,
}

/// Short forms: a minute of speech has some sixty voices.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// Distress, share of speech, whether the baseline is known.
    V(f32, f32, bool),
    /// Whether it is the caller, whether it begins.
    S(bool, bool),
    /// The caller's, words, confidence.
    Turn(bool, String, Option<f32>),
    Intent(String, Option<f32>),
    Entity(String, String),
    Action(String, bool, String),
    AskedForHuman(()),
    BotEscalates(String),
    Key(char),
    BotDown(String),
    Handoff(()),
    Returned(()),
}

impl Line {
    /// Nothing for what rules are not told or do not look at.
    fn of(kind: &TraceKind) -> Option<Self> {
        Some(match kind {
            TraceKind::Speech { speaker, speaks } => Self::S(*speaker == Speaker::Caller, *speaks),
            TraceKind::State { to: TransferState::WithBot, .. } => Self::Returned(()),
            TraceKind::State { from: TransferState::WithBot, .. } => Self::Handoff(()),
            TraceKind::Fact(fact) => match &fact.kind {
                FactKind::Voice(score) => Self::V(score.distress, score.speech_ratio, score.baselined),
                FactKind::Turn { speaker, text, confidence } => {
                    Self::Turn(*speaker == Speaker::Caller, text.clone(), *confidence)
                }
                FactKind::Intent { name, confidence } => Self::Intent(name.clone(), *confidence),
                FactKind::Entity { name, value } => Self::Entity(name.clone(), value.clone()),
                FactKind::Action { name, succeeded, result } => Self::Action(name.clone(), *succeeded, result.clone()),
                FactKind::AskedForHuman => Self::AskedForHuman(()),
                FactKind::BotEscalates { because } => Self::BotEscalates(because.clone()),
                FactKind::LoneDigit(digit) => Self::Key(*digit),
                FactKind::BotDown { why } => Self::BotDown(why.clone()),
                FactKind::Summary(_)
                | FactKind::NextSteps(_)
                | FactKind::Opening(_)
                | FactKind::Articles(_)
                | FactKind::Recording(_)
                | FactKind::Introduced
                | FactKind::Withdrawn
                | FactKind::Callback(_)
                | FactKind::Announcement { .. } => return None,
            },
            _ => return None,
        })
    }

    fn told(self) -> Told {
        let speaker = |caller| if caller { Speaker::Caller } else { Speaker::Bot };
        Told::Fact(match self {
            Self::S(caller, speaks) => return Told::Speech { speaker: speaker(caller), speaks },
            Self::Handoff(()) => return Told::Handoff,
            Self::Returned(()) => return Told::Returned,
            Self::V(distress, speech_ratio, baselined) => {
                FactKind::Voice(VoiceScore { distress, speech_ratio, baselined, ..VoiceScore::default() })
            }
            Self::Turn(caller, text, confidence) => FactKind::Turn { speaker: speaker(caller), text, confidence },
            Self::Intent(name, confidence) => FactKind::Intent { name, confidence },
            Self::Entity(name, value) => FactKind::Entity { name, value },
            Self::Action(name, succeeded, result) => FactKind::Action { name, succeeded, result },
            Self::AskedForHuman(()) => FactKind::AskedForHuman,
            Self::BotEscalates(because) => FactKind::BotEscalates { because },
            Self::Key(digit) => FactKind::LoneDigit(digit),
            Self::BotDown(why) => FactKind::BotDown { why },
        })
    }
}

/// A line of a call, on its way to the writer.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Telling {
    call: CallId,
    at: Instant,
    at_ms: u64,
    json: String,
}

impl Telling {
    pub(crate) fn from_trace(event: &TraceEvent, wall: &WallAnchor) -> Option<Self> {
        let json = serde_json::to_string(&Line::of(&event.kind)?).ok()?;
        Some(Self { call: event.call?, at: event.at, at_ms: wall.unix_ms(event.at), json })
    }
}

/// Lines of calls that are up, until they make a part.
#[derive(Debug, Default)]
pub(crate) struct Drafts(BTreeMap<CallId, Draft>);

#[derive(Debug)]
struct Draft {
    first: Instant,
    at_ms: u64,
    parts: u32,
    lines: String,
}

/// Lines of one call that are worth a row.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Part {
    call: CallId,
    part: u32,
    at_ms: u64,
    lines: String,
}

/// Octets of a part: some twenty minutes of a call.
const PART: usize = 64 * 1024;
/// Calls whose lines are held at once; of more the oldest lose theirs.
const MOST: usize = 20_000;

impl Drafts {
    /// Keeps a line; a part, when one is full.
    pub(crate) fn add(&mut self, told: Telling) -> Option<Part> {
        if self.0.len() >= MOST && !self.0.contains_key(&told.call) {
            self.0.pop_first();
        }
        let new = Draft { first: told.at, at_ms: told.at_ms, parts: 0, lines: String::new() };
        let draft = self.0.entry(told.call).or_insert(new);
        let nanos = told.at.since(draft.first).as_nanos();
        // Writing to a string does not fail.
        _ = writeln!(draft.lines, "{nanos}\t{}", told.json);
        (draft.lines.len() >= PART).then(|| draft.part(told.call))
    }

    /// The call is over: what is left of it.
    pub(crate) fn end(&mut self, call: CallId) -> Option<Part> {
        self.0.remove(&call).filter(|draft| !draft.lines.is_empty()).map(|mut draft| draft.part(call))
    }

    /// What is left of all of them.
    pub(crate) fn end_all(&mut self) -> Vec<Part> {
        let all: Vec<CallId> = self.0.keys().copied().collect();
        all.into_iter().filter_map(|call| self.end(call)).collect()
    }
}

impl Draft {
    fn part(&mut self, call: CallId) -> Part {
        self.parts += 1;
        Part { call, part: self.parts, at_ms: self.at_ms, lines: std::mem::take(&mut self.lines) }
    }
}

impl Part {
    pub(crate) fn apply(&self, db: &Connection) -> rusqlite::Result<()> {
        db.prepare_cached("INSERT OR REPLACE INTO facts (call, part, at_ms, lines) VALUES (?, ?, ?, ?)")?
            .execute(params![self.call.to_string(), self.part, self.at_ms, self.lines])
            .map(|_| ())
    }
}

/// Forgets facts of calls that began before.
pub(crate) fn forget(db: &Connection, before_ms: u64) -> rusqlite::Result<usize> {
    db.prepare_cached("DELETE FROM facts WHERE at_ms < ?")?.execute([crate::query::bound(before_ms)])
}

/// From now on calls are judged by these; the same as before change nothing.
pub(crate) fn rules(db: &Connection, at_ms: u64, version: &str, text: &str) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO rules (at_ms, version, text) SELECT ?1, ?2, ?3
         WHERE ?2 IS NOT (SELECT version FROM rules ORDER BY id DESC LIMIT 1)",
    )?
    .execute(params![at_ms, version, text])
    .map(|_| ())
}

/// All rules that were in force, by their row.
pub(crate) fn all_rules(db: &Connection) -> rusqlite::Result<BTreeMap<i64, RulesRow>> {
    db.prepare_cached("SELECT id, at_ms, version, text FROM rules")?
        .query_map([], |row| {
            Ok((row.get(0)?, RulesRow { at_ms: row.get(1)?, version: row.get(2)?, text: row.get(3)? }))
        })?
        .collect()
}

/// Calls that began since then, the oldest first, each shown to `see`; or the one call of that id.
pub(crate) fn recorded(
    db: &Connection,
    since_ms: u64,
    call: Option<CallId>,
    mut see: impl FnMut(RecordedCall),
) -> rusqlite::Result<()> {
    let mut calls = db.prepare_cached(
        "SELECT call, began_ms, ended_ms, rules,
                (SELECT at_ms || ' ' || rule FROM decisions WHERE decisions.call = calls.call ORDER BY id LIMIT 1)
         FROM calls WHERE began_ms >= ?1 AND (?2 IS NULL OR call = ?2) ORDER BY began_ms, call",
    )?;
    let mut lines = db.prepare_cached("SELECT at_ms, lines FROM facts WHERE call = ? ORDER BY part")?;
    let mut rows = calls.query(params![crate::query::bound(since_ms), call.map(|call| call.to_string())])?;
    while let Some(row) = rows.next()? {
        let decided: Option<String> = row.get(4)?;
        let decided = decided.and_then(|text| {
            let (at, rule) = text.split_once(' ')?;
            Some((at.parse().ok()?, rule.to_owned()))
        });
        let mut recorded = RecordedCall {
            call: row.get(0)?,
            began_ms: row.get(1)?,
            ended_ms: row.get(2)?,
            rules: row.get(3)?,
            decided,
            at_ms: 0,
            moments: Vec::new(),
        };
        let mut parts = lines.query([&recorded.call])?;
        while let Some(part) = parts.next()? {
            recorded.at_ms = part.get(0)?;
            let text = part.get_ref(1)?.as_str()?;
            recorded.moments.extend(text.lines().filter_map(moment));
        }
        see(recorded);
    }
    Ok(())
}

/// A line that is not understood is passed over: only this crate writes them.
fn moment(line: &str) -> Option<(Instant, Told)> {
    let (nanos, json) = line.split_once('\t')?;
    let line: Line = serde_json::from_str(json).ok()?;
    Some((Instant::from_nanos(nanos.parse().ok()?), line.told()))
}
