"""Which coins of the keeper's wallet a release may use: what is unspent at the cursor, less what is kept for others.

Change of our own transactions that wait for a block may be used too, so that one coin pays for many releases at once.
Nothing here is remembered: it is told anew from the chain and the journal each time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from indexer.chain.block import Output, OutputReference
from indexer.chain.coin import Coin
from indexer.chain.parameters import Parameters
from indexer.chain.point import Slot
from indexer.domain.submission import UNDER_WAY, ReleaseState
from indexer.edge.builder import reader
from indexer.edge.builder.coins import usable
from indexer.edge.builder.intents import Purse
from indexer.store.releases import Journaled, Release
from indexer.workers.sending import text_of

MOST_CHAINED: Final = 40  # transactions of ours one upon another, before the first is in a block
_ADA: Final = 1_000_000
_LEAST_LEFT: Final = 2 * _ADA  # what splitting a coin has to leave


def collateral_needed(parameters: Parameters) -> int:
    """Lovelace of a coin that can back any release: the share that the network asks for of the highest fee that there
    can be, and what has to return; in whole ada."""
    highest = parameters.minimum_fee(parameters.max_size, parameters.max_units, parameters.max_script_size // 8)
    return -(-(parameters.minimum_collateral(highest) + _ADA) // _ADA) * _ADA


@dataclass(frozen=True, slots=True)
class Held:
    """What is known of an output: unspent in a block, or to come from a transaction of ours that is under way."""

    coin: Coin
    chained: int  # transactions of ours that have to land before


class Pocket:
    """The wallet of one key, as far as releases are concerned.

    `coins`: unspent at the cursor. `releases`: those that are not settled; `splits`: coins that are being split.
    """

    def __init__(
        self,
        address: bytes,
        coins: Iterable[Coin],
        releases: Iterable[Release],
        splits: Iterable[Journaled],
        cursor: Slot,
        needed: int,
    ) -> None:
        self.address, self._needed = address, needed
        self.coins = list(coins)
        # For releases of which state outputs: of those of one, one at most is ever in a block. None: for a split.
        self._kept: dict[OutputReference, set[OutputReference | None]] = {}
        self._staked: set[OutputReference] = set()
        self._chained: dict[bytes, int] = {}
        self._to_come: list[Held] = []
        releases = list(releases)
        for release in releases:
            self._reserve(release, cursor)
        for split in splits:
            self.keep(split)
        waiting = [one.latest for one in releases if one.state is ReleaseState.SUBMITTED and one.latest is not None]
        for transaction in sorted(waiting, key=lambda each: each.sent_ms or 0):  # parents were sent before children
            self.expect(transaction)

    @property
    def key_hash(self) -> bytes:
        """Of the key that locks its coins."""
        return self.address[1:29]

    def _reserve(self, release: Release, cursor: Slot) -> None:
        """What is under way keeps its coins. What was refused or expired does not: should it land all the same, then
        another release loses a coin, and is built anew."""
        if release.state in UNDER_WAY:
            for transaction in release.transactions:
                if transaction is release.latest or cursor < transaction.valid_until:
                    self.keep(transaction)

    def keep(self, transaction: Journaled) -> None:
        """It is written down: its coins are its own."""
        for reference in transaction.inputs:
            self._kept.setdefault(reference, set()).add(transaction.state)
        if transaction.collateral is not None:
            self._staked.add(transaction.collateral)

    def expect(self, transaction: Journaled) -> None:
        """It was sent, so its change may be used. Parents come before their children."""
        chained = 1 + max((self._chained.get(each.transaction_id, 0) for each in transaction.inputs), default=0)
        self._chained[transaction.id] = chained
        if chained < MOST_CHAINED:
            self._to_come += [Held(coin, chained) for coin in own_outputs(transaction.raw, self.key_hash)]

    @property
    def plain(self) -> list[Coin]:
        """Coins of ada alone that may be spent, all that are unspent at the cursor."""
        return [coin for coin in usable(self._purse(self.coins)) if not coin.output.assets]

    @property
    def collateral(self) -> Coin | None:
        """The coin that backs every release, and is never spent: one that backs some already, else the smallest that
        suffices. None: there is none, or it is so large that it is to be split first."""
        enough = sorted(
            (coin for coin in self.plain if coin.output.lovelace >= self._needed),
            key=lambda coin: (coin.reference not in self._staked, coin.output.lovelace, coin.reference),
        )
        enough = [coin for coin in enough if coin.reference not in self._kept]
        if not enough or (enough[0].output.lovelace > 3 * self._needed and self.to_split is not None):
            return None
        return enough[0]

    @property
    def to_split(self) -> Coin | None:
        """A coin to make collateral of, and change: the smallest that suffices for both."""
        large = [coin for coin in self.plain if coin.output.lovelace >= self._needed + _LEAST_LEFT]
        large = [coin for coin in large if coin.reference not in self._kept]
        return min(large, key=lambda coin: (coin.output.lovelace, coin.reference), default=None)

    def purse(self, state: OutputReference, with_change: bool) -> Purse:
        """What a release of this state output may spend: unspent coins that no other one needs; `with_change`: also
        what is to come."""
        free = [coin for coin in self.coins if self._free(coin, state)]
        if with_change:
            free += [held.coin for held in self._to_come if self._free(held.coin, state)]
        return self._purse(free, self.collateral)

    def _free(self, coin: Coin, state: OutputReference) -> bool:
        return coin.reference not in self._staked and self._kept.get(coin.reference, set()) <= {state}

    def _purse(self, coins: Iterable[Coin], collateral: Coin | None = None) -> Purse:
        return Purse(self.address, tuple(coins), collateral)


def own_outputs(raw: bytes, key_hash: bytes) -> list[Coin]:
    """The outputs of a transaction of ours that pay ada alone to the key. Its bytes were read before they were sent."""
    found = reader.read(raw)
    return [
        Coin(OutputReference(found.id, index), Output(text_of(output.address), output.lovelace))
        for index, output in enumerate(found.outputs)
        if output.address[0] & 0xF0 in (0x00, 0x20, 0x40, 0x60)
        and output.address[1:29] == key_hash
        and not output.assets
        and output.datum is None
        and output.script is None
    ]


def coins_there(transaction: Journaled, there: Mapping[OutputReference, bool], under_way: Iterable[bytes]) -> bool:
    """Whether all that it spends beside its state output is unspent, or comes from one of ours that is under way.

    `there`: of the outputs that the chain has shown, which are unspent.
    """
    coming = set(under_way)
    return all(
        there.get(reference, reference.transaction_id in coming)
        for reference in transaction.named
        if reference != transaction.state
    )
