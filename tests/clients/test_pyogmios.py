"""`pyogmios`, as PyPI has it, does all it can with a devnet."""

import pytest

from indexer.devnet.running import Devnet
from tests.clients.running import HERE, run
from tests.clients.scenario import condensed, expected, given, prepare

pytestmark = pytest.mark.clients

PYTHON = HERE / "python" / ".venv" / "bin" / "python"
ERRORS = {
    "failing": "ScriptExecutionFailureError",
    "unsigned": "MissingSignatoriesError",
    "cheap": "TransactionFeeTooSmallError",
    "unknown": "UnknownOutputReferencesError",
    "garbage": "TransactionDeserialisationError",
}


async def test_pyogmios_sees_all_that_happens(devnet: Devnet) -> None:
    """Blocks, a rollback, the state, what scripts use, its transactions in the mempool and in blocks, typed errors."""
    assert PYTHON.exists(), "see `make test-clients`"
    scenario = prepare(devnet.node)
    seen = await run(str(PYTHON), "python/client.py", devnet, given(scenario, devnet.node))
    assert expected(scenario, ERRORS) == condensed(seen)
