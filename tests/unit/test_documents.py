"""Files that people exchange: what is read, what is refused in which words, what is written."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from indexer import documents, errors
from indexer.documents import (
    MilestoneCompletionData,
    MilestoneSchedule,
    OracleSignature,
    Token,
    parse,
    render,
    union,
)
from indexer.plutus.identity import distribution_id
from indexer.plutus.ledger import OutputReference
from indexer.plutus.terms import objections
from tests.support.addresses import address

PAYEE = address(b"\x55" * 28, "key")
SCHEDULE: dict[str, Any] = {
    "funder": "22" * 28,
    "token": {"policy_id": "33" * 28, "asset_name": "544f4b454e"},
    "oracles": ["44" * 32],
    "quorum_threshold": 1,
    "lovelace_per_payout": 1_500_000,
    "keeper_fee_per_payout": 500_000,
    "expires_at": None,
    "allocations": [
        {"beneficiary": PAYEE, "amount": 5, "milestone_id": "m1", "vesting_at": "2023-11-14T22:13:20Z"},
    ],
}
COMPLETION: dict[str, Any] = {
    "distribution_id": "ab" * 32,
    "milestone_id": "m1",
    "oracle_signatures": [{"oracle": "44" * 32, "signature": "99" * 64, "slot": 7}],
    "verification_timestamp": "2023-11-14T22:13:20Z",
    "quorum_status": "met",
    "quorum_threshold": 1,
    "total_oracles": 2,
}


def schedule(**changes: object) -> MilestoneSchedule:
    return parse(MilestoneSchedule, json.dumps(SCHEDULE | changes).encode(), "s.json")


def completion(**changes: object) -> MilestoneCompletionData:
    return parse(MilestoneCompletionData, json.dumps(COMPLETION | changes).encode(), "c.json")


def allocation(**changes: object) -> list[dict[str, Any]]:
    return [SCHEDULE["allocations"][0] | changes]


def refusal(make: Callable[..., object], **changes: object) -> str:
    with pytest.raises(errors.DocumentInvalid) as caught:
        make(**changes)
    return str(caught.value).partition(": ")[2]


# --- what is read


def test_of_a_file_full_of_what_is_none_the_first_objections_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those are put into words: a MiB may hold hundreds of thousands."""
    worded: list[object] = []
    shown = documents._shown

    def noted(value: object) -> str:
        worded.append(value)
        return shown(value)

    monkeypatch.setattr(documents, "_shown", noted)
    with pytest.raises(errors.DocumentInvalid, match=r"and 19,?[0-9]{3} more"):
        parse(MilestoneCompletionData, b'{"oracle_signatures":[' + b",".join([b"1"] * 20_000) + b"]}", "f.json")
    assert len(worded) < 10


def test_a_schedule_stands_for_the_distribution_that_the_design_pins() -> None:
    """The id commits to every term, so it is right only if all of them are."""
    terms = schedule().terms()
    seed = OutputReference(bytes(range(32)), 1)
    assert distribution_id(seed, terms).hex() == "5a295cd9bfb4815834445b002f8ce5942221a1cd90d9e05653cf038efe260e2c"
    assert objections(terms, b"\x11" * 28) == []


def test_ada_is_promised_by_its_name() -> None:
    """Both names of the token are empty in the datum then."""
    read = schedule(token="ada", expires_at="2027-01-15T08:00:00.250Z")
    assert (read.token, read.terms().token.policy_id, read.terms().token.asset_name) == ("ada", b"", b"")
    assert read.terms().expires_at == 1_800_000_000_250


def test_hex_is_read_in_either_case_and_written_in_lowercase() -> None:
    """Inside it is bytes."""
    read = completion(distribution_id="AB" * 32)
    assert read.distribution_id == b"\xab" * 32
    assert json.loads(render(read))["distribution_id"] == "ab" * 32


@pytest.mark.parametrize(
    ("written", "is_", "shown"),
    [("m1", b"m1", "m1"), ("0x6D31", b"m1", "m1"), ("0x00", b"\0", "0x00"), ("0x3078", b"0x", "0x3078")],
)
def test_a_milestone_is_written_as_people_are_shown_it(written: str, is_: bytes, shown: str) -> None:
    """However it was written before."""
    read = completion(milestone_id=written)
    assert read.milestone_id == is_
    assert json.loads(render(read))["milestone_id"] == shown


def test_times_of_any_zone_are_written_in_utc() -> None:
    """To the second, or to the millisecond where there are some."""
    read = completion(verification_timestamp="2027-07-01T01:30+02:00")
    assert read.verification_timestamp == datetime(2027, 6, 30, 23, 30, tzinfo=UTC)
    assert json.loads(render(read))["verification_timestamp"] == "2027-06-30T23:30:00Z"
    exact = completion(verification_timestamp="2027-06-30T23:30:00.050Z")
    assert json.loads(render(exact))["verification_timestamp"] == "2027-06-30T23:30:00.050Z"


def test_what_is_not_known_may_be_left_out() -> None:
    """Only the milestone and the signatures are needed."""
    whole = {key: COMPLETION[key] for key in ("distribution_id", "milestone_id")} | {
        "oracle_signatures": [{"oracle": "44" * 32, "signature": "99" * 64}]
    }
    read = parse(MilestoneCompletionData, json.dumps(whole).encode(), "c.json")
    assert read.oracle_signatures == (OracleSignature(oracle=b"\x44" * 32, signature=b"\x99" * 64, slot=None),)
    assert (read.verification_timestamp, read.quorum_status, read.quorum_threshold, read.total_oracles) == (None,) * 4


@pytest.mark.parametrize("raw", [json.dumps(COMPLETION).encode(), b"\xef\xbb\xbf" + json.dumps(COMPLETION).encode()])
def test_what_was_written_is_read_as_the_same(raw: bytes) -> None:
    """A byte order mark in front, as some editors leave it, does no harm."""
    read = parse(MilestoneCompletionData, raw, "c.json")
    assert parse(MilestoneCompletionData, render(read), "c.json") == read
    assert json.loads(render(read)) == COMPLETION
    assert parse(MilestoneSchedule, render(schedule()), "s.json") == schedule()


def test_a_document_does_not_change() -> None:
    """It may be shared."""
    with pytest.raises(ValidationError, match="frozen"):
        completion().milestone_id = b"m2"  # type: ignore[misc]


# --- signatures as a set


def signed(oracle: int, slot: int | None, signature: int = 9) -> OracleSignature:
    return OracleSignature(oracle=bytes([oracle]) * 32, signature=bytes([signature]) * 64, slot=slot)


def test_a_signature_that_is_listed_twice_counts_once_with_its_earliest_slot() -> None:
    """Another signature of the same oracle is another one: which of them verifies is not known here."""
    assert union([signed(1, 8), signed(1, None), signed(1, 5), signed(1, 6)]) == (signed(1, 5),)
    assert union([signed(1, None), signed(1, None)]) == (signed(1, None),)
    assert union([signed(1, 0), signed(1, 3, signature=8)]) == (signed(1, 0), signed(1, 3, signature=8))
    twice = [COMPLETION["oracle_signatures"][0] | {"slot": 9}, *COMPLETION["oracle_signatures"]]
    assert completion(oracle_signatures=twice) == completion()


SIGNATURES = st.lists(
    st.builds(signed, st.integers(0, 3), st.none() | st.integers(0, 3), st.integers(0, 1)), max_size=12
)


@given(SIGNATURES, SIGNATURES, st.integers(0, 2**32))
def test_a_union_depends_on_what_is_in_it_and_on_nothing_else(
    one: list[OracleSignature], other: list[OracleSignature], seed: int
) -> None:
    """Not on the order, nor on what was united first; so it does not matter which process comes first."""
    shuffled = [*one, *other]
    Random(seed).shuffle(shuffled)
    expected = union(shuffled)
    assert union([*union(one), *other]) == expected
    assert union([*one, *union(other)]) == expected
    assert union(expected) == expected
    assert {(s.oracle, s.signature) for s in expected} == {(s.oracle, s.signature) for s in shuffled}


# --- what is refused, and in which words

TIME = "a time with its zone is expected, from 1970 on, to the millisecond, such as 2027-07-01T00:00:00Z"
MILESTONE = "a milestone id has 1 to 64 bytes, written as a plain word, or as 0x and hex"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"funder": "22" * 27}, f'funder is "{"22" * 27}": a hash of 28 bytes is expected, as 56 hex digits'),
        ({"funder": None}, "funder is null: a hash of 28 bytes is expected, as 56 hex digits"),
        ({"funder": "é" * 56}, "a hash of 28 bytes is expected"),
        ({"token": "Ada"}, "token is \"Ada\": 'ada' is expected"),
        ({"token": None}, "token is null: an object is expected"),
        ({"token": {"policy_id": "", "asset_name": ""}}, 'token.policy_id is "": a hash of 28 bytes is expected'),
        ({"token": {"policy_id": "33" * 28}}, "token.asset_name is missing"),
        ({"token": {"policy_id": "33" * 28, "asset_name": "00" * 33}}, "a name of up to 32 bytes is expected, as hex"),
        ({"oracles": []}, "oracles is an empty list: at least 1 is expected"),
        ({"oracles": "44" * 32}, f'oracles is "{"44" * 32}": a list is expected'),
        ({"oracles": ["44" * 32, "4 " * 32]}, 'oracles[1] is "4 4 '),
        ({"oracles": ["44" * 32, "45" * 32, "44" * 32]}, "oracles[2] is oracles[0] again: list each once"),
        ({"quorum_threshold": 0}, "quorum_threshold is 0: at least 1 is expected"),
        ({"quorum_threshold": 2}, "quorum_threshold is 2: it cannot be more than the number of oracles, 1"),
        ({"quorum_threshold": True}, "quorum_threshold is true: a whole number is expected"),
        ({"quorum_threshold": "1"}, 'quorum_threshold is "1": a whole number is expected'),
        ({"lovelace_per_payout": -1}, "lovelace_per_payout is -1: at least 0 is expected"),
        ({"keeper_fee_per_payout": 1.0}, "keeper_fee_per_payout is 1.0: a whole number is expected"),
        ({"keeper_fee_per_payout": 2**63}, "is 9223372036854775808: less than 9223372036854775808 is expected"),
        ({"keeper_fee_per_payout": 10**900}, "keeper_fee_per_payout is a number of 2990 bits: less than"),
        ({"expires_at": "2027-07-01"}, f'expires_at is "2027-07-01": {TIME}'),
        ({"expires_at": "2027-07-01T00:00:00"}, f'expires_at is "2027-07-01T00:00:00": {TIME}'),
        ({"expires_at": 1_800_000_000}, f"expires_at is 1800000000: {TIME}"),
        ({"expires_at": "2027-02-29T00:00:00Z"}, 'expires_at is "2027-02-29T00:00:00Z": day is out of range for month'),
        ({"expires_at": "1969-12-31T23:59:59.999Z"}, TIME),
        ({"expires_at": "2027-07-01T00:00:00.0001Z"}, TIME),
        ({"expires_at": "0001-01-01T00:00:00+01:00"}, TIME),
        (
            {"expires_at": "2023-11-14T22:13:20Z"},
            "allocations[0].vesting_at is 2023-11-14T22:13:20Z: it has to come before expires_at, 2023-11-14T22:13:20Z",
        ),
        ({"allocations": []}, "allocations is an empty list: at least 1 is expected"),
        ({"allocations": [5]}, "allocations[0] is 5: an object is expected"),
        ({"allocations": allocation(amount=0)}, "allocations[0].amount is 0: at least 1 is expected"),
        ({"allocations": allocation(amount=2**62) * 2}, "add up to 9223372036854775808: it has to be less than 2^63"),
        ({"allocations": allocation(milestone_id="a b")}, 'allocations[0].milestone_id is "a b": a milestone id is'),
        ({"allocations": allocation(milestone_id="0x")}, f'allocations[0].milestone_id is "0x": {MILESTONE}'),
        ({"allocations": allocation(milestone_id="0x" + "00" * 65)}, MILESTONE),
        ({"allocations": allocation(milestone_id=5)}, f"allocations[0].milestone_id is 5: {MILESTONE}"),
        ({"allocations": allocation(beneficiary=5)}, "allocations[0].beneficiary is 5: a bech32 address is expected"),
        ({"allocations": allocation(beneficiary=f"{PAYEE[:-1]}q")}, "allocations[0].beneficiary is "),
        (
            {"allocations": allocation(beneficiary=address(b"\x55" * 28, "key", ("pointer", (1, 2, 3))))},
            "an address whose stake part is a pointer cannot be paid: give one without",
        ),
        (
            {"allocations": [*allocation(), *allocation(beneficiary=address(b"\x55" * 28, "key", network="mainnet"))]},
            "all addresses have to be of the network that allocations[0] is of",
        ),
        ({"allocations": allocation(amonut=1)}, "allocations[0].amonut is not a field of it"),
    ],
)
def test_a_schedule_that_is_wrong_is_refused_with_place_value_and_what_would_be_right(
    changes: dict[str, object], words: str
) -> None:
    """So that whoever wrote it can mend it."""
    assert words in refusal(schedule, **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"distribution_id": "ab" * 31}, "32 bytes are expected, as 64 hex digits"),
        ({"oracle_signatures": {}}, "oracle_signatures is an object: a list is expected"),
        ({"oracle_signatures": [{"oracle": "44" * 32}]}, "oracle_signatures[0].signature is missing"),
        (
            {"oracle_signatures": [{"oracle": "44" * 32, "signature": "99" * 32}]},
            "a signature of 64 bytes is expected, as 128 hex digits",
        ),
        (
            {"oracle_signatures": [{"oracle": "44" * 32, "signature": "99" * 64, "slot": -1}]},
            "oracle_signatures[0].slot is -1: at least 0 is expected",
        ),
        ({"quorum_status": "reached"}, "quorum_status is \"reached\": 'pending', 'met' or 'exceeded' is expected"),
        ({"total_oracles": [1]}, "total_oracles is a list: a whole number is expected"),
    ],
)
def test_completion_data_that_is_wrong_is_refused_in_the_same_way(changes: dict[str, object], words: str) -> None:
    """Whatever the signatures are worth, they have the right form."""
    assert words in refusal(completion, **changes)


def test_of_many_objections_five_are_told() -> None:
    """And how many more there are."""
    words = refusal(schedule, oracles=["?"] * 8, quorum_threshold=None)
    assert [part.split(" is ")[0] for part in words.split("; ")[:5]] == [f"oracles[{i}]" for i in range(5)]
    assert words.endswith("; and 4 more")


def test_messages_hold_nothing_that_a_terminal_would_obey() -> None:
    """Neither from values nor from the names of fields; and long values are cut."""
    assert refusal(schedule, **{"\x1b[2J": 1}) == '"\\u001b[2J" is not a field of it'
    assert refusal(schedule, funder="\x1b]0;x\x07").startswith('funder is "\\u001b]0;x\\u0007": ')
    long = refusal(schedule, funder="z" * 100_000)
    assert len(long) < 200
    assert "(100002 characters)" in long


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "c.json is not JSON: Expecting value, line 1 column 1"),
        (json.dumps(COMPLETION).encode()[:-1], "c.json is not JSON: Expecting ',' delimiter, line 1 column 4"),
        (b'{"distribution_id": "\xff"}', "c.json is not UTF-8: byte 21"),
        (b"\0" * 64, "c.json is not JSON"),
        (json.dumps(COMPLETION).encode("utf-16"), "c.json is not UTF-8: byte 0"),
    ],
)
def test_what_is_no_json_is_told_from_what_is_wrong(raw: bytes, words: str) -> None:
    """It may have been cut short."""
    with pytest.raises(errors.DocumentGarbled) as caught:
        parse(MilestoneCompletionData, raw, "c.json")
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"[]", "c.json: the whole is an empty list: an object is expected"),
        (b"NaN", "c.json: the whole is NaN: an object is expected"),
        (b'"\\ud800"', 'c.json: the whole is "\\ud800": an object is expected'),
        (b'{"slot": 1, "slot": 2}', 'c.json: "slot" stands twice in one object'),
        (b"1" * 5_000, "c.json: a number has 5000 digits"),
        (b"[" * 500_000 + b"]" * 500_000, "c.json nests too deep"),
        (b" " * (1 << 20) + b"1", "c.json is larger than 1048576 bytes"),
    ],
)
def test_json_of_another_kind_is_refused(raw: bytes, words: str) -> None:
    """However large and deep."""
    with pytest.raises(errors.DocumentInvalid) as caught:
        parse(MilestoneCompletionData, raw, "c.json")
    assert type(caught.value) is errors.DocumentInvalid
    assert str(caught.value) == words


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("ab" * 32),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*COMPLETION, "x"]), inner, max_size=3),
)


@given(st.sampled_from([*SCHEDULE, *COMPLETION, "beneficiary", "amount", "vesting_at", "oracle", "slot"]), JSON)
@example("token", {"policy_id": {"x": [1]}})
def test_whatever_stands_in_a_field_is_read_or_refused_by_name(field: str, value: object) -> None:
    """Never anything else, and the words are fit to be printed."""
    for make, base in ((schedule, SCHEDULE), (completion, COMPLETION)):
        lists: dict[str, object] = {
            name: [part | {field: value} for part in base[name]] for name in base if _of_objects(base[name])
        }
        for changes in ({field: value}, lists):
            assert _words(make, changes).isprintable()


@given(st.binary(max_size=64) | st.text(max_size=64).map(str.encode))
def test_whatever_bytes_are_read_or_refused_by_name(raw: bytes) -> None:
    """Half of them in the middle of a good document."""
    whole = json.dumps(SCHEDULE).encode()
    for damaged in (raw, whole[:40] + raw + whole[40:]):
        with pytest.raises(errors.DocumentInvalid):
            parse(MilestoneSchedule, damaged + b"!", "s.json")


def test_a_token_names_an_asset() -> None:
    """As the datum does."""
    token = Token(policy_id=b"\x33" * 28, asset_name=b"TOKEN")
    assert (token.asset_class.policy_id, token.asset_class.asset_name) == (b"\x33" * 28, b"TOKEN")
    assert schedule().token == token


def _words(make: Callable[..., object], changes: dict[str, object]) -> str:
    try:
        make(**changes)
    except errors.DocumentInvalid as error:
        return str(error)
    return "read"


def _of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(part, dict) for part in value)
