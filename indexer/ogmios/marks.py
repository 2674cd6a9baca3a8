"""Marks behind a word: whether one of those that we know stands in a text.

A block of 84 kB names some ninety outputs. Looking each of them up in Python takes longer than receiving the block, so
where `scan.c` was compiled (hatch_build.py), it goes through the text, and only what its filter cannot rule out is
looked up here. Without it, the same is done in Python.
"""

import ctypes
from collections.abc import Callable
from typing import Final

from ahocorasick_rs import BytesAhoCorasick

_KEY: Final = 8  # bytes at the beginning of a mark that the filter goes by
_ROOM: Final = 64
_GOLDEN: Final = 0x9E3779B97F4A7C15
_FEWEST_BITS: Final = 12
_CELLS_A_MARK: Final = 16  # at least: so one in sixteen of the marks that we do not know is looked up


class _Search(ctypes.Structure):
    """`struct search` of scan.c."""

    _fields_ = (
        ("word", ctypes.c_char_p),
        ("follows", ctypes.c_char_p),
        ("cells", ctypes.c_char_p),
        ("word_length", ctypes.c_uint64),
        ("anchor", ctypes.c_uint64),
        ("follows_length", ctypes.c_uint64),
        ("skip", ctypes.c_uint64),
        ("bits", ctypes.c_uint64),
        ("found", ctypes.c_uint32 * _ROOM),
    )


def _compiled() -> Callable[..., int] | None:
    """`find_marks` of scan.c; None where it was not compiled."""
    try:
        find = ctypes.CDLL(__file__.removesuffix("marks.py") + "scan.bin").find_marks
    except (OSError, AttributeError):
        return None
    find.argtypes = (ctypes.c_char_p, ctypes.c_uint64, ctypes.POINTER(_Search))
    find.restype = ctypes.c_int64
    return find


FIND_MARKS: Final = _compiled()


class Marks:
    """A set of marks of one length (8 bytes or more), each of which stands `skip` bytes behind a word.

    `follows`: what has to stand right behind the word wherever it occurs; where something else does, a text is said
    to show a mark. `anchor`: the place in the word of two bytes that are rare together in the texts to be searched.
    `find`: `FIND_MARKS`, or None to do without.
    """

    def __init__(
        self,
        word: bytes,
        length: int,
        *,
        anchor: int,
        follows: bytes = b"",
        skip: int = 0,
        find: Callable[..., int] | None = FIND_MARKS,
    ) -> None:
        if length < _KEY or not 0 <= anchor <= len(word) - 2:
            raise ValueError("a mark or a word that cannot be searched for")
        self._known: dict[bytes, int] = {}  # how often it was added
        self._word, self._follows, self._skip, self._length = word, follows, skip, length
        self._find = find
        self._search = _Search(
            word=word,
            follows=follows,
            word_length=len(word),
            anchor=anchor,
            follows_length=len(follows),
            skip=skip,
        )
        self._cells = (ctypes.c_ubyte * 0)()
        self._bits = 0
        self._make_cells(_FEWEST_BITS)
        self._words = BytesAhoCorasick([word])

    def add(self, mark: bytes) -> None:
        """Look for this mark, too. Added twice, it has to be removed twice."""
        times = self._known.get(mark, 0)
        self._known[mark] = times + 1
        if not times and len(self._known) * _CELLS_A_MARK > len(self._cells):
            self._make_cells(self._bits + 1)
        elif not times:
            self._fill_cell(mark)

    def remove(self, mark: bytes) -> None:
        """Look for it no longer. Raises KeyError for a mark that was not added."""
        self._known[mark] -= 1
        if not self._known[mark]:
            del self._known[mark]
            cell = self._cell(mark)
            if self._cells[cell] < 0xFF:  # else nobody knows how many share it, so it stays full
                self._cells[cell] -= 1

    def __bool__(self) -> bool:
        return bool(self._known)

    def may_stand_in(self, text: bytes) -> bool:
        """False only if no mark stands behind the word, and the word stands nowhere with something else behind it."""
        if self._find is None:
            return self._look(text)
        count = self._find(text, len(text), self._search)
        if count <= 0:
            return count < 0
        found, length, known = self._search.found, self._length, self._known
        return any(text[at : at + length] in known for at in found[:count])

    def _look(self, text: bytes) -> bool:
        begin, end = len(self._follows) + self._skip, len(self._follows) + self._skip + self._length
        places = [end for _, _, end in self._words.find_matches_as_indexes(text)]
        if not places:
            return False
        if self._follows:
            behind = [text[place : place + end] for place in places]
            # What lies between two texts with the same beginning begins so too: two looks check them all.
            if not min(behind).startswith(self._follows) or not max(behind).startswith(self._follows):
                return True
        return not self._known.keys().isdisjoint([text[place + begin : place + end] for place in places])

    # --- the filter: how many marks share a cell

    def _make_cells(self, bits: int) -> None:
        self._bits = bits
        self._cells = (ctypes.c_ubyte * (1 << bits))()
        self._search.cells = ctypes.cast(self._cells, ctypes.c_char_p)
        self._search.bits = bits
        for mark in self._known:
            self._fill_cell(mark)

    def _fill_cell(self, mark: bytes) -> None:
        cell = self._cell(mark)
        self._cells[cell] = min(0xFF, self._cells[cell] + 1)

    def _cell(self, mark: bytes) -> int:
        """As `cell_of` in scan.c."""
        return int.from_bytes(mark[:_KEY], "little") * _GOLDEN % (1 << 64) >> (64 - self._bits)
