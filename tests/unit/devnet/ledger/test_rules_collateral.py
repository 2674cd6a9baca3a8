"""Each rule about collateral, broken alone; all of them are asked only where there are redeemers."""

from dataclasses import replace

from tests.support.spending import (
    RETURN,
    TOTAL,
    Spending,
    coin,
    native_hash,
    paid,
    script_address,
)
from tests.unit.devnet.ledger.spendings import (
    ANN,
    GOLD,
    SIGNED_BY_BOB,
    accepted,
    alone,
    codes,
    lovelace,
    plain,
    reference,
    refused,
    spending_script,
)

FEE = 300_000
DUE = 450_000  # 150 % of it


def staking(*lovelaces: int) -> Spending:
    """A transaction whose fee is `FEE`, and that stakes so much."""
    coins = tuple(coin(ANN, amount, number) for number, amount in enumerate(lovelaces, start=1))
    return replace(spending_script(), collaterals=coins, fee=FEE)


def test_a_script_without_collateral_is_refused() -> None:
    """3132 from the ledger; 3128 follows from it, and is told later."""
    assert codes(staking()) == [3128, 3132]
    assert refused(staking()).code == 3132


def test_no_collateral_is_asked_of_a_transaction_without_redeemers() -> None:
    """Even too many tokens may stand there, and too little ada."""
    assert accepted(replace(plain(), collaterals=(coin(ANN, 1, 1, tokens={GOLD: 1}),)))


def test_collateral_comes_to_one_and_a_half_fees() -> None:
    """3128, to the lovelace, and rounded up."""
    assert accepted(staking(DUE))
    assert accepted(replace(staking(DUE + 2), fee=FEE + 1))
    data = {"providedCollateral": lovelace(DUE - 1), "minimumRequiredCollateral": lovelace(DUE)}
    assert data == alone(3128, staking(DUE - 1))
    short = alone(3128, replace(staking(DUE + 1), fee=FEE + 1))
    assert short["minimumRequiredCollateral"] == lovelace(DUE + 2)


def test_what_is_returned_does_not_count() -> None:
    """3128: collateral less its return; it may come to less than nothing."""
    assert accepted(staking(DUE + 1_000_000).with_body({RETURN: paid(ANN.address, 1_000_000)}))
    data = alone(3128, staking(1_000_000).with_body({RETURN: paid(ANN.address, 2_000_000)}))
    assert data["providedCollateral"] == lovelace(-1_000_000)


def test_collateral_is_not_locked_by_a_script() -> None:
    """3129, of a native script too; those who have to sign for it do."""
    at_script = coin(script_address(native_hash(SIGNED_BY_BOB)), 5_000_000, 1)
    spending = replace(spending_script(), collaterals=(at_script,))
    assert {"unsuitableCollateralInputs": [reference(at_script)]} == alone(3129, spending)


def test_collateral_is_of_ada_alone() -> None:
    """3133, with all that is staked; unless every token is returned."""
    mixed = replace(spending_script(), collaterals=(coin(ANN, 5_000_000, 1, tokens={GOLD: 3}),))
    shown = {**lovelace(5_000_000), GOLD.policy.hex(): {GOLD.name.hex(): 3}}
    assert {"unsuitableCollateralValue": shown} == alone(3133, mixed)
    assert accepted(mixed.with_body({RETURN: paid(ANN.address, 2_000_000, {GOLD: 3})}))
    assert {"unsuitableCollateralValue": shown} == alone(
        3133, mixed.with_body({RETURN: paid(ANN.address, 2_000_000, {GOLD: 2})})
    )


def test_no_token_is_returned_that_was_not_staked() -> None:
    """3133, with the return, which is where the token is."""
    output = paid(ANN.address, 2_000_000, {GOLD: 1})
    shown = {**lovelace(2_000_000), GOLD.policy.hex(): {GOLD.name.hex(): 1}}
    assert {"unsuitableCollateralValue": shown} == alone(3133, spending_script().with_body({RETURN: output}))


def test_a_declared_total_is_what_is_lost() -> None:
    """3135, with both."""
    assert accepted(staking(DUE).with_body({TOTAL: DUE}))
    data = {"declaredTotalCollateral": lovelace(DUE - 1), "computedTotalCollateral": lovelace(DUE)}
    assert data == alone(3135, staking(DUE).with_body({TOTAL: DUE - 1}))


def test_there_are_at_most_three_collaterals() -> None:
    """3131, with their number; whether they are needed or not."""
    assert accepted(staking(DUE, DUE, DUE))
    data = {"maximumCollateralInputs": 3, "countedCollateralInputs": 4}
    assert data == alone(3131, staking(DUE, DUE, DUE, DUE))
    assert data == alone(3131, replace(plain(), collaterals=staking(1, 2, 3, 4).collaterals))
