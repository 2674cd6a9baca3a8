"""What a fork takes back is sent again: the same bytes where they can still land, else another transaction."""

from pathlib import Path

from tests.support.following import select
from tests.support.keeping import House, attested, house, promised
from tests.support.yard import OWNER, allocation, id_of, terms


async def released(it: House) -> bytes:
    """A release that is in a block; the id of its transaction."""
    made = await promised(it.yard, terms(allocation(1, 700)))
    await attested(it.yard, made, b"m1", 0, 1)
    await it.round()
    await it.block()
    (row,) = it.releases()
    assert row["state"] == "in_block"
    return bytes.fromhex(row["transaction_id"])


async def test_a_release_whose_block_is_undone_lands_again_as_the_same_bytes(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        transaction = await released(it)
        it.yard.node.fork(1, 2, drop=[transaction])  # not even the node's mempool remembers it
        await it.round()
        assert it.states() == ["submitted"]
        await it.block()
        (row,) = it.releases()
        assert (row["state"], row["transaction_id"], row["attempts"]) == ("in_block", transaction.hex(), 2)
        assert it.events() == [
            "release.submitted",
            "release.in_block",
            "release.rolled_back",
            "release.submitted",
            "release.in_block",
        ]
        assert it.signer is not None
        assert len(it.signer.signed) == 1


async def test_while_the_chain_has_not_reached_its_old_height_nothing_is_sent(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        transaction = await released(it)
        it.yard.node.fork(3, 2, drop=[transaction])
        await it.round()
        assert it.states() == ["in_block"]  # not concluded yet
        assert not it.status.gates["no_rollback"]
        await it.block()
        assert it.states() == ["submitted"]


async def test_a_fork_that_undoes_the_distribution_too_ends_with_one_payment(tmp_path: Path) -> None:
    """Create, attestations and release all go back to the mempool, and come again in order."""
    async with house(tmp_path) as it:
        transaction = await released(it)
        it.yard.node.fork(4, 5)
        await it.round()
        await it.block()
        (row,) = it.releases()
        assert (row["state"], row["transaction_id"]) == ("in_block", transaction.hex())


async def test_what_was_in_no_block_while_it_was_valid_is_built_anew(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        made = await promised(it.yard, terms(allocation(1, 700)))
        await attested(it.yard, made, b"m1", 0, 1)
        await it.round()
        (row,) = it.releases()
        first = bytes.fromhex(row["transaction_id"])
        it.yard.node.fork(0, 0, drop=[first])  # the mempool forgets it
        it.yard.skip(31 * 60)
        await it.round()
        assert [row["state"] for row in it.releases()] == ["submitted"]  # expired, and built anew at once
        (row,) = it.releases()
        assert row["attempts"] == 2
        assert row["transaction_id"] != first.hex()
        await it.block()
        assert it.states() == ["in_block"]


async def test_a_release_by_somebody_else_supersedes_ours_which_costs_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        yard = it.yard
        created, state = await yard.create(terms(allocation(1, 700)))
        made = id_of(created)
        await attested(yard, made, b"m1", 0, 1)
        before = it.wealth
        await it.round()
        (row,) = it.releases()
        ours = bytes.fromhex(row["transaction_id"])
        yard.node.fork(0, 0, drop=[ours])
        theirs = await yard.do(yard.release(state, [0]), OWNER)
        await it.round()
        assert it.states() == ["superseded"]
        assert it.wealth == before
        yard.node.fork(1, 2, drop=[theirs.id])
        await it.round()
        assert it.states() == ["submitted"]
        await it.block()
        (row,) = it.releases()
        assert (row["state"], row["transaction_id"]) == ("in_block", ours.hex())


async def test_after_a_rollback_that_no_block_follows_the_database_tells_where_the_node_is(tmp_path: Path) -> None:
    """Whoever only reads it is not told that the daemon is behind."""
    async with house(tmp_path) as it:
        await it.block(3)
        it.yard.node.fork(2, 0)
        await it.round()
        tip = it.yard.node.tip
        assert tip is not None
        (row,) = select(it.path, "SELECT cursor_height, tip_height, tip_slot FROM chain")
        assert row == {"cursor_height": tip.height, "tip_height": tip.height, "tip_slot": tip.slot}
