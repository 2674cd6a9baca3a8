"""Requests to a running daemon, in files: `<data>/requests/<id>.json`, and the answers beside them.

A command leaves one as a whole or not at all (written aside, synced, renamed), and waits. A request names until when
somebody waits for its answer: one that is older is not carried out. What is no request of ours is set aside.
"""

import asyncio
import json
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from indexer import errors
from indexer.edge.files import make_folder, read_plain
from indexer.errors import IndexerError

WAIT_S: Final = 60.0
_LOOK_EVERY_S: Final = 0.05
_MOST_BYTES: Final = 65_536
_FORGOTTEN_MS: Final = 3_600_000  # answers that nobody fetched
_NAME: Final = re.compile(r"[0-9]{13}-[0-9a-f]{16}", re.ASCII)
_ANSWER: Final = re.compile(r"[0-9]{13}-[0-9a-f]{16}\.answer", re.ASCII)
_HALF: Final = re.compile(r"\.([0-9]{13})-[0-9a-f]{16}(\.answer)?\.json\.[0-9]+", re.ASCII)


class Unanswered(IndexerError):
    """The daemon did not answer a request in time. Whether it carried it out is unknown."""

    code = "daemon.unanswered"
    hint = "look what the daemon logs; `indexer releases` says what it did"
    exit_code = 3


class Kind(StrEnum):
    """What is asked for."""

    PAUSE = "pause"
    RESUME = "resume"
    RELEASE = "release"
    RETRY = "retry"
    BACKFILL = "backfill"


@dataclass(frozen=True, slots=True)
class Request:
    """Something to be done by the daemon. `arguments` is JSON; `until_ms`: how long somebody waits for the answer
    (POSIX milliseconds)."""

    id: str
    kind: Kind
    arguments: Mapping[str, Any]
    until_ms: int


def leave(data: Path, kind: Kind, arguments: Mapping[str, Any], now_ms: int, wait_s: float = WAIT_S) -> Request:
    """Ask the daemon that works with this directory of local data. Raises FileUnusable."""
    request = Request(f"{now_ms:013d}-{secrets.token_hex(8)}", kind, dict(arguments), now_ms + int(1000 * wait_s))
    content = {"kind": str(kind), "arguments": request.arguments, "until_ms": request.until_ms}
    _write(_folder(data), f"{request.id}.json", content)
    return request


async def answer_to(data: Path, request: Request, wait_s: float = WAIT_S) -> Mapping[str, Any]:
    """What the daemon answers; both files are gone then. Whoever does not wait any longer takes the request back.

    Raises Unanswered, FileUnusable.
    """
    path = _folder(data) / f"{request.id}.answer.json"
    try:
        async with asyncio.timeout(wait_s):
            while not await asyncio.to_thread(path.exists):  # noqa: ASYNC110 -- another process makes it
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError as error:
        raise Unanswered(f"the daemon did not answer within {wait_s:g} s") from error
    finally:
        # Before the answer goes: a request without one waits to be carried out.
        _tidy(_folder(data) / f"{request.id}.json")
    found = _read(path)
    _delete(path)
    if not isinstance(found, dict):
        raise Unanswered("the daemon's answer cannot be read")
    return found


@dataclass(frozen=True, slots=True)
class Look:
    """What is asked for, in the order in which it was; files that are no requests, and requests that nobody waits for
    any longer: neither is there any more."""

    waiting: tuple[Request, ...] = ()
    unreadable: tuple[Path, ...] = ()
    late: tuple[Request, ...] = ()


def look(data: Path, now_ms: int) -> Look:
    """What is asked for. Raises FileUnusable."""
    folder = _folder(data)
    try:
        found = sorted(entry.name for entry in os.scandir(folder))
    except FileNotFoundError:
        return Look()
    except OSError as error:
        raise errors.FileUnusable(f"cannot read {folder}: {error.strerror}") from error
    waiting, unreadable, late = [], [], []
    for name in found:
        if (half := _HALF.fullmatch(name)) is not None and int(half[1]) + _FORGOTTEN_MS < now_ms:
            _tidy(folder / name)  # whoever wrote it was killed
    names = [name for name in found if name.endswith(".json")]
    answered = {name.removesuffix(".answer.json") for name in names if name.endswith(".answer.json")}
    for name in names:
        stem, path = name.removesuffix(".json"), folder / name
        if _ANSWER.fullmatch(stem):
            if int(stem[:13]) + _FORGOTTEN_MS < now_ms:
                _tidy(path)  # whoever asked has gone
            continue
        if stem in answered:
            _tidy(path)  # the daemon was killed between the answer and this
            continue
        request = _request(path, stem) if _NAME.fullmatch(stem) else None
        if request is None:
            aside = path.with_name(f"{name}.unreadable")
            with suppress(OSError):
                path.rename(aside)
            if os.path.lexists(aside) or os.path.lexists(path):  # else it was taken back just now
                unreadable.append(path)
        elif request.until_ms <= now_ms:
            late.append(request)
            _tidy(path)
        else:
            waiting.append(request)
    return Look(tuple(waiting), tuple(unreadable), tuple(late))


def answer(data: Path, request: Request, content: Mapping[str, Any]) -> None:
    """Answer a request; it is not waiting any more. Raises FileUnusable."""
    _write(_folder(data), f"{request.id}.answer.json", dict(content))
    _delete(_folder(data) / f"{request.id}.json")


def _folder(data: Path) -> Path:
    return data / "requests"


def _request(path: Path, name: str) -> Request | None:
    match _read(path):
        case {"kind": str(kind), "arguments": dict(arguments), "until_ms": int(until_ms)} if kind in set(Kind):
            return Request(name, Kind(kind), arguments, until_ms)
    return None


def _read(path: Path) -> Any:
    try:
        raw = read_plain(path, _MOST_BYTES)
        return None if len(raw) > _MOST_BYTES else json.loads(raw)
    except (OSError, ValueError, RecursionError):
        return None


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise errors.FileUnusable(f"cannot delete {path}: {error.strerror}") from error


def _tidy(path: Path) -> None:
    """Delete what is of no use any more; what cannot be deleted may stay, for it is too late for it."""
    with suppress(OSError):
        path.unlink()


def _write(folder: Path, name: str, content: Mapping[str, Any]) -> None:
    temporary = folder / f".{name}.{os.getpid()}"
    try:
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(descriptor)
        temporary.rename(folder / name)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise errors.FileUnusable(f"cannot write {folder / name}: {error.strerror}") from error
