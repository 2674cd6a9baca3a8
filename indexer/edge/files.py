"""Files: locks, files that hold secrets, files that are replaced as a whole."""

import errno
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from indexer import errors

# Of what the daemon writes: its group may read, such as analysts and backups; others may not even look.
FILE_MODE: Final = 0o640
FOLDER_MODE: Final = 0o750
# What nobody but the owner of a secret may do with it. systemd lets the service alone read a credential by an access
# list, and where a file has one, the bits of the group show what the list may give to anybody: 0440, owned by root.
_OTHERS: Final = 0o077
_OTHERS_OF_A_CREDENTIAL: Final = 0o037
_RETRY_S: Final = 0.05
_CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"  # where systemd's are, for the process that they are given to


def make_folder(folder: Path) -> None:
    """Make a folder of the daemon's, with those above it that are missing. Raises OSError."""
    for path in (*reversed(folder.parents), folder):
        with suppress(FileExistsError):
            if not path.exists():
                path.mkdir(FOLDER_MODE)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


@contextmanager
def only_writer(database: Path, patience_s: float = 1.0) -> Iterator[None]:
    """Be the one process that writes to this database.

    A lock of the kernel's on `<database>.lock`, which a killed process leaves behind without holding it; the
    file names the holder. Who only looks (`holder`) is in the way for a moment, so it is tried again for so many
    seconds. Raises AlreadyRunning or DatabaseUnusable.
    """
    database = database.resolve()  # by whatever name it goes, it is one database
    path = database.with_name(database.name + ".lock")
    try:
        make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise errors.DatabaseUnusable(f"cannot open {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "r+b") as file:
        end = time.monotonic() + patience_s
        while not _locked(file, fcntl.LOCK_EX):
            if time.monotonic() >= end:
                raise errors.AlreadyRunning(f"process {_named(file)} already writes to {database}")
            time.sleep(_RETRY_S)
        with suppress(OSError):  # a disk without room for the name: it is the lock that counts
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield


def holder(database: Path) -> str | None:
    """Who holds the lock of the one writer, as it names itself; None: nobody. Nothing is made or written.

    Raises DatabaseUnusable.
    """
    database = database.resolve()
    path = database.with_name(database.name + ".lock")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise errors.DatabaseUnusable(f"cannot open {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        return None if _locked(file, fcntl.LOCK_SH) else _named(file)


def _locked(file: IO[bytes], how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _named(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(32).decode(errors="replace").strip() or "unknown"


def read_private(path: Path) -> str:
    """The text of a file that holds a secret. Raises FileUnusable where others may read it too."""
    raw = read_private_bytes(path)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        # Without the cause: it holds the secret.
        raise errors.FileUnusable(f"cannot read {path}: it is not UTF-8") from None


def read_private_bytes(path: Path) -> bytes:
    """What a file holds that is a secret. Raises FileUnusable where others may read it too."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & (_OTHERS_OF_A_CREDENTIAL if _is_credential(path) else _OTHERS):
                raise errors.FileUnusable(
                    f"{path} can be read by others (mode {mode & 0o777:04o})", hint=f"chmod 600 {path}"
                )
            return file.read()
    except OSError as error:
        raise errors.FileUnusable(f"cannot read {path}: {error.strerror}") from error


def _is_credential(path: Path) -> bool:
    folder = os.environ.get(_CREDENTIALS, "")
    return folder != "" and path.resolve().is_relative_to(Path(folder).resolve())


def read_up_to(path: Path, most: int) -> bytes:
    """What a file holds, or one byte more than `most` of it where it holds more. Raises FileUnusable."""
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise errors.FileUnusable(f"cannot read {path}: {error.strerror}") from error


def read_plain(path: Path, most: int) -> bytes:
    """What a file in a folder of ours holds, or one byte more than `most` of it. Raises OSError, also for a link, or
    for a pipe, which would hold us up."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file", str(path))
        return file.read(most + 1)


@contextmanager
def replaced(path: Path, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """A file that gets its name when it is whole and on the disk; until then `path` is as it was.

    Everybody may read it, unless `mode` says otherwise. Raises FileUnusable.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                yield file
                file.flush()
                os.fsync(descriptor)
            Path(name).replace(path)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise errors.FileUnusable(f"cannot write {path}: {error.strerror}") from error
