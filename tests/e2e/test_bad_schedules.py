"""Schedules with one fault each: refused with the field, what stands there and what would be right; nothing is written.

The command runs in this process, a node beside it; exit codes are those of the process.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from indexer.devnet.ledger.addresses import address_text
from tests.e2e.test_funding import FUNDER, ORACLES, allocation, schedule
from tests.support.promises import OURS
from tests.support.town import ADA, Json, Town, town

Change = Callable[[Json], object]
MAINNET = address_text(bytes([0x61]) + FUNDER.hash)
POINTER = address_text(bytes([0x40]) + FUNDER.hash + bytes((1, 2, 3)))
BYRON = (
    "37btjrVyb4KDXBNC4haBVPCrro8AQPHwvCMp3RFhhSVWwfFmZ6wwzSK6JK1hY6wHNmtrpTf1kdbva8TCneM2YsiXT7mrzT21EacHnPpz5YyUdj64na"
)
SMALL_ORDER = "01" + "00" * 31  # the neutral element
OFF_THE_CURVE = "02" + "00" * 31  # x^2 is no square there


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A devnet on which nothing was done yet."""
    with town(tmp_path_factory.mktemp("town")) as found:
        found.fund(FUNDER, 500 * ADA)
        yield found


def put(*path: Any, value: Any) -> Change:
    """A value at a place; the last of the path is a key or an index."""

    def change(document: Json) -> None:
        there: Any = document
        for part in path[:-1]:
            there = there[part]
        there[path[-1]] = value

    return change


def drop(*path: Any) -> Change:
    def change(document: Json) -> None:
        there: Any = document
        for part in path[:-1]:
            there = there[part]
        del there[path[-1]]

    return change


def first(**values: Any) -> Change:
    """The first allocation has other values."""
    return lambda document: document["allocations"][0].update(values)


TOP = ["funder", "token", "oracles", "quorum_threshold", "lovelace_per_payout", "keeper_fee_per_payout", "allocations"]
OF_ALLOCATION = ["beneficiary", "amount", "milestone_id", "vesting_at"]
FAULTS: list[tuple[str, Change, tuple[str, ...]]] = [
    *((f"{name} is missing", drop(name), (f"{name} is missing",)) for name in TOP),
    *(
        (f"allocations[0].{name} is missing", drop("allocations", 0, name), (f"allocations[0].{name} is missing",))
        for name in OF_ALLOCATION
    ),
    ("a field too many", put("oracle", value=1), ("oracle is not a field",)),
    ("a field too many in an allocation", first(claimed=True), ("allocations[0].claimed is not a field",)),
    ("a funder too short", put("funder", value="ab"), ("funder", '"ab"', "28 bytes")),
    ("a funder that is an address", put("funder", value=FUNDER.text), ("funder", "addr_test1", "28 bytes")),
    ("a token that is a name", put("token", value="djed"), ("token", '"djed"', "'ada'")),
    ("a policy too long", put("token", "policy_id", value="ab" * 29), ("token.policy_id", "abab", "28 bytes")),
    ("a name too long", put("token", "asset_name", value="ab" * 33), ("token.asset_name", "abab", "32 bytes")),
    ("no oracles", put("oracles", value=[]), ("oracles is an empty list", "at least 1")),
    ("an oracle too short", put("oracles", 1, value="ab" * 31), ("oracles[1]", "abab", "32 bytes")),
    ("an oracle twice", put("oracles", 2, value=ORACLES[0].public.hex()), ("oracles[2]", "oracles[0]", "once")),
    ("an oracle of small order", put("oracles", 0, value=SMALL_ORDER), ("oracles[0]", SMALL_ORDER, "public key")),
    ("an oracle off the curve", put("oracles", 0, value=OFF_THE_CURVE), ("oracles[0]", OFF_THE_CURVE, "public key")),
    ("an oracle of zeros", put("oracles", 0, value="00" * 32), ("oracles[0]", "00000000", "public key")),
    ("a threshold of none", put("quorum_threshold", value=0), ("quorum_threshold is 0", "at least 1")),
    ("a threshold of too many", put("quorum_threshold", value=4), ("quorum_threshold is 4", "3")),
    ("a threshold in words", put("quorum_threshold", value="2"), ('quorum_threshold is "2"', "whole number")),
    ("a negative payout", put("lovelace_per_payout", value=-1), ("lovelace_per_payout is -1", "at least 0")),
    ("a payout without ada", put("lovelace_per_payout", value=0), ("lovelace_per_payout is 0", "at least in a payout")),
    (
        "a payout with too little",
        put("lovelace_per_payout", value=900_000),
        ("lovelace_per_payout is 900000", "at least"),
    ),
    ("a payout in ada", put("lovelace_per_payout", value=1.5), ("lovelace_per_payout is 1.5", "whole number")),
    ("a negative fee", put("keeper_fee_per_payout", value=-5), ("keeper_fee_per_payout is -5", "at least 0")),
    ("a fee too large", put("keeper_fee_per_payout", value=1 << 63), ("keeper_fee_per_payout", f"less than {1 << 63}")),
    ("an expiry without zone", put("expires_at", value="2100-01-01T00:00:00"), ("expires_at", "zone")),
    ("an expiry that is a number", put("expires_at", value=4102444800), ("expires_at is 4102444800", "zone")),
    ("an expiry that is past", put("expires_at", value="2020-01-01T00:00:00Z"), ("expires_at is 2020", "after now")),
    ("an expiry in seconds", put("expires_at", value="1970-01-20T10:00:00Z"), ("expires_at", "seconds")),
    ("no allocations", put("allocations", value=[]), ("allocations is an empty list", "at least 1")),
    ("an allocation that is a list", put("allocations", 0, value=[]), ("allocations[0]", "an object")),
    ("an amount of nothing", first(amount=0), ("allocations[0].amount is 0", "at least 1")),
    ("a negative amount", first(amount=-3), ("allocations[0].amount is -3", "at least 1")),
    ("an amount with decimals", first(amount=1.25), ("allocations[0].amount is 1.25", "whole number")),
    ("an amount too large", first(amount=1 << 63), ("allocations[0].amount", f"less than {1 << 63}")),
    ("amounts too large together", first(amount=(1 << 63) - 1), ("amounts of allocations add up to", "2^63")),
    ("a milestone without name", first(milestone_id=""), ('allocations[0].milestone_id is ""', "64")),
    ("a milestone too long", first(milestone_id="m" * 65), ("allocations[0].milestone_id", "64")),
    ("a milestone with blanks", first(milestone_id="phase one"), ('"phase one"', "0x and hex")),
    ("a milestone that is a number", first(milestone_id=1), ("allocations[0].milestone_id is 1", "word")),
    ("a vesting without zone", first(vesting_at="2027-01-01T00:00:00"), ("allocations[0].vesting_at", "zone")),
    ("a vesting on no day", first(vesting_at="2027-02-30T00:00:00Z"), ("allocations[0].vesting_at", "2027-02-30")),
    ("a vesting too fine", first(vesting_at="2027-02-03T00:00:00.0001Z"), ("vesting_at", "millisecond")),
    ("a vesting in seconds", first(vesting_at="1970-01-20T16:40:00Z"), ("allocations[0].vesting_at", "seconds")),
    (
        "a vesting at the expiry",
        first(vesting_at="2100-01-01T00:00:00Z"),
        ("vesting_at", "before expires_at"),
    ),
    (
        "a vesting after the expiry",
        first(vesting_at="2100-01-01T00:00:01Z"),
        ("vesting_at", "before expires_at"),
    ),
    ("an address that is none", first(beneficiary="addr_test1xyz"), ("allocations[0].beneficiary", "addr_test1xyz")),
    (
        "an address mistyped",
        first(beneficiary=FUNDER.text[:-1] + "q"),
        ("[0].beneficiary", FUNDER.text[:40]),
    ),
    ("an address with a pointer", first(beneficiary=POINTER), ("allocations[0].beneficiary", "pointer")),
    ("an address of Byron", first(beneficiary=BYRON), ("allocations[0].beneficiary", "Byron")),
    ("an address of another network", first(beneficiary=MAINNET), ("beneficiary", "network")),
    ("an address of the contract", first(beneficiary=address_text(OURS.home())), ("allocations[0]", "contract")),
    (
        "addresses of another network all of them",
        lambda document: [each.update(beneficiary=MAINNET) for each in document["allocations"]],
        ("allocations[0].beneficiary", MAINNET, "test network"),
    ),
    (
        "an allocation twice",
        lambda document: document["allocations"].append(copy.deepcopy(document["allocations"][1])),
        ("allocations[5] is allocations[1] again", "sum"),
    ),
    ("a token of the contract", put("token", "policy_id", value=OURS.hash.hex()), ("token.policy_id", "another")),
    (
        "more than can be created",
        lambda document: document.update(allocations=[allocation(n, f"m{n}") for n in range(400)]),
        ("allocations are 400", "bytes"),
    ),
    (
        "ada that does not suffice for a payout",
        lambda document: document.update(token="ada", lovelace_per_payout=0),
        ("allocations[0].amount is 1000", "lovelace_per_payout", "at least"),
    ),
]


def files(here: Town) -> list[str]:
    return sorted(str(path.relative_to(here.folder)) for path in here.folder.rglob("*") if path.name != "bad.json")


def refused(here: Town, path: str, *codes: str) -> Json:
    """The error of a registration that is to be submitted; nothing was written, nothing was spent."""
    key = here.key(FUNDER)
    before = files(here), here.coins(FUNDER)
    exit_code, said = here.run("register-milestone", path, "--submit", "--yes", "--signing-key", key)
    assert exit_code == 1, said
    found: Json = said["error"]
    assert found["code"] in codes
    assert found["hint"]
    assert (files(here), here.coins(FUNDER)) == before
    return found


@pytest.mark.parametrize(("change", "told"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
def test_a_schedule_with_one_fault_is_refused(here: Town, change: Change, told: tuple[str, ...]) -> None:
    """It names the field, what stands there, and what would be right."""
    document = schedule()
    change(document)
    error = refused(here, here.write("bad.json", document), "document.invalid", "schedule.refused")
    for part in told:
        assert part in error["message"]


def test_there_are_more_than_forty_of_them() -> None:
    """Each by another name."""
    assert len({fault[0] for fault in FAULTS}) == len(FAULTS) > 40


def test_a_funder_who_does_not_sign_is_told_so(here: Town) -> None:
    """Before anything is asked of the node."""
    path = here.write("bad.json", schedule(funder="ab" * 28))
    error = refused(here, path, "schedule.refused")
    assert "ab" * 28 in error["message"]
    assert FUNDER.hash.hex() in error["message"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{", "document.garbled"),
        (b"\xff", "document.garbled"),
        (b"[]", "document.invalid"),
        (b'{"a":1,"a":2}', "document.invalid"),
    ],
)
def test_what_is_no_schedule_at_all_is_refused(here: Town, content: bytes, code: str) -> None:
    """Cut short, not text, something else."""
    path = here.folder / "bad.json"
    path.write_bytes(content)
    refused(here, str(path), code)
