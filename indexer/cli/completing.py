"""Ids and references for the shell to complete."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiosqlite import Connection

from indexer import config
from indexer.cli.find import moment
from indexer.errors import IndexerError
from indexer.store import status

MOST: Final = 50
_DIGITS: Final = re.compile(r"[0-9a-f]{0,64}")


def ids(path: Path, beginning: str) -> list[str]:
    """Distributions whose id begins so, in hex; nothing where configuration or database cannot be read."""

    async def found(db: Connection) -> list[str]:
        return [one.hex() for one in await status.beginning(db, beginning, MOST)]

    return _found(path, beginning, found)


def deposits(path: Path, beginning: str) -> list[str]:
    """Published signatures whose deposit can be had back, by reference; likewise."""
    digits, _, index = beginning.partition("#")

    async def found(db: Connection) -> list[str]:
        return [one for one in await status.deposits(db, digits, MOST) if one.startswith(beginning)]

    return _found(path, digits, found) if not index or index.isdigit() else []


def _found(path: Path, digits: str, ask: Callable[[Connection], Awaitable[list[str]]]) -> list[str]:
    async def asked() -> list[str]:
        async with moment(config.load(path).database.path) as db:
            return await ask(db)

    if not _DIGITS.fullmatch(digits):
        return []
    try:
        return asyncio.run(asked())
    except IndexerError:
        return []
