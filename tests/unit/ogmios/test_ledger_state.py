"""What replies about the ledger's state say, in both versions, and where they say nothing."""

import json
from typing import Any

import pytest

from indexer.chain.block import OutputReference
from indexer.chain.parameters import Units
from indexer.chain.point import ORIGIN, Point
from indexer.chain.time import Era
from indexer.errors import ReplyGarbled
from indexer.ogmios import ledger_state
from tests.contract.parameters import PARAMETERS, SOURCE
from tests.contract.parameters import Units as Theirs

SHOWN = json.loads(SOURCE.read_text(encoding="utf-8"))["parameters"]


def read(**changes: Any) -> Any:
    return ledger_state.parameters(json.dumps(SHOWN | changes).encode())


def test_both_names_of_the_limit_of_reference_scripts_are_read() -> None:
    """v6.14 has one limit for all, v7.0 one a transaction."""
    old = {key: value for key, value in SHOWN.items() if not key.startswith("maxReferenceScriptsSizePer")}
    text = json.dumps(old | {"maxReferenceScriptsSize": {"bytes": 204_800}}).encode()
    assert ledger_state.parameters(text) == read(maxReferenceScriptsSizePerTransaction={"bytes": 204_800})


@pytest.mark.parametrize("length", [300, 1_097, 16_384])
@pytest.mark.parametrize("units", [(0, 0), (236_000, 198_000_001), (16_500_000, 10_000_000_000)])
@pytest.mark.parametrize("scripts", [0, 1, 4_136, 25_599, 25_600, 60_000, 204_800])
def test_the_fee_is_that_of_the_ledger(length: int, units: tuple[int, int], scripts: int) -> None:
    """By the formula of the contract's bench, over mainnet's parameters; the validity byte does not count."""
    expected = PARAMETERS.minimum_fee(length - 1, Theirs(*units), scripts)
    assert expected == read().minimum_fee(length, Units(*units), scripts)


def test_min_ada_and_collateral_are_those_of_the_ledger() -> None:
    """160 bytes more than the output has, at 4,310 lovelace each; one and a half fees, rounded up."""
    assert read().minimum_lovelace(65) == 225 * 4_310 == PARAMETERS.minimum_lovelace(bytes(65))
    assert read().minimum_collateral(170_001) == 255_002


@pytest.mark.parametrize(
    "changes",
    [
        {"minFeeCoefficient": -1},
        {"minFeeCoefficient": 44.0},
        {"minFeeCoefficient": True},
        {"scriptExecutionPrices": {"memory": "1/0", "cpu": "1/2"}},
        {"minFeeReferenceScripts": {"base": 15, "range": 0, "multiplier": 1.2}},
        {"plutusCostModels": {"plutus:v3": ["1"]}},
        {"version": None},
    ],
)
def test_parameters_that_make_no_sense_are_garbled(changes: dict[str, Any]) -> None:
    """No transaction is built on a guess."""
    with pytest.raises(ReplyGarbled):
        read(**changes)


def test_a_script_that_nests_deeper_than_parsers_go_is_only_a_coin_that_is_left_alone() -> None:
    """Anybody can pay to a wallet, with such a script."""
    deep = b'{"language":"native","json":%s{}%s,"cbor":"8200"}' % (b'{"clause":"all","from":[' * 9000, b"]}" * 9000)
    text = (
        b'[{"transaction":{"id":"%s"},"index":3,"address":"addr_test1vqg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygxrcya6",'
        b'"value":{"ada":{"lovelace":5}},"script":%s}]' % (b"ab" * 32, deep)
    )
    (coin,) = ledger_state.coins(text)
    assert (coin.reference, coin.output.lovelace, coin.script_size) == (OutputReference(b"\xab" * 32, 3), 5, 2)


@pytest.mark.parametrize("text", [b"7", b"[{}]", b'[{"transaction":{"id":"ab"},"index":0}]', b"["])
def test_unspent_outputs_of_another_form_are_garbled(text: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(ReplyGarbled):
        ledger_state.coins(text)


def test_a_tip_is_a_point_or_the_origin() -> None:
    """Anything else is garbled."""
    assert ledger_state.place({"slot": 7, "id": "ab" * 32}) == Point(7, b"\xab" * 32)
    assert ledger_state.place("origin") == ORIGIN
    for wrong in ("tip", {}, {"slot": -1, "id": "ab" * 32}, {"slot": 1, "id": "ab"}, None):
        with pytest.raises(ReplyGarbled):
            ledger_state.place(wrong)


def summary(slot: int, seconds: int, end: Any) -> dict[str, Any]:
    start = {"time": {"seconds": seconds}, "slot": slot, "epoch": 0}
    return {"start": start, "end": end, "parameters": {"slotLength": {"milliseconds": 1000}}}


def test_the_last_eras_end_is_how_far_time_can_be_told() -> None:
    """Where it is left out, or nothing, for ever."""
    start = "2024-01-01T00:00:00Z"
    found = ledger_state.timeline(start, [summary(0, 0, {"slot": 0}), summary(0, 0, {"slot": 86_400})])
    assert found.eras == (Era(0, 1_704_067_200_000, 1000),)
    assert found.horizon == 86_400
    assert ledger_state.timeline(start, [summary(0, 0, None)]).horizon is None
    with pytest.raises(ReplyGarbled):
        ledger_state.timeline(start, [summary(0, 0, {"slot": "soon"})])
