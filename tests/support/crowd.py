"""Many distributions, quickly: what transactions say at a contract, without the transactions, for the real write path;
and what there must be in the end, noted along the way."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

from aiosqlite import Connection
from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from indexer.chain.block import Header, OutputReference
from indexer.chain.network import Network
from indexer.chain.point import ORIGIN, Checkpoint, Point
from indexer.chain.time import Era
from indexer.domain.facts import Act, Attested, Continued, Fact, Founded, Rejected, seed_of
from indexer.domain.observe import Delta
from indexer.domain.quorum import Signature, Source
from indexer.plutus.datum import MILESTONE_DATUM, Allocation, AssetClass, Attestation, Distribution
from indexer.plutus.identity import distribution_id, message_to_sign
from indexer.plutus.ledger import Address, VerificationKey
from indexer.store import checkpoints, events, milestones
from indexer.store.db import transaction

POLICY: Final = bytes([0x11] * 28)
TOKEN: Final = AssetClass(bytes([0x33] * 28), b"TOKEN")
ADA: Final = AssetClass(b"", b"")
K: Final = 40


def network_from(start_ms: int) -> Network:
    """A devnet whose slot 0 begins then; slots last a second."""
    return Network("devnet", 42, K, (Era(0, start_ms, 1000),))


@cache
def keys(oracle: int) -> tuple[bytes, bytes]:
    """Public and secret key of an oracle."""
    public, secret = crypto_sign_seed_keypair(digest(f"oracle {oracle}"))
    return public, secret


def digest(text: str) -> bytes:
    """32 bytes that a text decides."""
    return blake2b(text.encode(), digest_size=32).digest()


def somebody(number: int) -> Address:
    """A beneficiary."""
    return Address(VerificationKey(digest(f"beneficiary {number}")[:28]))


def terms_of(
    allocations: Iterable[tuple[str, int, int, int]],
    *,
    oracles: Sequence[int] = (0, 1, 2),
    threshold: int = 2,
    token: AssetClass = TOKEN,
    funder: int = 0,
    expires_at: int | None = None,
) -> Distribution:
    """Terms; each allocation is (milestone, beneficiary, amount, vesting time in POSIX milliseconds)."""
    return Distribution(
        digest(f"funder {funder}")[:28],
        token,
        tuple(keys(oracle)[0] for oracle in oracles),
        threshold,
        tuple(Allocation(somebody(whom), n, name.encode(), at, False) for name, whom, n, at in allocations),
        1_500_000,
        500_000,
        expires_at,
    )


@dataclass
class Signed:
    """A signature of a milestone. `oracle` is its public key; `good`: it verifies."""

    milestone: str
    oracle: bytes
    good: bool
    slot: int
    source: str


@dataclass
class Promise:
    """A distribution, and what has become of it. `paid`: by allocation, slot and transaction."""

    id: bytes
    terms: Distribution
    reference: OutputReference
    created: int
    paid: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    releases: list[tuple[int, str, tuple[int, ...]]] = field(default_factory=list)  # slot, milestone, allocations
    signed: list[Signed] = field(default_factory=list)  # in the order in which they count
    ended: int | None = None

    @property
    def milestones(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(each.milestone_id.decode() for each in self.terms.allocations))

    def valid(self, milestone: str) -> list[Signed]:
        """The signatures that count, in order: of each of its oracles the first good one."""
        first: dict[bytes, Signed] = {}
        for each in self.signed:
            if each.milestone == milestone and each.good and each.oracle in self.terms.oracles:
                first.setdefault(each.oracle, each)
        return list(first.values())

    def met(self, milestone: str) -> int | None:
        """The slot at which the quorum was."""
        valid, threshold = self.valid(milestone), self.terms.quorum_threshold
        return max(self.created, valid[threshold - 1].slot) if len(valid) >= threshold else None


class Crowd:
    """A chain of blocks in the making, and the promises on it."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.promises: list[Promise] = []
        self.rejected: list[str] = []
        self.height = self.slot = 0
        self.heights: dict[int, int] = {}  # by slot
        self._made = 0
        self._acts: list[Act] = []

    def found(self, terms: Distribution) -> Promise:
        """A distribution is created in the block that is being made."""
        by = self._transaction()
        seed = OutputReference(digest(f"seed {self._made}"), 0)
        name = distribution_id(seed_of(seed), terms)
        reference = OutputReference(by, 0)
        self._act(by, Founded(POLICY, name, seed, terms, MILESTONE_DATUM.encode(terms), reference))
        self.promises.append(Promise(name, terms, reference, self.slot))
        return self.promises[-1]

    def attest(self, promise: Promise, milestone: str, *oracles: int, good: bool = True) -> None:
        """Oracles publish signatures, all in one transaction; of a bad one some bits are wrong."""
        by = self._transaction()
        facts = []
        for index, oracle in enumerate(oracles):
            public, signature = keys(oracle)[0], signed(promise.id, milestone, oracle, good=good)
            content = Attestation(promise.id, milestone.encode(), public, signature, bytes(28))
            facts.append(Attested(content, OutputReference(by, index)))
            promise.signed.append(Signed(milestone, public, good, self.slot, "chain"))
        self._act(by, *facts)

    def release(
        self, promise: Promise, milestone: str, indices: Sequence[int] = (), oracles: Sequence[int] = ()
    ) -> None:
        """Allocations of a milestone are paid, all that are left of it by default, on signatures of these oracles."""
        by, terms = self._transaction(), promise.terms
        claims = tuple(indices) or tuple(
            i
            for i, each in enumerate(terms.allocations)
            if each.milestone_id == milestone.encode() and i not in promise.paid
        )
        promise.paid |= dict.fromkeys(claims, (self.slot, by))
        left = tuple(replace(each, claimed=i in promise.paid) for i, each in enumerate(terms.allocations))
        places = sorted((terms.oracles.index(keys(oracle)[0]), oracle) for oracle in oracles)
        proofs = tuple((place, signed(promise.id, milestone, oracle)) for place, oracle in places)
        reference = OutputReference(by, 0)
        self._act(
            by,
            Continued(
                POLICY,
                promise.id,
                replace(terms, allocations=left),
                reference,
                promise.reference,
                milestone.encode(),
                claims,
                proofs,
            ),
            spends=promise.reference,
        )
        promise.reference = reference
        promise.releases.append((self.slot, milestone, claims))
        promise.signed += [Signed(milestone, keys(oracle)[0], True, self.slot, "release") for _, oracle in places]

    def reclaim(self, promise: Promise) -> None:
        """The funder takes what is left."""
        self._act(self._transaction(), spends=promise.reference)
        promise.ended = self.slot

    def reject(self, reason: str) -> None:
        """An output that counts as nothing."""
        by = self._transaction()
        self._act(by, Rejected(OutputReference(by, 0), reason))
        self.rejected.append(reason)

    def block(self, slots: int = 1) -> Delta:
        """The block with all this; the next one comes so many slots later."""
        made = Delta(Header(digest(f"block {self.height} {self._made}"), None, self.height, self.slot), acts=self._acts)
        self._acts = []
        self.heights[self.slot] = self.height
        self.height += 1
        self.slot += slots
        return made

    def _transaction(self) -> bytes:
        self._made += 1
        return digest(f"transaction {self._made}")

    def _act(self, by: bytes, *facts: Fact, spends: OutputReference | None = None) -> None:
        self._acts.append(Act(by, len(self._acts), facts, () if spends is None else (spends,)))


def signed(distribution: bytes, milestone: str, oracle: int, *, good: bool = True) -> bytes:
    """An oracle's signature."""
    message = message_to_sign(POLICY, distribution, milestone.encode())
    signature = bytes(crypto_sign(message, keys(oracle)[1])[:64])
    return signature if good else signature[:-1] + bytes([signature[-1] ^ 1])


async def begin(db: Connection, network: Network) -> None:
    """An empty database of this network."""
    await checkpoints.claim(db, network)
    async with transaction(db):
        await checkpoints.begin(db, Checkpoint(ORIGIN, None))


async def write(db: Connection, blocks: Sequence[Delta], network: Network) -> None:
    """Blocks into the database, in one transaction, as the follower does it."""
    last = blocks[-1].header
    assert last.slot is not None
    async with transaction(db):
        await milestones.apply(db, blocks, network)
        marks = [
            (block.header.slot, block.header.id, block.header.height)
            for block in blocks
            if block.header.slot is not None
        ]
        cursor = Checkpoint(Point(last.slot, last.id), last.height)
        await checkpoints.advance(db, marks, blocks[0].header.height, cursor, K + checkpoints.MARGIN)
        await events.settle(db, last.height)


async def tell(db: Connection, network: Network, promise: Promise, milestone: str, oracle: int, slot: int) -> None:
    """A signature out of a file, stored at this slot: later than all that the chain showed by then."""
    proof = signed(promise.id, milestone, oracle)
    one = Signature(milestone.encode(), keys(oracle)[0], proof, Source.LOCAL, slot)
    async with transaction(db):
        await milestones.add_local(db, [(promise.id, one)], network)
    promise.signed.append(Signed(milestone, keys(oracle)[0], True, slot, "local"))


async def fill(db: Connection, crowd: Crowd, count: int) -> None:
    """That many distributions of 20 allocations each; a third has signatures, a tenth has released."""
    start = crowd.network.eras[0].start_ms
    for first in range(0, count, 250):
        for n in range(first, min(first + 250, count)):
            allocations = [
                (f"m{i % 4}", (7 * n + i) % 3000, 1 + n + i, start + 86_400_000 * (i % 60)) for i in range(20)
            ]
            crowd.found(terms_of(allocations, oracles=[(n + i) % 20 for i in range(5)], threshold=3, funder=n % 50))
        await write(db, [crowd.block()], crowd.network)
        new = crowd.promises[-min(250, count - first) :]
        for n, promise in enumerate(new, start=first):
            if n % 3 == 0:
                crowd.attest(promise, "m0", *((n + i) % 20 for i in range(3)))
            if n % 10 == 0:
                crowd.release(promise, "m0", (), [(n + i) % 20 for i in range(3)])
        await write(db, [crowd.block()], crowd.network)


def size(path: Path) -> int:
    """Bytes of a database."""
    return sum(each.stat().st_size for each in path.parent.glob(f"{path.name}*"))
