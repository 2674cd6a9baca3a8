"""Running a program of the operator's: bytes on its standard input, its output and exit code back, within limits."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process, SubprocessStreamProtocol
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

_CHUNK: Final = 65_536
_GRACE_S: Final = 1.0  # for what was written before a program ended, where something else keeps its output open


class ProgramFailed(Exception):
    """It could not be started, or did not end in time. The message is a clause: `cannot be started: …`."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended: its exit code, what it wrote, and whether that was more than was kept."""

    code: int
    output: bytes
    is_cut: bool


@dataclass(slots=True)
class _Heard:
    """What was read so far."""

    output: bytes = b""
    is_cut: bool = False


class _Protocol(SubprocessStreamProtocol):
    """Tells when the program itself has ended, whoever else still holds its pipes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=_CHUNK, loop=loop)
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


async def run(
    argv: Sequence[str],
    given: bytes,
    time_limit_s: float,
    most_bytes: int,
    *,
    with_errors: bool = False,
    to_its_end: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Ran:
    """Run a program without a shell; `given` is its standard input. Of its output `most_bytes` are kept, `with_errors`
    of its standard error too. One that writes more is killed, or read `to_its_end`; so is one that takes longer, with
    whatever it started. What it left behind that keeps its output open is killed too, and its exit code counts.
    `environment`: variables beside our own.

    Raises ProgramFailed.
    """
    loop = asyncio.get_running_loop()
    try:
        transport, protocol = await loop.subprocess_exec(
            lambda: _Protocol(loop),
            *argv,
            stdin=PIPE,
            stdout=PIPE,
            stderr=STDOUT if with_errors else DEVNULL,
            start_new_session=True,
            env=None if environment is None else {**os.environ, **environment},
        )
    except (OSError, ValueError) as error:
        raise ProgramFailed(f"cannot be started: {error}") from error
    process, heard = Process(transport, protocol, loop), _Heard()
    assert process.stdin is not None
    assert process.stdout is not None
    tasks = (
        hearing := asyncio.create_task(_hear(process.stdout, most_bytes, heard, to_its_end=to_its_end)),
        exiting := asyncio.create_task(protocol.exited.wait()),
        asyncio.create_task(_tell(process.stdin, given)),
    )
    has_ended = False
    try:
        async with asyncio.timeout(time_limit_s):
            await asyncio.wait({hearing, exiting}, return_when=asyncio.FIRST_COMPLETED)
            if to_its_end or not heard.is_cut:
                await exiting
        if exiting.done():
            await asyncio.wait({hearing}, timeout=_GRACE_S)
        if heard.is_cut and not to_its_end:
            return Ran(-1, heard.output, heard.is_cut)
        has_ended = hearing.done()
        code = transport.get_returncode()
        assert code is not None
        return Ran(code, heard.output, heard.is_cut)
    except TimeoutError as error:
        raise ProgramFailed(f"did not answer within {time_limit_s:g} s") from error
    finally:
        if not has_ended:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with whatever it started, which may have outlived it
        for task in tasks:
            task.cancel()
        # What has gone to a session of its own may hold the other ends for as long as it likes.
        if process.stdin.transport.get_write_buffer_size():
            process.stdin.transport.abort()
        transport.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        await process.wait()


async def _tell(stdin: asyncio.StreamWriter, given: bytes) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # it may not read what it is told
        stdin.write(given)
        await stdin.drain()
        stdin.close()


async def _hear(stdout: asyncio.StreamReader, most_bytes: int, heard: _Heard, *, to_its_end: bool) -> None:
    while more := await stdout.read(_CHUNK):
        heard.is_cut = heard.is_cut or len(heard.output) + len(more) > most_bytes
        heard.output = (heard.output + more)[:most_bytes]
        if heard.is_cut and not to_its_end:
            return
