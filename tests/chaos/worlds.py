"""What worlds differ in: what keepers hold and may lose, strangers who live on them, and whoever has their database."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

from indexer.workers.premises import Rules
from tests.chaos import people
from tests.chaos.people import Filled
from tests.support.promises import Plan

ADA: Final = 1_000_000
AMPLE: Final = 1_000_000_000  # lovelace that may be lost in a day, where it is not to matter
WALLETS: Final = (
    Filled((200 * ADA,)),
    Filled((1_000 * ADA, 10 * ADA)),
    Filled((15 * ADA,) * 9),
    Filled((60 * ADA, 7 * ADA), dust=12),
    Filled((100 * ADA, 6 * ADA), tokens=3),
    Filled((3 * ADA,), dust=3),  # too poor for anything
    Filled((), dust=4, tokens=4),
)
# In a day: as much as it takes; a few releases; hardly one; none.
LIMITS: Final = (AMPLE, AMPLE, AMPLE, 2 * ADA, 2 * ADA, 500_000, 0)


def some_rules(random: Random, plans: Sequence[Plan], confirmed_depth: int) -> Rules:
    """What an operator allows: whose costs are borne, and how far."""
    sponsors = random.choice(
        (
            [],
            [],
            [],
            [people.FUNDER.hex()],
            ["all"],
            ["all"],
            [people.STRANGER.hex()],
            [random.choice(plans).id.hex()],
        )
    )
    return Rules(
        enabled=True,
        reserve=5 * ADA,
        max_loss_per_day=random.choice(LIMITS),
        sponsors=frozenset(sponsors),
        ready_within_s=300,
        confirmed_depth=confirmed_depth,
    )


def plant(random: Random, path: Path, plans: Sequence[Plan]) -> None:
    """Somebody writes into a keeper's database: that forgeries verify, oracles signed who did not, and quorums
    are met."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("UPDATE signature SET verifies = 1, verdict = 'valid' WHERE verdict = 'bad_signature'")
    for plan in random.sample(plans, min(len(plans), 3)):
        _forge(random, db, plan)
    db.execute("UPDATE milestone SET quorum_met_slot = 1 WHERE quorum_met_slot IS NULL AND pay_from_ms IS NOT NULL")
    db.close()


def _forge(random: Random, db: sqlite3.Connection, plan: Plan) -> None:
    """A signature of each oracle that it has, from a file or as if a block had it."""
    milestone = random.choice(plan.terms.allocations).milestone.decode()
    for oracle in plan.terms.oracles:
        source, proof = random.choice(("chain", "local")), random.randbytes(64)
        block = random.randbytes(32).hex()
        where = (0, block, block, 0) if source == "chain" else (None,) * 4
        db.execute(
            "INSERT INTO signature (distribution_id, milestone_id, oracle, signature, source, slot, position, place,"
            " height, block_id, transaction_id, output_index, verifies, verdict)"
            " VALUES (?, ?, ?, ?, ?, 1, 0, 0, ?, ?, ?, ?, 1, 'valid')",
            (plan.id.hex(), milestone, oracle.hex(), proof.hex(), source, *where),
        )
