"""A wallet out of the rows: which coins it has, what has left it, and whether all of it is known."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import pytest
from aiosqlite import Connection

from indexer.chain.address import Credential, CredentialKind
from indexer.chain.block import Header, Output, OutputReference, Script
from indexer.chain.coin import Coin
from indexer.chain.network import KNOWN
from indexer.chain.point import ORIGIN, Place, Point
from indexer.chain.watch import CredentialWatch
from indexer.domain.created import Created
from indexer.domain.observe import Delta
from indexer.store import checkpoints, coins, projection, watches
from indexer.store.db import opened
from tests.support.addresses import CredentialKind as Kind
from tests.support.addresses import Stake, address

KEY: Final = b"\x07" * 28
OTHER: Final = b"\x08" * 28
TOKEN: Final = (b"\x33" * 28, b"TOKEN", 2**63)
NAMELESS: Final = (b"\x34" * 28, b"", 1)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Connection]:
    """A database of a network, without a row."""
    async with opened(tmp_path / "db.sqlite") as db:
        await checkpoints.claim(db, KNOWN["preview"])
        yield db


def made(
    transaction: int,
    index: int,
    lovelace: int,
    *assets: tuple[bytes, bytes, int],
    key: bytes = KEY,
    kind: Kind = "key",
    stake: Stake = None,
    datum: bytes | None = None,
    script: Script | None = None,
) -> Created:
    """An output of a transaction whose id is this digit."""
    output = Output(
        address(key, kind, stake),
        lovelace,
        assets,
        None if datum is None else b"\xda" * 32,
        datum,
        script,
    )
    reference = OutputReference(bytes([transaction]) * 32, index)
    return Created(reference, output, Credential(CredentialKind(kind), key))


async def block(
    db: Connection, slot: int, created: Sequence[Created] = (), spent: Sequence[tuple[Created, int]] = ()
) -> None:
    """A block; `spent` pairs an output with the digit of the transaction that spends it."""
    spends = [(each.reference, bytes([by]) * 32) for each, by in spent]
    header = Header(bytes([slot]) * 32, None, slot, slot)
    await projection.apply(db, [Delta(header, created=list(created), spent=spends)])


STRANGE: Final = (
    made(2, 0, 100, TOKEN),
    made(2, 1, 200, datum=b"\xd8\x79\x80"),
    made(2, 2, 400, script=Script("plutus:v3", b"\x5c" * 28)),
    made(2, 3, 800, script=Script("native", None)),
)
NOT_OURS: Final = (
    made(3, 0, 10_000, kind="script"),  # the same bytes, under a script's credential
    made(3, 1, 10_000, key=OTHER),
    made(3, 2, 10_000, key=OTHER, stake=("key", KEY)),
)


async def test_a_wallet_has_its_keys_coins_of_ada_alone_the_largest_first(db: Connection) -> None:
    """Whatever the stake part; not those that hold something else, nor what strangers made to look alike."""
    small, large, staked = made(1, 0, 5), made(1, 1, 7), made(1, 2, 6, stake=("script", b"\x66" * 28))
    gone = made(1, 3, 9)
    await block(db, 10, [small, large, staked, gone, *STRANGE, *NOT_OURS])
    await block(db, 11, spent=[(gone, 4)])
    assert await coins.at(db, KEY, 9) == [Coin(each.reference, each.output) for each in (large, staked, small)]
    assert [coin.output.lovelace for coin in await coins.at(db, KEY, 2)] == [7, 6]
    assert await coins.balance(db, KEY) == (3, 18)
    assert await coins.others(db, KEY) == (4, 1500)


async def test_a_wallet_without_a_coin_has_nothing(db: Connection) -> None:
    """Strange ones are told all the same."""
    await block(db, 10, [*STRANGE, *NOT_OURS])
    assert (await coins.at(db, KEY, 9), await coins.balance(db, KEY)) == ([], (0, 0))
    assert await coins.others(db, KEY) == (4, 1500)
    assert await coins.others(db, bytes(28)) == (0, 0)


async def test_what_is_named_is_found_whole_if_it_is_unspent(db: Connection) -> None:
    """With tokens, datum and script; of a script it is said that there is one, for its size is not known."""
    rich = made(5, 7, 3_000_000, TOKEN, NAMELESS, datum=b"\xd8\x79\x80", kind="script")
    gone = made(5, 8, 1)
    await block(db, 10, [rich, gone, *STRANGE])
    await block(db, 11, spent=[(gone, 6)])
    asked = [rich, gone, STRANGE[2], STRANGE[3], made(5, 70, 1), made(6, 7, 1)]
    found = await coins.named(db, [each.reference for each in asked])
    assert {at: coin.output for at, coin in found.items()} == {
        each.reference: each.output for each in (rich, STRANGE[2], STRANGE[3])
    }
    assert {at: coin.script_size > 0 for at, coin in found.items()} == {
        rich.reference: False,
        STRANGE[2].reference: True,
        STRANGE[3].reference: True,
    }
    assert await coins.named(db, []) == {}


async def test_what_left_a_wallet_is_summed_up_by_transaction_from_a_slot_on(db: Connection) -> None:
    """What came back does not count, and what one transaction brought does not make up for another."""
    first, second, third, fourth = (made(1, index, 100) for index in range(4))
    await block(db, 10, [first, second, third, fourth, *NOT_OURS])
    # In slot 20: 100 spent, 60 back. In 21: 200 spent, 130 back in two coins, one with a token. In 22: a gain of 900.
    await block(db, 20, [made(10, 0, 60)], [(first, 10)])
    back = [made(11, 0, 100, TOKEN), made(11, 1, 30), made(11, 2, 70, key=OTHER), made(11, 3, 70, kind="script")]
    await block(db, 21, back, [(second, 11), (third, 11)])
    await block(db, 22, [made(12, 0, 1000)], [(fourth, 12)])
    # Of others, and of the same bytes under a script.
    await block(db, 23, (), [(each, 13) for each in NOT_OURS])
    assert [await coins.lost_since(db, KEY, slot) for slot in (0, 20, 21, 22, 23)] == [110, 110, 70, 0, 0]
    assert await coins.lost_since(db, bytes(28), 0) == 0


async def test_what_was_lost_in_a_block_that_is_undone_is_lost_no_more(db: Connection) -> None:
    """The coin is there again."""
    coin = made(1, 0, 100)
    await block(db, 10, [coin])
    await block(db, 20, [made(2, 0, 40)], [(coin, 2)])
    assert await coins.lost_since(db, KEY, 0) == 60
    await projection.rollback(db, 19)
    assert await coins.lost_since(db, KEY, 0) == 0
    assert await coins.balance(db, KEY) == (1, 100)


LATER: Final = Point(50, b"\x32" * 32)


@pytest.mark.parametrize(
    ("kind", "since", "unread"),
    [
        (CredentialKind.KEY, ORIGIN, False),
        (None, ORIGIN, False),
        (CredentialKind.KEY, LATER, True),
        (None, LATER, True),
        (CredentialKind.SCRIPT, ORIGIN, True),
    ],
)
async def test_a_wallet_watched_from_the_origin_on_is_known_whole(
    db: Connection, kind: CredentialKind | None, since: Place, *, unread: bool
) -> None:
    """One that was watched later is not, until its coins were read; nor is one that nobody watches."""
    assert await coins.unread(db, KEY)
    await watches.reconcile(db, [CredentialWatch(KEY, kind)], since)
    assert await coins.unread(db, KEY) is unread
    await coins.has_read(db, KEY, LATER)
    watched = kind is not CredentialKind.SCRIPT
    assert (await coins.watched(db, KEY), await coins.unread(db, KEY)) == (watched, not watched)
    assert await coins.unread(db, OTHER)


async def test_one_watch_from_the_origin_on_is_enough(db: Connection) -> None:
    """Beside another that began later."""
    await watches.reconcile(db, [CredentialWatch(KEY)], ORIGIN)
    await watches.reconcile(db, [CredentialWatch(KEY), CredentialWatch(KEY, CredentialKind.KEY)], LATER)
    assert not await coins.unread(db, KEY)


async def test_what_was_read_at_a_block_that_is_undone_is_read_again(db: Connection) -> None:
    """Going back to that very block undoes nothing."""
    await watches.reconcile(db, [CredentialWatch(KEY)], LATER)
    await coins.has_read(db, KEY, LATER)
    await coins.rollback(db, 50)
    assert not await coins.unread(db, KEY)
    await coins.rollback(db, 49)
    assert await coins.unread(db, KEY)


async def test_coins_from_before_are_taken_as_they_are_and_known_ones_stay(db: Connection) -> None:
    """They count as made at that block, and go with it."""
    known, spent = made(1, 0, 5), made(1, 1, 6)
    await block(db, 10, [known, spent])
    await block(db, 20, spent=[(spent, 9)])
    old, rich = made(8, 0, 7), made(8, 1, 8, TOKEN, NAMELESS)
    at = Point(20, b"\x14" * 32)
    assert await projection.adopt(db, [old, known, rich], at) == 2
    assert await projection.adopt(db, [old, known, rich], at) == 0
    assert await coins.at(db, KEY, 9) == [Coin(old.reference, old.output), Coin(known.reference, known.output)]
    assert await coins.others(db, KEY) == (1, 8)
    rows = list(await db.execute_fetchall("SELECT created_slot, created_block FROM output ORDER BY transaction_id"))
    assert [tuple(row) for row in rows] == [(10, "0a" * 32)] * 2 + [(20, "14" * 32)] * 2
    assert len(list(await db.execute_fetchall("SELECT * FROM asset"))) == 2
    await projection.rollback(db, 20)
    assert await coins.balance(db, KEY) == (2, 12)
    await projection.rollback(db, 19)
    assert await coins.balance(db, KEY) == (2, 11)


async def test_the_wallets_of_other_keys_are_remembered_the_latest_first(db: Connection) -> None:
    """A few of them; when the keeper first had one counts, not when it was last told."""
    assert await coins.earlier_wallets(db, KEY) == []
    for digit in range(1, 6):
        await coins.remember(db, bytes([digit]) * 28, ORIGIN if digit == 1 else Point(digit * 10, bytes(32)))
    await coins.remember(db, bytes([4]) * 28, Point(99, bytes(32)))
    assert await coins.earlier_wallets(db, bytes([5]) * 28) == [bytes([digit]) * 28 for digit in (4, 3, 2)]
    assert await coins.earlier_wallets(db, bytes([9]) * 28) == [bytes([digit]) * 28 for digit in (5, 4, 3)]
    assert await coins.earlier_wallets(db, bytes([4]) * 28) == [bytes([digit]) * 28 for digit in (5, 3, 2)]
