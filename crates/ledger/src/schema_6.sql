-- Messages that callers left. Times are milliseconds since 1970; what was said is with the recordings, under this name.
CREATE TABLE voicemails (
    voicemail       TEXT PRIMARY KEY,
    call            TEXT NOT NULL,
    number          TEXT NOT NULL,
    at_ms           INTEGER NOT NULL,
    lasted_ms       INTEGER NOT NULL,
    recording       TEXT NOT NULL,
    -- What was known of the caller, as JSON (crates/ledger/src/callbacks.rs).
    package         TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX voicemails_by_time ON voicemails (at_ms);
