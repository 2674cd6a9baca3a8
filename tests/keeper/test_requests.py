"""What commands ask of a keeper at work: each request is carried out once and answered, whatever comes of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from indexer.edge import pause, requests
from indexer.edge.node import node as node_session
from indexer.edge.requests import Kind
from indexer.errors import FileUnusable
from indexer.workers.clerk import Clerk
from tests.support.keeping import RULES, TIMEOUT_S, House, attested, grounds, house, promised
from tests.support.yard import allocation, terms

DISABLED = replace(RULES, enabled=False)
MUCH = 5_000_000


def clerk_of(it: House) -> Clerk:
    """The keeper's own."""
    assert it.keeper is not None
    return it.keeper._clerk


async def asked(it: House, kind: Kind, arguments: dict[str, Any]) -> dict[str, Any]:
    """A request left, carried out, answered."""
    await it.caught_up()
    left = requests.leave(it.folder, kind, arguments, it.now_ms)
    await clerk_of(it).work()
    return dict(await requests.answer_to(it.folder, left, 5))


def release(distribution: bytes, milestone: str = "m1", most: int = MUCH) -> dict[str, Any]:
    return {"distribution_id": distribution.hex(), "milestone_id": milestone, "most": most}


async def test_a_pause_that_was_asked_for_stops_every_send_until_the_other(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        told = await asked(it, Kind.PAUSE, {"reason": "the node moves"})
        assert told["paused"] is True
        assert told["told"].endswith(": the node moves")
        made = await promised(it.yard, terms(allocation(1, 700)))
        await attested(it.yard, made, b"m1", 0, 1)
        await it.block(2)
        assert it.releases() == []
        assert await asked(it, Kind.RESUME, {}) == {"paused": False, "was_paused": True}
        assert await asked(it, Kind.RESUME, {}) == {"paused": False, "was_paused": False}
        await it.round()
        assert it.states() == ["submitted"]


async def test_a_release_by_hand_goes_the_keepers_way_also_where_it_is_not_enabled(tmp_path: Path) -> None:
    async with house(tmp_path, DISABLED) as it:
        made = await promised(it.yard, terms(allocation(1, 700)))
        await attested(it.yard, made, b"m1", 0, 1)
        await it.block(2)
        assert it.releases() == []
        told = await asked(it, Kind.RELEASE, release(made))
        (row,) = it.releases()
        assert told == {
            "release_id": row["release_id"],
            "state": "submitted",
            "transaction_id": row["transaction_id"],
        }
        again = await asked(it, Kind.RELEASE, release(made))
        assert again == told
        assert len(it.signer.signed if it.signer else ()) == 1
        await it.block(1)
        assert it.states() == ["in_block"]


async def test_a_release_by_hand_may_cost_what_was_agreed_to_and_no_lovelace_more(tmp_path: Path) -> None:
    """One that pays its keeper nothing, which the keeper leaves alone by itself."""
    async with house(tmp_path) as it:
        made = await promised(it.yard, terms(allocation(1, 700), keeper_fee_per_payout=0))
        await attested(it.yard, made, b"m1", 0, 1)
        await it.block(2)
        assert it.releases() == []
        refused = await asked(it, Kind.RELEASE, release(made, most=1))
        assert refused["error"]["code"] == "keeper.costly"
        assert it.releases() == []
        cost = int(refused["error"]["message"].split()[3])
        before = it.wealth
        short = await asked(it, Kind.RELEASE, release(made, most=cost - 1))
        assert short["error"]["code"] == "keeper.costly"
        assert (await asked(it, Kind.RELEASE, release(made, most=cost)))["state"] == "submitted"
        await it.block(1)
        assert it.states() == ["in_block"]
        assert before - it.wealth == cost > 0


async def test_what_was_signed_while_the_keeper_was_on_is_sent_by_hand_for_what_was_agreed_to_alone(
    tmp_path: Path,
) -> None:
    """The mempool forgot it, and the keeper is off now: it would not be sent if nobody asked."""
    async with grounds() as (yard, server):
        made = await promised(yard, terms(allocation(1, 700), keeper_fee_per_payout=0))
        await attested(yard, made, b"m1", 0, 1)
        async with House(yard, server, tmp_path, replace(RULES, sponsors=frozenset({"all"}))).opened() as it:
            await it.round()
            (row,) = it.releases()
        yard.node.fork(0, 0, drop=[bytes.fromhex(row["transaction_id"])])
        async with House(yard, server, tmp_path, DISABLED).opened() as it:
            refused = await asked(it, Kind.RELEASE, release(made, most=row["cost"] - 1))
            assert refused["error"]["code"] == "keeper.costly"
            assert row["release_id"] in refused["error"]["message"]
            await it.block(7)
            assert it.states() == ["submitted"]
            assert (await asked(it, Kind.RELEASE, release(made, most=row["cost"])))["state"] == "submitted"
            await it.block(7)
            assert it.states() == ["confirmed"]


@pytest.mark.parametrize(
    ("signers", "milestone", "reason"),
    [((0,), "m1", "1 of 2"), ((0, 1), "m2", "m2"), ((0, 1), "later", "2100")],
)
async def test_what_is_not_due_is_not_released_whoever_asks(
    tmp_path: Path, signers: tuple[int, ...], milestone: str, reason: str
) -> None:
    async with house(tmp_path) as it:
        later = allocation(2, 700, b"later", vesting=4_102_444_800_000)
        made = await promised(it.yard, terms(allocation(1, 700), later))
        name = b"later" if milestone == "later" else b"m1"
        await attested(it.yard, made, name, *signers)
        refused = await asked(it, Kind.RELEASE, release(made, milestone))
        assert refused["error"]["code"] == "keeper.not_releasable"
        assert refused["error"]["exit_code"] == 1
        assert reason in refused["error"]["message"]
        assert it.releases() == []


async def test_a_distribution_that_nobody_made_is_not_released(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        refused = await asked(it, Kind.RELEASE, release(bytes(32)))
        assert refused["error"]["code"] == "keeper.not_releasable"


async def test_nothing_is_released_by_hand_while_it_is_paused(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        pause.pause(tmp_path, it.now_ms, "for a reason")
        made = await promised(it.yard, terms(allocation(1, 700)))
        await attested(it.yard, made, b"m1", 0, 1)
        refused = await asked(it, Kind.RELEASE, release(made))
        assert refused["error"]["code"] == "keeper.held"
        assert "for a reason" in refused["error"]["message"]
        assert it.releases() == []


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (Kind.PAUSE, {}),
        (Kind.PAUSE, {"reason": 5}),
        (Kind.RELEASE, {}),
        (Kind.RELEASE, {"distribution_id": "zz", "milestone_id": "m1", "most": 1}),
        (Kind.RELEASE, {"distribution_id": "00" * 32, "milestone_id": "0xzz", "most": 1}),
        (Kind.RELEASE, {"distribution_id": "00" * 32, "milestone_id": "m1", "most": "much"}),
    ],
)
async def test_a_request_that_says_too_little_is_answered(
    tmp_path: Path, kind: Kind, arguments: dict[str, Any]
) -> None:
    async with house(tmp_path) as it:
        refused = await asked(it, kind, arguments)
        assert refused["error"]["code"] == "daemon.request_unusable"
        assert pause.paused(tmp_path) is None
        assert it.releases() == []


async def test_garbage_and_late_requests_are_told_of_and_never_carried_out(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        late = requests.leave(tmp_path, Kind.PAUSE, {"reason": None}, it.now_ms - 60_000, wait_s=59)
        (tmp_path / "requests" / "nonsense.json").write_text("?")
        with capture_logs() as logs:
            await clerk_of(it).work()
        told = [(entry["event"], entry.get("request") or Path(entry["file"]).name) for entry in logs]
        assert told == [("request.unreadable", "nonsense.json"), ("request.too_late", late.id)]
        assert pause.paused(tmp_path) is None


async def test_a_request_whose_answer_cannot_be_written_is_carried_out_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full for a while. What is done meanwhile is not undone by doing it again."""
    async with house(tmp_path) as it:
        requests.leave(tmp_path, Kind.PAUSE, {"reason": None}, it.now_ms)
        monkeypatch.setattr(requests, "_write", full)
        with capture_logs() as logs:
            await clerk_of(it).work()
            pause.resume(tmp_path)
            await clerk_of(it).work()
        assert [entry["event"] for entry in logs] == ["request.answered", "request.answer_unwritten"]
        assert pause.paused(tmp_path) is None


def full(*_: object) -> None:
    raise FileUnusable("cannot write: No space left on device")


async def test_where_the_node_cannot_be_reached_the_answer_says_so(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        made = await promised(it.yard, terms(allocation(1, 700)))
        await attested(it.yard, made, b"m1", 0, 1)
        await it.caught_up()
        assert it.keeper is not None
        clerk = clerk_of(it)
        clerk._connect = lambda: node_session("ws://127.0.0.1:1", {}, TIMEOUT_S)
        refused = await asked(it, Kind.RELEASE, release(made))
        assert refused["error"]["code"] == "ogmios.unreachable"
        assert it.releases() == []
