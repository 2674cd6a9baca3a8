"""A small world on the devnet: wallets with coins, the published contract, and all that was promised so far.

Every transaction is a real one: built and signed here, judged by the devnet's ledger, its scripts run. What each did is
noted by whoever made it (`tests.support.deeds`), so that a test knows what a chain amounts to without reading it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Final, TypeAlias

from indexer.chain.block import OutputReference
from indexer.devnet.genesis import Genesis
from indexer.devnet.node import Node
from tests.contract.parameters import PARAMETERS, Units
from tests.contract.parts import items, reference_of, value_of
from tests.contract.script import CONTRACT, script_hash
from tests.contract.terms import Address, Asset, Attestation, Credential, Reference, Terms, identity
from tests.contract.tree import Array, Map, decode, encode
from tests.contract.tree import Node as Tree
from tests.support.happenings import Block, Happening
from tests.support.spending import (
    COLLATERALS,
    LOWER,
    NATIVE,
    REQUIRED_SIGNERS,
    RETURN,
    TOTAL,
    Coin,
    Spending,
    Wallet,
    digest,
    native_hash,
    paid,
    written,
)
from tests.support.twin import twin

START: Final = datetime(2024, 1, 1, tzinfo=UTC)
START_MS: Final = int(START.timestamp()) * 1000
UNITS: Final = Units(2_000_000, 1_200_000_000)  # declared by each redeemer, whatever it uses
FREELY: Final = Array((1, Array(())))  # a native script that always agrees
TOKENS: Final = (Asset(native_hash(FREELY), b"TOKEN"), Asset(native_hash(FREELY), b""))
SPEND, MINTING = 0, 1  # purposes of redeemers
PURSE: Final = Wallet("keeper")  # its key is that of `tests.contract.keys`
COINS, SEEDS, FUSES = 24, 16, 8  # how many of each there are at first
RICH: Final = 200_000_000_000  # lovelace in each coin
MANY: Final = 2 * 10**17  # of each token: forty times that stays below 2^63


@dataclass(frozen=True)
class Contract:
    """A script, and where it is published."""

    script: bytes

    @cached_property
    def hash(self) -> bytes:
        """Policy id and payment credential."""
        return script_hash(self.script)

    def home(self, stake: Credential | tuple[int, int, int] | None = None) -> bytes:
        """An address of the test networks."""
        if isinstance(stake, tuple) and not isinstance(stake, Credential):
            return bytes([0x50]) + self.hash + bytes(stake)  # a pointer, each part below 128
        return raw(Address(Credential(self.hash, is_script=True), stake))


OURS: Final = Contract(CONTRACT)
# Does the same under another hash.
TWIN: Final = Contract(twin(CONTRACT))


@dataclass(frozen=True)
class Plan:
    """A distribution that can be created as long as its seed is unspent."""

    contract: Contract
    seed: Coin
    terms: Terms

    @cached_property
    def id(self) -> bytes:
        return identity(self.seed.at, self.terms)


@dataclass(frozen=True)
class State:
    """A distribution's state output."""

    plan: Plan
    terms: Terms  # with what is claimed
    coin: Coin
    stake: Credential | None


@dataclass(frozen=True)
class Deposit:
    """An attestation's output."""

    contract: Contract
    attestation: Attestation
    coin: Coin


@dataclass(frozen=True)
class Stray:
    """An output whose datum is a Distribution, without the state token."""

    contract: Contract
    terms: Terms
    coin: Coin


Holding: TypeAlias = State | Deposit | Stray


@dataclass(frozen=True)
class Sending:
    """A transaction to be made. A coin of the purse is added where there is none; the change goes back there."""

    inputs: Sequence[tuple[Coin, Tree]] = ()  # each with its redeemer, None for a key's
    outputs: Sequence[Map] = ()
    signers: Collection[bytes] = ()  # key hashes
    mint: Mapping[Asset, int] = field(default_factory=dict)
    minting: Mapping[bytes, Tree] = field(default_factory=dict)  # redeemers by policy
    contracts: Collection[Contract] = ()  # whose scripts run
    lower: int | None = None
    fails: Map | None = None  # a script says no: the collateral is lost but for this output


class World:
    """A devnet whose wallets are filled, and whose contracts are published."""

    def __init__(self, *, k: int = 8, contracts: Sequence[Contract] = (OURS,), seed: str = "promises") -> None:
        self.node = Node(Genesis(seed=seed, k=k, start=START))
        self.contracts = tuple(contracts)
        self.coins: dict[Reference, Coin] = {}
        self.seeds: list[Coin] = []
        self.fuses: list[Coin] = []  # collateral
        self.plans: list[Plan] = []
        self.holdings: list[Holding] = []
        self.happenings: dict[bytes, tuple[Happening, ...]] = {}  # by transaction
        self.raws: dict[bytes, bytes] = {}
        self.published: dict[bytes, Coin] = {}
        self._found()
        self.first = len(self.node.chain)  # blocks that no test may take away

    # Time and blocks.

    @property
    def slot(self) -> int:
        """In which the next block can be."""
        return self.node.mempool.slot

    @property
    def now(self) -> int:
        """POSIX milliseconds of that slot."""
        return START_MS + 1000 * self.slot

    def block(self, count: int = 1) -> None:
        """Blocks with all that waits, or empty ones."""
        for _ in range(count):
            self.node.make_block()

    def wait(self, slots: int) -> None:
        """An empty block so many slots from now, for validity intervals are judged by the tip."""
        self.node.clock.skip(slots)
        self.node.make_block()

    def fork(self, depth: int, blocks: int, drop: Collection[bytes] = ()) -> None:
        """Abandon blocks (no final ones, never the first) and grow others.

        What was in them waits again, but for what is dropped.
        """
        possible = min(len(self.node._recent), len(self.node.chain) - self.first)
        self.node.fork(min(depth, possible), blocks, drop)

    def again(self) -> int:
        """Send once more what a fork dropped, as far as it still can be; how many came back."""
        there = {pending.transaction.id for pending in self.node.mempool}
        there |= {made.id for block in self.node.chain for made in getattr(block, "transactions", ())}
        return sum(self._accepted(raw) for id_, raw in self.raws.items() if id_ not in there)

    @property
    def recent(self) -> list[bytes]:
        """The transactions in blocks that a fork may take away, oldest first."""
        blocks = list(self.node.chain)[self.first :]
        return [made.id for block in blocks for made in getattr(block, "transactions", ())]

    @property
    def chain(self) -> list[Block]:
        """The blocks that are there now, with what happened in each."""
        return [self._told(block) for block in self.node.chain]

    # What there is, as of the last block and what waits.

    def holds(self, coin: Coin) -> bool:
        """Whether it is unspent."""
        return coin.reference in self.node.mempool.view.utxo

    @property
    def states(self) -> list[State]:
        """Distributions that have not ended."""
        return [each for each in self.holdings if isinstance(each, State) and self.holds(each.coin)]

    @property
    def returnable(self) -> list[Deposit | Stray]:
        """Deposits and strays that somebody may have back."""
        return [each for each in self.holdings if not isinstance(each, State) and self.holds(each.coin)]

    @property
    def open_plans(self) -> list[Plan]:
        """Distributions that can be created."""
        return [plan for plan in self.plans if self.holds(plan.seed)]

    def plan(self, terms: Terms, seed: Coin | None = None, contract: Contract | None = None) -> Plan:
        """Decide on a distribution; its id is known from now on."""
        taken = {plan.seed.at for plan in self.plans}
        free = [coin for coin in self.seeds if self.holds(coin) and coin.at not in taken]
        others = (coin for coin in self.coins.values() if self.holds(coin))
        chosen = seed or (free[0] if free else max(others, key=lambda coin: value_of(coin.output).get(TOKENS[0], 0)))
        plan = Plan(contract or self.contracts[0], chosen, terms)
        self.plans.append(plan)
        return plan

    # Transactions.

    def send(self, sending: Sending) -> tuple[bytes, tuple[Coin, ...]]:
        """Make, sign and submit it; its id, and its outputs as coins. Raises what the node refuses with."""
        fuel = [] if any(data is None for _, data in sending.inputs) else [(self._coin(), None)]
        inputs = sorted([*sending.inputs, *fuel], key=lambda each: each[0].at)
        policies = sorted({asset.policy for asset in sending.mint})
        redeemers: dict[tuple[int, int], Tree] = {
            (SPEND, n): data for n, (_, data) in enumerate(inputs) if data is not None
        }
        redeemers |= {(MINTING, n): sending.minting[policy] for n, policy in enumerate(policies)}
        fuse = self.fuses[-1] if sending.fails is None else self._fuse()
        signers = {PURSE.hash: PURSE} | {hash_: _wallet(hash_) for hash_ in sending.signers}
        body: dict[int, Tree] = {}
        if sending.signers:
            body[REQUIRED_SIGNERS] = Array(tuple(sorted(sending.signers)))
        if sending.lower is not None:
            body[LOWER] = sending.lower
        if sending.fails is not None:
            body |= {RETURN: sending.fails, TOTAL: _lovelace(fuse.output) - _lovelace(sending.fails)}
        raw = written(
            Spending(
                inputs=tuple(coin for coin, _ in inputs),
                signers=tuple(signers.values()),
                change=PURSE.address,
                outputs=tuple(sending.outputs),
                references=tuple(self.published[contract.hash] for contract in sending.contracts),
                collaterals=(fuse,) if redeemers else (),
                mint=sending.mint,
                redeemers=redeemers,
                units=UNITS,
                is_valid=sending.fails is None,
                body=body,
            )
        )
        return self._sent(raw)

    def note(self, id_: bytes, happenings: Iterable[Happening], holdings: Iterable[Holding] = ()) -> None:
        """Remember what a transaction did, and what it left to be used."""
        self.happenings[id_] = tuple(happenings)
        self.holdings.extend(holdings)

    def _sent(self, raw: bytes) -> tuple[bytes, tuple[Coin, ...]]:
        transaction = decode(raw)
        assert isinstance(transaction, Array)
        body, valid = transaction[0], transaction[2]
        assert isinstance(body, Map)
        id_ = self.node.submit(raw)
        assert id_ == digest(encode(body))
        self.raws[id_] = raw
        made = list(enumerate(items(body, 1)))
        if not valid:
            made = [(len(made), body[RETURN])]
        coins = tuple(Coin(Reference(id_, n), output) for n, output in made if isinstance(output, Map))
        if valid:
            self.coins |= {coin.at: coin for coin in coins if coin.output[0] == PURSE.address}
        return id_, coins

    def _coin(self) -> Coin:
        """A coin of the purse; each in turn."""
        coin = next(each for each in self.coins.values() if self.holds(each))
        self.coins[coin.at] = self.coins.pop(coin.at)  # to the end: a fork may bring it back
        return coin

    def _fuse(self) -> Coin:
        """Collateral to lose; the last is kept, for there has to be one for every script."""
        return next(coin for coin in self.fuses[:-1] if self.holds(coin))

    def _accepted(self, raw: bytes) -> bool:
        transaction = decode(raw)
        assert isinstance(transaction, Array)
        body = transaction[0]
        assert isinstance(body, Map)
        needed = [reference_of(node) for node in (*items(body, 0), *items(body, COLLATERALS))]
        before = body.get(LOWER, 0)
        assert isinstance(before, int)
        utxo = self.node.mempool.view.utxo
        if before > self.slot or any(OutputReference(*at) not in utxo for at in needed):
            return False
        self.node.submit(raw)
        return True

    def _told(self, block: object) -> Block:
        id_, height, slot = (getattr(block, name) for name in ("id", "height", "slot"))
        done = [self.happenings.get(made.id, ()) for made in getattr(block, "transactions", ())]
        return Block(id_, height, slot, START_MS + 1000 * slot, done)

    def _found(self) -> None:
        """The faucet fills the purse; the purse is split into coins with tokens, and the contracts are published."""
        count = COINS + SEEDS
        lovelace = (count + 10) * RICH
        first = Coin(Reference(self.node.faucet(PURSE.address, lovelace), 0), paid(PURSE.address, lovelace))
        held = dict.fromkeys(TOKENS, MANY)
        split = Spending(
            inputs=(first,),
            signers=(PURSE,),
            change=PURSE.address,
            outputs=(
                *(paid(PURSE.address, RICH, held) for _ in range(count)),
                *(paid(PURSE.address, 50_000_000) for _ in range(FUSES)),
                *(paid(PURSE.address, 50_000_000, script=(3, each.script)) for each in self.contracts),
            ),
            mint=dict.fromkeys(TOKENS, MANY * count),
            witnesses={NATIVE: Array((FREELY,))},
        )
        _, coins = self._sent(written(split))
        self.coins = {coin.at: coin for coin in coins[:COINS]}
        self.seeds = list(coins[COINS:count])
        self.fuses = list(coins[count : count + FUSES])
        self.published = {each.hash: coin for each, coin in zip(self.contracts, coins[count + FUSES :], strict=False)}
        self.block()


def raw(address: Address) -> bytes:
    """An address on the test networks."""
    on_mainnet = address.raw()
    return bytes([on_mainnet[0] & 0xF0]) + on_mainnet[1:]


def least(output: Map) -> int:
    """Lovelace that an output needs, however much of it there is."""
    value = output[1]
    rich: Tree = (
        1 << 40 if isinstance(value, int) else Array((1 << 40, *value.items[1:])) if isinstance(value, Array) else value
    )
    return PARAMETERS.minimum_lovelace(encode(output.with_value(1, rich)))


def _lovelace(output: Map) -> int:
    value = output[1]
    if isinstance(value, Array):
        value = value[0]
    assert isinstance(value, int)
    return value


def _wallet(hash_: bytes) -> Wallet:
    """Whose key hash this is, among the wallets of the stories."""
    return next(wallet for wallet in WALLETS if wallet.hash == hash_)


WALLETS: Final = tuple(Wallet(name) for name in ("funder", "keeper", "oracle's owner", "stranger"))
