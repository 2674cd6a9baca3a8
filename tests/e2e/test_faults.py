"""Everything that can go wrong between us and Ogmios: a named error or a reconnect, and never a wrong row."""

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

import pytest

from indexer import errors
from indexer.chain.address import CredentialKind
from indexer.chain.network import KNOWN
from indexer.chain.point import Point
from indexer.chain.watch import Watch, parse_watch
from indexer.edge import ogmios as edge
from indexer.status import Phase
from indexer.store.db import opened
from indexer.workers.follow import Follower
from tests.support.blocks import CAST, WATCHES, Block, Recipe, block, make_chain, make_fork
from tests.support.faults import Fault, Kind
from tests.support.following import IMPATIENT, daemon, follow, outputs, place_of, replayed, select, until
from tests.support.ogmios import FakeOgmios
from tests.support.standalone import Plan

WATCHED: list[Watch] = [parse_watch(text, None if kind is None else CredentialKind(kind)) for text, kind in WATCHES]
PLAN = Plan.of({"seed": 11, "length": 120, "forks": [[90, 12]]})
CHAIN = PLAN.chain

BREAKS_A_SESSION = {
    "the node is down": Fault(Kind.NODE_DOWN, connection=1, times=3),
    "Ogmios is starting": Fault(Kind.UNAVAILABLE, connection=1, times=3),
    "cut in the middle of a frame": Fault(Kind.CUT_IN_FRAME, message=40),
    "cut in the middle of a batch": Fault(Kind.CUT, message=40),
    "reset": Fault(Kind.RESET, message=41),
    "cut at the tip": Fault(Kind.CUT_AT_TIP),
    "garbage": Fault(Kind.GARBAGE, message=40),
    "a truncated answer": Fault(Kind.TRUNCATED, message=40),
    "random bytes": Fault(Kind.BINARY, message=40),
    "a text that is no text": Fault(Kind.NOT_UTF8, message=40),
    "a JSON-RPC error": Fault(Kind.RPC_ERROR, message=40),
    "a wrong id": Fault(Kind.WRONG_ID, message=40),
    "an answer to another question": Fault(Kind.OTHER_METHOD, message=40),
    "a block whose ancestor does not fit": Fault(Kind.BAD_ANCESTOR, height=50),
    "a rollback to nowhere": Fault(Kind.BACKWARD_UNKNOWN, message=40),
    "silence": Fault(Kind.SILENCE, message=40),
    "silence at the very start": Fault(Kind.SILENCE, message=1),
}


@pytest.mark.parametrize("name", BREAKS_A_SESSION)
async def test_a_broken_session_is_replaced_and_the_rows_are_as_if_nothing_had_happened(
    name: str, tmp_path: Path
) -> None:
    """One fault on the way through a chain with a fork in it; reconnecting is bounded by the backoff."""
    path, fault = tmp_path / "db.sqlite", replace(BREAKS_A_SESSION[name])
    async with FakeOgmios(CHAIN, forks=PLAN.forks, faults=[fault], security_parameter=40) as ogmios:
        async with daemon(path, ogmios.port, WATCHED, pace=replace(IMPATIENT, request_timeout_s=0.3)) as follower:
            await until(lambda: ogmios.settled and follower.status.cursor == place_of(ogmios.chain) and ogmios.fired)
            await until(lambda: follower.status.phase is Phase.FOLLOWING)
        assert replayed(ogmios.chain, WATCHES) == outputs(path)
        assert fault.times <= 3
        assert 1 <= follower.status.reconnects <= 4
        assert ogmios.connections <= 5


async def test_a_lasting_fault_is_met_with_patience(tmp_path: Path) -> None:
    """The same broken answer for ever: attempts thin out, no row is wrong, what is good is kept."""
    path = tmp_path / "db.sqlite"
    lasting = Fault(Kind.BAD_ANCESTOR, height=60, times=10**6)
    pace = replace(IMPATIENT, first_retry_s=0.05, longest_retry_s=0.1)
    async with FakeOgmios(CHAIN, faults=[lasting], security_parameter=40) as ogmios:
        async with daemon(path, ogmios.port, WATCHED, pace=pace) as follower:
            await until(lambda: follower.status.reconnects >= 5 and "does not follow" in follower.status.reason)
        good = [block for block in CHAIN if block["height"] < 60]
        assert replayed(good, WATCHES) == outputs(path)


STOPS: dict[str, tuple[Fault, type[errors.IndexerError], int]] = {
    "an unknown era": (Fault(Kind.UNKNOWN_ERA, height=60), errors.BlockNotUnderstood, 70),
    "another network": (Fault(Kind.WRONG_GENESIS, magic=1), errors.WrongNetwork, 1),
}


@pytest.mark.parametrize("name", STOPS)
async def test_what_no_session_can_mend_stops_with_its_name(name: str, tmp_path: Path) -> None:
    """The cursor stands before the trouble; nothing of it is in the rows."""
    fault, kind, exit_code = STOPS[name]
    path = tmp_path / "db.sqlite"
    async with FakeOgmios(CHAIN, faults=[replace(fault)], security_parameter=40) as ogmios:
        with pytest.raises(kind) as caught:
            await follow(path, ogmios.port, WATCHED)
    assert caught.value.exit_code == exit_code
    assert caught.value.hint
    good = [block for block in CHAIN if fault.height is not None and block["height"] < fault.height]
    assert replayed(good, WATCHES) == outputs(path)
    if good:
        point = place_of(good)
        assert isinstance(point, Point)
        where = select(path, "SELECT slot, block_id FROM sync_status")[0]
        assert (point.slot, point.id.hex()) == (where["slot"], where["block_id"])


async def test_a_node_that_is_behind_is_waited_for_and_never_followed_backwards(tmp_path: Path) -> None:
    """It was restored from an older snapshot, and catches up."""
    path = tmp_path / "db.sqlite"
    async with FakeOgmios(CHAIN, security_parameter=40) as ogmios:
        await follow(path, ogmios.port, WATCHED)
        before = outputs(path)
        ogmios.behind(30)
        async with daemon(path, ogmios.port, WATCHED) as follower:
            await until(lambda: follower.status.phase is Phase.WAITING_FOR_NODE)
            asked = ogmios.asked["findIntersection"]
            await until(lambda: ogmios.asked["findIntersection"] >= asked + 3)
            assert "the node is behind" in follower.status.reason
            assert before == outputs(path)
            ogmios.reveal()
            await until(lambda: follower.status.phase is Phase.FOLLOWING)
        assert follower.status.rollbacks == 0
    assert before == outputs(path)


async def test_an_intersection_more_than_k_below_stops_with_the_way_out(tmp_path: Path) -> None:
    """The hint is a command that works."""
    path = tmp_path / "db.sqlite"
    async with FakeOgmios(CHAIN, security_parameter=10) as ogmios:
        await follow(path, ogmios.port, WATCHED)
    far = Fault(Kind.FAR_INTERSECTION, blocks=60)
    before = outputs(path)
    async with FakeOgmios(CHAIN, security_parameter=10, faults=[far]) as ogmios:
        with pytest.raises(errors.IntersectionTooDeep) as caught:
            await follow(path, ogmios.port, WATCHED)
    assert "indexer rollback " in caught.value.hint
    assert before == outputs(path)


async def test_the_start_of_history_is_no_back_door_to_a_deeper_rollback(tmp_path: Path) -> None:
    """The only common point is the one that history starts at, and that lies more than k below."""
    path, since = tmp_path / "db.sqlite", place_of(CHAIN[:20])
    async with FakeOgmios(CHAIN, security_parameter=10) as ogmios:
        await follow(path, ogmios.port, WATCHED, since=since)
        before = outputs(path)
        ogmios.replace(CHAIN[:20] + make_chain(Random(8), 200, on=CHAIN[:20]), disconnect=True)
        with pytest.raises(errors.IntersectionTooDeep, match=str(since)):
            await follow(path, ogmios.port, WATCHED)
    assert before == outputs(path)


async def test_another_chain_of_the_same_network_is_never_taken_for_ours(tmp_path: Path) -> None:
    """No common point but the origin: stop, do not start over."""
    path = tmp_path / "db.sqlite"
    async with FakeOgmios(CHAIN, security_parameter=10) as ogmios:
        await follow(path, ogmios.port, WATCHED)
    before = outputs(path)
    async with FakeOgmios(make_chain(Random(99), 200), security_parameter=10) as ogmios:
        with pytest.raises(errors.IntersectionNotFound, match="knows none of the points"):
            await follow(path, ogmios.port, WATCHED)
    assert before == outputs(path)


async def test_a_fork_while_we_were_away_is_followed(tmp_path: Path) -> None:
    """Up to k blocks, by ordinary rollback."""
    path = tmp_path / "db.sqlite"
    async with FakeOgmios(CHAIN, security_parameter=40) as ogmios:
        await follow(path, ogmios.port, WATCHED)
        ogmios.fork(25, make_fork(Random(5), CHAIN, 25, 40))
        follower = await follow(path, ogmios.port, WATCHED)
        assert follower.status.rollbacks == 1
        assert replayed(ogmios.chain, WATCHES) == outputs(path)


async def test_a_node_in_byron_names_its_network_by_its_health_page(tmp_path: Path) -> None:
    """Its ledger cannot answer the genesis query yet (2002); the constants of a known network do."""
    path = tmp_path / "db.sqlite"
    byron: list[Block] = make_chain(Random(3), 60, Recipe(eras=("byron",)))
    async with FakeOgmios(byron, faults=[Fault(Kind.NO_NETWORK_QUERIES, times=9)]) as ogmios:
        await follow(path, ogmios.port, WATCHED)
        assert replayed(byron, WATCHES) == outputs(path)
        with pytest.raises(errors.WrongNetwork):
            await follow(tmp_path / "other.sqlite", ogmios.port, WATCHED, network=KNOWN["preprod"])


async def test_every_handwriting_is_read(tmp_path: Path) -> None:
    """A proxy may re-serialise: indented, sorted, shuffled, escaped, each in turn."""
    path = tmp_path / "db.sqlite"
    async with FakeOgmios(CHAIN, styles=(None, "spaced", "indented", "shuffled", "sorted", "escaped")) as ogmios:
        await follow(path, ogmios.port, WATCHED)
    assert replayed(CHAIN, WATCHES) == outputs(path)


async def test_a_database_that_somebody_else_locks_is_waited_for(tmp_path: Path) -> None:
    """Wherever in a session it is met; afterwards everything is there."""
    path = tmp_path / "db.sqlite"
    async with FakeOgmios(CHAIN, hidden=40) as ogmios:
        async with daemon(path, ogmios.port, WATCHED) as follower:
            await until(lambda: follower.status.cursor == place_of(CHAIN[:-40]))
            other = sqlite3.connect(path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            ogmios.reveal()
            await until(lambda: "locked by another process" in follower.status.reason)
            other.close()
            await until(lambda: follower.status.cursor == place_of(CHAIN))
        assert replayed(CHAIN, WATCHES) == outputs(path)


@pytest.mark.parametrize(("k", "depth"), [(40, 35), (40, 40), (100, 100), (432, 300), (432, 432)])
async def test_a_fork_of_any_depth_up_to_k_while_we_were_away_is_followed(k: int, depth: int, tmp_path: Path) -> None:
    """An honest fork is never taken for a deeper one, however far apart the points that we offer."""
    path, recipe = tmp_path / "db.sqlite", Recipe(transactions=1, ebbs=0.0)
    chain = make_chain(Random(k), k + 60, recipe)
    async with FakeOgmios(chain, security_parameter=k) as ogmios:
        await follow(path, ogmios.port, WATCHED)
        ogmios.fork(depth, make_fork(Random(depth), chain, depth, depth + 1, recipe))
        follower = await follow(path, ogmios.port, WATCHED)
        assert follower.status.blocks_rolled_back <= min(k, depth + 8)
        assert replayed(ogmios.chain, WATCHES) == outputs(path)


async def test_until_is_judged_on_the_chain_of_the_node(tmp_path: Path) -> None:
    """A slot battle lost while we were away: same height, same slot, another block."""
    path, recipe = tmp_path / "db.sqlite", Recipe(ebbs=0.0)
    chain = make_chain(Random(6), 40, recipe)
    last = chain[-1]
    same = {"slot": last["slot"], "height": last["height"], "ancestor": last["ancestor"], "era": last["era"]}
    other = block([], **same, id="ab" * 32)
    async with FakeOgmios(chain, security_parameter=40) as ogmios:
        await follow(path, ogmios.port, WATCHED)
        ogmios.fork(1, [other])
        await follow(path, ogmios.port, WATCHED)
        assert replayed(ogmios.chain, WATCHES) == outputs(path)
        with pytest.raises(errors.UntilPassed):
            await follow(path, ogmios.port, WATCHED, until=Point(last["slot"], bytes.fromhex(last["id"])))


async def test_a_full_disk_is_named_and_what_is_committed_stays(tmp_path: Path) -> None:
    """SQLite is told that there is no room for more pages; with room again, the rows end as they must."""
    path = tmp_path / "db.sqlite"
    async with FakeOgmios(CHAIN) as ogmios:
        async with opened(path) as db:
            await db.execute("PRAGMA max_page_count = 40")
            connect = partial(edge.session, ogmios.url, {}, 5.0)
            with pytest.raises(errors.DatabaseUnusable, match="full"):
                await Follower(db, connect, KNOWN["preview"], WATCHED, until="tip", pace=IMPATIENT).run()
        await follow(path, ogmios.port, WATCHED)
    assert replayed(CHAIN, WATCHES) == outputs(path)


async def test_a_database_that_becomes_read_only_on_the_way_is_named_and_what_is_committed_stays(
    tmp_path: Path,
) -> None:
    """As when the system, after an error of a disk, lets nobody write to it; later it does."""
    path = tmp_path / "db.sqlite"
    async with FakeOgmios(CHAIN, hidden=40) as ogmios:
        async with opened(path) as db:
            connect = partial(edge.session, ogmios.url, {}, 5.0)
            follower = Follower(db, connect, KNOWN["preview"], WATCHED, pace=IMPATIENT)
            task = asyncio.create_task(follower.run())
            await until(lambda: follower.status.cursor == place_of(CHAIN[:-40]))
            await db.execute("PRAGMA query_only = ON")
            ogmios.reveal()
            with pytest.raises(errors.DatabaseUnusable, match="readonly"):
                await task
        assert replayed(CHAIN[:-40], WATCHES) == outputs(path)
        await follow(path, ogmios.port, WATCHED)
    assert replayed(CHAIN, WATCHES) == outputs(path)


def test_the_chain_of_these_tests_is_worth_testing_with() -> None:
    """Rows created, spent, by hash, revealed; otherwise the tests above prove nothing."""
    rows: Sequence[dict[str, object]] = list(replayed(CHAIN, WATCHES).values())
    assert len(rows) > 100
    assert sum(row["spent_by"] is not None for row in rows) > 30
    assert sum(row["datum_hash"] is not None and row["datum"] is not None for row in rows) > 20
    assert {row["address"] for row in rows} >= set(CAST.watched)
