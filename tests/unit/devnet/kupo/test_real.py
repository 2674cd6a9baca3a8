"""Real, signed transactions from their bytes: what the index says of them is what pycardano reads in them."""

from dataclasses import replace
from typing import Any

import pycardano  # type: ignore[import-untyped]
import pytest

from indexer.devnet.kupo.index import Index, IndexedBlock
from indexer.devnet.ledger.read import read_transaction
from tests.contract.builder import Output
from tests.contract.case import Case
from tests.contract.healthy import create, reclaim, release, sample, withdraw
from tests.contract.parts import SPEND, opened, redeemers_of
from tests.contract.script import CONTRACT
from tests.contract.terms import ADA, somebody
from tests.contract.tree import encode
from tests.unit.devnet.kupo.asking import Asking, serving
from tests.unit.devnet.kupo.making import hash_of

PUBLISHED = Output(somebody("a publisher"), {ADA: 50_000_000}, script=CONTRACT)
CASES = {
    "create": create(sample(3)),
    "release": release(sample(3)),
    "release with the script inline": release(sample(2), inline=True),
    "reclaim by hash": reclaim(sample(2), stray=True, by_hash=True),
    "withdraw": withdraw(),
    "with a script behind an output": create(
        sample(), outputs=(Output(somebody("a publisher"), {ADA: 50_000_000}, script=CONTRACT),)
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_output_is_shown_as_it_stands_in_the_transaction(name: str) -> None:
    """Addresses, quantities, hashes of datums and scripts, inline datums byte by byte."""
    case = CASES[name]
    transaction = pycardano.Transaction.from_cbor(case.transaction)
    rows = Asking(index_of_case(case)).get("/matches?resolve_hashes&order=oldest_first")
    assert [row["output_index"] for row in rows] == list(range(len(transaction.transaction_body.outputs)))
    for row, output in zip(rows, transaction.transaction_body.outputs, strict=True):
        assert row["transaction_id"] == hash_of(encode(opened(case).body)).hex()
        assert row["address"] == str(output.address)
        assets = output.amount.multi_asset or {}
        assert row["value"] == {
            "coins": output.amount.coin,
            "assets": {
                str(policy) + (f".{name.payload.hex()}" if name.payload else ""): quantity
                for policy, names in assets.items()
                for name, quantity in names.items()
            },
        }
        if row["datum"] is not None:
            assert row["datum_hash"] == hash_of(bytes.fromhex(row["datum"])).hex()
            assert row["datum"] in case.transaction.hex()
        if output.script is not None:
            assert row["script"] == {"language": "plutus:v3", "script": bytes(output.script).hex()}
            assert row["script_hash"] == str(pycardano.script_hash(output.script))
        assert (row["script"] is None) == (output.script is None)
        assert (row["datum_hash"] is None) == (output.datum is None and output.datum_hash is None)


def test_what_a_script_agreed_to_spend_names_its_redeemer() -> None:
    """Of a release the redeemer of the distribution, wherever that stands among the inputs."""
    case = CASES["release"]
    transaction = read_transaction(case.transaction)
    index = Index()
    made = [fake_source(reference.transaction_id, reference.index) for reference in transaction.inputs]
    index.apply(IndexedBlock(1, bytes(32), tuple(made)))
    index.apply(IndexedBlock(2, bytes([1] * 32), (transaction,)))
    spent = {
        (row["transaction_id"], row["output_index"]): row["spent_at"] for row in Asking(index).get("/matches?spent")
    }
    for n, reference in enumerate(sorted(transaction.inputs)):
        at = spent[reference.transaction_id.hex(), reference.index]
        redeemers: Any = redeemers_of(case)
        expected = redeemers.get((SPEND, n))
        assert (at["input_index"], at["transaction_id"]) == (n, transaction.id.hex())
        assert at["redeemer"] == (None if expected is None else encode(expected.items[0]).hex())
    assert [at["redeemer"] is None for at in spent.values()].count(False) == 1


async def test_real_transactions_are_shown_in_the_documented_form() -> None:
    index = Index()
    for slot, case in enumerate(CASES.values(), 1):
        index.apply(IndexedBlock(slot, bytes([slot] * 32), (read_transaction(case.transaction),)))
    async with serving(index) as (_, client):
        assert len((await client.get("/matches?resolve_hashes")).json()) > len(CASES)


def index_of_case(case: Case) -> Index:
    index = Index()
    index.apply(IndexedBlock(1, bytes(32), (read_transaction(case.transaction),)))
    return index


def fake_source(id_: bytes, index: int) -> Any:
    """A transaction whose output an input may be: only its id counts."""
    source = read_transaction(CASES["create"].transaction)
    return replace(source, id=id_, outputs=source.outputs[:1] * (index + 1), inputs=(), collaterals=())
