"""A bare `websockets` receive loop that only counts: what any Python client built on it must stay below."""

import asyncio
import json
import sys
import time

from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode

# A frame as a client sends it, made once: all requests are one write, and cost the loop nothing.
REQUEST = Frame(Opcode.TEXT, b'{"jsonrpc":"2.0","method":"nextBlock"}').serialize(mask=True)


async def read(url: str, blocks: int, decode: bool) -> float:
    """The seconds that it takes to receive so many blocks, as `str` or as the bytes that came."""
    async with connect(url, max_size=None, compression=None, close_timeout=0.1) as socket:
        begun, left = time.perf_counter(), blocks + 1  # a server's first word is a rollback to where it starts
        socket.transport.write(REQUEST * left)
        if decode:
            async for _message in socket:
                left -= 1
                if not left:
                    break
        else:
            while left:
                await socket.recv(decode=False)
                left -= 1
        return time.perf_counter() - begun


if __name__ == "__main__":
    wanted = int(sys.argv[2])
    print(json.dumps({"blocks": wanted, "seconds": asyncio.run(read(sys.argv[1], wanted, sys.argv[3] == "str"))}))
