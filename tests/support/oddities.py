"""Terms, attestations and look-alikes made at random: from the plain to all that anybody may pay to an address with."""

from collections.abc import Callable
from random import Random
from typing import Final

from tests.contract.keys import key_hash, public
from tests.contract.plutus import constr, field, fields, integer, octets, sequence, with_field, with_fields
from tests.contract.terms import (
    ADA,
    Address,
    Allocation,
    Asset,
    Attestation,
    Credential,
    Terms,
    message,
    signature,
    somebody,
)
from tests.contract.tree import Array, Chunks, Map, Tag
from tests.contract.tree import Node as Tree
from tests.support.deeds import Beside
from tests.support.happenings import Attested, Told
from tests.support.promises import TOKENS, Contract, Plan, State, World

FOREVER: Final = 2**63 - 1
YEAR_2100: Final = 4_102_444_800_000
ORACLES: Final = tuple(public(f"oracle {n}") for n in range(5))
KEYLESS: Final = (bytes([0x44]) * 32, bytes([1]) + bytes(31))  # no point of the curve; one of small order
FUNDERS: Final = ("funder", "stranger")
REFUND: Final = key_hash("oracle's owner")
MILESTONES: Final = (b"m1", b"m2", b"0xab", b"\0", b"m" * 64, "première étape".encode(), b"\x1b[31m")
ADDRESSES: Final = (
    somebody("ann"),
    somebody("bob", stake="key"),
    somebody("vault", script=True),
    somebody("fund", script=True, stake="script"),
)
STAKES: Final = (None, Credential(bytes([0x66]) * 28), Credential(bytes([0x88]) * 28, is_script=True))


def some_terms(random: Random, now: int) -> Terms:
    """What Create takes; `now` in POSIX milliseconds."""
    oracles = random.sample(ORACLES, random.randint(1, 4))
    if random.random() < 0.2:
        oracles.insert(random.randint(0, len(oracles)), random.choice(KEYLESS))
    milestones = random.sample(MILESTONES, random.randint(1, 3))
    soon = now - now % 1000
    allocations = (
        Allocation(
            random.choice(ADDRESSES),
            random.choice((1, 5, 1_000_000, random.randint(1, 1_000), 2**53 + 1)),
            random.choice(milestones),
            random.choice((0, 0, 0, soon, soon + 3_000, YEAR_2100, FOREVER)),
        )
        for _ in range(random.randint(1, 6))
    )
    token = random.choice((*TOKENS, ADA))
    promised = tuple(a if token != ADA else _affordable(a) for a in allocations)
    return Terms(
        key_hash(random.choice(FUNDERS)),
        tuple(oracles),
        random.choice((1, 1, 2, len(oracles), random.randint(1, len(oracles)))) if len(oracles) > 1 else 1,
        promised,
        token,
        random.choice((0, 1_500_000)),
        random.choice((0, 500_000)),
        random.choice((None, None, 0, soon + 8_000, YEAR_2100, FOREVER)),
    )


def some_attestation(random: Random, world: World) -> Beside:
    """Of what was decided on, created or not; more often good than not."""
    plan = random.choice(world.plans[-random.choice((3, 3, 100)) :])
    contract, terms = plan.contract, plan.terms
    milestone = random.choice(terms.allocations).milestone
    signers = [oracle for oracle in terms.oracles if oracle in ORACLES]
    oracle = random.choice(signers or ORACLES)
    right = message(contract.hash, plan.id, milestone)
    proof = signature(oracle, right)
    good = Attestation(plan.id, milestone, oracle, proof, REFUND)
    if random.random() < 0.6:
        return _published(contract, good, sound=True, open_ended=random.random() < 0.8)
    flipped = bytes([proof[0] ^ 1]) + proof[1:]
    stranger = random.choice([each for each in ORACLES if each not in terms.oracles] or [public("oracle 9")])
    other = random.choice((b"", b"m3", b"x" * 100, b"\xff\xfe", milestone + b"\0"))
    elsewhere = message(contract.hash, plan.id, other)
    lost = random.choice(KEYLESS)
    unsound = [
        Attestation(plan.id, milestone, oracle, flipped, REFUND),
        Attestation(plan.id, milestone, oracle, proof[:-1], REFUND),
        Attestation(plan.id, milestone, oracle, b"", REFUND),
        Attestation(plan.id, milestone, oracle, signature(stranger, right), REFUND),
        Attestation(plan.id, milestone, oracle, signature(oracle, elsewhere), REFUND),
        Attestation(plan.id, milestone, oracle[:31], proof, REFUND),
        Attestation(plan.id, milestone, lost, bytes([1]) + bytes(63), REFUND),
        Attestation(plan.id, milestone, oracle, signature(oracle, message(bytes(28), plan.id, milestone)), REFUND),
        Attestation(random.choice((b"", b"ours", bytes(31), bytes(33), bytes(32))), milestone, oracle, proof, REFUND),
    ]
    sound = [
        Attestation(plan.id, milestone, stranger, signature(stranger, right), REFUND),
        Attestation(plan.id, other, oracle, signature(oracle, elsewhere), REFUND),
        Attestation(plan.id, milestone, oracle, proof, random.choice((b"", bytes(29)))),
    ]
    chosen = random.choice((*unsound, *sound))
    return _published(contract, chosen, sound=chosen in sound)


def some_told(random: Random, world: World, slot: int) -> Told:
    """A signature for a file, stored at this slot or before; often one that the chain shows too."""
    if (shown := published(world)) and random.random() < 0.5:
        at, attestation, sound = random.choice(shown)
        named = attestation.distribution, attestation.milestone, attestation.oracle, attestation.signature
        return Told(*named, sound, max(0, at - random.randint(0, 1)))
    plan = random.choice(world.plans)
    milestone = random.choice((random.choice(plan.terms.allocations).milestone, b"m9"))
    oracle = random.choice((*plan.terms.oracles, *ORACLES))
    at = random.choice((slot, slot, random.randint(0, slot)))
    if oracle in ORACLES:
        proof = signature(oracle, message(plan.contract.hash, plan.id, milestone))
        if random.random() < 0.8:
            return Told(plan.id, milestone, oracle, proof, True, at)
        return Told(plan.id, milestone, oracle, proof[:-1] + bytes([proof[-1] ^ 1]), False, at)
    return Told(plan.id, milestone, oracle, bytes(64), False, at)


def published(world: World) -> list[tuple[int, Attestation, bool]]:
    """What was attested on the chain in a form that a file can hold: the slot, and whether it is sound."""
    return [
        (block.slot, each.attestation, each.sound)
        for block in world.chain
        for done in block.transactions
        for each in done
        if isinstance(each, Attested)
        and [len(part) for part in (each.attestation.distribution, each.attestation.oracle)] == [32, 32]
        and len(each.attestation.signature) == 64
        and 1 <= len(each.attestation.milestone) <= 64
    ]


def look_alike(random: Random, world: World) -> Beside:
    """An output that is neither a distribution nor an attestation."""
    contract = random.choice(world.contracts)
    stake = random.choice(STAKES)
    terms = some_terms(random, world.now)
    if world.plans and random.random() < 0.5:
        terms = random.choice(world.plans).terms
    match random.randrange(6):
        case 0:
            return Beside(contract, None, reason="no datum", stake=stake)
        case 1:
            return Beside(contract, terms.data(), terms, reason="no datum", by_hash=True, stake=stake)
        case 2:
            return Beside(contract, huge(terms).data(), huge(terms), reason="no state token", stake=stake)
        case 3:
            named = random.choice(world.plans).id if world.plans else bytes(32)
            tokens = ((Asset(TOKENS[0].policy, TOKENS[0].name), 1),) if random.random() < 0.5 else ()
            shown = terms.claim([0]) if named[0] & 1 else terms
            return Beside(contract, shown.data(), shown, reason="no state token", stake=stake, tokens=tokens)
        case _:
            return Beside(contract, malformed(random, terms), reason="malformed datum", stake=stake)


def huge(terms: Terms) -> Terms:
    """The same kinds of things, and nothing that anybody could keep."""
    allocations = tuple(
        Allocation(each.beneficiary, -(2**70), b"\xff" * 200, 2**300, claimed=True) for each in terms.allocations
    )
    beneficiary = Address(Credential(b""), Credential(b"x" * 90, is_script=True))
    more = (*allocations, Allocation(beneficiary, 2**64, b"", -1))
    return Terms(terms.funder, (b"", b"", b"k" * 65), -(2**64) - 1, more, Asset(b"", b"n"), 2**65, -(2**65), 2**200)


def malformed(random: Random, terms: Terms) -> Tree:
    """Plutus data that is no datum of the contract."""
    return random.choice(MALFORMED)(terms.data())


def _dropping(data: Tree) -> Tree:
    return with_fields(data, fields(data).items[:-1])


def _adding(data: Tree) -> Tree:
    return with_fields(data, (*fields(data).items, 0))


def _as(index: int) -> Callable[[Tree], Tree]:
    return lambda data: constr(index, *fields(data).items)


def _with(new: Tree, *at: int) -> Callable[[Tree], Tree]:
    return lambda data: with_field(data, at, new)


def _always(data: Tree) -> Callable[[Tree], Tree]:
    return lambda _: data


# Where an allocation's fields are: 4, its index, then the field.
MALFORMED: Final[tuple[Callable[[Tree], Tree], ...]] = (
    *map(
        _always,
        (42, -1, integer(2**80), b"", octets(b"x" * 100), Array(()), sequence(1, 2), Map(()), Map(((1, 2), (1, 3)))),
    ),
    *map(_always, (constr(0), constr(1), constr(2), constr(7), constr(127), Tag(102, Array((2**63, Array(())))))),
    *map(_as, (1, 2, 6, 7, 100)),
    _dropping,
    _adding,
    lambda data: fields(data),
    _with(0, 0),
    _with(sequence(b"", b""), 1),
    _with(constr(1, b"", b""), 1),
    _with(constr(0, b""), 1),
    _with(constr(0, b"", 0), 1),
    _with(constr(0), 2),
    _with(sequence(b"", 0), 2),
    _with(b"\2", 3),
    _with(Array(()), 3),
    _with(Map(()), 4),
    _with(constr(1), 4, 0),
    _with(constr(2), 4, 0, 4),
    _with(constr(0, 0), 4, 0, 4),
    _with(b"", 4, 0, 1),
    _with(0, 4, 0, 2),
    _with(constr(0), 4, 0, 3),
    _with(constr(0, constr(2, b""), constr(1)), 4, 0, 0),
    _with(constr(0, constr(0, b"")), 4, 0, 0),
    _with(constr(0, constr(0, b""), constr(0, constr(0, b""))), 4, 0, 0),
    _with(constr(0, constr(0, b""), constr(0, constr(1, 1, 2))), 4, 0, 0),
    _with(b"", 5),
    _with(constr(1), 6),
    _with(constr(1, 0), 7),
    _with(constr(0), 7),
    _with(0, 7),
    lambda data: with_field(data, (4, 0), _dropping(field(data, 4, 0))),
    lambda data: with_field(data, (4, 0), _adding(field(data, 4, 0))),
)


def payable(state: State, now: int) -> dict[bytes, list[int]]:
    """The allocations that may be paid, by milestone."""
    found: dict[bytes, list[int]] = {}
    for index, each in enumerate(state.terms.allocations):
        if not each.claimed and each.vesting <= now:
            found.setdefault(each.milestone, []).append(index)
    return found


def able(state: State) -> list[int]:
    """The oracles that can sign, told by their positions."""
    return [n for n, oracle in enumerate(state.terms.oracles) if oracle in ORACLES]


def over(state: State, now: int) -> bool:
    """Whether the funder may have back what is left."""
    expires = state.terms.expires_at
    return all(each.claimed for each in state.terms.allocations) or (expires is not None and expires <= now)


def releasable(world: World) -> list[State]:
    """Distributions of which something may be paid."""
    return [each for each in world.states if len(able(each)) >= each.terms.threshold and payable(each, world.now)]


def some_plan(random: Random, world: World) -> Plan:
    """A new one; now and then on the seed of another, so that only one of them can be."""
    seed = random.choice(world.plans).seed if world.plans and random.random() < 0.15 else None
    return world.plan(some_terms(random, world.now), seed, random.choice(world.contracts))


def _published(contract: Contract, attestation: Attestation, *, sound: bool, open_ended: bool = True) -> Beside:
    data = attestation.data()
    if not open_ended:  # the same in another hand: a counted list, and a string in pieces
        counted = Array(
            tuple(Chunks((each,)) if isinstance(each, bytes) and each else each for each in fields(data).items)
        )
        data = Tag(122, counted)
    return Beside(contract, data, attestation, sound=sound)


def _affordable(allocation: Allocation) -> Allocation:
    """In ada, what a purse can hold."""
    amount = min(allocation.amount, 100_000_000)
    return Allocation(allocation.beneficiary, amount, allocation.milestone, allocation.vesting)
