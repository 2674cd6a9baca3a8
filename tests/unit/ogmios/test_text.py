"""One level of JSON at a time, at any depth."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.ogmios import text
from indexer.ogmios.text import Malformed, items, members

TEXT = st.text(st.characters(codec="utf-8"))
LEAVES = st.none() | st.booleans() | st.integers() | TEXT
VALUES = st.recursive(LEAVES, lambda v: st.lists(v) | st.dictionaries(TEXT, v), max_leaves=20)
SPACING = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n\t", " :\r\n ")])


@given(st.dictionaries(TEXT, VALUES), SPACING, st.booleans())
def test_members_are_those_that_json_reads(value: dict[str, object], spacing: tuple[str, str], ascii_: bool) -> None:
    """By the parser, and by the reader that takes over where the parser gives up."""
    written = json.dumps(value, separators=spacing, ensure_ascii=ascii_).encode()
    for found in (members(written), dict(map(text._member, text._parts(written, b"{", b"}")))):
        assert value == {key: json.loads(part) for key, part in found.items()}


@given(st.lists(VALUES), SPACING)
def test_items_are_those_that_json_reads(value: list[object], spacing: tuple[str, str]) -> None:
    """Likewise."""
    written = json.dumps(value, separators=spacing).encode()
    for found in (items(written), list(text._parts(written, b"[", b"]"))):
        assert value == [json.loads(part) for part in found]


def test_depth_is_no_obstacle() -> None:
    """Ten times what the deepest real block has."""
    deep = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b',"b":[{"x":"]}"},2]}'
    found = members(deep)
    assert found.keys() == {"a", "b"}
    assert items(found["b"]) == [b'{"x":"]}"}', b"2"]


@pytest.mark.parametrize("written", [b"", b"[]", b'{"a":1', b'{"a":1}}', b'{"a"}', b"{1:2}", b"\xff"])
def test_what_is_no_object_is_refused(written: bytes) -> None:
    """Whatever is wrong with it."""
    with pytest.raises(Malformed):
        members(written)


def test_brackets_that_do_not_match_are_refused_at_any_depth() -> None:
    """Where the parser has given up already."""
    deep = b'{"a":' + b"[" * 100_000 + b"]" * 99_999 + b"}"
    with pytest.raises(Malformed):
        members(deep)
