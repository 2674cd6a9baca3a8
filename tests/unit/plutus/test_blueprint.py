"""The blueprint: the checked-in one is ours, and each change to it is noticed."""

import json
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from indexer.errors import BlueprintInconsistent, BlueprintInvalid, BlueprintNotOurs
from indexer.plutus.address import address_bytes, address_text
from indexer.plutus.blueprint import read_blueprint
from indexer.plutus.ledger import Script, VerificationKey
from tests.support import addresses

TEXT = (Path(__file__).parents[3] / "plutus.json").read_text(encoding="utf-8")
HASH = bytes.fromhex(json.loads(TEXT)["validators"][0]["hash"])


def test_the_checked_in_blueprint_is_ours() -> None:
    """Its layouts are those of the Python types, its hash that of its code."""
    blueprint = read_blueprint(TEXT)
    assert HASH == blueprint.hash == blueprint.policy_id
    assert bytes.fromhex(json.loads(TEXT)["validators"][0]["compiledCode"]) == blueprint.script
    assert blueprint == read_blueprint(TEXT.encode())


@pytest.mark.parametrize("network_id", [0, 1])
def test_its_addresses_have_any_stake_part(network_id: int) -> None:
    """None, a key's, a script's; on mainnet and elsewhere."""
    blueprint = read_blueprint(TEXT)
    network: addresses.Network = "mainnet" if network_id else "testnet"
    stake = bytes([7]) * 28
    for part, expected in (
        (None, addresses.address(HASH, "script", None, network)),
        (VerificationKey(stake), addresses.address(HASH, "script", ("key", stake), network)),
        (Script(stake), addresses.address(HASH, "script", ("script", stake), network)),
    ):
        assert expected == address_text(blueprint.address(part), network_id)
        assert addresses.unbech32(expected)[1] == address_bytes(blueprint.address(part), network_id)


def test_code_is_hashed_as_a_v3_script() -> None:
    """Blake2b-224 of 03 and the code, by hand for a code of one byte."""
    document = json.loads(TEXT)
    script_hash = blake2b(b"\x03\x41\x00", digest_size=28).hexdigest()
    for validator in document["validators"]:
        validator |= {"compiledCode": "4100", "hash": script_hash}
    assert (b"\x41\x00", script_hash) == (
        read_blueprint(json.dumps(document)).script,
        read_blueprint(json.dumps(document)).hash.hex(),
    )


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", "null", "7", '"x"', "[" * 100_000, b"\xff\xfe\xfd", '{"preamble": 1}']
)
def test_what_is_no_blueprint_is_refused(text: str | bytes) -> None:
    """Broken JSON, other JSON, no text at all."""
    with pytest.raises(BlueprintInvalid) as caught:
        read_blueprint(text)
    assert caught.value.code == "blueprint.invalid"


Change = Callable[[dict[str, Any]], Any]


def validator(document: dict[str, Any], purpose: str) -> dict[str, Any]:
    return next(v for v in document["validators"] if v["title"].endswith(f".{purpose}"))


def constructor(document: dict[str, Any], definition: str, index: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = document["definitions"][definition]["anyOf"][index]
    return found


def pair(document: dict[str, Any]) -> dict[str, Any]:
    """An oracle's position and its signature."""
    return next(schema for name, schema in document["definitions"].items() if name.startswith("Tuple<<Int,"))


INVALID: dict[str, Change] = {
    "no preamble": lambda d: d.pop("preamble"),
    "no version of Plutus": lambda d: d["preamble"].pop("plutusVersion"),
    "Plutus v2": lambda d: d["preamble"].update(plutusVersion="v2"),
    "no validators": lambda d: d.pop("validators"),
    "validators that are none": lambda d: d.update(validators=[7]),
    "nothing that mints": lambda d: d["validators"].remove(validator(d, "mint")),
    "nothing that spends": lambda d: d["validators"].remove(validator(d, "spend")),
    "two that spend": lambda d: d["validators"].append(validator(d, "spend")),
    "no code": lambda d: validator(d, "mint").pop("compiledCode"),
    "no hash": lambda d: validator(d, "mint").pop("hash"),
    "code that is no hex": lambda d: [v.update(compiledCode="xx") for v in d["validators"]],
    "a spend without datum": lambda d: validator(d, "spend").pop("datum"),
    "a mint without redeemer": lambda d: validator(d, "mint").pop("redeemer"),
    "a redeemer without schema": lambda d: validator(d, "mint")["redeemer"].pop("schema"),
}
INCONSISTENT: dict[str, Change] = {
    "a mint of other code": lambda d: validator(d, "mint").update(compiledCode="4100"),
    "an else of other code": lambda d: validator(d, "else").update(compiledCode="4100"),
    "a hash of other code": lambda d: [v.update(hash="00" * 28) for v in d["validators"]],
    "one hash of other code": lambda d: validator(d, "spend").update(hash="00" * 28),
    "altered code": lambda d: [v.update(compiledCode=v["compiledCode"] + "00") for v in d["validators"]],
}
DISTRIBUTION = "types/MilestoneDatum"
NOT_OURS: dict[str, Change] = {
    "a parameter": lambda d: validator(d, "spend").update(parameters=[{"title": "owner"}]),
    "any data for a datum": lambda d: validator(d, "spend")["datum"].update(schema={}),
    "the mint's redeemer for the spend's": lambda d: validator(d, "spend").update(
        redeemer=validator(d, "mint")["redeemer"]
    ),
    "no definitions": lambda d: d.pop("definitions"),
    "definitions that are none": lambda d: d.update(definitions=[]),
    "a definition that leads nowhere": lambda d: d["definitions"].pop("types/PosixMs"),
    "a definition that leads to itself": lambda d: d["definitions"].update(Int={"$ref": "#/definitions/Int"}),
    "a reference to elsewhere": lambda d: d["definitions"].update(Int={"$ref": "https://example.org"}),
    "a definition that is a number": lambda d: d["definitions"].update(Int=7),
    "a constructor less": lambda d: d["definitions"][DISTRIBUTION]["anyOf"].pop(),
    "a constructor more": lambda d: d["definitions"][DISTRIBUTION]["anyOf"].append(constructor(d, DISTRIBUTION)),
    "constructors the other way round": lambda d: d["definitions"][DISTRIBUTION]["anyOf"].reverse(),
    "constructors that are none": lambda d: d["definitions"][DISTRIBUTION].update(anyOf=7),
    "another index": lambda d: constructor(d, DISTRIBUTION).update(index=2),
    "an index that is true": lambda d: constructor(d, DISTRIBUTION, 1).update(index=True),
    "another title": lambda d: constructor(d, DISTRIBUTION).update(title="Promise"),
    "a field less": lambda d: constructor(d, DISTRIBUTION)["fields"].pop(),
    "a field more": lambda d: constructor(d, DISTRIBUTION)["fields"].append({"$ref": "#/definitions/Int"}),
    "fields in another order": lambda d: constructor(d, DISTRIBUTION)["fields"].reverse(),
    "a field of another name": lambda d: constructor(d, "types/Allocation")["fields"][1].update(title="amount"),
    "a field without name": lambda d: constructor(d, "types/Allocation")["fields"][1].pop("title"),
    "a name where there is none": lambda d: constructor(d, "ledger/Credential")["fields"][0].update(title="hash"),
    "a field that is a number": lambda d: constructor(d, "types/Allocation").update(fields=[7] * 5),
    "bytes for a number": lambda d: d["definitions"].update(Int={"dataType": "bytes"}),
    "a number for bytes": lambda d: d["definitions"].update({"ledger/Hash28": {"dataType": "integer"}}),
    "a map for a list": lambda d: d["definitions"]["List<Int>"].update(dataType="map"),
    "a list of something else": lambda d: d["definitions"]["List<Int>"].update(items={"dataType": "bytes"}),
    "a list of anything": lambda d: d["definitions"]["List<Int>"].pop("items"),
    "a pair as a list": lambda d: pair(d).update(items={"dataType": "integer"}),
    "a pair of three": lambda d: pair(d)["items"].append({"dataType": "bytes"}),
    "a pair the other way round": lambda d: pair(d)["items"].reverse(),
    "truth the other way round": lambda d: d["definitions"]["Bool"]["anyOf"].reverse(),
    "a plain number for an option": lambda d: d["definitions"].update(
        {"Option<types/PosixMs>": {"dataType": "integer"}}
    ),
    "a third stake part": lambda d: d["definitions"]["ledger/StakeCredential"]["anyOf"].append({}),
}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        *((change, BlueprintInvalid) for change in INVALID.values()),
        *((change, BlueprintInconsistent) for change in INCONSISTENT.values()),
        *((change, BlueprintNotOurs) for change in NOT_OURS.values()),
    ],
    ids=[*INVALID, *INCONSISTENT, *NOT_OURS],
)
def test_each_change_is_noticed(change: Change, error: type[BlueprintInvalid]) -> None:
    """By the error that says what kind of trouble it is."""
    document = json.loads(TEXT)
    change(document)
    assert json.dumps(document) != json.dumps(json.loads(TEXT))
    with pytest.raises(BlueprintInvalid) as caught:
        read_blueprint(json.dumps(document))
    assert error is type(caught.value)


def test_a_difference_is_told_with_its_place() -> None:
    """Down to the field."""
    document = json.loads(TEXT)
    constructor(document, "types/Allocation")["fields"][1]["title"] = "amount"
    with pytest.raises(BlueprintNotOurs) as caught:
        read_blueprint(json.dumps(document))
    assert str(caught.value) == (
        "distribution.distribution.spend, datum, Distribution, field 4, items, Allocation, field 1, title: "
        "'amount' in the blueprint, 'token_amount' here"
    )


def test_words_for_people_may_change() -> None:
    """Descriptions, titles of types, the preamble, handlers that only pass on."""
    document = json.loads(TEXT)
    document["preamble"] |= {"title": "x", "version": "9"}
    document["definitions"]["types/Allocation"] |= {"title": "x", "description": "y"}
    document["definitions"]["ledger/Hash28"].pop("title")
    document["validators"].remove(validator(document, "else"))
    assert read_blueprint(json.dumps(document)).hash == HASH


def test_a_lone_constructor_may_stand_by_itself() -> None:
    """CIP-57 allows it without `anyOf`."""
    document = json.loads(TEXT)
    document["definitions"]["types/Allocation"] = constructor(document, "types/Allocation")
    assert read_blueprint(json.dumps(document)).hash == HASH
