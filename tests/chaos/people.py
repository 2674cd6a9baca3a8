"""What others do: funders promise, oracles sign or pretend to, strangers release, take back, and pay to wallets."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from indexer.devnet.ledger.refusal import Refused
from tests.contract.keys import key_hash, public
from tests.contract.terms import ADA, Allocation, Terms, message, signature, somebody
from tests.support.deeds import attested, create, fail, pay, release, take_back
from tests.support.happenings import Told
from tests.support.oddities import able, look_alike, over, payable, releasable, some_attestation
from tests.support.promises import TOKENS, Plan, Sending, World
from tests.support.spending import Wallet, paid

ORACLES: Final = tuple(public(f"oracle {number}") for number in range(5))  # those who may pretend: see `oddities`
FUNDER, STRANGER = key_hash("funder"), key_hash("stranger")
YEAR_2100: Final = 4_102_444_800_000
BENEFICIARIES: Final = (somebody("ann"), somebody("bob", stake="key"), somebody("vault", script=True))
# What each payout comes with, and what is left for the keeper of it. The first pays whatever a release costs, with a
# margin; the others cost the keeper something for sure: fees, or the ada that the network asks of an output.
PAYS: Final = (2_000_000, 800_000)
DRAINS: Final = ((2_000_000, 0), (2_000_000, 20_000), (0, 0), (0, 400_000))
OWN: Final = public("oracle 19")  # a stranger's, and nobody else's


def some_terms(random: Random, now: int) -> Terms:
    """Well formed, with one to four allocations of one or two milestones; `now` in POSIX milliseconds."""
    oracles = tuple(random.sample(ORACLES, random.randint(1, 3)))
    milestones = random.choice(((b"m1",), (b"m1", b"m2")))
    token = random.choice((TOKENS[0], TOKENS[0], TOKENS[1], ADA))
    least = 2_000_000 if token == ADA else 1
    allocations = tuple(
        Allocation(
            random.choice(BENEFICIARIES),
            random.randint(least, 5_000_000),
            random.choice(milestones),
            random.choice((0, 0, now, now + 1000 * random.randint(1, 400), YEAR_2100)),
        )
        for _ in range(random.randint(1, 4))
    )
    rest, keeper = PAYS if random.random() < 0.6 else random.choice(DRAINS)
    if token == ADA and rest == 0:
        keeper = 0  # the amount pays for the output: only the fee is at stake
    return Terms(
        FUNDER if random.random() < 0.8 else STRANGER,
        oracles,
        random.randint(1, len(oracles)),
        allocations,
        token,
        rest,
        keeper,
        random.choice((None, None, None, now + 1000 * random.randint(200, 2000))),
    )


def pays(terms: Terms) -> bool:
    """Whether a release costs the keeper nothing, for sure."""
    return (terms.lovelace_per_payout, terms.keeper_fee_per_payout) == PAYS


def found(random: Random, world: World) -> None:
    """A distribution begins; now and then it is a plan that a fork undid."""
    old = [plan for plan in world.open_plans if random.random() < 0.3]
    plan = old[0] if old else world.plan(some_terms(random, world.now))
    create(world, plan)


def drain(random: Random, world: World) -> None:
    """A stranger promises what costs whoever pays it, in a token that is worth nothing or in next to no ada, perhaps
    without a reserve, and signs for it at once."""
    token, least = random.choice(((TOKENS[0], 1), (TOKENS[1], 1), (ADA, 5)))
    rest, keeper = random.choice(
        ((0, 0), (0, 1), (0, 700_000), (900_000, 100_000), (2_000_000, 0), (2_000_000, 1))
        if token != ADA
        else ((0, 0),)
    )
    allocations = tuple(
        Allocation(random.choice(BENEFICIARIES), random.randint(least, 1_000), b"m1", 0)
        for _ in range(random.choice((1, 3, 8)))
    )
    plan = world.plan(Terms(STRANGER, (OWN,), 1, allocations, token, rest, keeper, None))
    create(world, plan, reserve=random.random() < 0.5)
    if random.random() < 0.9:
        pay(world, [attested(plan, b"m1", OWN, STRANGER)])


def sign(random: Random, world: World) -> None:
    """An oracle publishes a signature that is missing."""
    plan = random.choice(world.plans[-3:])
    milestone = random.choice(plan.terms.allocations).milestone
    count = plan.terms.threshold if random.random() < 0.6 else random.randint(1, len(plan.terms.oracles))
    oracles = random.sample(plan.terms.oracles, count)
    pay(world, [attested(plan, milestone, oracle, key_hash("oracle's owner")) for oracle in oracles])


def pretend(random: Random, world: World) -> None:
    """Somebody publishes what may be a signature, or looks like something else."""
    beside = [some_attestation(random, world) for _ in range(random.randint(1, 2))]
    pay(world, [*beside, look_alike(random, world)] if random.random() < 0.3 else beside)


def forestall(random: Random, world: World) -> None:
    """Somebody else releases, perhaps a part, on signatures that nobody published."""
    if states := releasable(world):
        state = random.choice(states)
        milestone, indices = random.choice(list(payable(state, world.now).items()))
        chosen = random.sample(indices, random.choice((len(indices), 1)))
        release(world, state, milestone, chosen, random.sample(able(state), state.terms.threshold))


def end(random: Random, world: World) -> None:
    """A funder has back what is left, where that is allowed; an oracle its deposits."""
    ripe = [*(state for state in world.states if over(state, world.now)), *world.returnable]
    if ripe:
        take_back(world, [random.choice(ripe)])


def insist(random: Random, world: World) -> None:
    """Somebody sends a release that the contract refuses."""
    if world.states and sum(map(world.holds, world.fuses)) > 1:
        fail(world, random.choice(world.states))


def again(random: Random, world: World) -> None:
    """What forks dropped comes back, as far as it can."""
    world.again()


DEEDS: Final[tuple[Callable[[Random, World], None], ...]] = (
    *(found,) * 4,
    *(sign,) * 8,
    drain,
    pretend,
    pretend,
    *(forestall,) * 3,
    end,
    insist,
    again,
)


def do(random: Random, world: World, note: Callable[[str], None]) -> None:
    """One of these, if the ledger lets it happen."""
    deed = random.choice(DEEDS)
    note(f"people: {deed.__name__}")
    try:
        deed(random, world)
    except Refused as refused:
        note(f"which is refused: {refused.refusal.code}")


def some_told(random: Random, plan: Plan, slot: int) -> Told:
    """A signature for a file, true or forged."""
    milestone, oracle = random.choice(plan.terms.allocations).milestone, random.choice(plan.terms.oracles)
    proof = signature(oracle, message(plan.contract.hash, plan.id, milestone))
    if random.random() < 0.7:
        return Told(plan.id, milestone, oracle, proof, True, slot)
    return Told(plan.id, milestone, oracle, bytes([proof[0] ^ 1]) + proof[1:], False, slot)


@dataclass(frozen=True)
class Filled:
    """What a wallet holds: coins of so much lovelace each, so many of one ada, and so many with tokens."""

    coins: tuple[int, ...]
    dust: int = 0
    tokens: int = 0


def fund(world: World, wallet: Wallet, filled: Filled) -> None:
    """Somebody gets coins."""
    outputs = [paid(wallet.address, each) for each in filled.coins]
    outputs += [paid(wallet.address, 1_000_000)] * filled.dust
    outputs += [paid(wallet.address, 2_000_000, {TOKENS[0]: 5, TOKENS[1]: 1})] * filled.tokens
    world.send(Sending(outputs=outputs))


def give(random: Random, world: World, wallet: Wallet) -> None:
    """A stranger pays to a keeper: dust, tokens, a datum, or what only looks like the keeper's."""
    lookalike = bytes([0x70]) + wallet.hash
    output = random.choice(
        (
            paid(wallet.address, 1_000_000),
            paid(wallet.address, random.randint(1_000_000, 20_000_000)),
            paid(wallet.address, 2_000_000, {TOKENS[0]: 7}),
            paid(wallet.address, 2_000_000, datum=5),
            paid(lookalike, 30_000_000),
        )
    )
    world.send(Sending(outputs=[output]))
