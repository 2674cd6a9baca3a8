"""Local milestone data: signatures received off the chain, which the chain cannot give back.

`<data>/milestones/<distribution id>/<hex of the milestone id>.json`, a MilestoneCompletionData each. Names are made of
hex alone, whatever the ids hold. Nothing is ever taken back: every write is the union of the file and what is new, put
in place in one step under a lock of the kernel's, which a killed process leaves behind without holding it.
"""

import errno
import fcntl
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from indexer import errors
from indexer.documents import MAX_BYTES, MilestoneCompletionData, OracleSignature, parse, render, union
from indexer.edge.files import FILE_MODE, FOLDER_MODE
from indexer.plutus.identity import shown_milestone
from indexer.plutus.terms import MILESTONE_ID_LENGTHS

FOLDER: Final = "milestones"
_LOCK: Final = ".lock"  # one for each distribution
_NEW: Final = ".new"  # what is being written, under the lock: a leftover is of a process that was killed
_DISTRIBUTION: Final = re.compile(r"[0-9a-f]{64}")
_MILESTONE: Final = re.compile(r"((?:[0-9a-f]{2}){1,64})\.json")
_UNSETTLED_NS: Final = 2_000_000_000  # a file that changed less long ago may not be whole yet
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Stamp: TypeAlias = tuple[int, int, int]  # when changed (ns), size, inode: another one, and the file may be another


class Key(NamedTuple):
    """Which milestone: the 32 bytes of its distribution's id, and its own id of 1 to 64 bytes."""

    distribution_id: bytes
    milestone_id: bytes


@dataclass(frozen=True, slots=True)
class QuorumNote:
    """What is noted in a file beside the signatures, for whoever reads it."""

    status: Literal["pending", "met", "exceeded"]
    threshold: int
    total_oracles: int


@dataclass(frozen=True, slots=True)
class SetAside:
    """A damaged file: where it is now, and what is wrong with it (fit for a log or a terminal)."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Merged:
    """What a file holds after a merge, what of that it did not hold before, and what had to give way."""

    signatures: tuple[OracleSignature, ...]
    added: tuple[OracleSignature, ...]
    set_aside: SetAside | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """What a look at the directory found.

    `stamps` is what the next scan wants to be given. A file that changed just now is not among them, and so is told as
    changed again next time. `troubles`: directories that could not be read; what was known of them stands.
    """

    changed: tuple[Key, ...]
    gone: tuple[Key, ...]
    stamps: Mapping[Key, Stamp]
    troubles: tuple[errors.IndexerError, ...]


def path_of(data: Path, key: Key) -> Path:
    """Where the signatures of a milestone are kept. Raises ValueError for ids of impossible length."""
    if len(key.distribution_id) != 32 or len(key.milestone_id) not in MILESTONE_ID_LENGTHS:
        raise ValueError("a distribution id has 32 bytes, a milestone id 1 to 64")
    return data / FOLDER / key.distribution_id.hex() / f"{key.milestone_id.hex()}.json"


def merge(
    data: Path,
    key: Key,
    signatures: Iterable[OracleSignature],
    *,
    now_ms: int,
    slot: int | None = None,
    quorum: QuorumNote | None = None,
    patience_s: float = 5.0,
) -> Merged:
    """Add signatures to those that a milestone's file holds; with none given, look what it holds.

    `slot` becomes that of signatures that have none, in the file or given: the slot at which they were first stored.
    `quorum` is noted beside them, as of `now_ms` (POSIX milliseconds). The file is written only if there is something
    to change, and what is returned is then on the disk. A file that is damaged, or about something else, is set
    aside under a name of its own and replaced by what is given: so give all that is known of it.

    Raises MilestoneFileUnfinished where another program seems to be writing the file, MilestoneDataBusy where the
    lock is not had within `patience_s`, MilestoneDataNoRoom and MilestoneDataUnusable. Nothing has changed then.
    """
    path = path_of(data, key)
    given = union(signatures)
    with _named(path):
        if given:
            _make(path.parent)
        elif not path.parent.exists():
            return Merged((), ())
        with _locked(path.parent, patience_s) as folder:
            _discard_new(folder)
            return _merge(folder, path, key, given, now_ms, slot, quorum)


def scan(data: Path, before: Mapping[Key, Stamp], *, now_ms: int) -> Scan:
    """Which files changed since the scan that left `before` (nothing: all are new), and which are gone.

    Looks at names, times and sizes only. Whatever is not named as `path_of` names it, or is not a plain file in a
    plain directory, is passed over. Raises MilestoneDataUnusable where the directory itself cannot be read.
    """
    found: dict[Key, Stamp] = {}
    unsettled: list[Key] = []
    troubles: list[errors.IndexerError] = []
    root = data / FOLDER
    with _named(root):
        distributions = _entries(root, _DISTRIBUTION)
    for distribution, folder in distributions:
        if not folder.is_dir(follow_symlinks=False):
            continue
        distribution_id = bytes.fromhex(distribution[0])
        try:
            with _named(Path(folder.path)):
                for name, entry in _entries(folder.path, _MILESTONE):
                    with suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        if stat.S_ISREG(status.st_mode):
                            key = Key(distribution_id, bytes.fromhex(name[1]))
                            found[key] = _stamp(status)
                            if _unsettled(status, now_ms):
                                unsettled.append(key)
        except errors.MilestoneDataUnusable as error:
            troubles.append(error)
            found |= {key: stamp for key, stamp in before.items() if key.distribution_id == distribution_id}
    changed = tuple(sorted(key for key, stamp in found.items() if before.get(key) != stamp))
    gone = tuple(sorted(key for key in before if key not in found))
    for key in unsettled:
        found.pop(key, None)
    return Scan(changed, gone, found, tuple(troubles))


# --- under the lock


def _merge(
    folder: int,
    path: Path,
    key: Key,
    given: tuple[OracleSignature, ...],
    now_ms: int,
    slot: int | None,
    quorum: QuorumNote | None,
) -> Merged:
    status = _status(folder, path.name)
    held, damage = (None, None) if status is None else _read(folder, path, key, status, now_ms)
    old = held.oracle_signatures if held else ()
    signatures = union(_with_slot(one, slot) for one in (*old, *given))
    known = {(one.oracle, one.signature) for one in old}
    added = tuple(one for one in signatures if (one.oracle, one.signature) not in known)
    document = _noted(held, key, quorum, now_ms).model_copy(update={"oracle_signatures": signatures})
    if damage is None and (document == held or not (held or signatures)):
        return Merged(signatures, added)

    if signatures:
        raw = render(document)
        if len(raw) > MAX_BYTES:
            raise errors.MilestoneDataUnusable(
                f"{path} would hold {len(signatures)} signatures: more than a file of {MAX_BYTES} bytes takes",
                hint="no milestone has so many oracles: find out who sends them",
            )
        _write(folder, raw)
    if _is_another(status, _status(folder, path.name)):
        _discard_new(folder)
        raise errors.MilestoneFileUnfinished(f"{path} was changed while we read it")
    set_aside = None if damage is None else SetAside(_give_way(folder, path, now_ms), damage)
    if signatures:
        os.rename(_NEW, path.name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)
    return Merged(signatures, added, set_aside)


def _read(
    folder: int, path: Path, key: Key, status: os.stat_result, now_ms: int
) -> tuple[MilestoneCompletionData | None, str | None]:
    """What a file holds, or what is wrong with it."""
    if not stat.S_ISREG(status.st_mode):
        return None, f"{path.name} is not a plain file"
    # Should it have become a link or a pipe since, the one is refused and the other does not hold us up.
    try:
        descriptor = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError as error:
        raise errors.MilestoneFileUnfinished(f"{path} was removed while we looked at it") from error
    with os.fdopen(descriptor, "rb") as file:
        raw = file.read(MAX_BYTES + 1)
    try:
        document = parse(MilestoneCompletionData, raw, path.name)
    except errors.DocumentGarbled as error:
        if _unsettled(status, now_ms):
            raise errors.MilestoneFileUnfinished(f"{path} is not whole: {error}") from error
        return None, str(error)
    except errors.DocumentInvalid as error:
        return None, str(error)
    if (document.distribution_id, document.milestone_id) != key:
        return None, (
            f"{path.name} is about milestone {shown_milestone(document.milestone_id)} of distribution "
            f"{document.distribution_id.hex()}, not about {shown_milestone(key.milestone_id)} of "
            f"{key.distribution_id.hex()}"
        )
    return document, None


def _with_slot(signature: OracleSignature, slot: int | None) -> OracleSignature:
    if signature.slot is not None or slot is None:
        return signature
    return signature.model_copy(update={"slot": slot})


def _noted(
    held: MilestoneCompletionData | None, key: Key, quorum: QuorumNote | None, now_ms: int
) -> MilestoneCompletionData:
    """What a file says beside the signatures. The same quorum at a later time is no change."""
    document = held or MilestoneCompletionData(
        distribution_id=key.distribution_id, milestone_id=key.milestone_id, oracle_signatures=()
    )
    if quorum is None:
        return document
    noted = document.model_copy(
        update={
            "quorum_status": quorum.status,
            "quorum_threshold": quorum.threshold,
            "total_oracles": quorum.total_oracles,
        }
    )
    return document if noted == document else noted.model_copy(update={"verification_timestamp": _moment(now_ms)})


def _write(folder: int, raw: bytes) -> None:
    """The bytes, on the disk, under the name that nobody looks at; or nothing."""
    descriptor = os.open(_NEW, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE, dir_fd=folder)
    try:
        os.fchmod(descriptor, FILE_MODE)  # whatever the umask
        rest = memoryview(raw)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except BaseException:
        _discard_new(folder)
        raise
    finally:
        os.close(descriptor)


def _discard_new(folder: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(_NEW, dir_fd=folder)


def _give_way(folder: int, path: Path, now_ms: int) -> Path:
    """Move a damaged file to a name that is not taken. Whoever does so holds the lock."""
    aside = f"{path.name}.damaged-{_moment(now_ms):%Y%m%dT%H%M%SZ}"
    names = [aside, *(f"{aside}-{n}" for n in range(2, 10_000))]
    free = next(name for name in names if _status(folder, name) is None)
    os.rename(path.name, free, src_dir_fd=folder, dst_dir_fd=folder)
    return path.with_name(free)


@contextmanager
def _locked(directory: Path, patience_s: float) -> Iterator[int]:
    """The directory, open, while no other process or thread has it so."""
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        lock = os.open(_LOCK, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE, dir_fd=folder)
        try:
            end = time.monotonic() + patience_s
            while not _taken(lock):
                if time.monotonic() >= end:
                    raise errors.MilestoneDataBusy(f"another process holds {directory / _LOCK}")
                time.sleep(0.002)  # flock knows no time limit
            yield folder
        finally:
            os.close(lock)
    finally:
        os.close(folder)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# --- the file system


def _make(directory: Path) -> None:
    """Create a directory and those above it, and see to it that the disk knows of them."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(missing):
        with suppress(FileExistsError):
            path.mkdir(FOLDER_MODE)
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)


def _entries(directory: Path | str, name: re.Pattern[str]) -> list[tuple[re.Match[str], "os.DirEntry[str]"]]:
    """What a directory holds under such names; nothing where it is none."""
    try:
        with os.scandir(directory) as entries:
            return [(match, entry) for entry in entries if (match := name.fullmatch(entry.name))]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _status(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_mtime_ns, status.st_size, status.st_ino


def _is_another(before: os.stat_result | None, now: os.stat_result | None) -> bool:
    return (before and _stamp(before)) != (now and _stamp(now))


def _unsettled(status: os.stat_result, now_ms: int) -> bool:
    # A time in the future (a clock was set back) is no reason to wait until then.
    return abs(now_ms * 1_000_000 - status.st_mtime_ns) < _UNSETTLED_NS


def _moment(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors of the system as errors of ours."""
    try:
        yield
    except OSError as error:
        kind = errors.MilestoneDataNoRoom if error.errno in _FULL else errors.MilestoneDataUnusable
        raise kind(f"cannot use {path}: {error.strerror}") from error
