"""Slots and time, points as people write them."""

import pytest

from indexer.chain.network import KNOWN, network_of
from indexer.chain.point import ORIGIN, Point, parse_place
from indexer.chain.time import LAST_MOMENT, first_slot_at, iso, slot_to_ms


@pytest.mark.parametrize(
    ("network", "slot", "time"),
    [
        ("mainnet", 0, "2017-09-23T21:44:51Z"),  # the first slot of Byron
        ("mainnet", 4_492_799, "2020-07-29T21:44:31Z"),  # the last one, 20 s long
        ("mainnet", 4_492_800, "2020-07-29T21:44:51Z"),  # Shelley
        ("mainnet", 133_660_799, "2024-09-01T21:44:50Z"),  # the eve of Chang, epoch 507
        ("preprod", 86_400, "2022-06-21T00:00:00Z"),
        ("preview", 82_916_704, "2025-06-10T16:25:04Z"),
    ],
)
def test_slots_begin_when_the_networks_say(network: str, slot: int, time: str) -> None:
    """Dates as explorers show them."""
    assert time == iso(slot_to_ms(KNOWN[network].eras, slot))


def test_time_ends_with_the_year_9999() -> None:
    """Datums hold any integer; ISO-8601 does not."""
    assert LAST_MOMENT == iso(2**63) == iso(253_402_300_799_000)


def test_places_are_read_as_they_are_written() -> None:
    """`origin`, or slot and id."""
    point = Point(7, b"\xab" * 32)
    assert parse_place(str(point)) == point
    assert parse_place("origin") == ORIGIN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tip",
        "7",
        "7.",
        "7.ab",
        "-1." + "ab" * 32,
        "\N{ARABIC-INDIC DIGIT SEVEN}." + "ab" * 32,
        f"{2**63}." + "ab" * 32,
    ],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    """Also digits that are not ASCII, and slots past 2^63."""
    with pytest.raises(ValueError, match="neither"):
        parse_place(text)


def test_networks_go_by_name_or_magic() -> None:
    """A magic that we do not know is a network of its own."""
    assert network_of("preprod") is network_of(1) is network_of("1")
    assert (network_of(4242).name, network_of(4242).id) == ("4242", 0)
    with pytest.raises(ValueError, match="unknown network"):
        network_of("testnet")


@pytest.mark.parametrize(
    ("time_ms", "slot"),
    [
        (0, 0),  # before all
        (1_506_203_091_000, 0),
        (1_506_203_091_001, 1),
        (1_506_203_111_000, 1),
        (1_596_059_090_999, 4_492_800),  # within the last slot of Byron: the next is Shelley's first
        (1_596_059_091_000, 4_492_800),
        (1_596_059_091_001, 4_492_801),
    ],
)
def test_the_first_slot_at_a_time_begins_then_or_later(time_ms: int, slot: int) -> None:
    """And the one before begins earlier."""
    assert slot == first_slot_at(KNOWN["mainnet"].eras, time_ms)
