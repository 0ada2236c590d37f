-- A row of trend is a sum over the minutes of its span, so that thinning adds
-- rows up and loses nothing of a mean; whoever reads divides.
CREATE TABLE span (
    at      INTEGER PRIMARY KEY,      -- first minute, counted since 1970
    minutes INTEGER NOT NULL          -- how long: 1, or what thinning made of it
) STRICT;

CREATE TABLE trend (
    at          INTEGER NOT NULL REFERENCES span (at),
    sector      INTEGER NOT NULL,
    cluster     INTEGER NOT NULL,
    minutes     INTEGER NOT NULL,     -- how many of the span's minutes had a row
    agents      INTEGER NOT NULL,     -- this and the following: sums over these minutes
    active      INTEGER NOT NULL,
    degraded    INTEGER NOT NULL,
    unstable    INTEGER NOT NULL,
    offline     INTEGER NOT NULL,
    quarantined INTEGER NOT NULL,
    frozen      INTEGER NOT NULL,
    queue       INTEGER NOT NULL,
    measured    INTEGER NOT NULL,
    mean_us     INTEGER NOT NULL,     -- mean in microseconds x measured
    p95_us      INTEGER NOT NULL,
    PRIMARY KEY (at, sector, cluster)
) STRICT, WITHOUT ROWID;
