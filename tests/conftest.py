"""What all tests share."""

import signal
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from indexer.devnet.running import Devnet

# The machine that runs this may be slow and busy; how long an example takes says nothing about the code.
settings.register_profile("indexer", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("indexer")

# A shell that runs tests in the background has them ignore SIGINT, and so would every process that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A command that ran in this process has set up logging for a stream of its own, which is closed by now."""
    yield
    structlog.reset_defaults()


@pytest.fixture
async def devnet() -> AsyncIterator["Devnet"]:
    """A devnet of one's own, on a virtual clock."""
    from indexer.devnet.node import Node
    from indexer.devnet.running import Devnet

    async with Devnet(Node()) as running:
        yield running
