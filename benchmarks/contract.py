"""`python -m benchmarks.contract`: what the contract costs at mainnet's parameters, and how large it can get.

Whole transactions of the contract's tests, with signatures, stake parts, collateral and change, run by the native
evaluator; nothing here depends on the machine. `--write` puts the tables into contracts/README.md.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from tests.contract.case import Case
from tests.contract.evaluate import OutOfBudget, evaluate
from tests.contract.healthy import create, reclaim, release, sample
from tests.contract.parameters import PARAMETERS
from tests.contract.phase1 import Price, priced
from tests.contract.script import CONTRACT
from tests.contract.terms import ADA, TOKEN, Terms

README: Final = Path(__file__).parents[1] / "contracts" / "README.md"
BEGIN, END = "<!-- costs: written by make bench-contract -->\n", "<!-- end of costs -->\n"
QUORUMS: Final = ((2, 3), (10, 15))
TOKENS: Final = (("native", TOKEN), ("ada", ADA))
SHAPES: Final[dict[str, Callable[[Terms, int], Case]]] = {
    "Create of {} allocations": lambda terms, _: create(terms),
    "Release of all of {} at once": lambda terms, _: release(terms),
    "Release of one of {}": lambda terms, count: release(terms, indices=[count - 1]),
}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contract", description="Sizes and costs.")
    parser.add_argument("--write", action="store_true", help="put the tables into contracts/README.md")
    options = parser.parse_args()
    text = "\n".join([*costs(), "", *limits(), ""])
    print(text)
    if options.write:
        page = README.read_text(encoding="utf-8")
        before, _, rest = page.partition(BEGIN)
        _, _, after = rest.partition(END)
        README.write_text(before + BEGIN + text + END + after, encoding="utf-8")


def costs() -> Iterator[str]:
    """A row for each of some everyday transactions."""
    yield f"The script has {len(CONTRACT):,} bytes."
    yield ""
    yield "| transaction | token | quorum | bytes | memory | steps | fee in ada |"
    yield "| --- | --- | --- | ---: | ---: | ---: | ---: |"
    for name, token in TOKENS:
        yield row("Create, 10 allocations", name, "2 of 3", create(sample(10, token=token)))
    for threshold, oracles in QUORUMS:
        for name, token in TOKENS:
            for count in (1, 5, 20, 50):
                terms = sample(count, oracles=oracles, threshold=threshold, token=token)
                yield row(f"Release of {count}", name, f"{threshold} of {oracles}", release(terms))


def limits() -> Iterator[str]:
    """How far it goes before the ledger says no."""
    yield "| the largest that fits | token | quorum | bytes | memory | steps | fee in ada |"
    yield "| --- | --- | --- | ---: | ---: | ---: | ---: |"
    for threshold, oracles in QUORUMS:
        quorum = f"{threshold} of {oracles}"
        for name, token in TOKENS:
            terms = partial(sample, oracles=oracles, threshold=threshold, token=token)
            for what, build in SHAPES.items():
                yield largest(what, name, quorum, partial(_built, build, terms))
    yield largest("Reclaim of a stray of {} allocations", "native", "2 of 3", lambda n: reclaim(sample(n), stray=True))


def row(what: str, token: str, quorum: str, case: Case) -> str:
    """Measure one."""
    return _row(what, token, quorum, priced(case))


def largest(what: str, token: str, quorum: str, build: Callable[[int], Case]) -> str:
    """The last that the ledger takes, by bisection: a larger one is dearer in everything."""
    print(what.format("…"), token, quorum, file=sys.stderr)
    fits, too_many = 1, 512
    while too_many - fits > 1:
        count = (fits + too_many) // 2
        fits, too_many = (count, too_many) if is_accepted(build(count)) else (fits, count)
    return _row(what.format(fits), token, quorum, priced(build(fits)))


def _built(build: Callable[[Terms, int], Case], terms: Callable[[int], Terms], count: int) -> Case:
    return build(terms(count), count)


def is_accepted(case: Case) -> bool:
    """Within the ledger's limits of size and units."""
    if isinstance(evaluate(case), OutOfBudget):
        return False
    return priced(case).size <= PARAMETERS.max_size


def _row(what: str, token: str, quorum: str, price: Price) -> str:
    memory, steps = price.units.memory / 1e6, price.units.steps / 1e9
    return f"| {what} | {token} | {quorum} | {price.size:,} | {memory:.3f} M | {steps:.3f} G | {price.fee / 1e6:.3f} |"


if __name__ == "__main__":
    main()
