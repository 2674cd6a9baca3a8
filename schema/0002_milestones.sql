-- Distributions, milestones, allocations, signatures, events. As before, rows carry the slots at which they became
-- true. What follows from other rows (verdict, quorum, events) is written anew for each distribution that is touched.
-- Ids, hashes, keys and signatures are lowercase hex; a milestone id as people see it (a plain word, or 0x and hex).

-- The contracts that are followed, in the order of the configuration: the first creates. What a contract holds was read
-- from a point on; NULL since: from where the history starts. One dropped from the configuration is followed until a
-- rebuild.
CREATE TABLE contract (
    script_hash  TEXT PRIMARY KEY,
    ordinal      INTEGER NOT NULL,
    since_slot   INTEGER,
    since_id     TEXT,
    configured   INTEGER NOT NULL CHECK (configured IN (0, 1))
) STRICT, WITHOUT ROWID;

-- What a distribution promises: its terms as created. It ends when its state token is burnt.
CREATE TABLE distribution (
    distribution_id        TEXT PRIMARY KEY,
    policy                 TEXT NOT NULL,
    seed_transaction_id    TEXT NOT NULL,
    seed_index             INTEGER NOT NULL,
    datum                  BLOB NOT NULL,
    funder                 TEXT NOT NULL,
    token_policy           TEXT NOT NULL,
    token_name             TEXT NOT NULL,
    oracles                TEXT NOT NULL,
    quorum_threshold       INTEGER NOT NULL,
    lovelace_per_payout    TEXT NOT NULL,  -- text: nobody limits them to 64 bits
    keeper_fee_per_payout  TEXT NOT NULL,
    expires_ms             INTEGER,
    created_slot           INTEGER NOT NULL,
    ended_slot             INTEGER,
    ended_height           INTEGER,
    ended_block            TEXT,
    ended_by               TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX distribution_by_created_slot ON distribution (created_slot);
CREATE INDEX distribution_by_ended_slot ON distribution (ended_slot) WHERE ended_slot IS NOT NULL;
CREATE INDEX distribution_by_funder ON distribution (funder);
CREATE INDEX distribution_token ON distribution (distribution_id, token_policy, token_name);  -- without the datum
CREATE INDEX distribution_alive ON distribution (policy) WHERE ended_slot IS NULL;

-- The outputs that hold a distribution's state token, one after the other: the first creates it, each other one is
-- left by a release, whose milestone it names.
CREATE TABLE state_output (
    transaction_id   TEXT NOT NULL,
    output_index     INTEGER NOT NULL,
    distribution_id  TEXT NOT NULL,
    milestone_id     TEXT,
    slot             INTEGER NOT NULL,
    height           INTEGER NOT NULL,
    block_id         TEXT NOT NULL,
    position         INTEGER NOT NULL,  -- of the transaction in its block
    PRIMARY KEY (transaction_id, output_index)
) STRICT, WITHOUT ROWID;
CREATE INDEX state_output_of_distribution ON state_output (distribution_id, slot, position);
CREATE INDEX state_output_by_slot ON state_output (slot);

CREATE TABLE allocation (
    distribution_id   TEXT NOT NULL,
    allocation_index  INTEGER NOT NULL,
    milestone_id      TEXT NOT NULL,
    beneficiary       TEXT NOT NULL,
    amount            INTEGER NOT NULL,
    vesting_ms        INTEGER NOT NULL,
    created_slot      INTEGER NOT NULL,
    paid_slot         INTEGER,
    paid_by           TEXT,
    PRIMARY KEY (distribution_id, allocation_index)
) STRICT, WITHOUT ROWID;
CREATE INDEX allocation_of_milestone ON allocation (distribution_id, milestone_id, paid_slot, vesting_ms, amount);
CREATE INDEX allocation_by_beneficiary ON allocation (beneficiary);
CREATE INDEX allocation_by_created_slot ON allocation (created_slot);
CREATE INDEX allocation_by_paid_slot ON allocation (paid_slot) WHERE paid_slot IS NOT NULL;
CREATE INDEX allocation_to_pay ON allocation (vesting_ms) WHERE paid_slot IS NULL;

-- What the signatures come to, and when what is left can be paid, written anew whenever a signature, a release or the
-- distribution comes or goes.
CREATE TABLE milestone (
    distribution_id   TEXT NOT NULL,
    milestone_id      TEXT NOT NULL,
    created_slot      INTEGER NOT NULL,
    signatures_valid  INTEGER NOT NULL,
    quorum_met_slot   INTEGER,
    pay_from_ms       INTEGER,  -- the earliest vesting time of what is unpaid; NULL: all is paid, or was had back
    PRIMARY KEY (distribution_id, milestone_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX milestone_by_created_slot ON milestone (created_slot);
CREATE INDEX milestone_by_quorum_met_slot ON milestone (quorum_met_slot) WHERE quorum_met_slot IS NOT NULL;
CREATE INDEX milestone_to_pay ON milestone (pay_from_ms, quorum_met_slot)
    WHERE pay_from_ms IS NOT NULL AND quorum_met_slot IS NOT NULL;
CREATE INDEX milestone_open ON milestone (distribution_id) WHERE pay_from_ms IS NOT NULL;

-- Every signature seen: in an attestation's datum (chain), in a release's redeemer, or in a local file. A local one
-- keeps the slot at which it was first stored, and no rollback takes it away.
CREATE TABLE signature (
    signature_id     INTEGER PRIMARY KEY,
    distribution_id  TEXT NOT NULL,
    milestone_id     TEXT NOT NULL,
    oracle           TEXT NOT NULL,
    signature        TEXT NOT NULL,
    source           TEXT NOT NULL CHECK (source IN ('chain', 'release', 'local')),
    slot             INTEGER NOT NULL,
    position         INTEGER NOT NULL,  -- of the transaction in its block
    place            INTEGER NOT NULL,  -- output index, or place in the redeemer
    height           INTEGER,
    block_id         TEXT,
    transaction_id   TEXT,
    output_index     INTEGER,
    verifies         INTEGER CHECK (verifies IN (0, 1)),  -- NULL until the distribution is known
    verdict          TEXT NOT NULL
) STRICT;
CREATE INDEX signature_of_distribution ON signature (distribution_id, milestone_id, slot);
-- All that a new signature of a distribution is weighed against, however many others somebody has published.
CREATE INDEX signature_that_counts ON signature (distribution_id) WHERE verdict = 'valid' OR source = 'local';
CREATE UNIQUE INDEX signature_local ON signature (distribution_id, milestone_id, oracle, signature)
    WHERE source = 'local';
CREATE INDEX signature_by_oracle ON signature (oracle);
CREATE INDEX signature_by_slot ON signature (slot) WHERE source <> 'local';

CREATE TABLE rejected_output (
    transaction_id  TEXT NOT NULL,
    output_index    INTEGER NOT NULL,
    slot            INTEGER NOT NULL,
    reason          TEXT NOT NULL,
    PRIMARY KEY (transaction_id, output_index)
) STRICT, WITHOUT ROWID;
CREATE INDEX rejected_output_by_slot ON rejected_output (slot);

-- What people are told. `gone`: it does not hold any longer. `turns` counts how often that was told: odd, it is
-- retracted. After a rollback the two differ until the chain has reached the old height again, for it may come back.
CREATE TABLE event (
    number           INTEGER PRIMARY KEY,
    event_id         TEXT NOT NULL UNIQUE,
    type             TEXT NOT NULL,
    origin           TEXT NOT NULL CHECK (origin IN ('chain', 'daemon')),
    distribution_id  TEXT,
    milestone_id     TEXT,
    slot             INTEGER NOT NULL,
    height           INTEGER,  -- of the newest block it rests on; NULL for what rests on none
    data             TEXT NOT NULL,
    turns            INTEGER NOT NULL DEFAULT 0,
    gone             INTEGER NOT NULL DEFAULT 0 CHECK (gone IN (0, 1))
) STRICT;
CREATE INDEX event_of_distribution ON event (distribution_id, slot);
CREATE INDEX event_to_reconcile ON event (distribution_id) WHERE type <> 'attestation.rejected';
CREATE INDEX event_by_slot ON event (slot);
CREATE INDEX event_by_type ON event (type, slot);
CREATE INDEX event_to_retract ON event (gone) WHERE gone = 1 AND turns % 2 = 0;

-- Distributions of which a file showed something that the chain may yet show differently, for it is being read again: told
-- when the height of before, or of the tip at the start, is reached.
CREATE TABLE event_delayed (
    distribution_id  TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- How deep a block must lie for an event to count as confirmed, and the height that a rollback fell back from.
ALTER TABLE chain ADD COLUMN confirmed_depth INTEGER NOT NULL DEFAULT 15;
ALTER TABLE chain ADD COLUMN recover_height INTEGER;

-- The views. The comment after a column is its documentation: schema/README.md is made from these lines.

CREATE VIEW distributions AS
-- one row per distribution: tokens locked at the contract, promised milestone by milestone
SELECT
    distribution_id,  -- name of its state token; commits to seed and terms
    seed,  -- TXID#INDEX of the output whose spending made the id unique
    iif(ended_slot IS NULL, iif(allocations_claimed = allocations_total, 'completed', 'open'), iif(allocations_claimed = allocations_total, 'closed', 'reclaimed')) AS state,  -- open; completed: all claimed; closed: reclaimed after completion; reclaimed: before
    token_policy,  -- policy id of what is promised; empty for ada
    token_name,  -- asset name in hex; empty for ada, and for a token without a name
    oracles,  -- JSON array of Ed25519 public keys
    quorum_threshold,  -- how many of them it takes
    amount_total,  -- promised in all, in the token's smallest unit
    amount_paid,  -- of it paid
    amount_total - amount_paid AS amount_left,  -- promised and not paid
    milestones_total,  -- number of milestones
    milestones_total - milestones_open AS milestones_released,  -- of them those all of whose allocations are paid
    allocations_total,  -- number of allocations
    allocations_claimed,  -- of them those that are paid
    funder,  -- key hash of who may have back what is left
    iif(expires_ms > 253402300799000, '9999-12-31T23:59:59Z', strftime('%Y-%m-%dT%H:%M:%SZ', expires_ms / 1000, 'unixepoch')) AS expires_at,  -- from then on the funder may reclaim; NULL: never
    output_reference,  -- TXID#INDEX of the latest output that holds or held its state token
    created_slot,  -- slot of the block that created it
    iif(created_ms > 253402300799000, '9999-12-31T23:59:59Z', strftime('%Y-%m-%dT%H:%M:%SZ', created_ms / 1000, 'unixepoch')) AS created_at,  -- when that slot began, UTC
    updated_slot,  -- slot of the last block that created, released or reclaimed
    iif(updated_ms > 253402300799000, '9999-12-31T23:59:59Z', strftime('%Y-%m-%dT%H:%M:%SZ', updated_ms / 1000, 'unixepoch')) AS updated_at,  -- when that slot began, UTC
    policy,  -- script hash of its contract, and policy of its state token
    ended_slot,  -- slot of the block that reclaimed it; NULL while it lives
    ended_by  -- id of the transaction that did; NULL while it lives
FROM (
    SELECT *,
        (SELECT start_ms + (created_slot - start_slot) * slot_ms FROM era WHERE start_slot <= created_slot ORDER BY start_slot DESC LIMIT 1) AS created_ms,
        (SELECT start_ms + (updated_slot - start_slot) * slot_ms FROM era WHERE start_slot <= updated_slot ORDER BY start_slot DESC LIMIT 1) AS updated_ms
    FROM (
        SELECT d.*,
            d.seed_transaction_id || '#' || d.seed_index AS seed,
            (SELECT count(*) FROM allocation a WHERE a.distribution_id = d.distribution_id) AS allocations_total,
            (SELECT count(a.paid_slot) FROM allocation a WHERE a.distribution_id = d.distribution_id) AS allocations_claimed,
            (SELECT sum(a.amount) FROM allocation a WHERE a.distribution_id = d.distribution_id) AS amount_total,
            (SELECT coalesce(sum(a.amount) FILTER (WHERE a.paid_slot IS NOT NULL), 0) FROM allocation a WHERE a.distribution_id = d.distribution_id) AS amount_paid,
            (SELECT count(*) FROM milestone m WHERE m.distribution_id = d.distribution_id) AS milestones_total,
            (SELECT count(*) FROM milestone m WHERE m.distribution_id = d.distribution_id AND EXISTS (
                SELECT 1 FROM allocation a WHERE a.distribution_id = m.distribution_id AND a.milestone_id = m.milestone_id AND a.paid_slot IS NULL
            )) AS milestones_open,
            (SELECT s.transaction_id || '#' || s.output_index FROM state_output s WHERE s.distribution_id = d.distribution_id ORDER BY s.slot DESC, s.position DESC LIMIT 1) AS output_reference,
            coalesce(d.ended_slot, (SELECT max(s.slot) FROM state_output s WHERE s.distribution_id = d.distribution_id)) AS updated_slot
        FROM distribution d
    )
);

CREATE VIEW milestones AS
-- one row per milestone of a distribution
SELECT
    distribution_id,  -- of which distribution
    milestone_id,  -- its id: a plain word, or 0x and hex
    signatures_valid,  -- distinct authorised oracles with a valid signature
    quorum_threshold,  -- how many it takes
    iif(signatures_valid > quorum_threshold, 'exceeded', iif(signatures_valid = quorum_threshold, 'met', 'pending')) AS quorum_status,  -- pending, met (exactly as many as it takes), exceeded
    quorum_met_slot,  -- first slot at which enough were known; NULL while pending
    iif(met_ms > 253402300799000, '9999-12-31T23:59:59Z', strftime('%Y-%m-%dT%H:%M:%SZ', met_ms / 1000, 'unixepoch')) AS quorum_met_at,  -- when that slot began, UTC
    amount_total,  -- promised for this milestone, in the token's smallest unit
    amount_vested,  -- of it what is past its vesting time by the clock of whoever asks
    amount_paid,  -- of it paid
    iif(next_ms > 253402300799000, '9999-12-31T23:59:59Z', strftime('%Y-%m-%dT%H:%M:%SZ', next_ms / 1000, 'unixepoch')) AS next_vesting_at  -- the next vesting time of what is unpaid, UTC; NULL where none lies ahead
FROM (
    SELECT m.distribution_id, m.milestone_id, m.signatures_valid, d.quorum_threshold, m.quorum_met_slot,
        (SELECT start_ms + (m.quorum_met_slot - start_slot) * slot_ms FROM era WHERE start_slot <= m.quorum_met_slot ORDER BY start_slot DESC LIMIT 1) AS met_ms,
        (SELECT sum(a.amount) FROM allocation a WHERE a.distribution_id = m.distribution_id AND a.milestone_id = m.milestone_id) AS amount_total,
        (SELECT coalesce(sum(a.amount) FILTER (WHERE a.vesting_ms <= CAST(strftime('%s', 'now') AS INTEGER) * 1000), 0) FROM allocation a WHERE a.distribution_id = m.distribution_id AND a.milestone_id = m.milestone_id) AS amount_vested,
        (SELECT coalesce(sum(a.amount) FILTER (WHERE a.paid_slot IS NOT NULL), 0) FROM allocation a WHERE a.distribution_id = m.distribution_id AND a.milestone_id = m.milestone_id) AS amount_paid,
        (SELECT min(a.vesting_ms) FROM allocation a WHERE a.distribution_id = m.distribution_id AND a.milestone_id = m.milestone_id AND a.paid_slot IS NULL AND a.vesting_ms > CAST(strftime('%s', 'now') AS INTEGER) * 1000) AS next_ms
    FROM milestone m JOIN distribution d ON d.distribution_id = m.distribution_id
);

CREATE VIEW allocations AS
-- one row per allocation: tokens for one beneficiary, for one milestone
SELECT
    distribution_id,  -- of which distribution
    allocation_index,  -- its place in the terms
    milestone_id,  -- for which milestone
    beneficiary,  -- bech32 address that is paid
    amount,  -- in the token's smallest unit
    iif(vesting_ms > 253402300799000, '9999-12-31T23:59:59Z', strftime('%Y-%m-%dT%H:%M:%SZ', vesting_ms / 1000, 'unixepoch')) AS vesting_at,  -- not paid before, UTC
    paid_slot IS NOT NULL AS claimed,  -- 1 once paid
    paid_by,  -- id of the release that paid it; NULL while unpaid
    paid_slot,  -- slot of its block; NULL while unpaid
    vesting_ms,  -- the same as vesting_at in POSIX milliseconds, exact
    iif(paid_ms > 253402300799000, '9999-12-31T23:59:59Z', strftime('%Y-%m-%dT%H:%M:%SZ', paid_ms / 1000, 'unixepoch')) AS paid_at  -- when the slot of its payment began, UTC; NULL while unpaid
FROM (
    SELECT allocation.*, (
        SELECT start_ms + (allocation.paid_slot - start_slot) * slot_ms FROM era WHERE start_slot <= allocation.paid_slot ORDER BY start_slot DESC LIMIT 1
    ) AS paid_ms FROM allocation
);

CREATE VIEW attestations AS
-- one row per signature seen, whatever it is worth
SELECT
    distribution_id,  -- what it speaks of
    milestone_id,  -- and of which milestone
    oracle,  -- public key it claims to be of
    signature,  -- the signature
    source,  -- chain: an attestation output; release: the redeemer of a release; local: a file
    verdict,  -- valid, duplicate, unauthorised, bad_signature, unknown_distribution, unknown_milestone
    transaction_id || '#' || output_index AS output_reference,  -- the attestation output, or the output that the release left; NULL for local
    slot,  -- slot of its block, or at which the local one was first stored
    iif(seen_ms > 253402300799000, '9999-12-31T23:59:59Z', strftime('%Y-%m-%dT%H:%M:%SZ', seen_ms / 1000, 'unixepoch')) AS seen_at  -- when that slot began, UTC
FROM (
    SELECT signature.*, (
        SELECT start_ms + (signature.slot - start_slot) * slot_ms FROM era WHERE start_slot <= signature.slot ORDER BY start_slot DESC LIMIT 1
    ) AS seen_ms FROM signature
);

CREATE VIEW rejected_outputs AS
-- one row per output at a contract that is neither a distribution's nor an attestation
SELECT
    rejected_output.transaction_id,  -- id of the transaction that created it
    rejected_output.output_index,  -- its index there
    rejected_output.slot,  -- slot of the block that created it
    rejected_output.reason,  -- why it counts as nothing
    lower(nullif(hex(coalesce(output.inline_datum, datum.datum)), '')) AS datum  -- CBOR in hex; NULL without one
FROM rejected_output
LEFT JOIN output ON output.transaction_id = rejected_output.transaction_id AND output.output_index = rejected_output.output_index
LEFT JOIN datum ON datum.hash = output.datum_hash;

CREATE VIEW events AS
-- one row per event that people are told of; reports leave out finality 'retracted'
SELECT
    event_id,  -- stable: the same wherever and whenever the chain is read
    type,  -- such as milestone.quorum_met
    origin,  -- chain: a block shows it; daemon: it came about here, through a file
    distribution_id,  -- of which distribution; NULL where none is concerned
    milestone_id,  -- of which milestone; NULL where none is concerned
    slot,  -- slot of the block, or at which it came about
    iif(time_ms > 253402300799000, '9999-12-31T23:59:59Z', strftime('%Y-%m-%dT%H:%M:%SZ', time_ms / 1000, 'unixepoch')) AS time,  -- when that slot began, UTC
    iif(turns % 2, 'retracted', iif(height IS NULL OR height <= cursor_height - k, 'final', iif(height <= cursor_height - min(confirmed_depth, k), 'confirmed', 'seen'))) AS finality,  -- seen, confirmed, final, or retracted: rolled back
    data  -- JSON
FROM (
    SELECT event.*, chain.cursor_height, chain.confirmed_depth, coalesce(chain.security_parameter, 2160) AS k, (
        SELECT start_ms + (event.slot - start_slot) * slot_ms FROM era WHERE start_slot <= event.slot ORDER BY start_slot DESC LIMIT 1
    ) AS time_ms FROM event, chain
);

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
    2 AS schema_version  -- number of the last migration
FROM (
    SELECT network, cursor_slot AS slot, cursor_id AS block_id, cursor_height AS height, tip_slot, tip_height, (
        SELECT era.start_ms + (cursor_slot - era.start_slot) * era.slot_ms
        FROM era WHERE era.start_slot <= cursor_slot ORDER BY era.start_slot DESC LIMIT 1
    ) AS time_ms FROM chain
);
