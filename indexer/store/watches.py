"""What is watched, and from where on its history is held."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aiosqlite import Connection

from indexer.chain.address import CredentialKind
from indexer.chain.point import ORIGIN, Place, Point
from indexer.chain.watch import ByronWatch, CredentialWatch, Watch

ADD: Final = """
    INSERT INTO watch (credential, kind, since_slot, since_id, configured) VALUES (?, ?, ?, ?, 1)
    ON CONFLICT (credential, kind) DO UPDATE SET configured = 1"""
LIST: Final = "SELECT credential, kind, since_slot, since_id, configured FROM watch ORDER BY credential, kind"


@dataclass(frozen=True, slots=True)
class Watched:
    """A watch with the place where its history starts; `configured` False: dropped, followed until a rebuild."""

    watch: Watch
    since: Place
    configured: bool

    @property
    def complete(self) -> bool:
        """Whether all of its history is held."""
        return self.since == ORIGIN


async def reconcile(db: Connection, configured: Iterable[Watch], cursor: Place) -> list[Watched]:
    """Store what the configuration watches now: what is new starts at the cursor, what is gone stays followed."""
    slot, block_id = (cursor.slot, cursor.id.hex()) if isinstance(cursor, Point) else (None, None)
    await db.execute("UPDATE watch SET configured = 0")
    await db.executemany(ADD, [(*_columns(watch), slot, block_id) for watch in configured])
    return await read(db)


async def read(db: Connection) -> list[Watched]:
    """Every watch that is followed."""
    return [
        Watched(
            ByronWatch(credential)
            if kind == "byron"
            else CredentialWatch(bytes.fromhex(credential), None if kind == "any" else CredentialKind(kind)),
            ORIGIN if slot is None else Point(slot, bytes.fromhex(block_id)),
            bool(configured),
        )
        for credential, kind, slot, block_id, configured in await db.execute_fetchall(LIST)
    ]


def _columns(watch: Watch) -> tuple[str, str]:
    match watch:
        case ByronWatch(address):
            return address, "byron"
        case CredentialWatch(credential_hash, kind):
            return credential_hash.hex(), "any" if kind is None else str(kind)
