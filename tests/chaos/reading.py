"""What a chain amounts to, read from the bytes of its transactions: promises, signatures, payments, wallets.

Nothing of the product is used, and nothing that a database says: datums, redeemers and signatures are read and verified
here once more.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from indexer.devnet.node import Node
from tests.contract.keys import hash28
from tests.contract.parts import datum_of, items, reference_of, value_of
from tests.contract.plutus import fields
from tests.contract.terms import ADA, Asset, Reference, Terms, message
from tests.contract.tree import Array, Chunks, Map, Tag, decode, encode
from tests.contract.tree import Node as Tree
from tests.support.promises import START_MS, Plan, raw
from tests.support.spending import COLLATERALS, INPUTS, KEYS, LOWER, MINT, OUTPUTS, REDEEMERS, RETURN, digest

_DISTRIBUTION, _ATTESTATION = 121, 122  # tags of the two datums
_TRUE: Final = 122


@dataclass(frozen=True)
class Opened:
    """A transaction. What it spends and makes depends on whether its scripts agreed."""

    id: bytes
    valid: bool
    spent: tuple[Reference, ...]
    made: tuple[tuple[Reference, Map], ...]
    signers: frozenset[bytes]  # key hashes
    minted: frozenset[bytes]  # names, whatever the policy
    lower: int
    redeemers: tuple[Tree, ...]  # data, of whatever purpose


@lru_cache(maxsize=20_000)
def opened(content: bytes) -> Opened:
    """From its bytes."""
    transaction = decode(content)
    assert isinstance(transaction, Array)
    body, witnesses, valid = transaction[0], transaction[1], transaction[2]
    assert isinstance(body, Map)
    assert isinstance(witnesses, Map)
    id_ = digest(encode(body))
    outputs = list(enumerate(items(body, OUTPUTS)))
    if not valid:
        back = body.get(RETURN)
        outputs = [] if back is None else [(len(outputs), back)]
    lower = body.get(LOWER, 0)
    assert isinstance(lower, int)
    return Opened(
        id_,
        bool(valid),
        tuple(reference_of(node) for node in items(body, INPUTS if valid else COLLATERALS)),
        tuple((Reference(id_, n), output) for n, output in outputs if isinstance(output, Map)),
        frozenset(hash28(key) for key, _ in _pairs(items(witnesses, KEYS))),
        frozenset(_names(body.get(MINT))),
        lower,
        tuple(_redeemers(witnesses.get(REDEEMERS))),
    )


def _pairs(nodes: Iterable[Tree]) -> Iterator[tuple[bytes, bytes]]:
    for node in nodes:
        match node:
            case Array((bytes(key), bytes(proof))):
                yield key, proof


def _names(mint: Tree) -> Iterator[bytes]:
    if isinstance(mint, Map):
        for _, names in mint.pairs:
            if isinstance(names, Map):
                yield from (name for name, _ in names.pairs if isinstance(name, bytes))


def _redeemers(node: Tree) -> Iterator[Tree]:
    match node:
        case Map(pairs):
            for _, value in pairs:
                if isinstance(value, Array):
                    yield value[0]
        case Array(entries):
            for entry in entries:
                if isinstance(entry, Array):
                    yield entry[2]


@dataclass(frozen=True)
class Payment:
    """An allocation that was paid."""

    transaction: bytes
    slot: int
    height: int
    signers: frozenset[bytes]


@dataclass(frozen=True)
class Move:
    """What a transaction did to a wallet: lovelace that it spent of it, and that it left it."""

    transaction: bytes
    slot: int
    spent: int
    back: int
    release_of: bytes | None  # a distribution, where it is a release
    valid: bool

    @property
    def loss(self) -> int:
        return self.spent - self.back


@dataclass
class Surviving:
    """All that the blocks of a chain amount to. Wallets are told by key hash."""

    slot: int = 0
    height: int = -1
    states: dict[bytes, Reference] = field(default_factory=dict)  # by distribution; those that have not ended
    began: set[bytes] = field(default_factory=set)
    claims: dict[tuple[bytes, int], Payment] = field(default_factory=dict)
    signed: dict[tuple[bytes, bytes], set[bytes]] = field(default_factory=lambda: defaultdict(set))  # who, truly
    spent: dict[Reference, tuple[bytes, int]] = field(default_factory=dict)  # by which transaction, at which height
    made: set[Reference] = field(default_factory=set)
    coins: dict[Reference, Map] = field(default_factory=dict)  # unspent
    moves: dict[bytes, list[Move]] = field(default_factory=lambda: defaultdict(list))
    transactions: dict[bytes, int] = field(default_factory=dict)  # at which height
    wrong: list[str] = field(default_factory=list)  # what must never be, whoever did it

    @property
    def now_ms(self) -> int:
        return START_MS + 1000 * self.slot

    def wallet(self, key_hash: bytes) -> dict[Reference, Map]:
        """Its unspent coins, of whatever kind."""
        return {at: coin for at, coin in self.coins.items() if _owner(coin) == key_hash}


def read(node: Node, plans: Iterable[Plan], wallets: Iterable[bytes]) -> Surviving:
    """The chain as it is now. `plans`: all that was ever decided on; `wallets`: whose moves are of interest."""
    known, found, watched = {plan.id: plan for plan in plans}, Surviving(), set(wallets)
    for output, content in node.genesis.utxo.items():
        made = decode(content.raw)
        assert isinstance(made, Map)
        found.coins[Reference(output.transaction_id, output.index)] = made
    for block in node.chain:
        found.slot, found.height = block.slot or 0, block.height
        for transaction in getattr(block, "transactions", ()):
            _apply(found, opened(transaction.raw), known, watched)
    return found


def _apply(found: Surviving, it: Opened, known: dict[bytes, Plan], watched: set[bytes]) -> None:
    gone = {at: found.coins.pop(at) for at in it.spent}
    for at in it.spent:
        found.spent[at] = it.id, found.height
    for at, output in it.made:
        found.coins[at] = output
        found.made.add(at)
    found.transactions[it.id] = found.height
    release_of = None
    if it.valid:
        for at, output in it.made:
            release_of = _state(found, it, at, output, known) or release_of
            _attestation(found, output, known)
        for id_ in [id_ for id_, at in found.states.items() if at in gone and found.states[id_] == at]:
            del found.states[id_]  # burnt: a release has put another in its place by now
    for wallet in watched:
        spent = sum(value_of(coin)[ADA] for coin in gone.values() if _owner(coin) == wallet)
        if spent or (not it.valid and wallet in it.signers):
            back = sum(value_of(output)[ADA] for _, output in it.made if _owner(output) == wallet)
            found.moves[wallet].append(Move(it.id, found.slot, spent, back, release_of, it.valid))


def _state(found: Surviving, it: Opened, at: Reference, output: Map, known: dict[bytes, Plan]) -> bytes | None:
    """The distribution that a transaction releases of, where this output continues it."""
    plan = next((known[asset.name] for asset in value_of(output) if _is_of(asset, known)), None)
    datum = datum_of(output)
    if plan is None or not isinstance(datum, Tag) or datum.number != _DISTRIBUTION:
        return None
    if plan.id in it.minted:
        found.states[plan.id] = at
        found.began.add(plan.id)
        return None
    before, found.states[plan.id] = found.states.get(plan.id), at
    if before not in it.spent:
        found.wrong.append(f"{it.id.hex()} continues {plan.id.hex()} out of nothing")
    milestone, indices, proofs = _release(it, plan)
    now = {n for n, one in enumerate(fields(fields(datum)[4]).items) if _flag(fields(one)[4])}
    already = {n for id_, n in found.claims if id_ == plan.id}
    if now - already != set(indices) or already - now:
        found.wrong.append(f"{it.id.hex()} claims {sorted(now - already)} and says {indices}")
    if set(indices) & already:
        found.wrong.append(f"{it.id.hex()} pays {indices} of {plan.id.hex()} again")
    _check(found, it, plan, milestone, indices, proofs)
    for index in indices:
        found.claims[plan.id, index] = Payment(it.id, found.slot, found.height, it.signers)
    return plan.id


def _check(
    found: Surviving, it: Opened, plan: Plan, milestone: bytes, indices: list[int], proofs: list[tuple[int, bytes]]
) -> None:
    """A release is by a quorum that truly signed, not before its time, and pays whom it says what it says."""
    terms = plan.terms
    good = {terms.oracles[n] for n, proof in proofs if verifies(plan, milestone, terms.oracles[n], proof)}
    if len(good) < terms.threshold:
        found.wrong.append(f"{it.id.hex()} releases on {len(good)} of {terms.threshold} signatures")
    found.signed[plan.id, milestone] |= good
    for place, index in enumerate(indices, start=1):
        allocation = terms.allocations[index]
        if allocation.vesting > START_MS + 1000 * min(found.slot, it.lower) or allocation.milestone != milestone:
            found.wrong.append(f"{it.id.hex()} pays allocation {index} before its time, or of another milestone")
        output = it.made[place][1]
        value = value_of(output)
        least = terms.lovelace_per_payout + (allocation.amount if terms.token == ADA else 0)
        enough = value[ADA] >= least and (terms.token == ADA or value.get(terms.token) == allocation.amount)
        if output[0] != raw(allocation.beneficiary) or not enough:
            found.wrong.append(f"{it.id.hex()} does not pay allocation {index} as was promised")


def _release(it: Opened, plan: Plan) -> tuple[bytes, list[int], list[tuple[int, bytes]]]:
    """What the redeemer of a release says."""
    for data in it.redeemers:
        if isinstance(data, Tag) and data.number == 121 and len(fields(data)) == 3:
            milestone, indices, proofs = fields(data).items
            assert isinstance(milestone, bytes)
            signed = [fields(each).items for each in fields(proofs).items]
            return milestone, list(fields(indices).items), [(n, proof) for n, proof in signed]  # type: ignore[misc, arg-type]
    raise AssertionError(f"{it.id.hex()} has no redeemer of a release of {plan.id.hex()}")


def _attestation(found: Surviving, output: Map, known: dict[bytes, Plan]) -> None:
    datum = datum_of(output)
    if not isinstance(datum, Tag) or datum.number != _ATTESTATION or len(fields(datum)) != 5:
        return
    match tuple(map(_whole, fields(datum).items)):
        case (bytes(id_), bytes(milestone), bytes(oracle), bytes(proof), _) if id_ in known:
            plan = known[id_]
            at_home = output[0] == plan.contract.home() or bytes(output[0])[1:29] == plan.contract.hash  # type: ignore[arg-type]
            if at_home and oracle in plan.terms.oracles and verifies(plan, milestone, oracle, proof):
                found.signed[id_, milestone].add(oracle)


def _whole(node: Tree) -> Tree:
    """A string that was written in pieces, in one: to the ledger it is the same."""
    return b"".join(node.parts) if isinstance(node, Chunks) else node


def verifies(plan: Plan, milestone: bytes, oracle: bytes, proof: bytes) -> bool:
    """Whether it is the oracle's signature, of this milestone of this distribution."""
    if len(proof) != 64 or len(oracle) != 32:
        return False
    try:
        VerifyKey(oracle).verify(message(plan.contract.hash, plan.id, milestone), proof)
    except BadSignatureError:
        return False
    return True


def due(found: Surviving, plans: Iterable[Plan], told: dict[tuple[bytes, bytes], set[bytes]]) -> set[tuple[bytes, int]]:
    """What can be paid now and is not: distribution, position. `told`: who signed what in files, truly."""
    open_ones = set()
    for plan in plans:
        if plan.id not in found.states:
            continue
        for index, allocation in enumerate(plan.terms.allocations):
            who = found.signed.get((plan.id, allocation.milestone), set())
            who = who | told.get((plan.id, allocation.milestone), set())
            met = len(who & set(plan.terms.oracles)) >= plan.terms.threshold
            if met and allocation.vesting <= found.now_ms and (plan.id, index) not in found.claims:
                open_ones.add((plan.id, index))
    return open_ones


def state_terms(found: Surviving, plan: Plan) -> Terms:
    """The terms with what is claimed by now."""
    return plan.terms.claim(n for id_, n in found.claims if id_ == plan.id)


def _is_of(asset: Asset, known: dict[bytes, Plan]) -> bool:
    return asset.name in known and known[asset.name].contract.hash == asset.policy


def _flag(node: Tree) -> bool:
    return isinstance(node, Tag) and node.number == _TRUE


def _owner(output: Map) -> bytes | None:
    """The key hash that an output is locked by; None where it is a script's."""
    address = output[0]
    assert isinstance(address, bytes)
    return address[1:29] if address[0] & 0x10 == 0 else None
