"""Size and depth: a huge block, a hundred thousand blocks, the deepest fork."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from indexer.chain.watch import parse_watch
from indexer.devnet.chain import Chain
from indexer.devnet.recording import link, read_recordings
from indexer.devnet.replay import ReplayServer
from tests.support.blocks import address, block, compact, output, tx
from tests.support.following import daemon, follow, outputs, select, until
from tests.support.ogmios import FakeOgmios
from tests.support.process import INDEXER, ROOT, configure, start
from tests.support.process import until as until_process

SAMPLE = ROOT / "indexer" / "samples" / "preview-conway-100.v7.jsonl.gz"
BUSY = "2796202ce9fbb2519a942475beba6c12dc26332c16ee4c409c76d20f"
MIB = 2**20


async def test_a_block_message_of_20_megabytes_that_concerns_us_is_read(tmp_path: Path) -> None:
    """Far beyond what the ledger allows today: outputs of others, and one of ours at the end."""
    ours, theirs = address(b"u" * 28, "key"), address(b"t" * 28, "key")
    many = [output(theirs, datum="40" * 3_000) for _ in range(3_300)]
    made = block([tx(outputs=many, salt=1), tx(outputs=[output(ours, 7)], salt=2)], slot=9, height=0)
    assert len(compact(made)) > 20_000_000
    async with FakeOgmios([made]) as ogmios:
        await follow(tmp_path / "db", ogmios.port, [parse_watch((b"u" * 28).hex())])
    assert [row["lovelace"] for row in outputs(tmp_path / "db").values()] == [7]


async def test_the_deepest_fork_is_rolled_back_within_a_second(tmp_path: Path) -> None:
    """2,160 blocks with rows in them, from the node's word to committed rows."""
    path = tmp_path / "db"
    chain = Chain(link(read_recordings([SAMPLE]), 30))
    async with (
        ReplayServer(chain, "preview", security_parameter=2_160) as server,
        daemon(path, server.port, [parse_watch(BUSY)]) as follower,
    ):
        tip = chain[len(chain) - 1].height
        await until(lambda: follower.status.height == tip, 60)
        before = len(outputs(path))
        assert before == 30 * 25
        begun = time.perf_counter()
        chain.roll_back(len(chain) - 2_160)
        await until(lambda: follower.status.height == tip - 2_160)
        seconds = time.perf_counter() - begun
    assert len(outputs(path)) < before // 2
    assert follower.status.blocks_rolled_back == 2_160
    assert seconds < 1.0


def test_memory_is_flat_over_a_hundred_thousand_blocks(tmp_path: Path) -> None:
    """Under 150 MiB for the whole process, and no more at the end than after a fifth of the way."""
    server = subprocess.Popen(
        [*INDEXER, "devnet", "--replay", str(SAMPLE), "--repeat", "1000", "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    port = int(json.loads(server.stdout.readline())["url"].rpartition(":")[2])
    process = start(configure(tmp_path, port, [("00" * 28, None)]), "run")
    try:
        height, first, peak = _height(tmp_path / "db.sqlite"), 3_319_101, _memory(process.pid, "VmHWM")
        until_process(lambda: height() > first + 20_000, 120)
        early = peak()
        until_process(lambda: height() == first + 99_999, 240)
        assert peak() < 150 * MIB
        assert peak() < early + 8 * MIB
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
        server.terminate()
        server.communicate()
    assert process.returncode == 0


def _height(database: Path) -> Callable[[], int]:
    def height() -> int:
        if not database.exists() or not select(database, "SELECT 1 FROM sqlite_master WHERE name = 'sync_status'"):
            return 0
        return int((select(database, "SELECT height FROM sync_status") or [{}])[0].get("height") or 0)

    return height


def _memory(pid: int, name: str) -> Callable[[], int]:
    def memory() -> int:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {name} for process {pid}")

    return memory
