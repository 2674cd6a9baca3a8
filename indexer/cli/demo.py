"""The demo: a sample of real preview blocks, served and followed in this process."""

import time
from collections.abc import Callable
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path

from indexer import log
from indexer.chain.network import KNOWN
from indexer.chain.watch import parse_watch
from indexer.cli.find import now_ms
from indexer.cli.outputs import Output, WatchStatus, status_of
from indexer.cli.told import ada, table
from indexer.devnet.chain import Chain
from indexer.devnet.recording import link, read_recordings
from indexer.devnet.replay import ReplayServer
from indexer.edge import ogmios
from indexer.edge.files import only_writer
from indexer.store.db import opened
from indexer.workers.follow import Follower

SAMPLE = "preview-conway-100.v7.jsonl.gz"
WATCHED = (  # credentials that are busy in the sample, and two that are not
    "2796202ce9fbb2519a942475beba6c12dc26332c16ee4c409c76d20f",
    "38d9a0c1e6d3fe6917ad2ee8aed9e0b208b36860d544e89a7afd378e",
    "f97ccf4fe384174e63f2250a3c4a61f851112ed0b93caeb6aa84308e",
    "c1d77f90cf897e1dfc20b54d86e99a22525492cda0484dbb27482e09",
    "e87da642368c7cbbd918b556fc75e3bd7e064c00e74c87830457968d",
)


class Sample(Output):
    """An output to show: its lovelace, assets and whether it is spent."""

    output: str
    kind: str
    lovelace: int
    assets: int
    datum_bytes: int | None
    spent: bool


class Demo(Output):
    """What the demo found."""

    database: str
    blocks: int
    seconds: float
    first_block_time: str
    last_block_time: str
    watches: tuple[WatchStatus, ...]
    newest: tuple[Sample, ...]

    def told(self) -> str:
        """In words."""
        watches = [
            (f"{w.credential[:16]}…", w.kind, w.outputs, w.outputs - w.unspent, ada(w.lovelace_unspent))
            for w in self.watches
        ]
        newest = [
            (
                f"{o.output[:16]}…#{o.output.partition('#')[2]}",
                o.kind,
                ada(o.lovelace),
                o.assets or "",
                "" if o.datum_bytes is None else f"{o.datum_bytes} bytes",
                "spent" if o.spent else "",
            )
            for o in self.newest
        ]
        span = f"from {self.first_block_time} to {self.last_block_time}"
        return "\n".join(
            (
                "",
                f"{self.blocks} real blocks, {span}, in {self.seconds:.2f} s.",
                "What the watched credentials received and spent:",
                "",
                table(("watch", "kind", "outputs", "spent", "ada unspent"), watches, right=frozenset((2, 3, 4))),
                "",
                "The newest outputs:",
                "",
                table(("output", "kind", "ada", "assets", "datum", ""), newest, right=frozenset((2, 3))),
                "",
                f"The database: {self.database}",
                "Ask it anything, for a start:",
                f"  sqlite3 -readonly {self.database} 'SELECT * FROM outputs LIMIT 3'",  # noqa: S608 -- words
            )
        )


async def play(directory: Path, say: Callable[[str], None]) -> Demo:
    """Serve the sample, follow it, and read the database back."""
    log.set_up("warning", "console")
    path = directory / "indexer.sqlite"
    with as_file(files("indexer") / "samples" / SAMPLE) as sample:
        chain = Chain(link(read_recordings([sample])))
    say(f"serving {len(chain)} recorded blocks of the preview network as Ogmios would")
    with only_writer(path):
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        async with ReplayServer(chain, "preview") as server, opened(path) as db:
            url = f"ws://127.0.0.1:{server.port}"
            say(f"following {url} into {path}")
            begun = time.perf_counter()
            follower = Follower(
                db,
                partial(ogmios.session, url, {}, 10.0),
                KNOWN["preview"],
                [parse_watch(credential) for credential in WATCHED],
                until="tip",
            )
            await follower.run()
            seconds = time.perf_counter() - begun
            say(f"caught up with the tip at height {follower.status.height:,}")
            status = await status_of(db, now_ms())
            times = list(await db.execute_fetchall("SELECT min(time), max(time) FROM blocks"))
            newest = await db.execute_fetchall(
                """SELECT transaction_id || '#' || output_index, credential_kind, lovelace,
                    (SELECT count(*) FROM json_each(assets)), length(datum) / 2, spent_slot IS NOT NULL
                FROM outputs ORDER BY created_slot DESC, transaction_id, output_index LIMIT 8"""
            )
    return Demo(
        database=str(path),
        blocks=follower.status.blocks,
        seconds=seconds,
        first_block_time=times[0][0],
        last_block_time=times[0][1],
        watches=status.watches,
        newest=tuple(
            Sample(output=o, kind=k, lovelace=lovelace, assets=assets, datum_bytes=datum, spent=bool(spent))
            for o, k, lovelace, assets, datum, spent in newest
        ),
    )
