"""What the keeper says of itself to health and metrics."""

from pathlib import Path

from indexer.devnet.ledger.refusal import Refusal
from indexer.ogmios.rulings import RULES, Verdict
from tests.support.keeping import attested, house, promised
from tests.support.yard import allocation, terms

REBUILT = next(code for code, rule in RULES.items() if rule.verdict is Verdict.REBUILD and code > 3013)


async def test_turns_of_releases_are_counted_and_the_wallet_tells_how_long_it_lasts(tmp_path: Path) -> None:
    """Half an ada a release, above the reserve of five ada; a state is counted when a release comes to it."""
    async with house(tmp_path) as it:
        made = await promised(it.yard, terms(allocation(1, 700)))
        await attested(it.yard, made, b"m1", 0, 1)
        await it.round()
        await it.block(5)
        assert it.states() == ["confirmed"]
        assert {"built", "submitted", "in_block", "confirmed"} <= it.status.turns.keys()
        assert set(it.status.turns.values()) == {1}
        assert it.status.balance is not None
        assert it.status.runway == (it.status.balance - 5_000_000) // 500_000 > 0


async def test_the_age_of_the_oldest_release_counts_from_its_intention_until_it_is_in_a_block(tmp_path: Path) -> None:
    """Through a refusal, after which it is built anew; not known before the first look."""
    async with house(tmp_path) as it:
        assert it.status.oldest_ms is None
        made = await promised(it.yard, terms(allocation(1, 700)))
        await attested(it.yard, made, b"m1", 0, 1)
        await it.caught_up()
        it.server.faults.refusals.append(Refusal(REBUILT, "no", None))
        intended_ms = it.now_ms
        await it.round()
        assert it.states() == ["refused"]
        assert it.status.oldest_ms == 0  # that round looked before it intended
        ages: set[int | None] = set()
        await it.block()
        while it.states() != ["in_block"]:
            ages.add(it.status.oldest_ms)
            await it.block()
        assert ages == {intended_ms}
        assert it.status.oldest_ms == 0
