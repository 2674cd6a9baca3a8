"""Ids for the shell to complete."""

import asyncio
import re
from pathlib import Path
from typing import Final

from indexer import config
from indexer.cli.find import moment
from indexer.errors import IndexerError
from indexer.store import status

MOST: Final = 50
_DIGITS: Final = re.compile(r"[0-9a-f]{0,64}")


def ids(path: Path, beginning: str) -> list[str]:
    """Distributions whose id begins so, in hex; nothing where configuration or database cannot be read."""
    if not _DIGITS.fullmatch(beginning):
        return []
    try:
        return asyncio.run(_ids(config.load(path).database.path, beginning))
    except IndexerError:
        return []


async def _ids(database: Path, beginning: str) -> list[str]:
    async with moment(database) as db:
        return [one.hex() for one in await status.beginning(db, beginning, MOST)]
