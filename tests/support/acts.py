"""One step of a random life at the contract; each does nothing where there is nothing to do it with."""

from collections.abc import Callable
from random import Random
from typing import Final

from tests.support.deeds import Beside, create, fail, pay, release, take_back
from tests.support.oddities import (
    STAKES,
    able,
    look_alike,
    over,
    payable,
    releasable,
    some_attestation,
    some_plan,
)
from tests.support.promises import World


def beside(random: Random, world: World, most: int = 3) -> list[Beside]:
    """What a transaction pays to contracts besides what it is about."""
    return [
        some_attestation(random, world) if world.plans and random.random() < 0.6 else look_alike(random, world)
        for _ in range(random.randint(0, most))
    ]


def decide(random: Random, world: World) -> None:
    """Somebody decides on terms: from now on they can be attested."""
    some_plan(random, world)


def found(random: Random, world: World) -> None:
    """A distribution is created; now and then one decided on long ago, or one that a fork undid."""
    plan = (
        some_plan(random, world) if random.random() < 0.6 or not world.open_plans else random.choice(world.open_plans)
    )
    if world.holds(plan.seed):
        before, after = beside(random, world, 1), beside(random, world, 1)
        create(world, plan, random.choice(STAKES), beside=after, first=before)


def attest(random: Random, world: World) -> None:
    """Attestations, more of them good than not."""
    if world.plans:
        pay(world, [some_attestation(random, world) for _ in range(random.randint(1, 3))])


def mislead(random: Random, world: World) -> None:
    """Outputs that look like something."""
    pay(world, [look_alike(random, world) for _ in range(random.randint(1, 3))])


def release_some(random: Random, world: World) -> None:
    """A keeper pays one or more allocations of a milestone, on signatures that nobody published."""
    if states := releasable(world):
        state = random.choice(states[-4:])
        milestone, indices = random.choice(list(payable(state, world.now).items()))
        signers = able(state)
        signed = random.sample(signers, random.randint(state.terms.threshold, len(signers)))
        paid = random.sample(indices, random.choice((len(indices), 1, 1)))
        release(world, state, milestone, paid, signed, beside(random, world, 2))


def end(random: Random, world: World) -> None:
    """Funders and oracles take back what they may, up to three at once."""
    ripe = [*(state for state in world.states if over(state, world.now)), *world.returnable]
    if ripe:
        take_back(world, random.sample(ripe, random.randint(1, min(3, len(ripe)))), beside(random, world, 1))


def fail_one(random: Random, world: World) -> None:
    """A release that the script refuses, sent all the same."""
    if world.states and sum(map(world.holds, world.fuses)) > 1:
        fail(world, random.choice(world.states), random.choice((None, look_alike(random, world))))


def make_blocks(random: Random, world: World) -> None:
    """Blocks, the first with all that waits."""
    world.block(random.randint(1, 3))


def pass_time(random: Random, world: World) -> None:
    """A block with all that waits, after some slots without one."""
    world.wait(random.randint(1, 4))


def fork(random: Random, world: World) -> None:
    """Some blocks give way to others; some of what was in them is gone, the rest waits again."""
    depth = random.randint(0, 5)
    world.fork(depth, random.randint(0, depth + 2), [id_ for id_ in world.recent if random.random() < 0.2])


def send_again(random: Random, world: World) -> None:
    """What forks dropped comes back, as far as it can."""
    world.again()


Act = Callable[[Random, World], None]
DEEDS: Final[tuple[Act, ...]] = (
    decide,
    *(found,) * 3,
    *(attest,) * 5,
    mislead,
    *(release_some,) * 6,
    *(end,) * 2,
    fail_one,
    send_again,
)
CHANGES: Final[tuple[Act, ...]] = (make_blocks, make_blocks, pass_time, fork)
