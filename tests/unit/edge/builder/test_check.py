"""Bugs planted in the builder, and bytes altered after it: each is caught by the last look, and nothing is sent."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from indexer.chain.block import OutputReference
from indexer.chain.coin import Coin
from indexer.chain.parameters import Units
from indexer.edge.builder import build as building
from indexer.edge.builder.build import Built, build
from indexer.edge.builder.check import check
from indexer.edge.builder.errors import LossTooLarge, NotAsIntended, TooDear
from indexer.edge.builder.intents import (
    Create,
    Deploy,
    Intent,
    Plan,
    Planned,
    Publish,
    Reclaim,
    Release,
    Split,
    TakeBack,
    Withdraw,
)
from indexer.edge.builder.reader import read
from indexer.edge.builder.signing import attach, sign
from indexer.edge.builder.written import Choice
from indexer.plutus.datum import MILESTONE_DATUM, Attestation, Distribution
from tests.contract.tree import Array, Map, Node, Tag, decode, encode
from tests.support.spending import Wallet
from tests.support.yard import (
    ADA,
    FUNDER,
    HANDS,
    KEEPER,
    ORACLES,
    OTHER,
    OWNER,
    TOKEN,
    Yard,
    allocation,
    furnished,
    terms,
    terms_of,
)

STRANGER = Wallet("stranger")
KEY = TOKEN.policy_id, TOKEN.asset_name


@pytest.fixture
async def yard() -> Yard:
    return await furnished()


async def lenient(raw: bytes) -> Mapping[tuple[str, int], Units]:
    """An evaluator that agrees to everything: the contract must not be what stops these."""
    return dict.fromkeys(read(raw).redeemers, Units(900_000, 700_000_000))


async def released(yard: Yard) -> Release:
    """A release of two of three, of a native token."""
    _, state = await yard.create(terms(allocation(0, 5), allocation(1, 7), allocation(2, 9)))
    return yard.release(state, [0, 1])


async def in_ada(yard: Yard) -> Intent:
    _, state = await yard.create(terms(allocation(0, 5_000_000), allocation(1, 7_000_000), token=ADA))
    return yard.release(state, [0])


async def created(yard: Yard) -> Intent:
    return yard.creation(terms(allocation(0, 5), allocation(1, 7)))


async def reclaimed(yard: Yard) -> Intent:
    _, state = await yard.create(terms())
    left = await yard.do(yard.release(state, [0]))
    return Reclaim(yard.coin(OutputReference(left.id, 0)))


async def published(_: Yard) -> Intent:
    return Publish(Attestation(bytes(32), b"m1", ORACLES[0].public, bytes(64), OWNER.hash))


async def withdrawn(yard: Yard) -> Intent:
    deposit = await yard.do(await published(yard), OWNER)
    return Withdraw(yard.coin(OutputReference(deposit.id, 0)))


async def deployed(_: Yard) -> Intent:
    return Deploy()


async def taken_back(yard: Yard) -> Intent:
    """Where the wallet holds another output with the script, too."""
    published = [await yard.do(Deploy(), OWNER) for _ in range(2)]
    return TakeBack(yard.coin(OutputReference(published[0].id, 0)))


async def split(_: Yard) -> Intent:
    return Split(6_000_000)


WANTED = {
    "release": (released, KEEPER),
    "release of ada": (in_ada, KEEPER),
    "create": (created, FUNDER),
    "reclaim": (reclaimed, FUNDER),
    "publish": (published, OWNER),
    "withdraw": (withdrawn, OWNER),
    "deploy": (deployed, OWNER),
    "take back": (taken_back, OWNER),
    "split": (split, OWNER),
}


async def is_caught(yard: Yard, intent: Intent, wallet: Wallet, reason: str) -> None:
    """Built with the bug, signed by everybody, and refused before it is sent."""
    built = await build(intent, yard.around, yard.purse(wallet), lenient)
    blocks = len(yard.node.chain)
    with pytest.raises(NotAsIntended, match=reason):
        yard.send(built)
    assert len(yard.node.mempool) == 0
    assert len(yard.node.chain) == blocks


# --- bugs in what is planned


def output(index: int, **changes: Any) -> Callable[[Plan], Plan]:
    """An output is another."""

    def bug(plan: Plan) -> Plan:
        outputs = list(plan.outputs)
        made = {key: value(outputs[index]) if callable(value) else value for key, value in changes.items()}
        outputs[index] = replace(outputs[index], **made)
        return replace(plan, outputs=tuple(outputs))

    return bug


def datum(**changes: Any) -> Callable[[Plan], Plan]:
    """The distribution says something else."""

    def altered(planned: Planned) -> bytes:
        assert planned.datum is not None
        value = MILESTONE_DATUM.decode(planned.datum).value
        assert isinstance(value, Distribution)
        made = {key: change(value) if callable(change) else change for key, change in changes.items()}
        return MILESTONE_DATUM.encode(replace(value, **made))

    return output(0, datum=altered)


def claim(index: int, claimed: bool) -> Callable[[Plan], Plan]:
    def changed(value: Distribution) -> Any:
        marked = replace(value.allocations[index], claimed=claimed)
        return (*value.allocations[:index], marked, *value.allocations[index + 1 :])

    return datum(allocations=changed)


def more(plan: Plan) -> Plan:
    """An output that nobody asked for."""
    return replace(plan, outputs=(*plan.outputs, Planned(STRANGER.address, 2_000_000, {})))


def swapped(plan: Plan) -> Plan:
    return replace(plan, outputs=(plan.outputs[0], *reversed(plan.outputs[1:])))


def minted(plan: Plan) -> Plan:
    """A token more of our policy, which goes to the change."""
    return replace(plan, mint=(*plan.mint, (b"extra", 1)), mint_redeemer=plan.mint_redeemer or b"\xd8\x7a\x80")


def not_counted(planned: Planned) -> dict[tuple[bytes, bytes], int]:
    """The same tokens, one fewer."""
    return {asset: quantity - (asset == KEY) for asset, quantity in planned.assets.items()}


def with_other(planned: Planned) -> dict[tuple[bytes, bytes], int]:
    return {**planned.assets, (OTHER.policy_id, OTHER.asset_name): 1}


def both(*bugs: Callable[[Plan], Plan]) -> Callable[[Plan], Plan]:
    def bug(plan: Plan) -> Plan:
        for each in bugs:
            plan = each(plan)
        return plan

    return bug


def cheap(value: Distribution) -> Any:
    return tuple(replace(each, token_amount=1) for each in value.allocations)


BUGS: dict[str, list[tuple[Callable[[Plan], Plan], str]]] = {
    "release": [
        (both(output(1, assets={KEY: 6}), output(0, assets=not_counted)), "payout 1 holds other tokens"),
        (output(1, assets={KEY: 4}), "payout 1 holds other tokens"),
        (output(1, lovelace=1_499_999), "payout 1 holds another amount of ada"),
        (output(2, lovelace=1_500_001), "payout 2 holds another amount of ada"),
        (output(1, address=STRANGER.address), "payout 1 goes to somebody else"),
        (output(2, address=STRANGER.address), "payout 2 goes to somebody else"),
        (output(1, address=b"\x61" + Wallet("beneficiary 0").hash), "on another network"),
        (output(1, datum=b"\xd8\x79\x80", lovelace=1_600_000), "payout 1 "),
        (swapped, "payout 1 goes to somebody else"),
        (claim(0, claimed=False), "allocation 0 is not marked"),
        (claim(2, claimed=True), "allocation 2 is not marked"),
        (datum(funder=STRANGER.hash), "terms have changed"),
        (datum(quorum_threshold=1), "terms have changed"),
        (datum(expires_at=0), "terms have changed"),
        (datum(allocations=lambda value: value.allocations[:2]), "more or fewer allocations"),
        (
            datum(allocations=lambda value: tuple(replace(a, token_amount=1) for a in value.allocations)),
            "has changed|not",
        ),
        (output(0, datum=None), "no inline datum"),
        (output(0, datum=b"\xd8\x79\x80"), "does not decode"),
        (output(0, lovelace=lambda o: o.lovelace + 1), "keeps another amount of ada"),
        (output(0, lovelace=lambda o: o.lovelace - 1), "keeps another amount of ada"),
        (output(0, address=STRANGER.address), "moves elsewhere"),
        (output(0, address=lambda o: b"\x10" + o.address[1:] + STRANGER.hash), "moves elsewhere"),
        (output(0, script=bytes.fromhex("450101002499")), "carries a script"),
        (output(0, assets=not_counted), "tokens go astray"),
        (more, "change goes to somebody else"),
        (minted, "minted or burnt"),
        (lambda plan: replace(plan, lower=None), "no lower bound"),
        (lambda plan: replace(plan, lower=0), "before the one that made"),
        (lambda plan: replace(plan, signers=(KEEPER.hash,)), "other signers"),
        (lambda plan: replace(plan, spends=((plan.spends[0][0], b"\xd8\x7a\x80"),)), "other redeemers"),
        (lambda plan: replace(plan, outputs=plan.outputs[:1]), "payout 1 goes to somebody else|missing"),
    ],
    "release of ada": [
        (output(1, lovelace=lambda o: o.lovelace - 1), "payout 1 holds another amount of ada"),
        (output(1, lovelace=lambda o: o.lovelace + 1), "payout 1 holds another amount of ada"),
        (output(0, lovelace=lambda o: o.lovelace + 5_000_000), "keeps another amount of ada"),
    ],
    "create": [
        (output(0, assets=not_counted), "other tokens than are promised"),
        (output(0, assets=with_other), "other tokens than are promised"),
        (output(0, lovelace=lambda o: o.lovelace - 1), "another amount of ada"),
        (output(0, address=STRANGER.address), "lies elsewhere"),
        (datum(funder=STRANGER.hash), "other terms"),
        (datum(lovelace_per_payout=0), "other terms"),
        (claim(0, claimed=True), "other terms"),
        (output(0, script=bytes.fromhex("450101002499"), lovelace=60_000_000), "another amount of ada|script"),
        (minted, "minted or burnt"),
        (lambda plan: replace(plan, mint=((plan.mint[0][0], 2),)), "minted or burnt"),
        (lambda plan: replace(plan, signers=()), "other signers"),
        (lambda plan: replace(plan, mint_redeemer=b"\xd8\x7a\x80"), "other redeemers"),
    ],
    "reclaim": [
        (lambda plan: replace(plan, mint=(), mint_redeemer=None), "minted or burnt"),
        (lambda plan: replace(plan, signers=()), "other signers|signatures are missing"),
        (more, "change goes to somebody else"),
        (lambda plan: replace(plan, spends=(), mint=(), mint_redeemer=None), "is not spent"),
    ],
    "publish": [
        (output(0, lovelace=lambda o: o.lovelace + 1), "not the smallest"),
        (output(0, address=STRANGER.address), "lies elsewhere"),
        (output(0, datum=b"\xd8\x79\x80"), "does not decode"),
        (more, "change goes to somebody else"),
    ],
    "withdraw": [
        (lambda plan: replace(plan, signers=()), "other signers"),
        (lambda plan: replace(plan, spends=((plan.spends[0][0], b"\xd8\x79\x80"),)), "other redeemers"),
        (more, "change goes to somebody else"),
    ],
    "deploy": [
        (output(0, address=STRANGER.address), "goes to somebody else"),
        (output(0, script=bytes.fromhex("450101002499")), "another script"),
        (output(0, lovelace=lambda o: o.lovelace + 1), "not the smallest"),
    ],
    "take back": [
        (lambda plan: replace(plan, spends=()), "is not spent"),
        (lambda plan: replace(plan, signers=(OWNER.hash,)), "other signers"),
        (more, "change goes to somebody else"),
    ],
    "split": [
        (output(0, address=STRANGER.address), "another coin is made"),
        (output(0, lovelace=lambda o: o.lovelace + 1), "another coin is made"),
        (output(0, datum=b"\xd8\x79\x80"), "carries a datum or a script"),
        (lambda plan: replace(plan, outputs=()), "another coin is made"),
        (lambda plan: replace(plan, signers=(OWNER.hash,)), "other signers"),
        (more, "nobody asked for"),
        (minted, "nobody asked for"),
    ],
}


@pytest.mark.parametrize(
    ("kind", "number"), [(kind, number) for kind, bugs in BUGS.items() for number in range(len(bugs))]
)
async def test_a_bug_in_what_is_planned_is_caught(
    yard: Yard, kind: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction is balanced, paid for and signed all the same."""
    wanted, wallet = WANTED[kind]
    intent = await wanted(yard)
    bug, reason = BUGS[kind][number]
    right = vars(building)["planned"]
    monkeypatch.setattr(building, "planned", lambda *arguments: bug(right(*arguments)))
    await is_caught(yard, intent, wallet, reason)


# --- bugs in what is chosen


def change(**changes: Any) -> Callable[[Choice], Choice]:
    def bug(choice: Choice) -> Choice:
        (only,) = choice.change
        made = {key: value(only) if callable(value) else value for key, value in changes.items()}
        return replace(choice, change=(replace(only, **made),))

    return bug


def returned(**changes: Any) -> Callable[[Choice], Choice]:
    def bug(choice: Choice) -> Choice:
        assert choice.collateral_return is not None
        made = {key: value(choice.collateral_return) if callable(value) else value for key, value in changes.items()}
        return replace(choice, collateral_return=replace(choice.collateral_return, **made))

    return bug


def dearer(choice: Choice) -> Choice:
    """The fee is a tenth more, and the change less."""
    (only,) = choice.change
    assert choice.collateral_return is not None
    extra = choice.fee // 10
    less = replace(only, lovelace=only.lovelace - extra)
    back = replace(choice.collateral_return, lovelace=choice.collateral_return.lovelace - 2 * extra)
    return replace(choice, fee=choice.fee + extra, change=(less,), collateral_return=back)


CHOICES: list[tuple[Callable[[Choice], Choice], str]] = [
    (change(address=STRANGER.address), "change goes to somebody else"),
    (change(lovelace=lambda c: c.lovelace - 1), "not what the inputs hold"),
    (change(lovelace=lambda c: c.lovelace + 1), "not what the inputs hold"),
    (change(datum=b"\xd8\x79\x80"), "carries a datum"),
    (change(assets={KEY: 1}), "go astray"),
    (dearer, "the fee is"),
    (lambda c: replace(c, fee=c.fee - 1), "not what the inputs hold"),
    (lambda c: replace(c, upper=1), "not valid any more"),
    (lambda c: replace(c, upper=2**40), "foresee"),
    (lambda c: replace(c, lower=2**40), "not valid yet"),
    (lambda c: replace(c, reference=None), "refers to other outputs"),
    (lambda c: replace(c, collateral=None, collateral_return=None), "not one collateral"),
    (returned(address=STRANGER.address), "collateral returns to somebody else"),
    (returned(lovelace=lambda c: c.lovelace + 100), "collateral does not suffice"),
    (returned(lovelace=10), "returns less"),
    (lambda c: replace(c, units={key: Units(0, 0) for key in c.units}), "may use nothing|the fee is"),
    (lambda c: replace(c, units={key: Units(10**9, 1) for key in c.units}), "the fee is|more units"),
]


@pytest.mark.parametrize("number", range(len(CHOICES)))
async def test_a_bug_in_what_is_chosen_is_caught(yard: Yard, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a release: change, fee, times, collateral, units."""
    intent = await released(yard)
    bug, reason = CHOICES[number]
    right = vars(building)["draft"]
    monkeypatch.setattr(building, "draft", lambda plan, choice, *rest: right(plan, bug(choice), *rest))
    await is_caught(yard, intent, KEEPER, reason)


async def test_a_coin_of_somebody_else_is_not_spent(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if their key signs."""
    intent = await released(yard)
    theirs = yard.coins_at(OWNER.address)[0]
    right = vars(building)["pay"]

    def bug(plan: Plan, policy: bytes, inputs: list[Coin], *rest: Any, **more: Any) -> Any:
        return right(plan, policy, inputs if theirs in inputs else [*inputs, theirs], *rest, **more)

    monkeypatch.setattr(building, "pay", bug)
    await is_caught(yard, intent, KEEPER, "which is not the wallet's")


async def test_a_script_is_not_spent_along_with_the_one_that_is_meant(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although it is the wallet's, too."""
    intent = await taken_back(yard)
    carriers = [coin for coin in yard.coins_at(OWNER.address) if coin.output.script is not None]
    right = vars(building)["planned"]
    bug = tuple((coin, None) for coin in carriers)
    monkeypatch.setattr(building, "planned", lambda *arguments: replace(right(*arguments), spends=bug))
    await is_caught(yard, intent, OWNER, "and with it a script")


# --- bytes altered, and signed again


def body(key: int, value: Callable[[Node], Node] | Node) -> Callable[[Array], Array]:
    def change_(transaction: Array) -> Array:
        fields = transaction[0]
        assert isinstance(fields, Map)
        new = value(fields.get(key)) if callable(value) else value
        return transaction.with_item(0, fields.without(key) if new is None else fields.with_value(key, new))

    return change_


def witnesses(key: int, value: Node) -> Callable[[Array], Array]:
    def change_(transaction: Array) -> Array:
        fields = transaction[1]
        assert isinstance(fields, Map)
        return transaction.with_item(1, fields.with_value(key, value))

    return change_


def first_twice(node: Node) -> Node:
    assert isinstance(node, Tag)
    assert isinstance(node.value, Array)
    return Tag(node.number, Array((*node.value.items, node.value[0])))


ALTERED: list[tuple[Callable[[Array], Array], str]] = [
    (body(4, Array((Array((0, Array((0, bytes(28))))),))), "our transactions do not have"),
    (body(5, Map(((b"\xe0" + bytes(28), 0),))), "our transactions do not have"),
    (body(7, bytes(32)), "our transactions do not have"),
    (body(15, 0), "our transactions do not have"),
    (body(19, Map(())), "our transactions do not have"),
    (body(20, Array(())), "our transactions do not have"),
    (body(22, 5), "our transactions do not have"),
    (body(11, bytes(32)), "integrity hash"),
    (body(11, None), "integrity hash"),
    (body(2, lambda fee: int(fee) + 1), "not what the inputs hold"),  # type: ignore[arg-type]
    (body(3, None), "for ever"),
    (body(17, lambda staked: int(staked) + 1), "declared collateral"),  # type: ignore[arg-type]
    (body(17, None), "declared collateral"),
    (body(0, first_twice), "named twice"),
    (body(14, Tag(258, Array((KEEPER.hash,)))), "other signers"),
    (witnesses(4, Tag(258, Array((Tag(121, Array(())),)))), "our transactions do not have"),
    (witnesses(1, Tag(258, Array((Array((1, Array(()))),)))), "our transactions do not have"),
    (witnesses(7, Tag(258, Array((bytes.fromhex("450101002499"),)))), "shows other scripts"),
    (lambda transaction: transaction.with_item(2, False), "said to fail"),
    (lambda transaction: transaction.with_item(3, Map(((1, 2),))), "auxiliary data"),
]


async def whole(yard: Yard) -> tuple[Built, bytes]:
    built = await yard.build(await released(yard))
    return built, yard.sign(built)


def again(raw: bytes, *signers: Wallet) -> bytes:
    """Signed anew, by the keeper if by nobody else."""
    transaction = decode(raw)
    assert isinstance(transaction, Array)
    fields = transaction[1]
    assert isinstance(fields, Map)
    bare = encode(transaction.with_item(1, fields.without(0)))
    return attach(bare, [sign(bare, HANDS[wallet.hash]) for wallet in signers or (KEEPER,)])


@pytest.mark.parametrize("number", range(len(ALTERED)))
async def test_other_bytes_are_caught(yard: Yard, number: int) -> None:
    """Whatever wrote them, and although they are signed."""
    built, raw = await whole(yard)
    alter, reason = ALTERED[number]
    transaction = decode(raw)
    assert isinstance(transaction, Array)
    with pytest.raises(NotAsIntended, match=reason):
        check(again(encode(alter(transaction))), built.intent, built.around, built.purse, built.resolved)


async def test_signatures_are_looked_at(yard: Yard) -> None:
    """None, too many, and wrong ones."""
    built, raw = await whole(yard)
    wrong = raw.replace(read(raw).signatures[0][1], bytes(64))
    for other in (built.transaction, again(raw, KEEPER, OWNER), again(raw, OWNER), wrong):
        with pytest.raises(NotAsIntended, match="signature"):
            check(other, built.intent, built.around, built.purse, built.resolved)


async def test_what_is_signed_elsewhere_is_looked_at_before(yard: Yard) -> None:
    """As it will be once so many have signed, and they have to be as many as it takes."""
    built, raw = await whole(yard)
    check(built.transaction, built.intent, built.around, built.purse, built.resolved, signatures_to_come=1)
    for other, count in ((built.transaction, 2), (raw, 1)):
        with pytest.raises(NotAsIntended, match="where it takes 1"):
            check(other, built.intent, built.around, built.purse, built.resolved, signatures_to_come=count)


async def test_a_signature_of_an_oracle_that_does_not_verify_is_caught(yard: Yard) -> None:
    """Whatever the evaluator says of it: nothing is paid that we have not verified."""
    intent = await released(yard)
    forged = replace(intent, signatures=((0, bytes(64)), intent.signatures[1]))
    await is_caught(yard, forged, KEEPER, "oracle 0 signed something else")


async def test_an_unknown_output_is_caught(yard: Yard) -> None:
    """Whoever looks anew and does not find one of those named."""
    built, raw = await whole(yard)
    for reference in built.resolved:
        rest = {at: coin for at, coin in built.resolved.items() if at != reference}
        with pytest.raises(NotAsIntended, match="which nobody chose"):
            check(raw, built.intent, built.around, built.purse, rest)


async def test_a_loss_beyond_the_limit_is_refused_twice(yard: Yard) -> None:
    """By the builder, and at the last look."""
    intent = await released(yard)
    built = await yard.build(intent)
    raw = yard.sign(built)
    check(raw, intent, built.around, built.purse, built.resolved, max_loss=built.loss)
    with pytest.raises(LossTooLarge):
        check(raw, intent, built.around, built.purse, built.resolved, max_loss=built.loss - 1)
    with pytest.raises(LossTooLarge):
        await build(intent, yard.around, yard.purse(KEEPER), yard.evaluate, max_loss=built.loss - 1)


@pytest.mark.parametrize(
    ("name", "prices", "told"),
    [
        ("release", {"fee_constant": 5_000_000}, "the fee would be"),
        ("publish", {"fee_constant": 5_000_000}, "the fee would be"),
        ("release", {"collateral_percentage": 5_000}, "would be staked"),
        ("create", {"collateral_percentage": 5_000}, "would be staked"),
    ],
)
async def test_whatever_prices_a_node_tells_five_ada_are_paid_and_ten_staked_at_most(
    name: str, prices: dict[str, Any], told: str, yard: Yard
) -> None:
    """The fee is about 0.25 ada here, of which fifty times as much would be staked."""
    make, wallet = WANTED[name]
    intent = await make(yard)
    around = replace(yard.around, parameters=replace(yard.around.parameters, **prices))
    built = await build(intent, around, yard.purse(wallet), lenient)
    with pytest.raises(TooDear, match=told):
        check(yard.sign(built), built.intent, built.around, built.purse, built.resolved)


async def test_any_byte_counts(yard: Yard) -> None:
    """Of 3,000 bytes altered at random and signed again, only those pass that move the end of validity a little."""
    built, raw = await whole(yard)
    right, chance, passed = read(raw), random.Random(7), 0
    for _ in range(3_000):
        place = chance.randrange(1, len(built.transaction))
        other = bytearray(built.transaction)
        other[place] ^= 1 << chance.randrange(8)
        try:
            signed = attach(bytes(other), [sign(bytes(other), HANDS[KEEPER.hash])])
            check(signed, built.intent, built.around, built.purse, built.resolved)
        except NotAsIntended:
            continue
        found = read(signed)
        assert replace(found, id=right.id, upper=right.upper, signatures=right.signatures) == right
        passed += 1
    assert passed < 30


async def test_a_wrong_intent_is_not_that_of_the_bytes(yard: Yard) -> None:
    """The same bytes, held against another intent of the same kind."""
    _, state = await yard.create(terms(allocation(0, 5), allocation(1, 7)))
    one = await yard.build(yard.release(state, [0]))
    raw = yard.sign(one)
    other = yard.release(state, [1])
    with pytest.raises(NotAsIntended):
        check(raw, other, one.around, one.purse, one.resolved)
    assert terms_of(state).allocations[0].token_amount == 5
    seeded = yard.creation(terms())
    built = await yard.build(seeded, FUNDER)
    with pytest.raises(NotAsIntended, match="other terms"):
        check(
            yard.sign(built),
            Create(terms(allocation(3)), seeded.seed, seeded.lovelace),
            built.around,
            built.purse,
            built.resolved,
        )
