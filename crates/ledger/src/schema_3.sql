-- What the audio of each leg was like, over its life.
CREATE TABLE legs (
    call             TEXT NOT NULL,
    -- 0 is the caller's.
    leg              INTEGER NOT NULL,
    role             TEXT NOT NULL,
    -- The trunk, bot or desk.
    name             TEXT NOT NULL,
    received         INTEGER NOT NULL,
    sent             INTEGER NOT NULL,
    lost             INTEGER NOT NULL,
    jitter_ms        REAL NOT NULL,
    -- What the other side's RTCP said; null where there was none.
    round_trip_ms    REAL,
    remote_jitter_ms REAL,
    -- Mean opinion scores (ITU-T G.107): of what was heard from there, and there of us.
    mos              REAL,
    remote_mos       REAL,
    PRIMARY KEY (call, leg)
) WITHOUT ROWID;
