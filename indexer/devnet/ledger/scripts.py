"""Scripts: their hashes, and native ones read into clauses (conway.cddl: script, native_script)."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, TypeAlias

from indexer.chain.point import Slot
from indexer.devnet.ledger.cbor import MAX_WORD64, Malformed, Reader
from indexer.devnet.ledger.transaction import Language, Script

DEEPEST: Final = 128  # levels of a native script: the ledger has no limit, recursion has


@dataclass(frozen=True, slots=True)
class Signature:
    """This key (28-byte hash) has signed."""

    key_hash: bytes


@dataclass(frozen=True, slots=True)
class All:
    """Every one holds."""

    clauses: "tuple[Clause, ...]"


@dataclass(frozen=True, slots=True)
class Any:
    """One of them holds."""

    clauses: "tuple[Clause, ...]"


@dataclass(frozen=True, slots=True)
class Some:
    """At least so many hold; the number may be negative."""

    at_least: int
    clauses: "tuple[Clause, ...]"


@dataclass(frozen=True, slots=True)
class After:
    """The transaction cannot be in a block before `slot`: its lower bound is that or later."""

    slot: Slot


@dataclass(frozen=True, slots=True)
class Before:
    """The transaction cannot be in a block from `slot` on: its upper bound is that or earlier."""

    slot: Slot


Clause: TypeAlias = Signature | All | Any | Some | After | Before


def script_hash(language: Language, raw: bytes) -> bytes:
    """What a script is known by: blake2b-224 of the language's byte and its bytes."""
    return blake2b(bytes((language,)) + raw, digest_size=28).digest()


def plutus_script(reader: Reader, language: Language) -> Script:
    """A Plutus script; whether it is one, only phase 1 asks."""
    raw = reader.octets()
    return Script(language, raw, script_hash(language, raw))


def native_script(reader: Reader) -> Script:
    """A native script, as it is written. Raises Malformed."""
    start = reader.position
    _clause(reader, DEEPEST)
    raw = reader.since(start)
    return Script(Language.NATIVE, raw, script_hash(Language.NATIVE, raw))


def reference_script(raw: bytes) -> Script:
    """What stands in the byte string of an output's script_ref: a pair of language and script."""
    reader = Reader(raw)
    length = reader.open()
    language = Language(reader.unsigned(max(Language)))
    script = native_script(reader) if language is Language.NATIVE else plutus_script(reader, language)
    reader.close(length, 2)
    reader.end()
    return script


def clauses_of(raw: bytes) -> Clause:
    """What a native script asks for. Raises Malformed."""
    reader = Reader(raw)
    clause = _clause(reader, DEEPEST)
    reader.end()
    return clause


def _clause(reader: Reader, depth: int) -> Clause:
    if not depth:
        raise Malformed(f"a native script of more than {DEEPEST} levels, which the devnet does not take")
    length = reader.open()
    kind = reader.unsigned(5)
    clause: Clause
    match kind:
        case 0:
            clause = Signature(reader.octets(28))
        case 1:
            clause = All(_clauses(reader, depth))
        case 2:
            clause = Any(_clauses(reader, depth))
        case 3:
            clause = Some(reader.integer(-(2**63), 2**63 - 1), _clauses(reader, depth))
        case 4:
            clause = After(reader.unsigned(MAX_WORD64))
        case _:
            clause = Before(reader.unsigned(MAX_WORD64))
    reader.close(length, 3 if kind == 3 else 2)
    return clause


def _clauses(reader: Reader, depth: int) -> tuple[Clause, ...]:
    return tuple(_clause(reader, depth - 1) for _ in reader.array())
