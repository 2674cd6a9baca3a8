"""What must hold, told from the chain that survives."""

from collections.abc import Iterable

from indexer.chain.block import OutputReference
from tests.chaos import people
from tests.chaos.explained import cases, explained
from tests.chaos.house import House
from tests.chaos.reading import Surviving
from tests.chaos.worlds import AMPLE
from tests.contract.terms import Reference
from tests.support.promises import Plan
from tests.support.yard import BLUEPRINT, least_fee

DAY_SLOTS = 86_400
# What the node may truly say to what a keeper sends: what it spends is gone, or its time is.
EXPECTED = {3117, 3118}
IN_THE_CHAIN = {"in_block", "confirmed", "final"}


def required(houses: Iterable[House], plans: Iterable[Plan], unpaid: set[tuple[bytes, int]]) -> set[tuple[bytes, int]]:
    """Of what is due and not paid, what some keeper has to pay."""
    by_id = {plan.id: plan for plan in plans}
    return {
        (id_, index)
        for id_, index in unpaid
        if people.pays(by_id[id_].terms)
        or any(house.bears(by_id[id_]) and house.rules.max_loss_per_day == AMPLE for house in houses)
    }


def agree(house: House, found: Surviving) -> None:
    """What the journal says of each release is what the chain says."""
    own: dict[str, set[str]] = {}
    for row in house.rows("SELECT release_id, transaction_id FROM release_transaction WHERE release_id IS NOT NULL"):
        own.setdefault(row["release_id"], set()).add(row["transaction_id"])
    for row in house.rows("SELECT * FROM release"):
        state = Reference(bytes.fromhex(row["state_transaction_id"]), row["state_index"])
        name = f"keeper {house.number}: release {row['release_id']} of {row['distribution_id'][:8]}"
        by, height = found.spent.get(state, (None, 0))
        if by is None:
            assert row["state"] not in IN_THE_CHAIN | {"superseded"}, f"{name} is {row['state']}, its state unspent"
            continue
        depth = found.height - height
        k, confirmed = house.world.node.genesis.k, house.rules.confirmed_depth
        deep = "final" if depth >= k else "confirmed" if depth >= confirmed else "in_block"
        expected = deep if by.hex() in own.get(row["release_id"], ()) else "superseded"
        assert row["state"] == expected, f"{name} is {row['state']}, and should be {expected}"
        assert bool(row["settled"]) == (depth >= k), f"{name} settled: {row['settled']} at depth {depth}"
        if expected == deep:
            assert row["landed_transaction"] == by.hex(), name


async def at_the_end(houses: Iterable[House], plans: list[Plan], found: Surviving) -> None:
    """When nothing happens any more."""
    assert found.wrong == []
    for house in houses:
        agree(house, found)
        _wallet(house, {plan.id: plan for plan in plans}, found)
        _signatures(house)
        _journal(house, found)
        await _nothing_kept(house, found)
        await explained(house, cases(house, plans, found))


def _wallet(house: House, plans: dict[bytes, Plan], found: Surviving) -> None:
    """Nothing cost more than it may."""
    moves = found.moves[house.wallet.hash]
    for move in moves:
        name = f"keeper {house.number}: {move.transaction.hex()[:8]}"
        assert move.valid, f"{name} lost its collateral"
        if move.release_of is not None and not house.bears(plans[move.release_of]):
            assert move.loss <= 0, f"{name} cost {move.loss}, and nobody sponsors it"
        if move.release_of is None:
            assert move.loss < 1_000_000, f"{name} cost {move.loss}"
        day = [each for each in moves if move.slot - DAY_SLOTS < each.slot <= move.slot and each.release_of is not None]
        lost = sum(max(0, each.loss) for each in day)
        may = house.rules.max_loss_per_day + house.adrift
        assert lost <= may, f"{name}: {lost} lost in a day, where {may} may be"


def _signatures(house: House) -> None:
    """Each signed transaction that was sent was right, and paid hardly more than it had to."""
    for raw, refused in house.refused:
        spent = "All inputs are spent" in str(refused)  # where it is itself, or what it rests on, that waits
        assert refused.ogmios_code in EXPECTED or spent, f"keeper {house.number} sent {len(raw)} bytes: {refused}"
    for raw in dict.fromkeys(house.sent):
        fee, release = _fee(raw)
        least = least_fee(raw, len(BLUEPRINT.script) if release else 0)
        assert least <= fee <= least * 1.02, f"keeper {house.number} pays {fee} for {least}"


def _fee(raw: bytes) -> tuple[int, bool]:
    """The fee, and whether scripts run."""
    from tests.contract.tree import Array, Map, decode
    from tests.support.spending import FEE, REDEEMERS

    transaction = decode(raw)
    assert isinstance(transaction, Array)
    body, witnesses = transaction[0], transaction[1]
    assert isinstance(body, Map)
    assert isinstance(witnesses, Map)
    fee = body[FEE]
    assert isinstance(fee, int)
    return fee, witnesses.get(REDEEMERS) is not None


def _journal(house: House, found: Surviving) -> None:
    """What is in a block by our key is in our journal, unless that was lost; what failed, failed for a reason."""
    known = {row["transaction_id"] for row in house.rows("SELECT transaction_id FROM release_transaction")}
    for move in found.moves[house.wallet.hash]:
        assert house.forgot or move.transaction.hex() in known, f"{move.transaction.hex()} is in no journal"
    failed = [row["reason"] for row in house.rows("SELECT reason FROM release_step WHERE to_state = 'failed'")]
    assert len(failed) <= house.fatal, f"keeper {house.number}: {house.fatal} had to fail, and {failed} did"


async def _nothing_kept(house: House, found: Surviving) -> None:
    """Every coin of ada alone may be spent, but for the one that backs scripts."""
    where = await house.at.position()
    pocket = await house.at.pocket(where)
    unspent = {
        OutputReference(*at)
        for at, coin in found.wallet(house.wallet.hash).items()
        if isinstance(coin[1], int) and coin.get(2) is None and coin.get(3) is None
    }
    assert {coin.reference for coin in pocket.plain} == unspent
    purse = pocket.purse(OutputReference(bytes(32), 0), with_change=False)
    collateral = set() if pocket.collateral is None else {pocket.collateral.reference}
    kept = unspent - {coin.reference for coin in purse.coins} - collateral
    why = [(str(at)[:8], at in pocket._staked, pocket._kept.get(at)) for at in kept]
    assert not kept, f"keeper {house.number} keeps {why}"
