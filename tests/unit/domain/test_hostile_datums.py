"""Whatever anybody pays to the contract with: a reason for each, no exception, no distribution, and no time lost.

The bound, of the processor's time: a millisecond on the average, a second for a megabyte; several times what was
measured. What a datum amounts to is told by the reader and the layouts of the contract's tests, which share nothing
with the product.
"""

from dataclasses import replace
from random import Random
from time import process_time
from typing import Final, TypedDict, Unpack

import pytest

from indexer.chain.address import Credential, CredentialKind
from indexer.chain.block import Output, OutputReference, Redeemer, Transaction
from indexer.domain.created import Created
from indexer.domain.facts import Act, Attested, Fact, Founded, Rejected, read
from indexer.domain.life import Book
from indexer.domain.quorum import Seen
from tests.contract import terms as written
from tests.contract.cbor import NotATransaction
from tests.contract.cbor import read as items_of
from tests.contract.data import Constr, data
from tests.contract.layout import DATUM, fits
from tests.contract.plutus import constr, integer, octets
from tests.contract.terms import Reference
from tests.contract.tree import Node, encode
from tests.support.hostile import ATTESTATION, DISTRIBUTION, HANDMADE, TERMS, fuzzed

POLICY: Final = bytes([0x11]) * 28
OTHER: Final = bytes([0x33]) * 28
SEED: Final = Reference(bytes(range(32)), 1)
ADDRESS: Final = "addr_test1 of the contract"
SEEN: Final = Seen(5, 3, bytes(32), 0)
# What the product makes of them.


class Rest(TypedDict, total=False):
    """Of a transaction, besides its output."""

    mint: tuple[tuple[bytes, bytes, int], ...]
    redeemers: tuple[Redeemer, ...]
    spends: tuple[OutputReference, ...]


def at_contract(datum: bytes | None, assets: tuple[tuple[bytes, bytes, int], ...] = ()) -> Created:
    output = Output(ADDRESS, 2_000_000, assets, None if datum is None else bytes(32), datum)
    return Created(OutputReference(bytes(32), 0), output, Credential(CredentialKind.SCRIPT, POLICY))


def paying(created: Created, **rest: Unpack[Rest]) -> Transaction:
    transaction = Transaction(bytes(32), (OutputReference(bytes(32), 9),), (), ((0, created.output),))
    return replace(transaction, **rest)


def judged(created: Created, **rest: Unpack[Rest]) -> tuple[Fact, Book]:
    """What the transaction says of its one output, and what comes of it where nothing was known before."""
    transaction = paying(created, **rest)
    (fact,) = read(transaction, [created], frozenset((POLICY,)))
    book = Book()
    book.take(Act(transaction.id, 0, (fact,), ()), SEEN)
    return fact, book


def reason_of(raw: bytes) -> str:
    """Why a datum counts as nothing; empty for an attestation."""
    fact, book = judged(at_contract(raw))
    assert all(life.origin is None for life in book.lives.values())
    if isinstance(fact, Attested):
        assert not book.rejected
        return ""
    assert isinstance(fact, Rejected)
    assert [one for one, _ in book.rejected] == [fact]
    return fact.reason


def independently(raw: bytes) -> str:
    """How the reason has to begin."""
    try:
        value = data(items_of(raw))
    except (NotATransaction, RecursionError):
        return "malformed datum"
    if not fits(value, DATUM):
        return "malformed datum"
    assert isinstance(value, Constr)
    return "no state token" if value.index == 0 else ""


def test_handmade_ones_have_the_reason_that_they_were_made_for() -> None:
    """Each in a second at most, a megabyte or not."""
    for raw, expected in HANDMADE:
        before = process_time()
        reason = reason_of(raw)
        assert process_time() - before < 1, raw[:40]
        assert reason.partition(":")[0] == expected, raw[:40].hex()


def test_10_000_datums_fuzzed_are_read_as_the_contract_reads_them() -> None:
    """None raises, none is a distribution, each has a reason that a terminal can show; in ten seconds at most."""
    datums = list(fuzzed(10_000))
    before = process_time()
    reasons = [reason_of(raw) for raw in datums]
    assert process_time() - before < 10
    assert all(reason.isprintable() and len(reason) < 300 for reason in reasons)
    assert [reason.partition(":")[0] for reason in reasons] == [independently(raw) for raw in datums]
    assert {reason.partition(":")[0] for reason in reasons} == {"malformed datum", "no state token", ""}


# Look-alikes: good terms, and nearly all that a genuine distribution has.


def seed_reference(seed: Reference) -> OutputReference:
    return OutputReference(seed.transaction, seed.output_index)


def look_alike(rng: Random, number: int) -> tuple[Created, Rest]:
    """The output, and the rest of its transaction: as a Create or a Release would have it, but for one thing."""
    terms = replace(TERMS, threshold=rng.randint(1, 3), funder=rng.randbytes(28))
    name = written.identity(SEED, terms)
    assets: list[tuple[bytes, bytes, int]] = [(POLICY, name, 1), (OTHER, b"TOKEN", 100)]
    mint: tuple[tuple[bytes, bytes, int], ...] = ((POLICY, name, 1),)
    create = encode(written.create_redeemer(SEED))
    redeemers: tuple[Redeemer, ...] = (Redeemer("mint", 0, create),)
    spends: tuple[OutputReference, ...] = (seed_reference(SEED),)
    datum: Node = terms.data()
    match number % 20:
        case 0:
            assets = assets[1:]
        case 1:
            assets[0] = (POLICY, name, 2)
        case 2:
            assets.append((POLICY, rng.randbytes(32), 1))
        case 3:
            assets[0] = (POLICY, rng.randbytes(rng.choice((0, 31, 32))), 1)
        case 4:
            assets[0] = (OTHER, name, 1)
        case 5:
            mint = ()
        case 6:
            mint = ((POLICY, name, 2),)
        case 7:
            mint = ((POLICY, name, 1), (POLICY, rng.randbytes(32), rng.choice((1, -1))))
        case 8:
            redeemers = ()
        case 9:
            redeemers = (Redeemer("mint", 1, create), Redeemer("spend", 0, create))
        case 10:
            redeemers = (Redeemer("mint", 0, encode(written.BURN)),)
        case 11:
            redeemers = (Redeemer("mint", 0, rng.randbytes(rng.randint(0, 40))),)
        case 12:
            spends = (OutputReference(rng.randbytes(32), 1), OutputReference(SEED.transaction, 2))
        case 13:
            redeemers = (Redeemer("mint", 0, encode(written.create_redeemer(Reference(SEED.transaction, 2)))),)
            spends = (*spends, OutputReference(SEED.transaction, 2))
        case 14:
            datum = replace(terms, expires_at=rng.randint(0, 2**62)).data()
        case 15:
            datum = terms.claim([rng.randrange(3)]).data()
        case 16:
            bad = rng.choice((replace(terms, threshold=9), replace(terms, oracles=()), replace(terms, allocations=())))
            datum, name = bad.data(), written.identity(SEED, bad)
            assets[0], mint = (POLICY, name, 1), ((POLICY, name, 1),)
        case 17:
            datum = ATTESTATION.data()
        case 18:
            released = written.release_redeemer(b"m1", [0], [(0, bytes(64)), (2**70, b"")])
            mint, redeemers = (), (Redeemer("spend", 0, encode(released)),) * rng.randint(0, 2)
        case _:
            wrong = written.create_redeemer(Reference(b"short", -1))
            redeemers = (Redeemer("mint", 0, encode(rng.choice((wrong, constr(0, octets(b"")), integer(2**80))))),)
    created = at_contract(encode(datum), tuple(assets))
    return created, {"mint": mint, "redeemers": redeemers, "spends": spends}


def test_what_they_are_like_is_a_distribution() -> None:
    """With nothing wrong, it is one: so what is wrong is what each of them is refused for."""
    name = written.identity(SEED, TERMS)
    created = at_contract(DISTRIBUTION, ((POLICY, name, 1), (OTHER, b"TOKEN", 100)))
    create = Redeemer("mint", 0, encode(written.create_redeemer(SEED)))
    fact, book = judged(created, mint=((POLICY, name, 1),), redeemers=(create,), spends=(seed_reference(SEED),))
    assert isinstance(fact, Founded)
    assert (fact.id, book.lives[name].origin is not None) == (name, True)


def test_none_of_1_000_look_alikes_is_a_distribution() -> None:
    """Each has a reason; all in a second."""
    rng = Random(7)
    made = [look_alike(rng, number) for number in range(1_000)]
    before = process_time()
    for created, rest in made:
        fact, book = judged(created, **rest)
        assert not isinstance(fact, Founded)
        assert all(life.origin is None for life in book.lives.values())
        ((rejected, slot),) = book.rejected
        assert rejected.reason.partition(":")[0] in (
            "no state token",
            "not this contract's terms",
            "created before since",
        )
        assert (rejected.reason.isprintable(), slot) == (True, SEEN.slot)
    assert process_time() - before < 1


@pytest.mark.parametrize(
    "credential", [None, Credential(CredentialKind.KEY, POLICY), Credential(CredentialKind.SCRIPT, OTHER)]
)
def test_what_is_paid_elsewhere_is_nothing_at_all(credential: Credential | None) -> None:
    """Not at a Byron address, at a key of the same bytes, or at another script."""
    created = replace(at_contract(DISTRIBUTION), credential=credential)
    assert read(paying(created), [created], frozenset((POLICY,))) == ()


def test_without_a_datum_there_is_a_reason_too() -> None:
    """None at all, or only the hash of one."""
    bare = at_contract(None)
    hashed = replace(bare, output=replace(bare.output, datum_hash=bytes(32)))
    for created in (bare, hashed):
        fact, _ = judged(created)
        assert isinstance(fact, Rejected)
        assert fact.reason.startswith("no datum")
