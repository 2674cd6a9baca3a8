"""Outputs that a client gives as JSON. What cannot be read raises ValueError with the reason."""

from typing import Any, Final

from indexer.chain.block import OutputReference
from indexer.devnet import cbor
from indexer.devnet.ledger.addresses import read_address
from indexer.devnet.ledger.cbor import Malformed
from indexer.devnet.ledger.outputs import output_from
from indexer.devnet.ledger.scripts import DEEPEST
from indexer.devnet.ledger.shown import LANGUAGES
from indexer.devnet.ledger.transaction import Language, Output
from indexer.devnet.ogmios.places import read_reference

_EMBEDDED: Final = 24  # tag of CBOR in a byte string
_LANGUAGES: Final = {name: language for language, name in LANGUAGES.items()}
_MAX_WORD64: Final = 2**64 - 1


def read_utxo(value: Any) -> dict[OutputReference, Output]:
    """Outputs with their references, flat, as `queryLedgerState/utxo` answers."""
    match value:
        case list():
            return {read_reference(entry): read_output(entry) for entry in value}
    raise ValueError("there is no list of outputs")


def read_output(value: Any) -> Output:
    """An output; what it would be in CBOR is written anew, in Babbage's form."""
    value = _object(value)
    fields = {
        cbor.integer(0): cbor.byte_string(read_address(value.get("address"))),
        cbor.integer(1): _value(value.get("value")),
    }
    datum_hash, datum, script = value.get("datumHash"), value.get("datum"), value.get("script")
    if datum_hash is not None and datum is not None:
        raise ValueError("specified both 'datumHash' & 'datum'")
    if datum_hash is not None:
        fields[cbor.integer(2)] = cbor.array((cbor.integer(0), cbor.byte_string(_bytes(datum_hash))))
    if datum is not None:
        fields[cbor.integer(2)] = cbor.array((cbor.integer(1), _embedded(_bytes(datum))))
    if script is not None:
        fields[cbor.integer(3)] = _embedded(_script(script))
    try:
        return output_from(cbor.mapping(fields))
    except Malformed as error:
        raise ValueError(str(error)) from error


def _value(value: Any) -> bytes:
    match value:
        case {"ada": {"lovelace": lovelace}, **assets}:
            pass
        case _:
            raise ValueError("a value holds 'ada', and that 'lovelace'")
    coins = cbor.integer(_quantity(lovelace))
    if not assets:
        return coins
    policies = {cbor.byte_string(_bytes(policy)): _assets(names) for policy, names in sorted(assets.items())}
    return cbor.array((coins, cbor.mapping(policies)))


def _assets(names: Any) -> bytes:
    held = sorted(_object(names).items())
    return cbor.mapping({cbor.byte_string(_bytes(name)): cbor.integer(_quantity(count)) for name, count in held})


def _script(value: Any) -> bytes:
    """A pair of language and script, from that in base16, or from language and content."""
    match value:
        case str():
            return _bytes(value)
        case {"language": "native", "cbor": str(raw)}:
            return cbor.array((cbor.integer(Language.NATIVE), _bytes(raw)))
        case {"language": "native", "json": clause}:
            return cbor.array((cbor.integer(Language.NATIVE), _clause(clause, DEEPEST)))
        case {"language": "plutus:v1" | "plutus:v2" | "plutus:v3" as language, "cbor": str(raw)}:
            return cbor.array((cbor.integer(_LANGUAGES[language]), cbor.byte_string(_bytes(raw))))
    raise ValueError("missing or unknown script language.")


def _clause(value: Any, depth: int) -> bytes:
    """A native script as CBOR (conway.cddl: native_script)."""
    if depth == 0:
        raise ValueError("a native script that nests too deep")
    match value:
        case {"clause": "signature", "from": key}:
            return cbor.array((cbor.integer(0), cbor.byte_string(_bytes(key))))
        case {"clause": "all", "from": list(clauses)}:
            return cbor.array((cbor.integer(1), _clauses(clauses, depth)))
        case {"clause": "any", "from": list(clauses)}:
            return cbor.array((cbor.integer(2), _clauses(clauses, depth)))
        case {"clause": "some", "atLeast": int(least), "from": list(clauses)}:
            return cbor.array((cbor.integer(3), cbor.integer(least), _clauses(clauses, depth)))
        case {"clause": "after", "slot": slot}:
            return cbor.array((cbor.integer(4), cbor.integer(_quantity(slot))))
        case {"clause": "before", "slot": slot}:
            return cbor.array((cbor.integer(5), cbor.integer(_quantity(slot))))
    raise ValueError("couldn't decode native script")


def _clauses(clauses: list[Any], depth: int) -> bytes:
    return cbor.array(_clause(clause, depth - 1) for clause in clauses)


def _object(value: Any) -> dict[str, Any]:
    match value:
        case dict():
            return value
    raise ValueError(f"{value!r:.120} is no object")


def _embedded(raw: bytes) -> bytes:
    return cbor.tagged(_EMBEDDED, cbor.byte_string(raw))


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str) or " " in value:
        raise ValueError(f"{value!r:.120} is not in base16")
    return bytes.fromhex(value)


def _quantity(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_WORD64:
        return value
    raise ValueError(f"{value!r:.120} is no quantity")
