-- Promises to call back, each as it stands now. Times are milliseconds since 1970.
CREATE TABLE callbacks (
    callback        TEXT PRIMARY KEY,
    version         INTEGER NOT NULL,
    -- promised, calling, kept, given_up, cancelled
    state           TEXT NOT NULL,
    number          TEXT NOT NULL,
    trunk           TEXT NOT NULL,
    -- The call in which it was asked for.
    call            TEXT NOT NULL,
    asked_ms        INTEGER NOT NULL,
    promised_ms     INTEGER NOT NULL,
    due_ms          INTEGER NOT NULL,
    attempts        INTEGER NOT NULL,
    note            TEXT NOT NULL,
    -- What was known when it was asked for, as JSON (crates/ledger/src/callbacks.rs); {} once it is over.
    package         TEXT NOT NULL
) WITHOUT ROWID;
