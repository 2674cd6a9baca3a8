"""When the follower counts as stalled, and when as recovered: told from where it stands, and for how long it has."""

from dataclasses import dataclass, replace

from indexer.chain.point import Place


@dataclass(frozen=True, slots=True)
class Stalled:
    """Since `onset_ms` (POSIX milliseconds, to the second) it is not ready, for this reason, and has not moved."""

    onset_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Recovered:
    """What began at `onset_ms` is over: it is ready."""

    onset_ms: int


@dataclass(frozen=True, slots=True)
class Watch:
    """At `well_s`, by a clock that nobody sets, it was ready or came to `place`, whichever is later. `open_ms`: the
    onset of the stall that people were told of, and that is not over (POSIX milliseconds); None: there is none."""

    place: Place
    well_s: float
    open_ms: int | None = None


def look(
    was: Watch, place: Place, trouble: str | None, *, steady_s: float, now_ms: int, after_s: float
) -> tuple[Watch, Stalled | Recovered | None]:
    """A look at the follower: it stands at `place`, and is not ready because of `trouble` (None: it is).

    It is stalled when for `after_s` it neither was ready nor moved: one that catches up moves, however far behind it
    is. It has recovered once it is ready. How long that is, `steady_s` tells, so that a clock that is set, or a machine
    that slept, is no stall; `now_ms` (POSIX milliseconds) only names the onset. What comes back beside the next watch
    is to be told before that watch is kept: at most one stall is open at a time.
    """
    well = trouble is None or place != was.place
    now = replace(was, place=place, well_s=steady_s) if well else was
    if now.open_ms is not None:
        return (replace(now, open_ms=None), Recovered(now.open_ms)) if trouble is None else (now, None)
    stands_s = steady_s - now.well_s
    if trouble is None or stands_s < after_s:
        return now, None
    onset_ms = now_ms - int(stands_s * 1000)
    onset_ms -= onset_ms % 1000
    return replace(now, open_ms=onset_ms), Stalled(onset_ms, trouble)
