"""Random changes of several things that belong together, so that what is wrong, if anything, is not that they disagree.

Each takes a case of `healthy` and a source of chance; None, if it is not about such a transaction.
"""

from hashlib import blake2b
from random import Random
from typing import Final

from tests.contract.builder import Value, less, sum_values
from tests.contract.case import Case
from tests.contract.healthy import DISTRIBUTION, FIRST_PAYOUT, SEED, STATE
from tests.contract.jiggle import jiggled
from tests.contract.keys import SIGNERS, signing_key
from tests.contract.mutate import (
    altered,
    position,
    with_input_at,
    with_mint,
    with_output,
    with_outputs,
    with_redeemer,
    with_resolved,
)
from tests.contract.parts import ADDRESS, VALUE, datum_of, inputs, outputs, redeemer, resolved, value_node, value_of
from tests.contract.plutus import constr, field, fields, integer, octets, sequence, with_field
from tests.contract.script import OWN
from tests.contract.terms import ADA, Address, Asset, Credential, Reference, create_redeemer, message
from tests.contract.tree import Map, Node, Tag, encode

# Positions in a Distribution, an Allocation, a Create, a Release.
TOKEN, ORACLES, ALLOCATIONS, LOVELACE, KEEPER_FEE = 1, 2, 4, 5, 6
BENEFICIARY, AMOUNT, CLAIMED = 0, 1, 4
CREATED_FROM = 0
MILESTONE, INDICES, SIGNATURES = 0, 1, 2

TRUE: Final = constr(1)


def is_release(case: Case) -> bool:
    if STATE not in inputs(case):
        return False
    action = redeemer(case, "spend", position(case, STATE))
    return isinstance(action, Tag) and action.number == constr(0).number


def created_on_other_terms(case: Case, rng: Random) -> tuple[str, Case] | None:
    """A distribution created under other terms, and named by the id that they give."""
    if SEED not in inputs(case):
        return None
    what, datum = jiggled(datum_of(outputs(case)[DISTRIBUTION]), rng)
    return f"created with {what}", _named(with_output(case, DISTRIBUTION, datum=datum))


def created_from_another_seed(case: Case, rng: Random) -> tuple[str, Case] | None:
    """A distribution created from another output, spent or not, and named by the id that this gives."""
    if SEED not in inputs(case):
        return None
    seed = Reference(rng.randbytes(32), rng.randrange(1 << 16))
    named = _named(with_redeemer(case, "mint", 0, create_redeemer(seed)))
    return rng.choice([(f"seed {seed} spent", with_input_at(named, SEED, seed)), (f"seed {seed} not spent", named)])


def continued_on_other_terms(case: Case, rng: Random) -> tuple[str, Case] | None:
    """A distribution that had other terms, and goes on under those."""
    if not is_release(case):
        return None
    chance = rng.random()
    what, before = jiggled(datum_of(resolved(case, STATE)), Random(chance))
    _, after = jiggled(datum_of(outputs(case)[DISTRIBUTION]), Random(chance))
    return f"both with {what}", with_output(with_resolved(case, STATE, datum=before), DISTRIBUTION, datum=after)


def paying_others(case: Case, rng: Random) -> tuple[str, Case] | None:
    """Other allocations claimed and paid."""
    if not is_release(case):
        return None
    count = len(fields(field(datum_of(resolved(case, STATE)), ALLOCATIONS)))
    chosen = sorted(rng.sample(range(count), rng.randint(1, count)))
    if rng.random() < 0.2:
        rng.shuffle(chosen)
    changed = _paying(case, chosen)
    return None if changed is None else (f"{chosen} paid", changed)


def signed_by_others(case: Case, rng: Random) -> tuple[str, Case] | None:
    """Other oracles sign; most do it well."""
    if not is_release(case):
        return None
    at, spent = position(case, STATE), resolved(case, STATE)
    release = redeemer(case, "spend", at)
    keys = [_octets(key) for key in fields(field(datum_of(spent), ORACLES)).items]
    (name,) = [asset.name for asset in value_of(spent) if asset.policy == OWN]
    content = message(OWN, name, _octets(field(release, MILESTONE)))
    chosen = sorted(rng.sample(range(len(keys)), rng.randint(0, len(keys))))
    signed = [(n, SIGNERS[keys[n]].sign(content).signature) for n in chosen]
    strange = [(n, signing_key("stranger").sign(content).signature) for n in chosen[:1]]
    how, proofs = rng.choice(
        [
            *[("well", signed)] * 4,
            ("once too often", signed + signed[-1:]),
            ("in reverse", signed[::-1]),
            ("but a stranger for the first", strange + signed[1:]),
            ("and one that is none", [*signed, (len(keys), bytes(64))]),
        ]
    )
    pairs = (sequence(integer(n), octets(proof)) for n, proof in proofs)
    changed = with_field(release, (SIGNATURES,), sequence(*pairs))
    return f"signed by {chosen} {how}", with_redeemer(case, "spend", at, changed)


def _named(case: Case) -> Case:
    """The state token named by the id that seed and terms give."""
    pair = sequence(field(redeemer(case, "mint", 0), CREATED_FROM), datum_of(outputs(case)[DISTRIBUTION]))
    token = Asset(OWN, blake2b(encode(pair), digest_size=32).digest())
    value = {asset: n for asset, n in value_of(outputs(case)[DISTRIBUTION]).items() if asset.policy != OWN}
    return with_mint(with_output(case, DISTRIBUTION, value={**value, token: 1}), {token: 1})


def _paying(case: Case, indices: list[int]) -> Case | None:
    """A release of these allocations; None, if the distribution does not hold enough."""
    at, spent = position(case, STATE), resolved(case, STATE)
    release, datum = redeemer(case, "spend", at), datum_of(spent)
    token = Asset(*map(_octets, fields(field(datum, TOKEN)).items))
    lovelace, fee = _integer(field(datum, LOVELACE)), _integer(field(datum, KEEPER_FEE))
    payouts, taken = [], []
    for index in indices:
        allocation = field(datum, ALLOCATIONS, index)
        payment = sum_values([{ADA: lovelace}, {token: _integer(field(allocation, AMOUNT))}])
        payouts.append(_output(field(allocation, BENEFICIARY), payment))
        taken += [payment, {ADA: fee}]
        datum = with_field(datum, (ALLOCATIONS, index, CLAIMED), TRUE)
    left = less(value_of(spent), sum_values(taken))
    if min(left.values()) < 0:
        return None
    behind = outputs(case)[FIRST_PAYOUT + len(fields(field(release, INDICES))) :]
    paying = with_outputs(case, (altered(spent, value=left, datum=datum), *payouts, *behind))
    changed = with_field(release, (INDICES,), sequence(*map(integer, indices)))
    return with_redeemer(paying, "spend", at, changed)


def _output(address: Node, value: Value) -> Map:
    return Map(((ADDRESS, _address(address).raw()), (VALUE, value_node(value))))


def _address(data: Node) -> Address:
    payment, stake = fields(data).items
    if isinstance(stake, Tag) and stake.number == constr(1).number:
        return Address(_credential(payment))
    return Address(_credential(payment), _credential(field(stake, 0, 0)))


def _credential(data: Node) -> Credential:
    return Credential(_octets(field(data, 0)), isinstance(data, Tag) and data.number == constr(1).number)


def _integer(data: Node) -> int:
    assert isinstance(data, int)
    return data


def _octets(data: Node) -> bytes:
    assert isinstance(data, bytes)
    return data
