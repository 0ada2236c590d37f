-- The facts of the stream, each once, and how far the stream has been applied.
CREATE TABLE fact (
    seq       INTEGER PRIMARY KEY,        -- 1000 x stream sequence + place
    at        INTEGER NOT NULL,           -- ns since 1970, core's clock
    kind      TEXT    NOT NULL,
    keep      INTEGER NOT NULL,           -- 1: of a kind that stays for ever
    id        TEXT,                       -- where the writer gave one
    actor     TEXT,
    sector    INTEGER NOT NULL DEFAULT 0, -- place, 0 where it is wider
    cluster   INTEGER NOT NULL DEFAULT 0,
    seat      INTEGER NOT NULL DEFAULT 0,
    agent_id  TEXT,
    host      TEXT,
    operation TEXT,
    text      TEXT,
    data      TEXT,                       -- JSON; of an audit fact it is in audit.entry
    unknown   TEXT                        -- JSON: members of a later version
) STRICT;

CREATE TABLE progress (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    cursor   INTEGER NOT NULL,            -- last stream sequence applied
    stream   TEXT    NOT NULL             -- identity of that stream; '' while unknown
) STRICT;
INSERT INTO progress VALUES (1, 0, '');

-- Who is enrolled now, by id.
CREATE TABLE agent (
    agent_id  TEXT    PRIMARY KEY,
    seq       INTEGER NOT NULL,           -- of the fact that enrolled it last
    host_key  TEXT    NOT NULL,
    sector    INTEGER NOT NULL,
    ordinal   INTEGER NOT NULL,
    enrolment TEXT    NOT NULL            -- JSON: wire.Enrolled
) STRICT, WITHOUT ROWID;

-- A token is used once by each key that joined with it, in however many clusters.
CREATE TABLE token_use (
    token TEXT    NOT NULL,
    key   TEXT    NOT NULL,
    name  TEXT    NOT NULL,               -- host or person
    seq   INTEGER NOT NULL,
    PRIMARY KEY (token, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE person (
    name TEXT    PRIMARY KEY,
    role TEXT    NOT NULL,
    key  TEXT    NOT NULL,
    seq  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE operation (
    id         TEXT    PRIMARY KEY,
    seq        INTEGER NOT NULL UNIQUE REFERENCES fact (seq) ON DELETE CASCADE,
    action     TEXT    NOT NULL,
    message_id TEXT    NOT NULL,
    started    INTEGER NOT NULL,          -- ns since 1970
    ended      INTEGER,                   -- seq of the fact that ended it
    ended_at   INTEGER                    -- ns since 1970
) STRICT, WITHOUT ROWID;

CREATE TABLE delivery (
    seq       INTEGER PRIMARY KEY REFERENCES fact (seq) ON DELETE CASCADE,
    operation TEXT    NOT NULL,
    sector    INTEGER NOT NULL,
    state     INTEGER NOT NULL,           -- wire.DeliveryState
    code      TEXT,
    agents    BLOB    NOT NULL            -- little-endian words: bit i of word w is ordinal 64w+i
) STRICT;

CREATE TABLE audit (
    seq    INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    person TEXT    NOT NULL,
    prev   TEXT    NOT NULL,
    hash   TEXT    NOT NULL,
    entry  TEXT    NOT NULL               -- JSON: wire.AuditEntry, as it came
) STRICT;
