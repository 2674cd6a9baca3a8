"""What is watched, from where on, and in which words."""

from pathlib import Path
from random import Random

import pytest

from indexer import errors
from indexer.chain.address import CredentialKind
from indexer.chain.network import KNOWN
from indexer.chain.point import ORIGIN, Point
from indexer.chain.watch import parse_watch
from indexer.cli.outputs import Status, status_of
from indexer.store.db import opened_for_reading
from indexer.store.watches import Watched, read
from tests.support.blocks import BYRON_TESTNET, Block, Ledger, address, block, make_chain, output, tx
from tests.support.following import daemon, follow, outputs, place_of, replayed, until
from tests.support.ogmios import FakeOgmios

HASH = b"h" * 28
KEY = address(HASH, "key")
SCRIPT = address(HASH, "script", ("key", b"s" * 28))
POINTER = address(HASH, "key", ("pointer", (2_498_243, 27, 3)))
BYRON = BYRON_TESTNET[0]
STRANGER = address(b"x" * 28, "key")
BOTH, ONLY_KEY = parse_watch(HASH.hex()), parse_watch(HASH.hex(), CredentialKind.KEY)


def chain_of(*receivers: list[str]) -> list[Block]:
    """A block for each list of addresses, each of which receives an output; in the next block, the first is spent."""
    chain: list[Block] = []
    inputs: list[tuple[str, int]] = []
    for height, addresses in enumerate(receivers):
        made = tx(inputs, [output(a) for a in addresses], salt=height)
        ancestor = chain[-1]["id"] if chain else "genesis"
        chain.append(block([made], slot=10 * height + 5, height=height, ancestor=ancestor))
        inputs = [(made["id"], 0)]
    return chain


def received(path: Path) -> list[tuple[int, str]]:
    """Slot and address of every output held, in the order of the chain."""
    return sorted((row["created_slot"], row["address"]) for row in outputs(path).values())


async def status(path: Path) -> Status:
    async with opened_for_reading(path) as db:
        return await status_of(db, 0)


async def test_the_same_28_bytes_are_a_key_and_a_script_and_the_rows_tell_them_apart(tmp_path: Path) -> None:
    """A watch without kind takes both, with any stake part; one with a kind takes that."""
    chain = chain_of([KEY, SCRIPT, POINTER, BYRON, STRANGER])
    async with FakeOgmios(chain) as ogmios:
        await follow(tmp_path / "both", ogmios.port, [BOTH])
        await follow(tmp_path / "key", ogmios.port, [ONLY_KEY])
        await follow(tmp_path / "byron", ogmios.port, [parse_watch(BYRON)])
    rows = {row["address"]: row for row in outputs(tmp_path / "both").values()}
    assert {a: row["credential_kind"] for a, row in rows.items()} == {KEY: "key", POINTER: "key", SCRIPT: "script"}
    assert {HASH.hex()} == {row["payment_credential"] for row in rows.values()}
    assert sorted([(5, KEY), (5, POINTER)]) == received(tmp_path / "key")
    byron = next(iter(outputs(tmp_path / "byron").values()))
    assert (byron["address"], byron["payment_credential"], byron["credential_kind"]) == (BYRON, None, None)


async def test_a_watch_added_later_starts_at_the_cursor_and_is_called_partial(tmp_path: Path) -> None:
    """What it received before is not there, and the words say so."""
    path, chain = tmp_path / "db", chain_of([KEY, SCRIPT], [KEY, SCRIPT], [KEY, SCRIPT], [KEY, SCRIPT])
    only_script = parse_watch(HASH.hex(), CredentialKind.SCRIPT)
    async with FakeOgmios(chain, hidden=2) as ogmios:
        await follow(path, ogmios.port, [ONLY_KEY])
        ogmios.reveal()
        await follow(path, ogmios.port, [ONLY_KEY, only_script])
    assert sorted([(5, KEY), (15, KEY), (25, KEY), (25, SCRIPT), (35, KEY), (35, SCRIPT)]) == received(path)
    told = {watch.kind: watch for watch in (await status(path)).watches}
    assert (told["key"].history, told["key"].since) == ("complete", "origin")
    assert (told["script"].history, told["script"].since) == ("partial", str(place_of(chain[:2])))
    assert "partial: after 15" in (await status(path)).told()


async def test_a_fork_below_its_start_makes_a_later_watch_start_earlier(tmp_path: Path) -> None:
    """The blocks of the other branch were read with it."""
    path, chain = tmp_path / "db", chain_of([KEY], [KEY], [KEY], [KEY])
    async with FakeOgmios(chain, hidden=1) as ogmios:
        await follow(path, ogmios.port, [ONLY_KEY])
        async with daemon(path, ogmios.port, [ONLY_KEY, parse_watch(BYRON)]) as follower:
            await until(lambda: follower.status.height == 2)
            ogmios.replace(chain[:1] + make_chain(Random(1), 6, on=chain[:1]))
            ogmios.reveal()
            await until(lambda: follower.status.cursor == place_of(ogmios.chain))
        assert {str(entry.watch): entry.since for entry in await watched(path)}[BYRON] == place_of(chain[:1])
        assert replayed(ogmios.chain, [(HASH.hex(), "key")]).keys() <= outputs(path).keys()


async def watched(path: Path) -> list[Watched]:
    async with opened_for_reading(path) as db:
        return list(await read(db))


async def test_a_watch_removed_is_followed_until_a_rebuild_and_called_so(tmp_path: Path) -> None:
    """History without gaps, should it come back."""
    path, chain = tmp_path / "db", chain_of([KEY, SCRIPT], [KEY, SCRIPT], [KEY, SCRIPT])
    async with FakeOgmios(chain, hidden=1) as ogmios:
        await follow(path, ogmios.port, [BOTH, ONLY_KEY])
        ogmios.reveal()
        await follow(path, ogmios.port, [ONLY_KEY])
    assert len(outputs(path)) == 6
    assert {watch.kind: watch.configured for watch in (await status(path)).watches} == {"any": False, "key": True}
    assert "removed from the configuration" in (await status(path)).told()


async def test_history_since_a_point_holds_nothing_from_before_and_minds_no_spend_of_it(tmp_path: Path) -> None:
    """The output of the first block is spent by the second; neither is ours to tell."""
    path, chain = tmp_path / "db", chain_of([KEY], [KEY], [KEY])
    since = place_of(chain[:1])
    async with FakeOgmios(chain) as ogmios:
        await follow(path, ogmios.port, [ONLY_KEY], since=since)
    assert received(path) == [(15, KEY), (25, KEY)]
    told = await status(path)
    assert (told.since, told.watches[0].history) == (str(since), "partial")


async def test_history_since_the_tip_begins_with_the_next_block(tmp_path: Path) -> None:
    """Also where the tip it began with is the first thing that a fork takes away."""
    path, chain = tmp_path / "db", chain_of([KEY], [KEY], [KEY], [KEY])
    async with FakeOgmios(chain, hidden=2) as ogmios, daemon(path, ogmios.port, [ONLY_KEY], since="tip") as follower:
        await until(lambda: follower.status.cursor == place_of(chain[:2]))
        ogmios.reveal(1)
        await until(lambda: follower.status.height == 2)
        assert received(path) == [(25, KEY)]
        ogmios.replace(chain[:1] + make_chain(Random(2), 4, on=chain[:1]))
        await until(lambda: follower.status.cursor == place_of(ogmios.chain))
    assert received(path) == []
    assert (await status(path)).since == str(place_of(chain[:1]))


async def test_a_starting_point_that_the_node_does_not_know_is_refused(tmp_path: Path) -> None:
    """On its chain there is another block at that slot."""
    async with FakeOgmios(chain_of([KEY], [KEY])) as ogmios:
        with pytest.raises(errors.SincePointUnknown, match="does not know the starting point"):
            await follow(tmp_path / "db", ogmios.port, [BOTH], since=Point(5, b"?" * 32))


async def test_until_a_point_stops_right_there_and_one_off_the_chain_is_named(tmp_path: Path) -> None:
    """The next run goes on."""
    chain = chain_of(*([KEY] for _ in range(30)))
    until_ = place_of(chain[:11])
    assert isinstance(until_, Point)
    async with FakeOgmios(chain) as ogmios:
        follower = await follow(tmp_path / "db", ogmios.port, [BOTH], until=until_)
        assert follower.status.cursor == until_
        again = await follow(tmp_path / "db", ogmios.port, [BOTH], until=until_)
        assert again.status.cursor == until_
        with pytest.raises(errors.UntilPassed):
            await follow(tmp_path / "db", ogmios.port, [BOTH], until=Point(until_.slot + 11, until_.id))
        assert (await follow(tmp_path / "db", ogmios.port, [BOTH])).status.cursor == place_of(chain)


async def test_an_empty_chain_is_a_tip_like_any_other(tmp_path: Path) -> None:
    """A devnet before its first block."""
    async with FakeOgmios([]) as ogmios:
        follower = await follow(tmp_path / "db", ogmios.port, [BOTH])
        assert follower.status.cursor == ORIGIN
        ogmios.append(chain_of([KEY]))
        assert (await follow(tmp_path / "db", ogmios.port, [BOTH])).status.blocks == 1


async def test_a_transaction_of_ours_with_a_field_we_do_not_know_stops_and_one_of_others_does_not(
    tmp_path: Path,
) -> None:
    """Dijkstra's sub-transactions spend and create; we do not guess."""
    inner = {"subTransactions": [{"id": "ab" * 32, "inputs": [], "outputs": [output(KEY)]}]}
    chain = chain_of([KEY], [STRANGER])
    for last, stops in ((tx(outputs=[output(STRANGER)], more=inner), True), (tx(more={"guards": ["00"]}), False)):
        made = block([last], slot=99, height=2, ancestor=chain[-1]["id"], era="dijkstra")
        path = tmp_path / f"{stops}.sqlite"
        async with FakeOgmios([*chain, made]) as ogmios:
            if stops:
                with pytest.raises(errors.BlockNotUnderstood, match="subTransactions") as caught:
                    await follow(path, ogmios.port, [BOTH], network=KNOWN["preview"])
                assert caught.value.exit_code == 70
                assert (await status(path)).slot == 15
            else:
                await follow(path, ogmios.port, [BOTH])
                assert (await status(path)).slot == 99
    assert Ledger.of(chain).height == 1
