"""Transactions are shown as Ogmios shows them: on the real chain to the letter, and always as its schema allows."""

import gzip
import json
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import pycardano  # type: ignore[import-untyped]
import pytest

from indexer.chain.block import OutputReference
from indexer.devnet.ledger.metadata import Pairs
from indexer.devnet.ledger.outputs import output_from
from indexer.devnet.ledger.read import read_transaction
from indexer.devnet.ledger.scripts import script_hash
from indexer.devnet.ledger.shown import (
    LANGUAGES,
    shown_certificate,
    shown_output,
    shown_reference,
    shown_transaction,
    shown_utxo,
)
from indexer.devnet.ledger.shown_metadata import encoded
from indexer.devnet.ledger.transaction import UnknownCertificate
from tests.contract.gallery import GALLERY
from tests.contract.tree import Chunks, Embedded, Map, Node, Tag, encode
from tests.support.schema import check
from tests.unit.devnet.client import MAINNET, PREPROD, PREVIEW
from tests.unit.devnet.ledger.rebuilt import is_told, rebuilt
from tests.unit.devnet.ledger.written import (
    ACCOUNT,
    ADDRESS,
    ID,
    IN,
    KEY,
    KEYED,
    NATIVE,
    OUT,
    POLICY,
    SCRIPT,
    SIGNED,
    UNITS,
    Pair,
    listed,
    mapped,
    outputs,
    tokens,
    written,
)

Json = dict[str, Any]


def blocks(recording: Path) -> Iterator[Json]:
    with gzip.open(recording) as lines:
        for line in lines:
            yield json.loads(line)["result"]["block"]


def transactions(recording: Path) -> Iterator[Json]:
    for block in blocks(recording):
        yield from block.get("transactions", ())


def shown(*body: Pair, **more: Any) -> Json:
    """What is shown of a small transaction, after the schema has seen it."""
    return checked(shown_transaction(read_transaction(written(*body, **more))))


def checked(*seen: Json) -> Json:
    """The first of the transactions of a block, if the schema allows a block with them."""
    block = {**next(blocks(PREVIEW)), "transactions": list(seen)}
    result = {"direction": "forward", "block": block, "tip": {"slot": 1, "id": block["id"], "height": 1}}
    check(json.dumps({"jsonrpc": "2.0", "method": "nextBlock", "result": result, "id": None}))
    return seen[0]


# Of how many the body is surely the one on the chain.
@pytest.mark.parametrize(("recording", "told", "real"), [(MAINNET, 893, 611), (PREVIEW, 100, 44), (PREPROD, 827, 744)])
def test_real_transactions_are_shown_to_the_letter(recording: Path, told: int, real: int) -> None:
    """Made into bytes again, and read, each is shown in the very text that a real Ogmios wrote: order of keys, of sets
    and of maps, addresses, hashes of scripts, datums and metadata, and where the bytes are the real ones its id."""
    known = [tx for tx in transactions(recording) if is_told(tx)]
    count = 0
    for tx in known:
        raw, is_real = rebuilt(tx)
        ours = shown_transaction(read_transaction(raw))
        count += is_real
        expected = {key: value for key, value in tx.items() if key != "validityInterval" or value}  # v6.14 shows {}
        assert json.dumps({**expected, "id": tx["id"] if is_real else ours["id"]}) == json.dumps(ours)
    assert (len(known), count) == (told, real)


@pytest.mark.parametrize("recording", [MAINNET, PREVIEW, PREPROD])
def test_hashes_of_real_scripts_and_datums_come_out_again(recording: Path) -> None:
    """Every datum and every Plutus script that real transactions show by its hash."""
    names = {name: language for language, name in LANGUAGES.items()}
    count = 0
    for tx in transactions(recording):
        for datum_hash, datum in tx.get("datums", {}).items():
            assert datum_hash == blake2b(bytes.fromhex(datum), digest_size=32).hexdigest()
            count += 1
        for found, script in tx.get("scripts", {}).items():
            if "cbor" in script:
                assert found == script_hash(names[script["language"]], bytes.fromhex(script["cbor"])).hex()
                count += 1
    assert count > 0


@pytest.mark.parametrize("name", GALLERY)
def test_whatever_we_send_is_shown_as_the_schema_allows(name: str) -> None:
    """And says of inputs, fee and validity what the builder put in."""
    tx = read_transaction(GALLERY[name]().transaction)
    seen = checked(shown_transaction(tx))
    assert seen["id"] == tx.id.hex()
    assert seen["fee"] == {"ada": {"lovelace": tx.fee}}
    assert [shown_reference(reference) for reference in sorted(tx.inputs)] == seen["inputs"]


def test_of_a_small_transaction_little_is_shown() -> None:
    """What is empty is left out, but for signatories."""
    seen = shown()
    reference = {"transaction": {"id": ID.hex()}, "index": 0}
    address = str(pycardano.Address.from_primitive(ADDRESS))
    assert seen == {
        "id": seen["id"],
        "spends": "inputs",
        "inputs": [reference],
        "outputs": [{"address": address, "value": {"ada": {"lovelace": 2_000_000}}}],
        "fee": {"ada": {"lovelace": 200_000}},
        "signatories": [],
    }
    assert list(shown(inputs=listed(), outputs=listed())) == ["id", "spends", "inputs", "fee", "signatories"]


def test_keys_come_in_the_order_of_ogmios() -> None:
    """All that a transaction can have; clients do not care, but people compare texts."""
    seen = shown(
        (22, 7),
        (21, 0),
        (18, listed(IN)),
        (17, 5),
        (16, OUT),
        (15, 1),
        (14, listed(KEY)),
        (13, listed(IN)),
        (11, ID),
        (9, tokens(quantity=-3)),
        (8, 100),
        (5, mapped((ACCOUNT, 0))),
        (4, listed(listed(0, KEYED))),
        (3, 200),
        valid=False,
        witnesses=[
            (0, listed(SIGNED)),
            (4, listed(5)),
            (5, mapped((listed(3, 0), listed(2, UNITS)), (listed(0, 7), listed(1, UNITS)))),
            (7, listed(b"\1")),
        ],
        auxiliary=Tag(259, mapped((0, mapped((1, 2))), (1, listed(NATIVE)))),
    )
    assert list(seen) == [
        "id",
        "spends",
        "inputs",
        "references",
        "outputs",
        "collaterals",
        "collateralReturn",
        "totalCollateral",
        "certificates",
        "withdrawals",
        "mint",
        "requiredExtraSignatories",
        "requiredExtraScripts",
        "network",
        "scriptIntegrityHash",
        "fee",
        "validityInterval",
        "treasury",
        "metadata",
        "signatories",
        "scripts",
        "datums",
        "redeemers",
    ]
    native = blake2b(b"\0" + encode(NATIVE), digest_size=28).hexdigest()
    plutus = blake2b(b"\3\1", digest_size=28).hexdigest()
    assert seen["spends"] == "collaterals"
    assert seen["requiredExtraScripts"] == [native]
    assert list(seen["scripts"]) == sorted([native, plutus])
    assert seen["scripts"][native] == {"language": "native", "json": {"clause": "signature", "from": KEY.hex()}}
    assert seen["scripts"][plutus] == {"language": "plutus:v3", "cbor": "01"}
    assert seen["treasury"] == {"value": {"ada": {"lovelace": 0}}, "donation": {"ada": {"lovelace": 7}}}
    assert seen["validityInterval"] == {"invalidBefore": 100, "invalidAfter": 200}
    assert seen["network"] == "mainnet"
    assert seen["mint"] == {POLICY.hex(): {b"TOKEN".hex(): -3}}
    assert [entry["validator"] for entry in seen["redeemers"]] == [
        {"index": 7, "purpose": "spend"},
        {"index": 0, "purpose": "withdraw"},
    ]
    assert seen["redeemers"][0]["redeemer"] == "01"
    assert seen["redeemers"][0]["executionUnits"] == {"memory": 1, "cpu": 2}


def test_an_interval_shows_the_bounds_that_there_are() -> None:
    """The upper one alone, or the lower."""
    assert shown((3, 9))["validityInterval"] == {"invalidAfter": 9}
    assert shown((8, 0))["validityInterval"] == {"invalidBefore": 0}


def test_sets_and_maps_come_in_the_order_of_the_ledger() -> None:
    """By hash and by number, whatever the order of the bytes; of accounts those of scripts come first."""
    low, high = listed(ID, 1), listed(ID, 0x100)
    script_account, other = b"\xf0" + b"\xff" * 28, b"\xe0" + bytes(28)
    names = mapped((b"b", 1), (b"", 2), (b"aa", 3))
    seen = shown(
        (18, listed(high, low)),
        (14, listed(SCRIPT, KEY)),
        (5, mapped((ACCOUNT, 1), (other, 2), (script_account, 3))),
        inputs=listed(high, IN, low),
        outputs=outputs(value=listed(5, mapped((b"\xff" * 28, names), (bytes(28), names)))),
    )
    assert [entry["index"] for entry in seen["inputs"]] == [0, 1, 0x100]
    assert [entry["index"] for entry in seen["references"]] == [1, 0x100]
    assert seen["requiredExtraSignatories"] == [KEY.hex(), SCRIPT.hex()]
    assert [value["ada"]["lovelace"] for value in seen["withdrawals"].values()] == [3, 2, 1]
    value = seen["outputs"][0]["value"]
    assert list(value) == ["ada", "00" * 28, "ff" * 28]
    assert list(value["00" * 28]) == ["", b"aa".hex(), b"b".hex()]


def test_outputs_show_what_they_carry() -> None:
    """A datum or its hash, and a script."""
    datum = outputs((2, listed(1, Embedded(listed(1)))), (3, Embedded(listed(2, b"\1\2"))))
    assert shown(outputs=datum)["outputs"][0] == {
        **shown()["outputs"][0],
        "datum": "8101",
        "script": {"language": "plutus:v2", "cbor": "0102"},
    }
    by_hash = shown(outputs=outputs((2, listed(0, ID))))["outputs"][0]
    assert by_hash == {**shown()["outputs"][0], "datumHash": ID.hex()}
    amounts = shown(outputs=outputs(value=listed(2**64 - 1, tokens(quantity=2**64 - 1))))["outputs"][0]["value"]
    assert amounts == {"ada": {"lovelace": 2**64 - 1}, POLICY.hex(): {b"TOKEN".hex(): 2**64 - 1}}


def test_answers_about_outputs_show_the_bytes_of_native_scripts() -> None:
    """Blocks do not."""
    output = output_from(encode(mapped((0, ADDRESS), (1, 5), (3, Embedded(listed(0, NATIVE))))))
    bare = {"language": "native", "json": {"clause": "signature", "from": KEY.hex()}}
    full = {**bare, "cbor": encode(NATIVE).hex()}
    assert shown_output(output)["script"] == bare
    result = shown_utxo({OutputReference(ID, 1): output, OutputReference(ID, 0): output})
    assert [entry["index"] for entry in result] == [0, 1]
    assert list(result[0]) == ["transaction", "index", "address", "value", "script"]
    assert result[0]["script"] == full
    check(json.dumps({"jsonrpc": "2.0", "method": "queryLedgerState/utxo", "result": result, "id": 1}))


def test_native_scripts_are_shown_clause_by_clause() -> None:
    """Every kind of them."""
    clauses = listed(NATIVE, listed(2, listed()), listed(3, -1, listed(NATIVE)), listed(4, 5), listed(5, 2**64 - 1))
    (script,) = shown(witnesses=[(1, listed(listed(1, clauses)))])["scripts"].values()
    signature = {"clause": "signature", "from": KEY.hex()}
    assert script["json"] == {
        "clause": "all",
        "from": [
            signature,
            {"clause": "any", "from": []},
            {"clause": "some", "atLeast": -1, "from": [signature]},
            {"clause": "after", "slot": 5},
            {"clause": "before", "slot": 2**64 - 1},
        ],
    }


def test_certificates_of_stake_keys_are_shown() -> None:
    """Those that the devnet models; others are an error of ours, because the rules refuse them."""
    seen = shown(
        (
            4,
            listed(
                listed(0, KEYED),
                listed(1, listed(1, SCRIPT)),
                listed(7, KEYED, 5),
                listed(8, KEYED, 0),
                listed(9, KEYED, listed(0, SCRIPT)),
                listed(9, KEYED, listed(1, SCRIPT)),
                listed(9, KEYED, listed(2)),
                listed(9, KEYED, listed(3)),
            ),
        )
    )["certificates"]
    who = {"from": "verificationKey", "credential": KEY.hex()}
    delegation = {"type": "stakeDelegation", **who}
    assert seen == [
        {"type": "stakeCredentialRegistration", **who},
        {"type": "stakeCredentialDeregistration", "from": "script", "credential": SCRIPT.hex()},
        {"type": "stakeCredentialRegistration", **who, "deposit": {"ada": {"lovelace": 5}}},
        {"type": "stakeCredentialDeregistration", **who, "deposit": {"ada": {"lovelace": 0}}},
        {
            **delegation,
            "delegateRepresentative": {"type": "registered", "from": "verificationKey", "id": SCRIPT.hex()},
        },
        {**delegation, "delegateRepresentative": {"type": "registered", "from": "script", "id": SCRIPT.hex()}},
        {**delegation, "delegateRepresentative": {"type": "abstain"}},
        {**delegation, "delegateRepresentative": {"type": "noConfidence"}},
    ]
    with pytest.raises(ValueError, match="kind 3"):
        shown_certificate(UnknownCertificate(3))


def test_signatories_come_by_the_hash_of_their_key_and_those_of_byron_last() -> None:
    """Without what is empty."""
    keys = sorted((bytes([n] * 32) for n in range(5)), key=lambda key: blake2b(key, digest_size=28).digest())
    signed = listed(*(listed(key, bytes(64)) for key in sorted(keys)))
    byron = listed(listed(bytes(32), bytes(64), bytes([1] * 32), b"\xa0"), listed(bytes(32), bytes(64), b"", b""))
    seen = shown(witnesses=[(0, signed), (2, byron)])["signatories"]
    plain = {"key": "00" * 32, "signature": "00" * 64}
    assert [key.hex() for key in keys] == [signatory["key"] for signatory in seen[:5]]
    assert seen[5:] == [{**plain, "chainCode": "01" * 32, "addressAttributes": "a0"}, plain]


METADATA: Final[dict[str, tuple[Node, Json]]] = {
    "a text": ("héllo", {"json": "héllo"}),
    "a text in pieces": (0, {"json": 0}),
    "a large number": (2**64 - 1, {"json": 2**64 - 1}),
    "a small number": (-(2**64), {"json": -(2**64)}),
    "bytes": (b"\xca\xfe", {"cbor": "42cafe"}),
    "bytes in pieces": (Chunks((b"\xca", b"\xfe")), {"cbor": "42cafe"}),
    "an empty list": (listed(), {"json": []}),
    "an empty map": (mapped(), {"json": {}}),
    "a list": (listed(1, listed("two")), {"json": [1, ["two"]]}),
    "a map": (mapped(("a", mapped((-1, "b")))), {"json": {"a": {"-1": "b"}}}),
    "a list with bytes in it": (listed(1, b"\0"), {"cbor": "82014100"}),
    "a map with bytes in it": (mapped(("a", 1), ("b", b"\0")), {"cbor": "a26161016162" + "4100"}),
    "a map by bytes": (mapped((b"\0", 1)), {"cbor": "a1410001"}),
    "a map by lists": (mapped((listed(), 1)), {"cbor": "a18001"}),
    "a key that comes twice": (mapped(("a", 1), ("a", 2)), {"json": {"a": 2}}),
    "a map by __proto__": (mapped(("a", mapped(("__proto__", 1)))), {"cbor": "a16161a1695f5f70726f746f5f5f01"}),
    "a map by a text with __proto__ in it": (mapped(("a__proto__b", 1)), {"cbor": "a16b615f5f70726f746f5f5f6201"}),
    "a map by constructor": (mapped(("constructor", 1)), {"json": {"constructor": 1}}),
    "a map by a text with constructor in it": (mapped(("constructors", 1)), {"cbor": "a16c636f6e7374727563746f727301"}),
    "a list that ends in a break, with bytes": (Map(((1, b""),), indefinite=True), {"cbor": "a10140"}),
}


@pytest.mark.parametrize("name", METADATA)
def test_metadata_is_shown_as_json_or_else_as_bytes(name: str) -> None:
    """Plain JSON where all of a label can be said in it; else the bytes as the ledger writes them."""
    value, expected = METADATA[name]
    auxiliary = mapped((674, value))
    seen = shown(auxiliary=auxiliary)["metadata"]
    assert seen == {
        "hash": blake2b(encode(auxiliary), digest_size=32).hexdigest(),
        "labels": {"674": expected},
    }


def test_labels_come_in_order_and_the_hash_is_that_of_all_of_it() -> None:
    """Whatever form the auxiliary data has."""
    labels = mapped((10, 1), (9, 2))
    for auxiliary in (labels, listed(labels, listed(NATIVE)), Tag(259, mapped((0, labels)))):
        seen = shown(auxiliary=auxiliary)["metadata"]
        assert list(seen["labels"]) == ["9", "10"]
        assert seen["hash"] == blake2b(encode(auxiliary), digest_size=32).hexdigest()
    assert shown(auxiliary=Tag(259, mapped()))["metadata"]["labels"] == {}


def test_metadata_is_written_as_short_as_can_be() -> None:
    """By hand, from RFC 8949."""
    value = Pairs(((2**32, -25), ("x" * 24, [b"", 2**64 - 1, -(2**64)])))
    expected = "a2 1b0000000100000000 3818 7818" + "78" * 24 + "83 40 1bffffffffffffffff 3bffffffffffffffff"
    assert encoded(value) == bytes.fromhex(expected)
