"""`python -m tests.soak [--minutes N] [--seed N]`: soak a daemon, say what it took, and whether that is flat."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.soak.run import soak


def main() -> int:
    """An exit code: whether anything grew."""
    arguments = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    arguments.add_argument("--minutes", type=float, default=30.0)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        done = soak(Path(folder), given.minutes, given.seed, lambda line: print(line, flush=True))
    print(done.told())
    print("\n".join(done.grown) or "all of it is flat")
    return min(len(done.grown), 1)


if __name__ == "__main__":
    sys.exit(main())
