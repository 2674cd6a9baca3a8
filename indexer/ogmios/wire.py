"""JSON text ↔ chain-sync requests and replies (Ogmios v7.0; v6.14 writes the same here).

Of a block only the header is read. Where Ogmios' own compact text allows it, that is a look at both ends of
the message; anything else (another order of keys, white space, a proxy's handwriting) is read in full.
"""

import re
from functools import lru_cache
from typing import Final

import msgspec

from indexer.chain.block import Header
from indexer.chain.point import MAX_INTEGER, ORIGIN, Origin, Place, Point, Tip
from indexer.errors import BlockNotUnderstood, ReplyGarbled, RequestRefused
from indexer.ogmios.replies import (
    IntersectionFound,
    IntersectionNotFound,
    Reply,
    RollBackward,
    RollForward,
)
from indexer.ogmios.text import Malformed, members

NEXT_BLOCK: Final = b'{"jsonrpc":"2.0","method":"nextBlock"}'  # the same bytes each time, and no id: cheap to serve
ERAS: Final = frozenset(("byron", "shelley", "allegra", "mary", "alonzo", "babbage", "conway", "dijkstra"))
_INTERSECTION_ID: Final = "find-intersection"
_NO_INTERSECTION: Final = 1000

_HEAD: Final = re.compile(
    rb'\{"jsonrpc":"2\.0",(?:"method":"nextBlock",)?"result":\{"direction":"forward","block":(?=\{)'
)
_TAIL: Final = re.compile(
    rb'\]\},"tip":\{"slot":(\d{1,18}),"id":"([0-9a-f]{64})","height":(\d{1,18})\}\},"id":null\}\s*\Z'
)
_TAIL_STARTS: Final = b']},"tip":'
_TRANSACTIONS: Final = b',"transactions":['
_HEAD_ROOM, _TAIL_ROOM = 8192, 256


class _Head(msgspec.Struct):
    type: str
    era: str
    id: str
    ancestor: str
    height: int
    slot: int | None = None


class _Point(msgspec.Struct):
    slot: int
    id: str
    height: int | None = None


class _Error(msgspec.Struct):
    code: int
    message: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


_HEAD_DECODER: Final = msgspec.json.Decoder(_Head)
_PLACE_DECODER: Final = msgspec.json.Decoder(_Point | str)
_ERROR_DECODER: Final = msgspec.json.Decoder(_Error)
_ANY: Final = msgspec.json.Decoder()


def find_intersection(points: tuple[Place, ...]) -> bytes:
    """The request as Ogmios reads it."""
    return msgspec.json.encode(
        {
            "jsonrpc": "2.0",
            "method": "findIntersection",
            "params": {"points": [_written(point) for point in points]},
            "id": _INTERSECTION_ID,
        }
    )


def decode(text: bytes) -> Reply:
    """A reply to `findIntersection` or `nextBlock`.

    Raises ReplyGarbled, RequestRefused (a JSON-RPC error), or BlockNotUnderstood for a block whose header
    cannot be read.
    """
    quick = _compact_block(text)
    return quick if quick is not None else _in_full(text)


def transactions_text(reply: RollForward) -> bytes | None:
    """The list of transactions as text; None for a block that has none (EBB). Raises Malformed."""
    if reply.span is not None:
        return reply.text[slice(*reply.span)]
    return members(members(members(reply.text)["result"])["block"]).get("transactions")


def _compact_block(text: bytes) -> RollForward | None:
    """The block in Ogmios' own handwriting; None where the text is anything else.

    Why this may be believed: the text up to the list of transactions, closed by one brace, is an object of
    its own, so the list is a member of the block and of nothing inside it; no string can hold the tail, for
    the tail has bare quotation marks.
    """
    head = _HEAD.match(text)
    if head is None:
        return None
    start = text.find(_TRANSACTIONS, head.end(), _HEAD_ROOM)
    end = text.rfind(_TAIL_STARTS, -_TAIL_ROOM)
    tail = _TAIL.match(text, end) if end >= 0 else None
    if start < 0 or tail is None:
        return None
    try:
        block = _HEAD_DECODER.decode(text[head.end() : start] + b"}")
    except (msgspec.MsgspecError, RecursionError):
        return None
    if block.slot is None:  # it may stand after the transactions
        return None
    return RollForward(
        _header(block), _compact_tip(*tail.groups()), text, (start + len(_TRANSACTIONS) - 1, tail.start() + 1)
    )


def _in_full(text: bytes) -> Reply:
    try:
        envelope = members(text)
        if "error" in envelope:
            return _refusal(_ERROR_DECODER.decode(envelope["error"]))
        request_id = _ANY.decode(envelope["id"])
        result = members(envelope["result"])
        if "intersection" in result and request_id == _INTERSECTION_ID:
            return IntersectionFound(_place(result["intersection"]), _tip(result["tip"]))
        if request_id is not None:
            raise ReplyGarbled(f"a reply with the id {request_id!r}, which answers nothing we asked")
        match _ANY.decode(result["direction"]):
            case "backward":
                return RollBackward(_place(result["point"]), _tip(result["tip"]))
            case "forward":
                tip = _tip(result["tip"])
                if isinstance(tip, Origin):
                    raise ReplyGarbled("a block from a node whose tip is the origin")
                return RollForward(_read_header(result["block"]), tip, text, None)
            case direction:
                raise ReplyGarbled(f"a reply in the direction {direction!r}")
    except (Malformed, msgspec.MsgspecError, KeyError, ValueError, RecursionError) as error:
        raise ReplyGarbled(f"not a reply of Ogmios: {_shown(text)}") from error


def _refusal(error: _Error) -> IntersectionNotFound:
    if error.code == _NO_INTERSECTION:
        return IntersectionNotFound(_tip(members(error.data)["tip"]))
    raise RequestRefused(f"Ogmios refused: {error.message} (code {error.code})")


def _read_header(text: bytes) -> Header:
    try:
        head = msgspec.convert(
            {key: _ANY.decode(value) for key, value in members(text).items() if key in _Head.__struct_fields__},
            _Head,
        )
    except (Malformed, msgspec.MsgspecError) as error:
        raise BlockNotUnderstood("with an unreadable header", str(error)) from error
    return _header(head)


def _header(head: _Head) -> Header:
    try:
        block_id = bytes.fromhex(head.id)
        ancestor = None if head.ancestor == "genesis" else bytes.fromhex(head.ancestor)
    except ValueError as error:
        raise _not_understood(head, "an id that is not hex") from error
    if len(block_id) != 32 or (ancestor is not None and len(ancestor) != 32):
        raise _not_understood(head, "an id that is not 32 bytes long")
    if head.era not in ERAS:
        raise _not_understood(head, f"unknown era {head.era!r}")
    if (head.slot is None) != (head.type == "ebb"):
        raise _not_understood(head, f"a block of type {head.type!r} with slot {head.slot}")
    if not 0 <= head.height <= MAX_INTEGER or not 0 <= (head.slot or 0) <= MAX_INTEGER:
        raise _not_understood(head, f"height {head.height} or slot out of range")
    return Header(block_id, ancestor, head.height, head.slot)


def _not_understood(head: _Head, reason: str) -> BlockNotUnderstood:
    return BlockNotUnderstood(f"{head.slot}.{head.id[:64]}", reason)


@lru_cache(maxsize=1)  # far from the tip, it is the same in thousands of replies
def _compact_tip(slot: bytes, block_id: bytes, height: bytes) -> Tip:
    return Tip(Point(int(slot), bytes.fromhex(block_id.decode())), int(height))


def _place(text: bytes) -> Place:
    point = _PLACE_DECODER.decode(text)
    if isinstance(point, str):
        if point != "origin":
            raise ValueError(f"a point called {point!r}")
        return ORIGIN
    return _point(point)


def _tip(text: bytes) -> Tip | Origin:
    tip = _PLACE_DECODER.decode(text)
    if isinstance(tip, str):
        return _origin(tip)
    if tip.height is None or tip.height > MAX_INTEGER or not tip.height >= 0:
        raise ValueError("a tip without a height")
    return Tip(_point(tip), tip.height)


def _origin(text: str) -> Origin:
    if text != "origin":
        raise ValueError(f"a place called {text!r}")
    return ORIGIN


def _point(point: _Point) -> Point:
    block_id = bytes.fromhex(point.id)
    if len(block_id) != 32 or not 0 <= point.slot <= MAX_INTEGER:
        raise ValueError("a point out of range")
    return Point(point.slot, block_id)


def _written(place: Place) -> object:
    return {"slot": place.slot, "id": place.id.hex()} if isinstance(place, Point) else "origin"


def _shown(text: bytes) -> str:
    return repr(text[:80]) + ("…" if len(text) > 80 else "")
