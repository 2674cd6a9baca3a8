"""`python -m benchmarks`: a table on stdout, progress on stderr, everything in a JSON file."""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import contenders, process, recording, report, rounds

CYCLES = 240  # times the recording of 105 blocks: 25,200 blocks, over 2 GB
HERE = Path(__file__).parent


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Catch-up beside other clients.")
    parser.add_argument("--rounds", type=int, default=5, help="paired rounds (default 5)")
    parser.add_argument("--quick", action="store_true", help="one round of a tenth of the blocks, no look at memory")
    parser.add_argument("--json", type=Path, help="where the results go (default benchmarks/results.json; quick: none)")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")

    begun = time.perf_counter()
    cycles, times = (CYCLES // 10, 1) if options.quick else (CYCLES, options.rounds)
    where = report.machine()
    with tempfile.TemporaryDirectory() as directory:
        made = recording.make(Path(directory))
        clients = [*contenders.others(cycles, say), *contenders.ours(cycles)]
        played = rounds.play(made, clients, times, say)
        start = process.start_seconds()
        memory = None
        if not options.quick:
            say(f"following {process.LONG:,} blocks, for its memory")
            memory = process.memory(made)
    found = report.as_json(where, made, clients, played, start, memory)
    print(report.as_text(found))
    path = options.json or (None if options.quick else HERE / "results.json")
    if path is not None:
        path.write_text(json.dumps(found, indent=1) + "\n")
        say(f"wrote {path}")
    say(f"took {time.perf_counter() - begun:.0f} s")


def say(text: str) -> None:
    """Progress."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
