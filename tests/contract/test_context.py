"""What the model reads out of a transaction, and how it writes Plutus data."""

from dataclasses import replace
from typing import Any

import cbor2
import pytest
from cbor2 import CBORTag
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.cbor import read
from tests.contract.context import address
from tests.contract.data import Constr, Data, Pairs, data, serialise
from tests.contract.model import NotATransaction, judge
from tests.contract.story import (
    MINT,
    NAME,
    PAYEE,
    POLICY,
    PROPOSE,
    PUBLISH,
    SELF,
    SPEND,
    VOTE,
    WALLET,
    WITHDRAW,
    Change,
    constr,
    creation,
    output,
)


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ((PUBLISH, 0), {4: [[8, [1, SELF], 2_000_000]]}),
        ((WITHDRAW, 0), {5: {b"\xe1" + WALLET: 0, b"\xf1" + SELF: 0}}),
        ((VOTE, 1), {19: {(4, bytes(28)): {}, (2, bytes(28)): {}, (0, bytes(28)): {}, (3, SELF): {}}}),
        ((PROPOSE, 0), {20: [[1, b"\xe1" + WALLET, [2, {}, SELF], None]]}),
    ],
)
def test_other_purposes_fail(key: tuple[int, int], body: dict[int, Any]) -> None:
    """Whatever the redeemer."""
    story = creation()
    story.redeemers, story.body = {key: constr(1)}, body
    assert story.verdict() == ("other purposes fail", "")


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.outputs.append([cbor2.dumps([CBORTag(24, b""), 0]), 1]),
        lambda s: s.outputs.append(output(PAYEE, 1, {POLICY: {NAME: 0}})),
        lambda s: s.body[9].update({POLICY: {NAME: 0}}),
        lambda s: s.references.update(s.inputs),
        lambda s: s.redeemers.update({(MINT, 1): constr(1)}),
        lambda s: s.redeemers.update({(SPEND, 1): constr(1)}),
        lambda s: s.redeemers.update({(MINT, 0): b"x" * 65}),
        lambda s: s.redeemers.update({(MINT, 0): "text"}),
    ],
)
def test_what_the_ledger_would_not_run_has_no_verdict(change: Change) -> None:
    """Byron addresses, zeros, an input twice in the roles, redeemers that point nowhere, what is no Plutus data."""
    story = creation()
    change(story)
    with pytest.raises(NotATransaction):
        story.judged()


def test_a_key_twice_in_a_map_is_no_transaction() -> None:
    """The bytes say so; a decoder that keeps the last would not."""
    whole = creation().case().transaction
    twice = whole.replace(b"\x02\x1a\x00\x03\x0d\x40", b"\x02\x1a\x00\x03\x0d\x40" * 2).replace(
        b"\x84\xa5", b"\x84\xa6", 1
    )
    with pytest.raises(NotATransaction, match="twice"):
        judge(replace(creation().case(), transaction=twice), SELF)


def test_redeemers_as_a_list_are_the_same() -> None:
    """The older of the two forms."""
    case = creation().case()
    body, witnesses, valid, auxiliary = cbor2.loads(case.transaction)
    witnesses[5] = [[*key, *value] for key, value in witnesses[5].items()]
    listed = replace(case, transaction=cbor2.dumps([body, witnesses, valid, auxiliary]))
    assert judge(case, SELF) == judge(listed, SELF)


@pytest.mark.parametrize(
    ("raw", "stake"),
    [
        (b"\x61" + SELF, Constr(1, ())),
        (b"\x00" + SELF + WALLET, Constr(0, (Constr(0, (Constr(0, (WALLET,)),)),))),
        (b"\x20" + SELF + WALLET, Constr(0, (Constr(0, (Constr(1, (WALLET,)),)),))),
        (b"\x41" + SELF + b"\x81\x00\x02\x03", Constr(0, (Constr(1, (128, 2, 3)),))),
    ],
)
def test_an_address_is_data_without_its_network(raw: bytes, stake: Constr) -> None:
    """A key's address in all four forms; with the next bit of the header, a script's."""
    assert Constr(0, (Constr(0, (SELF,)), stake)) == address(raw)
    assert Constr(0, (Constr(1, (SELF,)), stake)) == address(bytes([raw[0] | 0x10]) + raw[1:])
    with pytest.raises(NotATransaction):
        address(raw + b"\0")


values: st.SearchStrategy[Data] = st.recursive(
    st.integers(-(2**600), 2**600) | st.binary(max_size=200),
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple)
        | st.builds(Constr, st.sampled_from([0, 6, 7, 127, 128, 2**64 - 1]), st.lists(inner, max_size=3).map(tuple))
        | st.lists(st.tuples(inner, inner), max_size=3).map(lambda pairs: Pairs(tuple(pairs)))
    ),
    max_leaves=8,
)


@given(values)
def test_data_survives_its_bytes(value: Data) -> None:
    """What is serialised is read as the same."""
    assert value == data(read(serialise(value)))


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("80", ()),
        ("9f00ff", (0,)),
        ("d87980", Constr(0, ())),
        ("d905009f01ff", Constr(7, (1,))),
        ("d8668218809f40ff", Constr(128, (b"",))),
        ("1bffffffffffffffff", 2**64 - 1),
        ("c249010000000000000000", 2**64),
        ("3bffffffffffffffff", -(2**64)),
        ("c349010000000000000000", -(2**64) - 1),
        ("5f5840" + "61" * 64 + "4161ff", b"a" * 65),
        ("c25f5840" + "ff" * 64 + "41ffff", 2**520 - 1),
        ("a201020103", Pairs(((1, 2), (1, 3)))),
    ],
)
def test_serialised_as_the_ledger_does(written: str, value: Data) -> None:
    """Worked out by hand from the ledger's encoder."""
    assert written == serialise(value).hex()
    assert value == data(read(bytes.fromhex(written)))
