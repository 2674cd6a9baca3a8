"""The state of a ledger: what transactions do to it can be undone to the last lovelace, and none makes any."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.chain.block import OutputReference
from indexer.devnet.ledger.outputs import output_from
from indexer.devnet.ledger.parameters import mainnet
from indexer.devnet.ledger.read import read_transaction
from indexer.devnet.ledger.refusal import Refused
from indexer.devnet.ledger.setting import Account
from indexer.devnet.ledger.state import Layer, Ledger, Undo
from indexer.devnet.ledger.transaction import Transaction
from tests.contract.terms import Reference
from tests.contract.tree import Array, Map, Node, encode
from tests.support.spending import (
    CERTIFICATES,
    DEPOSIT,
    DONATION,
    NOW,
    REFUSES,
    RETURN,
    WITHDRAWALS,
    Coin,
    Spending,
    coin,
    ledger,
    paid,
    written,
)
from tests.unit.devnet.ledger.spendings import (
    ANN,
    BOB,
    REWARDS,
    accepted,
    delegate,
    give_up,
    minting,
    plain,
    refused,
    register,
    registering,
    spending_script,
    withdrawing,
)

DELEGATED = Account(DEPOSIT, REWARDS, b"\x81\x02")


def snapshot(on: Ledger) -> tuple[object, ...]:
    return dict(on.utxo), dict(on.accounts), on.pots, on.slot


def lovelace_in(on: Ledger) -> int:
    """In outputs, accounts and pots."""
    pots = on.pots
    held = sum(output.lovelace for output in on.utxo.values()) + sum(each.rewards for each in on.accounts.values())
    return held + pots.fees + pots.deposits + pots.donations


def failing() -> Spending:
    """Forfeits five ada of its collateral."""
    spending = replace(spending_script(REFUSES), is_valid=False)
    return spending.with_body({RETURN: paid(ANN.address, 15_000_000)})


KINDS: dict[str, Callable[[], Spending]] = {
    "plain": plain,
    "minting": minting,
    "registering": registering,
    "withdrawing": withdrawing,
    "giving up": lambda: replace(plain(), more=DEPOSIT + REWARDS).with_body(
        {CERTIFICATES: Array((give_up(ANN.hash),)), WITHDRAWALS: Map(((ANN.account, REWARDS),))}
    ),
    "in and out": lambda: plain().with_body({CERTIFICATES: Array((register(ANN.hash), give_up(ANN.hash)))}),
    "donating": lambda: replace(plain(), more=-3_000_000).with_body({DONATION: 3_000_000}),
    "running a script": spending_script,
    "failing": failing,
}
KNOWN = {"withdrawing", "giving up"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_happened_can_be_undone(kind: str) -> None:
    """Every kind of transaction changes the ledger, makes no lovelace and loses none, and leaves no trace."""
    spending = KINDS[kind]()
    on = ledger(spending, accounts={ANN.credential: DELEGATED} if kind in KNOWN else {})
    before, total = snapshot(on), lovelace_in(on)
    tx = read_transaction(written(spending))
    on.check(tx, NOW)
    undo = on.apply(tx, NOW)
    assert before != snapshot(on)
    assert total == lovelace_in(on)
    on.undo(undo)
    assert before == snapshot(on)


def test_a_registration_shows_in_the_accounts() -> None:
    """With its deposit and its vote."""
    on = ledger(registering())
    on.apply(read_transaction(written(registering())), NOW)
    assert {ANN.credential: Account(DEPOSIT, 0, b"\x81\x02")} == dict(on.accounts)
    assert on.pots.deposits == DEPOSIT


def test_withdrawn_rewards_are_gone() -> None:
    """The account stays."""
    on = ledger(withdrawing(), accounts={ANN.credential: DELEGATED})
    on.apply(read_transaction(written(withdrawing())), NOW)
    assert replace(DELEGATED, rewards=0) == on.accounts[ANN.credential]


def test_a_child_sees_its_parent_and_keeps_its_own() -> None:
    """What happens in a child, chained transactions too, does not happen below; it need not be undone."""
    on = ledger(plain())
    before = snapshot(on)
    child = on.child()
    first = read_transaction(written(plain()))
    child.check(first, NOW)
    child.apply(first, NOW)
    made = Coin(Reference(first.id, 0), paid(BOB.address, 5_000_000))
    second = Spending((made,), (BOB,), BOB.address)
    assert accepted(second, child)
    assert before == snapshot(on)
    assert refused(second, on).code == 3997
    undo = child.apply(read_transaction(written(second)), NOW)
    child.undo(undo)
    assert accepted(second, child)
    assert accepted(second, child.child())
    assert len(child.utxo) == 2
    assert set(child.utxo) == {OutputReference(first.id, 0), OutputReference(first.id, 1)}


def test_a_copy_goes_its_own_way() -> None:
    """Neither sees what happens to the other."""
    on = ledger(plain())
    other = on.copy()
    on.apply(read_transaction(written(plain())), NOW)
    assert accepted(plain(), other)
    assert refused(plain(), on).code == 3997


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["set", "del"]), st.integers(0, 5), st.integers(0, 9)), max_size=30))
def test_a_layer_is_a_dict_that_leaves_another_alone(steps: list[tuple[str, int, int]]) -> None:
    """However it is used."""
    below = {1: 10, 2: 20, 3: 30}
    layer, model = Layer(below), dict(below)
    for what, key, value in steps:
        if what == "set":
            layer[key] = model[key] = value
        elif key in model:
            del layer[key], model[key]
        else:
            with pytest.raises(KeyError):
                del layer[key]
    assert model == dict(layer)
    assert len(model) == len(layer)
    assert below == {1: 10, 2: 20, 3: 30}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12))
def test_any_history_can_be_undone(seed: int, length: int) -> None:
    """Random payments, mintings, registrations: step by step back, each state is as it was."""
    chance = Random(seed)
    on = Ledger(mainnet(), 0, {held.reference: output_from(encode(held.output)) for held in PURSE})
    purse, history, total = list(PURSE), list[tuple[tuple[object, ...], Undo]](), lovelace_in(on)
    for _ in range(length):
        tx = step(chance, on, purse)
        if tx is None:
            continue
        before = snapshot(on)
        history.append((before, on.apply(tx, NOW)))
        assert total == lovelace_in(on)
    for before, undo in reversed(history):
        on.undo(undo)
        assert before == snapshot(on)


PURSE = tuple(coin(ANN, 50_000_000, number) for number in range(3))


def step(chance: Random, on: Ledger, purse: list[Coin]) -> Transaction | None:
    """A transaction that the ledger takes, out of a purse that is brought up to date; None: it did not."""
    held = purse.pop(chance.randrange(len(purse)))
    spending = Spending((held,), (ANN, BOB), ANN.address, (paid(ANN.address, 2_000_000),))
    match chance.randrange(3):
        case 0 if ANN.credential in on.accounts:
            spending = replace(spending, more=DEPOSIT).with_body({CERTIFICATES: Array((give_up(ANN.hash),))})
        case 0:
            certificates: Node = Array((register(ANN.hash), delegate(ANN.hash)))
            spending = replace(spending, more=-DEPOSIT).with_body({CERTIFICATES: certificates})
        case 1:
            spending = replace(spending, more=-1_000).with_body({DONATION: 1_000})
    tx = read_transaction(written(spending))
    try:
        on.check(tx, NOW)
    except Refused:
        purse.append(held)
        return None
    purse.append(Coin(Reference(tx.id, 1), paid(ANN.address, tx.outputs[1].lovelace)))
    return tx
