"""Which texts may concern us, told without reading them as JSON.

An output of ours shows its address, in which 44 characters are fixed by the payment hash alone (a Byron
address: its whole text). A transaction that spends or references an output of ours names the id of the
transaction that made it. So a text without such characters concerns nobody we watch.

Addresses are looked for bare, wherever they may stand. Ids are looked for behind the key `"transaction"`,
which takes Ogmios' compact text at its word; so each such key is checked to be followed by the compact
text, and a text that escapes plain letters is not taken at its word at all.
"""

from collections.abc import Callable, Iterable
from typing import Final

from ahocorasick_rs import BytesAhoCorasick

from indexer.chain.address import NEEDLE_END, NEEDLE_START
from indexer.chain.block import OutputReference
from indexer.chain.watch import Watches
from indexer.ogmios.marks import FIND_MARKS, Marks

FEW: Final = 3  # so many single searches (2 to 5 µs each a block) are as cheap as looking at all addresses
_ESCAPED: Final = BytesAhoCorasick([b"\\u00"])
_ID_DIGITS: Final = 16  # of an id: a chance meeting costs a look, nothing else


class Sieve:
    """Lets through every text that may concern a watch or an output we hold, and few others."""

    def __init__(
        self,
        watches: Watches,
        held: Iterable[OutputReference] = (),
        find: Callable[..., int] | None = FIND_MARKS,
    ) -> None:
        needles = [text.encode() for text in watches.kinds]
        many = len(needles) > FEW
        self._searches = tuple(
            BytesAhoCorasick([needle]).find_matches_as_indexes
            for needle in sorted([text.encode() for text in watches.byron] + ([] if many else needles))
        )
        # Bech32 has no 1 behind its separator, and hex neither r nor t.
        self._addresses = tuple(
            Marks(word, NEEDLE_END - NEEDLE_START, anchor=len(word) - 2, skip=NEEDLE_START, find=find)
            for word in ((b"addr1", b"addr_test1") if many else ())
        )
        for marks in self._addresses:
            for needle in needles:
                marks.add(needle)
        self._held: set[OutputReference] = set()
        # Neither hex nor bech32 has an i or an o.
        self._ids = Marks(b'"transaction"', _ID_DIGITS, anchor=9, follows=b':{"id":"', find=find)
        for reference in held:
            self.hold(reference)

    def hold(self, reference: OutputReference) -> None:
        """From now on this output is one of ours."""
        if reference not in self._held:
            self._held.add(reference)
            self._ids.add(_digits(reference))

    def release(self, reference: OutputReference) -> None:
        """This output is spent, or was never ours."""
        if reference in self._held:
            self._held.remove(reference)
            self._ids.remove(_digits(reference))

    def holds(self, reference: OutputReference) -> bool:
        """Whether an output is one of ours."""
        return reference in self._held

    def may_concern_us(self, text: bytes) -> bool:
        """False only if nothing in the text can concern us."""
        if b"\\" in text and _ESCAPED.find_matches_as_indexes(text):
            return True
        for search in self._searches:
            if search(text):
                return True
        for marks in self._addresses:
            if marks.may_stand_in(text):
                return True
        return bool(self._held) and self._ids.may_stand_in(text)


def _digits(reference: OutputReference) -> bytes:
    return reference.transaction_id.hex()[:_ID_DIGITS].encode()
