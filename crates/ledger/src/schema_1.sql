-- Times are milliseconds since 1970-01-01 UTC. Ids are the text forms that traces and the API use.
CREATE TABLE calls (
    call            TEXT PRIMARY KEY,
    session_id      TEXT NOT NULL,
    trunk           TEXT NOT NULL,
    caller          TEXT NOT NULL,
    called          TEXT NOT NULL,
    began_ms        INTEGER NOT NULL,
    joined_ms       INTEGER,
    ended_ms        INTEGER,
    ended_by        TEXT,
    ended_reason    TEXT,
    ended_sip       INTEGER,
    -- Of the caller's voice; null until the model has scored a window.
    voice_windows   INTEGER NOT NULL DEFAULT 0,
    peak_distress   REAL
) WITHOUT ROWID;
CREATE INDEX calls_by_time ON calls (began_ms);

CREATE TABLE decisions (
    id              INTEGER PRIMARY KEY,
    call            TEXT NOT NULL,
    at_ms           INTEGER NOT NULL,
    rule            TEXT NOT NULL,
    trigger_kind    TEXT NOT NULL,
    layer           TEXT NOT NULL,
    urgency         TEXT NOT NULL,
    -- JSON: [{"at_ms", "text"}], never empty.
    because         TEXT NOT NULL
);
CREATE INDEX decisions_by_call ON decisions (call);

CREATE TABLE handoffs (
    handoff         TEXT PRIMARY KEY,
    call            TEXT NOT NULL,
    began_ms        INTEGER NOT NULL,
    trigger_kind    TEXT,
    -- The desk rung last, and why that one.
    desk            TEXT,
    routed_because  TEXT,
    acknowledged_ms INTEGER,
    accepted_ms     INTEGER,
    joined_ms       INTEGER,
    ended_ms        INTEGER,
    outcome         TEXT,
    stage           TEXT,
    sip             INTEGER
) WITHOUT ROWID;
CREATE INDEX handoffs_by_time ON handoffs (began_ms);
CREATE INDEX handoffs_by_call ON handoffs (call);

-- The rest of a call's story: states, pops, release progress, notes. Not SIP messages and statistics: they belong to
-- the trace.
CREATE TABLE events (
    id              INTEGER PRIMARY KEY,
    call            TEXT NOT NULL,
    at_ms           INTEGER NOT NULL,
    kind            TEXT NOT NULL,
    what            TEXT NOT NULL
);
CREATE INDEX events_by_call ON events (call);
