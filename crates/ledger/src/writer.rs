//! The one thread that writes.

use crate::entry::Entry;
use crate::place::explain;
use rusqlite::Connection;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};

/// Entries that wait for the disk. At 50 per call this is 1300 calls' worth, about 10 MB.
pub(crate) const QUEUE: usize = 65_536;
/// Entries per transaction: a commit costs about as much as a hundred rows.
const BATCH: usize = 1024;
/// Tries per batch; each waits for a lock as long as the connection's busy timeout.
const TRIES: usize = 3;

/// For the writer.
pub(crate) enum Job {
    /// Write it.
    Entry(Box<Entry>),
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
pub(crate) fn run(mut db: Connection, jobs: &Receiver<Job>, shared: &Arc<Shared>) {
    let mut batch = Vec::with_capacity(BATCH);
    while let Ok(first) = jobs.recv() {
        let mut next = Some(first);
        while let Some(job) = next.take() {
            match job {
                Job::Entry(entry) => {
                    batch.push(*entry);
                    if batch.len() < BATCH {
                        next = jobs.try_recv().ok();
                        continue;
                    }
                    flush(&mut db, &mut batch, shared);
                }
                Job::Query(query) => {
                    flush(&mut db, &mut batch, shared);
                    query(&db);
                }
                Job::Close(done) => {
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
