"""`python -m tests.delivery [--seed N] [--count M] [--jobs J]`: live through seeds, and say which failed."""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import structlog

from tests.delivery.world import Failed, live


def try_seed(seed: int) -> tuple[str | None, int, int]:
    """What failed; how often the deliverer was killed, and how many messages were received."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as folder:
        try:
            world = asyncio.run(live(seed, Path(folder)))
        except Failed as failed:
            told = "\n  ".join([f"seed {seed}:", *failed.trace])
            return f"{told}\n{''.join(traceback.format_exception(failed.__cause__))}", 0, 0
    return None, world.kills, sum(len(each.got) for each in world.receivers)


def main() -> int:
    """An exit code: whether any failed."""
    arguments = argparse.ArgumentParser(prog="python -m tests.delivery", description=__doc__)
    arguments.add_argument("--seed", type=int, default=1, help="the first")
    arguments.add_argument("--count", type=int, default=500, help="how many")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = arguments.parse_args()
    began, failed, kills, received = time.monotonic(), 0, 0, 0
    with ProcessPoolExecutor(given.jobs) as pool:
        for error, killed, messages in pool.map(try_seed, range(given.seed, given.seed + given.count), chunksize=4):
            kills, received = kills + killed, received + messages
            if error is not None:
                failed += 1
                print(error, flush=True)
    took = time.monotonic() - began
    print(f"{given.count - failed} of {given.count} seeds hold: {kills} kills, {received} messages ({took:.1f} s)")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
