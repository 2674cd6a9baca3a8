"""What forks do to distributions and to what was told of them: stories on a devnet, with their rows by hand."""

from pathlib import Path

from tests.support.deeds import create, release
from tests.support.promised import caught_up, followed, terms
from tests.support.promises import World
from tests.support.reading import rows, told


async def test_a_fork_moves_a_creation_into_another_block(tmp_path: Path) -> None:
    """While the fork has not grown back, nothing is retracted; then what was told of the old block is."""
    world, path = World(), tmp_path / "db"
    plan = world.plan(terms())
    create(world, plan)
    async with followed(world, path) as follower:
        world.block(2)
        await caught_up(follower, world)
        assert rows(path, "distributions", "created_slot") == [(1,)]
        world.fork(2, 1)
        await caught_up(follower, world)
        assert rows(path, "distributions", "*") == rows(path, "milestones", "*") == rows(path, "allocations", "*") == []
        assert told(path) == [("distribution.created", None, 1, "seen")]
        world.block()
        await caught_up(follower, world)
        assert rows(path, "distributions", "created_slot, updated_slot, seed") == [(3, 3, str(plan.seed.at))]
        assert told(path) == [
            ("distribution.created", None, 1, "retracted"),
            ("distribution.created", None, 3, "seen"),
        ]


async def test_a_fork_that_drops_a_release_makes_it_due_again(tmp_path: Path) -> None:
    """The signatures that only its redeemer showed are gone with it; another release pays, in another order."""
    world, path = World(), tmp_path / "db"
    plan = world.plan(terms())
    state = create(world, plan)
    world.block()
    async with followed(world, path) as follower:
        gone = release(world, state, b"m1", [0], [0])
        world.block()
        await caught_up(follower, world)
        assert rows(path, "distributions", "amount_paid, output_reference") == [(5, str(gone.coin.at))]
        world.fork(1, 1, [gone.coin.at.transaction])
        await caught_up(follower, world)
        assert rows(path, "distributions", "amount_paid, output_reference, updated_slot") == [
            (0, str(state.coin.at), 1)
        ]
        assert rows(path, "attestations", "*") == []
        other = release(world, release(world, state, b"m2", [1], [1]), b"m1", [0], [2])
        world.block()
        await caught_up(follower, world)
    assert rows(path, "distributions", "state, amount_paid, output_reference, updated_slot") == [
        ("completed", 12, str(other.coin.at), 3)
    ]
    assert told(path) == [
        ("distribution.created", None, 1, "seen"),
        ("attestation.accepted", "m1", 2, "retracted"),
        ("milestone.quorum_met", "m1", 2, "retracted"),
        ("milestone.released", "m1", 2, "retracted"),
        ("attestation.accepted", "m1", 3, "seen"),
        ("attestation.accepted", "m2", 3, "seen"),
        ("distribution.completed", None, 3, "seen"),
        ("milestone.quorum_met", "m1", 3, "seen"),
        ("milestone.quorum_met", "m2", 3, "seen"),
        ("milestone.released", "m1", 3, "seen"),
        ("milestone.released", "m2", 3, "seen"),
    ]


async def test_what_was_retracted_holds_again_when_its_block_comes_back(tmp_path: Path) -> None:
    """The same block shows the same event: it is one row, with its turns counted."""
    world, path = World(), tmp_path / "db"
    create(world, world.plan(terms()))
    async with followed(world, path) as follower:
        world.block(2)
        await caught_up(follower, world)
        old = list(world.node.chain)[1:]
        world.fork(2, 3)
        await caught_up(follower, world)
        assert told(path) == [("distribution.created", None, 1, "retracted")]
        world.node.chain.switch(1, old)
        await caught_up(follower, world)
        assert told(path) == [("distribution.created", None, 1, "seen")]
    assert rows(path, "distributions", "created_slot, state") == [(1, "open")]
    assert rows(path, "event", "turns, gone") == [(2, 0)]
