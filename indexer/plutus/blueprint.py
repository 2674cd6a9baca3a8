"""The compiled contract out of its blueprint, `plutus.json` (CIP-57), and whether it is the one we know.

The expected schemas are not written down here: they are the shapes of our own datum and redeemers. So a blueprint that
is accepted reads and writes exactly what the Python types do.
"""

import json
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from indexer.errors import BlueprintInconsistent, BlueprintInvalid, BlueprintNotOurs
from indexer.plutus.datum import MILESTONE_DATUM
from indexer.plutus.ledger import Address, Credential, Inline, Script
from indexer.plutus.redeemer import MINT_REDEEMER, SPEND_REDEEMER
from indexer.plutus.shape import Bytes, Integer, ListOf, Shape, Sum, TupleOf

_V3: Final = b"\x03"  # what the ledger hashes before the bytes of a Plutus V3 script
_REF: Final = "#/definitions/"


@dataclass(frozen=True, slots=True)
class Blueprint:
    """The contract: its bytes as a witness or reference script holds them, and their hash (28 bytes)."""

    script: bytes
    hash: bytes

    @property
    def policy_id(self) -> bytes:
        """The policy of its state tokens: the same hash."""
        return self.hash

    def address(self, stake: Credential | None = None) -> Address:
        """Where its outputs lie, with any stake part. See `address.address_text` for the text on a network."""
        return Address(Script(self.hash), None if stake is None else Inline(stake))


def read_blueprint(text: str | bytes) -> Blueprint:
    """The contract of a blueprint.

    Raises `BlueprintInvalid` where this is no blueprint of a Plutus V3 validator that mints and spends;
    `BlueprintInconsistent` where its handlers have different code, or hashes that are not of their code;
    `BlueprintNotOurs` where its datum and redeemers are not ours.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BlueprintInvalid(f"the blueprint is no JSON: {error}") from None
    version = _member(_member(document, "preamble", dict), "plutusVersion", str)
    if version != "v3":
        raise BlueprintInvalid(f"the blueprint is of Plutus {version!r}: the contract is of v3")
    mint, spend, handlers = _handlers(document)
    script, script_hash = _script(handlers)
    definitions = document.get("definitions", {})
    for handler, part, shape in (
        (spend, "datum", MILESTONE_DATUM.shape),
        (spend, "redeemer", SPEND_REDEEMER.shape),
        (mint, "redeemer", MINT_REDEEMER.shape),
    ):
        title = handler["title"]
        if handler.get("parameters"):
            raise BlueprintNotOurs(f"{title} takes parameters")
        schema = _member(_member(handler, part, dict), "schema", dict)
        _compare(shape, schema, definitions if isinstance(definitions, dict) else {}, f"{title}, {part}")
    return Blueprint(script, script_hash)


def _handlers(document: Any) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    """What mints, what spends, and all handlers of the validator, these two among them."""
    validators = _member(document, "validators", list)
    titles = [_member(validator, "title", str) for validator in validators]
    found = []
    for purpose in ("mint", "spend"):
        named = [i for i, title in enumerate(titles) if title.endswith(f".{purpose}")]
        if len(named) != 1:
            raise BlueprintInvalid(f"the blueprint has {len(named)} validators for {purpose}: one is needed")
        found.append(validators[named[0]])
    return found[0], found[1], validators


def _script(handlers: list[dict[str, Any]]) -> tuple[bytes, bytes]:
    codes = {_member(handler, "compiledCode", str) for handler in handlers}
    hashes = {_member(handler, "hash", str) for handler in handlers}
    if len(codes) != 1:
        raise BlueprintInconsistent("the blueprint's handlers have different code: they have to be one validator")
    try:
        script = bytes.fromhex(codes.pop())
    except ValueError:
        raise BlueprintInvalid("compiledCode is no hex") from None
    script_hash = blake2b(_V3 + script, digest_size=28).digest()
    if hashes != {script_hash.hex()}:
        raise BlueprintInconsistent(f"the hash of the blueprint's code is {script_hash.hex()}: it names another")
    return script, script_hash


def _member(container: Any, key: str, kind: type) -> Any:
    if not isinstance(container, dict) or not isinstance(container.get(key), kind):
        raise BlueprintInvalid(f"no blueprint: {key!r} is missing or of the wrong kind")
    return container[key]


# --- schemas: what is expected decides how deep we look, so no definition can lead us in a circle


def _compare(shape: Shape, schema: Any, definitions: dict[str, Any], place: str) -> None:
    schema = _resolved(schema, definitions, place)
    match shape:
        case Integer():
            _expect("integer", schema.get("dataType"), place)
        case Bytes():
            _expect("bytes", schema.get("dataType"), place)
        case ListOf(item):
            _expect("list", schema.get("dataType"), place)
            _compare(item, schema.get("items"), definitions, f"{place}, items")
        case TupleOf(items):
            _expect("list", schema.get("dataType"), place)
            found = _list(schema.get("items"), len(items), f"{place}, number of items")
            for i, (item, part) in enumerate(zip(items, found, strict=True)):
                _compare(item, part, definitions, f"{place}, item {i}")
        case Sum():
            _compare_constructors(shape, schema, definitions, place)


def _compare_constructors(shape: Sum, schema: dict[str, Any], definitions: dict[str, Any], place: str) -> None:
    found = _list(schema.get("anyOf", [schema]), len(shape.constructors), f"{place}, number of constructors")
    for expected, reference in zip(shape.constructors, found, strict=True):
        here = f"{place}, {expected.title}"
        constructor = _resolved(reference, definitions, here)
        _expect("constructor", constructor.get("dataType"), here)
        _expect(expected.title, constructor.get("title"), f"{here}, title")
        _expect(expected.index, constructor.get("index"), f"{here}, index")
        fields = _list(constructor.get("fields"), len(expected.fields), f"{here}, number of fields")
        for i, (field, part) in enumerate(zip(expected.fields, fields, strict=True)):
            where = f"{here}, field {i}"
            _expect(field.title, part.get("title") if isinstance(part, dict) else None, f"{where}, title")
            _compare(field.shape, part, definitions, where)


def _resolved(schema: Any, definitions: dict[str, Any], place: str) -> dict[str, Any]:
    """What a schema refers to, or the schema itself."""
    seen = set()
    while isinstance(schema, dict) and "$ref" in schema:
        reference = str(schema["$ref"])
        if reference in seen or not reference.startswith(_REF):
            raise BlueprintNotOurs(f"{place}: {reference!r} leads nowhere")
        seen.add(reference)
        schema = definitions.get(reference.removeprefix(_REF).replace("~1", "/").replace("~0", "~"))
    if not isinstance(schema, dict):
        raise BlueprintNotOurs(f"{place}: there is no schema")
    return schema


def _list(schema: Any, length: int, place: str) -> list[Any]:
    found: list[Any] = schema if isinstance(schema, list) else []
    _expect(length, len(found), place)
    return found


def _expect(expected: object, found: object, place: str) -> None:
    if expected != found or type(expected) is not type(found):
        raise BlueprintNotOurs(f"{place}: {found!r} in the blueprint, {expected!r} here")
