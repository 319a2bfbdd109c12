//! Opening the database: its place, its shape, and clear words when it cannot be used.

use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Marks the file as ours ("WARM").
const APPLICATION_ID: i64 = 0x5741_524d;
/// One entry per version; the file's `user_version` says how many it has.
const MIGRATIONS: [&str; 5] = [
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
];
/// Another process may hold the file for a moment (a backup, a report).
const LOCK_WAIT: Duration = Duration::from_secs(2);

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
    /// The file is a database of something else.
    #[error("ledger {}: this is another program's database; choose another path", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a later Warmline.
    #[error(
        "ledger {}: written by a newer Warmline (version {found}, this one knows {known}); \
         run the newer one, or move the file away", path.display()
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The last version this build knows.
        known: usize,
    },
    /// The thread could not be started.
    #[error("the ledger's writer could not be started: {0}")]
    NoThread(#[source] std::io::Error),
}

/// Opens or creates, checks and migrates.
pub(crate) fn open(place: &Place) -> Result<Connection, OpenError> {
    match place {
        Place::Memory => prepare(Connection::open_in_memory(), Path::new(":memory:"), true),
        Place::File(path) => {
            keep_private(path);
            prepare(Connection::open(path), path, true)
        }
    }
}

/// Opens an existing file for queries only.
pub(crate) fn open_read_only(path: &Path) -> Result<Connection, OpenError> {
    prepare(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY), path, false)
}

/// Callers' numbers are nobody else's business: a new file is its owner's. An existing one keeps the mode that the
/// operator gave it. What goes wrong here goes wrong again, with better words, when SQLite opens the file.
fn keep_private(path: &Path) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _ = options.open(path);
}

/// Whether [`open`] would do, without creating or migrating anything.
///
/// # Errors
/// Those of [`crate::Ledger::open`].
pub fn check(place: &Place) -> Result<(), OpenError> {
    let Place::File(path) = place else { return Ok(()) };
    // The file's journal lies beside it, so the folder matters even when the file exists.
    try_folder(path).map_err(|what| OpenError::Unusable { path: path.clone(), what })?;
    if !path.exists() {
        return Ok(());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let (connection, _) = inspect(Connection::open_with_flags(path, flags), path, true)?;
    let tried = connection.execute_batch("BEGIN IMMEDIATE; PRAGMA user_version; ROLLBACK;");
    let sound = tried.and_then(|()| sound(&connection));
    sound.map_err(|error| OpenError::Unusable { path: path.clone(), what: explain(&error) })
}

fn try_folder(path: &Path) -> Result<(), String> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let probe = folder.join(format!(".warmline-check-{}", std::process::id()));
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&probe);
    made.and_then(|_| std::fs::remove_file(&probe)).map_err(|error| {
        let folder = folder.display();
        format!("cannot write in the folder {folder}: {error}: make it, and let Warmline write there")
    })
}

fn prepare(opened: rusqlite::Result<Connection>, path: &Path, write: bool) -> Result<Connection, OpenError> {
    let (mut connection, found) = inspect(opened, path, write)?;
    if write {
        let unusable = |error| OpenError::Unusable { path: path.to_owned(), what: explain(&error) };
        migrate(&mut connection, found).map_err(unusable)?;
    }
    Ok(connection)
}

/// With the version found, when the file is ours or (to write) nobody's.
fn inspect(opened: rusqlite::Result<Connection>, path: &Path, write: bool) -> Result<(Connection, usize), OpenError> {
    let unusable = |error| OpenError::Unusable { path: path.to_owned(), what: explain(&error) };
    let connection = opened.map_err(unusable)?;
    connection.busy_timeout(LOCK_WAIT).map_err(unusable)?;
    let number = |connection: &Connection, pragma: &str| {
        connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0))
    };
    let tables =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).map_err(unusable)?;
    let owner = number(&connection, "application_id").map_err(unusable)?;
    if owner != APPLICATION_ID && (tables > 0 || owner != 0 || !write) {
        return Err(OpenError::NotOurs { path: path.to_owned() });
    }
    let found = usize::try_from(number(&connection, "user_version").map_err(unusable)?).unwrap_or(usize::MAX);
    if found > MIGRATIONS.len() {
        return Err(OpenError::TooNew { path: path.to_owned(), found, known: MIGRATIONS.len() });
    }
    Ok((connection, found))
}

/// Each step with its new version in one transaction: a crash leaves the step before it.
fn migrate(connection: &mut Connection, from: usize) -> rusqlite::Result<()> {
    // Readers (reports) never wait for the writer, and the writer syncs once per checkpoint rather than per commit: a
    // power cut may cost the last rows, never the file.
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;")?;
    for (index, step) in MIGRATIONS.iter().enumerate().skip(from) {
        let change = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        change.execute_batch(step)?;
        change.pragma_update(None, "application_id", APPLICATION_ID)?;
        change.pragma_update(None, "user_version", index + 1)?;
        change.commit()?;
    }
    // Finds a file or disk that can be read but not written now rather than in the middle of a call.
    connection.execute_batch("BEGIN IMMEDIATE; PRAGMA user_version; ROLLBACK;")?;
    let version = MIGRATIONS.len();
    let touch = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    touch.pragma_update(None, "user_version", version)?;
    touch.commit()?;
    sound(connection)
}

fn sound(connection: &Connection) -> rusqlite::Result<()> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" { Ok(()) } else { Err(damaged(verdict)) }
}

fn damaged(verdict: String) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), Some(verdict))
}

/// What is wrong, and what to do.
pub(crate) fn explain(error: &rusqlite::Error) -> String {
    let advice = match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen) => "make its folder and let Warmline write there",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => "let Warmline write the file and its folder",
        Some(ErrorCode::NotADatabase) => "this is not a database; move it away or choose another path",
        Some(ErrorCode::DatabaseCorrupt) => "the file is damaged; move it away, or mend it with sqlite3's .recover",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process holds it; is a second Warmline running?"
        }
        Some(ErrorCode::DiskFull) => "make room on the disk",
        Some(ErrorCode::SystemIoFailure) => "look at the disk",
        _ => return error.to_string(),
    };
    format!("{error}: {advice}")
}
