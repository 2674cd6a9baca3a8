"""When the follower counts as stalled."""

from hypothesis import given
from hypothesis import strategies as st

from indexer.chain.point import ORIGIN, Place, Point
from indexer.domain.stalling import Recovered, Stalled, Watch, look

HERE = Point(10, b"\x01" * 32)
THERE = Point(11, b"\x02" * 32)
NOON_MS = 1_700_000_000_500
AFTER_S = 300.0


class Looked:
    """Looks one after the other, at seconds after noon."""

    def __init__(self, place: Place = HERE, open_ms: int | None = None) -> None:
        self.watch = Watch(place, 0.0, open_ms)

    def at(self, second: float, place: Place, trouble: str | None) -> Stalled | Recovered | None:
        now_ms = NOON_MS + int(second * 1000)
        self.watch, news = look(self.watch, place, trouble, steady_s=second, now_ms=now_ms, after_s=AFTER_S)
        return news


def test_it_is_stalled_once_it_has_been_neither_ready_nor_moving_for_so_long() -> None:
    """And only once, with the second at which that began; the reason is the one of the moment."""
    it = Looked()
    assert it.at(10, HERE, None) is None
    assert it.at(11, HERE, "cut off") is None
    assert it.at(309.9, HERE, "cut off") is None
    assert it.at(310, HERE, "still cut off") == Stalled(1_700_000_010_000, "still cut off")
    assert it.at(311, HERE, "still cut off") is None
    assert it.at(10_000, HERE, "and on") is None


def test_it_has_recovered_when_it_is_ready_and_not_before() -> None:
    """One that catches up after a stall is not ready yet. The next stall has an onset of its own."""
    it = Looked()
    it.at(300, HERE, "cut off")
    assert it.at(301, THERE, "behind") is None
    assert it.at(302, THERE, None) == Recovered(1_700_000_000_000)
    assert it.at(303, THERE, None) is None
    assert it.at(603, THERE, "cut off") == Stalled(1_700_000_303_000, "cut off")


def test_one_that_catches_up_is_not_stalled_however_far_behind_it_is() -> None:
    """It moves now and then; so does one that is rolled back."""
    it = Looked(ORIGIN)
    for second in range(0, 100_000, 299):
        assert it.at(second, Point(second, bytes(32)), "years behind") is None


def test_one_that_is_ready_is_not_stalled_however_long_it_stands() -> None:
    """A devnet may rest; only from the trouble on does time count."""
    it = Looked()
    assert it.at(50_000, HERE, None) is None
    assert it.at(50_299, HERE, "cut off") is None
    assert it.at(50_300, HERE, "cut off") == Stalled(1_700_050_000_000, "cut off")


def test_a_stall_that_was_told_before_is_not_told_again_and_ends() -> None:
    """As after a restart."""
    it = Looked(open_ms=7_000)
    assert it.at(5_000, HERE, "cut off") is None
    assert it.at(5_001, HERE, None) == Recovered(7_000)


looks = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from((HERE, THERE)), st.sampled_from((None, "cut off"))), max_size=40
)


@given(looks)
def test_stalls_and_recoveries_alternate_and_name_the_same_onset(found: list[tuple[int, Place, str | None]]) -> None:
    """Whatever happens: a stall, its recovery, the next stall, which begins no earlier."""
    it, second, told = Looked(), 0, []
    for step, place, trouble in found:
        second += step
        told.append(it.at(second, place, trouble))
    news = [each for each in told if each is not None]
    assert [type(each) for each in news] == [(Stalled, Recovered)[number % 2] for number in range(len(news))]
    onsets = [each.onset_ms for each in news]
    assert onsets == sorted(onsets)
    assert all(onsets[number] == onsets[number - 1] for number in range(1, len(onsets), 2))
