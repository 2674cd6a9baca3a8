"""Every official reply about the ledger's state, to submissions and to evaluations says what it says, or is named.

A sample is kept here. `OGMIOS_VECTORS` names a directory with all of them (Ogmios, `server/test/vectors`).
"""

import gzip
import json
import os
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from indexer.chain.parameters import Units
from indexer.edge.node import node
from indexer.errors import ReplyGarbled, RequestRefused
from indexer.ogmios import ledger_state, submission
from indexer.ogmios.rulings import RULES, Verdict
from indexer.ogmios.submission import EvaluationFailed, Refused, Stage
from indexer.ogmios.text import members

with gzip.open(Path(__file__).parent / "ogmios-v7.0.0-ledger.jsonl.gz", "rt") as file:
    VECTORS = {entry["vector"]: entry["text"] for entry in map(json.loads, file)}
if all_of_them := os.environ.get("OGMIOS_VECTORS"):
    KINDS = ("Submit*", "Evaluate*", "QueryLedgerStateProtocol*", "QueryLedgerStateUtxo")
    FILES = [path for kind in KINDS for path in Path(all_of_them).glob(f"{kind}/*.json")]
    VECTORS |= {f"{path.parent.name}/{path.stem}": path.read_text(encoding="utf-8") for path in FILES}

MAX_INTEGER = 2**63 - 1  # what SQLite holds


def named(kind: str) -> list[str]:
    return sorted(name for name in VECTORS if name.startswith(kind))


def answered(kind: str) -> list[str]:
    return [name for name in named(kind) if '"result":' in VECTORS[name][:120]]


def result_of(name: str) -> bytes:
    return members(VECTORS[name].encode())["result"]


def refused(stage: Stage, error: Any) -> Refused:
    found = submission.refusal(stage, error)
    assert (found.ogmios_code, found.data) == (error["code"], error.get("data"))
    assert found.rule.name != "unknown"
    assert str(error["code"]) in str(found)
    assert str(found).isprintable()
    assert len(str(found)) < 600
    return found


@pytest.mark.parametrize("name", named("SubmitTransaction"))
def test_a_submission_has_an_id_or_a_named_refusal(name: str) -> None:
    """With the verdict that the table has for its code, or its data."""
    reply = json.loads(VECTORS[name])
    if "error" not in reply:
        assert submission.submitted(reply["result"]).hex() == reply["result"]["transaction"]["id"]
        return
    error = refused(Stage.SUBMIT, reply["error"])
    if error.ogmios_code == 3997:
        spent = "All inputs are spent" in str(reply["error"]["data"])
        assert error.verdict is (Verdict.DONE if spent else Verdict.WAIT)
    elif error.ogmios_code != 3118:
        assert error.verdict is RULES[error.ogmios_code].verdict


@pytest.mark.parametrize("name", named("EvaluateTransaction"))
def test_an_evaluation_has_units_or_says_what_failed(name: str) -> None:
    """For every validator that the reply names."""
    reply = json.loads(VECTORS[name])
    if "error" not in reply:
        expected = {
            (item["validator"]["purpose"], item["validator"]["index"]): Units(
                item["budget"]["memory"], item["budget"]["cpu"]
            )
            for item in reply["result"]
        }
        assert submission.evaluated(reply["result"]) == expected
        return
    error = refused(Stage.EVALUATE, reply["error"])
    assert isinstance(error, EvaluationFailed)
    told = reply["error"]["data"] if error.ogmios_code == 3010 else []
    assert [(item["validator"]["purpose"], item["validator"]["index"], item["error"]["code"]) for item in told] == [
        (*failure.pointer, failure.ogmios_code) for failure in error.failures
    ]


@pytest.mark.parametrize("name", answered("QueryLedgerStateProtocolParameters"))
def test_protocol_parameters_are_read_exactly(name: str) -> None:
    """Also numbers that no float holds; those of eras before Conway lack what we need, and are refused."""
    told = json.loads(VECTORS[name], parse_float=Decimal)["result"]
    needed = {"minFeeReferenceScripts", "scriptExecutionPrices", "plutusCostModels", "maxExecutionUnitsPerTransaction"}
    if not needed <= told.keys():
        with pytest.raises(ReplyGarbled):
            ledger_state.parameters(result_of(name))
        return
    found = ledger_state.parameters(result_of(name))
    prices, tiers = told["scriptExecutionPrices"], told["minFeeReferenceScripts"]
    assert (found.fee_per_byte, found.fee_constant) == (
        told["minFeeCoefficient"],
        told["minFeeConstant"]["ada"]["lovelace"],
    )
    assert (found.memory_price, found.step_price) == (Fraction(prices["memory"]), Fraction(prices["cpu"]))
    assert (found.script_price, found.script_tier, found.script_multiplier) == (
        Fraction(tiers["base"]),
        tiers["range"],
        Fraction(tiers["multiplier"]),
    )
    assert (found.max_size, found.max_value_size) == (
        told["maxTransactionSize"]["bytes"],
        told["maxValueSize"]["bytes"],
    )
    assert {key: list(model) for key, model in found.cost_models.items()} == told["plutusCostModels"]
    assert found.max_script_size == told["maxReferenceScriptsSizePerTransaction"]["bytes"]


@pytest.mark.parametrize("name", answered("QueryLedgerStateUtxo"))
def test_unspent_outputs_are_read_as_they_are(name: str) -> None:
    """Each with its reference, value, datum, and how long its script is; what no ledger can hold is refused."""
    told = json.loads(VECTORS[name])["result"]
    if any(item["value"]["ada"]["lovelace"] > MAX_INTEGER for item in told):
        with pytest.raises(ReplyGarbled):
            ledger_state.coins(result_of(name))
        return
    for coin, item in zip(ledger_state.coins(result_of(name)), told, strict=True):
        assert (coin.reference.transaction_id.hex(), coin.reference.index) == (item["transaction"]["id"], item["index"])
        assert (coin.output.address, coin.output.lovelace) == (item["address"], item["value"]["ada"]["lovelace"])
        held = {(policy.hex(), asset.hex()): quantity for policy, asset, quantity in coin.output.assets}
        assert held == {(p, n): q for p, names in item["value"].items() if p != "ada" for n, q in names.items()}
        assert (coin.output.datum.hex() if coin.output.datum is not None else None) == item.get("datum")
        assert coin.script_size == len(item.get("script", {}).get("cbor", "")) // 2


@pytest.mark.parametrize("name", sorted(set(named("QueryLedgerState")) - set(answered("QueryLedgerState"))))
async def test_a_query_that_is_refused_is_refused_by_name(name: str) -> None:
    """An era that does not fit, a query that is not available: with the code, whatever was asked."""
    vector = json.loads(VECTORS[name])

    async def ogmios(socket: ServerConnection) -> None:
        async for text in socket:
            await socket.send(json.dumps(vector | {"id": json.loads(text)["id"]}))

    async with serve(ogmios, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with node(f"ws://127.0.0.1:{port}", {}, 5) as client:
            with pytest.raises(RequestRefused, match=str(vector["error"]["code"])):
                await client.parameters()
