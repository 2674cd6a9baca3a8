"""What a chain amounts to does not depend on the hand in which somebody writes it."""

from dataclasses import replace

import pytest

from tests.chaos.reading import due, read
from tests.contract.keys import key_hash, public
from tests.contract.plutus import fields
from tests.contract.terms import Allocation, Terms, somebody
from tests.contract.tree import Array, Chunks, Tag
from tests.contract.tree import Node as Tree
from tests.support.deeds import by_oracle, create, pay
from tests.support.promises import TOKENS, World

ORACLE = public("oracle 0")


def in_pieces(data: Tree, length: int) -> Tree:
    """The same fields in a counted list, each string in pieces of so many bytes."""
    strings = [field for field in fields(data).items if isinstance(field, bytes)]
    assert len(strings) == 5
    cut = (Chunks(tuple(one[at : at + length] for at in range(0, len(one), length))) for one in strings)
    return Tag(122, Array(tuple(cut)))


@pytest.mark.parametrize("length", [7, 64])
def test_a_signature_written_in_pieces_makes_a_payment_due(length: int) -> None:
    world = World()
    allocation = Allocation(somebody("ann"), 5, b"m1", 0)
    plan = world.plan(Terms(key_hash("funder"), (ORACLE,), 1, (allocation,), TOKENS[0], 2_000_000, 800_000))
    create(world, plan)
    world.block()
    assert due(read(world.node, [plan], []), [plan], {}) == set()

    usual = by_oracle(plan, 0)
    pay(world, [replace(usual, datum=in_pieces(usual.datum, length))])
    world.block()

    found = read(world.node, [plan], [])
    assert found.signed == {(plan.id, b"m1"): {ORACLE}}
    assert due(found, [plan], {}) == {(plan.id, 0)}
