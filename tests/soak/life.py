"""What happens around the daemon: small promises, signatures, hours that pass, forks, and lines that are cut."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from tests.support.following import select
from tests.support.process import until
from tests.support.town import ADA, TOKEN, Somebody, Town

FUNDER, KEEPER, STRANGER = Somebody("funder"), Somebody("keeper"), Somebody("stranger")
ORACLES: Final = (Somebody("oracle 0"), Somebody("oracle 1"))
SLOT_S: Final = 0.2
HOURS: Final = 6
AMOUNT: Final = 10
DEPTH: Final = 8
CAUGHT_UP: Final = "SELECT block_id FROM sync_status"


class Life:
    """One act after the other; after each, the daemon has read what there is."""

    def __init__(self, here: Town, random: Random) -> None:
        self._here, self._random = here, random
        self._database: Path = here.folder / "db.sqlite"
        self._unsigned: list[str] = []
        self.made = 0
        self.done = Counter[str]()
        self._later = timedelta()

    def act(self) -> None:
        """Something."""
        acts = {"promise": 3, "sign": 5, "fork": 3, "blocks": 3, "hours": 2, "dust": 1, "disconnect": 1, "stall": 1}
        (name,) = self._random.choices(list(acts), list(acts.values()))
        getattr(self, f"_{name}")()
        self.done[name] += 1
        self.catches_up()

    def catches_up(self) -> None:
        """The daemon has read the newest block."""
        until(
            lambda: [each["block_id"] for each in select(self._database, CAUGHT_UP)] == [self._here.state["tip"]["id"]]
        )

    def pay_one(self) -> None:
        """A promise from beginning to end: whoever is new has then done all that it ever does."""
        before = self.paid
        self._promise(timedelta(days=-1))
        until(self._grown)
        while self._sign():
            until(self._grown)
        until(lambda: self._grown() and self.paid > before)

    def settle(self) -> None:
        """All that was promised, and not lost to a fork that came hours later, is signed and vested, and paid."""
        until(self._grown)
        while self._sign():
            until(self._grown)
        self._hours_pass(2 * HOURS)
        until(lambda: self._grown() and self.paid == self.known)

    @property
    def paid(self) -> int:
        """Distributions that are paid in full."""
        return self._count("WHERE state = 'completed'")

    @property
    def known(self) -> int:
        """Distributions that there are."""
        return self._count("")

    def _count(self, which: str) -> int:
        (row,) = select(self._database, f"SELECT count(*) AS count FROM distributions {which}")
        return int(row["count"])

    @property
    def days(self) -> float:
        """How many have passed, beside those of the wall clock."""
        return self._later / timedelta(days=1)

    def _grown(self) -> bool:
        """One block more, which the daemon has read; whether nothing waits for the next."""
        self._here.control("blocks", count=1)
        self.catches_up()
        return not self._here.state["mempool"]

    # --- acts

    def _promise(self, later: timedelta | None = None) -> None:
        """For one beneficiary; of two oracles one is enough, or both are needed. Half of them vest later."""
        if later is None:
            later = self._random.choice((-1, 1)) * timedelta(hours=HOURS / 2)
        vesting = datetime.now(UTC) + self._later + later
        schedule = {
            "funder": FUNDER.hash.hex(),
            "token": {"policy_id": TOKEN.policy.hex(), "asset_name": TOKEN.name.hex()},
            "oracles": [each.public.hex() for each in ORACLES],
            "quorum_threshold": self._random.choice((1, 2)),
            "lovelace_per_payout": 1_500_000,
            "keeper_fee_per_payout": 500_000,
            "expires_at": None,
            "allocations": [
                {
                    "beneficiary": Somebody(f"beneficiary {self.made}").text,
                    "amount": AMOUNT,
                    "milestone_id": "m1",
                    "vesting_at": vesting.strftime("%Y-%m-%dT%H:%M:%SZ"),
                }
            ],
        }
        path = self._here.write("schedule.json", schedule)
        key = self._here.key(FUNDER)
        found = self._here.do("register-milestone", path, "--submit", "--again", "--signing-key", key, "--yes")
        self.made += 1
        self._unsigned.append(str(found["distribution_id"]))

    def _sign(self) -> bool:
        """Both oracles, in a file, the oldest that is in a block; whether there was one."""
        known = {row["distribution_id"] for row in select(self._database, "SELECT distribution_id FROM distributions")}
        ready = [each for each in self._unsigned if each in known]
        if not ready:
            return False
        self._unsigned.remove(ready[0])
        for oracle in ORACLES:
            words = self._here.folder / "words.json"
            self._here.do("attest", ready[0], "m1", "--key", self._here.key(oracle), "--out", str(words))
            self._here.do("commit-milestone", str(words))
            words.unlink()
        return True

    def _fork(self) -> None:
        """What was in its blocks waits again; the new branch is longer."""
        depth = self._random.randint(1, DEPTH)
        self._here.control("fork", depth=depth, blocks=depth + 1)
        self._here.control("blocks", count=1)

    def _blocks(self) -> None:
        self._here.control("blocks", count=self._random.randint(1, 20))

    def _hours_pass(self, hours: int) -> None:
        self._here.control("time", slots=int(hours * 3600 / SLOT_S))
        self._later += timedelta(hours=hours)

    def _hours(self) -> None:
        self._hours_pass(HOURS)

    def _dust(self) -> None:
        self._here.control("faucet", address=KEEPER.text, lovelace=ADA)

    def _disconnect(self) -> None:
        self._here.control("disconnect")

    def _stall(self) -> None:
        self._here.control("stall", seconds=self._random.choice((0.5, 2.0)))


def furnish(here: Town, url: str) -> None:
    """The script published, wallets filled, a keeper and a sink configured."""
    here.fund(FUNDER, *[20_000 * ADA] * 5, 100 * ADA, 50 * ADA)
    here.mint(FUNDER, 1_000_000)
    here.fund(KEEPER, *[40 * ADA] * 4, 10 * ADA)
    here.configure(here.do("deploy", "--signing-key", here.key(FUNDER), "--yes")["reference"])
    here.control("blocks", count=DEPTH)  # no fork takes these away
    secret = here.folder / "diary.secret"
    secret.touch(mode=0o600)
    secret.write_text("whsec_c29hay1zb2FrLXNvYWstc29hay1zb2FrLXNvYWs=\n")
    with here.config.open("a") as file:
        file.write(
            f'[kupo]\nurl = "{here.facts["kupo"]}"\n'
            f'[keeper]\nenabled = true\nsigning_key = "{here.key(KEEPER)}"\n'
            f'[logging]\nformat = "json"\n'
            f'[[sink]]\nname = "diary"\nkind = "webhook"\nurl = "{url}"\nsecret_files = ["{secret.name}"]\n'
            f'allow_private = true\ndistributions = "all"\nsince = 0\n'
        )


def believed(here: Town) -> set[str]:
    """The events that hold, as the database says."""
    sql = "SELECT event_id FROM events WHERE finality <> 'retracted' AND type <> 'attestation.rejected'"
    return {row["event_id"] for row in select(here.folder / "db.sqlite", sql)}


def written(path: Path) -> str:
    """Distributions, allocations and outputs, in one text that can be compared."""
    return json.dumps(
        [select(path, f"SELECT * FROM {view} ORDER BY 1, 2") for view in ("distributions", "allocations", "outputs")]
    )
