"""The witnesses of a transaction as their bytes say them (conway.cddl: transaction_witness_set)."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final, TypeVar

from indexer.devnet.ledger.body import nonempty
from indexer.devnet.ledger.cbor import SET, Major, Malformed, Reader
from indexer.devnet.ledger.data import read_data
from indexer.devnet.ledger.scripts import native_script, plutus_script
from indexer.devnet.ledger.transaction import (
    BootstrapWitness,
    KeyWitness,
    Language,
    Purpose,
    Redeemer,
    Script,
    Witnesses,
)

T = TypeVar("T")

_KEYS, _NATIVE, _BOOTSTRAPS, _PLUTUS_V1, _DATUMS, _REDEEMERS, _PLUTUS_V2, _PLUTUS_V3 = range(8)
_PLUTUS: Final = {_PLUTUS_V1: Language.PLUTUS_V1, _PLUTUS_V2: Language.PLUTUS_V2, _PLUTUS_V3: Language.PLUTUS_V3}
_MAX_UNITS: Final = 2**63 - 1


def read_witnesses(reader: Reader) -> Witnesses:
    """The witness set that comes next. Raises Malformed.

    As in the ledger a key's witness, a native script, a datum or a redeemer may come twice: of redeemers with one
    pointer the last counts. A Plutus script may not.
    """
    fields: dict[int, Any] = {}
    raw: dict[int, bytes] = {}
    for _ in reader.map():
        key = reader.unsigned()
        if key in fields or key > _PLUTUS_V3:
            raise Malformed(f"field {key} of the witnesses, twice or unknown")
        start = reader.position
        fields[key] = _field(reader, key)
        nonempty(fields[key])
        raw[key] = reader.since(start)
    scripts: tuple[Script, ...] = sum((fields.get(key, ()) for key in (_NATIVE, *_PLUTUS)), ())
    return Witnesses(
        keys=fields.get(_KEYS, ()),
        bootstraps=fields.get(_BOOTSTRAPS, ()),
        scripts=scripts,
        datums=fields.get(_DATUMS, {}),
        redeemers=fields.get(_REDEEMERS, ()),
        raw_datums=raw.get(_DATUMS),
        raw_redeemers=raw.get(_REDEEMERS),
    )


def _field(reader: Reader, key: int) -> Any:
    match key:
        case 0:
            return _distinct(reader, _key_witness)
        case 1:
            return _distinct(reader, native_script)
        case 2:
            return _distinct(reader, _bootstrap_witness)
        case 4:
            return {blake2b(raw, digest_size=32).digest(): raw for raw in _distinct(reader, read_data)}
        case 5:
            return _redeemers(reader)
        case _:
            return _plutus_scripts(reader, _PLUTUS[key])


def _distinct(reader: Reader, read: Callable[[Reader], T]) -> tuple[T, ...]:
    """What stands in a set, tagged as one or not, each once."""
    reader.allow_tag(SET)
    return tuple(dict.fromkeys([read(reader) for _ in reader.array()]))


def _plutus_scripts(reader: Reader, language: Language) -> tuple[Script, ...]:
    reader.allow_tag(SET)
    scripts = [plutus_script(reader, language) for _ in reader.array()]
    if len(set(scripts)) != len(scripts):
        raise Malformed("a Plutus script twice")
    return tuple(scripts)


def _key_witness(reader: Reader) -> KeyWitness:
    length = reader.open()
    witness = KeyWitness(reader.octets(32), reader.octets(64))
    reader.close(length, 2)
    return witness


def _bootstrap_witness(reader: Reader) -> BootstrapWitness:
    length = reader.open()
    witness = BootstrapWitness(reader.octets(32), reader.octets(64), reader.octets(), reader.octets())
    reader.close(length, 4)
    return witness


def _redeemers(reader: Reader) -> tuple[Redeemer, ...]:
    found = _redeemer_map(reader) if reader.peek() is Major.MAP else _redeemer_list(reader)
    return tuple({(redeemer.purpose, redeemer.index): redeemer for redeemer in found}.values())


def _redeemer_map(reader: Reader) -> list[Redeemer]:
    redeemers = []
    for _ in reader.map():
        length = reader.open()
        purpose, index = _pointer(reader)
        reader.close(length, 2)
        length = reader.open()
        data = read_data(reader)
        memory, steps = _units(reader)
        reader.close(length, 2)
        redeemers.append(Redeemer(purpose, index, data, memory, steps))
    return redeemers


def _redeemer_list(reader: Reader) -> list[Redeemer]:
    redeemers = []
    for _ in reader.array():
        length = reader.open()
        purpose, index = _pointer(reader)
        data = read_data(reader)
        memory, steps = _units(reader)
        reader.close(length, 4)
        redeemers.append(Redeemer(purpose, index, data, memory, steps))
    return redeemers


def _pointer(reader: Reader) -> tuple[Purpose, int]:
    return Purpose(reader.unsigned(max(Purpose))), reader.unsigned(2**32 - 1)


def _units(reader: Reader) -> tuple[int, int]:
    length = reader.open()
    units = reader.unsigned(_MAX_UNITS), reader.unsigned(_MAX_UNITS)
    reader.close(length, 2)
    return units
