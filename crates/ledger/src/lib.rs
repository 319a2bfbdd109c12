//! The durable record of calls, decisions and handoffs, in SQLite.
//!
//! One writer thread behind a bounded queue: [`Ledger::record`] never waits for the disk. What does not fit is dropped
//! and counted ([`Ledger::health`]). A file can be read by others while it is written ([`Report`]).
//!
//! ```
//! use call_model::{Instant, WallAnchor};
//! let wall = WallAnchor { at: Instant::ZERO, unix_ms: 1_795_250_000_000 };
//! let ledger = ledger::Ledger::open(&ledger::Place::Memory, wall)?;
//! assert!(ledger.calls(10)?.is_empty());
//! ledger.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod callbacks;
mod cdr;
mod entry;
mod facts;
mod legs;
mod place;
mod query;
mod voicemails;
mod writer;

pub use cdr::{CdrRow, DeskRow};
pub use facts::{RecordedCall, RulesRow, Told};
pub use legs::LegRow;
pub use place::{OpenError, Place, check};
pub use query::{BecauseRow, CallRow, CallStory, DecisionRow, EventRow, HandoffRow, OutcomeRow};

#[cfg(test)]
mod tests;

use call_model::{CallId, Callback, HandoffId, Instant, TraceEvent, Voicemail, WallAnchor};
use callbacks::Keep;
pub use callbacks::Promises;
use entry::Entry;
use facts::Telling;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use voicemails::Left;
use writer::{Job, Shared};

/// The open ledger. Share it by `Arc`.
#[derive(Debug)]
pub struct Ledger {
    jobs: SyncSender<Job>,
    shared: Arc<Shared>,
    wall: WallAnchor,
    keeps_facts: bool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Ledger {
    /// Opens or creates it, migrates it and starts its writer.
    ///
    /// # Errors
    /// The file is not a ledger, is damaged, locked, from a newer Warmline, or cannot be written; the text says which
    /// and what to do.
    pub fn open(place: &Place, wall: WallAnchor) -> Result<Self, OpenError> {
        Self::open_keeping(place, wall, None)
    }

    /// The same, and keeps for so long what the rules were told of each call, words included: [`Report::recorded`].
    ///
    /// # Errors
    /// Those of [`Ledger::open`].
    pub fn open_keeping(place: &Place, wall: WallAnchor, facts: Option<Duration>) -> Result<Self, OpenError> {
        let db = place::open(place)?;
        Self::start(db, wall, writer::QUEUE, facts)
    }

    fn start(db: Connection, wall: WallAnchor, queue: usize, facts: Option<Duration>) -> Result<Self, OpenError> {
        let (jobs, received) = mpsc::sync_channel(queue);
        let shared = Arc::new(Shared::default());
        let of_writer = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("ledger".into())
            .spawn(move || writer::run(db, &received, &of_writer, facts))
            .map_err(OpenError::NoThread)?;
        Ok(Self { jobs, shared, wall, keeps_facts: facts.is_some(), thread: Mutex::new(Some(thread)) })
    }

    /// Writes down what matters of the event. Never blocks.
    pub fn record(&self, event: &TraceEvent) {
        let telling = self.keeps_facts.then(|| Telling::from_trace(event, &self.wall)).flatten();
        let telling = telling.map(|telling| Job::Tell(Box::new(telling)));
        let entry = Entry::from_trace(event, &self.wall).map(|entry| Job::Entry(Box::new(entry)));
        telling.into_iter().chain(entry).for_each(|job| self.send(job));
    }

    /// From now on calls are judged by these rules. Never blocks.
    pub fn rules(&self, version: &str, text: &str, now: Instant) {
        self.send(Job::Entry(Box::new(Entry::rules(self.wall.unix_ms(now), version, text))));
    }

    /// Somebody was shown the story of a handoff, at milliseconds since 1970. Never blocks.
    pub fn viewed(&self, call: CallId, handoff: HandoffId, who: &str, at_ms: u64) {
        self.send(Job::Entry(Box::new(Entry::viewed(call, handoff, who, at_ms))));
    }

    /// A caller has left a message; those older than `keep` are forgotten with it. Never blocks.
    pub fn voicemail(&self, left: &Voicemail, keep: Option<Duration>) {
        self.send(Job::Entry(Box::new(Entry::voicemail(Left::new(left, &self.wall, keep)))));
    }

    /// Messages that callers left, the newest first.
    ///
    /// # Errors
    /// The database failed, or the ledger is closed.
    pub fn voicemails(&self, limit: u32) -> Result<Vec<Voicemail>, QueryError> {
        let wall = self.wall;
        self.ask(move |db| voicemails::voicemails(db, (limit, None), &wall))
    }

    /// The message of that handoff.
    ///
    /// # Errors
    /// The database failed, or the ledger is closed.
    pub fn voicemail_of(&self, handoff: HandoffId) -> Result<Option<Voicemail>, QueryError> {
        let wall = self.wall;
        self.ask(move |db| Ok(voicemails::voicemails(db, (1, Some(&handoff.to_string())), &wall)?.pop()))
    }

    /// Writes a callback down, synced; `done` is told by the writer's thread whether that is so. Never blocks.
    pub fn keep(&self, callback: &Callback, done: impl FnOnce(bool) + Send + 'static) {
        let job = Job::Keep(Keep::new(callback, &self.wall, done));
        let (Err(TrySendError::Full(lost)) | Err(TrySendError::Disconnected(lost))) = self.jobs.try_send(job) else {
            return;
        };
        self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        if let Job::Keep(keep) = lost {
            keep.give_up();
        }
    }

    /// Callbacks that are open, and those that were asked for since then (milliseconds since 1970); the oldest first.
    ///
    /// # Errors
    /// The database failed, or the ledger is closed.
    pub fn callbacks(&self, since_ms: u64) -> Result<Promises, QueryError> {
        let wall = self.wall;
        self.ask(move |db| callbacks::callbacks(db, since_ms, &wall))
    }

    fn send(&self, job: Job) {
        if self.jobs.try_send(job).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How the writer is doing.
    pub fn health(&self) -> Health {
        Health { dropped: self.shared.dropped.load(Ordering::Relaxed), fault: self.shared.fault() }
    }

    /// The newest calls, newest first. Like all queries it sees everything recorded before it, and waits for the
    /// writer: not for the switchboard loop.
    ///
    /// # Errors
    /// The database failed, or the ledger is closed.
    pub fn calls(&self, limit: u32) -> Result<Vec<CallRow>, QueryError> {
        self.ask(move |db| query::calls(db, limit))
    }

    /// One call with its decisions, handoffs and events.
    ///
    /// # Errors
    /// The database failed, or the ledger is closed.
    pub fn call(&self, call: CallId) -> Result<Option<CallStory>, QueryError> {
        self.ask(move |db| query::story(db, &call.to_string()))
    }

    /// The newest handoffs, newest first.
    ///
    /// # Errors
    /// The database failed, or the ledger is closed.
    pub fn handoffs(&self, limit: u32) -> Result<Vec<HandoffRow>, QueryError> {
        self.ask(move |db| query::handoffs(db, limit))
    }

    /// Handoffs begun in `since_ms..until_ms` (milliseconds since 1970) by outcome and kind of reason, commonest first.
    ///
    /// # Errors
    /// The database failed, or the ledger is closed.
    pub fn outcomes(&self, since_ms: u64, until_ms: u64) -> Result<Vec<OutcomeRow>, QueryError> {
        self.ask(move |db| query::outcomes(db, since_ms, until_ms))
    }

    /// One row per call begun in `since_ms..until_ms`, oldest first.
    ///
    /// # Errors
    /// The database failed, or the ledger is closed.
    pub fn cdrs(&self, since_ms: u64, until_ms: u64, limit: u32) -> Result<Vec<CdrRow>, QueryError> {
        self.ask(move |db| cdr::cdrs(db, since_ms, until_ms, limit))
    }

    /// What became of the handoffs of each desk, begun in `since_ms..until_ms`.
    ///
    /// # Errors
    /// The database failed, or the ledger is closed.
    pub fn desks(&self, since_ms: u64, until_ms: u64) -> Result<Vec<DeskRow>, QueryError> {
        self.ask(move |db| cdr::desks(db, since_ms, until_ms))
    }

    /// Flushes everything recorded so far, and stops the writer. Later records are dropped and counted. Dropping the
    /// ledger does the same and keeps the error to itself.
    ///
    /// # Errors
    /// The database did not take the last rows.
    pub fn close(&self) -> Result<(), QueryError> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(thread) = thread.take() else { return Ok(()) };
        let (done, closed) = mpsc::sync_channel(1);
        let sent = self.jobs.send(Job::Close(done));
        let result = closed.recv();
        // A writer that panicked has said so on stderr; what it held is lost.
        let joined = thread.join();
        match (sent, result, joined) {
            (Ok(()), Ok(result), Ok(())) => result.map_err(QueryError::Failed),
            _ => Err(QueryError::Closed),
        }
    }

    fn ask<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueryError> {
        let (tell, answer) = mpsc::sync_channel(1);
        let job = Job::Query(Box::new(move |db| {
            let _ = tell.send(query(db));
        }));
        self.jobs.send(job).map_err(|_| QueryError::Closed)?;
        answer.recv().map_err(|_| QueryError::Closed)?.map_err(|error| QueryError::Failed(place::explain(&error)))
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

/// A ledger file opened for reading only, by a report while the gateway writes, or after it.
#[derive(Debug)]
pub struct Report {
    db: Connection,
}

impl Report {
    /// Opens an existing file.
    ///
    /// # Errors
    /// There is no such file, it is not a ledger, is damaged, or from a newer Warmline.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        place::open_read_only(path).map(|db| Self { db })
    }

    /// See [`Ledger::calls`].
    ///
    /// # Errors
    /// The database failed.
    pub fn calls(&self, limit: u32) -> Result<Vec<CallRow>, QueryError> {
        told(query::calls(&self.db, limit))
    }

    /// See [`Ledger::call`].
    ///
    /// # Errors
    /// The database failed.
    pub fn call(&self, call: CallId) -> Result<Option<CallStory>, QueryError> {
        told(query::story(&self.db, &call.to_string()))
    }

    /// See [`Ledger::handoffs`].
    ///
    /// # Errors
    /// The database failed.
    pub fn handoffs(&self, limit: u32) -> Result<Vec<HandoffRow>, QueryError> {
        told(query::handoffs(&self.db, limit))
    }

    /// See [`Ledger::outcomes`].
    ///
    /// # Errors
    /// The database failed.
    pub fn outcomes(&self, since_ms: u64, until_ms: u64) -> Result<Vec<OutcomeRow>, QueryError> {
        told(query::outcomes(&self.db, since_ms, until_ms))
    }

    /// See [`Ledger::cdrs`].
    ///
    /// # Errors
    /// The database failed.
    pub fn cdrs(&self, since_ms: u64, until_ms: u64, limit: u32) -> Result<Vec<CdrRow>, QueryError> {
        told(cdr::cdrs(&self.db, since_ms, until_ms, limit))
    }

    /// Calls that began since then (milliseconds since 1970) as their rules saw them, the oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub fn recorded(&self, since_ms: u64, see: impl FnMut(RecordedCall)) -> Result<(), QueryError> {
        told(facts::recorded(&self.db, since_ms, None, see))
    }

    /// One call as its rules saw it.
    ///
    /// # Errors
    /// The database failed.
    pub fn recorded_call(&self, call: CallId) -> Result<Option<RecordedCall>, QueryError> {
        let mut found = None;
        told(facts::recorded(&self.db, 0, Some(call), |one| found = Some(one)))?;
        Ok(found)
    }

    /// All rules that were in force, by the number that calls name them by.
    ///
    /// # Errors
    /// The database failed.
    pub fn rules(&self) -> Result<BTreeMap<i64, RulesRow>, QueryError> {
        told(facts::all_rules(&self.db))
    }
}

fn told<T>(result: rusqlite::Result<T>) -> Result<T, QueryError> {
    result.map_err(|error| QueryError::Failed(place::explain(&error)))
}

/// How the writer is doing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// Rows dropped because the queue was full, or written in vain.
    pub dropped: u64,
    /// The last failure, until a write succeeds again.
    pub fault: Option<String>,
}

/// Why a query gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The database said no.
    #[error("the ledger failed: {0}")]
    Failed(String),
    /// The ledger is closed.
    #[error("the ledger is closed")]
    Closed,
}
