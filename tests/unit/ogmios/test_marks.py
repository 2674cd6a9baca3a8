"""Marks behind a word, told by the compiled scanner and by Python: both say what a slow look says."""

import ctypes
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.ogmios.marks import FIND_MARKS, Marks

WORD = b"key"
ALPHABET = st.sampled_from([WORD, b"ke", b"y", b":", b"::", b"0", b"1", b"01234567", b"01234568", b"keykey:", b"\0"])
TEXTS = st.lists(ALPHABET, max_size=60).map(b"".join)
KNOWN = st.sets(st.lists(st.sampled_from(b"01"), min_size=8, max_size=8).map(bytes) | st.just(b"01234567"), max_size=20)
WAYS = pytest.mark.parametrize("find", [None] if FIND_MARKS is None else [None, FIND_MARKS])
Find = Callable[..., int] | None


def slowly(text: bytes, known: set[bytes], follows: bytes, skip: int) -> bool:
    """Word by word."""
    for at in range(len(text)):
        if text.startswith(WORD, at):
            rest = text[at + len(WORD) :]
            if not rest.startswith(follows):
                return True
            if rest[len(follows) + skip :][:8] in known:
                return True
    return False


@WAYS
@given(text=TEXTS, known=KNOWN, follows=st.sampled_from([b"", b":"]), skip=st.integers(0, 3))
def test_a_mark_is_found_wherever_it_stands_and_nowhere_else(
    find: Find, text: bytes, known: set[bytes], follows: bytes, skip: int
) -> None:
    """Up to the last byte. A word at the end of the text, with no room for a mark, may be let through."""
    marks = Marks(WORD, 8, anchor=1, follows=follows, skip=skip, find=find)
    for mark in known:
        marks.add(mark)
    expected = slowly(text, known, follows, skip)
    found = marks.may_stand_in(text)
    assert found == expected or (found and follows and WORD + follows in text[-len(WORD) - len(follows) - skip - 7 :])


@WAYS
def test_a_thousand_marks_come_and_go(find: Find) -> None:
    """The filter grows, and forgets what is removed; what was added twice stays until it is removed twice."""
    random = Random(5)
    marks = Marks(WORD, 16, anchor=0, find=find)
    known = [random.randbytes(16) for _ in range(1_000)]
    for mark in (*known, *known[:500]):
        marks.add(mark)
    for mark in known:
        assert marks.may_stand_in(b"..." + WORD + mark)
        marks.remove(mark)
    assert [mark for mark in known if marks.may_stand_in(WORD + mark + b"." * 99)] == known[:500]
    for mark in known[:500]:
        marks.remove(mark)
    assert not marks
    with pytest.raises(KeyError):
        marks.remove(known[0])


@WAYS
def test_many_marks_that_begin_alike_are_told_apart(find: Find) -> None:
    """They share a key, so the filter cannot tell them apart, nor count them past 255."""
    marks = Marks(WORD, 16, anchor=0, find=find)
    alike = [b"12345678" + number.to_bytes(8, "big") for number in range(300)]
    for mark in alike[1:]:
        marks.add(mark)
    assert not marks.may_stand_in(WORD + alike[0])
    assert marks.may_stand_in(WORD + alike[299])
    for mark in alike[2:]:
        marks.remove(mark)
    assert marks.may_stand_in(WORD + alike[1])
    assert not marks.may_stand_in((WORD + alike[0]) * 64)


@WAYS
def test_more_likely_marks_than_there_is_room_for_are_let_through(find: Find) -> None:
    """Or told apart: a text must only not be held back that shows one."""
    marks = Marks(WORD, 16, anchor=0, find=find)
    marks.add(b"12345678" + b"a" * 8)
    assert marks.may_stand_in((WORD + b"12345678" + b"b" * 8) * 1_000 + WORD + b"12345678" + b"a" * 8)


def test_nothing_is_read_beyond_the_text() -> None:
    """Texts that end in the middle of a word, at the end of a page that nobody may read beyond."""
    if FIND_MARKS is None:  # nothing compiled, nothing to read too far
        return
    page = 4096
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)
    libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    start = libc.mmap(None, 2 * page, 3, 0x22, -1, 0)  # readable and writable, private, of no file
    assert libc.mprotect(start + page, page, 0) == 0
    marks = Marks(WORD, 8, anchor=1, follows=b":", find=FIND_MARKS)
    marks.add(b"01234567")
    for ending in (b"", b"k", b"ke", b"key", b"key:", b"key:0", b"key:0123456", b"key:01234567", b"e" * 33, b"ey"):
        for length in (len(ending), 31 + len(ending), 32 + len(ending), 100 + len(ending)):
            text = b"." * (length - len(ending)) + ending
            ctypes.memmove(start + page - length, text, length)
            find = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p)(
                ctypes.cast(FIND_MARKS, ctypes.c_void_p).value or 0  # type: ignore[arg-type]  # a function of the library
            )
            found = find(start + page - length, length, ctypes.addressof(marks._search))
            assert (found != 0) == (ending.startswith(b"key")), (text, found)


def test_what_cannot_be_searched_for_is_refused() -> None:
    """A word without two bytes to look for, a mark too short for a key."""
    for word, length, anchor in ((b"k", 8, 0), (WORD, 7, 0), (WORD, 8, 2)):
        with pytest.raises(ValueError, match="cannot be searched for"):
            Marks(word, length, anchor=anchor)
