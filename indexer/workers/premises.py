"""What all parts of the keeper share: what the operator allows, the wallet, where the chain stands, the journal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiosqlite import Connection

from indexer.chain.block import OutputReference
from indexer.chain.network import Network
from indexer.chain.point import BlockHeight, Slot, slot_of
from indexer.chain.time import first_slot_at, slot_to_ms
from indexer.domain import gates as gating
from indexer.domain.gates import Facts, Stands, Wallet
from indexer.edge import pause
from indexer.plutus.blueprint import Blueprint
from indexer.status import FollowerStatus, KeeperStatus
from indexer.store import checkpoints, coins, events, releases
from indexer.workers.journal import Journal
from indexer.workers.making import Signs
from indexer.workers.pocket import Pocket
from indexer.workers.sending import text_of

MOST_COINS: Final = 200  # of a wallet, the largest: more than may be under way
DAY_MS: Final = 86_400_000
A_RELEASE: Final = 500_000  # lovelace: about the fee of one with a few payouts, whether or not these bring it back
_COLLATERAL: Final = 5_000_000  # what is needed, before the node has told its parameters


@dataclass(frozen=True)
class Rules:
    """What the operator allows. Amounts in lovelace; `sponsors`: see `judge.sponsored`."""

    enabled: bool
    reserve: int
    max_loss_per_day: int
    sponsors: frozenset[str]
    ready_within_s: int
    confirmed_depth: int
    dry_run: bool = False


@dataclass(frozen=True)
class Script:
    """A contract, and the output that the configuration says holds its script."""

    contract: Blueprint
    named: OutputReference | None


@dataclass(frozen=True, slots=True)
class Position:
    """Where the chain stands. `time_ms`: when the cursor's slot began; `day_ago`: the slot of 24 hours before."""

    slot: Slot
    height: BlockHeight
    time_ms: int
    day_ago: Slot
    k: int
    confirmed_depth: int


@dataclass
class Premises:
    """`db` is a connection of the keeper's own, which syncs each commit. `scripts` by script hash. `signer` and
    `address` (of the wallet, in bytes) are None where there is no wallet.

    What the node told last: `needed`, lovelace of a coin that can back scripts; `major`, its protocol version;
    `node_trouble`, why it cannot be asked.
    """

    db: Connection
    network: Network
    scripts: Mapping[bytes, Script]
    rules: Rules
    signer: Signs | None
    address: bytes | None
    follower: FollowerStatus
    data: Path
    now_ms: Callable[[], int]
    status: KeeperStatus
    needed: int = _COLLATERAL
    major: int | None = None
    node_trouble: str | None = None

    def __post_init__(self) -> None:
        self.journal = Journal(self.db, self.network, self.now_ms, self.status.turns)

    @property
    def paused(self) -> str | None:
        """Why nothing is to be sent; None: nothing is said against it."""
        note = pause.paused(self.data)
        return None if note is None else note.sentence

    async def position(self) -> Position | None:
        """None before the first block."""
        standing = await checkpoints.read(self.db)
        network = standing.network
        if standing.cursor.height is None or network.security_parameter is None or not network.eras:
            return None
        slot = slot_of(standing.cursor.place)
        time_ms = slot_to_ms(network.eras, slot)
        k = network.security_parameter
        # By our own clock too: a block of the future would make today's losses yesterday's.
        day_ago = first_slot_at(network.eras, min(time_ms, self.now_ms()) - DAY_MS)
        return Position(slot, standing.cursor.height, time_ms, day_ago, k, min(self.rules.confirmed_depth, k))

    async def pocket(self, where: Position | None) -> Pocket:
        """The wallet's coins, as releases may use them. Only where there is a wallet."""
        assert self.address is not None
        slot = 0 if where is None else where.slot
        found = await coins.at(self.db, self.address[1:29], MOST_COINS)
        unsettled, splits = await releases.unsettled(self.db), await releases.splits(self.db, slot)
        return Pocket(self.address, found, unsettled, splits, slot, self.needed)

    async def gates(self, where: Position | None) -> list[Stands]:
        """How each gate stands now."""
        wallet = None if self.address is None else await self._wallet(self.address[1:29], await self.pocket(where))
        tip, height = self.follower.tip, None if where is None else where.height
        facts = Facts(
            enabled=self.rules.enabled,
            dry_run=self.rules.dry_run,
            paused=self.paused,
            seconds_behind=self.follower.seconds_behind(self.now_ms()),
            ready_within_s=self.rules.ready_within_s,
            blocks_behind=None if tip is None or height is None else max(0, tip.height - height),
            recovering=await events.recovering(self.db),
            wallet=wallet,
            reserve=self.rules.reserve,
            collateral_needed=self.needed,
            node=self.node_trouble,
            major=self.major,
        )
        stands = gating.gates(facts)
        self.status.gates = {str(each.gate): each.open for each in stands}
        if wallet is not None:
            self.status.balance, self.status.collateral = wallet.plain, wallet.collateral or 0
            self.status.runway = max(0, wallet.plain - self.rules.reserve) // A_RELEASE
        return stands

    async def _wallet(self, key_hash: bytes, pocket: Pocket) -> Wallet:
        collateral = pocket.collateral
        count, plain = await coins.balance(self.db, key_hash)
        others, in_others = await coins.others(self.db, key_hash)
        return Wallet(
            text_of(pocket.address),
            plain,
            count,
            None if collateral is None else collateral.output.lovelace,
            others,
            in_others,
            await coins.unread(self.db, key_hash),
            tuple(each.hex() for each in await coins.earlier_wallets(self.db, key_hash)),
        )
