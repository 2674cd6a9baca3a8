"""Which texts may concern us, told without reading them as JSON.

An output of ours shows its address, in which 44 characters are fixed by the payment hash alone (a Byron
address: its whole text). A transaction that spends or references an output of ours names the id of the
transaction that made it. So a text without such characters concerns nobody we watch.

Addresses are looked for bare, wherever they may stand. Ids are looked for behind the key `"transaction"`,
which takes Ogmios' compact text at its word; so each such key is checked to be followed by the compact
text, and a text that escapes plain letters is not taken at its word at all.
"""

from collections.abc import Iterable
from typing import Final

from ahocorasick_rs import BytesAhoCorasick

from indexer.chain.address import NEEDLE_END, NEEDLE_START
from indexer.chain.block import OutputReference
from indexer.chain.watch import Watches

FEW: Final = 6  # so many single searches (2 µs each a block) are cheaper than taking all addresses out (18 µs)
_ID_FOLLOWS: Final = b':{"id":"'
_MARK: Final = len(_ID_FOLLOWS) + 16  # 16 digits of an id: a chance meeting costs a look, nothing else
_TRANSACTION: Final = BytesAhoCorasick([b'"transaction"'])
_ESCAPED: Final = BytesAhoCorasick([b"\\u00"])
_ADDRESSES: Final = (BytesAhoCorasick([b"addr1"]), BytesAhoCorasick([b"addr_test1"]))


class Sieve:
    """Lets through every text that may concern a watch or an output we hold, and few others."""

    def __init__(self, watches: Watches, held: Iterable[OutputReference] = ()) -> None:
        self._needles = frozenset(text.encode() for text in watches.kinds)
        bare = watches.byron | (watches.kinds.keys() if len(self._needles) <= FEW else set())
        self._searches = tuple(BytesAhoCorasick([text.encode()]).find_matches_as_indexes for text in sorted(bare))
        self._many = len(self._needles) > FEW
        self._held: set[OutputReference] = set()
        self._marks: dict[bytes, int] = {}  # how many of them the beginning of an id stands for
        for reference in held:
            self.hold(reference)

    def hold(self, reference: OutputReference) -> None:
        """From now on this output is one of ours."""
        if reference not in self._held:
            self._held.add(reference)
            mark = _mark(reference.transaction_id)
            self._marks[mark] = self._marks.get(mark, 0) + 1

    def release(self, reference: OutputReference) -> None:
        """This output is spent, or was never ours."""
        if reference in self._held:
            self._held.remove(reference)
            mark = _mark(reference.transaction_id)
            self._marks[mark] -= 1
            if not self._marks[mark]:
                del self._marks[mark]

    def holds(self, reference: OutputReference) -> bool:
        """Whether an output is one of ours."""
        return reference in self._held

    def may_concern_us(self, text: bytes) -> bool:
        """False only if nothing in the text can concern us."""
        if _ESCAPED.find_matches_as_indexes(text):
            return True
        for search in self._searches:
            if search(text):
                return True
        if self._many and any(self._shows_address(text, prefix) for prefix in _ADDRESSES):
            return True
        return bool(self._held) and self._names_transaction(text)

    def _shows_address(self, text: bytes, prefix: BytesAhoCorasick) -> bool:
        found = prefix.find_matches_as_indexes(text)
        return not self._needles.isdisjoint([text[end + NEEDLE_START : end + NEEDLE_END] for _, _, end in found])

    def _names_transaction(self, text: bytes) -> bool:
        marks = [text[end : end + _MARK] for _, _, end in _TRANSACTION.find_matches_as_indexes(text)]
        if not marks:
            return False
        # What lies between two texts with the same beginning begins so too: two looks check them all.
        compact = min(marks).startswith(_ID_FOLLOWS) and max(marks).startswith(_ID_FOLLOWS)
        return not compact or not self._marks.keys().isdisjoint(marks)


def _mark(transaction_id: bytes) -> bytes:
    return _ID_FOLLOWS + transaction_id[:8].hex().encode()
