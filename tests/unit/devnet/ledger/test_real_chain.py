"""The devnet's own checks and hashes, on transactions that the real chain took (`tests/data`, recorded by Ogmios)."""

import gzip
import json
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from indexer.devnet.ledger.rules_witnesses import verifies
from indexer.devnet.ledger.scripts import script_hash
from indexer.devnet.ledger.transaction import Language

DATA = Path(__file__).parents[3] / "data"
RECORDINGS = ("mainnet-conway-35-blocks.v7.jsonl.gz", "preprod-babbage-913-contiguous.v6.jsonl.gz")
LANGUAGES = {"plutus:v1": Language.PLUTUS_V1, "plutus:v2": Language.PLUTUS_V2, "plutus:v3": Language.PLUTUS_V3}


def transactions(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(DATA / name, "rt") as lines:
        for line in lines:
            said = json.loads(line)
            yield from said.get("result", said)["block"].get("transactions", ())


@pytest.mark.parametrize(("name", "count"), list(zip(RECORDINGS, (1_421, 875), strict=True)))
def test_every_signature_on_the_chain_is_right(name: str, count: int) -> None:
    """Over the transaction's id, by keys of wallets and of Byron's (whose key has its chain code behind it in v6)."""
    signed = [
        (bytes.fromhex(each["key"])[:32], bytes.fromhex(each["signature"]), bytes.fromhex(tx["id"]))
        for tx in transactions(name)
        for each in tx["signatories"]
    ]
    assert count == len(signed)
    assert all(verifies(*each) for each in signed)
    assert not any(verifies(key, signature, tx[::-1]) for key, signature, tx in signed[:50])


@pytest.mark.parametrize("name", RECORDINGS)
def test_datums_and_scripts_have_the_hashes_that_the_chain_knows_them_by(name: str) -> None:
    """blake2b-256 of a datum; blake2b-224 of a script's bytes behind its language."""
    datums = [item for tx in transactions(name) for item in tx.get("datums", {}).items()]
    assert datums
    assert all(hash_ == blake2b(bytes.fromhex(datum), digest_size=32).hexdigest() for hash_, datum in datums)
    scripts = [item for tx in transactions(name) for item in tx.get("scripts", {}).items()]
    plutus = [(hash_, script) for hash_, script in scripts if script["language"] in LANGUAGES]
    assert plutus
    for hash_, script in plutus:
        assert hash_ == script_hash(LANGUAGES[script["language"]], bytes.fromhex(script["cbor"])).hex()
