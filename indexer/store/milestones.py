"""Distributions, allocations, signatures and what follows from them, as rows. Apply and rollback are a pair; the caller
owns the transaction."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from aiosqlite import Connection

from indexer.chain.block import OutputReference
from indexer.chain.network import Network
from indexer.chain.point import Slot
from indexer.domain.events import events_of
from indexer.domain.facts import Attested, Continued, Founded, Rejected
from indexer.domain.life import Book, Life, Origin, Payment, assess
from indexer.domain.observe import Delta
from indexer.domain.quorum import Seen, Signature, Source
from indexer.plutus.address import address_text
from indexer.plutus.identity import shown_milestone
from indexer.store import events
from indexer.store.lives import Row, holders, load_with_rows, signature_key

ADD_DISTRIBUTION: Final = """
    INSERT INTO distribution (distribution_id, policy, seed_transaction_id, seed_index, datum, funder, token_policy,
        token_name, oracles, quorum_threshold, lovelace_per_payout, keeper_fee_per_payout, expires_ms, created_slot)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
ADD_ALLOCATION: Final = """
    INSERT INTO allocation (distribution_id, allocation_index, milestone_id, beneficiary, amount, vesting_ms,
        created_slot) VALUES (?, ?, ?, ?, ?, ?, ?)"""
ADD_STATE: Final = "INSERT INTO state_output VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
PAY: Final = "UPDATE allocation SET paid_slot = ?, paid_by = ? WHERE distribution_id = ? AND allocation_index = ?"
END: Final = """
    UPDATE distribution SET ended_by = ?, ended_slot = ?, ended_height = ?, ended_block = ?
    WHERE distribution_id = ?"""
ADD_SIGNATURE: Final = """
    INSERT INTO signature (distribution_id, milestone_id, oracle, signature, source, slot, place, position, height,
        block_id, transaction_id, output_index, verifies, verdict) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
MOVE: Final = "UPDATE signature SET slot = ? WHERE signature_id = ?"
JUDGE: Final = "UPDATE signature SET verdict = ?, verifies = ? WHERE signature_id = ?"
SET_MILESTONE: Final = """
    INSERT INTO milestone (distribution_id, milestone_id, created_slot, signatures_valid, quorum_met_slot, pay_from_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT DO UPDATE SET signatures_valid = ?4, quorum_met_slot = ?5, pay_from_ms = ?6
    WHERE signatures_valid <> ?4 OR quorum_met_slot IS NOT ?5 OR pay_from_ms IS NOT ?6"""
REJECT: Final = "INSERT INTO rejected_output VALUES (?, ?, ?, ?)"
# In this order: rows come before what changes them, whichever distribution of a batch is the first to need which.
WRITES: Final = (
    ADD_DISTRIBUTION,
    ADD_ALLOCATION,
    ADD_STATE,
    PAY,
    END,
    ADD_SIGNATURE,
    MOVE,
    JUDGE,
    SET_MILESTONE,
    REJECT,
)

TOUCHED: Final = """
    SELECT distribution_id FROM distribution WHERE created_slot > ?1
    UNION SELECT distribution_id FROM distribution WHERE ended_slot > ?1
    UNION SELECT distribution_id FROM state_output WHERE slot > ?1
    UNION SELECT distribution_id FROM signature WHERE slot > ?1 AND source <> 'local'"""
UNBORN: Final = "SELECT distribution_id FROM distribution WHERE created_slot > ?"
FORGET_DISTRIBUTIONS: Final = "DELETE FROM distribution WHERE created_slot > ?"
FORGET_ALLOCATIONS: Final = "DELETE FROM allocation WHERE created_slot > ?"
FORGET_MILESTONES: Final = "DELETE FROM milestone WHERE created_slot > ?"
FORGET_STATES: Final = "DELETE FROM state_output WHERE slot > ?"
FORGET_SIGNATURES: Final = "DELETE FROM signature WHERE slot > ? AND source <> 'local'"
FORGET_REJECTED: Final = "DELETE FROM rejected_output WHERE slot > ?"
FORGET_PAYMENTS: Final = "UPDATE allocation SET paid_slot = NULL, paid_by = NULL WHERE paid_slot > ?"
FORGET_ENDS: Final = """
    UPDATE distribution SET ended_by = NULL, ended_slot = NULL, ended_height = NULL, ended_block = NULL
    WHERE ended_slot > ?"""
ROLLBACK: Final = (
    FORGET_DISTRIBUTIONS,
    FORGET_ALLOCATIONS,
    FORGET_MILESTONES,
    FORGET_STATES,
    FORGET_SIGNATURES,
    FORGET_REJECTED,
    FORGET_PAYMENTS,
    FORGET_ENDS,
)


@dataclass(slots=True)
class _Rows:
    """Rows to be written, by statement."""

    by_statement: dict[str, list[tuple[object, ...]]] = field(default_factory=dict)

    def add(self, statement: str, *values: object) -> None:
        self.by_statement.setdefault(statement, []).append(values)

    async def write(self, db: Connection) -> None:
        for statement in WRITES:
            if rows := self.by_statement.get(statement):
                await db.executemany(statement, rows)


async def apply(db: Connection, deltas: Iterable[Delta], network: Network) -> list[Rejected]:
    """Record what the blocks said at the contracts, in their order, and what follows from it.

    Returns the outputs that count as nothing.
    """
    acts = [(delta.header, act) for delta in deltas for act in delta.acts]
    if not acts:
        return []
    ids: set[bytes] = set()
    founded: set[bytes] = set()
    spent: set[OutputReference] = set()
    for _, act in acts:
        spent.update(act.spent)
        for fact in act.facts:
            match fact:
                case Founded():
                    founded.add(fact.id)
                case Continued():
                    ids.add(fact.id)
                case Attested(attestation):
                    ids.add(attestation.distribution_id)
    ids.update(await holders(db, spent))
    lives, known = await load_with_rows(db, ids | founded, founded)
    before = {name: (life.origin is not None, len(life.payments), life.end is not None) for name, life in lives.items()}
    book = Book(lives.values())
    for header, act in acts:
        assert header.slot is not None
        book.take(act, Seen(header.slot, header.height, header.id, act.position))
    rows = _Rows()
    for name in sorted(book.touched):
        _add_new(rows, book.lives[name], *before.get(name, (False, 0, False)), network)
    for rejected, slot in book.rejected:
        rows.add(REJECT, *_key(rejected.reference), slot, rejected.reason)
    await _settle(db, rows, [book.lives[name] for name in sorted(book.touched)], known, network, whole=False)
    return [rejected for rejected, _ in book.rejected]


async def rollback(db: Connection, to: Slot, network: Network) -> None:
    """Forget what every block after the slot said. What was received off the chain stays.

    Of a distribution that stays, so do the verdicts on what the chain still shows: what came later has no say in them.
    """
    touched = {bytes.fromhex(name) for (name,) in await db.execute_fetchall(TOUCHED, (to,))}
    unborn = {bytes.fromhex(name) for (name,) in await db.execute_fetchall(UNBORN, (to,))}
    for statement in ROLLBACK:
        await db.execute(statement, (to,))
    await events.fall_back(db)
    await events.forget_rejected(db, to)
    await reassess(db, unborn, network, whole=True)
    await reassess(db, touched - unborn, network)


async def reassess(db: Connection, distributions: Iterable[bytes], network: Network, *, whole: bool = False) -> None:
    """Write anew what follows from the rows of these distributions: quorums, events, and verdicts on what counts or is
    local; on all signatures, if `whole`."""
    wanted = set(distributions)
    if not wanted:
        return
    lives, known = await load_with_rows(db, wanted, wanted if whole else frozenset())
    await _settle(db, _Rows(), lives.values(), known, network, whole=whole)


async def add_local(
    db: Connection, signatures: Iterable[tuple[bytes, Signature]], network: Network
) -> list[tuple[bytes, Signature]]:
    """Record signatures received off the chain, each with its distribution's id. Those that were new.

    Of a signature that is known the earlier slot counts, as in the files: what is rebuilt from them must be the same.
    """
    wanted = list(signatures)
    lives, known = await load_with_rows(db, {distribution for distribution, _ in wanted}, frozenset())
    places = {name: {signature_key(one): i for i, one in enumerate(life.signatures)} for name, life in lives.items()}
    rows, new, touched = _Rows(), [], set()
    for distribution, signature in wanted:
        assert signature.source is Source.LOCAL
        life, key = lives[distribution], signature_key(signature)
        place = places[distribution].setdefault(key, len(life.signatures))
        if place == len(life.signatures):
            life.add([signature])
            new.append((distribution, signature))
        elif signature.slot < life.signatures[place].slot:
            life.signatures[place] = replace(life.signatures[place], slot=signature.slot)
            if key in known[distribution]:
                rows.add(MOVE, signature.slot, known[distribution][key][0])
        else:
            continue
        touched.add(distribution)
    await _settle(db, rows, [lives[name] for name in sorted(touched)], known, network, whole=False)
    return new


def _add_new(rows: _Rows, life: Life, founded: bool, payments: int, ended: bool, network: Network) -> None:
    """Rows of what was not known before."""
    if life.origin is not None and not founded:
        _found(rows, life, life.origin, network)
    for payment in life.payments[payments:]:
        rows.add(
            ADD_STATE, *_key(payment.reference), life.id.hex(), shown_milestone(payment.milestone_id), *_at(payment)
        )
        for index in payment.claims:
            rows.add(PAY, payment.seen.slot, payment.transaction_id.hex(), life.id.hex(), index)
    if life.end is not None and not ended:
        seen = life.end.seen
        rows.add(END, life.end.transaction_id.hex(), seen.slot, seen.height, seen.block_id.hex(), life.id.hex())


def _found(rows: _Rows, life: Life, origin: Origin, network: Network) -> None:
    terms, name, slot = origin.terms, life.id.hex(), origin.seen.slot
    rows.add(
        ADD_DISTRIBUTION,
        name,
        origin.policy.hex(),
        *_key(origin.seed),
        origin.datum,
        terms.funder.hex(),
        terms.token.policy_id.hex(),
        terms.token.asset_name.hex(),
        json.dumps([oracle.hex() for oracle in terms.oracles], separators=(",", ":")),
        terms.quorum_threshold,
        str(terms.lovelace_per_payout),
        str(terms.keeper_fee_per_payout),
        terms.expires_at,
        slot,
    )
    for index, allocation in enumerate(terms.allocations):
        rows.add(
            ADD_ALLOCATION,
            name,
            index,
            shown_milestone(allocation.milestone_id),
            address_text(allocation.beneficiary, network.id),
            allocation.token_amount,
            allocation.vesting_timestamp,
            slot,
        )
    rows.add(ADD_STATE, *_key(origin.reference), name, None, *_at(origin))


async def _settle(
    db: Connection,
    rows: _Rows,
    lives: Iterable[Life],
    known: dict[bytes, dict[tuple[object, ...], Row]],
    network: Network,
    *,
    whole: bool,
) -> None:
    """Write `rows`, and then what follows from these lives as they are now.

    Lives are `whole`, or have only the signatures that decide, and new ones.
    """
    lives = list(lives)
    holding = []
    for life in lives:
        tallies, verdicts = assess(life)
        of_life = known.get(life.id, {})
        for signature, verdict in zip(life.signatures, verdicts, strict=True):
            row = of_life.get(signature_key(signature))
            good = None if signature.verifies is None else int(signature.verifies)
            if row is None:
                rows.add(ADD_SIGNATURE, *_signature_row(life, signature), good, str(verdict))
            elif row[1:] != (str(verdict), good):
                rows.add(JUDGE, str(verdict), good, row[0])
        pay_from = _pay_from(life)
        for milestone, tally in tallies.items():
            assert life.origin is not None
            created, completing = life.origin.seen.slot, tally.completing
            met = None if completing is None else max(created, completing.slot)
            name = shown_milestone(milestone)
            rows.add(SET_MILESTONE, life.id.hex(), name, created, len(tally.valid), met, pay_from.get(milestone))
        holding += events_of(life, network.magic)
    await rows.write(db)
    if lives:
        await events.reconcile(db, [life.id for life in lives], holding, whole=whole)


def _pay_from(life: Life) -> dict[bytes, int]:
    """Of each milestone that has something left to be paid, its earliest vesting time (POSIX milliseconds)."""
    found: dict[bytes, int] = {}
    if life.origin is not None and life.end is None:
        claims = life.claims
        for index, one in enumerate(life.terms.allocations):
            if index not in claims:
                found[one.milestone_id] = min(one.vesting_timestamp, found.get(one.milestone_id, one.vesting_timestamp))
    return found


def _signature_row(life: Life, signature: Signature) -> tuple[object, ...]:
    seen, reference = signature.seen, signature.reference
    return (
        life.id.hex(),
        shown_milestone(signature.milestone_id),
        signature.oracle.hex(),
        signature.signature.hex(),
        str(signature.source),
        signature.slot,
        signature.place,
        0 if seen is None else seen.position,
        None if seen is None else seen.height,
        None if seen is None else seen.block_id.hex(),
        *((None, None) if reference is None else _key(reference)),
    )


def _key(reference: OutputReference) -> tuple[str, int]:
    return reference.transaction_id.hex(), reference.index


def _at(what: Origin | Payment) -> tuple[object, ...]:
    return what.seen.slot, what.seen.height, what.seen.block_id.hex(), what.seen.position
