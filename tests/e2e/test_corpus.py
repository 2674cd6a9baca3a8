"""Real blocks in, rows out: equal to an independent count made with nothing but the standard library."""

import json
from pathlib import Path

import pytest

from indexer.chain.address import CredentialKind
from indexer.chain.network import KNOWN
from indexer.chain.watch import Watch, parse_watch
from indexer.devnet.chain import Chain
from indexer.devnet.recording import link, read_recordings
from indexer.devnet.replay import ReplayServer
from tests import independent
from tests.support.following import assets, follow, outputs, select

ROOT = Path(__file__).parents[2]
PLACES = (ROOT / "tests" / "data", ROOT / "indexer" / "samples", ROOT.parent / "shared" / "corpus")
ENTRIES = json.loads((ROOT / "tests" / "data" / "credentials.json").read_text())
SHIPPED = {"preview-conway-100-contiguous.v7": "preview-conway-100.v7"}


def find(corpus: str) -> Path | None:
    """Where a corpus lies; the largest is not shipped."""
    names = (f"{corpus}.jsonl.gz", f"{SHIPPED.get(corpus)}.jsonl.gz")
    return next((place / name for place in PLACES for name in names if (place / name).exists()), None)


CORPORA = {name: path for name in sorted({e["corpus"] for e in ENTRIES}) if (path := find(name)) is not None}


def watch(entry: dict[str, str | None]) -> Watch:
    credential, kind = entry["credential"], entry["kind"]
    assert credential is not None
    return parse_watch(credential, None if kind is None else CredentialKind(kind))


def served(path: Path) -> list[bytes]:
    """The recording as the chain that is served: single blocks are linked, and so change slot and height."""
    return [
        b'{"jsonrpc":"2.0","method":"nextBlock","result":{"direction":"forward","block":' + block.text + b',"tip":{}}}'
        for block in link(read_recordings([path]))
    ]


@pytest.mark.parametrize("corpus", CORPORA)
async def test_rows_equal_an_independent_count_of_the_same_blocks(corpus: str, tmp_path: Path) -> None:
    """Rows created and spent, datums, assets and balances, all watches of a corpus in one run."""
    path, database = CORPORA[corpus], tmp_path / "db.sqlite"
    entries = [entry for entry in ENTRIES if entry["corpus"] == corpus]
    network = corpus.partition("-")[0]
    async with ReplayServer(Chain(link(read_recordings([path]))), network) as server:
        await follow(database, server.port, map(watch, entries), network=KNOWN[network])

    expected = independent.count(served(path), [(e["credential"], e["kind"]) for e in entries])
    found = outputs(database)
    assert expected.outputs == found
    assert expected.assets == assets(database)
    lovelace = select(database, "SELECT total(lovelace) AS sum FROM outputs WHERE spent_slot IS NULL")[0]["sum"]
    assert expected.balance()["lovelace"] == int(lovelace)
    last = [(slot, block_id, height) for slot, block_id, height in expected.blocks if slot is not None][-1]
    where = select(database, "SELECT slot, block_id, height FROM sync_status")[0]
    assert last == (where["slot"], where["block_id"], where["height"])


@pytest.mark.parametrize("corpus", CORPORA)
async def test_one_watch_alone_finds_what_was_counted_for_it(corpus: str, tmp_path: Path) -> None:
    """The pinned figures of each credential by itself, which takes the narrowest way through the sieve."""
    network = corpus.partition("-")[0]
    async with ReplayServer(Chain(link(read_recordings([CORPORA[corpus]]))), network) as server:
        for number, entry in enumerate(entry for entry in ENTRIES if entry["corpus"] == corpus):
            database = tmp_path / f"{number}.sqlite"
            await follow(database, server.port, [watch(entry)], network=KNOWN[network])
            figures = """SELECT count(*) AS outputs, count(spent_slot) AS spent, count(datum) AS datums,
                coalesce(sum(lovelace) FILTER (WHERE spent_slot IS NULL), 0) AS lovelace_unspent FROM outputs"""
            assert entry["expected"] == select(database, figures)[0], entry["credential"]
