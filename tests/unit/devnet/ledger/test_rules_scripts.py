"""Each rule about scripts, redeemers and datums, broken alone."""

from dataclasses import replace

import pytest

from tests.contract.parts import ledger_set
from tests.contract.tree import Array, Node, encode
from tests.support.spending import (
    AGREES,
    INTEGRITY,
    LANGUAGE_V3,
    LOWER,
    NATIVE,
    NOW,
    UPPER,
    VOID,
    Spending,
    coin,
    digest,
    native_hash,
    paid,
    plutus_hash,
    script_address,
)
from tests.unit.devnet.ledger.spendings import (
    ANN,
    BOB,
    CYD,
    GOLD,
    SIGNED_BY_BOB,
    accepted,
    alone,
    codes,
    locked,
    minting,
    minting_script,
    plain,
    reference,
    refused,
    spending_script,
)

HASH = plutus_hash(AGREES)
BAD_SCRIPT = bytes.fromhex("420001")
TRAILING = b"\x46" + AGREES[1:] + b"\0"  # a program, and a byte after it


def at_native(script: Node, **bounds: int) -> Spending:
    """Ann takes a coin from a native script; nobody else signs."""
    held = coin(script_address(native_hash(script)), 10_000_000)
    spending = replace(plain(), inputs=(held, coin(ANN))).with_witnesses({NATIVE: ledger_set([script])})
    return spending.with_body({{"lower": LOWER, "upper": UPPER}[name]: bound for name, bound in bounds.items()})


# --- Scripts


def test_a_needed_script_is_there() -> None:
    """3102, with its hash: of a policy, and of a lock."""
    assert {"missingScripts": [GOLD.policy.hex()]} == alone(3102, minting().with_witnesses({NATIVE: None}))
    held = coin(script_address(native_hash(SIGNED_BY_BOB)))
    assert {"missingScripts": [GOLD.policy.hex()]} == alone(3102, replace(plain(), inputs=(held, coin(ANN))))


def test_a_script_that_nobody_needs_is_refused() -> None:
    """3104, with its hash."""
    spending = replace(minting(), mint={})
    assert {"extraneousScripts": [GOLD.policy.hex()]} == alone(3104, spending)


def test_a_script_is_not_shown_twice() -> None:
    """3104: what a reference input carries need not stand in the witness set, and so may not."""
    native = coin(CYD, number=2, script=(0, SIGNED_BY_BOB))
    assert accepted(replace(minting(), references=(native,)).with_witnesses({NATIVE: None}))
    assert {"extraneousScripts": [GOLD.policy.hex()]} == alone(3104, replace(minting(), references=(native,)))


def test_a_script_that_a_spent_input_carries_may_be_used() -> None:
    """As well as that of a reference input."""
    carrying = coin(ANN, number=3, script=(0, SIGNED_BY_BOB))
    assert accepted(replace(minting(), inputs=(carrying,)).with_witnesses({NATIVE: None}))


@pytest.mark.parametrize(
    ("script", "bounds"),
    [
        (Array((0, ANN.hash)), {}),
        (Array((1, Array(()))), {}),
        (Array((1, Array((Array((0, ANN.hash)), Array((4, 5)))))), {"lower": 5}),
        (Array((2, Array((Array((0, BOB.hash)), Array((0, ANN.hash)))))), {}),
        (Array((3, 0, Array(()))), {}),
        (Array((3, 1, Array((Array((0, BOB.hash)), Array((0, ANN.hash)))))), {}),
        (Array((4, NOW)), {"lower": NOW}),
        (Array((4, NOW - 1)), {"lower": NOW}),
        (Array((5, NOW + 5)), {"upper": NOW + 5}),
        (Array((5, NOW + 6)), {"upper": NOW + 5}),
    ],
)
def test_a_native_script_agrees(script: Node, bounds: dict[str, int]) -> None:
    """Every clause; time is what the transaction's own interval says, not the slot."""
    assert accepted(at_native(script, **bounds))


@pytest.mark.parametrize(
    ("script", "bounds"),
    [
        (Array((0, BOB.hash)), {}),
        (Array((1, Array((Array((0, ANN.hash)), Array((0, BOB.hash)))))), {}),
        (Array((2, Array(()))), {}),
        (Array((2, Array((Array((0, BOB.hash)),)))), {}),
        (Array((3, 2, Array((Array((0, BOB.hash)), Array((0, ANN.hash)))))), {}),
        (Array((4, 5)), {}),
        (Array((4, NOW)), {"lower": NOW - 1}),
        (Array((5, NOW + 5)), {}),
        (Array((5, NOW + 5)), {"upper": NOW + 6}),
    ],
)
def test_a_native_script_that_does_not_agree_is_refused(script: Node, bounds: dict[str, int]) -> None:
    """3103, with its hash."""
    assert {"failingNativeScripts": [native_hash(script).hex()]} == alone(3103, at_native(script, **bounds))


@pytest.mark.parametrize("script", [BAD_SCRIPT, TRAILING, AGREES[1:]], ids=["garbage", "a byte more", "bare"])
def test_a_script_is_a_program(script: bytes) -> None:
    """3116, with its hash, of one that an output publishes: nothing may follow the program."""
    publishing = replace(plain(), outputs=(paid(BOB.address, 5_000_000, script=(3, script)),))
    assert {"malformedScripts": [plutus_hash(script).hex()]} == alone(3116, publishing)


def test_a_script_in_the_witness_set_is_a_program() -> None:
    """3116."""
    assert {"malformedScripts": [plutus_hash(BAD_SCRIPT).hex()]} == alone(3116, spending_script(BAD_SCRIPT))


# --- Redeemers


def test_a_plutus_lock_needs_a_redeemer() -> None:
    """3109, with the output that is locked; twice, because the run is prepared all the same. No cost model, no hash."""
    spending = replace(spending_script(), redeemers={}).with_body({INTEGRITY: bare_integrity()})
    assert codes(spending) == [3109, 3109]
    missing = [{"purpose": "spend", "outputReference": reference(locked())}]
    assert {"missingRedeemers": missing} == refused(spending).data


def test_a_plutus_policy_needs_a_redeemer() -> None:
    """3109, with the policy."""
    spending = replace(minting_script(), redeemers={}).with_body({INTEGRITY: bare_integrity()})
    assert {"missingRedeemers": [{"purpose": "mint", "policy": HASH.hex()}]} == refused(spending).data


@pytest.mark.parametrize(
    ("pointer", "shown"),
    [
        ((0, 7), {"index": 7, "purpose": "spend"}),
        ((1, 0), {"index": 0, "purpose": "mint"}),
        ((3, 0), {"index": 0, "purpose": "withdraw"}),
    ],
)
def test_a_redeemer_points_at_a_plutus_script(pointer: tuple[int, int], shown: object) -> None:
    """3110, with the redeemer that points at nothing."""
    spending = spending_script()
    more = replace(spending, redeemers={**spending.redeemers, pointer: VOID})
    assert {"extraneousRedeemers": [shown]} == alone(3110, more)


def test_a_redeemer_for_a_native_script_is_refused() -> None:
    """3110: it takes no argument."""
    spending = spending_script()
    native = replace(spending, signers=(ANN, BOB), mint={GOLD: 1}, redeemers={**spending.redeemers, (1, 0): VOID})
    native = native.with_witnesses({NATIVE: ledger_set([SIGNED_BY_BOB])})
    assert alone(3110, native) == {"extraneousRedeemers": [{"index": 0, "purpose": "mint"}]}


# --- Datums


def by_hash() -> Spending:
    """A coin at a script that names its datum by hash; the datum is shown."""
    held = coin(script_address(HASH), 10_000_000, datum_hash=digest(encode(VOID)))
    return replace(spending_script(held=held), datums=(VOID,))


def test_a_datum_that_a_lock_names_is_shown() -> None:
    """3111, with its hash."""
    assert accepted(by_hash())
    assert {"missingDatums": [digest(encode(VOID)).hex()]} == alone(3111, replace(by_hash(), datums=()))


def test_a_datum_that_nobody_names_is_refused() -> None:
    """3112, with its hash."""
    extraneous = [digest(encode(5)).hex()]
    assert {"extraneousDatums": extraneous} == alone(3112, replace(spending_script(), datums=(5,)))


@pytest.mark.parametrize(
    "named",
    [
        {"outputs": (paid(BOB.address, 5_000_000, datum_hash=digest(encode(5))),)},
        {"references": (coin(CYD, number=4, datum_hash=digest(encode(5))),)},
    ],
    ids=["output", "reference"],
)
def test_a_datum_may_be_told_that_an_output_names(named: dict[str, object]) -> None:
    """Supplemental data: of outputs made and of those referred to."""
    spending = replace(spending_script(), datums=(5,))
    outputs, references = named.get("outputs", ()), named.get("references", ())
    assert isinstance(outputs, tuple)
    assert isinstance(references, tuple)
    assert accepted(replace(spending, outputs=outputs, references=references))


def test_a_datum_of_a_key_lock_is_not_shown() -> None:
    """3112: an input's hash alone allows nothing, only Plutus scripts take datums."""
    held = coin(ANN, number=3, datum_hash=digest(encode(5)))
    extraneous = [digest(encode(5)).hex()]
    assert {"extraneousDatums": extraneous} == alone(3112, replace(plain(), inputs=(held,), datums=(5,)))


def test_a_v3_lock_needs_no_datum() -> None:
    """CIP-69; 3114 is for older languages, of which the parameters hold no cost model."""
    assert accepted(spending_script(held=coin(script_address(HASH), 10_000_000)))


# --- Integrity


def test_the_integrity_hash_is_that_of_redeemers_datums_and_prices() -> None:
    """3113, with both."""
    provided = bytes([7] * 32)
    data = alone(3113, spending_script().with_body({INTEGRITY: provided}))
    assert data["providedScriptIntegrity"] == provided.hex()


def test_an_integrity_hash_is_there_where_it_has_to_be() -> None:
    """3113, null for what was not given."""
    assert alone(3113, spending_script().with_body({INTEGRITY: None}))["providedScriptIntegrity"] is None


def test_an_integrity_hash_is_not_there_where_there_is_nothing_to_hash() -> None:
    """3113, null for what was expected."""
    data = {"providedScriptIntegrity": "07" * 32, "computedScriptIntegrity": None}
    assert data == alone(3113, plain().with_body({INTEGRITY: bytes([7] * 32)}))


def test_datums_alone_have_an_integrity_hash() -> None:
    """Of no redeemers (an empty map), the datums, and no languages (an empty map)."""
    told = replace(plain(), datums=(5,), outputs=(paid(BOB.address, 5_000_000, datum_hash=digest(encode(5))),))
    assert accepted(told)


def bare_integrity() -> bytes:
    """Of a transaction that runs Plutus V3 without a redeemer."""
    return digest(b"\xa0" + LANGUAGE_V3)
