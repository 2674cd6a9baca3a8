"""Chromium without a screen, driven over its DevTools protocol: a page, its complaints, what it fetched, a picture."""

import asyncio
import base64
import json
import os
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect

NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
PATIENCE: Final = 60.0  # seconds, for a start on a busy machine
LOUD: Final = ("error", "warning", "assert")  # on the console
COMPLAINTS: Final = ("Runtime.exceptionThrown", "Log.entryAdded", "Network.loadingFailed")


def found() -> str | None:
    """The browser: what CHROMIUM names, else the first on the PATH."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@dataclass
class Tab:
    """One tab. `complaints` are errors of any kind that it told of, `fetched` all addresses that it asked for."""

    socket: ClientConnection
    session: str = ""
    complaints: list[Any] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)
    _loaded: bool = False

    async def call(self, method: str, **parameters: Any) -> Any:
        """A command, and its result; what is told meanwhile is noted."""
        number = next(self._numbers)
        session = {"sessionId": self.session} if self.session else {}
        await self.socket.send(json.dumps({"id": number, "method": method, "params": parameters, **session}))
        while (told := json.loads(await self.socket.recv())).get("id") != number:
            self._note(told)
        assert "error" not in told, told
        return told["result"]

    async def open(self, url: str) -> None:
        """A page, until it is loaded with all that belongs to it."""
        self._loaded = False
        await self.call("Page.navigate", url=url)
        while not self._loaded:
            self._note(json.loads(await self.socket.recv()))

    async def value(self, script: str) -> Any:
        """Of an expression in the page."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    async def picture(self) -> bytes:
        """What is seen, as PNG."""
        answer = await self.call("Page.captureScreenshot", format="png", optimizeForSpeed=False)
        return base64.b64decode(answer["data"])

    def _note(self, told: Any) -> None:
        method, parameters = told.get("method"), told.get("params", {})
        self._loaded |= method == "Page.loadEventFired"
        if method in COMPLAINTS or (method == "Runtime.consoleAPICalled" and parameters["type"] in LOUD):
            self.complaints.append(parameters)
        elif method == "Network.requestWillBeSent":
            self.fetched.append(parameters["request"]["url"])


@asynccontextmanager
async def tab(browser: str, profile: Path, width: int, height: int) -> AsyncIterator[Tab]:
    """A browser of its own, ended with the context."""
    process = await asyncio.create_subprocess_exec(
        browser,
        "--headless",
        "--no-sandbox",  # there is none for root; it sees our pages only
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        f"--window-size={width},{height}",
        stdout=DEVNULL,
        stderr=PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            url = await _listening(process)
        drained = asyncio.create_task(_drained(process))
        async with asyncio.timeout(PATIENCE), connect(url, max_size=None) as socket:
            made = Tab(socket)
            target = (await made.call("Target.createTarget", url="about:blank"))["targetId"]
            made.session = (await made.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                await made.call(f"{domain}.enable")
            yield made
    finally:
        process.kill()
        await process.wait()
    await drained


async def _listening(process: Process) -> str:
    assert process.stderr is not None
    said = []
    while line := (await process.stderr.readline()).decode():
        said.append(line)
        if line.startswith("DevTools listening on "):
            return line.split()[-1]
    raise AssertionError("".join(said))


async def _drained(process: Process) -> None:
    assert process.stderr is not None
    while await process.stderr.read(65536):
        continue
