"""The journal of releases as rows: what was intended, the very bytes that were signed, and every turn since.

Rollbacks and rebuilds leave it alone. What the chain shows of it now is `sights`. The caller owns the transaction.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from aiosqlite import Connection

from indexer.chain.block import OutputReference
from indexer.chain.parameters import Units
from indexer.chain.point import BlockHeight, Slot
from indexer.domain.submission import Landed, NotHeld, OfState, ReleaseState, Spent, Unspent
from indexer.plutus.identity import parse_milestone, shown_milestone
from indexer.store.lists import listed

BEGIN: Final = """
    INSERT INTO release (release_id, distribution_id, milestone_id, state_transaction_id, state_index, allocations,
        state, attempts, failures, intended_ms, by_hand) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
# The same coins, parameters and slot make the same bytes again.
ADD_TRANSACTION: Final = """
    INSERT INTO release_transaction (transaction_id, release_id, attempt, cbor, valid_from, valid_until, fee, loss,
        memory, steps, built_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (transaction_id) DO UPDATE SET attempt = excluded.attempt, cbor = excluded.cbor"""
ADD_INPUT: Final = "INSERT OR IGNORE INTO release_input VALUES (?, ?, ?, ?)"
STEP: Final = """
    UPDATE release SET state = ?2, attempts = ?3, failures = ?4, retry_ms = ?5, last_error = ?6,
        landed_transaction = ?7, landed_slot = ?8, landed_height = ?9, settled = ?10,
        submitted_ms = coalesce(submitted_ms, iif(?2 = 'submitted', ?11, NULL))
    WHERE release_id = ?1"""
ADD_STEP: Final = """
    INSERT INTO release_step (release_id, attempt, from_state, to_state, slot, ms, reason)
    VALUES (?1, ?2, (SELECT to_state FROM release_step WHERE release_id = ?1 ORDER BY number DESC LIMIT 1), ?3, ?4, ?5,
        ?6)"""
BY_HAND: Final = "UPDATE release SET by_hand = 1 WHERE release_id = ?"
# Of each release the most that a transaction of the last day may take, for as long as no block shows what became of it.
# Those of one state output exclude each other. What was refused or has expired counts too: only the node says so.
AT_STAKE: Final = """
    SELECT coalesce(sum((
        SELECT max(t.loss) FROM release_transaction t
        WHERE t.release_id = r.release_id AND t.loss > 0
            AND (t.built_ms >= ?3 OR r.state IN ('built', 'submitted', 'rolled_back'))
    )), 0)
    FROM release r
    WHERE r.settled = 0 AND r.state NOT IN ('in_block', 'confirmed', 'final', 'superseded')
        AND NOT (r.state_transaction_id = ?1 AND r.state_index = ?2)"""
SENT: Final = "UPDATE release_transaction SET sent_ms = ?, sent_height = ? WHERE transaction_id = ?"

_RELEASES: Final = """
    SELECT r.release_id, r.distribution_id, r.milestone_id, r.state_transaction_id, r.state_index, r.allocations,
        r.state, r.attempts, r.failures, r.last_error, r.intended_ms, r.submitted_ms, r.retry_ms,
        r.landed_transaction, r.landed_slot, r.landed_height, r.by_hand, r.settled
    FROM release r"""
UNSETTLED: Final = f"{_RELEASES} WHERE r.settled = 0 ORDER BY r.intended_ms, r.release_id"
OF_DISTRIBUTION: Final = f"{_RELEASES} WHERE r.distribution_id = ? ORDER BY r.intended_ms DESC, r.release_id"
OF_MILESTONE: Final = f"""{_RELEASES} WHERE r.distribution_id = ? AND r.milestone_id = ?
    ORDER BY r.intended_ms DESC, r.release_id"""
ONE: Final = f"{_RELEASES} WHERE r.release_id = ?"
# The latest transaction of each, and those that may still be in a block: of one that is refused for months there are
# thousands of others. The bytes of what is in a block are needed again only after a rollback, when the state says so.
TRANSACTIONS: Final = """
    SELECT t.transaction_id, t.release_id, t.attempt, t.valid_from, t.valid_until, t.fee, t.loss, t.memory, t.steps,
        t.sent_ms, t.sent_height, iif(r.state IN ('built', 'submitted', 'rolled_back'), t.cbor, x'')
    FROM json_each(?) AS j JOIN release r ON r.release_id = j.value CROSS JOIN chain c
        JOIN release_transaction t ON t.release_id = r.release_id AND (t.valid_until > c.cursor_slot OR t.attempt = (
            SELECT max(l.attempt) FROM release_transaction l WHERE l.release_id = r.release_id
        ))
    ORDER BY t.release_id, t.attempt"""
SPLITS: Final = """
    SELECT t.transaction_id, t.release_id, t.attempt, t.valid_from, t.valid_until, t.fee, t.loss, t.memory, t.steps,
        t.sent_ms, t.sent_height, t.cbor
    FROM release_transaction t
    WHERE t.release_id IS NULL AND t.valid_until > ?
        AND NOT EXISTS (SELECT 1 FROM output o WHERE o.transaction_id = t.transaction_id)
    ORDER BY t.built_ms"""
INPUTS: Final = """
    SELECT i.transaction_id, i.input_transaction_id, i.input_index, i.role
    FROM json_each(?) AS j JOIN release_input i ON i.transaction_id = j.value"""
# Where the block is not remembered one by one any more, it is deeper than any rollback goes.
SIGHTS: Final = """
    SELECT r.release_id, o.transaction_id IS NOT NULL, o.spent_by, o.spent_slot,
        (SELECT b.height FROM block b WHERE b.slot = o.spent_slot),
        EXISTS (SELECT 1 FROM release_transaction t WHERE t.transaction_id = o.spent_by AND t.release_id = r.release_id)
    FROM release r LEFT JOIN output o ON o.transaction_id = r.state_transaction_id AND o.output_index = r.state_index
    WHERE r.settled = 0"""
THERE: Final = """
    SELECT o.transaction_id, o.output_index, o.spent_slot IS NULL
    FROM json_each(?) AS j JOIN output o
        ON o.transaction_id = substr(j.value, 1, 64) AND o.output_index = CAST(substr(j.value, 66) AS INTEGER)"""
SPENDERS: Final = """
    SELECT o.transaction_id, o.output_index, o.spent_by
    FROM json_each(?) AS j JOIN output o
        ON o.transaction_id = substr(j.value, 1, 64) AND o.output_index = CAST(substr(j.value, 66) AS INTEGER)
    WHERE o.spent_by IS NOT NULL"""


@dataclass(frozen=True, slots=True)
class Journaled:
    """A signed transaction. `inputs` are all that it spends, `state` among them (None: it splits a coin); `collateral`
    is staked. `valid_until`: the first slot in which it is not valid. `loss`: lovelace that leave the wallet. `raw` is
    empty where it was loaded for a release that is not under way."""

    id: bytes
    raw: bytes
    inputs: tuple[OutputReference, ...]
    state: OutputReference | None
    collateral: OutputReference | None
    attempt: int
    valid_from: Slot | None
    valid_until: Slot
    fee: int
    loss: int
    units: Units
    sent_ms: int | None
    sent_height: BlockHeight | None

    @property
    def named(self) -> tuple[OutputReference, ...]:
        """All outputs that have to be there for it."""
        return self.inputs if self.collateral is None else (*self.inputs, self.collateral)


@dataclass(frozen=True, slots=True)
class Release:
    """A release, and the transactions that were signed for it, the oldest first: the latest, and those that may be in
    a block after the cursor. Times in POSIX milliseconds."""

    id: str
    distribution_id: bytes
    milestone_id: bytes
    state_output: OutputReference
    allocations: tuple[int, ...]
    state: ReleaseState
    attempts: int
    failures: int
    last_error: str | None
    intended_ms: int
    submitted_ms: int | None
    retry_ms: int | None
    landed: Landed | None
    by_hand: bool
    settled: bool
    transactions: tuple[Journaled, ...]

    @property
    def latest(self) -> Journaled | None:
        """The one that is sent; None: none was signed yet."""
        return self.transactions[-1] if self.transactions else None


# --- reading


async def unsettled(db: Connection) -> list[Release]:
    """Those of which something can still change, in the order in which they were intended."""
    return await _releases(db, UNSETTLED)


async def by_distribution(db: Connection, distribution_id: bytes, milestone_id: bytes | None = None) -> list[Release]:
    """All of a distribution, or of one of its milestones, the newest first."""
    if milestone_id is None:
        return await _releases(db, OF_DISTRIBUTION, distribution_id.hex())
    return await _releases(db, OF_MILESTONE, distribution_id.hex(), shown_milestone(milestone_id))


async def one(db: Connection, release_id: str) -> Release | None:
    """The release of this id."""
    found = await _releases(db, ONE, release_id)
    return found[0] if found else None


async def splits(db: Connection, cursor: Slot) -> list[Journaled]:
    """Transactions that split a coin, that no block shows, and that still may be in one after the cursor."""
    rows = list(await db.execute_fetchall(SPLITS, (cursor,)))
    inputs = await _inputs(db, [row[0] for row in rows])
    return [_journaled(row, inputs[row[0]]) for row in rows]


async def sights(db: Connection) -> dict[str, OfState]:
    """What became of the state output of each release that is not settled, as far as we have read the chain."""
    found: dict[str, OfState] = {}
    for release_id, held, spent_by, slot, height, ours in await db.execute_fetchall(SIGHTS):
        if not held:
            found[release_id] = NotHeld()
        elif spent_by is None:
            found[release_id] = Unspent()
        else:
            found[release_id] = Spent(bytes.fromhex(spent_by), slot, height, bool(ours))
    return found


async def at_stake(db: Connection, state: OutputReference, since_ms: int) -> int:
    """Lovelace that releases which no block shows may yet take from the wallet, but for those of one state output;
    signed at `since_ms` (POSIX milliseconds) or later, or under way."""
    rows = await db.execute_fetchall(AT_STAKE, (state.transaction_id.hex(), state.index, since_ms))
    return int(next(iter(rows))[0])


async def there(db: Connection, references: Iterable[OutputReference]) -> dict[OutputReference, bool]:
    """Of these outputs those that we hold or held: whether each is unspent."""
    rows = await db.execute_fetchall(THERE, (listed(str(reference) for reference in references),))
    return {OutputReference(bytes.fromhex(name), index): bool(unspent) for name, index, unspent in rows}


async def spenders(db: Connection, references: Iterable[OutputReference | None]) -> dict[OutputReference | None, bytes]:
    """Of these outputs those that are spent: by which transaction. None is passed over."""
    named = listed(str(reference) for reference in references if reference is not None)
    rows = await db.execute_fetchall(SPENDERS, (named,))
    return {OutputReference(bytes.fromhex(name), index): bytes.fromhex(by) for name, index, by in rows}


async def _releases(db: Connection, sql: str, *parameters: object) -> list[Release]:
    rows = list(await db.execute_fetchall(sql, parameters))
    transactions = list(await db.execute_fetchall(TRANSACTIONS, (listed(row[0] for row in rows),))) if rows else []
    inputs = await _inputs(db, [row[0] for row in transactions])
    of: dict[str, list[Journaled]] = defaultdict(list)
    for row in transactions:
        of[row[1]].append(_journaled(row, inputs[row[0]]))
    return [_release(row, tuple(of[row[0]])) for row in rows]


async def _inputs(db: Connection, transactions: list[str]) -> dict[str, list[tuple[OutputReference, str]]]:
    found: dict[str, list[tuple[OutputReference, str]]] = defaultdict(list)
    if transactions:
        for name, spent, index, role in await db.execute_fetchall(INPUTS, (listed(transactions),)):
            found[name].append((OutputReference(bytes.fromhex(spent), index), role))
    return found


def _journaled(row: Any, inputs: list[tuple[OutputReference, str]]) -> Journaled:
    name, _, attempt, valid_from, valid_until, fee, loss, memory, steps, sent_ms, sent_height, raw = row
    by_role = {role: reference for reference, role in inputs}
    return Journaled(
        bytes.fromhex(name),
        raw,
        tuple(reference for reference, role in inputs if role != "collateral"),
        by_role.get("state"),
        by_role.get("collateral"),
        attempt,
        valid_from,
        valid_until,
        fee,
        loss,
        Units(memory, steps),
        sent_ms,
        sent_height,
    )


def _release(row: Any, transactions: tuple[Journaled, ...]) -> Release:
    name, distribution, milestone, state_id, state_index, allocations, state, attempts, failures, error, *rest = row
    intended_ms, submitted_ms, retry_ms, landed_id, landed_slot, landed_height, by_hand, settled = rest
    return Release(
        name,
        bytes.fromhex(distribution),
        parse_milestone(milestone),
        OutputReference(bytes.fromhex(state_id), state_index),
        tuple(json.loads(allocations)),
        ReleaseState(state),
        attempts,
        failures,
        error,
        intended_ms,
        submitted_ms,
        retry_ms,
        None if landed_id is None else Landed(bytes.fromhex(landed_id), landed_slot, landed_height),
        bool(by_hand),
        bool(settled),
        transactions,
    )


# --- writing


async def begin(db: Connection, release: Release, slot: Slot, reason: str) -> None:
    """A release that is not known yet, in its state, with its first step."""
    await db.execute(
        BEGIN,
        (
            release.id,
            release.distribution_id.hex(),
            shown_milestone(release.milestone_id),
            release.state_output.transaction_id.hex(),
            release.state_output.index,
            json.dumps(release.allocations, separators=(",", ":")),
            str(release.state),
            release.attempts,
            release.failures,
            release.intended_ms,
            int(release.by_hand),
        ),
    )
    parameters = (release.id, release.attempts, str(release.state), slot, release.intended_ms, reason)
    await db.execute(ADD_STEP, parameters)


async def add_transaction(db: Connection, release_id: str | None, signed: Journaled, built_ms: int) -> None:
    """A signed transaction, before it is first sent. None: it splits a coin."""
    name = signed.id.hex()
    await db.execute(
        ADD_TRANSACTION,
        (
            name,
            release_id,
            signed.attempt,
            signed.raw,
            signed.valid_from,
            signed.valid_until,
            signed.fee,
            signed.loss,
            signed.units.memory,
            signed.units.steps,
            built_ms,
        ),
    )
    roles = [(each, "state" if each == signed.state else "coin") for each in signed.inputs]
    roles += [] if signed.collateral is None else [(signed.collateral, "collateral")]
    await db.executemany(ADD_INPUT, [(name, each.transaction_id.hex(), each.index, role) for each, role in roles])


async def step(
    db: Connection,
    release_id: str,
    to_state: ReleaseState,
    *,
    attempts: int,
    failures: int,
    retry_ms: int | None,
    last_error: str | None,
    landed: Landed | None,
    settled: bool,
    slot: Slot,
    ms: int,
    reason: str,
) -> None:
    """A release takes a turn. `slot` is the cursor's."""
    where = (None, None, None) if landed is None else (landed.transaction_id.hex(), landed.slot, landed.height)
    state = str(to_state)
    await db.execute(STEP, (release_id, state, attempts, failures, retry_ms, last_error, *where, int(settled), ms))
    await db.execute(ADD_STEP, (release_id, attempts, state, slot, ms, reason))


async def by_hand(db: Connection, release_id: str) -> None:
    """Somebody asked for it."""
    await db.execute(BY_HAND, (release_id,))


async def sent(db: Connection, transaction_id: bytes, ms: int, height: BlockHeight) -> None:
    """A transaction is handed over now, with the cursor at this height."""
    await db.execute(SENT, (ms, height, transaction_id.hex()))
