"""The daemon killed by the system in the middle of a release: the next one completes it, once.

`test_crashes` dies at every point inside one process; here the process is gone, with its locks, files and sockets.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.following import select
from tests.support.process import log_line, start, until
from tests.support.town import ADA, TOKEN, Somebody, Town, town

FUNDER, KEEPER, ORACLE = Somebody("funder"), Somebody("keeper"), Somebody("oracle 0")
# Commits of the keeper's connection, from the first that has a release in it on.
BEFORE = {"it is intended": 1, "it is written down": 2, "it is handed over": 3, "the node's word is": 4}
_MORTAL = """
import os, signal, sqlite3, sys
connect = sqlite3.connect
def watched(*given, **named):
    db, left = connect(*given, **named), [{number}]
    begun = []
    def heard(sql):
        if "INSERT INTO release (" in sql:
            begun.append(sql)
        if begun and sql == "COMMIT":
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    db.set_trace_callback(heard)
    return db
sqlite3.connect = watched
from indexer.cli.main import main
sys.argv = ["indexer", "--config", {config!r}, "run"]
main()
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A devnet with the contract, and a keeper."""
    with town(tmp_path_factory.mktemp("town")) as found:
        found.fund(FUNDER, 500 * ADA, 100 * ADA, 50 * ADA)
        found.mint(FUNDER, 1_000_000)
        found.fund(KEEPER, 40 * ADA, 10 * ADA)
        found.configure(found.do("deploy", "--signing-key", found.key(FUNDER), "--yes")["reference"])
        with found.config.open("a") as file:
            file.write(f'[keeper]\nenabled = true\nsigning_key = "{found.key(KEEPER)}"\n')
            file.write('[logging]\nformat = "json"\n')
        yield found


@pytest.mark.parametrize("before", BEFORE)
def test_a_daemon_that_is_killed_has_its_release_completed_by_the_next(here: Town, before: str) -> None:
    somebody = Somebody(f"killed before {before}")
    distribution = created(here, somebody)
    code = _MORTAL.format(number=BEFORE[before], config=str(here.config))
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    written = transactions(here, distribution)
    assert len(written) == int(BEFORE[before] > 2)
    process = start(here.config, "run")
    try:
        log_line(process, "chain.following")
        until(lambda: landed(here, distribution), 60)
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert len(transactions(here, distribution)) == 1
    assert written in ([], transactions(here, distribution))
    assert held(here, somebody) == 1_000


def created(here: Town, somebody: Somebody) -> str:
    """One beneficiary, one oracle that signs at once."""
    schedule = {
        "funder": FUNDER.hash.hex(),
        "token": {"policy_id": TOKEN.policy.hex(), "asset_name": TOKEN.name.hex()},
        "oracles": [ORACLE.public.hex()],
        "quorum_threshold": 1,
        "lovelace_per_payout": 1_500_000,
        "keeper_fee_per_payout": 500_000,
        "expires_at": None,
        "allocations": [
            {
                "beneficiary": somebody.text,
                "amount": 1_000,
                "milestone_id": "m1",
                "vesting_at": "1970-01-01T00:00:00Z",
            }
        ],
    }
    path = here.write("schedule.json", schedule)
    found = here.do("register-milestone", path, "--submit", "--again", "--signing-key", here.key(FUNDER), "--yes")
    distribution = str(found["distribution_id"])
    here.follow()
    words = here.folder / f"{distribution}.json"
    here.do("attest", distribution, "m1", "--key", here.key(ORACLE), "--out", str(words))
    here.do("commit-milestone", str(words))
    return distribution


def transactions(here: Town, distribution: str) -> list[str]:
    sql = """SELECT t.transaction_id FROM release_transaction t JOIN release r ON r.release_id = t.release_id
        WHERE r.distribution_id = ?"""
    return [row["transaction_id"] for row in select(here.folder / "db.sqlite", sql, distribution)]


def landed(here: Town, distribution: str) -> bool:
    sql = "SELECT 1 FROM releases WHERE distribution_id = ? AND in_block_slot IS NOT NULL"
    return bool(select(here.folder / "db.sqlite", sql, distribution))


def held(here: Town, somebody: Somebody) -> int:
    return sum(coin["value"].get(TOKEN.policy.hex(), {}).get(TOKEN.name.hex(), 0) for coin in here.coins(somebody))
