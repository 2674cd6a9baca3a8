"""Transactions that the contract agrees to: one for each redeemer, in every shape that its rules leave free.

A test takes one, changes one thing (`mutate`), and sees what the contract says. What stands where:

- `create`: the distribution is output `DISTRIBUTION`, unless others are asked to come first. It spends `SEED`.
- `release`: output `DISTRIBUTION` continues the one spent at `STATE`; payouts follow from `FIRST_PAYOUT` on, in the
  order of their indices.
- `reclaim`, `withdraw`: what is given back was at `STATE`.

Other outputs come next, change last. Whatever else is free can be said by keyword: see `Free`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Final, TypedDict, Unpack

from tests.contract.builder import Coin, Draft, Output, Value, build, least_lovelace, less, sum_values
from tests.contract.case import Case, slot
from tests.contract.keys import key_hash, public
from tests.contract.script import CONTRACT, OWN, script_hash
from tests.contract.terms import (
    ADA,
    BURN,
    RECLAIM,
    TOKEN,
    WITHDRAW,
    Address,
    Allocation,
    Asset,
    Attestation,
    Credential,
    Reference,
    Terms,
    create_redeemer,
    identity,
    message,
    release_redeemer,
    signature,
    somebody,
)
from tests.contract.tree import Node, encode

DISTRIBUTION: Final = 0
FIRST_PAYOUT: Final = 1

FUNDER: Final = key_hash("funder")
KEEPER: Final = key_hash("keeper")
REFUND: Final = key_hash("oracle's owner")

STATE: Final = Reference(bytes([0x55] * 32), 0)
SEED: Final = Reference(bytes([0xAA] * 32), 1)
FUEL: Final = Reference(bytes([0xBB] * 32), 2)
COLLATERAL: Final = Reference(bytes([0xCC] * 32), 0)
SCRIPT_AT: Final = Reference(bytes([0xDD] * 32), 0)

NOW: Final = 1_750_000_000_000  # POSIX milliseconds; a slot begins
HALF_AN_HOUR: Final = 1_800_000
RICH: Final = 1_000_000_000  # lovelace


class Free(TypedDict, total=False):
    """What may be as it likes."""

    contract: bytes  # the script, if not ours
    inline: bool  # the script stands in the witness set, not behind a reference input
    stake: Credential | None  # of the distribution's own address
    lower: int | None  # POSIX milliseconds, else NOW; None: no bound
    upper: int | None  # else half an hour later
    inputs: tuple[Coin, ...]
    outputs: tuple[Output, ...]
    references: tuple[Coin, ...]
    signers: tuple[bytes, ...]
    scripts: tuple[bytes, ...]
    datums: tuple[Node, ...]
    mint: Mapping[Asset, int]
    mint_redeemers: Mapping[bytes, Node]  # by policy
    donation: int


def sample(
    count: int = 2,
    *,
    oracles: int = 3,
    threshold: int = 2,
    milestones: tuple[bytes, ...] = (b"m1",),
    token: Asset = TOKEN,
    lovelace_per_payout: int = 1_500_000,
    keeper_fee_per_payout: int = 500_000,
    expires_at: int | None = None,
) -> Terms:
    """Terms to begin with: `count` allocations of 1000, 1001, … for the milestones in turn."""
    allocations = (
        Allocation(somebody(f"beneficiary {n}", stake="key"), 1_000 + n, milestones[n % len(milestones)])
        for n in range(count)
    )
    return Terms(
        FUNDER,
        tuple(public(f"oracle {n}") for n in range(oracles)),
        threshold,
        tuple(allocations),
        token,
        lovelace_per_payout,
        keeper_fee_per_payout,
        expires_at,
    )


def create(terms: Terms, *, first: tuple[Output, ...] = (), surplus: Value | None = None, **free: Unpack[Free]) -> Case:
    """The funder locks what is promised and some `surplus`, behind the outputs that come `first`."""
    policy = _policy(free)
    locked = distribution(terms, surplus, **free)
    purse = sum_values([{ADA: RICH}, locked.value, {state_token(terms, policy): -1}])
    return _case(
        free,
        "funder",
        inputs=(Coin(SEED, Output(_wallet("funder"), purse)),),
        outputs=(*first, locked),
        signers=(terms.funder,),
        mint={state_token(terms, policy): 1},
        mint_redeemers={policy: create_redeemer(SEED)},
    )


def release(
    terms: Terms,
    milestone: bytes = b"m1",
    indices: Iterable[int] | None = None,
    *,
    oracles: Iterable[int] | None = None,
    take_fee: bool = True,
    surplus: Value | None = None,
    **free: Unpack[Free],
) -> Case:
    """The keeper pays allocations of a milestone (else all unclaimed ones) on the signatures of oracles (else the first
    that suffice), each told by its position in the terms, out of a distribution that holds some `surplus`."""
    paid = tuple(terms.unclaimed(milestone) if indices is None else indices)
    signed = tuple(range(terms.threshold) if oracles is None else oracles)
    spent = distribution(terms, surplus, **free)
    payouts = [payout(terms, index) for index in paid]
    lovelace = terms.lovelace_per_payout + (terms.keeper_fee_per_payout if take_fee else 0)
    amount = sum(terms.allocations[index].amount for index in paid)
    left = less(spent.value, sum_values([{ADA: lovelace * len(paid)}, {terms.token: amount}]))
    redeemer = release_redeemer(milestone, paid, signatures(terms, milestone, signed, _policy(free)))
    return _case(
        free,
        "keeper",
        inputs=(Coin(STATE, spent, redeemer), _fuel("keeper")),
        outputs=(replace(spent, value=left, datum=terms.claim(paid).data()), *payouts),
    )


def reclaim(terms: Terms, *, stray: bool = False, by_hash: bool = False, **free: Unpack[Free]) -> Case:
    """The funder takes back what is left of a distribution, or a `stray` UTxO, which may hold its datum `by_hash`."""
    policy = _policy(free)
    if stray:
        lost, datums = _paid_to_us(terms.data(), by_hash, free)
        return _case(free, "funder", (Coin(STATE, lost, RECLAIM), _fuel("funder")), (), (terms.funder,), datums=datums)
    return _case(
        free,
        "funder",
        inputs=(Coin(STATE, distribution(terms, **free), RECLAIM), _fuel("funder")),
        outputs=(),
        signers=(terms.funder,),
        mint={state_token(terms, policy): -1},
        mint_redeemers={policy: BURN},
    )


def withdraw(attestation: Attestation | None = None, *, by_hash: bool = False, **free: Unpack[Free]) -> Case:
    """An oracle's owner takes a deposit back."""
    published = attested(sample(), b"m1", 0, _policy(free)) if attestation is None else attestation
    deposit, datums = _paid_to_us(published.data(), by_hash, free)
    coins = (Coin(STATE, deposit, WITHDRAW), _fuel("oracle's owner"))
    return _case(free, "oracle's owner", coins, (), (published.refund_to,), datums=datums)


def distribution(terms: Terms, surplus: Value | None = None, **free: Unpack[Free]) -> Output:
    """The genuine UTxO of these terms: what is still promised, the state token, and what its bytes cost in min-ada."""
    home = Address(Credential(_policy(free), is_script=True), free.get("stake"))
    value = sum_values([terms.promised(), {state_token(terms, _policy(free)): 1}, surplus or {}])
    bare = Output(home, value, terms.data())
    return replace(bare, value=sum_values([value, {ADA: least_lovelace(bare)}]))


def payout(terms: Terms, index: int) -> Output:
    """What pays an allocation. Where its lovelace would be below min-ada, the keeper adds some."""
    allocation = terms.allocations[index]
    value = sum_values([{ADA: terms.lovelace_per_payout}, {terms.token: allocation.amount}])
    exact = Output(allocation.beneficiary, value)
    return replace(exact, value={**value, ADA: max(value[ADA], least_lovelace(exact))})


def attested(terms: Terms, milestone: bytes, oracle: int, policy: bytes | None = None) -> Attestation:
    """One oracle's attestation, to be refunded to `REFUND`."""
    ((_, proof),) = signatures(terms, milestone, (oracle,), policy)
    token = state_token(terms, policy)
    return Attestation(token.name, milestone, terms.oracles[oracle], proof, REFUND)


def signatures(
    terms: Terms, milestone: bytes, oracles: Iterable[int], policy: bytes | None = None
) -> tuple[tuple[int, bytes], ...]:
    """Positions of oracles, each with its signature."""
    token = state_token(terms, policy)
    content = message(token.policy, token.name, milestone)
    return tuple((n, signature(terms.oracles[n], content)) for n in oracles)


def state_token(terms: Terms, policy: bytes | None = None) -> Asset:
    """Of a distribution created at `SEED`, whatever is claimed by now."""
    return Asset(OWN if policy is None else policy, identity(SEED, terms.as_created()))


def _case(
    free: Free,
    payer: str,
    inputs: tuple[Coin, ...],
    outputs: tuple[Output, ...],
    signers: tuple[bytes, ...] = (),
    *,
    datums: tuple[Node, ...] = (),
    mint: Value | None = None,
    mint_redeemers: Mapping[bytes, Node] | None = None,
) -> Case:
    contract = free.get("contract", CONTRACT)
    published = Coin(SCRIPT_AT, Output(somebody("the publisher"), {ADA: 50_000_000}, script=contract))
    inline = free.get("inline", False)
    return build(
        Draft(
            inputs=inputs + free.get("inputs", ()),
            outputs=outputs + free.get("outputs", ()),
            change=_wallet(payer),
            collateral=Coin(COLLATERAL, Output(_wallet(payer), {ADA: 20_000_000})),
            mint={**(mint or {}), **free.get("mint", {})},
            mint_redeemers={**(mint_redeemers or {}), **free.get("mint_redeemers", {})},
            signers=signers + free.get("signers", ()),
            references=(() if inline else (published,)) + free.get("references", ()),
            scripts=((contract,) if inline else ()) + free.get("scripts", ()),
            datums=datums + free.get("datums", ()),
            lower=_slot(free.get("lower", NOW)),
            upper=_slot(free.get("upper", NOW + HALF_AN_HOUR)),
            donation=free.get("donation"),
        )
    )


def _paid_to_us(datum: Node, by_hash: bool, free: Free) -> tuple[Output, tuple[Node, ...]]:
    """A UTxO without a state token, and the datums that have to be shown for it."""
    home = Address(Credential(_policy(free), is_script=True), free.get("stake"))
    value = {ADA: 5_000_000}
    if by_hash:
        return Output(home, value, datum_hash=blake2b(encode(datum), digest_size=32).digest()), (datum,)
    return Output(home, value, datum), ()


def _fuel(name: str) -> Coin:
    return Coin(FUEL, Output(_wallet(name), {ADA: RICH}))


def _wallet(name: str) -> Address:
    return Address(Credential(key_hash(name)))


def _policy(free: Free) -> bytes:
    return script_hash(free.get("contract", CONTRACT))


def _slot(time: int | None) -> int | None:
    return None if time is None else slot(time)
