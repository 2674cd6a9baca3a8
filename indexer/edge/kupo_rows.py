"""What Kupo says, read strictly: its rows one by one while they come in, points, health.

Forms and lengths are those of Kupo v2.12's OpenAPI document; members that it does not name are passed over. Whatever
is not as it must be raises KupoGarbled: a wrong row is never handed on.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, TypeVar

import msgspec

from indexer import errors
from indexer.chain.block import OutputReference
from indexer.chain.point import MAX_INTEGER, Point, Slot
from indexer.chain.seen import Seen, Spending

LONGEST_ROW: Final = 4 << 20  # bytes: a transaction has at most 16 KiB, and what it holds stands here as hex

# A text to its end, or a mark. A quotation mark alone begins a text whose end has not come in.
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["{}\[\]]', re.DOTALL)
_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_HEX: Final = re.compile("(?:[0-9a-f]{2})*+")
_ADDRESS: Final = re.compile("[0-9A-Za-z_]{1,2000}")
_ASSET: Final = re.compile(r"([0-9a-f]{56})(?:\.((?:[0-9a-f]{2}){1,32}))?")
_TAGS: Final = {"native": b"\0", "plutus:v1": b"\1", "plutus:v2": b"\2", "plutus:v3": b"\3", "plutus:v4": b"\4"}

T = TypeVar("T")


class _Point(msgspec.Struct):
    slot_no: int
    header_hash: str


class _Spent(_Point):
    transaction_id: str | None = None
    input_index: int | None = None
    redeemer: str | None = None


class _Value(msgspec.Struct):
    coins: int
    assets: dict[str, int] = {}


class _Script(msgspec.Struct):
    language: str
    script: str


class _Datum(msgspec.Struct):
    datum: str


class _Match(msgspec.Struct):
    transaction_id: str
    output_index: int
    address: str
    value: _Value
    datum_hash: str | None
    script_hash: str | None
    created_at: _Point
    spent_at: _Spent | None
    datum_type: str | None = None
    datum: str | None = None
    script: _Script | None = None


class _Health(msgspec.Struct):
    connection_status: str
    most_recent_checkpoint: int | None
    version: str


@dataclass(frozen=True, slots=True)
class Health:
    """How Kupo is, in its own words. What it takes for the node's tip stands still with it: go by the clock instead."""

    connected: bool  # with its node
    checkpoint: Slot | None
    version: str


_MATCH: Final = msgspec.json.Decoder(_Match)


class Splitter:
    """A JSON array of objects that comes in by chunks, taken apart into the texts of its objects.

    Holds no more than one object and one chunk. Raises KupoGarbled where the text is no such array.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0  # how far it was looked at
        self._depth = 0  # of braces and brackets, the array's own left out
        self._state = "before"  # before the array; "first", "next", "comma": where an object may begin; "after"

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The objects that end in this chunk."""
        self._buffer += chunk
        while True:
            if self._depth == 0 and not self._between():
                break
            if (end := self._end_of_object()) is None:
                if len(self._buffer) > LONGEST_ROW + len(chunk):
                    raise errors.KupoGarbled(f"a row of more than {LONGEST_ROW:,} bytes")
                break
            yield bytes(self._buffer[:end])
            del self._buffer[:end]
            self._at, self._state = 0, "comma"

    def close(self) -> None:
        """The text has ended. Raises KupoTruncated where the array has not."""
        if self._state != "after":
            raise errors.KupoTruncated("the answer breaks off in the middle")

    def _between(self) -> bool:
        """Go on to where an object begins, its brace included; False where that has not come in."""
        while True:
            space = _SPACE.match(self._buffer)
            assert space is not None, "no space at all is a match too"
            del self._buffer[: space.end()]
            if not self._buffer:
                return False
            match self._state, self._buffer[:1]:
                case "before", b"[":
                    self._state = "first"
                case (("first" | "next"), b"{"):
                    self._depth, self._at = 1, 1
                    return True
                case "comma", b",":
                    self._state = "next"
                case (("first" | "comma"), b"]"):
                    self._state = "after"
                case _:
                    raise errors.KupoGarbled(f"not a list of matches, at {bytes(self._buffer[:20])!r}")
            del self._buffer[:1]

    def _end_of_object(self) -> int | None:
        """Where the object ends that the buffer begins with; None where that has not come in."""
        depth = self._depth
        for token in _TOKEN.finditer(self._buffer, self._at):
            start, end = token.span()
            if end - start > 1:
                continue  # a text
            mark = self._buffer[start]
            if mark in b"{[":
                depth += 1
            elif mark in b"}]":
                depth -= 1
                if depth == 0:
                    self._depth = 0
                    return end
            else:  # a text that has not come in whole: look at it again
                self._at, self._depth = start, depth
                return None
        self._at, self._depth = len(self._buffer), depth
        return None


def read_match(text: bytes) -> Seen:
    """A row of `/matches`. Raises KupoGarbled."""
    try:
        return _seen(_MATCH.decode(text))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise errors.KupoGarbled(f"a row that is no match: {error}") from error


def read_point(text: bytes) -> Point | None:
    """A checkpoint, or null. Raises KupoGarbled."""
    found = _read(text, _Point | None, "a checkpoint")
    return None if found is None else _garbled_unless("a checkpoint", lambda: _point(found))


def read_points(text: bytes) -> list[Point]:
    """A list of checkpoints. Raises KupoGarbled."""
    found: list[_Point] = _read(text, list[_Point], "checkpoints")
    return _garbled_unless("checkpoints", lambda: [_point(point) for point in found])


def read_datum(text: bytes, hash_: bytes) -> bytes | None:
    """The datum with that hash, or null. Raises KupoGarbled, also for another datum."""
    found = _read(text, _Datum | None, "a datum")
    return None if found is None else _garbled_unless("a datum", lambda: _datum(found.datum, hash_))


def read_script(text: bytes, hash_: bytes) -> tuple[str, bytes] | None:
    """Language and bytes of the script with that hash, or null. Raises KupoGarbled, also for another script."""
    found = _read(text, _Script | None, "a script")
    return None if found is None else _garbled_unless("a script", lambda: _script(found, hash_))


def read_patterns(text: bytes) -> list[str]:
    """A list of patterns. Raises KupoGarbled."""
    found: list[str] = _read(text, list[str], "a list of patterns")
    return found


def read_health(text: bytes) -> Health:
    """The page `/health`. Raises KupoGarbled."""
    found = _read(text, _Health, "a health page")
    return Health(
        found.connection_status == "connected",
        found.most_recent_checkpoint,
        found.version,
    )


def read_hint(text: bytes) -> str:
    """What Kupo says of a refusal; the beginning of the text where it is no hint of Kupo's."""
    try:
        hint = msgspec.json.decode(text)["hint"]
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError, RecursionError):
        hint = text[:200].decode("utf-8", "replace")
    return ascii(str(hint)[:500])[1:-1]


def _read(text: bytes, kind: Any, what: str) -> Any:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise errors.KupoGarbled(f"an answer that is not {what}: {error}") from error


def _garbled_unless(what: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except ValueError as error:
        raise errors.KupoGarbled(f"an answer that is not {what}: {error}") from error


def _seen(row: _Match) -> Seen:
    """Raises ValueError with the reason."""
    datum_hash = None if row.datum_hash is None else _bytes(row.datum_hash, 32, "datum_hash")
    script_hash = None if row.script_hash is None else _bytes(row.script_hash, 28, "script_hash")
    if (datum_hash is None) is not (row.datum_type is None) or row.datum_type not in (None, "inline", "hash"):
        raise ValueError("datum_hash and datum_type contradict each other")
    if (datum_hash is None and row.datum is not None) or (script_hash is None and row.script is not None):
        raise ValueError("a datum or a script without its hash")
    if not _ADDRESS.fullmatch(row.address):
        raise ValueError("an address of other characters than addresses have")
    created = _point(row.created_at)
    if row.spent_at is not None and row.spent_at.slot_no < created.slot:
        raise ValueError("spent before it was created")
    script = None if row.script is None or script_hash is None else _script(row.script, script_hash)
    return Seen(
        OutputReference(_bytes(row.transaction_id, 32, "transaction_id"), _small(row.output_index, "output_index")),
        row.address,
        _small(row.value.coins, "coins"),
        tuple(sorted(_asset(name, quantity) for name, quantity in row.value.assets.items())),
        datum_hash,
        row.datum_type == "inline",
        None if row.datum is None or datum_hash is None else _datum(row.datum, datum_hash),
        script_hash,
        None if script is None else script[0],
        created,
        None if row.spent_at is None else _spending(row.spent_at),
    )


def _spending(spent: _Spent) -> Spending:
    return Spending(
        _small(spent.slot_no, "slot_no"),
        None if spent.transaction_id is None else _bytes(spent.transaction_id, 32, "transaction_id"),
        _bytes(spent.header_hash, 32, "header_hash"),
        None if spent.input_index is None else _small(spent.input_index, "input_index"),
        None if spent.redeemer is None else _bytes(spent.redeemer, None, "redeemer"),
    )


def _point(point: _Point) -> Point:
    return Point(_small(point.slot_no, "slot_no"), _bytes(point.header_hash, 32, "header_hash"))


def _asset(name: str, quantity: int) -> tuple[bytes, bytes, int]:
    found = _ASSET.fullmatch(name)
    if found is None or quantity <= 0:
        raise ValueError("an asset that is none")
    return bytes.fromhex(found[1]), bytes.fromhex(found[2] or ""), quantity


def _datum(text: str, hash_: bytes) -> bytes:
    datum = _bytes(text, None, "datum")
    if blake2b(datum, digest_size=32).digest() != hash_:
        raise ValueError("a datum that does not have its hash")
    return datum


def _script(script: _Script, hash_: bytes) -> tuple[str, bytes]:
    code, tag = _bytes(script.script, None, "script"), _TAGS.get(script.language)
    if tag is None or blake2b(tag + code, digest_size=28).digest() != hash_:
        raise ValueError("a script that does not have its hash")
    return script.language, code


def _small(number: int, what: str) -> int:
    if not 0 <= number <= MAX_INTEGER:
        raise ValueError(f"{what} out of range")
    return number


def _bytes(text: str, length: int | None, what: str) -> bytes:
    if not _HEX.fullmatch(text) or length not in (None, len(text) // 2):
        raise ValueError(f"{what} is not {'hex' if length is None else f'{length} bytes in hex'}")
    return bytes.fromhex(text)
