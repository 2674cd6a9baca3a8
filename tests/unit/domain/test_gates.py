"""Gates: each shuts for its own reason, says which, and is shut where nothing is known."""

from dataclasses import replace
from typing import Any, Final

import pytest

from indexer.domain.gates import Facts, Gate, Stands, Wallet, gates, shut

WALLET: Final = Wallet("addr_test1 of the keeper", plain=20_000_000, coins=3, collateral=7_000_000)
OPEN: Final = Facts(
    enabled=True,
    dry_run=False,
    paused=None,
    seconds_behind=20,
    ready_within_s=300,
    blocks_behind=0,
    recovering=False,
    wallet=WALLET,
    reserve=5_000_000,
    collateral_needed=7_000_000,
    node=None,
    major=10,
)


def shut_by(**changes: Any) -> list[Stands]:
    return shut(gates(replace(OPEN, **changes)))


def test_where_all_is_well_every_gate_is_open_and_says_so() -> None:
    """Each once, so that each can be a metric and a line."""
    stands = gates(OPEN)
    assert [each.gate for each in stands] == list(Gate)
    assert all(each.open and each.reason for each in stands)
    assert shut(stands) == []


@pytest.mark.parametrize(
    ("changes", "gate", "words"),
    [
        ({"enabled": False}, Gate.ENABLED, "off"),
        ({"paused": "maintenance until noon"}, Gate.NOT_PAUSED, "maintenance until noon"),
        ({"paused": ""}, Gate.NOT_PAUSED, "it is paused"),
        ({"seconds_behind": None}, Gate.CAUGHT_UP, "no block"),
        ({"seconds_behind": 301}, Gate.CAUGHT_UP, "301 s"),
        ({"blocks_behind": 1}, Gate.CAUGHT_UP, "1 block"),
        ({"recovering": True}, Gate.NO_ROLLBACK, "fell back"),
        ({"wallet": replace(WALLET, unread=True)}, Gate.WALLET_READ, "not read yet"),
        ({"wallet": replace(WALLET, plain=4_999_999)}, Gate.RESERVE, "4999999 lovelace"),
        ({"wallet": replace(WALLET, plain=0), "reserve": 0}, Gate.RESERVE, "0 lovelace"),
        ({"wallet": replace(WALLET, collateral=None)}, Gate.COLLATERAL, "7000000 lovelace"),
        ({"node": "cannot connect"}, Gate.NODE, "cannot connect"),
        ({"major": None}, Gate.PROTOCOL, "not told"),
        ({"major": 12}, Gate.PROTOCOL, "protocol 12"),
        ({"major": 8}, Gate.PROTOCOL, "protocol 8"),
    ],
)
def test_each_fact_shuts_its_own_gate_and_no_other(changes: dict[str, Any], gate: Gate, words: str) -> None:
    (found,) = shut_by(**changes)
    assert found.gate is gate
    assert words in found.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"seconds_behind": 300},
        {"seconds_behind": 0},
        {"blocks_behind": None},  # the tip is not known; the clock on the wall says enough
        {"wallet": replace(WALLET, plain=5_000_000)},
        {"wallet": replace(WALLET, plain=1), "reserve": 0},
        {"major": 9},
        {"major": 11},
        {"enabled": False, "dry_run": True},
    ],
)
def test_what_is_just_enough_opens_it(changes: dict[str, Any]) -> None:
    assert shut_by(**changes) == []


def test_without_a_wallet_all_that_it_is_asked_for_is_missing() -> None:
    assert [each.gate for each in shut_by(wallet=None)] == [Gate.WALLET_READ, Gate.RESERVE, Gate.COLLATERAL]


def test_without_a_wallet_the_way_out_is_a_key_and_no_coin_and_nothing_by_hand() -> None:
    """No daemon reads the coins of a wallet that is none, nobody can send it any, and nobody can pay from it."""
    for each in shut_by(wallet=None, enabled=False):
        assert "signing_key, or signer with verification_key" in each.hint
        assert not any(words in each.hint for words in ("caught up", "send ada", "submit-release"))
    assert "submit-release" in shut_by(enabled=False)[0].hint
    assert "send ada" in shut_by(wallet=replace(WALLET, plain=0))[0].hint


def test_where_more_is_asked_for_than_is_ever_staked_nobody_is_told_to_send_it() -> None:
    (found,) = shut_by(collateral_needed=10**12)
    assert "send ada" not in found.hint


def test_where_nothing_is_known_nothing_is_done() -> None:
    nothing = Facts(
        enabled=False,
        dry_run=False,
        paused=None,
        seconds_behind=None,
        ready_within_s=300,
        blocks_behind=None,
        recovering=False,
        wallet=None,
        reserve=0,
        collateral_needed=0,
    )
    assert {Gate.ENABLED, Gate.CAUGHT_UP, Gate.RESERVE, Gate.PROTOCOL} <= {each.gate for each in shut(gates(nothing))}


def test_a_wallet_that_strangers_filled_says_what_is_left_alone() -> None:
    poor = replace(WALLET, plain=0, coins=0, others=2, in_others=9_000_000)
    (found,) = shut_by(wallet=poor)
    assert "2 other coins (9000000 lovelace)" in found.reason
    assert "another key" not in found.reason


def test_an_empty_wallet_after_another_one_is_told_apart_from_one_that_was_spent() -> None:
    (found,) = shut_by(wallet=replace(WALLET, plain=0, earlier=("ab" * 28,)))
    assert "another key" in found.reason
    assert "ab" * 28 in found.reason


def test_some_gates_may_be_passed_over() -> None:
    stands = gates(replace(OPEN, enabled=False, major=None))
    assert [each.gate for each in shut(stands, but=(Gate.PROTOCOL,))] == [Gate.ENABLED]
