"""The devnet's own checks, hashes and effects, on transactions that real chains took, recorded by Ogmios.

Most recordings are in the repository; the largest is looked at where it is there.
"""

import gzip
import json
import re
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from indexer.chain.block import OutputReference
from indexer.devnet.ledger.outputs import output_from
from indexer.devnet.ledger.parameters import mainnet
from indexer.devnet.ledger.read import read_transaction
from indexer.devnet.ledger.rules_witnesses import verifies
from indexer.devnet.ledger.scripts import script_hash
from indexer.devnet.ledger.shown import shown_output
from indexer.devnet.ledger.state import Ledger, Pots
from indexer.devnet.ledger.transaction import Language, Transaction
from tests.unit.devnet.client import DEEP, MAINNET, PREPROD, PREVIEW, ROOT
from tests.unit.devnet.ledger.rebuilt import Way, clause, output, rebuilt

Json = dict[str, Any]

LARGEST = ROOT.parent / "shared" / "corpus" / "preview-from-origin-slot-1.08M-1.29M.v6.jsonl.gz"
FAILURES = ROOT / "tests" / "data" / "preview-phase-2-failures-19.v6.jsonl.gz"
LANGUAGES = {
    "native": Language.NATIVE,
    "plutus:v1": Language.PLUTUS_V1,
    "plutus:v2": Language.PLUTUS_V2,
    "plutus:v3": Language.PLUTUS_V3,
}
# Of each recording: signatures, datums, scripts that transactions show.
COUNTS = {
    MAINNET: (1_421, 150, 222),
    PREPROD: (875, 3, 40),
    PREVIEW: (216, 49, 16),
    LARGEST: (18_964, 728, 4_845),
}
RECORDINGS = [path for path in COUNTS if path.exists()]


def named(path: Path) -> str:
    return path.name.partition(".")[0]


def transactions(path: Path) -> Iterator[Json]:
    with gzip.open(path, "rt") as lines:
        for line in lines:
            said = json.loads(line)
            yield from said.get("result", said)["block"].get("transactions", ())


def signed(tx: Json) -> list[tuple[bytes, bytes, bytes]]:
    """Key, signature and message. Behind a key of Byron's v6 has its chain code."""
    return [
        (bytes.fromhex(each["key"])[:32], bytes.fromhex(each["signature"]), bytes.fromhex(tx["id"]))
        for each in tx["signatories"]
    ]


@pytest.mark.parametrize("path", RECORDINGS, ids=named)
def test_every_signature_on_the_chain_is_right(path: Path) -> None:
    """Over the transaction's id, by keys of wallets and of Byron's; and over nothing else."""
    found = [each for tx in transactions(path) for each in signed(tx)]
    assert COUNTS[path][0] == len(found)
    assert all(verifies(*each) for each in found)
    assert not any(verifies(key, signature, message[::-1]) for key, signature, message in found[:50])


def test_every_signature_beside_a_script_of_ten_thousand_levels_is_right() -> None:
    """In a block that nests too deep for a JSON reader."""
    text = gzip.decompress(DEEP.read_bytes()).decode()
    ids, signatories = re.findall(r'\{"id":"(\w+)","spends"', text), re.findall(r'"signatories":(\[[^]]*\])', text)
    found = [
        each
        for id_, signatures in zip(ids, signatories, strict=True)
        for each in signed({"id": id_, "signatories": json.loads(signatures)})
    ]
    assert len(found) == 5
    assert all(verifies(*each) for each in found)


@pytest.mark.parametrize("path", RECORDINGS, ids=named)
def test_datums_and_scripts_have_the_hashes_that_the_chain_knows_them_by(path: Path) -> None:
    """blake2b-256 of a datum; blake2b-224 of a script behind its language: of a native one its CBOR, written anew."""
    datums = [item for tx in transactions(path) for item in tx.get("datums", {}).items()]
    scripts = [item for tx in transactions(path) for item in tx.get("scripts", {}).items()]
    assert COUNTS[path][1:] == (len(datums), len(scripts))
    for hash_, datum in datums:
        assert hash_ == blake2b(bytes.fromhex(datum), digest_size=32).hexdigest()
    for hash_, script in scripts:
        raw = clause(script["json"]) if script["language"] == "native" else bytes.fromhex(script["cbor"])
        assert hash_ == script_hash(LANGUAGES[script["language"]], raw).hex()


# --- Scripts that failed


def failures() -> list[Json]:
    with gzip.open(FAILURES, "rt") as lines:
        return [json.loads(line) for line in lines]


def reference(told: Json) -> OutputReference:
    return OutputReference(bytes.fromhex(told["transaction"]["id"]), told["index"])


def taken(told: Json) -> Transaction:
    """A failure from its own bytes: they are the real ones, for their hash is the id that the chain knows."""
    raw, is_real = rebuilt(told)
    assert is_real
    return read_transaction(raw)


def before(told: list[Json]) -> Ledger:
    """What the failures name: what each of them stakes, and what all of them would have spent."""
    utxo = {reference(each["staked"]): output_from(output(each["staked"], Way())) for each in told}
    locked = {reference(place) for each in told for place in each["failed"]["inputs"]}
    assert (len(utxo), len(locked)) == (19, 1)
    return Ledger(mainnet(), 0, {**utxo, **dict.fromkeys(locked, next(iter(utxo.values())))})


def test_scripts_that_failed_on_the_chain_cost_the_collateral_and_nothing_else() -> None:
    """What they would have spent is left for the next to fail on; ten ada are staked each time, and seven come back."""
    told = failures()
    ledger = before(told)
    locked = reference(told[0]["failed"]["inputs"][0])
    kept = ledger.utxo[locked]
    for each in told:
        unspent = set(ledger.utxo)
        tx = taken(each["failed"])
        ledger.apply(tx, each["slot"])
        assert unspent - set(ledger.utxo) == {reference(each["staked"])}
        (returned,) = set(ledger.utxo) - unspent
        assert each["failed"]["collateralReturn"] == shown_output(ledger.utxo[returned])
        assert not {OutputReference(tx.id, 0)} & set(ledger.utxo)  # the output that it promised
    assert kept == ledger.utxo[locked]
    assert Pots(fees=19 * (10_000_000 - 7_000_000)) == ledger.pots
    assert [each["failed"]["totalCollateral"] for each in told] == [{"ada": {"lovelace": 3_000_000}}] * 19


def test_what_came_back_lies_where_later_blocks_spent_it() -> None:
    """At index 1, behind the one output that was promised: somebody spent each, and nothing else of a failure."""
    told = failures()
    ledger, ids = before(told), {bytes.fromhex(each["failed"]["id"]) for each in told}
    for each in told:
        ledger.apply(taken(each["failed"]), each["slot"])
    spent = {reference(place) for each in told for place in each["spender"]["inputs"]}
    of_failures = {place for place in spent if place.transaction_id in ids}
    assert {OutputReference(id_, 1) for id_ in ids} == of_failures
    assert of_failures == {place for place in ledger.utxo if place.transaction_id in ids}


def test_failures_can_be_undone_like_anything_else() -> None:
    """The last first."""
    told = failures()
    ledger = before(told)
    utxo = dict(ledger.utxo)
    undos = [ledger.apply(taken(each["failed"]), each["slot"]) for each in told]
    for undo in reversed(undos):
        ledger.undo(undo)
    assert (utxo, Pots()) == (ledger.utxo, ledger.pots)
