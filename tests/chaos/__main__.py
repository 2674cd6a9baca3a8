"""`python -m tests.chaos [--seed N] [--count M] [--jobs J] [--trace]`: live through seeds, and say which failed."""

import argparse
import asyncio
import logging
import os
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor

import structlog

from tests.chaos.seed import Failed, live


def try_seed(seed: int) -> tuple[int, str | None, list[str]]:
    """The seed, what failed, and the trace."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        return seed, None, asyncio.run(live(seed))
    except Failed as failed:
        cause = failed.__cause__
        return seed, "".join(traceback.format_exception(cause)), failed.trace


def main() -> int:
    """How many failed, as an exit code."""
    arguments = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    arguments.add_argument("--seed", type=int, default=1, help="the first")
    arguments.add_argument("--count", type=int, default=100, help="how many")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments.add_argument("--trace", action="store_true", help="say what happened, also where all is well")
    given = arguments.parse_args()
    seeds, began, failed = range(given.seed, given.seed + given.count), time.monotonic(), 0
    with ProcessPoolExecutor(given.jobs) as pool:
        for seed, error, trace in pool.map(try_seed, seeds):
            if error is not None or given.trace:
                print(f"seed {seed}:", *trace, sep="\n  ")
            if error is not None:
                failed += 1
                print(error, flush=True)
    print(f"{len(seeds) - failed} of {len(seeds)} seeds hold ({time.monotonic() - began:.1f} s)")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
