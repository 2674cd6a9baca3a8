"""Holds answers of an Ogmios against its published schema, and against what its TypeScript client can read."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft7Validator, ValidationError
from jsonschema.validators import extend
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

DIRECTORY: Final = Path(__file__).parents[1] / "data" / "ogmios-schema"
_BASE16: Final = re.compile("(?:[0-9a-f]{2})*")
_GENERIC: Final = (-32600, -32603)  # errors that may answer anything, and say no method
_MISPLACED: Final = 2004  # the schema has it inside a result, and beside one: nothing can be both
_FORGOTTEN: Final = {  # answers that the schema has under another method only
    ("queryLedgerState/dump", 2002): ("queryLedgerState/utxo", "QueryLedgerStateUnavailableInCurrentEra"),
    ("submitTransaction", 3004): ("evaluateTransaction", "EvaluateTransactionResponse"),
}
_LONGEST_NUMBER: Final = 15  # characters: the client makes a BigInt of longer ones, which knows no exponents


def check(answer: str | bytes) -> dict[str, Any]:
    """The answer, if the schema allows it; else jsonschema's ValidationError, or an AssertionError."""
    said: dict[str, Any] = json.loads(answer, parse_float=_readable, object_pairs_hook=_object)
    error = said.get("error", {})
    code = error.get("code")
    if "method" not in said:
        assert code in _GENERIC
        _validator("RpcError").validate(said)
    elif code == _MISPLACED:
        _validator("QueryNetworkInvalidGenesis/properties/error").validate(error)
    elif (found := _FORGOTTEN.get((said["method"], code))) is not None:
        method, title = found
        _validator(title).validate({**said, "method": method})
    else:
        _validator(_title(said["method"]) + "Response").validate(said)
    assert "id" in said
    return said


def check_pair(request: Mapping[str, Any], answer: str | bytes) -> dict[str, Any]:
    """The same, for the answer to a request: it echoes the id, and the method if it was understood."""
    said = check(answer)
    assert (said.get("method", request["method"]), said["id"]) == (request["method"], request.get("id"))
    return said


def _title(method: str) -> str:
    return "".join(part[0].upper() + part[1:] for part in method.split("/"))


def _readable(text: str) -> float:
    assert len(text) <= _LONGEST_NUMBER or not re.search("[eE]", text), f"no client reads {text}"
    return float(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert "__proto__" not in dict(pairs), "no client reads such a key"
    return dict(pairs)


def _encoded(validator: Any, encoding: str, instance: object, schema: object) -> Iterator[ValidationError]:
    if encoding == "base16" and isinstance(instance, str) and not _BASE16.fullmatch(instance):
        yield ValidationError(f"{instance!r} is not base16")


@cache
def _registry() -> Registry[Any]:
    documents = [(name, json.loads((DIRECTORY / name).read_text())) for name in ("ogmios.json", "cardano.json")]
    return Registry().with_resources((name, Resource.from_contents(held, DRAFT7)) for name, held in documents)


@cache
def _validator(title: str) -> Any:
    strict = extend(Draft7Validator, {"contentEncoding": _encoded})  # type: ignore[no-untyped-call]
    return strict({"$ref": f"ogmios.json#/properties/{title}"}, registry=_registry())
