"""Recorded blocks, and how they are linked into a chain.

A recording is text, one Ogmios `nextBlock` answer a line, and stays text: a block may nest deeper than any
JSON parser follows, so we find the few fields that we need by skipping over values, and patch those alone.
"""

import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Final, Protocol, TypeAlias, cast

from indexer.chain.point import MAX_INTEGER, BlockHeight, Point, Slot
from indexer.errors import IndexerError

SLOTS_BETWEEN: Final = 20  # where a recording does not say how far apart two blocks are
ROUNDS_REMEMBERED: Final = 4  # followers of a repeated chain are seldom in more rounds than that at once

Span: TypeAlias = tuple[int, int]


class RecordingUnreadable(IndexerError):
    """A file that was named as a recording does not hold recorded blocks."""

    code = "devnet.recording_unreadable"
    hint = "each line must be one whole Ogmios `nextBlock` answer of direction forward; the file may be gzipped"


class Block(Protocol):
    """What a chain is made of: a recorded block, or one that was just made."""

    @property
    def id(self) -> bytes:
        """The header hash, 32 bytes."""

    @property
    def height(self) -> BlockHeight:
        """How many blocks lie beneath it."""

    @property
    def slot(self) -> Slot | None:
        """When it was made; None for a Byron epoch boundary, which no point can name."""

    @property
    def text(self) -> bytes:
        """The block as Ogmios writes it."""


@dataclass(frozen=True, slots=True)
class MadeBlock:
    """A block whose text is at hand."""

    id: bytes
    height: BlockHeight
    slot: Slot | None
    text: bytes


def point_of(block: Block) -> Point | None:
    """The point that names a block; None for an epoch boundary."""
    return None if block.slot is None else Point(block.slot, block.id)


# Text: where a value ends, without reading what is in it.

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_SCALAR = re.compile(_STRING + rb"|-?[0-9][0-9.eE+-]*+|true|false|null")
_BRACKET = re.compile(_STRING + rb"|[{}\[\]]")
_SPACE = re.compile(rb"[ \t\r\n]*+")
_BLOCK_ID = re.compile(rb'"[0-9a-f]{64}"')
_ANCESTOR = re.compile(rb'"(?:[0-9a-f]{64}|genesis)"')
_NATURAL = re.compile(rb"0|[1-9][0-9]{0,18}")
_TOKEN = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


def _shallow(depth: int) -> re.Pattern[bytes]:
    """A container nested up to `depth` levels: one match, where counting brackets takes a loop."""
    pattern = rb"(?!)"
    for _ in range(depth):
        pattern = rb'[\[{](?:[^"{}\[\]]++|' + _STRING + rb"|" + pattern + rb")*+[\]}]"
    return re.compile(pattern)


_SHALLOW = _shallow(16)


def value_end(text: bytes, start: int) -> int:
    """Where the JSON value at `start` ends. Raises ValueError where it does not."""
    if text[start : start + 1] not in (b"{", b"["):
        scalar = _SCALAR.match(text, start)
        if scalar is None:
            raise ValueError(f"no JSON value at byte {start}")
        return scalar.end()
    shallow = _SHALLOW.match(text, start)
    if shallow is not None:
        return shallow.end()
    depth = 0
    for token in _BRACKET.finditer(text, start):
        match text[token.start()]:
            case 0x7B | 0x5B:
                depth += 1
            case 0x7D | 0x5D:
                depth -= 1
                if depth == 0:
                    return token.end()
    raise ValueError("the text ends before its brackets close")


def _skip_space(text: bytes, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too


def _values(text: bytes, start: int, brackets: bytes) -> Iterator[tuple[bytes, Span]]:
    """What a container holds: its keys (empty in an array), and where the values stand."""
    if text[start : start + 1] != brackets[:1]:
        raise ValueError(f"no {brackets.decode()} at byte {start}")
    at = _skip_space(text, start + 1)
    while text[at : at + 1] != brackets[1:]:
        key = b""
        if brackets == b"{}":
            colon = _skip_space(text, value_end(text, at))
            key, at = text[at:colon].rstrip(), _skip_space(text, colon + 1)
            if text[colon : colon + 1] != b":" or not key.startswith(b'"'):
                raise ValueError(f"no key and colon before byte {colon}")
        end = value_end(text, at)
        yield key[1:-1], (at, end)
        at = _skip_space(text, end)
        if text[at : at + 1] == b",":
            at = _skip_space(text, at + 1)
        elif text[at : at + 1] != brackets[1:]:
            raise ValueError(f"no comma at byte {at}")


def members(text: bytes, start: int = 0) -> dict[bytes, Span]:
    """Where the values of the object at `start` stand, by raw key. Raises ValueError where it is none."""
    return dict(_values(text, _skip_space(text, start), b"{}"))


# Recorded blocks.


@dataclass(frozen=True, slots=True)
class RecordedBlock:
    """One block: its text as recorded, its head, and where in the text the head stands (quotes left out)."""

    text: bytes = field(repr=False)
    id: bytes
    ancestor: str
    height: BlockHeight
    slot: Slot | None
    spans: Mapping[str, Span] = field(repr=False)

    def transaction_ids(self) -> Iterator[bytes]:
        """The ids (as hex text) of the transactions that the block defines."""
        transactions = self.spans.get("transactions")
        if transactions is not None:
            yield from _defined(self.text, transactions)


def _defined(text: bytes, transactions: Span) -> Iterator[bytes]:
    for _, (start, _end) in _values(text, transactions[0], b"[]"):
        fields = members(text, start)
        if b"id" in fields:
            yield text[slice(*_inside(fields[b"id"]))]
        if b"subTransactions" in fields:
            yield from _defined(text, fields[b"subTransactions"])


def _inside(span: Span) -> Span:
    return span[0] + 1, span[1] - 1


def parse_line(line: bytes) -> RecordedBlock:
    """One line of a recording. Raises ValueError with the reason where it holds no whole block."""
    line.decode()  # a text frame must be UTF-8
    envelope = members(line)
    if line[max((end for _, end in envelope.values()), default=1) :].strip() != b"}":
        raise ValueError("there is more on the line than one answer")
    if b"result" not in envelope:
        raise ValueError("there is no `result` in it")
    result = members(line, envelope[b"result"][0])
    if b"block" not in result:
        raise ValueError("its result holds no `block` (only blocks rolled forward can be replayed)")
    return parse_block(line[slice(*result[b"block"])])


def parse_block(text: bytes) -> RecordedBlock:
    """A block as Ogmios writes it. Raises ValueError with the reason where its head cannot be read."""
    fields = members(text)

    def part(name: str, form: re.Pattern[bytes]) -> bytes:
        span = fields.get(name.encode(), (0, 0))
        if form.fullmatch(text, *span) is None:
            raise ValueError(f"the block's `{name}` is missing or malformed")
        return text[slice(*span)]

    def natural(name: str) -> int:
        number = int(part(name, _NATURAL))
        if number > MAX_INTEGER:
            raise ValueError(f"the block's `{name}` is beyond 64 bits")
        return number

    boundary = part("type", _SCALAR) == b'"ebb"'
    spans = {"ancestor": _inside(fields.get(b"ancestor", (0, 0))), "height": fields.get(b"height", (0, 0))}
    if not boundary:
        spans["slot"] = fields.get(b"slot", (0, 0))
    if b"transactions" in fields:
        spans["transactions"] = fields[b"transactions"]
    return RecordedBlock(
        text,
        id=bytes.fromhex(part("id", _BLOCK_ID).strip(b'"').decode()),
        ancestor=part("ancestor", _ANCESTOR).strip(b'"').decode(),
        height=natural("height"),
        slot=None if boundary else natural("slot"),
        spans=spans,
    )


def read_recording(path: Path) -> Iterator[RecordedBlock]:
    """The blocks of one file, gzipped or not, in order. Raises RecordingUnreadable, naming file and line."""
    number = 0
    try:
        with path.open("rb") as file:
            gzipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            lines = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if gzipped else file
            for number, line in enumerate(lines, start=1):  # noqa: B007  the errors below tell it
                if not line.isspace():
                    yield parse_line(line.strip())
    except (OSError, EOFError, zlib.error) as error:
        raise RecordingUnreadable(f"{path} cannot be read past line {number}: {error}") from error
    except ValueError as error:
        raise RecordingUnreadable(f"{path} line {number}: {error}") from error


def read_recordings(paths: Iterable[Path]) -> list[RecordedBlock]:
    """The blocks of several files, in order. Raises RecordingUnreadable, also where there are none."""
    named = list(paths)
    blocks = [block for path in named for block in read_recording(path)]
    if not blocks:
        raise RecordingUnreadable(f"there is no block in {', '.join(map(str, named)) or 'no file at all'}")
    return blocks


# Linking: recorded blocks, one after the other, for as many rounds as wanted.


@dataclass(frozen=True, slots=True)
class _Template:
    """A block's text in pieces: static ones at even places, what a round replaces at odd ones."""

    pieces: tuple[bytes, ...]
    names: tuple[int, ...]  # for each odd place, which id belongs there; 0 where the head does
    head: tuple[tuple[str, int], ...]  # and where the head's fields go


@dataclass(frozen=True, slots=True)
class LinkedBlock:
    """A recorded block in its place on the served chain. Its text is built when it is asked for."""

    id: bytes
    height: BlockHeight
    slot: Slot | None
    ancestor: str
    round: int
    template: _Template
    names: Callable[[int], Sequence[bytes]] = field(repr=False)

    @property
    def text(self) -> bytes:
        """The recorded bytes, but for what the place on the chain and the round change."""
        pieces = list(self.template.pieces)
        pieces[1::2] = map(self.names(self.round).__getitem__, self.template.names)
        for name, at in self.template.head:
            pieces[at] = str(getattr(self, name)).encode()
        return b"".join(pieces)


def link(blocks: Sequence[RecordedBlock], repeat: int = 1) -> Iterator[LinkedBlock]:
    """The recording as one chain, `repeat` times over.

    Where a block does not follow the one before it, its ancestor, height and (if it must) slot are patched;
    so a contiguous recording is served as it was recorded. From the second round on, every id that the
    recording defines is replaced by a fresh one, wherever it is mentioned.
    """
    if repeat < 1:
        raise ValueError(f"a recording cannot be served {repeat} times")
    seen: set[bytes] = set()
    for block in blocks:
        if block.id in seen:
            raise RecordingUnreadable(f"block {block.id.hex()} is recorded twice", hint="name each file once")
        seen.add(block.id)
    own = [block.id.hex().encode() for block in blocks]
    defined = {*own, *(name for block in blocks for name in block.transaction_ids())} if repeat > 1 else {*own}
    old = [b"", *sorted(defined)]  # 0 stands for the head
    numbers = {name: number for number, name in enumerate(old)}
    names = lru_cache(maxsize=ROUNDS_REMEMBERED)(lambda round_: [_fresh(round_, name) for name in old])
    templates = [_template(block, numbers if repeat > 1 else {}) for block in blocks]

    height, slot, ancestor = -1, -1, ""
    for round_ in range(repeat):
        before: RecordedBlock | None = None
        for block, template, name in zip(blocks, templates, own, strict=True):
            rise, distance = _step(before, block)
            if round_ == 0 and before is None:
                height, slot, ancestor = (
                    block.height,
                    -1 if block.slot is None else block.slot,
                    block.ancestor,
                )
            else:
                height += rise
                if block.slot is not None:
                    slot = block.slot if round_ == 0 and block.slot > slot else slot + distance
            block_id = _fresh(round_, name).decode()
            at = None if block.slot is None else slot
            yield LinkedBlock(bytes.fromhex(block_id), height, at, ancestor, round_, template, names)
            before, ancestor = block, block_id


def _step(before: RecordedBlock | None, block: RecordedBlock) -> tuple[int, int]:
    """How much height and slot grow from one block to the next: as recorded, where it follows."""
    usual = 0 if block.slot is None else 1
    if before is None or block.ancestor != before.id.hex():
        return usual, SLOTS_BETWEEN
    rise = block.height - before.height
    # Whether a boundary counts towards the height differs between versions of Ogmios: believe the recording.
    rise = rise if rise == usual or (block.slot is None and rise == 1) else usual
    if block.slot is None or before.slot is None or block.slot <= before.slot:
        return rise, SLOTS_BETWEEN
    return rise, block.slot - before.slot


def _template(block: RecordedBlock, numbers: Mapping[bytes, int]) -> _Template:
    """Cut a block's text at its head's fields, and at every mention of an id in `numbers`."""
    text = block.text
    holes = {block.spans[name]: name for name in ("ancestor", "height", "slot") if name in block.spans}
    cuts: dict[Span, int] = dict.fromkeys(holes, 0)
    if numbers:
        for token in _TOKEN.finditer(text):
            if token.group() in numbers:
                cuts.setdefault(token.span(), numbers[token.group()])
    pieces: list[bytes] = []
    head: list[tuple[str, int]] = []
    at = 0
    for start, end in sorted(cuts):
        if (start, end) in holes:
            head.append((holes[start, end], len(pieces) + 1))
        pieces += [text[at:start], text[start:end]]
        at = end
    pieces.append(text[at:])
    return _Template(tuple(pieces), tuple(cuts[span] for span in sorted(cuts)), tuple(head))


def _fresh(round_: int, name: bytes) -> bytes:
    """The id that stands for `name` in a round; in the first, itself."""
    if round_ == 0 or not name:
        return name
    return blake2b(name, digest_size=32, salt=round_.to_bytes(8, "big")).hexdigest().encode()
