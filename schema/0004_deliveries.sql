-- What sinks are told, and what became of it. Rollbacks and rebuilds leave it alone: an event that does not hold any
-- longer, or holds again, is told anew, under its next number. Times are POSIX milliseconds.

-- Events that came to hold, or ceased to, and that were not handed to the sinks yet. Whoever changes an event puts it
-- here, in the same transaction, by the triggers below; of several changes only the latest matters.
CREATE TABLE outbox (
    number  INTEGER PRIMARY KEY,
    event   INTEGER NOT NULL UNIQUE
) STRICT;
CREATE TRIGGER event_told AFTER INSERT ON event BEGIN
    DELETE FROM outbox WHERE event = new.number;
    INSERT INTO outbox (event) VALUES (new.number);
END;
CREATE TRIGGER event_turned AFTER UPDATE OF turns ON event WHEN new.turns <> old.turns BEGIN
    DELETE FROM outbox WHERE event = new.number;
    INSERT INTO outbox (event) VALUES (new.number);
END;

-- The sinks that the configuration names, or once did. A sink hears of blocks from `since_ms` on, or
-- of those after `since_slot`, and of what rests on no block if it came after event number `since_event`.
CREATE TABLE sink (
    name         TEXT PRIMARY KEY,
    since_ms     INTEGER,
    since_slot   INTEGER,
    since_event  INTEGER NOT NULL,
    configured   INTEGER NOT NULL CHECK (configured IN (0, 1))
) STRICT, WITHOUT ROWID;

-- One message for one sink. Those of a lane go one after the other: of a distribution, or, where none is concerned, of
-- one family of types. `ready`: the event has reached the finality that the sink wants; until then `height` is that of
-- the event.
CREATE TABLE delivery (
    number           INTEGER PRIMARY KEY,
    sink             TEXT NOT NULL,
    event_id         TEXT NOT NULL,
    turn             INTEGER NOT NULL,  -- even: the event holds; odd: it is retracted
    lane             TEXT NOT NULL,
    state            TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead', 'cancelled')),
    ready            INTEGER NOT NULL CHECK (ready IN (0, 1)),
    height           INTEGER,
    finality         TEXT,  -- as the message says; NULL before the first attempt
    attempts         INTEGER NOT NULL DEFAULT 0,  -- begun, whatever became of them
    first_ms         INTEGER,  -- when the first one was begun
    next_attempt_ms  INTEGER,
    ended_ms         INTEGER,
    last_error       TEXT,
    UNIQUE (sink, event_id, turn)
) STRICT;
CREATE INDEX delivery_due ON delivery (sink, lane, number) WHERE state = 'pending' AND ready = 1;
CREATE INDEX delivery_unripe ON delivery (sink, height) WHERE state = 'pending' AND ready = 0;
CREATE INDEX delivery_of_event ON delivery (event_id);
CREATE INDEX delivery_dead ON delivery (sink) WHERE state = 'dead';
CREATE INDEX delivery_by_ended_ms ON delivery (ended_ms) WHERE ended_ms IS NOT NULL;

CREATE TRIGGER event_moved AFTER UPDATE OF height ON event WHEN new.height IS NOT old.height BEGIN
    UPDATE delivery SET height = new.height WHERE event_id = new.event_id AND state = 'pending' AND ready = 0;
END;

-- The journal, asked for one state, the newest first.
CREATE INDEX release_by_state ON release (state, intended_ms);

CREATE VIEW deliveries AS
-- one row per message to a sink: an event, or its retraction
SELECT
    event_id || '.' || turn AS message_id,  -- of the message, the same at each attempt: EVENT.N; an even N holds, an odd one retracts
    event_id,  -- of which event
    sink,  -- name of the sink
    state,  -- pending, delivered, dead: given up, cancelled: there was nothing to tell any more
    attempts,  -- how often it was begun to be sent
    iif(state = 'pending' AND ready, strftime('%Y-%m-%dT%H:%M:%SZ', next_attempt_ms / 1000, 'unixepoch'), NULL) AS next_attempt_at,  -- not before, UTC; NULL: it is settled, waits for the finality that the sink wants, or is sent as soon as it may
    last_error,  -- why an attempt failed last; NULL: none did
    strftime('%Y-%m-%dT%H:%M:%SZ', first_ms / 1000, 'unixepoch') AS first_attempt_at,  -- UTC; NULL: none yet
    strftime('%Y-%m-%dT%H:%M:%SZ', ended_ms / 1000, 'unixepoch') AS ended_at  -- when it was settled, UTC; NULL: it is not
FROM delivery;

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
    4 AS schema_version  -- number of the last migration
FROM (
    SELECT network, cursor_slot AS slot, cursor_id AS block_id, cursor_height AS height, tip_slot, tip_height, (
        SELECT era.start_ms + (cursor_slot - era.start_slot) * era.slot_ms
        FROM era WHERE era.start_slot <= cursor_slot ORDER BY era.start_slot DESC LIMIT 1
    ) AS time_ms FROM chain
);
