"""What the replies to the few queries of a follower say of the network."""

from datetime import datetime
from typing import Any, Final

from indexer.chain.point import MAX_INTEGER
from indexer.chain.time import LAST_MOMENT_MS, Era
from indexer.errors import ReplyGarbled

_LARGEST_K: Final = 1_000_000  # mainnet's is 2,160
_LONGEST_SLOT_MS: Final = 86_400_000


def genesis(result: Any) -> tuple[int, int]:
    """Network magic and k, from `queryNetwork/genesisConfiguration` (shelley). Raises ReplyGarbled."""
    try:
        magic, k = result["networkMagic"], result["securityParameter"]
    except (TypeError, KeyError) as error:
        raise ReplyGarbled(f"a genesis configuration without {error}") from error
    if type(magic) is not int or type(k) is not int or not 1 <= k <= _LARGEST_K:
        raise ReplyGarbled(f"a genesis configuration with magic {magic!r} and security parameter {k!r}")
    return magic, k


def eras(start_time: Any, summaries: Any) -> tuple[Era, ...]:
    """How slots turn into time, from `queryNetwork/startTime` and `queryLedgerState/eraSummaries`.

    An era that lasts no time gives way to the next. Raises ReplyGarbled.
    """
    try:
        start_ms = round(datetime.fromisoformat(start_time).timestamp() * 1000)
        every = [
            Era(
                summary["start"]["slot"],
                start_ms + round(summary["start"]["time"]["seconds"] * 1000),
                summary["parameters"]["slotLength"]["milliseconds"],
            )
            for summary in summaries
        ]
    except (TypeError, KeyError, ValueError, ArithmeticError, OSError) as error:
        raise ReplyGarbled(f"era summaries that cannot be read: {error!r:.200}") from error
    if not every or not all(map(_can_be, every)):
        raise ReplyGarbled("era summaries without eras, or with slots or times that cannot be")
    found = {era.start_slot: era for era in every}
    return tuple(sorted(found.values()))


def _can_be(era: Era) -> bool:
    whole = type(era.start_slot) is int and type(era.slot_ms) is int
    return (
        whole
        and 0 <= era.start_slot <= MAX_INTEGER
        and abs(era.start_ms) <= LAST_MOMENT_MS
        and 1 <= era.slot_ms <= _LONGEST_SLOT_MS
    )
