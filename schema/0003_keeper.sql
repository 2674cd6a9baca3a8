-- The keeper's journal: what it released, by which transactions, and what became of them. Rollbacks and rebuilds leave it
-- alone: what the chain shows is compared with it again, by transaction id. Times are POSIX milliseconds.

-- One row for each release: a state output, a milestone, and the allocations that are paid.
CREATE TABLE release (
    release_id            TEXT PRIMARY KEY,
    distribution_id       TEXT NOT NULL,
    milestone_id          TEXT NOT NULL,
    state_transaction_id  TEXT NOT NULL,
    state_index           INTEGER NOT NULL,
    allocations           TEXT NOT NULL,  -- JSON: positions in the terms
    state                 TEXT NOT NULL CHECK (state IN ('intended', 'built', 'submitted', 'in_block', 'confirmed',
        'final', 'expired', 'refused', 'superseded', 'rolled_back', 'failed')),
    attempts              INTEGER NOT NULL,
    failures              INTEGER NOT NULL,  -- in a row
    last_error            TEXT,
    intended_ms           INTEGER NOT NULL,
    submitted_ms          INTEGER,
    retry_ms              INTEGER,  -- left alone until then
    landed_transaction    TEXT,
    landed_slot           INTEGER,
    landed_height         INTEGER,
    settled               INTEGER NOT NULL DEFAULT 0 CHECK (settled IN (0, 1)),  -- nothing can change any more
    by_hand               INTEGER NOT NULL CHECK (by_hand IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX release_of_milestone ON release (distribution_id, milestone_id, intended_ms);
CREATE INDEX release_by_intended_ms ON release (intended_ms);
CREATE INDEX release_unsettled ON release (intended_ms, release_id) WHERE settled = 0;

-- Every transaction that was signed, as the very bytes, before it was first sent. NULL release: it splits a coin.
CREATE TABLE release_transaction (
    transaction_id  TEXT PRIMARY KEY,
    release_id      TEXT,
    attempt         INTEGER NOT NULL,
    cbor            BLOB NOT NULL,
    valid_from      INTEGER,
    valid_until     INTEGER NOT NULL,  -- the first slot in which it is not valid any more
    fee             INTEGER NOT NULL,
    loss            INTEGER NOT NULL,  -- lovelace that leave the wallet; negative: it gains
    memory          INTEGER NOT NULL,
    steps           INTEGER NOT NULL,
    built_ms        INTEGER NOT NULL,
    sent_ms         INTEGER,  -- the last time
    sent_height     INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX release_transaction_of_release ON release_transaction (release_id, attempt);
CREATE INDEX release_transaction_split ON release_transaction (valid_until) WHERE release_id IS NULL;

-- What a transaction spends; `collateral` is only staked.
CREATE TABLE release_input (
    transaction_id        TEXT NOT NULL,
    input_transaction_id  TEXT NOT NULL,
    input_index           INTEGER NOT NULL,
    role                  TEXT NOT NULL CHECK (role IN ('state', 'coin', 'collateral')),
    PRIMARY KEY (transaction_id, input_transaction_id, input_index)
) STRICT, WITHOUT ROWID;

-- Every turn that a release took.
CREATE TABLE release_step (
    number      INTEGER PRIMARY KEY,
    release_id  TEXT NOT NULL,
    attempt     INTEGER NOT NULL,
    from_state  TEXT,
    to_state    TEXT NOT NULL,
    slot        INTEGER NOT NULL,
    ms          INTEGER NOT NULL,
    reason      TEXT NOT NULL
) STRICT;
CREATE INDEX release_step_of_release ON release_step (release_id, number);

-- The keys whose coins the keeper has spent, and as of which block the coins from before the history began were read.
CREATE TABLE wallet (
    key_hash    TEXT PRIMARY KEY,
    first_slot  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE wallet_reading (
    credential  TEXT PRIMARY KEY,
    slot        INTEGER NOT NULL,
    block_id    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The coins of a wallet, the largest first, however much dust strangers pay to it.
CREATE INDEX output_plain ON output (payment_credential, lovelace)
    WHERE spent_slot IS NULL AND credential_kind = 'key' AND assets = '{}' AND datum_hash IS NULL
        AND script_language IS NULL;

CREATE VIEW releases AS
-- one row per release that this daemon made or tried
SELECT
    release_id,  -- stable: names the output spent, the milestone and the allocations
    distribution_id,  -- of which distribution
    milestone_id,  -- for which milestone
    state,  -- intended, built, submitted, in_block, confirmed, final, expired, refused, superseded, rolled_back, failed
    transaction_id,  -- of the transaction that is in a block, else of the latest; NULL before the first
    fee,  -- its fee in lovelace
    ex_units_memory,  -- units that it declares
    ex_units_cpu,  -- steps that it declares
    attempts,  -- how often it was set out with
    last_error,  -- why it failed last; NULL: it never did
    strftime('%Y-%m-%dT%H:%M:%SZ', intended_ms / 1000, 'unixepoch') AS intended_at,  -- when it was first wanted, UTC
    strftime('%Y-%m-%dT%H:%M:%SZ', submitted_ms / 1000, 'unixepoch') AS submitted_at,  -- when it was first handed over, UTC; NULL: never
    landed_slot AS in_block_slot,  -- slot of the block that has it; NULL while none has
    iif(landed_slot IS NULL, NULL, cursor_height - landed_height) AS depth,  -- blocks upon that block; NULL while none has it
    cost,  -- lovelace that it costs the wallet, the fee among them; negative where it gains
    allocations,  -- JSON array: positions of what it pays in the terms
    state_output  -- TXID#INDEX of the output that it spends
FROM (
    SELECT r.*, c.cursor_height,
        r.state_transaction_id || '#' || r.state_index AS state_output,
        t.transaction_id, t.fee, t.memory AS ex_units_memory, t.steps AS ex_units_cpu, t.loss AS cost
    FROM release r CROSS JOIN chain c LEFT JOIN release_transaction t ON t.transaction_id = coalesce(
        r.landed_transaction,
        (SELECT l.transaction_id FROM release_transaction l WHERE l.release_id = r.release_id ORDER BY l.attempt DESC LIMIT 1)
    )
);

CREATE VIEW release_steps AS
-- one row per turn that a release took
SELECT
    release_id,  -- of which release
    number,  -- in order
    attempt,  -- how often it had been set out with by then
    from_state,  -- NULL for the first
    to_state,  -- the state from then on
    slot,  -- of the cursor
    strftime('%Y-%m-%dT%H:%M:%SZ', ms / 1000, 'unixepoch') AS time,  -- UTC
    reason  -- why
FROM release_step;

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
    3 AS schema_version  -- number of the last migration
FROM (
    SELECT network, cursor_slot AS slot, cursor_id AS block_id, cursor_height AS height, tip_slot, tip_height, (
        SELECT era.start_ms + (cursor_slot - era.start_slot) * era.slot_ms
        FROM era WHERE era.start_slot <= cursor_slot ORDER BY era.start_slot DESC LIMIT 1
    ) AS time_ms FROM chain
);
