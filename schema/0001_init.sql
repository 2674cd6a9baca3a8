-- Tables are ours and may change; the views at the end are what analysts rely on: they only gain columns.
-- Rows carry the slots at which they became true, so that a rollback is a few statements without an undo log.
-- Ids, hashes and policies are lowercase hex text, so that the views can be searched through the indexes.

-- The one row says which chain this database follows, from where, and how far. NULL slot and id: the origin.
CREATE TABLE chain (
    only_row            INTEGER PRIMARY KEY CHECK (only_row = 1),
    magic               INTEGER NOT NULL,
    network             TEXT NOT NULL,
    security_parameter  INTEGER,
    since_slot          INTEGER,
    since_id            TEXT,
    since_height        INTEGER,  -- known once a block has followed it
    cursor_slot         INTEGER,
    cursor_id           TEXT,
    cursor_height       INTEGER,
    tip_slot            INTEGER,
    tip_height          INTEGER,
    started             INTEGER NOT NULL DEFAULT 0 CHECK (started IN (0, 1))
) STRICT;

-- How slots turn into time: from start_slot on, slots last slot_ms milliseconds.
CREATE TABLE era (
    start_slot  INTEGER PRIMARY KEY,
    start_ms    INTEGER NOT NULL,
    slot_ms     INTEGER NOT NULL CHECK (slot_ms > 0)
) STRICT;

-- Where a rollback can lead: every block of the last k and some more, below that one in a thousand.
CREATE TABLE block (
    slot      INTEGER PRIMARY KEY,
    block_id  TEXT NOT NULL,
    height    INTEGER NOT NULL
) STRICT;
CREATE INDEX block_to_thin_out ON block (height) WHERE height % 1000 <> 0;

-- What is watched, and from which point on its history is held. NULL since: the origin, so all of it.
CREATE TABLE watch (
    credential  TEXT NOT NULL,  -- a payment hash in hex, or a Byron address
    kind        TEXT NOT NULL CHECK (kind IN ('key', 'script', 'any', 'byron')),
    since_slot  INTEGER,
    since_id    TEXT,
    configured  INTEGER NOT NULL CHECK (configured IN (0, 1)),
    PRIMARY KEY (credential, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE output (
    transaction_id      TEXT NOT NULL,
    output_index        INTEGER NOT NULL,
    address             TEXT NOT NULL,
    payment_credential  TEXT,
    credential_kind     TEXT CHECK (credential_kind IN ('key', 'script')),
    lovelace            INTEGER NOT NULL CHECK (lovelace >= 0),
    assets              TEXT NOT NULL,
    datum_hash          TEXT,
    inline_datum        BLOB,
    script_language     TEXT,
    script_hash         TEXT,
    created_slot        INTEGER NOT NULL,
    created_block       TEXT NOT NULL,
    spent_slot          INTEGER,
    spent_by            TEXT,
    PRIMARY KEY (transaction_id, output_index)
) STRICT;
CREATE INDEX output_by_credential ON output (payment_credential, spent_slot);
CREATE INDEX output_by_address ON output (address);
CREATE INDEX output_by_datum_hash ON output (datum_hash) WHERE datum_hash IS NOT NULL;
CREATE INDEX output_by_script_hash ON output (script_hash) WHERE script_hash IS NOT NULL;
CREATE INDEX output_by_created_slot ON output (created_slot);
CREATE INDEX output_by_spent_slot ON output (spent_slot) WHERE spent_slot IS NOT NULL;
CREATE INDEX output_unspent ON output (transaction_id, output_index) WHERE spent_slot IS NULL;

CREATE TABLE asset (
    transaction_id  TEXT NOT NULL,
    output_index    INTEGER NOT NULL,
    policy          TEXT NOT NULL,
    asset_name      TEXT NOT NULL,
    quantity        TEXT NOT NULL,
    created_slot    INTEGER NOT NULL,
    PRIMARY KEY (transaction_id, output_index, policy, asset_name)
) STRICT, WITHOUT ROWID;
CREATE INDEX asset_by_policy ON asset (policy, asset_name);
CREATE INDEX asset_by_created_slot ON asset (created_slot);

-- Preimages of datum hashes, with the slot of the first block that showed them.
CREATE TABLE datum (
    hash      TEXT PRIMARY KEY,
    datum     BLOB NOT NULL,
    slot      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX datum_by_slot ON datum (slot);

-- The views. The comment after a column is its documentation: schema/README.md is made from these lines.

CREATE VIEW outputs AS
-- one row per output seen at a watched credential
SELECT
    output.transaction_id,  -- id of the transaction that created it
    output.output_index,  -- its index there; a collateral return comes after the outputs that were not created
    output.address,  -- bech32, or base58 for Byron
    output.payment_credential,  -- payment hash; NULL at a Byron address
    output.credential_kind,  -- key or script; NULL at a Byron address
    output.lovelace,  -- 1 ada is 1,000,000 lovelace
    output.assets,  -- JSON object: policy.name (policy alone where the name is empty) to quantity, exact integers
    output.datum_hash,  -- of an inline datum too: blake2b-256 of its bytes; NULL without datum
    lower(nullif(hex(coalesce(output.inline_datum, datum.datum)), '')) AS datum,  -- CBOR; for a hash, once a transaction showed its preimage
    output.script_hash,  -- of the reference script; NULL without one, and for a native script whose bytes were not sent
    output.created_slot,  -- slot of the block that created it
    output.created_block,  -- id of that block
    output.spent_slot,  -- slot of the block that spent it; NULL while unspent
    output.spent_by,  -- id of the transaction that spent it; NULL while unspent
    output.script_language  -- native, plutus:v1, plutus:v2, …; NULL without reference script
FROM output LEFT JOIN datum ON datum.hash = output.datum_hash;

CREATE VIEW output_assets AS
-- one row per asset in an output
SELECT
    transaction_id,  -- id of the transaction that created the output
    output_index,  -- its index there
    policy,  -- policy id
    asset_name,  -- asset name in hex; empty where it has none
    quantity  -- text: it may exceed 2^63
FROM asset;

CREATE VIEW blocks AS
-- one row per recent block; further back one in a thousand is kept
SELECT
    slot,  -- slot of the block
    block_id,  -- hash of its header
    height,  -- how many blocks lie beneath it
    iif(time_ms > 253402300799000, '9999-12-31T23:59:59Z', strftime('%Y-%m-%dT%H:%M:%SZ', time_ms / 1000, 'unixepoch')) AS time  -- when its slot began, UTC
FROM (
    SELECT block.slot, block.block_id, block.height, (
        SELECT era.start_ms + (block.slot - era.start_slot) * era.slot_ms
        FROM era WHERE era.start_slot <= block.slot ORDER BY era.start_slot DESC LIMIT 1
    ) AS time_ms FROM block
);

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
    1 AS schema_version  -- number of the last migration
FROM (
    SELECT network, cursor_slot AS slot, cursor_id AS block_id, cursor_height AS height, tip_slot, tip_height, (
        SELECT era.start_ms + (cursor_slot - era.start_slot) * era.slot_ms
        FROM era WHERE era.start_slot <= cursor_slot ORDER BY era.start_slot DESC LIMIT 1
    ) AS time_ms FROM chain
);
