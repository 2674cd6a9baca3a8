"""The imitated Ogmios as a process of its own, so that a client can be killed and started again beside it.

`python -m tests.support.ogmios --spec FILE.json --port-file F` writes its port to F when it listens, and ends at
SIGTERM. A test that holds the same specification knows what chain a client must end with: `Plan.of(spec).final`.
"""

import argparse
import asyncio
import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Self

from tests.support.chains import WATCHES, Cast, Ledger, Recipe, Watch, make_block, make_chain, make_fork
from tests.support.faults import Fault, Fork
from tests.support.making import Block
from tests.support.ogmios import FakeOgmios


@dataclass(frozen=True)
class Plan:
    """A chain, what will happen to it, and what will be left of it.

    As a node prefers the longer chain, every fork ends higher than what it replaces, and in a later slot.
    """

    watches: tuple[Watch, ...]
    chain: list[Block]
    forks: list[Fork]
    final: list[Block]

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Self:
        """`seed`, `length`, `forks` (a list of [height, depth], or how many), `watched` ([text, kind]), `recipe`."""
        random = Random(spec.get("seed", 0))
        watches: tuple[Watch, ...] = tuple((text, kind) for text, kind in spec.get("watched", WATCHES))
        asked = dict(spec.get("recipe", {}))
        if "eras" in asked:
            asked["eras"] = tuple(asked["eras"])
        recipe = Recipe(cast=Cast.of(watches), **asked)
        length, wanted = spec.get("length", 200), spec.get("forks", 0)
        if isinstance(wanted, int):
            heights = sorted(random.sample(range(length // 10, length * 8 // 10), wanted))
            wanted = [(height, random.randint(1, min(height, spec.get("k", 432), 30))) for height in heights]
        chain = make_chain(random, length, recipe)
        final, forks = chain, []
        for height, depth in wanted:
            keep, seen = _count(final, height - depth), _count(final, height)
            blocks = make_fork(random, final[:seen], seen - keep, len(final) - keep + 1, recipe)
            ledger = Ledger.of(final[:keep] + blocks, recipe)
            while ledger.height <= final[-1]["height"] or ledger.slot <= max(
                made.get("slot", 0) for made in final[-2:]
            ):
                blocks.append(make_block(random, ledger))
                ledger.apply(blocks[-1])
            forks.append(Fork(height, depth, blocks))
            final = final[:keep] + blocks
        return cls(watches, chain, forks, final)


def server(spec: Mapping[str, Any]) -> FakeOgmios:
    """The server a specification asks for: a plan, and `faults`, `pace`, `hidden`, `grow_every`, `styles`, `port`."""
    plan = Plan.of(spec)
    return FakeOgmios(
        plan.chain,
        forks=plan.forks,
        faults=[Fault(**fault) for fault in spec.get("faults", ())],
        magic=spec.get("magic", 2),
        security_parameter=spec.get("k", 432),
        start_time=spec.get("start_time", "2022-10-25T00:00:00Z"),
        hidden=spec.get("hidden", 0),
        grow_s=spec.get("grow_every", 0.0),
        pace_s=spec.get("pace", 0.0),
        styles=spec.get("styles", (None,)),
        port=spec.get("port", 0),
    )


def _count(chain: list[Block], height: int) -> int:
    """How many blocks of a chain are at most so high."""
    count = len(chain)
    while count and chain[count - 1]["height"] > height:
        count -= 1
    return count


async def _run(spec: Mapping[str, Any], port_file: Path) -> None:
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    async with server(spec) as ogmios:
        draft = port_file.with_suffix(".draft")
        draft.write_text(f"{ogmios.port}\n")
        draft.replace(port_file)
        await over.wait()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", type=Path, required=True)
    parser.add_argument("--port-file", type=Path, required=True)
    said = parser.parse_args()
    asyncio.run(_run(json.loads(said.spec.read_text()), said.port_file))
