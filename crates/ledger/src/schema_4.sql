-- The rules that were in force, each from its row's moment on.
CREATE TABLE rules (
    id              INTEGER PRIMARY KEY,
    at_ms           INTEGER NOT NULL,
    version         TEXT NOT NULL,
    text            TEXT NOT NULL
);
-- Those that a call was judged by; null before this version.
ALTER TABLE calls ADD COLUMN rules INTEGER;

-- What the rules were told of a call, one moment a line: nanoseconds since the first line, a tab, JSON
-- (crates/ledger/src/facts.rs). Long numbers are blackened. Written when the call ends, long calls in parts.
CREATE TABLE facts (
    call            TEXT NOT NULL,
    part            INTEGER NOT NULL,
    -- Of the part's first line.
    at_ms           INTEGER NOT NULL,
    lines           TEXT NOT NULL,
    PRIMARY KEY (call, part)
) WITHOUT ROWID;
CREATE INDEX facts_by_time ON facts (at_ms);
