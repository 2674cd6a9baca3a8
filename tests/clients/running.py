"""A client's program beside a devnet."""

import asyncio
import json
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Final

from indexer.devnet.running import Devnet
from tests.clients.scenario import Json

HERE: Final = Path(__file__).parent
PATIENCE: Final = 60.0  # seconds for all that a client does


async def run(program: str, script: str, devnet: Devnet, given: str) -> Json:
    """What it prints. It fails on an exit code, on words on stderr, and when it takes too long."""
    command = program, HERE / script, devnet.url, devnet.control_url, given
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    try:
        async with asyncio.timeout(PATIENCE):
            printed, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaints.decode()
    assert not complaints, complaints.decode()
    seen: Json = json.loads(printed)
    return seen
