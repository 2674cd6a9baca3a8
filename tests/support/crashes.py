"""A piece of work killed at each of its steps: before every file that it opens, names, deletes or syncs."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Final

_KILLER: Final = """
import os, signal, sys
{imports}
left = [{number}]
def step(*_):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
def heard(event, _):
    if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.chmod"):
        step()
fsync = os.fsync
def sync(descriptor):
    step()
    fsync(descriptor)
os.fsync = sync
sys.addaudithook(heard)
{work}
os._exit(0)
"""


def killed_at_each_step(imports: str, work: Callable[[int], str], most: int = 50) -> Iterator[int]:
    """Run Python `work` in processes of their own, each killed one step later than the one before; the number of each,
    once it is dead. Ends with the one that lived to its end, which is not among them.

    `work` takes the number, so that each can have a folder of its own.
    """
    for number in range(1, most + 1):
        code = _KILLER.format(imports=imports, number=number, work=work(number))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
        if done.returncode == 0:
            return
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        yield number
    raise AssertionError(f"it takes more than {most} steps")
