"""pycardano, loaded when a transaction is built and not before: importing it takes half a second and 40 MiB.

It is used to write CBOR, nothing else. Its back ends for Blockfrost, Docker and Ogmios are never used, and `ogmios` is
under the GPL: these packages are replaced by empty ones while it is imported, so none of their code is loaded.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from types import ModuleType
from typing import Any, Final

_UNWANTED: Final = (
    "blockfrost",
    "blockfrost.utils",
    "docker",
    "docker.errors",
    "ogmios",
    "ogmios.client",
    "ogmios.datatypes",
    "ogmios.utils",
)
_LOADING: Final = Lock()


class _Empty(ModuleType):
    """A package that has every name, and nothing behind it."""

    __path__: list[str]  # where there is one, it is a package

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def pycardano() -> Any:
    """The module. Its types are not known to mypy. The first call may be made in a thread."""
    with _LOADING:
        return _loaded()


@cache
def _loaded() -> Any:
    with _replaced(_UNWANTED):
        import pycardano as found  # type: ignore[import-untyped]
    return found


@contextmanager
def _replaced(names: tuple[str, ...]) -> Iterator[None]:
    """Modules of these names are empty ones; those that are loaded already stay."""
    empty = {name: _Empty(name) for name in names if name.partition(".")[0] not in sys.modules}
    sys.modules.update(empty)
    try:
        yield
    finally:
        for name in empty:
            sys.modules.pop(name, None)
