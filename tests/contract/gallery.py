"""Healthy transactions in every shape that the rules allow: contract, ledger and model must all accept them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from tests.contract.builder import Coin, Output
from tests.contract.case import Case
from tests.contract.healthy import (
    NOW,
    attested,
    create,
    distribution,
    reclaim,
    release,
    sample,
    state_token,
    withdraw,
)
from tests.contract.keys import key_hash
from tests.contract.plutus import constr
from tests.contract.script import ALWAYS, OWN, script_hash
from tests.contract.terms import (
    ADA,
    RECLAIM,
    WITHDRAW,
    Address,
    Allocation,
    Asset,
    Credential,
    Reference,
    Terms,
    somebody,
)

FOREIGN: Final = script_hash(ALWAYS)
GOLD: Final = Asset(FOREIGN, b"GOLD")
KEY, SCRIPT = Credential(bytes([0x66] * 28)), Credential(bytes([0x88] * 28), is_script=True)
BEFORE_ALL, AFTER_ALL = Reference(bytes(32), 3), Reference(bytes([0xFF] * 32), 0)

# Payment by key and by script, each without a stake part and with either.
EVERY_ADDRESS: Final = tuple(Address(payment, stake) for payment in (KEY, SCRIPT) for stake in (None, KEY, SCRIPT))


def purse(at: Reference, more: Mapping[Asset, int] | None = None) -> Coin:
    """Something to spend that the keeper has."""
    return Coin(at, Output(Address(Credential(key_hash("keeper"))), {ADA: 9_000_000, **(more or {})}))


def paid_out(name: str = "a friend") -> Output:
    return Output(somebody(name), {ADA: 2_000_000})


def to_every_address(terms: Terms) -> Terms:
    return replace(terms, allocations=tuple(Allocation(address, 10 + n) for n, address in enumerate(EVERY_ADDRESS)))


def stages() -> Terms:
    """Three milestones in turn; the first two allocations are claimed."""
    return sample(6, milestones=(b"m1", b"m2", b"\0" * 64), oracles=5, threshold=3).claim((0, 1))


def several_given_back() -> Case:
    """Two distributions, a stray and an attestation in one transaction."""
    first, second = sample(1, expires_at=NOW), sample(3, token=ADA).claim((0, 1, 2))
    home = Address(Credential(OWN, is_script=True))
    stray = Output(home, {ADA: 3_000_000, GOLD: 5}, sample(1).data())
    attestation = Output(home, {ADA: 3_000_000}, attested(first, b"m1", 0).data())
    return reclaim(
        first,
        inputs=(
            Coin(BEFORE_ALL, distribution(second), RECLAIM),
            Coin(AFTER_ALL, stray, RECLAIM),
            Coin(Reference(bytes([0x77] * 32), 0), attestation, WITHDRAW),
        ),
        mint={state_token(second): -1},
        signers=(key_hash("oracle's owner"),),
    )


CREATIONS: Final[Mapping[str, Callable[[], Case]]] = {
    "of a token": lambda: create(sample()),
    "of ada": lambda: create(sample(token=ADA)),
    "of one allocation": lambda: create(sample(1, oracles=1, threshold=1)),
    "of many": lambda: create(sample(60, oracles=15, threshold=10, milestones=(b"m1", b"m2"))),
    "for every kind of address": lambda: create(to_every_address(sample())),
    "that expires": lambda: create(sample(expires_at=NOW)),
    "without lovelace for payouts": lambda: create(sample(lovelace_per_payout=0, keeper_fee_per_payout=0)),
    "with more than is promised": lambda: create(sample(), surplus={sample().token: 5, ADA: 7}),
    "at an address with a stake key": lambda: create(sample(), stake=KEY),
    "at an address with a stake script": lambda: create(sample(), stake=SCRIPT),
    "behind another output": lambda: create(sample(), first=(paid_out(),)),
    "before another output": lambda: create(sample(), outputs=(paid_out(),)),
    "beside other inputs": lambda: create(sample(), inputs=(purse(BEFORE_ALL), purse(AFTER_ALL, {GOLD: 3}))),
    "with a reference input": lambda: create(sample(), references=(purse(BEFORE_ALL),)),
    "signed by others too": lambda: create(sample(), signers=(key_hash("stranger"),)),
    "beside another mint": lambda: create(
        sample(), mint={GOLD: 5}, mint_redeemers={FOREIGN: constr(0)}, scripts=(ALWAYS,)
    ),
    "with a donation": lambda: create(sample(), donation=1_000_000),
    "without bounds": lambda: create(sample(), lower=None, upper=None),
    "with the script in it": lambda: create(sample(), inline=True),
}

RELEASES: Final[Mapping[str, Callable[[], Case]]] = {
    "of all at once": lambda: release(sample()),
    "of ada": lambda: release(sample(token=ADA)),
    "of one of two": lambda: release(sample(), indices=(1,)),
    "of one of one": lambda: release(sample(1, oracles=1, threshold=1)),
    "of many": lambda: release(sample(30, oracles=15, threshold=10)),
    "to every kind of address": lambda: release(to_every_address(sample())),
    "of ada to every kind of address": lambda: release(to_every_address(sample(token=ADA))),
    "of a second milestone": lambda: release(stages(), b"m2"),
    "of what is left of a milestone": lambda: release(stages(), b"m1"),
    "of a milestone with the longest name": lambda: release(stages(), b"\0" * 64, (5,)),
    "signed by the last oracles": lambda: release(sample(oracles=5), oracles=(3, 4)),
    "signed by more than it takes": lambda: release(sample(), oracles=(0, 1, 2)),
    "whose keeper takes no fee": lambda: release(sample(), take_fee=False),
    "of ada whose keeper takes no fee": lambda: release(sample(token=ADA), take_fee=False),
    "without lovelace for payouts": lambda: release(sample(lovelace_per_payout=0, keeper_fee_per_payout=0)),
    "from a distribution with more than it needs": lambda: release(sample(), surplus={sample().token: 5, ADA: 7}),
    "after expiry": lambda: release(sample(expires_at=NOW - 1)),
    "at the moment of vesting": lambda: release(sample(), lower=1_700_000_000_000),
    "without an upper bound": lambda: release(sample(), upper=None),
    "at an address with a stake key": lambda: release(sample(), stake=KEY),
    "at an address with a stake script": lambda: release(sample(), stake=SCRIPT),
    "beside other inputs": lambda: release(sample(), inputs=(purse(BEFORE_ALL), purse(AFTER_ALL, {GOLD: 3}))),
    "with a reference input": lambda: release(sample(), references=(purse(BEFORE_ALL),)),
    "beside other outputs": lambda: release(sample(), outputs=(paid_out(), paid_out("another"))),
    "signed by a stranger too": lambda: release(sample(), signers=(key_hash("stranger"),)),
    "with a donation": lambda: release(sample(), donation=1_000_000),
    "with the script in it": lambda: release(sample(), inline=True),
}

RECLAIMS: Final[Mapping[str, Callable[[], Case]]] = {
    "after completion": lambda: reclaim(sample().claim((0, 1))),
    "after completion, before expiry": lambda: reclaim(sample(expires_at=NOW + 1).claim((0, 1))),
    "after completion, without bounds": lambda: reclaim(sample().claim((0, 1)), lower=None, upper=None),
    "at expiry": lambda: reclaim(sample(expires_at=NOW)),
    "after expiry, partly paid": lambda: reclaim(sample(token=ADA, expires_at=0).claim((0,))),
    "at an address with a stake script": lambda: reclaim(sample(expires_at=NOW), stake=SCRIPT),
    "beside other inputs": lambda: reclaim(sample(expires_at=NOW), inputs=(purse(BEFORE_ALL), purse(AFTER_ALL))),
    "with the script in it": lambda: reclaim(sample(expires_at=NOW), inline=True),
    "of a stray": lambda: reclaim(sample(), stray=True),
    "of a stray whose datum stands there by its hash": lambda: reclaim(sample(), stray=True, by_hash=True),
    "of several, and an attestation": several_given_back,
}

WITHDRAWALS: Final[Mapping[str, Callable[[], Case]]] = {
    "of an attestation": withdraw,
    "whose datum stands there by its hash": lambda: withdraw(by_hash=True),
    "at an address with a stake key": lambda: withdraw(stake=KEY),
    "with the script in it": lambda: withdraw(inline=True),
    "without bounds": lambda: withdraw(lower=None, upper=None),
    "that never meant a thing": lambda: withdraw(replace(attested(sample(), b"m1", 0), signature=b"", milestone=b"")),
}

GALLERY: Final[Mapping[str, Callable[[], Case]]] = {
    f"{action} {shape}": build
    for action, shapes in (
        ("a creation", CREATIONS),
        ("a release", RELEASES),
        ("a reclaim", RECLAIMS),
        ("a withdrawal", WITHDRAWALS),
    )
    for shape, build in shapes.items()
}
