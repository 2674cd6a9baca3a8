"""What keeps a Plutus script from being run, though all that phase 1 asks for is there."""

from dataclasses import replace

import pytest

from indexer.devnet.ledger.parameters import mainnet
from indexer.devnet.ledger.timeline import Timeline
from indexer.devnet.ledger.transaction import Language
from tests.contract.keys import hash28
from tests.contract.parts import ledger_set
from tests.contract.tree import Array, Map, Node, encode
from tests.support.spending import (
    AGREES,
    DONATION,
    INTEGRITY,
    LOWER,
    PLUTUS_V3,
    TREASURY,
    UPPER,
    VOID,
    Spending,
    byron_address,
    coin,
    digest,
    ledger,
    paid,
    redeemers_node,
    script_address,
)
from tests.unit.devnet.ledger.spendings import ANN, CYD, accepted, alone, codes, refused, registering, spending_script

PLUTUS_V1, PLUTUS_V2 = 3, 6  # fields of a witness set
MODEL = (1, 2, 3)
OLD_LANGUAGES = replace(mainnet(), cost_models={Language.PLUTUS_V1: MODEL, Language.PLUTUS_V2: MODEL})
BYRON = byron_address(CYD, Map(((2, encode(42)),)))
SHORT = Timeline(first_slot=0, epoch_length=100, safe_zone=50)  # at `NOW` it is known until slot 1100


def old(language: int, datum: Node = VOID, **held: object) -> Spending:
    """Ann takes a coin from a script in Plutus V1 or V2, that names its datum by hash."""
    script_hash = hash28(bytes([language]) + AGREES)
    lock = coin(script_address(script_hash), 10_000_000, datum_hash=digest(encode(datum)))
    spending = replace(spending_script(held=lock), datums=(datum,))
    key = {1: PLUTUS_V1, 2: PLUTUS_V2}[language]
    return integral(spending.with_witnesses({PLUTUS_V3: None, key: ledger_set([AGREES])}), language)


def integral(spending: Spending, language: int) -> Spending:
    """With the integrity hash of its redeemers and datums, and of the model of its language."""
    model = encode(Array(MODEL))
    if language == 1:
        view = encode(Map(((b"\0", b"\x9f" + model[1:] + b"\xff"),)))
    else:
        view = encode(Map(((1, Array(MODEL)),)))
    datums = encode(ledger_set(spending.datums)) if spending.datums else b""
    return spending.with_body({INTEGRITY: digest(encode(redeemers_node(spending)) + datums + view)})


@pytest.mark.parametrize("language", [1, 2])
def test_a_language_without_a_cost_model_is_not_run(language: int) -> None:
    """3115, with its name: mainnet's parameters as we have them hold none of V1 and V2; the hash says null there."""
    null = b"\xa1\x41\x00\x41\xf6" if language == 1 else b"\xa1\x01\xf6"
    spending = old(language)
    hashed = digest(encode(redeemers_node(spending)) + encode(ledger_set((VOID,))) + null)
    assert {"missingCostModels": [f"plutus:v{language}"]} == alone(3115, spending.with_body({INTEGRITY: hashed}))


def test_a_v2_lock_needs_a_datum() -> None:
    """3114, with the input: what has no datum cannot be spent by a script older than V3."""
    lock = coin(script_address(hash28(b"\2" + AGREES)), 10_000_000)
    base = replace(old(2), datums=(), inputs=(lock, coin(ANN)))
    spending = integral(replace(base, redeemers={(0, int(lock.at > coin(ANN).at)): VOID}), 2)
    on = ledger(spending, parameters=OLD_LANGUAGES)
    assert 3114 in codes(spending, on)
    assert refused(spending, on).code == 3114


@pytest.mark.parametrize("bounds", [{LOWER: 0, UPPER: 1_100}, {UPPER: 1_100}])
def test_a_bound_past_the_horizon_is_no_time(bounds: dict[int, int]) -> None:
    """3004: where a script has to be told the time. 3130 is what Ogmios has for this, and no Conway node gives it."""
    on = ledger(spending_script(), timeline=SHORT)
    assert accepted(spending_script().with_body({UPPER: 1_099}), on)
    reason = alone(3004, spending_script().with_body(bounds), on)["reason"]
    assert reason.startswith("Uncomputable slot arithmetic; transaction's validity bounds go beyond the foreseeable")
    assert reason.endswith("slot 1100 is not before slot 1100")


def test_without_a_script_no_bound_is_too_far() -> None:
    """Nobody has to be told the time."""
    spending = registering().with_body({UPPER: 10**9})
    assert accepted(spending, ledger(spending, timeline=SHORT))


@pytest.mark.parametrize(
    ("spending", "words"),
    [
        (replace(spending_script(), outputs=(paid(BYRON, 5_000_000),)), "Found outputs to"),
        (replace(spending_script(), references=(coin(BYRON),)), "Found inputs locked by"),
    ],
    ids=["output", "reference"],
)
def test_a_script_is_shown_no_byron_address(spending: Spending, words: str) -> None:
    """3004, in Ogmios' words; the same without a script is fine."""
    reason = alone(3004, spending)["reason"]
    assert f"{words} a (legacy) Byron/Bootstrap address. Don't use those." == reason


@pytest.mark.parametrize(
    ("language", "changed", "reason"),
    [
        (2, {DONATION: 1_000_000}, "Unsupported field in transaction: 'donation'."),
        (2, {TREASURY: 0}, "Unsupported field in transaction: 'treasury'."),
    ],
)
def test_old_languages_know_nothing_of_new_fields(language: int, changed: dict[int, Node], reason: str) -> None:
    """3004."""
    spending = replace(
        old(language), more=-sum(n for key, n in changed.items() if key == DONATION and isinstance(n, int))
    )
    spending = spending.with_body(changed)
    found = alone(3004, spending, ledger(spending, parameters=OLD_LANGUAGES))["reason"]
    assert f"{reason} Use plutus:v3 or higher, or remove this field." == found


def test_plutus_v1_knows_nothing_of_inline_datums() -> None:
    """3004: of an output too."""
    spending = replace(old(1), outputs=(paid(ANN.address, 5_000_000, datum=VOID),))
    found = alone(3004, spending, ledger(spending, parameters=OLD_LANGUAGES))["reason"]
    assert found == "Inline datums not supported in plutus:v1. Use plutus:v2 or higher."


def test_plutus_v2_knows_nothing_of_votes_delegated() -> None:
    """3004."""
    spending = replace(old(2), more=-2_000_000).with_body(registering().body)
    found = alone(3004, spending, ledger(spending, parameters=OLD_LANGUAGES))["reason"]
    assert found.startswith("A certificate in the transaction isn't supported")
