"""The index equals one that only ever saw the blocks that are left, and says of them what the chain says."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.chain.point import ORIGIN, Point
from indexer.devnet.kupo.index import Index, StillWatched
from indexer.devnet.kupo.patterns import Anything, Payment, Policy, parse
from tests.unit.devnet.kupo import model
from tests.unit.devnet.kupo.asking import Asking
from tests.unit.devnet.kupo.making import (
    HOMES,
    PAYMENTS,
    POLICIES,
    Block,
    Coin,
    Maker,
    Tx,
    digest,
    hash_of,
    index_of,
    indexed,
)

A, B, C = (digest(name) for name in "abc")


def everything(index: Index) -> tuple[Any, ...]:
    """All that an index knows, in order where order counts."""
    asking = Asking(index)
    return (
        asking.get("/matches?resolve_hashes"),
        asking.get("/checkpoints"),
        index._datums._things,
        index._scripts._things,
        index._blocks,
        index._changes,
    )


@given(seed=st.integers(0, 2**32), story=st.lists(st.integers(-6, 3).filter(bool), max_size=12))
def test_after_any_forks_it_equals_a_fresh_one(seed: int, story: list[int]) -> None:
    """A positive number grows the chain, a negative one abandons blocks."""
    maker, index, chain = Maker(seed), Index(), list[Block]()
    for step in story:
        for _ in range(step):
            chain.append(maker.block(chain))
            index.apply(indexed(chain[-1]))
        if step < 0:
            del chain[max(0, len(chain) + step) :]
            index.roll_back(Point(chain[-1].slot, chain[-1].id) if chain else ORIGIN)
    assert everything(index_of(chain)) == everything(index)


def test_what_a_failed_transaction_makes_and_spends_is_its_collateral() -> None:
    """Its outputs are not made, but they count for the index of what is left; no redeemer is for a collateral."""
    coins = (Coin(HOMES[0]), Coin(HOMES[0], 2), Coin(HOMES[0], 3))
    failed = Tx(
        B, ((A, 2),), (Coin(HOMES[1]), Coin(HOMES[1])), False, ((A, 1), (A, 0)), Coin(HOMES[2], 4), (), (), {0: b"\0"}
    )
    asking = Asking(index_of([Block(5, C, (Tx(A, (), coins),)), Block(6, A, (failed,))]))
    rows = asking.get("/matches?order=oldest_first")
    assert [(A.hex(), 0), (A.hex(), 1), (A.hex(), 2), (B.hex(), 2)] == [
        (row["transaction_id"], row["output_index"]) for row in rows
    ]
    spent = {"slot_no": 6, "header_hash": A.hex(), "transaction_id": B.hex(), "redeemer": None}
    assert [{**spent, "input_index": 0}, {**spent, "input_index": 1}, None, None] == [row["spent_at"] for row in rows]


def test_a_failed_transaction_without_a_return_makes_nothing() -> None:
    failed = Tx(B, (), (Coin(HOMES[1]),), False)
    assert Asking(index_of([Block(5, C, (failed,))])).get("/matches") == []


def test_inputs_count_in_the_ledgers_order_and_find_their_redeemers() -> None:
    """By transaction id, then by index, however the transaction lists them."""
    made = Tx(B, (), tuple(Coin(HOMES[0], n + 1) for n in range(11)))
    other = Tx(A, (), (Coin(HOMES[0], 20),))
    taken = ((B, 10), (B, 9), (A, 0))
    spender = Tx(C, taken, (), redeemers={0: b"\x00", 1: b"\x01", 2: b"\x02"})
    rows = Asking(index_of([Block(1, A, (made, other, spender))])).get("/matches?spent")
    found = {(row["value"]["coins"], row["spent_at"]["input_index"], row["spent_at"]["redeemer"]) for row in rows}
    amounts = {(A, 0): 20, (B, 9): 10, (B, 10): 11}
    assert {(amounts[ref], n, f"0{n}") for n, ref in enumerate(sorted(taken))} == found


def test_blocks_come_in_order_and_only_its_own_are_undone() -> None:
    index = index_of([Block(5, A), Block(7, B)])
    for slot in (6, 7):
        with pytest.raises(ValueError, match="cannot follow"):
            index.apply(indexed(Block(slot, C)))
    for point in (Point(7, A), Point(6, A), Point(8, B), Point(4, C)):
        with pytest.raises(ValueError, match="not on the chain"):
            index.roll_back(point)
    assert Point(7, B) == index.tip
    index.roll_back(Point(7, B))
    assert Point(7, B) == index.tip
    index.roll_back(Point(5, A))
    assert Point(5, A) == index.tip
    index.roll_back(ORIGIN)
    assert index.tip is None


def test_a_datum_is_known_as_long_as_a_block_that_showed_it_is_left() -> None:
    datum = b"\x18\x2a"
    shown = Block(1, A, (Tx(A, datums=(datum,)),))
    again = Block(2, B, (Tx(B, (), (Coin(HOMES[0], datum=datum),), datums=(datum,)),))
    index = index_of([shown, again])
    index.roll_back(Point(1, A))
    assert datum == index.datum(hash_of(datum))
    index.roll_back(ORIGIN)
    assert index.datum(hash_of(datum)) is None


def test_only_what_a_pattern_matches_is_kept_and_a_pattern_can_be_added_from_a_block_on() -> None:
    """Rows before that block are not found again; what was found before stays."""
    chain = [Block(n, digest(n), (Tx(digest("tx", n), (), (Coin(HOMES[0]), Coin(HOMES[1]))),)) for n in (1, 2, 3)]
    index = Index([Payment(PAYMENTS[0])])
    for block in chain:
        index.apply(indexed(block))
    assert [PAYMENTS[0]] * 3 == [row.output.address[1:29] for row in index.rows]
    index.watch([Payment(PAYMENTS[1])], Point(2, digest(2)))
    assert [PAYMENTS[0]] * 3 + [PAYMENTS[1]] == [row.output.address[1:29] for row in index.rows]
    assert Point(3, digest(3)) == index.tip
    assert (index.forget(Payment(PAYMENTS[0])), index.forget(Payment(PAYMENTS[0]))) == (1, 0)
    index.apply(indexed(Block(4, digest(4), (Tx(C, (), (Coin(HOMES[0]), Coin(HOMES[1]))),))))
    assert len(list(index.rows)) == 5


def test_rows_of_patterns_that_are_not_watched_any_more_can_be_deleted_and_forks_stay_possible() -> None:
    made = Block(1, A, (Tx(A, (), (Coin(HOMES[0]), Coin(HOMES[1]))),))
    spent = Block(2, B, (Tx(B, ((A, 0), (A, 1)), ()),))
    index = index_of([made, spent])
    with pytest.raises(StillWatched):
        index.delete(Payment(PAYMENTS[0]))
    index.forget(Anything())
    assert (index.delete(Payment(PAYMENTS[0])), index.delete(Policy(POLICIES[0]))) == (1, 0)
    index.roll_back(Point(1, A))
    assert [(PAYMENTS[1], None)] == [(row.output.address[1:29], row.spent) for row in index.rows]
    index.roll_back(ORIGIN)
    assert list(index.rows) == []


def test_a_metadata_label_selects_whole_transactions() -> None:
    index = Index([parse("{674}")])
    labelled, other = (
        Tx(A, (), (Coin(HOMES[0]),), metadata={674: "x", 7: 1}),
        Tx(B, (), (Coin(HOMES[0]),), metadata={7: 1}),
    )
    index.apply(indexed(Block(1, C, (labelled, other))))
    assert [row.reference.transaction_id for row in index.rows] == [A]


def test_checkpoints_are_a_sample_that_thins_out() -> None:
    """Every ten slots up to 30, then at distances that double, up to 36 hours: the oldest block within each."""
    slots = range(0, 300_000, 5)
    index = Index()
    for slot in slots:
        index.apply(indexed(Block(slot, digest(slot))))
    tip = slots[-1]
    distances = [0, 10, 20, 30, *(129_600 // 2**n for n in range(11, -1, -1))]
    expected = [min(slot for slot in slots if slot >= tip - distance) for distance in distances]
    assert expected == [point.slot for point in index.checkpoints()]


@pytest.mark.parametrize("seed", range(5))
def test_what_stands_at_a_slot_is_found_as_by_looking_through_all_blocks(seed: int) -> None:
    random, chain = Random(seed), [Block(slot, digest(slot)) for slot in sorted(Random(seed).sample(range(200), 40))]
    index = index_of(chain)
    for slot in (random.randrange(220) for _ in range(100)):
        before = max((block.slot for block in chain if block.slot <= slot), default=None)
        after = min((block.slot for block in chain if block.slot >= slot), default=None)
        found, next_ = index.at_or_before(slot), index.at_or_after(slot)
        assert (before, after) == (found and found.slot, next_ and next_.slot)


def test_scripts_are_known_by_the_hash_of_their_bytes_wherever_they_were_shown() -> None:
    """Among witnesses, in auxiliary data, behind an output; of outputs that are not matched, not."""
    shown = [(n, bytes([n])) for n in range(4)]
    chain = [
        Block(1, A, (Tx(A, (), (Coin(HOMES[0], script=shown[0]),), scripts=(shown[1],), more_scripts=(shown[2],)),)),
        Block(2, B, (Tx(B, (), (Coin(HOMES[1], script=shown[3]),)),)),
    ]
    index = Index([Payment(PAYMENTS[0])])
    for block in chain:
        index.apply(indexed(block))
    hashes = [hash_of(bytes([n, n]), 28) for n in range(4)]
    assert [index.script(hash_) is not None for hash_ in hashes] == [True, True, True, False]
    asking = Asking(index)
    assert [model.script(chain, hash_) for hash_ in hashes[:3]] == [
        asking.get(f"/scripts/{h.hex()}") for h in hashes[:3]
    ]
