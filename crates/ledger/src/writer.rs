//! The one thread that writes.

use crate::callbacks::Keep;
use crate::entry::Entry;
use crate::facts::{Drafts, Telling};
use crate::place::explain;
use rusqlite::Connection;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Entries that wait for the disk. At 50 per call this is 1300 calls' worth, about 10 MB.
pub(crate) const QUEUE: usize = 65_536;
/// Entries per transaction: a commit costs about as much as a hundred rows.
const BATCH: usize = 1024;
/// Facts that are too old are looked for this often, as calls end.
const FORGET_EVERY_MS: u64 = 3_600_000;
/// Tries per batch; each waits for a lock as long as the connection's busy timeout.
const TRIES: usize = 3;

/// For the writer.
pub(crate) enum Job {
    /// Write it.
    Entry(Box<Entry>),
    /// Keep it for when the call ends.
    Tell(Box<Telling>),
    /// Write it now, synced, after what was recorded before it.
    Keep(Keep),
    /// Ask something, after what was recorded before it.
    Query(Box<dyn FnOnce(&Connection) + Send>),
    /// Write what is left, say so, stop.
    Close(SyncSender<Result<(), String>>),
}

/// What the writer lets others see.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) dropped: AtomicU64,
    fault: Mutex<Option<String>>,
}

impl Shared {
    pub(crate) fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_fault(&self, fault: Option<String>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }
}

/// Runs until closed, or until nobody can send any more.
pub(crate) fn run(mut db: Connection, jobs: &Receiver<Job>, shared: &Arc<Shared>, keep: Option<Duration>) {
    let mut batch = Vec::with_capacity(BATCH);
    let (mut drafts, mut forgotten_ms) = (Drafts::default(), 0);
    if keep.is_none()
        && let Err(error) = crate::facts::forget(&db, u64::MAX)
    {
        shared.set_fault(Some(explain(&error)));
    }
    while let Ok(first) = jobs.recv() {
        let mut next = Some(first);
        while let Some(job) = next.take() {
            match job {
                Job::Tell(telling) => {
                    batch.extend(drafts.add(*telling).map(Entry::facts));
                    next = jobs.try_recv().ok();
                    continue;
                }
                Job::Entry(entry) => {
                    if let Some((call, now)) = entry.ends() {
                        batch.extend(drafts.end(call).map(Entry::facts));
                        let due = keep.filter(|_| now.saturating_sub(forgotten_ms) >= FORGET_EVERY_MS);
                        if let Some(keep) = due {
                            forgotten_ms = now;
                            let keep = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
                            batch.push(Entry::forget(now.saturating_sub(keep)));
                        }
                    }
                    batch.push(*entry);
                    if batch.len() < BATCH {
                        next = jobs.try_recv().ok();
                        continue;
                    }
                    flush(&mut db, &mut batch, shared);
                }
                Job::Keep(keep) => {
                    flush(&mut db, &mut batch, shared);
                    if let Err(error) = keep.write(&db) {
                        shared.set_fault(Some(explain(&error)));
                        shared.dropped.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Job::Query(query) => {
                    flush(&mut db, &mut batch, shared);
                    query(&db);
                }
                Job::Close(done) => {
                    batch.extend(drafts.end_all().into_iter().map(Entry::facts));
                    flush(&mut db, &mut batch, shared);
                    let closed = db.close().map_err(|(_, error)| explain(&error));
                    let _ = done.send(closed.and_then(|()| shared.fault().map_or(Ok(()), Err)));
                    return;
                }
            }
        }
        flush(&mut db, &mut batch, shared);
    }
}

fn flush(db: &mut Connection, batch: &mut Vec<Entry>, shared: &Shared) {
    if batch.is_empty() {
        return;
    }
    for attempt in 1..=TRIES {
        match write(db, batch) {
            Ok(()) => {
                shared.set_fault(None);
                break;
            }
            Err(error) => {
                shared.set_fault(Some(explain(&error)));
                if attempt == TRIES {
                    shared.dropped.fetch_add(batch.len() as u64, Ordering::Relaxed);
                }
            }
        }
    }
    batch.clear();
}

fn write(db: &mut Connection, batch: &[Entry]) -> rusqlite::Result<()> {
    let change = db.transaction()?;
    for entry in batch {
        entry.apply(&change)?;
    }
    change.commit()
}
