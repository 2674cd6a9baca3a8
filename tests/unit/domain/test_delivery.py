"""What a sink is owed, which events it wants, and how patiently it is served."""

import pytest

from indexer.domain.delivery import (
    GIVE_UP_AFTER_ATTEMPTS,
    GIVE_UP_AFTER_MS,
    DeliveryState,
    Past,
    Since,
    Subject,
    Wants,
    given_up,
    owed,
    wait_ms,
)

PENDING, DELIVERED, DEAD = DeliveryState.PENDING, DeliveryState.DELIVERED, DeliveryState.DEAD
CANCELLED = DeliveryState.CANCELLED
MINE, FUNDER = "aa" * 32, "bb" * 28


@pytest.mark.parametrize(
    ("turn", "past", "is_owed"),
    [
        pytest.param(0, [], True, id="a new event is told"),
        pytest.param(1, [], False, id="what was never told is not retracted"),
        pytest.param(1, [Past(0, CANCELLED, 0)], False, id="what was never begun to be told is not retracted"),
        pytest.param(1, [Past(0, DELIVERED, 1)], True, id="what arrived is retracted"),
        pytest.param(1, [Past(0, PENDING, 1)], True, id="what may have arrived is retracted"),
        pytest.param(1, [Past(0, DEAD, 12)], True, id="a retraction follows behind a dead letter"),
        pytest.param(2, [Past(0, DELIVERED, 1), Past(1, CANCELLED, 0)], False, id="what was never retracted holds"),
        pytest.param(2, [Past(0, CANCELLED, 3), Past(1, CANCELLED, 0)], True, id="what may not have arrived, is told"),
        pytest.param(2, [Past(0, DEAD, 12), Past(1, CANCELLED, 0)], True, id="a dead letter gets another chance"),
        pytest.param(2, [Past(0, DELIVERED, 1), Past(1, DELIVERED, 1)], True, id="what was retracted holds again"),
        pytest.param(2, [Past(0, DELIVERED, 1), Past(1, CANCELLED, 1)], True, id="what may have been retracted, too"),
        pytest.param(3, [Past(1, DELIVERED, 1), Past(2, CANCELLED, 0)], False, id="what stayed retracted is not said"),
        pytest.param(3, [Past(1, DEAD, 12), Past(2, CANCELLED, 0)], True, id="an unheard retraction is said again"),
    ],
)
def test_a_sink_is_owed_what_it_may_believe_wrongly(turn: int, past: list[Past], is_owed: bool) -> None:
    assert owed(turn, past) is is_owed


def subject(kind: str = "milestone.released", whose: str | None = MINE, funder: str | None = FUNDER) -> Subject:
    return Subject(kind, whose, funder, slot=500, time_ms=500_000, number=7, rests_on_block=True)


@pytest.mark.parametrize(
    ("wants", "of", "wanted"),
    [
        (Wants(everything=True), subject(), True),
        (Wants(everything=True), subject("attestation.rejected"), False),
        (Wants(types=("attestation.*",), everything=True), subject("attestation.rejected"), True),
        (Wants(types=("milestone.*", "wallet.low"), everything=True), subject("release.failed"), False),
        (Wants(types=("milestone.released",), everything=True), subject(), True),
        (Wants(distributions=frozenset({MINE})), subject(), True),
        (Wants(distributions=frozenset({"cc" * 32})), subject(), False),
        (Wants(funders=frozenset({FUNDER})), subject(), True),
        (Wants(funders=frozenset({FUNDER})), subject(funder=None), False),
        (Wants(funders=frozenset({FUNDER})), subject("wallet.low", None, None), True),
    ],
)
def test_a_sink_hears_of_what_it_wants(wants: Wants, of: Subject, wanted: bool) -> None:
    """Of distributions those that it names, and of the daemon whatever concerns none; what strangers can make any
    amount of only where it asks for that."""
    assert wants.includes(of) is wanted


def test_a_sink_hears_of_blocks_after_its_since() -> None:
    assert Since(slot=499).includes(subject())
    assert not Since(slot=500).includes(subject())
    assert Since(ms=500_000).includes(subject())
    assert not Since(ms=500_001).includes(subject())


def test_what_rests_on_no_block_is_told_however_far_behind_the_cursor_is() -> None:
    """Its slot is that of the last block, which may be older than the sink."""
    own = Subject("wallet.low", None, None, 500, 500_000, number=7, rests_on_block=False)
    assert Since(ms=600_000, event=6).includes(own)
    assert not Since(ms=600_000, event=7).includes(own)


def test_waits_double_up_to_a_limit_and_jitter_takes_half_away_at_most() -> None:
    assert [wait_ms(n, 60_000, 0.0) for n in (1, 2, 3, 6, 7, 100)] == [1_000, 2_000, 4_000, 32_000, 60_000, 60_000]
    assert wait_ms(3, 60_000, 1.0) == 2_000


def test_a_message_is_given_up_after_many_attempts_in_a_long_time() -> None:
    assert given_up(GIVE_UP_AFTER_ATTEMPTS, 0, GIVE_UP_AFTER_MS)
    assert not given_up(GIVE_UP_AFTER_ATTEMPTS - 1, 0, GIVE_UP_AFTER_MS)
    assert not given_up(1_000, 0, GIVE_UP_AFTER_MS - 1)
