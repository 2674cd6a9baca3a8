"""What can go wrong between a client and Ogmios, as data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from tests.support.making import Block


class Kind(StrEnum):
    """A misbehaviour. Those of a connection come first, then the one at the tip, then those of an answer."""

    NODE_DOWN = "node down"  # Close 1000 right after the handshake, with a JSON-RPC error as its reason
    UNAVAILABLE = "unavailable"  # the handshake is answered with HTTP 503
    BEHIND = "behind"  # the chain ends `blocks` earlier, until `seconds` have passed or reveal() is called
    FAR_INTERSECTION = "far intersection"  # of the points offered only those `blocks` below the tip are known
    WRONG_GENESIS = "wrong genesis"  # the genesis, and nothing else, is that of the network `magic`
    NO_NETWORK_QUERIES = "no network queries"  # answered with error 2002; /health goes on naming the network
    CUT_AT_TIP = "cut at tip"  # TCP ends when the client has come to the tip and waits
    CUT_IN_FRAME = "cut in frame"  # half of the frame, then the end of TCP
    CUT = "cut"  # the end of TCP in the place of the answer
    RESET = "reset"  # the same, without delivering what was sent before
    GARBAGE = "garbage"  # text that is no JSON
    TRUNCATED = "truncated"  # the first half of the answer, in a frame that is whole
    BINARY = "binary"  # a binary frame of random bytes
    NOT_UTF8 = "not utf-8"  # a text frame that is no text
    RPC_ERROR = "rpc error"  # `error`
    UNKNOWN_ERA = "unknown era"
    WRONG_ID = "wrong id"  # the right answer under an id that nobody gave; the chain goes on after it
    OTHER_METHOD = "other method"  # the answer to a question that nobody asked
    BAD_ANCESTOR = "bad ancestor"
    BACKWARD_UNKNOWN = "backward unknown"  # to a point that was never on the chain
    SILENCE = "silence"  # never an answer again; the socket stays open and pongs still come
    DEAF = "deaf"  # nothing is read any more, not even pings


OF_A_CONNECTION: Final = frozenset(list(Kind)[:6])
OF_A_BLOCK: Final = frozenset({Kind.UNKNOWN_ERA, Kind.BAD_ANCESTOR})  # wait for an answer that brings a block


@dataclass
class Fault:
    """One misbehaviour, and when: at the first occasion that meets every condition given, `times` times.

    `message` counts answers to nextBlock from 1: within the connection where one is given (they count from 1
    too), else over the life of the server. `height` is that of the block about to be served. Answers that a
    fault has replaced are still to come: a client that goes on gets them next.
    """

    kind: Kind
    connection: int | None = None
    message: int | None = None
    height: int | None = None
    times: int = 1
    blocks: int = 0
    seconds: float = 0.0
    magic: int = 1
    error: Mapping[str, Any] = field(default_factory=lambda: {"code": -32603, "message": "Internal error."})

    def __post_init__(self) -> None:
        self.kind = Kind(self.kind)


@dataclass(frozen=True)
class Fork:
    """When a client was served a block at `height` or above: leave the chain `depth` blocks below `height`.

    Whatever came after is replaced by `blocks`, so the chain that is left does not depend on when it happened.
    """

    height: int
    depth: int
    blocks: Sequence[Block]
