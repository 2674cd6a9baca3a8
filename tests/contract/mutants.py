"""Transactions changed at random: a good share still passes, the others fail for many different reasons.

A mutation takes a case of `healthy` and a source of chance, and says what it did; None, if there is nothing to do.
Those of `in_step` change several things that belong together. The ledger could read every result; values need not
balance, since no script sees that.
"""

from collections.abc import Callable
from random import Random
from typing import Final, TypeAlias

from tests.contract import in_step
from tests.contract.builder import Coin, Output
from tests.contract.case import Case
from tests.contract.evaluate import PURPOSES
from tests.contract.healthy import FUEL, NOW, SEED, STATE, attested, distribution, sample
from tests.contract.jiggle import jiggled, re_encoded, reshaped
from tests.contract.keys import NAMES, key_hash
from tests.contract.mutate import (
    Changes,
    with_certificate,
    with_donation,
    with_extra_output,
    with_input,
    with_input_at,
    with_mint,
    with_output,
    with_outputs,
    with_proposal,
    with_redeemer,
    with_reference_input,
    with_resolved,
    with_script,
    with_signer,
    with_validity,
    with_vote,
    with_withdrawal,
    without_input,
    without_output,
    without_signer,
)
from tests.contract.parts import (
    ADDRESS,
    datum_of,
    inputs,
    mint,
    outputs,
    redeemer,
    redeemers_of,
    resolved,
    signers,
    value_of,
)
from tests.contract.plutus import constr
from tests.contract.script import ALWAYS, CONTRACT, OWN, script_hash
from tests.contract.terms import ADA, RECLAIM, WITHDRAW, Address, Asset, Credential, Reference, somebody
from tests.contract.tree import Array, Map

Mutant: TypeAlias = tuple[str, Case]
Mutation: TypeAlias = Callable[[Case, Random], Mutant | None]

FOREIGN: Final = script_hash(ALWAYS)


def random_mutation(case: Case, rng: Random) -> Mutant:
    """What was done to a healthy case, and the case after it, which is never the same as before.

    A mutant may lack what a mutation looks for: it is not to be mutated again.
    """
    weights = [weight[_kind(case)] for weight in MUTATIONS.values()]
    while True:
        (mutation,) = rng.choices(tuple(MUTATIONS), weights)
        mutant = mutation(case, rng)
        if mutant is not None and mutant[1] != case:
            return mutant


# --- What surrounds the payments


def other_signers(case: Case, rng: Random) -> Mutant | None:
    there = signers(case)
    if there and rng.random() < 0.5:
        gone = rng.choice(there)
        return f"not signed by {gone.hex()}", without_signer(case, gone)
    name = rng.choice(NAMES)
    return None if key_hash(name) in there else (f"signed by {name}", with_signer(case, key_hash(name)))


def other_lower_bound(case: Case, rng: Random) -> Mutant:
    time = rng.choice([None, NOW + 1_000, NOW - 1_000, 1_700_000_000_000, 1_699_999_999_000, 1_600_000_000_000])
    return f"valid since {time}", with_validity(case, lower=time)


def other_upper_bound(case: Case, rng: Random) -> Mutant:
    time = rng.choice([None, NOW + 1_000, NOW + 10**12])
    return f"valid until {time}", with_validity(case, upper=time)


def with_governance(case: Case, rng: Random) -> Mutant:
    key = Credential(key_hash(rng.choice(NAMES)))
    return rng.choice(
        [
            ("a withdrawal of nothing", with_withdrawal(case, key)),
            ("a withdrawal", with_withdrawal(case, key, rng.randrange(1, 10**9))),
            (
                "a script's withdrawal",
                with_script(with_withdrawal(case, Credential(FOREIGN, True), 0, constr(0)), ALWAYS),
            ),
            ("a certificate", with_certificate(case, 7, Array((0, key.hash)), 2_000_000)),
            ("a vote", with_vote(case, (2, key.hash), Reference(bytes(32), 0))),
            ("a proposal", with_proposal(case)),
        ]
    )


def with_gift(case: Case, rng: Random) -> Mutant:
    lovelace = rng.randrange(1, 10**12)
    return f"a donation of {lovelace}", with_donation(case, lovelace)


def another_mint(case: Case, rng: Random) -> Mutant:
    there = mint(case)
    asset = rng.choice([Asset(OWN, rng.randbytes(32)), Asset(FOREIGN, b"x"), *there, *there])
    before = there.get(asset, 0)
    quantity = rng.choice([1, -1, 2, -2, -before or 3])
    minted = {**there, asset: before + quantity}
    redeemers = {FOREIGN: constr(0)} | ({} if any(a.policy == OWN for a in there) else {OWN: constr(rng.randrange(2))})
    changed = with_mint(case, minted, redeemers)
    return f"{quantity} of {asset} minted", with_script(changed, ALWAYS) if asset.policy == FOREIGN else changed


# --- Inputs


def another_input(case: Case, rng: Random) -> Mutant:
    at = Reference(rng.randbytes(32), rng.randrange(3))
    foreign, own = Address(Credential(FOREIGN, is_script=True)), Address(Credential(OWN, is_script=True))
    terms = sample(1)
    what, coin = rng.choice(
        [
            ("a coin", Coin(at, Output(somebody("a donor"), {ADA: 3_000_000}))),
            ("a coin with tokens", Coin(at, Output(somebody("a donor"), {ADA: 3_000_000, Asset(FOREIGN, b"y"): 7}))),
            ("a coin of a script", Coin(at, Output(foreign, {ADA: 3_000_000}, constr(0)), constr(0))),
            ("a stray", Coin(at, Output(own, {ADA: 3_000_000}, terms.data()), RECLAIM)),
            ("an attestation", Coin(at, Output(own, {ADA: 3_000_000}, attested(terms, b"m1", 0).data()), WITHDRAW)),
            ("a second distribution", Coin(at, distribution(sample(3)), RECLAIM)),
        ]
    )
    changed = with_input(case, coin)
    return f"{what} at {at}", with_script(changed, ALWAYS) if coin.output.address == foreign else changed


def another_reference_input(case: Case, rng: Random) -> Mutant:
    at = rng.choice([Reference(rng.randbytes(32), 0), SEED])
    own = Address(Credential(OWN, is_script=True))
    gift = Output(somebody("a donor"), {ADA: 3_000_000})
    if at not in inputs(case):
        output = rng.choice([gift, Output(own, {ADA: 3_000_000}, sample(1).data())])
        return f"a reference input at {at}", with_reference_input(case, Coin(at, output))
    other = with_input(without_input(case, SEED), Coin(FUEL, gift))
    return "the seed referred to, not spent", with_reference_input(other, Coin(SEED, gift))


def an_input_from_elsewhere(case: Case, rng: Random) -> Mutant:
    old, new = rng.choice(inputs(case)), Reference(rng.randbytes(32), rng.randrange(3))
    return f"{old} is at {new}", with_input_at(case, old, new)


def an_input_of_other_content(case: Case, rng: Random) -> Mutant:
    at = rng.choice([*inputs(case), *[reference for reference in inputs(case) if reference == STATE] * 5])
    what, changes = _other_content(resolved(case, at), rng)
    return f"input {at}: {what}", with_resolved(case, at, **changes)


def an_input_of_another_shape(case: Case, rng: Random) -> Mutant | None:
    """Does its datum still decode in full?"""
    datum = datum_of(resolved(case, STATE)) if STATE in inputs(case) else None
    if datum is None:
        return None
    what, changed = reshaped(datum, rng)
    return f"datum: {what}", with_resolved(case, STATE, datum=changed)


# --- Outputs


def an_output_of_other_content(case: Case, rng: Random) -> Mutant:
    at = rng.randrange(len(outputs(case)))
    what, changes = _other_content(outputs(case)[at], rng)
    return f"output {at}: {what}", with_output(case, at, **changes)


def other_outputs(case: Case, rng: Random) -> Mutant:
    listed = list(outputs(case))
    at, other = rng.randrange(len(listed)), rng.randrange(len(listed))
    listed[at], listed[other] = listed[other], listed[at]
    new = Output(somebody("a friend"), {ADA: rng.randrange(1_000_000, 10**10)})
    return rng.choice(
        [
            (f"outputs {at} and {other} swapped", with_outputs(case, listed)),
            (f"output {at} dropped", without_output(case, at)),
            (
                f"output {at} twice",
                with_outputs(case, (*outputs(case)[:at], *outputs(case)[at:][:1], *outputs(case)[at:])),
            ),
            (f"one more output at {at}", with_extra_output(case, new, at)),
            ("one more output", with_extra_output(case, new)),
            ("one more output", with_extra_output(case, new)),
        ]
    )


def a_quantity_moved(case: Case, rng: Random) -> Mutant | None:
    """From one output to another."""
    giver, taker = rng.randrange(len(outputs(case))), rng.randrange(len(outputs(case)))
    asset, there = rng.choice(list(value_of(outputs(case)[giver]).items()))
    quantity = rng.choice([1, there // 2, there])
    if giver == taker or (asset == ADA and quantity == there):
        return None
    less = with_output(case, giver, plus={asset: -quantity})
    return f"{quantity} of {asset} from output {giver} to {taker}", with_output(less, taker, plus={asset: quantity})


# --- Data


def another_redeemer(case: Case, rng: Random) -> Mutant:
    purpose, index = _purposes(case)[0]
    what, data = jiggled(redeemer(case, purpose, index), rng)
    return f"redeemer {purpose} {index}: {what}", with_redeemer(case, purpose, index, data)


def another_action(case: Case, rng: Random) -> Mutant:
    purpose, index = rng.choice(_purposes(case))
    return "another action", with_redeemer(case, purpose, index, constr(rng.randrange(3)))


def the_same_encoded_otherwise(case: Case, rng: Random) -> Mutant | None:
    """Data in another encoding is the same data."""
    if rng.random() < 0.5:
        purpose, index = rng.choice(_purposes(case))
        data = re_encoded(redeemer(case, purpose, index))
        return f"redeemer {purpose} {index} re-encoded", with_redeemer(case, purpose, index, data)
    if STATE in inputs(case) and datum_of(resolved(case, STATE)) is not None:
        return "datum re-encoded", with_resolved(case, STATE, datum=re_encoded(datum_of(resolved(case, STATE))))
    return None


# --- Underneath


def _kind(case: Case) -> int:
    """0 for a creation, 1 for a release, 2 for what gives back."""
    if SEED in inputs(case):
        return 0
    return 1 if in_step.is_release(case) else 2


def _other_content(output: Map, rng: Random) -> tuple[str, Changes]:
    """Something else in an output."""
    return rng.choice((_other_value, _other_value, _other_address, _other_datum, _other_script))(output, rng)


def _other_value(output: Map, rng: Random) -> tuple[str, Changes]:
    there = value_of(output)
    asset = rng.choice([ADA, *there, Asset(FOREIGN, b"z"), Asset(OWN, rng.randbytes(32)), Asset(OWN, b"")])
    held = there.get(asset, 0)
    more = rng.choice([1, 1, 2, held, 10**6, -1, -1, -held // 2, -held if asset != ADA else 1])
    more = max(more, -held)
    return f"{more} of {asset}", {"plus": {asset: more}}


def _other_address(output: Map, rng: Random) -> tuple[str, Changes]:
    address = output[ADDRESS]
    assert isinstance(address, bytes)
    header, payment, stake = address[0], address[1:29], address[29:]
    kind = header >> 4
    staked, plain = (kind, kind & 1 | 6) if kind < 4 else (kind & 1, kind)
    what, new = rng.choice(
        [
            ("another payment hash", bytes([header, payment[0] ^ 1]) + address[2:]),
            ("another kind of payment", bytes([header ^ 0x10]) + address[1:]),
            ("no stake part", bytes([plain << 4 | 1]) + payment),
            ("another stake part", bytes([staked << 4 | 1]) + payment + rng.randbytes(28)),
            ("another kind of stake part", bytes([(staked ^ 2) << 4 | 1]) + payment + (stake or rng.randbytes(28))),
            ("a pointer", bytes([(4 | kind & 1) << 4 | 1]) + payment + b"\x01\x02\x03"),
        ]
    )
    return what, {"address": new}


def _other_datum(output: Map, rng: Random) -> tuple[str, Changes]:
    datum = datum_of(output)
    if datum is None:
        return "a datum", {"datum": constr(0)}
    what, changed = jiggled(datum, rng)
    return rng.choice(
        [
            ("no datum", Changes(datum=None)),
            ("a datum hash", Changes(datum_hash=rng.randbytes(32))),
            ("the same datum encoded otherwise", Changes(datum=re_encoded(datum))),
            *[(what, Changes(datum=changed))] * 5,
        ]
    )


def _other_script(_: Map, __: Random) -> tuple[str, Changes]:
    return "a reference script", {"reference_script": CONTRACT}


def _purposes(case: Case) -> list[tuple[str, int]]:
    """What our script runs for."""
    return [(PURPOSES[purpose], index) for purpose, index in redeemers_of(case)]


# How often, for a creation, a release, and what gives back: where little can go wrong, what can is tried more often.
MUTATIONS: Final[dict[Mutation, tuple[int, int, int]]] = {
    other_signers: (4, 1, 6),
    other_lower_bound: (1, 4, 6),
    other_upper_bound: (1, 1, 1),
    with_governance: (1, 4, 1),
    with_gift: (1, 1, 1),
    another_mint: (6, 2, 6),
    another_input: (2, 4, 2),
    another_reference_input: (2, 1, 1),
    an_input_from_elsewhere: (1, 1, 1),
    an_input_of_other_content: (1, 6, 8),
    an_input_of_another_shape: (0, 1, 16),
    an_output_of_other_content: (12, 10, 1),
    other_outputs: (3, 4, 1),
    a_quantity_moved: (3, 5, 1),
    another_redeemer: (5, 6, 4),
    another_action: (1, 1, 4),
    the_same_encoded_otherwise: (1, 2, 1),
    in_step.created_on_other_terms: (18, 0, 0),
    in_step.created_from_another_seed: (3, 0, 0),
    in_step.continued_on_other_terms: (0, 8, 0),
    in_step.paying_others: (0, 5, 0),
    in_step.signed_by_others: (0, 6, 0),
}
