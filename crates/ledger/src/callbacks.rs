//! Promises to call back: written at once, and on the disk before anybody is told.

use call_model::package::{Attempt, SummaryBy, Utterance};
use call_model::{
    Article, Because, CallId, Callback, CallbackState, EarlierHandoff, Emotion, HandoffEnd, HandoffId, HandoffOutcome,
    HandoffPackage, Instant, Redacted, Speaker, Trigger, Urgency, VoiceScore, WallAnchor,
};
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const COLUMNS: &str =
    "callback, version, state, number, trunk, call, asked_ms, promised_ms, due_ms, attempts, note, package";

/// A callback on its way to the disk, and who is to be told whether it got there.
pub(crate) struct Keep {
    kept: Callback,
    package: String,
    done: Box<dyn FnOnce(bool) + Send>,
}

impl Keep {
    pub(crate) fn new(callback: &Callback, wall: &WallAnchor, done: impl FnOnce(bool) + Send + 'static) -> Self {
        let open = callback.state.is_open();
        let package = if open { Stored::of(&callback.package, wall) } else { Stored::default() };
        // Plain texts and numbers: this does not fail.
        let package = serde_json::to_string(&package).unwrap_or_default();
        Self { kept: callback.clone(), package, done: Box::new(done) }
    }

    /// It will not get there.
    pub(crate) fn give_up(self) {
        (self.done)(false);
    }

    /// Synced, whatever other rows are.
    pub(crate) fn write(self, db: &Connection) -> Result<(), rusqlite::Error> {
        let written = self.try_write(db);
        (self.done)(written.is_ok());
        written
    }

    fn try_write(&self, db: &Connection) -> Result<(), rusqlite::Error> {
        let Callback { id, version, state, number, trunk, call, asked_ms, promised_ms, due_ms, attempts, note, .. } =
            &self.kept;
        db.execute_batch("PRAGMA synchronous = FULL")?;
        let written = db.execute(
            &format!("INSERT OR REPLACE INTO callbacks ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
            params![
                id.to_string(),
                version,
                state.as_str(),
                number.reveal(),
                trunk,
                call.to_string(),
                asked_ms,
                promised_ms,
                due_ms,
                attempts,
                note,
                self.package
            ],
        );
        db.execute_batch("PRAGMA synchronous = NORMAL")?;
        written.map(|_| ())
    }
}

/// Callbacks as they were written down.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Promises {
    /// Those that can be read; the oldest first.
    pub kept: Vec<Callback>,
    /// Those that cannot: their names, and what is wrong with them.
    pub damaged: Vec<(String, String)>,
}

/// Those that are open, and those that were asked for since then.
pub(crate) fn callbacks(db: &Connection, since_ms: u64, wall: &WallAnchor) -> rusqlite::Result<Promises> {
    let open = "state IN ('promised', 'calling')";
    let mut all =
        db.prepare(&format!("SELECT {COLUMNS} FROM callbacks WHERE {open} OR asked_ms >= ? ORDER BY callback"))?;
    let mut rows = all.query([crate::query::bound(since_ms)])?;
    let mut promises = Promises::default();
    while let Some(row) = rows.next()? {
        match read(row, wall) {
            Ok(callback) => promises.kept.push(callback),
            Err(error) => promises.damaged.push((row.get(0).unwrap_or_default(), error.to_string())),
        }
    }
    Ok(promises)
}

fn read(row: &Row<'_>, wall: &WallAnchor) -> rusqlite::Result<Callback> {
    let unreadable = |column: usize, what: String| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, what.into())
    };
    let text = |column: usize| row.get::<_, String>(column);
    let state = text(2)?;
    let known = CallbackState::ALL.into_iter().find(|one| one.as_str() == state);
    let call: CallId = text(5)?.parse().map_err(|error| unreadable(5, format!("{error}")))?;
    let number = Redacted::new(text(3)?);
    let stored: Stored = serde_json::from_str(&text(11)?).map_err(|error| unreadable(11, error.to_string()))?;
    Ok(Callback {
        id: text(0)?.parse().map_err(|error| unreadable(0, format!("{error}")))?,
        version: row.get(1)?,
        state: known.ok_or_else(|| unreadable(2, format!("`{state}` is no state")))?,
        trunk: text(4)?,
        call,
        asked_ms: row.get(6)?,
        promised_ms: row.get(7)?,
        due_ms: row.get(8)?,
        attempts: row.get(9)?,
        note: text(10)?,
        package: Arc::new(stored.package(call, number.clone(), wall)),
        number,
    })
}

/// A package with wall times. What is missing was not known.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
pub(crate) struct Stored {
    handoff: String,
    session_id: String,
    call_started_ms: u64,
    started_ms: u64,
    caller_name: Option<String>,
    called: String,
    trigger: String,
    rule: String,
    because: Vec<(u64, String)>,
    urgency: u8,
    summary: String,
    summary_by_gateway: bool,
    intent: Option<String>,
    entities: Vec<(String, String)>,
    /// When, what, whether it worked, the result.
    actions: Vec<(u64, String, bool, String)>,
    next_steps: Vec<String>,
    opening: Option<String>,
    articles: Vec<(String, String, Option<String>)>,
    /// When, whether it was the caller, the words, confidence.
    transcript: Vec<(u64, bool, String, Option<f32>)>,
    /// When; anger, arousal, distress, confidence, share of speech; the emotion; whether the baseline was known.
    voice: Vec<(u64, [f32; 5], usize, bool)>,
    /// Name, desk, outcome, how it ended, notes.
    earlier: Vec<(String, Option<String>, String, String, String)>,
}

const URGENCIES: [Urgency; 3] = [Urgency::Normal, Urgency::High, Urgency::Emergency];

impl Stored {
    pub(crate) fn of(package: &HandoffPackage, wall: &WallAnchor) -> Self {
        let at = |at: Instant| wall.unix_ms(at);
        let earlier = |one: &EarlierHandoff| {
            let (outcome, how) = (one.outcome.as_str().to_owned(), one.ended_by.as_str().to_owned());
            (one.id.to_string(), one.desk.clone(), outcome, how, one.notes.clone())
        };
        let voice = |(when, score): &(Instant, VoiceScore)| {
            let numbers = [score.anger, score.arousal, score.distress, score.confidence, score.speech_ratio];
            let emotion = Emotion::ALL.iter().position(|one| *one == score.emotion).unwrap_or_default();
            (at(*when), numbers, emotion, score.baselined)
        };
        Self {
            handoff: package.id.to_string(),
            session_id: package.session_id.clone(),
            call_started_ms: package.call_started_unix_ms,
            started_ms: at(package.started),
            caller_name: package.caller_name.as_ref().map(|name| name.reveal().to_owned()),
            called: package.called.reveal().to_owned(),
            trigger: package.trigger.as_str().to_owned(),
            rule: package.rule.clone(),
            because: package.because.iter().map(|one| (at(one.at), one.text.clone())).collect(),
            urgency: package.urgency as u8,
            summary: package.summary.clone(),
            summary_by_gateway: package.summary_by == SummaryBy::Gateway,
            intent: package.intent.clone(),
            entities: package.entities.clone(),
            actions: package
                .actions
                .iter()
                .map(|one| (at(one.at), one.name.clone(), one.succeeded, one.result.clone()))
                .collect(),
            next_steps: package.next_steps.clone(),
            opening: package.opening.clone(),
            articles: package
                .articles
                .iter()
                .map(|one| (one.title.clone(), one.text.clone(), one.url.clone()))
                .collect(),
            transcript: package
                .transcript
                .iter()
                .map(|one| (at(one.at), one.speaker == Speaker::Caller, one.text.clone(), one.confidence))
                .collect(),
            voice: package.trajectory.iter().map(voice).collect(),
            earlier: package.earlier.iter().map(earlier).collect(),
        }
    }

    pub(crate) fn package(self, call: CallId, caller: Redacted, wall: &WallAnchor) -> HandoffPackage {
        let at = |ms: u64| wall.instant(ms);
        let speaker = |caller| if caller { Speaker::Caller } else { Speaker::Bot };
        let voice = |(ms, [anger, arousal, distress, confidence, speech_ratio], emotion, baselined): (
            _,
            [f32; 5],
            usize,
            _,
        )| {
            let emotion = Emotion::ALL.get(emotion).copied().unwrap_or_default();
            (at(ms), VoiceScore { anger, arousal, distress, emotion, confidence, speech_ratio, baselined })
        };
        let earlier = |(id, desk, outcome, how, notes): (String, _, String, String, _)| {
            let outcome = HandoffOutcome::ALL.into_iter().find(|one| one.as_str() == outcome)?;
            let ended_by = HandoffEnd::ALL.into_iter().find(|one| one.as_str() == how)?;
            Some(EarlierHandoff { id: id.parse().ok()?, desk, outcome, ended_by, notes })
        };
        HandoffPackage {
            id: self.handoff.parse().unwrap_or(HandoffId(0)),
            call,
            session_id: self.session_id,
            version: 1,
            call_started_unix_ms: self.call_started_ms,
            started: at(self.started_ms),
            caller,
            caller_name: self.caller_name.map(Redacted::new),
            called: Redacted::new(self.called),
            trigger: Trigger::ALL.into_iter().find(|one| one.as_str() == self.trigger).unwrap_or(Trigger::Bot),
            rule: self.rule,
            because: self.because.into_iter().map(|(ms, text)| Because { at: at(ms), text }).collect(),
            urgency: URGENCIES.get(usize::from(self.urgency)).copied().unwrap_or_default(),
            summary: self.summary,
            summary_by: if self.summary_by_gateway { SummaryBy::Gateway } else { SummaryBy::Bot },
            intent: self.intent,
            entities: self.entities,
            actions: self
                .actions
                .into_iter()
                .map(|(ms, name, succeeded, result)| Attempt { at: at(ms), name, succeeded, result })
                .collect(),
            next_steps: self.next_steps,
            opening: self.opening,
            articles: self.articles.into_iter().map(|(title, text, url)| Article { title, text, url }).collect(),
            transcript: self
                .transcript
                .into_iter()
                .map(|(ms, caller, text, confidence)| Utterance {
                    at: at(ms),
                    speaker: speaker(caller),
                    text,
                    confidence,
                })
                .collect(),
            trajectory: self.voice.into_iter().map(voice).collect(),
            earlier: self.earlier.into_iter().filter_map(earlier).collect(),
            callback: None,
        }
    }
}
