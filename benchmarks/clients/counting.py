"""`pyogmios`, counting blocks. `raw` spares it the building of models; runs in an environment of its own."""

import asyncio
import json
import sys
import time

import pyogmios  # type: ignore[import-not-found]  # in benchmarks/.venv

PIPELINE = 100  # as many as the other clients


async def read(url: str, blocks: int) -> float:
    """The seconds that it takes to receive so many blocks."""
    async with pyogmios.AsyncClient(url) as client:
        sync = client.chain_sync(["origin"], pipeline=PIPELINE, raw=True, resume=False)
        async with sync:
            begun, left = time.perf_counter(), blocks
            async for event in sync:
                left -= event["direction"] == "forward"
                if not left:
                    break
            return time.perf_counter() - begun


if __name__ == "__main__":
    wanted = int(sys.argv[2])
    print(json.dumps({"blocks": wanted, "seconds": asyncio.run(read(sys.argv[1], wanted))}))
