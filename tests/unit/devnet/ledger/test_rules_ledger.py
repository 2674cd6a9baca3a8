"""Each rule about accounts, certificates and what the devnet does not model, broken alone."""

from dataclasses import replace

import pytest

from indexer.devnet.ledger.setting import Account
from indexer.devnet.ledger.transaction import Credential
from tests.contract.parts import ledger_set
from tests.contract.tree import Array, Map, Node
from tests.support.spending import (
    CERTIFICATES,
    DEPOSIT,
    NATIVE,
    TREASURY,
    VOTES,
    WITHDRAWALS,
    Spending,
    coin,
    ledger,
    native_hash,
)
from tests.unit.devnet.ledger.spendings import (
    ANN,
    BOB,
    REWARDS,
    SCRIPT,
    SIGNED_BY_BOB,
    accepted,
    alone,
    codes,
    delegate,
    give_up,
    lovelace,
    plain,
    refused,
    register,
    text,
    withdrawing,
)

DELEGATED = Account(DEPOSIT, REWARDS, b"\x81\x02")
EMPTY = replace(DELEGATED, rewards=0)
SCRIPT_ACCOUNT = bytes([0xF0]) + native_hash(SIGNED_BY_BOB)


def certified(*certificates: Node, more: int = 0) -> Spending:
    """Ann's transaction with certificates."""
    return replace(plain(), more=more).with_body({CERTIFICATES: Array(certificates)})


# --- Certificates


def test_a_credential_is_registered_once() -> None:
    """3145, with the credential; in one transaction too."""
    again = certified(register(ANN.hash), more=-DEPOSIT)
    assert accepted(again)
    shown = {"from": "verificationKey", "knownCredential": ANN.hash.hex()}
    assert shown == alone(3145, again, ledger(again, accounts={ANN.credential: EMPTY}))
    assert shown == alone(3145, certified(register(ANN.hash), Array((0, Array((0, ANN.hash)))), more=-2 * DEPOSIT))


@pytest.mark.parametrize("certificate", [give_up(ANN.hash), delegate(ANN.hash)], ids=["give up", "delegate"])
def test_only_what_is_registered_is_given_up_or_delegated(certificate: Node) -> None:
    """3146, with the credential."""
    shown = {"from": "verificationKey", "unknownCredential": ANN.hash.hex()}
    assert shown == alone(3146, certified(certificate))


def test_what_is_registered_in_a_transaction_can_be_given_up_in_it() -> None:
    """One after the other; the deposit comes back."""
    assert accepted(certified(register(ANN.hash), delegate(ANN.hash), give_up(ANN.hash)))


def test_a_refund_is_what_was_put_down() -> None:
    """Not what is asked for today."""
    spending = certified(give_up(ANN.hash, 400_000), more=400_000)
    assert accepted(spending, ledger(spending, accounts={ANN.credential: Account(400_000)}))


@pytest.mark.parametrize("certificate", [register(ANN.hash, DEPOSIT + 1), give_up(ANN.hash, DEPOSIT + 1)])
def test_a_deposit_or_refund_is_named_right(certificate: Node) -> None:
    """3139, which is what Ogmios makes of it since protocol 11; what counts in the balance is the right amount."""
    is_refund = certificate == give_up(ANN.hash, DEPOSIT + 1)
    spending = certified(certificate, more=DEPOSIT if is_refund else -DEPOSIT)
    accounts = {ANN.credential: EMPTY} if is_refund else {}
    assert alone(3139, spending, ledger(spending, accounts=accounts)) is None


def test_an_account_that_holds_rewards_is_not_given_up() -> None:
    """3147, with what it holds; unless they are withdrawn in the same transaction."""
    spending = certified(give_up(ANN.hash), more=DEPOSIT)
    data = alone(3147, spending, ledger(spending, accounts={ANN.credential: DELEGATED}))
    assert {"nonEmptyRewardAccountBalance": lovelace(REWARDS)} == data
    emptied = replace(spending, more=DEPOSIT + REWARDS).with_body({WITHDRAWALS: Map(((ANN.account, REWARDS),))})
    assert accepted(emptied, ledger(emptied, accounts={ANN.credential: DELEGATED}))


@pytest.mark.parametrize(("kind", "origin"), [(0, "verificationKey"), (1, "script")])
def test_a_vote_goes_to_nobody_who_is_not_registered(kind: int, origin: str) -> None:
    """3146, with the DRep, as Ogmios tells it: none can be registered here."""
    spending = certified(register(ANN.hash), delegate(ANN.hash, Array((kind, BOB.hash))), more=-DEPOSIT)
    assert {"from": origin, "unknownCredential": BOB.hash.hex()} == alone(3146, spending)


@pytest.mark.parametrize("drep", [Array((2,)), Array((3,))], ids=["abstain", "no confidence"])
def test_a_vote_may_go_to_those_whom_everybody_knows(drep: Node) -> None:
    """To abstain, or to have no confidence."""
    assert accepted(certified(register(ANN.hash), delegate(ANN.hash, drep), more=-DEPOSIT))


def test_of_several_certificates_the_last_to_offend_is_told() -> None:
    """As the ledger's rule finds them: 3146 twice, Bob's first."""
    spending = replace(certified(give_up(ANN.hash), give_up(BOB.hash)), signers=(ANN, BOB))
    assert codes(spending) == [3146, 3146]
    assert BOB.hash.hex() == refused(spending).data["unknownCredential"]


def test_a_script_agrees_to_its_registration() -> None:
    """Its native script stands in the witness set; without it: 3102."""
    certificates = Array((register(native_hash(SIGNED_BY_BOB), kind=SCRIPT),))
    spending = replace(plain(), more=-DEPOSIT, signers=(ANN, BOB)).with_body({CERTIFICATES: certificates})
    assert accepted(spending.with_witnesses({NATIVE: ledger_set([SIGNED_BY_BOB])}))
    assert alone(3102, spending) == {"missingScripts": [native_hash(SIGNED_BY_BOB).hex()]}


# --- Withdrawals


def test_rewards_are_withdrawn_from_a_delegated_account() -> None:
    """All of them."""
    assert accepted(withdrawing(), ledger(withdrawing(), accounts={ANN.credential: DELEGATED}))


@pytest.mark.parametrize("amount", [REWARDS - 1, REWARDS + 1])
def test_all_of_an_account_is_withdrawn(amount: int) -> None:
    """3141, with what the account holds."""
    spending = replace(withdrawing(), more=amount).with_body({WITHDRAWALS: Map(((ANN.account, amount),))})
    data = alone(3141, spending, ledger(spending, accounts={ANN.credential: DELEGATED}))
    assert {"incompleteWithdrawals": {text(ANN.account): lovelace(REWARDS)}} == data


def test_a_vote_has_to_be_delegated_before_rewards_are_withdrawn() -> None:
    """3150, with the key; to delegate it in the same transaction is too late."""
    accounts = {ANN.credential: Account(DEPOSIT, REWARDS)}
    marginal = {"marginalizedCredentials": [ANN.hash.hex()]}
    assert marginal == alone(3150, withdrawing(), ledger(withdrawing(), accounts=accounts))
    late = withdrawing().with_body({CERTIFICATES: Array((delegate(ANN.hash),))})
    assert marginal == alone(3150, late, ledger(late, accounts=accounts))


def test_nothing_is_withdrawn_from_an_account_that_is_not_there() -> None:
    """3150, since its vote is not delegated either; 3141 is found too."""
    assert codes(withdrawing()) == [3150, 3141]
    assert refused(withdrawing()).code == 3150


def test_a_script_withdraws_without_a_vote() -> None:
    """Nothing, as those do who want a script to run; where there is no account: 3141, with what was asked for."""
    spending = replace(plain(), signers=(ANN, BOB)).with_body({WITHDRAWALS: Map(((SCRIPT_ACCOUNT, 0),))})
    spending = spending.with_witnesses({NATIVE: ledger_set([SIGNED_BY_BOB])})
    script = Credential(native_hash(SIGNED_BY_BOB), is_script=True)
    assert accepted(spending, ledger(spending, accounts={script: Account(DEPOSIT)}))
    assert {"incompleteWithdrawals": {text(SCRIPT_ACCOUNT): lovelace(0)}} == alone(3141, spending)


# --- Treasury, size, and what is not modelled


def test_the_treasury_is_named_right() -> None:
    """3158, with both; the devnet's is empty."""
    assert accepted(plain().with_body({TREASURY: 0}))
    data = {"computedWithdrawal": lovelace(0), "providedWithdrawal": lovelace(5)}
    assert data == alone(3158, plain().with_body({TREASURY: 5}))


def test_reference_scripts_take_at_most_200_kib() -> None:
    """3166, to the byte: of all that inputs and reference inputs carry."""
    carrying = [coin(BOB, number=n, script=(3, bytes(51_200))) for n in range(1, 5)]
    fits = replace(plain(), references=tuple(carrying))
    assert accepted(fits)
    over = replace(fits, inputs=(coin(ANN, script=(3, b"\0")),))
    sizes = {"measuredReferenceScriptsSize": {"bytes": 204_801}, "maximumReferenceScriptsSize": {"bytes": 204_800}}
    assert sizes == alone(3166, over)


@pytest.mark.parametrize(
    ("kind", "rest"),
    [(2, (Array((0, ANN.hash)), bytes(28))), (16, (Array((0, ANN.hash)), 500_000_000, None))],
    ids=["delegation to a pool", "a DRep's registration"],
)
def test_other_certificates_are_refused_by_name(kind: int, rest: tuple[Node, ...]) -> None:
    """3998, which has no data: the message says which."""
    refusal = refused(certified(Array((kind, *rest))))
    assert refusal.code == 3998
    assert f"certificates of kind {kind}," in refusal.message


def test_votes_are_refused_by_name() -> None:
    """3998."""
    votes = Map(((Array((2, ANN.hash)), Map(((Array((bytes(32), 0)), Array((1, None))),))),))
    refusal = refused(plain().with_body({VOTES: votes}))
    assert refusal.code == 3998
    assert "governance (" in refusal.message
