"""A minute of soaking; half an hour: `make soak`. And that what grows is noticed."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.soak.figures import MIB, TOLERANCES, Sample, grown
from tests.soak.run import soak

CALM = [
    Sample(at, 40 + at % 3, (100 + at % 5) * MIB, 8 + at % 2, (4 + at % 2) * MIB, 3 * (at % 4)) for at in range(1800)
]
LEAK = {"files": 1 / 60, "memory": MIB / 20, "threads": 1 / 300, "wal": MIB / 60, "backlog": 1 / 20}  # in a second


def test_a_daemon_in_a_minute_of_trouble_takes_no_more_at_its_end_than_before(tmp_path: Path) -> None:
    done = soak(tmp_path, 1.0, 1, print)
    print(done.told())
    assert done.grown == []


def test_what_comes_and_goes_is_no_growth() -> None:
    assert grown(CALM, 1800) == []


@pytest.mark.parametrize("figure", TOLERANCES)
def test_what_grows_slowly_is_noticed(figure: str) -> None:
    """Half an hour of a file a minute, three mebibytes a minute, a thread in five minutes, and the like."""
    leaking = [replace(each, **{figure: getattr(each, figure) + int(each.at_s * LEAK[figure])}) for each in CALM]
    (told,) = grown(leaking, 1800)
    assert told.startswith(f"{figure} grew")
