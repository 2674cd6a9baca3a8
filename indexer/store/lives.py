"""Distributions' lives out of the database, as the domain knows them."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any, Final

from aiosqlite import Connection

from indexer.chain.block import OutputReference
from indexer.domain.life import End, Life, Origin, Payment
from indexer.domain.quorum import Seen, Signature, Source, verifies
from indexer.plutus.datum import MILESTONE_DATUM, Distribution
from indexer.plutus.identity import message_to_sign, parse_milestone
from indexer.store.lists import listed

ORIGINS: Final = """
    SELECT d.distribution_id, d.policy, d.seed_transaction_id, d.seed_index, d.datum, s.transaction_id, s.output_index,
        s.slot, s.height, s.block_id, s.position, d.ended_by, d.ended_slot, d.ended_height, d.ended_block
    FROM distribution d JOIN state_output s ON s.distribution_id = d.distribution_id AND s.milestone_id IS NULL
    WHERE d.distribution_id IN (SELECT value FROM json_each(?))"""
RELEASES: Final = """
    SELECT distribution_id, transaction_id, output_index, milestone_id, slot, height, block_id, position
    FROM state_output WHERE distribution_id IN (SELECT value FROM json_each(?)) AND milestone_id IS NOT NULL
    ORDER BY distribution_id, slot, position"""
PAID: Final = """
    SELECT distribution_id, allocation_index, paid_by FROM allocation
    WHERE distribution_id IN (SELECT value FROM json_each(?)) AND paid_slot IS NOT NULL
    ORDER BY distribution_id, allocation_index"""
SIGNATURES: Final = """
    SELECT distribution_id, milestone_id, oracle, signature, source, slot, place, height, block_id, position,
        transaction_id, output_index, verifies, signature_id, verdict
    FROM signature WHERE distribution_id IN (SELECT value FROM json_each(?))"""
SIGNATURES_THAT_COUNT: Final = f"{SIGNATURES} AND (verdict = 'valid' OR source = 'local')"
OPEN_WITH_TERMS: Final = """
    SELECT distribution_id FROM distribution WHERE funder = ? AND datum = ? AND ended_slot IS NULL
    ORDER BY created_slot"""
HOLDERS: Final = """
    SELECT s.distribution_id FROM json_each(?) AS j JOIN state_output s
        ON s.transaction_id = substr(j.value, 1, 64) AND s.output_index = CAST(substr(j.value, 66) AS INTEGER)"""


LOCAL_MILESTONES: Final = "SELECT DISTINCT distribution_id, milestone_id FROM signature WHERE source = 'local'"


async def local_milestones(db: Connection) -> list[tuple[bytes, bytes]]:
    """The milestones of which signatures received off the chain are held: distribution id, milestone id."""
    rows = await db.execute_fetchall(LOCAL_MILESTONES)
    return [(bytes.fromhex(distribution), parse_milestone(milestone)) for distribution, milestone in rows]


async def load(db: Connection, ids: Iterable[bytes]) -> dict[bytes, Life]:
    """What is known of these distributions. One of which nothing is known has an empty life."""
    wanted = set(ids)
    lives, _ = await load_with_rows(db, wanted, wanted)
    return lives


async def load_counting(db: Connection, ids: Iterable[bytes]) -> dict[bytes, Life]:
    """The same, of the signatures only those that count or are local: somebody may have published any amount.

    All of them where the rows say of one that it verifies, and it does not: somebody wrote it there, perhaps in the
    place of a true one.
    """
    lives, _ = await load_with_rows(db, ids, frozenset())
    altered = [life.id for life in lives.values() if not _hold_true(life)]
    return lives | await load(db, altered) if altered else lives


def _hold_true(life: Life) -> bool:
    """Whether the signatures verify of which that is said."""
    if life.origin is None:
        return True
    policy = life.origin.policy
    return all(
        verifies(one.oracle, one.signature, message_to_sign(policy, life.id, one.milestone_id))
        for one in life.signatures
        if one.verifies
    )


Row = tuple[int, str, int | None]  # id of a signature's row, its verdict there, whether it verifies


async def load_with_rows(
    db: Connection, ids: Iterable[bytes], whole: AbstractSet[bytes]
) -> tuple[dict[bytes, Life], dict[bytes, dict[tuple[object, ...], Row]]]:
    """The same, and of each distribution the rows that hold its signatures, by `signature_key`.

    Of those that are not in `whole`, only the signatures that a new one is weighed against: the valid and the local
    ones. What else was published of a known distribution stays as it was judged, and may be any amount.
    """
    lives = {distribution_id: Life(distribution_id) for distribution_id in ids}
    wanted = (listed(lives),)
    rows: dict[bytes, dict[tuple[object, ...], Row]] = {distribution_id: {} for distribution_id in lives}
    for row in await db.execute_fetchall(ORIGINS, wanted):
        life = lives[bytes.fromhex(row[0])]
        life.origin = _origin(row)
        if row[11] is not None:
            life.end = End(bytes.fromhex(row[11]), Seen(row[12], row[13], bytes.fromhex(row[14]), 0))
    paid: dict[tuple[str, str], list[int]] = {}
    for distribution_id, index, transaction_id in await db.execute_fetchall(PAID, wanted):
        paid.setdefault((distribution_id, transaction_id), []).append(index)
    for distribution_id, transaction_id, index, milestone, *seen in await db.execute_fetchall(RELEASES, wanted):
        by = bytes.fromhex(transaction_id)
        claims = tuple(paid.get((distribution_id, transaction_id), ()))
        payment = Payment(by, parse_milestone(milestone), claims, OutputReference(by, index), _seen(*seen))
        lives[bytes.fromhex(distribution_id)].payments.append(payment)
    for statement, some in ((SIGNATURES, whole), (SIGNATURES_THAT_COUNT, lives.keys() - whole)):
        for distribution_id, *columns, row_id, verdict in await db.execute_fetchall(statement, (listed(some),)):
            signature = _signature(columns)
            known = bytes.fromhex(distribution_id)
            lives[known].signatures.append(signature)
            rows[known][signature_key(signature)] = row_id, verdict, columns[-1]
    return lives, rows


async def holders(db: Connection, references: Iterable[OutputReference]) -> list[bytes]:
    """The distributions whose state token these outputs hold."""
    rows = await db.execute_fetchall(HOLDERS, (listed(str(reference) for reference in references),))
    return [bytes.fromhex(distribution_id) for (distribution_id,) in rows]


def signature_key(signature: Signature) -> tuple[object, ...]:
    """What tells the signatures of a distribution apart: where it stands, or what it is."""
    if signature.reference is None:
        return signature.milestone_id, signature.oracle, signature.signature
    return signature.reference.transaction_id, signature.reference.index, signature.source, signature.place


def _origin(row: Any) -> Origin:
    _, policy, seed_id, seed_index, datum, transaction_id, index, slot, height, block_id, position, *_ = row
    terms = MILESTONE_DATUM.decode(datum).value
    assert isinstance(terms, Distribution)
    return Origin(
        bytes.fromhex(policy),
        OutputReference(bytes.fromhex(seed_id), seed_index),
        terms,
        datum,
        OutputReference(bytes.fromhex(transaction_id), index),
        _seen(slot, height, block_id, position),
    )


def _seen(slot: int, height: int, block_id: str, position: int) -> Seen:
    return Seen(slot, height, bytes.fromhex(block_id), position)


def _signature(columns: list[Any]) -> Signature:
    milestone, oracle, signature, source, slot, place, height, block_id, position, transaction_id, index, good = columns
    local = transaction_id is None
    return Signature(
        parse_milestone(milestone),
        bytes.fromhex(oracle),
        bytes.fromhex(signature),
        Source(source),
        slot,
        place,
        None if local else _seen(slot, height, block_id, position),
        None if local else OutputReference(bytes.fromhex(transaction_id), index),
        None if good is None else bool(good),
    )


async def open_with(db: Connection, funder: bytes, datum: bytes) -> list[bytes]:
    """The distributions of a funder that have not ended and were created with this very datum."""
    rows = await db.execute_fetchall(OPEN_WITH_TERMS, (funder.hex(), datum))
    return [bytes.fromhex(distribution_id) for (distribution_id,) in rows]
