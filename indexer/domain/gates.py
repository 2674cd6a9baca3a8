"""What has to be true before the keeper does anything: gates, each with a reason that a person understands.

They fail closed: what is not known counts as against it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from indexer.chain.parameters import MOST_STAKED

KNOWN_PROTOCOLS: Final = (9, 10, 11)
"""Major protocol versions whose rules this version was tried with. A new one may change what a transaction means."""
HELD_TOO_LONG_MS: Final = 600_000  # a due release that a gate has held so long is worth telling somebody


class Gate(StrEnum):
    """What may stand in the way of all releases."""

    ENABLED = "enabled"
    NOT_PAUSED = "not_paused"
    CAUGHT_UP = "caught_up"
    NO_ROLLBACK = "no_rollback"
    WALLET_READ = "wallet_read"
    RESERVE = "reserve"
    COLLATERAL = "collateral"
    NODE = "node"
    PROTOCOL = "protocol"


_HINTS: Final = {
    Gate.ENABLED: "set [keeper] enabled and restart the daemon; `indexer submit-release` works without",
    Gate.NOT_PAUSED: "`indexer resume`",
    Gate.CAUGHT_UP: "is the daemon running, and its node in sync?",
    Gate.NO_ROLLBACK: "it passes by itself with the next blocks",
    Gate.WALLET_READ: "the daemon reads them once it has caught up: see its log",
    Gate.RESERVE: "send ada to the wallet, in a coin without tokens, or lower [keeper] reserve_lovelace",
    Gate.COLLATERAL: "a large coin is split once no other gate is shut; else send ada, in a coin without tokens",
    Gate.NODE: "is Ogmios reachable at [ogmios] url?",
    Gate.PROTOCOL: "a new version of the indexer has to be tried with it first",
}
_KEY: Final = "signing_key, or signer with verification_key, and restart the daemon"


@dataclass(frozen=True, slots=True)
class Stands:
    """A gate, whether it is open, and why; the reason is a sentence either way. `way_out`: what opens it, where that is
    not what mostly does."""

    gate: Gate
    open: bool
    reason: str
    way_out: str | None = None

    @property
    def hint(self) -> str:
        """What opens it."""
        return _HINTS[self.gate] if self.way_out is None else self.way_out


@dataclass(frozen=True, slots=True)
class Wallet:
    """What the keeper's wallet holds at the cursor, in lovelace.

    `plain`: in coins of ada alone that may be spent; `collateral`: the coin that is kept for scripts, None where there
    is none. `others`: coins that are left alone (tokens, scripts, datums), with what lies in them. `unread`: coins from
    before the history begins are not known yet. `earlier`: wallets of other keys that this database has kept.
    """

    address: str
    plain: int
    coins: int
    collateral: int | None
    others: int = 0
    in_others: int = 0
    unread: bool = False
    earlier: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """All that gates are told from. Times in seconds; None: not known."""

    enabled: bool
    dry_run: bool
    paused: str | None
    seconds_behind: int | None
    ready_within_s: int
    blocks_behind: int | None
    recovering: bool
    wallet: Wallet | None
    reserve: int
    collateral_needed: int
    node: str | None = None  # why it cannot be asked
    major: int | None = None


def gates(facts: Facts) -> list[Stands]:
    """Every gate, in the order in which they are looked at."""
    return [
        _enabled(facts),
        _paused(facts.paused),
        _caught_up(facts),
        Stands(
            Gate.NO_ROLLBACK,
            not facts.recovering,
            "the chain fell back, and has not reached its old height again" if facts.recovering else "no rollback",
        ),
        *_wallet(facts),
        Stands(Gate.NODE, facts.node is None, facts.node or "the node answers"),
        _protocol(facts),
    ]


def _enabled(facts: Facts) -> Stands:
    if facts.dry_run:
        return Stands(Gate.ENABLED, True, "a dry run: nothing is signed or sent")
    if not facts.enabled:
        way_out = f"set [keeper] enabled, with {_KEY}" if facts.wallet is None else None
        return Stands(Gate.ENABLED, False, "the keeper is off: [keeper] enabled", way_out)
    return Stands(Gate.ENABLED, True, "the keeper is on")


def _paused(reason: str | None) -> Stands:
    return Stands(Gate.NOT_PAUSED, reason is None, "it is not paused" if reason is None else reason or "it is paused")


def _caught_up(facts: Facts) -> Stands:
    behind = facts.seconds_behind
    if behind is None:
        return Stands(Gate.CAUGHT_UP, False, "no block was followed yet")
    if behind > facts.ready_within_s:
        return Stands(Gate.CAUGHT_UP, False, f"{behind} s behind the wall clock ({facts.ready_within_s} are allowed)")
    if facts.blocks_behind:
        return Stands(Gate.CAUGHT_UP, False, f"{facts.blocks_behind} blocks behind the node")
    return Stands(Gate.CAUGHT_UP, True, f"{behind} s behind the wall clock")


def _wallet(facts: Facts) -> list[Stands]:
    wallet = facts.wallet
    if wallet is None:
        told = "there is no wallet: [keeper] has no key"
        return [Stands(gate, False, told, f"set [keeper] {_KEY}") for gate in _OF_WALLET]
    read = "all its coins are known"
    if wallet.unread:
        read = "its coins from before the history begins were not read yet"
    return [
        Stands(Gate.WALLET_READ, not wallet.unread, read),
        Stands(Gate.RESERVE, wallet.plain >= max(1, facts.reserve), _balance(wallet, facts.reserve)),
        _collateral(wallet, facts.collateral_needed),
    ]


_OF_WALLET: Final = (Gate.WALLET_READ, Gate.RESERVE, Gate.COLLATERAL)


def _balance(wallet: Wallet, reserve: int) -> str:
    told = (
        f"{wallet.address} has {wallet.plain} lovelace in {wallet.coins} coins of ada alone; {reserve} are its reserve"
    )
    if wallet.others:
        told += f"; {wallet.others} other coins ({wallet.in_others} lovelace) are left alone: tokens, scripts or datums"
    if not wallet.plain and wallet.earlier:
        told += f"; before, the keeper had another key: {', '.join(wallet.earlier)}"
    return told


def _collateral(wallet: Wallet, needed: int) -> Stands:
    if needed > MOST_STAKED:
        told = f"the node asks for {needed} lovelace to be staked for scripts: {MOST_STAKED} are allowed"
        return Stands(Gate.COLLATERAL, False, told, "no network asks for so much: look at the node")
    if wallet.collateral is not None:
        return Stands(Gate.COLLATERAL, True, f"a coin of {wallet.collateral} lovelace is kept for scripts")
    return Stands(Gate.COLLATERAL, False, f"no coin of ada alone with {needed} lovelace is kept for scripts yet")


def _protocol(facts: Facts) -> Stands:
    if facts.major is None:
        return Stands(Gate.PROTOCOL, False, "the node has not told its protocol version")
    known = facts.major in KNOWN_PROTOCOLS
    return Stands(
        Gate.PROTOCOL,
        known,
        f"protocol {facts.major}" if known else f"protocol {facts.major} is none of {KNOWN_PROTOCOLS}: update first",
    )


def shut(stands: Iterable[Stands], *, but: Collection[Gate] = ()) -> list[Stands]:
    """Those that are shut, `but` some."""
    return [each for each in stands if not each.open and each.gate not in but]
