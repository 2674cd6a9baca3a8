"""Chains in plain data, for an index that is given them as transactions and a model that reads them as they are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from typing import Any, Final, TypeAlias

import cbor2

from indexer.chain.block import OutputReference
from indexer.devnet.kupo.index import Index, IndexedBlock
from indexer.devnet.ledger.transaction import (
    Language,
    Output,
    Purpose,
    Redeemer,
    Script,
    Transaction,
    Witnesses,
)
from tests.support.addresses import BYRON_MAINNET, BYRON_TESTNET, CredentialKind, address, unbech32

Ref: TypeAlias = tuple[bytes, int]
LANGUAGES: Final = ("native", "plutus:v1", "plutus:v2", "plutus:v3")  # by the byte that is hashed with a script


def digest(*parts: object, size: int = 32) -> bytes:
    """A hash of anything: where ids and keys come from."""
    return blake2b(repr(parts).encode(), digest_size=size).digest()


def hash_of(data: bytes, size: int = 32) -> bytes:
    return blake2b(data, digest_size=size).digest()


@dataclass(frozen=True)
class Home:
    """An address, and what it is made of."""

    text: str
    raw: bytes
    payment: bytes | None = None
    stake: bytes | None = None


@dataclass(frozen=True)
class Coin:
    """An output. `script` is a language's byte and the script."""

    home: Home
    lovelace: int = 1_000_000
    assets: tuple[tuple[bytes, bytes, int], ...] = ()
    datum: bytes | None = None
    datum_hash: bytes | None = None
    script: tuple[int, bytes] | None = None


@dataclass(frozen=True)
class Tx:
    """A transaction. `redeemers` are of inputs, by their position in the ledger's order."""

    id: bytes
    inputs: tuple[Ref, ...] = ()
    outputs: tuple[Coin, ...] = ()
    is_valid: bool = True
    collaterals: tuple[Ref, ...] = ()
    back: Coin | None = None
    datums: tuple[bytes, ...] = ()
    scripts: tuple[tuple[int, bytes], ...] = ()
    redeemers: dict[int, bytes] = field(default_factory=dict)
    metadata: dict[int, Any] | None = None
    more_scripts: tuple[tuple[int, bytes], ...] = ()  # in the auxiliary data


@dataclass(frozen=True)
class Block:
    slot: int
    id: bytes
    transactions: tuple[Tx, ...] = ()

    @property
    def point(self) -> dict[str, Any]:
        return {"slot_no": self.slot, "header_hash": self.id.hex()}


def home(
    payment: bytes, kind: CredentialKind = "key", stake: bytes | None = None, stake_kind: CredentialKind = "key"
) -> Home:
    text = address(payment, kind, None if stake is None else (stake_kind, stake))
    return Home(text, unbech32(text)[1], payment, stake)


def byron(text: str) -> Home:
    """A Byron address; its first byte is 0x82, so no zeros are lost."""
    number = 0
    for character in text:
        number = 58 * number + "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".index(character)
    return Home(text, number.to_bytes((number.bit_length() + 7) // 8, "big"))


KEY: Final = bytes(range(32))  # a verification key
PAYMENTS: Final = (hash_of(KEY, 28), digest("payment", size=28), digest("shared", size=28))
STAKES: Final = (digest("stake", size=28), digest("shared", size=28))
POLICIES: Final = (digest("policy", 1, size=28), digest("policy", 2, size=28))
NAMES: Final = (b"", b"TOKEN", bytes(32))


def _pointer(payment: bytes) -> Home:
    text = address(payment, "key", ("pointer", (127, 128, 16_384)))
    return Home(text, unbech32(text)[1], payment)


def _mainnet(payment: bytes, stake: bytes) -> Home:
    text = address(payment, "script", ("script", stake), "mainnet")
    return Home(text, unbech32(text)[1], payment, stake)


HOMES: Final = (
    *(home(payment) for payment in PAYMENTS),
    *(home(payment, "script", stake) for payment in PAYMENTS for stake in STAKES),
    home(PAYMENTS[0], "key", STAKES[0], "script"),
    _mainnet(PAYMENTS[1], STAKES[0]),
    _pointer(PAYMENTS[1]),
    byron(BYRON_TESTNET[-1]),
    byron(BYRON_MAINNET[1]),
)


class Maker:
    """Grows chains by chance: outputs of every kind, spent soon or late or never, by scripts that hold or fail."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self._count = 0
        self._seed = seed

    def block(self, chain: Sequence[Block]) -> Block:
        """The next one of a chain."""
        random = self.random
        slot = (chain[-1].slot if chain else 0) + random.choice((1, 1, 2, 20))
        free = unspent(chain)
        transactions = []
        for _ in range(random.choice((0, 1, 2, 4))):
            transaction = self._transaction(free)
            transactions.append(transaction)
            free -= set(spends(transaction))
            free |= {(transaction.id, index) for index, _ in makes(transaction)}
        self._count += 1
        return Block(slot, digest("block", self._seed, self._count), tuple(transactions))

    def _transaction(self, free: set[Ref]) -> Tx:
        random = self.random
        taken = random.sample(sorted(free), min(len(free), random.choice((0, 1, 1, 3))))
        known, unknown = self._data(3), self._data(1)
        outputs = tuple(self._coin([*known, *unknown]) for _ in range(random.choice((0, 1, 2, 3))))
        self._count += 1
        id_ = digest("transaction", self._seed, self._count)
        is_valid = random.random() < 0.8
        return Tx(
            id_,
            tuple(taken) if is_valid else ((digest("elsewhere", self._count), 0),),
            outputs,
            is_valid,
            () if is_valid else tuple(taken),
            self._coin(known) if random.random() < 0.7 else None,
            tuple(known) if random.random() < 0.7 else (),
            tuple(self._script() for _ in range(random.choice((0, 0, 1)))),
            {n: self._data(1)[0] for n in range(4) if random.random() < 0.4},
            random.choice((None, None, {674: {"msg": ["a", b"b", -1]}}, {1: 2, 674: []})),
            (self._script(),) if random.random() < 0.1 else (),
        )

    def _coin(self, data: Sequence[bytes]) -> Coin:
        random = self.random
        assets = {(random.choice(POLICIES), random.choice(NAMES)): random.choice((1, 2**63)) for _ in range(2)}
        datum = random.choice(data)
        inline = random.choice((None, True, False))
        return Coin(
            random.choice(HOMES),
            random.choice((1_000_000, 2**53 + 1)),
            tuple((policy, name, n) for (policy, name), n in assets.items()) if random.random() < 0.5 else (),
            datum if inline is True else None,
            hash_of(datum) if inline is False else None,
            self._script() if random.random() < 0.2 else None,
        )

    def _data(self, count: int) -> list[bytes]:
        return [cbor2.dumps(self.random.randrange(50)) for _ in range(count)]

    def _script(self) -> tuple[int, bytes]:
        return self.random.randrange(4), digest("script", self.random.randrange(4))


def makes(transaction: Tx) -> list[tuple[int, Coin]]:
    """Outputs by their index."""
    if transaction.is_valid:
        return list(enumerate(transaction.outputs))
    return [] if transaction.back is None else [(len(transaction.outputs), transaction.back)]


def spends(transaction: Tx) -> list[Ref]:
    """In the ledger's order."""
    return sorted(transaction.inputs if transaction.is_valid else transaction.collaterals)


def unspent(chain: Iterable[Block]) -> set[Ref]:
    free: set[Ref] = set()
    for block in chain:
        for transaction in block.transactions:
            free -= set(spends(transaction))
            free |= {(transaction.id, index) for index, _ in makes(transaction)}
    return free


def indexed(block: Block) -> IndexedBlock:
    """A block as the index takes it."""
    return IndexedBlock(block.slot, block.id, tuple(map(ledger_transaction, block.transactions)))


def index_of(chain: Iterable[Block]) -> Index:
    """A fresh index of a chain."""
    index = Index()
    for block in chain:
        index.apply(indexed(block))
    return index


def ledger_transaction(transaction: Tx) -> Transaction:
    auxiliary = auxiliary_data(transaction)
    wits = Witnesses(
        scripts=tuple(map(_script, transaction.scripts)),
        datums={hash_of(datum): datum for datum in transaction.datums},
        redeemers=(
            *(Redeemer(Purpose.SPEND, n, data, 1, 1) for n, data in transaction.redeemers.items()),
            Redeemer(Purpose.MINT, 0, b"\x00", 1, 1),
        ),
    )
    return Transaction(
        raw=b"",
        size=0,
        id=transaction.id,
        is_valid=transaction.is_valid,
        inputs=_references(transaction.inputs),
        outputs=tuple(map(ledger_output, transaction.outputs)),
        fee=0,
        witnesses=wits,
        collaterals=_references(transaction.collaterals),
        collateral_return=None if transaction.back is None else ledger_output(transaction.back),
        auxiliary_data=auxiliary,
        auxiliary_scripts=tuple(map(_script, transaction.more_scripts)),
    )


def auxiliary_data(transaction: Tx) -> bytes | None:
    """Metadata in the form of Shelley, which has no room for scripts: nobody here reads those from the bytes."""
    return None if transaction.metadata is None else cbor2.dumps(transaction.metadata)


def _references(refs: Iterable[Ref]) -> tuple[OutputReference, ...]:
    return tuple(OutputReference(id_, index) for id_, index in refs)


def ledger_output(coin: Coin) -> Output:
    assets: dict[bytes, dict[bytes, int]] = {}
    for policy, name, quantity in coin.assets:
        assets.setdefault(policy, {})[name] = quantity
    script = None if coin.script is None else _script(coin.script)
    return Output(b"", coin.home.raw, coin.lovelace, assets, 0, coin.datum_hash, coin.datum, script)


def _script(script: tuple[int, bytes]) -> Script:
    language, raw = script
    return Script(Language(language), raw, b"what the index must not rely on")
