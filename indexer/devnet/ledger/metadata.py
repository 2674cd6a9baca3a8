"""What a transaction carries along: metadata and scripts (conway.cddl: auxiliary_data)."""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from indexer.devnet.ledger.cbor import Major, Malformed, Reader
from indexer.devnet.ledger.scripts import native_script, plutus_script
from indexer.devnet.ledger.transaction import Language, Script

DEEPEST: Final = 128  # levels of metadata: the ledger has no limit, recursion has
LONGEST: Final = 64  # bytes of a byte string or a text
_IN_A_MAP: Final = 259  # tag

Metadatum: TypeAlias = "int | bytes | str | list[Metadatum] | Pairs"


@dataclass(frozen=True, slots=True)
class Pairs:
    """A map of metadata. Keys are of any kind, and may come twice."""

    pairs: tuple[tuple[Metadatum, Metadatum], ...]


@dataclass(frozen=True, slots=True)
class AuxiliaryData:
    """Metadata by label, in the order of the labels, and scripts."""

    metadata: dict[int, Metadatum] = field(default_factory=dict)
    scripts: tuple[Script, ...] = ()


def read_auxiliary_data(reader: Reader) -> AuxiliaryData:
    """The auxiliary data that comes next, in any of its three forms. Raises Malformed."""
    match reader.peek():
        case Major.MAP:
            return AuxiliaryData(_metadata(reader))
        case Major.ARRAY:
            length = reader.open()
            metadata = _metadata(reader)
            scripts = tuple(native_script(reader) for _ in reader.array())
            reader.close(length, 2)
            return AuxiliaryData(metadata, scripts)
        case _:
            reader.expect_tag(_IN_A_MAP)
            return _fields(reader)


def auxiliary_data(raw: bytes) -> AuxiliaryData:
    """The same from its bytes alone."""
    reader = Reader(raw)
    found = read_auxiliary_data(reader)
    reader.end()
    return found


def _fields(reader: Reader) -> AuxiliaryData:
    metadata: dict[int, Metadatum] = {}
    scripts: dict[int, tuple[Script, ...]] = {}
    seen = set()
    for _ in reader.map():
        key = reader.unsigned(4)
        if key in seen:
            raise Malformed(f"field {key} of the auxiliary data twice")
        seen.add(key)
        if key == 0:
            metadata = _metadata(reader)
        elif key == 1:
            scripts[key] = tuple(native_script(reader) for _ in reader.array())
        else:
            scripts[key] = tuple(plutus_script(reader, Language(key - 1)) for _ in reader.array())
    return AuxiliaryData(metadata, tuple(script for key in sorted(scripts) for script in scripts[key]))


def _metadata(reader: Reader) -> dict[int, Metadatum]:
    labels: dict[int, Metadatum] = {}
    for _ in reader.map():
        label = reader.unsigned()
        if label in labels:
            raise Malformed(f"metadata label {label} twice")
        labels[label] = _metadatum(reader, DEEPEST)
    return dict(sorted(labels.items()))


def _metadatum(reader: Reader, depth: int) -> Metadatum:
    if not depth:
        raise Malformed(f"metadata of more than {DEEPEST} levels, which the devnet does not take")
    match reader.peek():
        case Major.UNSIGNED | Major.NEGATIVE:
            return reader.integer()
        case Major.BYTES:
            return _short(b"".join(reader.pieces()))
        case Major.TEXT:
            text = reader.text()
            _short(text.encode())
            return text
        case Major.ARRAY:
            return [_metadatum(reader, depth - 1) for _ in reader.array()]
        case Major.MAP:
            return Pairs(tuple((_metadatum(reader, depth - 1), _metadatum(reader, depth - 1)) for _ in reader.map()))
        case kind:
            raise Malformed(f"metadata has no {kind.name.lower()}")


def _short(content: bytes) -> bytes:
    if len(content) > LONGEST:
        raise Malformed(f"metadata of {len(content)} bytes in one piece, where {LONGEST} may be")
    return content
