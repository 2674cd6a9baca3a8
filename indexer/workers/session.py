"""What the follower asks of the connection to Ogmios, and of whoever starts it."""

from typing import Literal, Protocol, TypeAlias

from indexer.chain.network import Network
from indexer.chain.point import Place, Point

Since: TypeAlias = Place | Literal["tip"]
Until: TypeAlias = Point | Literal["tip"] | None


class Session(Protocol):
    """What the follower needs of a connection to Ogmios."""

    async def identify(self, network: Network) -> Network:
        """Check the node's network; fill in what only the node knows."""

    async def find_intersection(self, points: tuple[Place, ...]) -> None:
        """Ask where to start."""

    async def ask(self, blocks: int) -> None:
        """Ask for so many blocks."""

    async def receive(self) -> bytes:
        """The next message."""
