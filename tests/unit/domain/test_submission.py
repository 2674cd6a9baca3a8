"""The life of a release: each state, with all that the chain can show of it and all that the node can answer."""

from dataclasses import replace
from itertools import permutations
from typing import Final

import pytest

from indexer.domain.submission import (
    Answer,
    Course,
    Landed,
    Never,
    NotHeld,
    NotLikeThis,
    NotNow,
    OfState,
    ReleaseState,
    Sight,
    Spent,
    Taken,
    Unanswered,
    Unspent,
    answered,
    behold,
    built,
    in_order,
    rests,
    retry_after_ms,
)

K, CONFIRMED = 40, 15
OURS, THEIRS = b"o" * 32, b"t" * 32
UPPER: Final = 2_000  # the first slot in which the latest transaction is not valid any more
S = ReleaseState
LANDED: Final = Landed(OURS, 1_000, 100)


def sight(of: OfState, *, height: int = 100, cursor: int = 1_500, coins: bool = True) -> Sight:
    return Sight(cursor, height, of, coins)


def ours(height: int | None = 100) -> Spent:
    return Spent(OURS, 1_000, height, ours=True)


def theirs(height: int | None = 100) -> Spent:
    return Spent(THEIRS, 1_000, height, ours=False)


def course(state: ReleaseState) -> Course:
    landed = LANDED if state in (S.IN_BLOCK, S.CONFIRMED, S.FINAL) else None
    return Course(state, attempts=1, valid_until=UPPER, landed=landed, settled=state is S.FINAL)


def after(state: ReleaseState, seen: Sight) -> ReleaseState:
    """The state that follows, which may be the same."""
    turn = behold(course(state), seen, K, CONFIRMED)
    return state if turn is None else turn.course.state


@pytest.mark.parametrize("state", [state for state in S if state is not S.FINAL])
@pytest.mark.parametrize(
    ("depth", "expected"),
    [(0, S.IN_BLOCK), (14, S.IN_BLOCK), (15, S.CONFIRMED), (39, S.CONFIRMED), (40, S.FINAL), (99, S.FINAL)],
)
def test_whatever_was_thought_before_a_release_in_a_block_is_as_deep_as_it_is(
    state: ReleaseState, depth: int, expected: ReleaseState
) -> None:
    """Also one that had been given up: an answer that got lost may have been a yes."""
    turn = behold(replace(course(state), failures=3), sight(ours(), height=100 + depth), K, CONFIRMED)
    assert turn is not None
    landed = turn.course
    assert (landed.state, landed.landed, landed.failures, landed.settled) == (expected, LANDED, 0, depth >= 40)


def test_what_is_too_deep_to_be_remembered_is_final() -> None:
    turn = behold(course(S.SUBMITTED), sight(ours(height=None)), K, CONFIRMED)
    assert turn is not None
    assert (turn.course.state, turn.course.settled) == (S.FINAL, True)


@pytest.mark.parametrize("state", [state for state in S if state is not S.FINAL])
@pytest.mark.parametrize(("height", "settled"), [(100, False), (139, False), (140, True), (None, True)])
def test_another_transaction_that_spent_the_state_output_supersedes_it(
    state: ReleaseState, height: int | None, settled: bool
) -> None:
    """It is no failure, and counts as none; once nothing can undo it, nothing is looked at again."""
    seen = sight(theirs(100), height=height) if height is not None else sight(theirs(None))
    turn = behold(replace(course(state), failures=2), seen, K, CONFIRMED)
    if state is S.SUPERSEDED and not settled:
        assert turn is None
        return
    assert turn is not None
    found = turn.course
    assert (found.state, found.settled, found.landed, found.failures) == (S.SUPERSEDED, settled, None, 2)
    assert THEIRS.hex() in turn.reason


@pytest.mark.parametrize(
    ("state", "in_time", "too_late", "coin_gone", "coin_gone_and_late"),
    [
        (S.INTENDED, S.INTENDED, S.INTENDED, S.INTENDED, S.INTENDED),
        (S.BUILT, S.BUILT, S.EXPIRED, S.INTENDED, S.EXPIRED),
        (S.SUBMITTED, S.SUBMITTED, S.EXPIRED, S.INTENDED, S.EXPIRED),
        (S.ROLLED_BACK, S.ROLLED_BACK, S.EXPIRED, S.INTENDED, S.EXPIRED),
        (S.IN_BLOCK, S.ROLLED_BACK, S.ROLLED_BACK, S.ROLLED_BACK, S.ROLLED_BACK),
        (S.CONFIRMED, S.ROLLED_BACK, S.ROLLED_BACK, S.ROLLED_BACK, S.ROLLED_BACK),
        (S.EXPIRED, S.BUILT, S.EXPIRED, S.EXPIRED, S.EXPIRED),
        (S.SUPERSEDED, S.BUILT, S.INTENDED, S.INTENDED, S.INTENDED),
        (S.REFUSED, S.REFUSED, S.REFUSED, S.REFUSED, S.REFUSED),
        (S.FAILED, S.FAILED, S.FAILED, S.FAILED, S.FAILED),
    ],
)
def test_while_the_state_output_is_unspent(
    state: ReleaseState,
    in_time: ReleaseState,
    too_late: ReleaseState,
    coin_gone: ReleaseState,
    coin_gone_and_late: ReleaseState,
) -> None:
    """`UPPER` is the first slot in which it is not valid any more, so a cursor there has seen the last that was."""
    assert after(state, sight(Unspent(), cursor=UPPER - 1)) is in_time
    assert after(state, sight(Unspent(), cursor=UPPER)) is too_late
    assert after(state, sight(Unspent(), cursor=UPPER - 1, coins=False)) is coin_gone
    assert after(state, sight(Unspent(), cursor=UPPER, coins=False)) is coin_gone_and_late


@pytest.mark.parametrize(
    ("state", "in_time", "too_late"),
    [
        (S.INTENDED, S.INTENDED, S.INTENDED),
        (S.BUILT, S.BUILT, S.EXPIRED),
        (S.SUBMITTED, S.SUBMITTED, S.EXPIRED),
        (S.ROLLED_BACK, S.ROLLED_BACK, S.EXPIRED),
        (S.IN_BLOCK, S.ROLLED_BACK, S.ROLLED_BACK),
        (S.CONFIRMED, S.ROLLED_BACK, S.ROLLED_BACK),
        (S.EXPIRED, S.EXPIRED, S.EXPIRED),
        (S.SUPERSEDED, S.INTENDED, S.INTENDED),
        (S.REFUSED, S.REFUSED, S.REFUSED),
        (S.FAILED, S.FAILED, S.FAILED),
    ],
)
def test_while_the_state_output_is_undone_itself(
    state: ReleaseState, in_time: ReleaseState, too_late: ReleaseState
) -> None:
    """It may come back, as long as the transaction is valid; no coin is kept for it for ever."""
    assert after(state, sight(NotHeld(), cursor=UPPER - 1)) is in_time
    assert after(state, sight(NotHeld(), cursor=UPPER)) is too_late


def test_a_release_that_has_no_transaction_yet_neither_expires_nor_lands() -> None:
    fresh = Course(S.INTENDED)
    assert behold(fresh, sight(Unspent(), cursor=10**9), K, CONFIRMED) is None
    superseded = replace(fresh, state=S.SUPERSEDED)
    turn = behold(superseded, sight(Unspent()), K, CONFIRMED)
    assert turn is not None
    assert turn.course.state is S.INTENDED


def test_nothing_moves_what_is_settled() -> None:
    done = course(S.FINAL)
    for of in (Unspent(), NotHeld(), theirs(), theirs(None), ours(), ours(None)):
        assert behold(done, sight(of), K, CONFIRMED) is None


@pytest.mark.parametrize("state", [S.BUILT, S.SUBMITTED, S.ROLLED_BACK])
@pytest.mark.parametrize(
    ("answer", "expected", "failures"),
    [
        (Taken(), S.SUBMITTED, 0),
        (Unanswered("silence"), S.SUBMITTED, 0),
        (NotNow("the mempool is full"), None, 3),
        (NotLikeThis("the fee is too small"), S.REFUSED, 3),
        (Never("a script said no"), S.FAILED, 3),
    ],
)
def test_what_follows_from_an_answer(
    state: ReleaseState, answer: Answer, expected: ReleaseState | None, failures: int
) -> None:
    """A lost answer is as good as a yes, and no failure; `None`: the state stays."""
    turn = answered(replace(course(state), failures=2), answer)
    assert turn is not None
    assert (turn.course.state, turn.course.failures) == (expected or state, failures)
    assert turn.reason


def test_the_same_answer_again_says_nothing_new() -> None:
    assert answered(course(S.SUBMITTED), Taken()) is None
    assert answered(course(S.SUBMITTED), Unanswered("silence")) is None


def test_each_time_a_release_sets_out_counts() -> None:
    """Built; sent again after a rollback; built anew; again after another one's block was undone."""
    first = built(Course(S.INTENDED), UPPER).course
    assert (first.state, first.attempts, first.valid_until) == (S.BUILT, 1, UPPER)
    sent = answered(first, Taken())
    assert sent is not None
    assert sent.course.attempts == 1
    undone = behold(replace(sent.course, state=S.IN_BLOCK, landed=LANDED), sight(Unspent()), K, CONFIRMED)
    assert undone is not None
    again = answered(undone.course, Taken())
    assert again is not None
    assert (again.course.state, again.course.attempts) == (S.SUBMITTED, 2)
    second = built(replace(again.course, state=S.EXPIRED), UPPER + 100).course
    assert (second.attempts, second.valid_until) == (3, UPPER + 100)
    free = behold(replace(second, state=S.SUPERSEDED), sight(Unspent()), K, CONFIRMED)
    assert free is not None
    assert (free.course.state, free.course.attempts) == (S.BUILT, 4)


def test_what_is_built_anew_is_in_no_block() -> None:
    """Even where the block that had it was undone a moment before, and nobody has looked since."""
    assert built(course(S.IN_BLOCK), UPPER).course.landed is None


def test_the_first_failure_costs_no_time_and_each_other_one_four_times_more_up_to_an_hour() -> None:
    minutes = [retry_after_ms(failures) / 60_000 for failures in range(9)]
    assert minutes == [0, 0, 0.5, 2, 8, 32, 60, 60, 60]
    assert retry_after_ms(10_000) == 3_600_000


def test_what_is_left_alone_is_so_until_its_time_unless_that_lies_further_ahead_than_any_wait() -> None:
    now_ms = 1_800_000_000_000
    assert not rests(None, now_ms)
    assert not rests(now_ms, now_ms)
    assert rests(now_ms + 1, now_ms)
    assert rests(now_ms + 60 * 60_000, now_ms)
    assert not rests(now_ms + 60 * 60_000 + 1, now_ms)  # told by a clock that was wrong


@pytest.mark.parametrize("state", [S.BUILT, S.SUBMITTED, S.ROLLED_BACK, S.INTENDED, S.EXPIRED, S.REFUSED])
def test_what_lost_its_collateral_is_not_tried_again_by_itself(state: ReleaseState) -> None:
    turn = behold(course(state), replace(sight(Unspent(), coins=False), lost=True), K, CONFIRMED)
    assert turn is not None
    assert turn.course == replace(course(state), state=S.FAILED, failures=1)
    assert behold(turn.course, replace(sight(Unspent(), coins=False), lost=True), K, CONFIRMED) is None


def test_parents_come_before_their_children_in_whatever_order_they_are_given() -> None:
    rests_on = {"c": frozenset("ab"), "a": frozenset(), "b": frozenset("a"), "d": frozenset("x")}
    for order in permutations(rests_on):
        found = in_order((name, rests_on[name]) for name in order)
        assert sorted(found) == sorted(rests_on)
        assert found.index("a") < found.index("b") < found.index("c")


def test_names_in_a_circle_are_not_lost() -> None:
    found = in_order([("a", frozenset("b")), ("b", frozenset("a")), ("c", frozenset()), ("d", frozenset("a"))])
    assert found[0] == "c"
    assert sorted(found) == ["a", "b", "c", "d"]
