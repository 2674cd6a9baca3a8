"""What the replies to the few queries of a follower say of the network."""

from datetime import datetime
from typing import Any

from indexer.chain.time import Era
from indexer.errors import ReplyGarbled


def genesis(result: Any) -> tuple[int, int]:
    """Network magic and k, from `queryNetwork/genesisConfiguration` (shelley). Raises ReplyGarbled."""
    try:
        magic, k = result["networkMagic"], result["securityParameter"]
    except (TypeError, KeyError) as error:
        raise ReplyGarbled(f"a genesis configuration without {error}") from error
    if type(magic) is not int or type(k) is not int or k < 1:
        raise ReplyGarbled(f"a genesis configuration with magic {magic!r} and security parameter {k!r}")
    return magic, k


def eras(start_time: Any, summaries: Any) -> tuple[Era, ...]:
    """How slots turn into time, from `queryNetwork/startTime` and `queryLedgerState/eraSummaries`.

    An era that lasts no time gives way to the next. Raises ReplyGarbled.
    """
    try:
        start_ms = round(datetime.fromisoformat(start_time).timestamp() * 1000)
        found = {
            summary["start"]["slot"]: Era(
                summary["start"]["slot"],
                start_ms + round(summary["start"]["time"]["seconds"] * 1000),
                summary["parameters"]["slotLength"]["milliseconds"],
            )
            for summary in summaries
        }
    except (TypeError, KeyError, ValueError) as error:
        raise ReplyGarbled(f"era summaries that cannot be read: {error!r}") from error
    if not found or any(type(era.slot_ms) is not int or era.slot_ms < 1 for era in found.values()):
        raise ReplyGarbled("era summaries without eras, or with slots that last no time")
    return tuple(sorted(found.values()))
