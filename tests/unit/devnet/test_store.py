"""A devnet that was stopped goes on where it was, or comes back as another chain."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from indexer.devnet.clock import WallClock
from indexer.devnet.genesis import Genesis
from indexer.devnet.node import Node
from indexer.devnet.store import StateUnusable, Store
from tests.unit.devnet.payments import ANN, BOB, given, pay


def lived(store: Store) -> Node:
    """A node with payments, an empty block, and a fork behind it."""
    node = Node(store=store)
    _, coin = given(ANN, node=node)
    for _ in range(3):
        raw, coin = pay(ANN, coin, BOB.address, 2_000_000)
        node.submit(raw)
        node.make_block()
    node.clock.skip(10)
    node.fork(2, 3, drop=[node.chain[2].transactions[0].id])  # type: ignore[attr-defined]
    node.faucet(BOB.address, 4_000_000)
    node.make_block()
    return node


def test_a_node_goes_on_with_the_chain_that_its_store_holds(tmp_path: Path) -> None:
    with Store(tmp_path / "state", Genesis()) as store:
        before = lived(store)
    with Store(tmp_path / "state", Genesis()) as store:
        node = Node(store=store)
        assert [block.id for block in node.chain] == [block.id for block in before.chain]
        assert [block.text for block in node.chain] == [block.text for block in before.chain]
        assert (node.ledger.utxo, node.ledger.pots) == (before.ledger.utxo, before.ledger.pots)
        assert node.clock.slot == before.clock.slot
        made = node.make_block()
    with Store(tmp_path / "state", Genesis()) as store:
        assert Node(store=store).chain[-1].id == made.id


def test_it_can_fork_what_it_made_before_it_was_stopped(tmp_path: Path) -> None:
    with Store(tmp_path, Genesis()) as store:
        before = lived(store)
    with Store(tmp_path, Genesis()) as store:
        node = Node(store=store)
        blocks = node.fork(len(node.chain), 2)
        assert not {block.id for block in before.chain} & {block.id for block in blocks}
        assert len(node.mempool) == 3
    with Store(tmp_path, Genesis()) as store:
        assert [block.id for block in Node(store=store).chain] == [block.id for block in blocks]


def test_it_can_come_back_as_another_chain_with_the_same_faucet(tmp_path: Path) -> None:
    firsts, faucets = set(), []
    for number in range(3):
        with Store(tmp_path, Genesis(), start_over=number > 0) as store:
            node = Node(store=store)
            firsts.add(node.make_block().id)
            faucets.append((node.genesis.faucet_address, node.genesis.utxo))
            assert (store.genesis.incarnation, len(node.chain)) == (number, 1)
    assert len(firsts) == 3
    assert faucets == 3 * [faucets[0]]


def test_a_restart_later_goes_on_from_the_first_start(tmp_path: Path) -> None:
    """Slots pass while nobody makes blocks, as they do on a network that stands still."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=100)
    Store(tmp_path, Genesis(start=start)).close()
    with Store(tmp_path, Genesis(start=datetime.now(UTC))) as store:
        assert store.genesis.start == start
        assert 100 <= Node(store=store, clock=WallClock(store.genesis.start)).make_block().slot <= 102


def test_a_clock_that_ran_ahead_goes_on_from_there(tmp_path: Path) -> None:
    genesis = Genesis(start=datetime.now(UTC))
    with Store(tmp_path, genesis) as store:
        node = Node(store=store, clock=WallClock(genesis.start))
        node.skip(5_000)
        assert node.tip is not None
        last = node.tip.slot
    with Store(tmp_path, genesis) as store:
        again = Node(store=store, clock=WallClock(genesis.start))
        assert last <= again.clock.slot <= last + 1
        assert again.make_block().slot > last


def test_a_line_that_a_crash_cut_short_is_as_if_it_had_never_been_written(tmp_path: Path) -> None:
    with Store(tmp_path, Genesis()) as store:
        lived(store)
    whole = store.path.read_bytes()
    store.path.write_bytes(whole[:-20])
    with Store(tmp_path, Genesis()) as store:
        node = Node(store=store)
        assert len(node.chain) == 5
        assert store.path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:-1])
        node.make_block()
    with Store(tmp_path, Genesis()) as store:
        assert [block.id for block in Node(store=store).chain] == [block.id for block in node.chain]


def test_two_cannot_hold_the_same_directory(tmp_path: Path) -> None:
    with Store(tmp_path, Genesis()), pytest.raises(StateUnusable, match="in use") as raised:
        Store(tmp_path, Genesis(), start_over=True)
    assert (raised.value.code, "another devnet" in raised.value.hint) == ("devnet.state_unusable", True)
    Store(tmp_path, Genesis()).close()


@pytest.mark.parametrize("other", [{"seed": "x"}, {"magic": 7}, {"k": 5}, {"slot_length": timedelta(seconds=2)}])
def test_a_chain_with_other_facts_is_not_taken_for_this_one(tmp_path: Path, other: dict[str, Any]) -> None:
    Store(tmp_path, Genesis()).close()
    asked = replace(Genesis(), **other)
    with pytest.raises(StateUnusable, match="other facts"):
        Store(tmp_path, asked)
    with Store(tmp_path, asked, start_over=True) as store:
        assert store.genesis == replace(asked, incarnation=1)


@pytest.mark.parametrize("content", [b"hello\n", b'{"seed":"devnet"}\n', b"[]\n"])
def test_a_file_that_no_devnet_wrote_is_let_be(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "chain.jsonl"
    path.write_bytes(content)
    with pytest.raises(StateUnusable, match="does not begin"):
        Store(tmp_path, Genesis())
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{}", "line 7 is not"),
        (b'{"keep":"x"}', "line 7 is not"),
        (b'{"id":"00","slot":50,"branch":0,"transactions":["zz"]}', "line 7 is not"),
        (b'{"keep":9}', "after 5 blocks"),
        (b'{"keep":-1}', "after 5 blocks"),
        (b'{"id":"00","slot":50,"branch":0,"transactions":["84"]}', "after 5 blocks"),
        (b'{"id":"00","slot":50,"branch":0,"transactions":[]}', "after 5 blocks"),
    ],
)
def test_a_line_that_is_not_what_was_written_is_named(tmp_path: Path, line: bytes, reason: str) -> None:
    with Store(tmp_path, Genesis()) as store:
        node = Node(store=store)
        for _ in range(5):
            node.make_block()
    with store.path.open("ab") as file:
        file.write(line + b"\n")
    with Store(tmp_path, Genesis()) as store, pytest.raises(StateUnusable, match=reason):
        Node(store=store)


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateUnusable, match="cannot use"):
        Store(tmp_path / "file", Genesis())
