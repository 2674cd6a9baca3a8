"""Calls that block and that nothing can end, such as a look-up of a name: in threads of their own.

Nobody has to wait for one that hangs: neither for room in the pool of threads that everybody shares, nor for its end
when the process ends.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


class Full(Exception):
    """All threads hang with earlier calls."""


class Apart:
    """Threads of one owner, for calls of one kind: `most` at once."""

    def __init__(self, name: str, most: int) -> None:
        self._name, self._most, self._held = name, most, 0

    @property
    def is_full(self) -> bool:
        """Whether a further call would have to wait."""
        return self._held >= self._most

    async def run(self, act: Callable[[], T]) -> T:
        """What it returns, or raises. Who is cancelled meanwhile leaves it running. Raises Full."""
        if self.is_full:
            raise Full
        loop = asyncio.get_running_loop()
        told: asyncio.Future[T] = loop.create_future()

        def tell(result: T | None, error: BaseException | None) -> None:
            self._held -= 1
            if told.done():
                return
            if error is not None:
                told.set_exception(error)
            else:
                told.set_result(result)  # type: ignore[arg-type]  # no error: it is what `act` returned

        def work() -> None:
            result, error = None, None
            try:
                result = act()
            except Exception as raised:  # noqa: BLE001 -- whoever asked gets it
                error = raised
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(tell, result, error)

        threading.Thread(target=work, name=self._name, daemon=True).start()
        self._held += 1
        return await told


class Names:
    """Looks up the host of one sink. Who asks while it is being looked up gets the same answer."""

    def __init__(self) -> None:
        self._thread = Apart("look-up", 1)
        self._asking: asyncio.Task[list[str]] | None = None

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of the host, each once, in the system's order. Raises OSError."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(host, port))
            self._asking.add_done_callback(_heed)
        return await asyncio.shield(self._asking)

    async def _ask(self, host: str, port: int) -> list[str]:
        try:
            found = await self._thread.run(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Full:
            raise OSError("an earlier look-up was not answered yet") from None
        except UnicodeError as error:  # no name at all
            raise OSError(str(error)) from error
        return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _heed(asked: asyncio.Task[list[str]]) -> None:
    """Whoever asked may be gone by now."""
    if not asked.cancelled():
        asked.exception()
