"""Where transactions are built for tests: a devnet, wallets with coins and tokens, and oracles with keys.

The builder is told what a node would tell it, in the node's words; what it builds is judged by the devnet's ledger and
the compiled contract.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from nacl.signing import SigningKey

from indexer.chain.block import OutputReference
from indexer.chain.coin import Coin
from indexer.chain.parameters import Units
from indexer.devnet.genesis import Genesis
from indexer.devnet.ledger.addresses import address_text
from indexer.devnet.ledger.refusal import Refused
from indexer.devnet.ledger.shown import shown_utxo
from indexer.devnet.node import Node
from indexer.edge.builder.build import Built, build
from indexer.edge.builder.check import check
from indexer.edge.builder.coins import usable
from indexer.edge.builder.funding import lovelace_to_lock, seed_for
from indexer.edge.builder.intents import Create, Deploy, Intent, Purse, Release, Surroundings
from indexer.edge.builder.signing import complete, sign
from indexer.ogmios import ledger_state, submission
from indexer.ogmios.submission import Pointer, Stage
from indexer.plutus.blueprint import Blueprint, read_blueprint
from indexer.plutus.datum import MILESTONE_DATUM, Allocation, AssetClass, Distribution
from indexer.plutus.identity import distribution_id, message_to_sign
from indexer.plutus.ledger import Address, VerificationKey
from indexer.plutus.ledger import OutputReference as Seed
from tests.contract.parameters import PARAMETERS
from tests.contract.parameters import Units as DeclaredUnits
from tests.contract.terms import Asset, Reference
from tests.contract.tree import Array, Map, decode
from tests.support.spending import NATIVE, Spending, Wallet, native_hash, paid, written
from tests.support.spending import Coin as Given

BLUEPRINT: Final = read_blueprint((Path(__file__).parents[2] / "plutus.json").read_bytes())
FREELY: Final = Array((1, Array(())))  # a native script that always agrees
TOKEN: Final = AssetClass(native_hash(FREELY), b"TOKEN")
OTHER: Final = AssetClass(native_hash(FREELY), b"other")
ADA: Final = AssetClass(b"", b"")
FUNDER, KEEPER, OWNER = Wallet("funder"), Wallet("keeper"), Wallet("oracle's owner")
MANY: Final = 2**62  # of the token, in each of two coins of the funder


@dataclass(frozen=True)
class Hand:
    """A wallet's key, or any: as the builder asks for signatures."""

    key: SigningKey

    @property
    def public(self) -> bytes:
        return bytes(self.key.verify_key)

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message).signature


def oracle(number: int) -> Hand:
    return Hand(Wallet(f"oracle {number}").key)


ORACLES: Final = tuple(oracle(number) for number in range(20))
HANDS: Final = {wallet.hash: Hand(wallet.key) for wallet in (FUNDER, KEEPER, OWNER)}


@dataclass
class Yard:
    """A devnet in whose first blocks the wallets were filled and the contract was published."""

    node: Node = field(default_factory=lambda: Node(Genesis(seed="yard")))
    contract: Blueprint = BLUEPRINT
    reference: Coin | None = None

    # What a node tells.

    @property
    def around(self) -> Surroundings:
        node, network = self.node, self.node.genesis.network
        slot = 0 if node.tip is None else node.tip.slot
        return Surroundings(
            self.contract,
            self.reference,
            0,
            ledger_state.parameters(json.dumps(node.parameters.shown).encode()),
            ledger_state.timeline(node.genesis.start.isoformat(), network.eras(slot)),
            slot,
        )

    @property
    def now_ms(self) -> int:
        """POSIX milliseconds of the tip."""
        eras = self.around.timeline.eras
        return eras[-1].start_ms + self.around.tip * 1000

    def coin(self, reference: OutputReference) -> Coin:
        (found,) = self._coins({reference: self.node.ledger.utxo[reference]})
        return found

    def coins_at(self, address: bytes) -> tuple[Coin, ...]:
        utxo = self.node.ledger.utxo.items()
        return tuple(self._coins({at: output for at, output in utxo if output.address == address}))

    def purse(self, wallet: Wallet, collateral: Coin | None = None) -> Purse:
        return Purse(wallet.address, self.coins_at(wallet.address), collateral)

    async def evaluate(self, raw: bytes) -> Mapping[Pointer, Units]:
        try:
            return submission.evaluated(self.node.evaluate(raw, {}))
        except Refused as refused:
            told = refused.refusal
            error = {"code": told.code, "message": told.message, "data": told.data}
            raise submission.refusal(Stage.EVALUATE, error) from refused

    # What is done.

    async def build(self, intent: Intent, wallet: Wallet = KEEPER, collateral: Coin | None = None) -> Built:
        return await build(intent, self.around, self.purse(wallet, collateral), self.evaluate)

    def sign(self, built: Built) -> bytes:
        """By everybody who has to."""
        witnesses = [sign(built.transaction, HANDS[signer]) for signer in built.signers]
        return complete(built.transaction, witnesses, built.signers)

    def send(self, built: Built) -> bytes:
        """Signed, looked at once more, judged by the ledger, and in a block; the bytes."""
        raw = self.sign(built)
        check(raw, built.intent, built.around, built.purse, built.resolved)
        assert self.node.submit(raw) == built.id
        self.node.make_block()
        assert len(raw) == built.size
        assert within_two_percent(raw, built)
        return raw

    async def do(self, intent: Intent, wallet: Wallet = KEEPER, collateral: Coin | None = None) -> Built:
        built = await self.build(intent, wallet, collateral)
        self.send(built)
        return built

    async def create(self, terms: Distribution, wallet: Wallet = FUNDER) -> tuple[Built, Coin]:
        """A distribution with the reserve that commands add, and its output."""
        built = await self.do(self.creation(terms, wallet), wallet)
        return built, self.coin(OutputReference(built.id, 0))

    def creation(self, terms: Distribution, wallet: Wallet = FUNDER) -> Create:
        seed = seed_for(terms, usable(self.purse(wallet)))
        return Create(terms, seed, lovelace_to_lock(terms, self.around).total)

    def release(self, state: Coin, indices: Sequence[int], signers: Sequence[int] | None = None) -> Release:
        """Signed by as many oracles as it takes, or by these."""
        terms = terms_of(state)
        (name,) = [name for policy, name, _ in state.output.assets if policy == self.contract.policy_id]
        milestone = terms.allocations[indices[0]].milestone_id
        message = message_to_sign(self.contract.policy_id, name, milestone)
        keys = {hand.public: hand for hand in ORACLES}
        chosen = range(terms.quorum_threshold) if signers is None else signers
        signatures = tuple((n, keys[terms.oracles[n]].sign(message)) for n in chosen)
        return Release(state, milestone, tuple(indices), signatures, self.around.tip)

    def skip(self, slots: int) -> None:
        """An empty block so many slots from now."""
        self.node.clock.skip(slots)
        self.node.make_block()

    def pay(self, address: bytes, lovelace: int) -> Coin:
        """By the faucet, in a block."""
        id_ = self.node.faucet(address, lovelace)
        self.node.make_block()
        return self.coin(OutputReference(id_, 0))

    @staticmethod
    def _coins(utxo: Mapping[OutputReference, object]) -> list[Coin]:
        return ledger_state.coins(json.dumps(shown_utxo(utxo)).encode())  # type: ignore[arg-type]


async def furnished(*, deployed: bool = True, contract: Blueprint = BLUEPRINT) -> Yard:
    """A yard whose funder has ada and two coins with the token, one of them with another token beside it, and whose
    keeper and oracle's owner have two coins of ada each."""
    yard = Yard(contract=contract)
    first = yard.pay(FUNDER.address, 30_000_000_000_000)
    given = Given(Reference(*_pair(first)), paid(FUNDER.address, 30_000_000_000_000))
    token, other = Asset(TOKEN.policy_id, TOKEN.asset_name), Asset(OTHER.policy_id, OTHER.asset_name)
    minting = Spending(
        inputs=(given,),
        signers=(FUNDER,),
        change=FUNDER.address,
        outputs=(
            paid(FUNDER.address, 5_000_000, {token: MANY}),
            paid(FUNDER.address, 5_000_000, {token: MANY // 2, other: 1}),
            paid(FUNDER.address, 10_000_000),
        ),
        mint={token: MANY + MANY // 2, other: 1},
        witnesses={NATIVE: Array((FREELY,))},
    )
    yard.node.submit(written(minting))
    yard.node.make_block()
    for wallet in (KEEPER, OWNER):
        yard.pay(wallet.address, 1_000_000_000)
        yard.pay(wallet.address, 10_000_000)
    if deployed:
        built = await yard.do(Deploy(), FUNDER)
        yard.reference = yard.coin(OutputReference(built.id, 0))
    return yard


def terms_of(state: Coin) -> Distribution:
    assert state.output.datum is not None
    terms = MILESTONE_DATUM.decode(state.output.datum).value
    assert isinstance(terms, Distribution)
    return terms


def someone(number: int) -> Address:
    """A beneficiary."""
    return Address(VerificationKey(Wallet(f"beneficiary {number}").hash))


def allocation(number: int = 0, amount: int = 1_000, milestone: bytes = b"m1", vesting: int = 0) -> Allocation:
    return Allocation(someone(number), amount, milestone, vesting, claimed=False)


def terms(*allocations: Allocation, token: AssetClass = TOKEN, **changes: object) -> Distribution:
    """Two of three oracles, 1.5 ada with each payout, 0.5 ada for the keeper."""
    plain = Distribution(
        FUNDER.hash,
        token,
        tuple(hand.public for hand in ORACLES[:3]),
        2,
        allocations or (allocation(),),
        1_500_000,
        500_000,
        None,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def id_of(created: Built) -> bytes:
    intent = created.intent
    assert isinstance(intent, Create)
    return distribution_id(Seed(intent.seed.reference.transaction_id, intent.seed.reference.index), intent.terms)


def declared(raw: bytes) -> DeclaredUnits:
    """The units that a transaction declares in all, read by the tests' own reader."""
    transaction = decode(raw)
    assert isinstance(transaction, Array)
    witnesses = transaction[1]
    assert isinstance(witnesses, Map)
    redeemers = witnesses.get(5)
    found = DeclaredUnits(0, 0)
    for _, value in redeemers.pairs if isinstance(redeemers, Map) else ():
        assert isinstance(value, Array)
        units = value[1]
        assert isinstance(units, Array)
        found += DeclaredUnits(*units.items)  # type: ignore[arg-type]
    return found


def least_fee(raw: bytes, script_bytes: int) -> int:
    """By the formula of the contract's bench."""
    return PARAMETERS.minimum_fee(len(raw) - 1, declared(raw), script_bytes)


def within_two_percent(raw: bytes, built: Built) -> bool:
    """Whether the fee is enough, and at most 2 % more."""
    carried = [*([] if built.reference is None else [built.reference]), *built.inputs]
    least = least_fee(raw, sum(coin.output.script is not None for coin in carried) * len(built.around.contract.script))
    return least <= built.fee <= least * 1.02


def text(address: bytes) -> str:
    return address_text(address)


def _pair(coin: Coin) -> tuple[bytes, int]:
    return coin.reference.transaction_id, coin.reference.index
