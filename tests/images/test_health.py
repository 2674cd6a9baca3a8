"""The health checks of Ogmios and Kupo in compose.yaml, with the busybox that their images are made of."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import yaml

from indexer.devnet.running import Devnet

pytestmark = pytest.mark.clients

SERVICES = yaml.safe_load((Path(__file__).parents[2] / "infra" / "compose.yaml").read_text())["services"]


async def healthy(name: str, url: str, folder: Path) -> bool:
    """The check as it stands, but for the port, with nothing of this machine on its PATH."""
    for tool in ("sh", "wget", "grep"):
        link = folder / tool
        if not link.exists():
            link.symlink_to(os.environ["BUSYBOX"])
    how, command = SERVICES[name]["healthcheck"]["test"]
    assert how == "CMD-SHELL"
    own = SERVICES[name]["ports"][0].rpartition(":")[2]
    command = command.replace(f"127.0.0.1:{own}/", f"127.0.0.1:{url.rpartition(':')[2]}/")
    process = await asyncio.create_subprocess_exec(folder / "sh", "-c", command, env={"PATH": str(folder)})
    return await asyncio.wait_for(process.wait(), 30) == 0


async def test_a_node_at_the_tip_is_healthy(devnet: Devnet, tmp_path: Path) -> None:
    """Both faces of the devnet, which answer as Ogmios and Kupo do."""
    devnet.node.make_block()
    assert await healthy("ogmios", devnet.url, tmp_path)
    assert await healthy("kupo", devnet.kupo_url, tmp_path)


def answering(status: str, body: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    return answer


@pytest.mark.parametrize(
    ("name", "status", "body", "well"),
    [
        ("ogmios", "200 OK", '{"networkSynchronization":1}', True),
        ("ogmios", "202 Accepted", '{"networkSynchronization":0.99999}', False),
        ("ogmios", "500 Internal Server Error", '{"networkSynchronization":null}', False),
        ("kupo", "200 OK", '{"connection_status":"connected","network_synchronization":1}', True),
        ("kupo", "200 OK", '{"network_synchronization":1.00000,"version":"v2.12.0"}', True),
        ("kupo", "200 OK", '{"network_synchronization":0.99999,"version":"v2.12.0"}', False),
        ("kupo", "200 OK", '{"network_synchronization":null}', False),
        ("kupo", "503 Service Unavailable", '{"network_synchronization":1}', False),
    ],
)
async def test_one_that_is_behind_is_not(name: str, status: str, body: str, well: bool, tmp_path: Path) -> None:
    """Nor one that is not connected, or not there."""
    server = await asyncio.start_server(answering(status, body), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        assert await healthy(name, url, tmp_path) == well
    assert not await healthy(name, url, tmp_path)
