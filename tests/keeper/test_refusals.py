"""What follows from each answer of the node's: every code by its verdict, no answer at all, and a node that changed its
mind about parameters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from indexer.devnet.ledger.refusal import Refusal
from indexer.ogmios.rulings import RULES as RULINGS
from indexer.ogmios.rulings import Verdict
from tests.support.keeping import House, attested, house, promised
from tests.support.yard import allocation, terms

SUBMITTING = [code for code in RULINGS if not 3000 <= code <= 3013]
UNKNOWN = 3999


@asynccontextmanager
async def due(folder: Path) -> AsyncIterator[House]:
    """Something is due, and the keeper has not looked yet."""
    async with house(folder) as it:
        made = await promised(it.yard, terms(allocation(1, 700)))
        await attested(it.yard, made, b"m1", 0, 1)
        yield it


async def test_each_code_has_its_verdict(tmp_path: Path) -> None:
    """One world for all codes: each is given for a release of its own."""
    async with house(tmp_path) as it:
        wrong: list[tuple[int, Verdict, str]] = []
        for number, code in enumerate([*SUBMITTING, UNKNOWN]):
            made = await promised(it.yard, terms(allocation(number, 700)))
            await attested(it.yard, made, b"m1", 0, 1)
            await it.caught_up()
            it.server.faults.refusals.append(Refusal(code, "no", None))
            await it.round()
            verdict = Verdict.UNKNOWN if code == UNKNOWN else RULINGS[code].verdict
            (row,) = [row for row in it.releases() if row["distribution_id"] == made.hex()]
            expected = {
                Verdict.DONE: "submitted",
                Verdict.WAIT: "built",
                Verdict.REBUILD: "refused",
                Verdict.FATAL: "failed",
                Verdict.UNKNOWN: "failed",
            }[verdict]
            if row["state"] != expected:
                wrong.append((code, verdict, row["state"]))
            for _ in range(10):
                await it.block()
            (row,) = [row for row in it.releases() if row["distribution_id"] == made.hex()]
            if row["state"] != ("failed" if expected == "failed" else "confirmed"):
                wrong.append((code, verdict, f"at last {row['state']}"))
        assert wrong == []


async def test_a_lost_reply_means_unknown_and_the_chain_tells(tmp_path: Path) -> None:
    async with due(tmp_path) as it:
        it.server.faults.lost_replies = 1
        with pytest.raises(Exception, match="closed the connection"):
            await it.round()
        assert it.states() == ["submitted"]
        await it.block()
        (row,) = it.releases()
        assert (row["state"], row["attempts"]) == ("in_block", 1)


async def test_a_failed_release_is_told_and_not_tried_again_and_others_go_on(tmp_path: Path) -> None:
    async with due(tmp_path) as it:
        it.server.faults.refusals.append(Refusal(3100, "no", None))
        await it.round()
        assert it.events() == ["release.failed"]
        other = await promised(it.yard, terms(allocation(2, 700)))
        await attested(it.yard, other, b"m1", 0, 1)
        for _ in range(3):
            await it.block()
        assert sorted(it.states()) == ["failed", "in_block"]


async def test_what_the_mempool_forgets_is_sent_again_after_some_blocks(tmp_path: Path) -> None:
    async with due(tmp_path) as it:
        await it.round()
        (row,) = it.releases()
        it.yard.node.fork(0, 0, drop=[bytes.fromhex(row["transaction_id"])])
        for _ in range(5):
            await it.block()
        assert it.states() == ["submitted"]
        await it.block()
        (row,) = it.releases()
        assert (row["state"], row["attempts"]) == ("in_block", 1)
