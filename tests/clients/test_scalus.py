"""Scalus, another implementation of the evaluator, agrees on what the keeper sends, and on what it must not."""

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from indexer.devnet.ledger.refusal import Refused
from tests.clients.running import HERE
from tests.contract.tree import encode
from tests.support.following import select
from tests.support.keeping import House, attested, house, promised
from tests.support.yard import ADA, TOKEN, allocation, terms

pytestmark = pytest.mark.clients

COUNT = 100


@dataclass(frozen=True)
class Case:
    """A transaction, the outputs that it names, and whether the devnet's evaluator agrees to it, with which units."""

    raw: bytes
    line: str
    units: list[tuple[int, int]] | None


async def test_scalus_agrees_with_the_devnet_on_what_the_keeper_sends(tmp_path: Path) -> None:
    """And on the same transactions with one signature changed, which nobody may accept."""
    node = shutil.which("node")
    assert node is not None, "Node.js is needed, 20 or later"
    assert (HERE / "scalus" / "node_modules").is_dir(), "see `make test-clients`"
    cases: list[Case] = []
    random = Random(8)
    async with house(tmp_path) as it:
        while len(cases) < 2 * COUNT:
            await released(it, random)
            row = select(it.path, "SELECT cbor FROM release_transaction ORDER BY built_ms DESC LIMIT 1")
            raw = row[0]["cbor"]
            cases += [judged(it, raw), judged(it, forged(raw))]
            await it.block()
    answers = await evaluated(node, [case.line for case in cases])
    assert len(answers) == len(cases)
    for case, answer in zip(cases, answers, strict=True):
        if case.units is None:
            assert "refused" in answer
        else:
            assert [(each["memory"], each["steps"]) for each in answer] == case.units
    assert sum(case.units is None for case in cases) == COUNT


async def released(it: House, random: Random) -> None:
    """One more release of a size and kind of its own, sent and not yet in a block."""
    payouts = random.randint(1, 12)
    made = await promised(
        it.yard,
        terms(
            *(allocation(n, random.randint(1, 10_000)) for n in range(payouts)),
            token=random.choice((ADA, TOKEN)),
            quorum_threshold=random.randint(1, 3),
        ),
    )
    await attested(it.yard, made, b"m1", *random.sample(range(3), 3))
    before = len(it.releases())
    await it.round()
    assert len(it.releases()) == before + 1


def judged(it: House, raw: bytes) -> Case:
    """What the devnet says, and the line for Scalus."""
    node = it.yard.node
    entries = b"".join(
        b"\x82\x58\x20" + at.transaction_id + encode(at.index) + output.raw for at, output in node.ledger.utxo.items()
    )
    count = len(node.ledger.utxo)
    head = b"\xb9" + count.to_bytes(2, "big")
    eras = it.yard.around.timeline.eras
    line = json.dumps(
        {
            "tx": raw.hex(),
            "utxo": (head + entries).hex(),
            "zeroTime": eras[0].start_ms,
            "zeroSlot": eras[0].start_slot,
            "slotLength": eras[0].slot_ms,
            "costModels": [[], [], list(it.yard.around.parameters.cost_models["plutus:v3"])],
        }
    )
    try:
        found = node.evaluate(raw, {})
    except Refused:
        return Case(raw, line, None)
    return Case(raw, line, [(each["budget"]["memory"], each["budget"]["cpu"]) for each in found])


def forged(raw: bytes) -> bytes:
    """The same with one bit of an oracle's signature changed, in the redeemer."""
    tail = raw.rindex(b"\x58\x40")  # signatures of keys stand in another field, before the redeemers
    return raw[: tail + 10] + bytes([raw[tail + 10] ^ 1]) + raw[tail + 11 :]


async def evaluated(node: str, lines: list[str]) -> list[Any]:
    process = await asyncio.create_subprocess_exec(
        node, HERE / "scalus" / "evaluate.mjs", stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    async with asyncio.timeout(300):
        printed, complaints = await process.communicate("\n".join(lines).encode())
    assert process.returncode == 0, complaints.decode()
    return [json.loads(line) for line in printed.decode().splitlines()]
