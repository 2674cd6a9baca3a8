"""Running a program of the operator's: bytes on its standard input, its output and exit code back, within limits."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

_CHUNK: int = 65_536


class ProgramFailed(Exception):
    """It could not be started, or did not end in time. The message is a clause: `cannot be started: …`."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended: its exit code, what it wrote, and whether that was more than was kept."""

    code: int
    output: bytes
    is_cut: bool


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
    whatever it started. `environment`: variables beside our own.

    Raises ProgramFailed.
    """
    pipe, aside = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=pipe,
            stdout=pipe,
            stderr=asyncio.subprocess.STDOUT if with_errors else aside,
            start_new_session=True,
            env=None if environment is None else {**os.environ, **environment},
        )
    except (OSError, ValueError) as error:
        raise ProgramFailed(f"cannot be started: {error}") from error
    has_ended = False
    try:
        async with asyncio.timeout(time_limit_s):
            assert process.stdin is not None
            assert process.stdout is not None
            output, is_cut = b"", False
            with suppress(BrokenPipeError, ConnectionResetError):  # it may not read what it is told
                process.stdin.write(given)
                await process.stdin.drain()
                process.stdin.close()
            while more := await process.stdout.read(_CHUNK):
                is_cut = is_cut or len(output) + len(more) > most_bytes
                output = (output + more)[:most_bytes]
                if is_cut and not to_its_end:
                    return Ran(-1, output, is_cut)
            code = await process.wait()
            has_ended = True
            return Ran(code, output, is_cut)
    except TimeoutError as error:
        raise ProgramFailed(f"did not answer within {time_limit_s:g} s") from error
    finally:
        if not has_ended:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with whatever it started, which may have outlived it
            await process.wait()
