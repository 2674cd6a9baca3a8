-- Messages that were settled long ago are deleted; of those that may have arrived, this is remembered for each sink and
-- event: the newest. So whoever comes back, or asks for history, is told neither twice nor less than without deleting.
CREATE TABLE told (
    event     INTEGER NOT NULL,  -- number of the event
    sink      TEXT NOT NULL,
    turn      INTEGER NOT NULL,
    state     TEXT NOT NULL CHECK (state IN ('delivered', 'dead', 'cancelled')),
    attempts  INTEGER NOT NULL,
    finality  TEXT NOT NULL,  -- as the message said
    PRIMARY KEY (event, sink)
) STRICT, WITHOUT ROWID;

DROP VIEW sync_status;
CREATE VIEW sync_status AS
-- one row: where we stand
SELECT
    network,  -- name of the network, or its magic number
    slot,  -- slot of the last block applied; NULL: none yet
    block_id,  -- id of that block
    height,  -- its height; NULL right after a start from a point or a rollback to before it
    iif(time_ms > 253402300799000, '9999-12-31T23:59:59Z', strftime('%Y-%m-%dT%H:%M:%SZ', time_ms / 1000, 'unixepoch')) AS time,  -- when its slot began, UTC
    tip_slot,  -- slot of the node's tip, as last told
    tip_height,  -- height of the node's tip, as last told
    max(0, CAST(strftime('%s', 'now') AS INTEGER) - time_ms / 1000) AS seconds_behind,  -- wall clock minus time
    5 AS schema_version  -- number of the last migration
FROM (
    SELECT network, cursor_slot AS slot, cursor_id AS block_id, cursor_height AS height, tip_slot, tip_height, (
        SELECT era.start_ms + (cursor_slot - era.start_slot) * era.slot_ms
        FROM era WHERE era.start_slot <= cursor_slot ORDER BY era.start_slot DESC LIMIT 1
    ) AS time_ms FROM chain
);
