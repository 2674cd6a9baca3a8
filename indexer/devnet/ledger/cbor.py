"""CBOR (RFC 8949) read item by item, as the node's decoder does: whoever reads says what has to come next.

Nothing is built before it is asked for, so bytes that lie about their length, nest without end or stop short cost no
more than they are long. Every item can be told by its span, so that what is hashed stays as it stood.
"""

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Final, NamedTuple

MAX_WORD64: Final = 2**64 - 1
SET: Final = 258  # tag: the array that follows is a set
EMBEDDED: Final = 24  # tag: the byte string that follows holds CBOR

_FALSE, _TRUE, _NULL, _BREAK = 0xF4, 0xF5, 0xF6, 0xFF
_INDEFINITE: Final = 31


class Malformed(Exception):
    """The bytes are not what had to come next; the text says what was wrong with them."""


class Major(IntEnum):
    """What kind of item it is: its first three bits."""

    UNSIGNED = 0
    NEGATIVE = 1
    BYTES = 2
    TEXT = 3
    ARRAY = 4
    MAP = 5
    TAG = 6
    SIMPLE = 7


_MAJORS: Final = tuple(Major)
_NAMES: Final = {
    Major.UNSIGNED: "an unsigned integer",
    Major.NEGATIVE: "a negative integer",
    Major.BYTES: "a byte string",
    Major.TEXT: "a text",
    Major.ARRAY: "an array",
    Major.MAP: "a map",
    Major.TAG: "a tag",
    Major.SIMPLE: "a simple value",
}


class Inside(NamedTuple):
    """What an item holds, for `Reader.walk`."""

    items: int | None  # how many; None: until a break
    in_pairs: bool = False  # a break may come only after an even number of them
    then_break: bool = False  # a break has to follow after so many


class Reader:
    """Reads `data` from its start. Every method raises Malformed where something else comes next.

    As in the ledger, a number or a length may be written in more bytes than it needs.
    """

    __slots__ = ("data", "position")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def peek(self) -> Major:
        """The kind of the next item. A break counts as a simple value."""
        return _MAJORS[self._head() >> 5]

    def is_indefinite(self) -> bool:
        """Whether the next item is a string, an array or a map that goes on until a break."""
        return self._head() & 0x1F == _INDEFINITE

    def since(self, start: int) -> bytes:
        """The bytes from `start` up to what comes next."""
        return self.data[start : self.position]

    def end(self) -> None:
        """Nothing may follow."""
        if self.position != len(self.data):
            raise Malformed(f"{len(self.data) - self.position} bytes too many")

    def unsigned(self, most: int = MAX_WORD64) -> int:
        """An integer of 0 to `most`."""
        value = self._argument(Major.UNSIGNED)
        if value > most:
            raise Malformed(f"{value} is more than {most}")
        return value

    def integer(self, least: int = -(2**64), most: int = MAX_WORD64) -> int:
        """An integer from `least` to `most` that is not written as a bignum."""
        negative = self.peek() is Major.NEGATIVE
        value = -1 - self._argument(Major.NEGATIVE) if negative else self._argument(Major.UNSIGNED)
        if not least <= value <= most:
            raise Malformed(f"{value} is not in {least} .. {most}")
        return value

    def octets(self, length: int | None = None, most: int | None = None) -> bytes:
        """A byte string in one piece, of exactly `length` or at most `most` bytes where one is given."""
        content = self._string(Major.BYTES)
        if length is not None and len(content) != length:
            raise Malformed(f"{len(content)} bytes where {length} have to be")
        if most is not None and len(content) > most:
            raise Malformed(f"{len(content)} bytes where {most} may be")
        return content

    def pieces(self, major: Major = Major.BYTES) -> Iterator[bytes]:
        """The pieces of a byte string or a text: one, or where its length is indefinite any number."""
        if not self.is_indefinite():
            yield self._string(major)
            return
        for _ in self._each(major):
            yield self._string(major)

    def text(self) -> str:
        """A text in one piece or several, each of them UTF-8."""
        try:
            return "".join(piece.decode() for piece in self.pieces(Major.TEXT))
        except UnicodeDecodeError:
            raise Malformed("a text that is not UTF-8") from None

    def boolean(self) -> bool:
        """True or false."""
        head = self._head()
        if head not in (_FALSE, _TRUE):
            raise Malformed("a boolean was due")
        self.position += 1
        return head == _TRUE

    def null(self) -> bool:
        """Whether null comes next, which is then taken."""
        found = self._head() == _NULL
        self.position += found
        return found

    def simple(self) -> int:
        """A boolean, null, a float: its number or bits."""
        return self._argument(Major.SIMPLE)

    def tag(self) -> int:
        """The number of a tag; the item it is put on comes next."""
        return self._argument(Major.TAG)

    def expect_tag(self, number: int) -> None:
        """This tag."""
        if (found := self.tag()) != number:
            raise Malformed(f"tag {found} where tag {number} has to be")

    def allow_tag(self, number: int) -> None:
        """This tag, or none."""
        if self.peek() is Major.TAG:
            self.expect_tag(number)

    def array(self) -> Iterator[int]:
        """Once for each element of an array, with its position; the caller reads it before asking for the next."""
        return self._each(Major.ARRAY)

    def map(self) -> Iterator[int]:
        """Once for each pair of a map; the caller reads its key and its value."""
        return self._each(Major.MAP)

    def open(self) -> int | None:
        """The head of an array with a fixed number of elements: their number, None where a break tells its end."""
        return self._length(Major.ARRAY)

    def close(self, length: int | None, read: int) -> None:
        """The end of an array that was opened, of which `read` elements have been read."""
        if length is None:
            if not self._breaks():
                raise Malformed(f"an array of more than {read} elements")
        elif length != read:
            raise Malformed(f"an array of {length} elements where {read} have to be")

    def walk(self, enter: Callable[["Reader"], Inside | None]) -> bytes:
        """One item with all that it holds, without recursion: its bytes.

        `enter` takes an item, or the head of one that holds others, and says what it holds.
        """
        start = self.position
        outer: list[Inside] = []
        left, in_pairs, then_break = Inside(1)
        while True:
            if left == 0 or (left is None and self._breaks()):
                if then_break and not self._breaks():
                    raise Malformed("an array that does not end where it has to")
                if not outer:
                    return self.since(start)
                left, in_pairs, then_break = outer.pop()
            elif in_pairs:
                outer.append(Inside(left, in_pairs))
                left, in_pairs = 2, False
            else:
                left = None if left is None else left - 1
                inside = enter(self)
                if inside is not None:
                    outer.append(Inside(left, in_pairs, then_break))
                    left, in_pairs, then_break = inside

    def skip(self) -> bytes:
        """Any one item that is well-formed: its bytes."""
        return self.walk(_anything)

    def elements(self) -> Inside:
        """The head of an array, for `walk`."""
        return Inside(self._length(Major.ARRAY))

    def pairs(self) -> Inside:
        """The head of a map, for `walk`."""
        length = self._length(Major.MAP)
        return Inside(None, in_pairs=True) if length is None else Inside(2 * length)

    def _each(self, major: Major) -> Iterator[int]:
        length = self._length(major)
        n = 0
        while n < length if length is not None else not self._breaks():
            yield n
            n += 1

    def _length(self, major: Major) -> int | None:
        """The length in the head of an array or a map, or None for an indefinite one."""
        if self.peek() is major and self.is_indefinite():
            self.position += 1
            return None
        length = self._argument(major)
        if length > len(self.data) - self.position:  # each element takes a byte at least
            raise Malformed(f"{_NAMES[major]} of {length} elements, for which no bytes are left")
        return length

    def _breaks(self) -> bool:
        found = self._head() == _BREAK
        self.position += found
        return found

    def _string(self, major: Major) -> bytes:
        length = self._argument(major)
        start, self.position = self.position, self.position + length
        if self.position > len(self.data):
            self.position = start
            raise Malformed(f"{_NAMES[major]} of {length} bytes, which are not there")
        return self.data[start : self.position]

    def _argument(self, major: Major) -> int:
        """The number in the head of an item of this kind."""
        head = self._head()
        if head >> 5 != major:
            raise Malformed(f"{_NAMES[major]} has to be where {_NAMES[Major(head >> 5)]} is")
        argument = head & 0x1F
        if argument < 24:
            self.position += 1
            return argument
        if argument > 27:
            raise Malformed(f"{_NAMES[major]} of indefinite length, or no CBOR" if argument == 31 else "no CBOR")
        start = self.position + 1
        end = start + (1 << argument - 24)
        if end > len(self.data):
            raise Malformed("the bytes end within a number")
        self.position = end
        return int.from_bytes(self.data[start:end], "big")

    def _head(self) -> int:
        try:
            return self.data[self.position]
        except IndexError:
            raise Malformed("the bytes end where an item is due") from None


def _anything(reader: Reader) -> Inside | None:
    match reader.peek():
        case Major.UNSIGNED | Major.NEGATIVE:
            reader.integer()
        case Major.BYTES:
            for _ in reader.pieces():
                pass
        case Major.TEXT:
            reader.text()
        case Major.ARRAY:
            return reader.elements()
        case Major.MAP:
            return reader.pairs()
        case Major.TAG:
            reader.tag()
            return Inside(1)
        case Major.SIMPLE:
            reader.simple()  # of which a break is none
    return None
