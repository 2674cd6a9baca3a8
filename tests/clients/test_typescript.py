"""The official TypeScript client, as npm has it, does all it can with a devnet."""

import shutil

import pytest

from indexer.devnet.running import Devnet
from tests.clients.running import HERE, run
from tests.clients.scenario import condensed, expected, given, prepare

pytestmark = pytest.mark.clients

ERRORS = dict.fromkeys(("failing", "unsigned", "cheap", "unknown", "garbage"), "JSONRPCError")


async def test_the_typescript_client_sees_all_that_happens(devnet: Devnet) -> None:
    """Blocks, a rollback, the state, what scripts use, its transactions in the mempool and in blocks, typed errors."""
    node = shutil.which("node")
    assert node is not None, "Node.js is needed, 20 or later"
    assert (HERE / "typescript" / "node_modules").is_dir(), "see `make test-clients`"
    scenario = prepare(devnet.node)
    seen = await run(node, "typescript/client.mjs", devnet, given(scenario, devnet.node))
    assert expected(scenario, ERRORS) == condensed(seen)
