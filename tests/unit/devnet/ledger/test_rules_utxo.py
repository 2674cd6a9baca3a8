"""Each rule about inputs, fee, value and sizes, broken alone in a transaction that is otherwise whole and signed."""

from dataclasses import replace

import pytest

from tests.contract.parameters import PARAMETERS, Units
from tests.contract.terms import Asset, Reference
from tests.contract.tree import Array, Map, encode
from tests.support.spending import (
    DONATION,
    LOWER,
    NETWORK,
    NOW,
    RETURN,
    UPPER,
    WITHDRAWALS,
    Coin,
    Spending,
    Wallet,
    byron_address,
    coin,
    least_fee,
    ledger,
    paid,
    written,
)
from tests.unit.devnet.ledger.spendings import (
    ANN,
    BOB,
    GOLD,
    accepted,
    alone,
    codes,
    let_happen,
    lovelace,
    minting,
    minting_script,
    plain,
    reference,
    refused,
    registering,
    spending_script,
    text,
    withdrawing,
)

NOWHERE = Coin(Reference(bytes(32), 9), paid(ANN.address, 3_000_000))


def test_an_input_that_nobody_made_is_unknown() -> None:
    """3117, with the unknown inputs only; the value cannot balance then, but that is told last."""
    spending = replace(plain(), inputs=(coin(ANN), NOWHERE))
    on = ledger(plain())
    assert codes(spending, on) == [3117, 3123]
    assert {"unknownOutputReferences": [reference(NOWHERE)]} == refused(spending, on).data


@pytest.mark.parametrize(
    "spending",
    [replace(plain(), references=(NOWHERE,)), replace(plain(), collaterals=(NOWHERE,))],
    ids=["reference", "collateral"],
)
def test_a_reference_or_collateral_that_nobody_made_is_unknown(spending: Spending) -> None:
    """3117 of what is not even spent."""
    assert {"unknownOutputReferences": [reference(NOWHERE)]} == alone(3117, spending, ledger(plain()))


def test_a_transaction_without_inputs_is_refused() -> None:
    """3121; through the mempool it is taken for one whose inputs are all spent, as by a node (3997)."""
    free = replace(plain(), inputs=(), more=105_000_000)
    assert 3121 in codes(free, ledger(plain()))
    assert refused(free, ledger(plain())).code == 3997


def test_what_was_applied_before_has_all_its_inputs_spent() -> None:
    """3997 of a resubmission, and of whatever else spends the same."""
    on = ledger(plain())
    let_happen(on, plain())
    refusal = refused(plain(), on)
    assert refusal.code == 3997
    assert refusal.data == {"error": "All inputs are spent. Transaction has probably already been included"}


def test_with_one_input_left_a_double_spend_is_an_unknown_input() -> None:
    """3117, where 3997 would be if none were left."""
    both = replace(plain(), inputs=(coin(ANN), coin(ANN, number=1)))
    on = ledger(both)
    let_happen(on, plain())
    assert {"unknownOutputReferences": [reference(coin(ANN))]} == refused(both, on).data


@pytest.mark.parametrize("bounds", [{LOWER: NOW}, {UPPER: NOW + 1}, {LOWER: NOW, UPPER: NOW + 1}])
def test_a_transaction_is_valid_from_its_lower_bound_until_before_its_upper(bounds: dict[int, int]) -> None:
    """The first slot counts, the last does not."""
    assert accepted(plain().with_body(bounds))


@pytest.mark.parametrize("bounds", [{LOWER: NOW + 1}, {UPPER: NOW}, {LOWER: 1, UPPER: NOW}])
def test_a_transaction_is_not_valid_outside_its_interval(bounds: dict[int, int]) -> None:
    """3118, with the interval and the slot."""
    names = {LOWER: "invalidBefore", UPPER: "invalidAfter"}
    shown = {names[key]: bound for key, bound in bounds.items()}
    assert {"validityInterval": shown, "currentSlot": NOW} == alone(3118, plain().with_body(bounds))


def test_one_lovelace_less_than_the_fee_is_too_little() -> None:
    """3122, with what is due to the lovelace."""
    fee = least_fee(written(plain()), plain())
    data = {"minimumRequiredFee": lovelace(fee), "providedFee": lovelace(fee - 1)}
    assert accepted(replace(plain(), fee=fee))
    assert data == alone(3122, replace(plain(), fee=fee - 1))


@pytest.mark.parametrize("spending", [minting_script(), spending_script()], ids=["referenced", "in the witness set"])
def test_units_and_reference_scripts_cost(spending: Spending) -> None:
    """The fee to the lovelace, of declared units and of a script that a reference input carries."""
    fee = least_fee(written(spending), spending)
    assert accepted(replace(spending, fee=fee))
    assert refused(replace(spending, fee=fee - 1)).code == 3122


def test_a_script_that_a_spent_input_carries_costs_too() -> None:
    """It is not needed, and paid for all the same."""
    carrying = replace(plain(), inputs=(coin(ANN, script=(3, bytes(3_000))),))
    fee = least_fee(written(carrying), carrying)
    assert accepted(replace(carrying, fee=fee))
    assert lovelace(fee) == refused(replace(carrying, fee=fee - 45_000)).data["minimumRequiredFee"]


@pytest.mark.parametrize("more", [1, -1])
def test_what_goes_out_is_what_comes_in(more: int) -> None:
    """3123, to the lovelace."""
    data = alone(3123, replace(plain(), more=more))
    assert {"valueConsumed": lovelace(100_000_000), "valueProduced": lovelace(100_000_000 + more)} == data


def test_tokens_do_not_come_from_nowhere() -> None:
    """3123, with the token on one side."""
    spending = replace(plain(), outputs=(paid(BOB.address, 99_700_000, {GOLD: 1}),), change=None, fee=300_000)
    shown = {**lovelace(100_000_000), GOLD.policy.hex(): {GOLD.name.hex(): 1}}
    assert {"valueConsumed": lovelace(100_000_000), "valueProduced": shown} == alone(3123, spending)


def test_what_is_burnt_has_to_be_there() -> None:
    """3123: minted quantities count as coming in, burnt ones as going out."""
    burning = replace(minting(), mint={GOLD: -5}, inputs=(coin(ANN, tokens={GOLD: 5}),))
    assert accepted(burning)
    rest = (paid(ANN.address, 99_700_000),)
    few = replace(burning, inputs=(coin(ANN, tokens={GOLD: 4}),), outputs=rest, change=None, fee=300_000)
    assert codes(few) == [3123]


def test_deposits_and_donations_go_out() -> None:
    """A registration that puts no deposit down does not balance, nor does a donation from nowhere."""
    assert codes(replace(registering(), more=0)) == [3123]
    giving = plain().with_body({DONATION: 1_000_000})
    assert accepted(replace(giving, more=-1_000_000))
    assert codes(giving) == [3123]


def test_an_output_holds_its_min_ada() -> None:
    """3125, with the output and what is due: 4310 lovelace for each of its bytes and 160 more."""
    least = (160 + len(encode(paid(BOB.address, 1_000_000)))) * 4310
    poor = replace(plain(), outputs=(paid(BOB.address, least - 1),))
    shown = {"address": text(BOB.address), "value": lovelace(least - 1)}
    found = [{"output": shown, "minimumRequiredValue": lovelace(least)}]
    assert accepted(replace(plain(), outputs=(paid(BOB.address, least),)))
    assert {"insufficientlyFundedOutputs": found} == alone(3125, poor)


def test_a_return_of_collateral_holds_its_min_ada() -> None:
    """3125 of an output that may never come to be."""
    returning = spending_script().with_body({RETURN: paid(ANN.address, 800_000)})
    (found,) = alone(3125, returning)["insufficientlyFundedOutputs"]
    assert lovelace(800_000) == found["output"]["value"]


def test_a_value_takes_at_most_5000_bytes() -> None:
    """3120, with the output: its ada is enough, its tokens are too many."""
    tokens = {Asset(GOLD.policy, n.to_bytes(32, "big")): 1 for n in range(150)}
    spending = replace(plain(), inputs=(coin(ANN, tokens=tokens),), outputs=(paid(BOB.address, 50_000_000, tokens),))
    assert accepted(few(spending, 120))
    (output,) = (alone(3120, spending))["excessivelyLargeOutputs"]
    assert text(BOB.address) == output["address"]


def test_an_output_may_not_be_on_another_network() -> None:
    """3124, with the address."""
    elsewhere = replace(plain(), outputs=(paid(Wallet("bob", 1).address, 5_000_000),))
    assert {
        "discriminatedType": "address",
        "invalidEntities": [text(Wallet("bob", 1).address)],
        "expectedNetwork": "testnet",
    } == alone(3124, elsewhere)


def test_a_transaction_may_not_name_another_network() -> None:
    """3124, without anything invalid but itself."""
    assert accepted(plain().with_body({NETWORK: 0}))
    data = {"discriminatedType": "transaction", "expectedNetwork": "testnet"}
    assert data == alone(3124, plain().with_body({NETWORK: 1}))


def test_a_withdrawal_may_not_be_on_another_network() -> None:
    """3124 before 3141, which is told of it too: the account is not found there."""
    elsewhere = withdrawing().with_body({WITHDRAWALS: Map(((Wallet("ann", 1).account, 7_000_000),))})
    refusal = refused(elsewhere)
    assert refusal.code == 3124
    assert [text[:6] for text in (refusal.data)["invalidEntities"]] == ["stake1"]
    assert (refusal.data)["discriminatedType"] == "rewardAccount"


def test_a_transaction_takes_at_most_16384_bytes() -> None:
    """3119, to the byte; the byte that says whether it is valid does not count."""
    fits = padded(16_384)
    assert accepted(fits)
    sizes = {"measuredTransactionSize": {"bytes": 16_385}, "maximumTransactionSize": {"bytes": 16_384}}
    assert sizes == alone(3119, padded(16_385))


@pytest.mark.parametrize("units", [Units(16_500_001, 1), Units(1, 10_000_000_001)])
def test_declared_units_stay_below_the_limit(units: Units) -> None:
    """3134, of memory or of steps."""
    maximum = {"memory": 16_500_000, "cpu": 10_000_000_000}
    provided = {"memory": units.memory, "cpu": units.steps}
    data = {"providedExecutionUnits": provided, "maximumExecutionUnits": maximum}
    assert data == alone(3134, replace(spending_script(), units=units))
    assert accepted(replace(spending_script(), units=PARAMETERS.max_units))


def test_an_input_may_not_be_a_reference_too() -> None:
    """3164, with what is both. Since protocol 11 the ledger is milder, see docs/devnet-rules.md."""
    both = replace(plain(), references=(coin(ANN),))
    assert {"conflictingReferences": [reference(coin(ANN))]} == alone(3164, both)


def test_attributes_of_a_byron_address_take_at_most_64_bytes() -> None:
    """3126, with the output."""
    fits, long = (byron_address(BOB, Map(((1, encode(bytes(length))), (2, encode(42))))) for length in (64, 65))
    assert accepted(replace(plain(), outputs=(paid(fits, 5_000_000),)))
    (output,) = (alone(3126, replace(plain(), outputs=(paid(long, 5_000_000),))))["bootstrapOutputs"]
    assert lovelace(5_000_000) == output["value"]


def padded(size: int) -> Spending:
    """A transaction of exactly so many bytes, as the ledger counts them: a datum makes up for the rest."""
    spending, length = plain(), 15_000
    while True:
        chunks = [bytes(64)] * (length // 64) + [bytes(length % 64)]
        output = paid(BOB.address, 80_000_000, datum=Array(tuple(chunks)))
        spending = replace(plain(), outputs=(output,), fee=1_000_000)
        missing = size - (len(written(spending)) - 1)
        if missing == 0:
            return spending
        length += missing


def few(spending: Spending, count: int) -> Spending:
    """The same with only some of the tokens in one output, the others in the change."""
    (output,) = spending.outputs
    match output[1]:
        case Array((int(held), Map(((bytes(policy), Map(names)),)))):
            some = {Asset(policy, name): 1 for name, _ in names[:count] if isinstance(name, bytes)}
            return replace(spending, outputs=(paid(BOB.address, held, some),), change=ANN.address)
    raise ValueError("no tokens")
