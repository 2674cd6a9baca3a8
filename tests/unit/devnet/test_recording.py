"""Recordings are read as text and linked into a chain; what need not change does not."""

import gzip
import json
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from indexer.chain.point import Point
from indexer.devnet.recording import (
    LinkedBlock,
    RecordedBlock,
    RecordingUnreadable,
    link,
    members,
    parse_line,
    point_of,
    read_recording,
    read_recordings,
    value_end,
)
from tests.unit.devnet.client import DEEP, MAINNET, PREPROD, PREVIEW


def line(block: dict[str, Any]) -> bytes:
    result = {"direction": "forward", "block": block, "tip": {"slot": 1, "id": "ff" * 32, "height": 1}}
    return json.dumps({"jsonrpc": "2.0", "method": "nextBlock", "result": result, "id": None}).encode()


def praos(number: int, ancestor: int | str, height: int, slot: int, *transactions: dict[str, Any]) -> dict[str, Any]:
    """A block as older eras write it: the ancestor first, the transactions before the issuer."""
    return {
        "type": "praos",
        "era": "alonzo",
        "id": f"{number:064x}",
        "ancestor": ancestor if isinstance(ancestor, str) else f"{ancestor:064x}",
        "nonce": {"output": "ab" * 32},
        "height": height,
        "slot": slot,
        "transactions": list(transactions),
        "issuer": {"id": "decoy", "height": -1},
    }


def boundary(number: int, ancestor: int | str, height: int) -> dict[str, Any]:
    block = praos(number, ancestor, height, 0)
    return {"type": "ebb", "era": "byron", **{key: block[key] for key in ("id", "ancestor", "height")}}


def recorded(*blocks: dict[str, Any]) -> list[RecordedBlock]:
    return [parse_line(line(block)) for block in blocks]


def heads(chain: Sequence[LinkedBlock]) -> list[dict[str, Any]]:
    return [json.loads(block.text) for block in chain]


def assert_linked(chain: Sequence[LinkedBlock]) -> None:
    """The text says what the block says, and every block stands on the one before it."""
    texts = heads(chain)
    for block, text in zip(chain, texts, strict=True):
        assert (block.id.hex(), block.height, block.slot) == (text["id"], text["height"], text["slot"])
    for (before, first), (after, second) in pairwise(zip(chain, texts, strict=True)):
        assert before.slot is not None
        assert after.slot is not None
        assert (second["ancestor"], after.height) == (first["id"], before.height + 1)
        assert after.slot > before.slot


@pytest.mark.parametrize(("path", "count"), [(PREVIEW, 100), (PREPROD, 913), (DEEP, 1)])
def test_a_contiguous_recording_is_served_as_it_was_recorded(path: Path, count: int) -> None:
    blocks = read_recordings([path])
    texts = [block.text for block in link(blocks)]
    lines = gzip.decompress(path.read_bytes()).splitlines()
    assert count == len(texts)
    for text, recorded_line in zip(texts, lines, strict=True):
        start = recorded_line.index(b'"block":') + len(b'"block":')
        assert recorded_line[start : recorded_line.rindex(b',"tip":')] == text


def test_what_json_says_of_a_head_is_what_the_text_scan_finds() -> None:
    for block in read_recordings([PREVIEW, PREPROD]):
        told = json.loads(block.text)
        head = (told["id"], told["ancestor"], told["height"], told["slot"])
        assert head == (block.id.hex(), block.ancestor, block.height, block.slot)
        assert [transaction["id"].encode() for transaction in told["transactions"]] == list(block.transaction_ids())


def test_the_head_is_found_in_whatever_order_and_spacing_it_stands() -> None:
    block = parse_line(b" " + line(praos(7, "genesis", 0, 3, {"inputs": [], "id": "cd" * 32})) + b"\r\n")
    assert (block.ancestor, block.height, block.slot) == ("genesis", 0, 3)
    assert Point(3, (7).to_bytes(32, "big")) == point_of(block)
    assert list(block.transaction_ids()) == [b"cd" * 32]


def test_several_files_make_one_chain_gzipped_or_not(tmp_path: Path) -> None:
    lines = gzip.decompress(PREVIEW.read_bytes()).splitlines(keepends=True)
    first, second = tmp_path / "first.gz", tmp_path / "second.json"
    first.write_bytes(b"".join(lines[:40]))  # the name says gzip, the bytes do not
    second.write_bytes(gzip.compress(b"".join(lines[40:])))
    assert [b.text for b in read_recordings([PREVIEW])] == [b.text for b in link(read_recordings([first, second]))]


def test_blocks_that_do_not_follow_each_other_are_linked() -> None:
    blocks = read_recordings([MAINNET])
    chain = list(link(blocks))
    assert_linked(chain)
    assert blocks[0].text == chain[0].text
    assert [block.id for block in blocks] == [block.id for block in chain]
    assert [block.slot for block in blocks] == [block.slot for block in chain], "these slots grow already"


def test_only_the_head_is_patched_to_link_a_block() -> None:
    blocks = read_recordings([MAINNET])
    for before, after in zip(blocks, link(blocks), strict=True):
        left, right = json.loads(before.text), json.loads(after.text)
        changed = {key for key in left if left[key] != right[key]}
        assert changed <= {"ancestor", "height"}
        assert list(left) == list(right)


def test_a_slot_that_does_not_grow_is_put_twenty_after_the_one_before() -> None:
    chain = list(link(recorded(praos(1, 0, 10, 100), praos(2, 9, 99, 50), praos(3, 8, 5, 500))))
    assert [(block.height, block.slot) for block in chain] == [(10, 100), (11, 120), (12, 500)]
    assert_linked(chain)


def test_a_boundary_block_has_no_slot_and_adds_no_height() -> None:
    blocks = recorded(praos(1, "genesis", 7, 100), boundary(2, 1, 7), praos(3, 2, 8, 120), boundary(4, 77, 50))
    chain = list(link(blocks, repeat=2))
    assert [block.text for block in blocks[:3]] == [block.text for block in chain[:3]]
    assert [block.height for block in chain] == [7, 7, 8, 8, 9, 9, 10, 10]
    assert [block.slot for block in chain] == [100, None, 120, None, 140, None, 160, None]
    assert point_of(chain[1]) is None
    assert [head["id"] for head in heads(chain)[:-1]] == [head["ancestor"] for head in heads(chain)[1:]]


@pytest.mark.parametrize("path", [PREVIEW, PREPROD, MAINNET])
def test_a_repeated_recording_stays_one_chain_without_an_id_used_twice(path: Path) -> None:
    blocks = read_recordings([path])
    chain = list(link(blocks, repeat=3))
    assert_linked(chain)
    ids = [name for head in heads(chain) for name in (head["id"], *(tx["id"] for tx in head["transactions"]))]
    assert 3 * len(blocks) == len(chain)
    assert len(ids) == len(set(ids))
    assert [block.text for block in link(blocks)] == [block.text for block in chain[: len(blocks)]]


def test_every_mention_of_a_repeated_id_follows_it() -> None:
    """Structure and mentions are alike in all rounds, once the ids are numbered as they appear."""
    blocks = read_recordings([PREPROD])
    chain = list(link(blocks, repeat=2))
    defined = {name for block in blocks for name in (block.id.hex().encode(), *block.transaction_ids())}
    before = b"\n".join(block.text for block in chain[: len(blocks)])
    after = b"\n".join(block.text for block in chain[len(blocks) :])
    token = re.compile(rb'(?<=")[0-9a-f]{64}(?=")')
    pairs = set(zip(token.findall(before), token.findall(after), strict=True))
    renamed = {old: new for old, new in pairs if old in defined}
    foreign = {(old, new) for old, new in pairs if old not in defined}
    assert defined == set(renamed)
    assert len(defined) == len(set(renamed.values()))
    assert all(old != new for old, new in renamed.items())
    # Only the first block's ancestor lies outside the recording, and is linked all the same.
    assert {blocks[0].ancestor.encode()} == {old for old, new in foreign if old != new}
    spent = sum(name in defined for block in blocks for name in token.findall(block.text)) - len(defined)
    assert spent > len(blocks), "the recording spends its own outputs"


def test_fresh_ids_are_the_same_every_time() -> None:
    blocks = read_recordings([PREVIEW])
    assert [block.text for block in link(blocks, 2)] == [block.text for block in link(blocks, 2)]


def test_an_input_of_a_repeated_transaction_spends_the_repeated_output() -> None:
    one, two, foreign = "aa" * 32, "bb" * 32, "cc" * 32
    spends = [{"transaction": {"id": one}, "index": 0}, {"transaction": {"id": foreign}, "index": 1}]
    blocks = recorded(
        praos(1, 0, 1, 1, {"id": one, "inputs": []}),
        praos(2, 1, 2, 2, {"id": two, "inputs": spends, "metadata": f"{one}#0", "datum": f"ff{one}"}),
    )
    first, second = heads(list(link(blocks, repeat=2)))[2:]
    fresh = first["transactions"][0]["id"]
    (transaction,) = second["transactions"]
    assert fresh not in (one, two)
    assert [fresh, foreign] == [spent["transaction"]["id"] for spent in transaction["inputs"]]
    assert f"{fresh}#0" == transaction["metadata"]
    assert f"ff{one}" == transaction["datum"], "part of something longer is no id"


def test_a_hundred_thousand_blocks_are_linked_without_building_one_text() -> None:
    blocks = read_recordings([PREVIEW])
    chain = list(link(blocks, repeat=1000))
    assert len(chain) == 100_000
    assert len({block.id for block in chain}) == 100_000
    assert chain[-2].id.hex() == json.loads(chain[-1].text)["ancestor"]


Damage = Callable[[bytes], bytes]
DAMAGES: dict[str, Damage] = {
    "garbage": lambda _: b"\x00\x01\x02",
    "not UTF-8": lambda text: text.replace(b"praos", b"pr\xff\xfe"),
    "truncated": lambda text: text[: len(text) // 2],
    "without its last bracket": lambda text: text[:-1],
    "two answers": lambda text: text + text,
    "a list": lambda text: b"[" + text + b"]",
    "no result": lambda text: text.replace(b'"result"', b'"tluser"'),
    "rolled backward": lambda text: text.replace(b'"block":', b'"point":'),
    "an id too short": lambda text: text.replace(b"0" * 63 + b"2", b"02"),
    "a negative height": lambda text: text.replace(b'"height": 2', b'"height": -2'),
    "a height beyond 64 bits": lambda text: text.replace(b'"height": 2', b'"height": 9999999999999999999'),
    "no slot": lambda text: text.replace(b'"slot": 30', b'"tols": 30'),
    "no comma": lambda text: text.replace(b', "slot"', b' "slot"'),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_line_is_named_by_file_and_number(tmp_path: Path, damage: Damage) -> None:
    path = tmp_path / "blocks.jsonl"
    good = line(praos(1, 0, 1, 20))
    path.write_bytes(good + b"\n\n" + damage(line(praos(2, 1, 2, 30))) + b"\n")
    with pytest.raises(RecordingUnreadable, match=r"blocks\.jsonl line 3: ") as raised:
        read_recordings([path])
    assert raised.value.code == "devnet.recording_unreadable"


def test_a_truncated_archive_is_named_with_the_line_it_ends_in(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(PREVIEW.read_bytes()[:-2000])
    with pytest.raises(RecordingUnreadable, match=r"cut\.jsonl\.gz cannot be read past line \d+: "):
        list(read_recording(path))


def test_a_missing_or_empty_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingUnreadable, match=r"nowhere\.jsonl cannot be read"):
        read_recordings([tmp_path / "nowhere.jsonl"])
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(RecordingUnreadable, match=r"no block in .*empty\.jsonl"):
        read_recordings([tmp_path / "empty.jsonl"])


def test_a_block_recorded_twice_is_refused() -> None:
    with pytest.raises(RecordingUnreadable, match="recorded twice"):
        list(link(recorded(praos(1, 0, 1, 1), praos(1, 0, 1, 1))))


def test_a_recording_cannot_be_served_no_times() -> None:
    with pytest.raises(ValueError, match="0 times"):
        list(link(recorded(praos(1, 0, 1, 1)), repeat=0))


@pytest.mark.parametrize("depth", [1, 15, 16, 17, 50_000])
def test_a_value_ends_where_its_brackets_close_however_deep(depth: int) -> None:
    text = b'{"a": ' + b'[{"]\\"": ' * depth + b'"}"' + b"}]" * depth + b', "b": -1.5e3}'
    assert len(text) == value_end(text, 0)
    spans = members(text)
    assert {b"a", b"b"} == set(spans)
    assert text[slice(*spans[b"b"])] == b"-1.5e3"
