"""What `explain` says when all is at rest, beside what the chain says by itself."""

from collections.abc import Iterable

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from indexer.cli.explains import Matter, reasons_of
from indexer.domain.explaining import Standing
from indexer.plutus.identity import parse_milestone
from indexer.store import lives
from tests.chaos import people
from tests.chaos.house import House
from tests.chaos.reading import Surviving, due
from tests.contract.terms import message
from tests.support.promises import Plan


async def explained(house: House, plans: Iterable[Plan], found: Surviving, *, sponsors: bool) -> None:
    """Each milestone of each distribution on the chain. `sponsors`: whether this keeper bears anybody's costs."""
    plans = [plan for plan in plans if plan.id in found.began]
    due_ones = due(found, plans, told(house, plans))
    where = await house.at.position()
    assert where is not None
    known = await lives.load(house.at.db, [plan.id for plan in plans])
    for plan in plans:
        for milestone in dict.fromkeys(each.milestone for each in plan.terms.allocations):
            reasons = await reasons_of(Matter(house.at, where, known[plan.id], milestone), house._connected)
            name = f"keeper {house.number}: {plan.id.hex()[:8]} {milestone!r}: {reasons[-1].sentence}"
            mine = [n for n, each in enumerate(plan.terms.allocations) if each.milestone == milestone]
            said = reasons[-1].standing
            if plan.id not in found.states or all((plan.id, n) in found.claims for n in mine):
                assert said is Standing.DONE, name
            elif any((plan.id, n) in due_ones for n in mine):
                # At rest, what is due and not paid is what nobody bears the cost of.
                assert said is Standing.BLOCKED or (said is not Standing.DONE and sponsors), name
                assert not people.pays(plan.terms), name
            else:
                assert said is Standing.WAITING, name


def told(house: House, plans: Iterable[Plan]) -> dict[tuple[bytes, bytes], set[bytes]]:
    """Who signed what in files, verified here."""
    found: dict[tuple[bytes, bytes], set[bytes]] = {}
    by_id = {plan.id: plan for plan in plans}
    for row in house.rows("SELECT * FROM signature WHERE source = 'local'"):
        plan = by_id.get(bytes.fromhex(row["distribution_id"]))
        if plan is not None:
            milestone, oracle = parse_milestone(row["milestone_id"]), bytes.fromhex(row["oracle"])
            signed = message(plan.contract.hash, plan.id, milestone)
            try:
                VerifyKey(oracle).verify(signed, bytes.fromhex(row["signature"]))
            except (BadSignatureError, ValueError):
                continue
            found.setdefault((plan.id, milestone), set()).add(oracle)
    return found
