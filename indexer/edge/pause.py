"""The keeper's pause: a file, `<data>/paused`, so that it outlives restarts and databases.

While it is there, nothing is sent. One that cannot be read pauses too.
"""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from indexer import errors
from indexer.chain.time import iso
from indexer.edge.files import FILE_MODE, make_folder, read_plain, replaced

_NAME: Final = "paused"
_MOST_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Note:
    """Since when it is paused (POSIX milliseconds; None: the file does not say), and why."""

    since_ms: int | None
    reason: str | None

    @property
    def sentence(self) -> str:
        """In words; the reason is shown escaped."""
        since = "" if self.since_ms is None else f" since {iso(self.since_ms)}"
        why = "" if self.reason is None else f": {ascii(self.reason)[1:-1]}"
        return f"paused{since}{why}"


def paused(data: Path) -> Note | None:
    """What the file says; None: it is not paused. `data` is the directory of local data."""
    try:
        raw = read_plain(data / _NAME, _MOST_BYTES)
    except FileNotFoundError:
        if not (data / _NAME).is_symlink():  # a file that is there now was made a moment later
            return None
        return Note(None, "its file is a link to nothing")
    except OSError as error:
        return Note(None, f"its file cannot be read ({error.strerror})")
    try:
        match json.loads(raw):
            case {"since_ms": int(since_ms), "reason": str() | None as reason} if since_ms >= 0:
                return Note(since_ms, reason)
    except (ValueError, RecursionError):
        pass  # somebody else wrote it, or made it with `touch`: that it is there is what counts
    return Note(None, None)


def pause(data: Path, since_ms: int, reason: str | None) -> Note:
    """Pause; what holds from now on. A pause that is there already stays as it is. Raises FileUnusable."""
    there = paused(data)
    if there is not None:
        return there
    path = data / _NAME
    try:
        make_folder(data)
        with replaced(path, FILE_MODE) as file:
            file.write(json.dumps({"since_ms": since_ms, "reason": reason}).encode() + b"\n")
        _sync(data)
    except OSError as error:
        raise errors.FileUnusable(f"cannot write {path}: {error.strerror}") from error
    return Note(since_ms, reason)


def resume(data: Path) -> bool:
    """End the pause; whether there was one. Raises FileUnusable."""
    path = data / _NAME
    try:
        there = os.path.lexists(path)
        with suppress(FileNotFoundError):
            path.unlink()
        if there:
            _sync(data)
    except OSError as error:
        raise errors.FileUnusable(f"cannot delete {path}: {error.strerror}") from error
    return there


def _sync(folder: Path) -> None:
    """Names in a folder are on the disk only once the folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
