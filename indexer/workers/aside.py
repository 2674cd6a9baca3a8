"""Milestones that are left alone for a while: nothing could be made of them, or they are not worth it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from indexer.chain.block import OutputReference
from indexer.domain.submission import LONGEST_MS, rests
from indexer.store.due import Due

Key: TypeAlias = tuple[str, str]  # see `Due.key`

_FIRST_MS: Final = 5_000  # doubles each time


@dataclass(frozen=True, slots=True)
class _Alone:
    """`state`: it is another matter once that is spent."""

    state: OutputReference | None
    until_ms: int
    times: int


class Aside:
    """Which, and until when. `now_ms` tells the time (POSIX milliseconds)."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._alone: dict[Key, _Alone] = {}

    def __len__(self) -> int:
        return len(self._alone)

    def put(self, key: Key, state: OutputReference | None) -> None:
        """One more is left alone, longer each time that it happens to the same state output."""
        before = self._alone.get(key)
        times = before.times + 1 if before is not None and before.state == state else 0
        wait = min(_FIRST_MS * 2**times, LONGEST_MS)
        self._alone[key] = _Alone(state, self._now_ms() + wait, min(times, 10))

    def drop(self, key: Key) -> None:
        """Something could be made of it."""
        self._alone.pop(key, None)

    def keep_only(self, due: Iterable[Due]) -> None:
        """What is not due any more is left alone no longer."""
        alive = {each.key for each in due}
        self._alone = {key: alone for key, alone in self._alone.items() if key in alive}

    def ready(self, due: Iterable[Due]) -> list[Due]:
        """Those that may be tried now; those that were left alone before come after the others."""
        now_ms = self._now_ms()
        found = [each for each in due if (a := self._alone.get(each.key)) is None or not rests(a.until_ms, now_ms)]
        return sorted(found, key=lambda each: each.key in self._alone)

    @property
    def times_ms(self) -> list[int]:
        """When each may be tried again."""
        return [alone.until_ms for alone in self._alone.values()]
