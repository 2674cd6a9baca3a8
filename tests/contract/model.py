"""What the validator must say to a transaction, written from the prose of DESIGN section 2 and nothing else.

It shares no code with the contract or with the product, and is meant to be obvious, not fast. Every script run of ours
gets a verdict. Where no chain could ever show what the verdict hangs on, because a test made it up, the verdict follows
the letter of the prose as far as there is one, but `undefined` says so. That is the case where

- the spent output holds a token of our policy, but not exactly one, or it is not as Create and Release leave them:
  an inline Distribution, decoding in full, well formed, and beside it only lovelace and `token`;
- another input of a release holds a token of our policy although a key locks it;
- a Create whose state token an input holds already, or outputs hold more than once, or whose `token` is of our policy.

Whether the transaction balances, and whether each script has its redeemer, is phase 1 and not looked at.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from tests.contract.case import Case
from tests.contract.cbor import NotATransaction
from tests.contract.context import Assets, Input, Output, Transaction, script_in, transaction
from tests.contract.data import Constr, Data, serialise
from tests.contract.layout import (
    DATUM,
    MINT_REDEEMER,
    NONE,
    SPEND_REDEEMER,
    Allocation,
    Distribution,
    distribution,
    fits,
)

__all__ = ["NotATransaction", "Verdict", "accepts", "identity", "judge", "message"]

_LIMIT: Final = 2**63


@dataclass(frozen=True)
class Verdict:
    """What must become of one script run of ours."""

    purpose: str  # spend, mint, publish, withdraw, vote, propose
    index: int  # as in the redeemer's key
    accepted: bool
    reason: str  # the first rule broken; empty where accepted
    undefined: str = ""  # why the contract need not say the same; empty where it must


class _Broken(Exception):
    """A rule does not hold. The text is the rule."""


def _must(holds: bool, rule: str) -> None:
    if not holds:
        raise _Broken(rule)


def accepts(case: Case, contract: bytes) -> bool:
    """No script run of ours is refused; true also where there is none. Raises `NotATransaction`."""
    return all(verdict.accepted for verdict in judge(case, contract))


def judge(case: Case, contract: bytes) -> tuple[Verdict, ...]:
    """One verdict for each redeemer that runs the script with this hash (28 bytes), in the order of the transaction.

    Raises `NotATransaction` where the ledger could form no script context.
    """
    read = transaction(case)
    return tuple(
        _verdict(read, contract, each.purpose, each.index, each.argument)
        for each in read.redeemers
        if each.script == contract
    )


def _verdict(tx: Transaction, contract: bytes, purpose: str, index: int, redeemer: Data) -> Verdict:
    undefined = ""
    try:
        match purpose:
            case "mint":
                _must(fits(redeemer, MINT_REDEEMER), "the redeemer is a MintRedeemer")
                undefined = _undefined_mint(tx, contract, redeemer)
                _mint(tx, contract, redeemer)
            case "spend":
                _must(fits(redeemer, SPEND_REDEEMER), "the redeemer is a SpendRedeemer")
                undefined = _undefined_spend(tx, tx.inputs[index], contract, redeemer)
                _spend(tx, tx.inputs[index], contract, redeemer)
            case _:
                _must(False, "other purposes fail")
    except _Broken as broken:
        return Verdict(purpose, index, False, str(broken), undefined)
    return Verdict(purpose, index, True, "", undefined)


# Minting


def identity(seed: Data, created: Data) -> bytes:
    """The id of a distribution (32 bytes), from the output reference of its seed and its datum as created."""
    return blake2b(serialise((seed, created)), digest_size=32).digest()


def _mint(tx: Transaction, contract: bytes, redeemer: Data) -> None:
    match redeemer:
        case Constr(0, (seed,)):
            _create(tx, contract, seed)
        case _:
            _must(all(each < 0 for each in _of(tx.mint, contract).values()), "burning, every quantity is negative")


def _create(tx: Transaction, contract: bytes, seed: Data) -> None:
    seeds = [Constr(0, each.reference) for each in tx.inputs]
    _must(seed in seeds, "the seed is an input")
    minted = _of(tx.mint, contract)
    _must(list(minted.values()) == [1], "exactly one token is minted")
    (name,) = minted
    holders = _holders(tx.outputs, contract, name)
    _must(bool(holders), "an output holds the state token")

    output = holders[0]
    _must(output.script == contract, "the state output is at our credential")
    _must(not _is_pointer(output.address.fields[1]), "the state output's stake part is no pointer")
    terms = distribution(output.inline)
    if terms is None:
        raise _Broken("the state output has an inline Distribution that decodes in full")
    _must(name == identity(seed, terms.datum), "the state token is named by the id")
    _must(terms.funder in tx.signatories, "the funder signs")
    _well_formed(terms, contract)
    _must(not any(each.claimed for each in terms.allocations), "nothing is claimed")

    total = sum(each.amount for each in terms.allocations)
    costs = len(terms.allocations) * (terms.lovelace_per_payout + terms.keeper_fee_per_payout)
    others = {asset for asset in output.assets if asset != (contract, name)}
    _must(output.assets[contract, name] == 1, "the state output holds one state token")
    _must(others <= {terms.token}, "the state output holds lovelace, token, state token and nothing else")
    _must(not output.has_reference_script, "the state output has no reference script")
    _must(terms.is_ada or output.assets.get(terms.token, 0) >= total, "the state output holds the sum of token")
    _must(output.lovelace >= costs + (total if terms.is_ada else 0), "the state output holds lovelace enough")


def _well_formed(terms: Distribution, contract: bytes) -> None:
    """What Create asks of the terms, whatever is claimed."""
    _must(1 <= terms.threshold <= len(terms.oracles), "1 <= threshold <= oracles")
    _must(len(set(terms.oracles)) == len(terms.oracles), "oracles are distinct")
    _must(all(len(each) == 32 for each in terms.oracles), "oracles have 32 bytes")
    _must(terms.is_ada or terms.token[0] != b"", "token is ada or has a policy")
    _must(bool(terms.allocations), "there are allocations")
    _must(all(each.amount > 0 for each in terms.allocations), "amounts are positive")
    _must(sum(each.amount for each in terms.allocations) < _LIMIT, "the sum of amounts is below 2^63")
    _must(all(1 <= len(each.milestone) <= 64 for each in terms.allocations), "milestone ids have 1 to 64 bytes")
    _must(terms.lovelace_per_payout >= 0, "lovelace_per_payout is not negative")
    _must(terms.keeper_fee_per_payout >= 0, "keeper_fee_per_payout is not negative")
    _must(all(0 <= each.vesting < _LIMIT for each in terms.allocations), "vesting times are in 0 .. 2^63-1")
    _must(terms.expires_at is None or 0 <= terms.expires_at < _LIMIT, "expires_at is in 0 .. 2^63-1")
    for each in terms.allocations:
        _can_be_paid(each.beneficiary, contract)


def _can_be_paid(beneficiary: Constr, contract: bytes) -> None:
    payment, stake = beneficiary.fields
    _must(_hash_length(payment) == 28, "beneficiaries have a payment hash of 28 bytes")
    _must(script_in(payment) != contract, "beneficiaries are not our own credential")
    _must(not _is_pointer(stake), "beneficiaries have no pointer")
    match stake:
        case Constr(0, (Constr(0, (credential,)),)):
            _must(_hash_length(credential) == 28, "beneficiaries have a stake hash of 28 bytes")


def _hash_length(credential: Data) -> int:
    match credential:
        case Constr(_, (bytes() as content,)):
            return len(content)
    raise AssertionError("no credential")


def _is_pointer(stake: Data) -> bool:
    """Whether an optional stake part is a pointer."""
    match stake:
        case Constr(0, (Constr(1, _),)):
            return True
    return False


# Spending


def _spend(tx: Transaction, own: Input, contract: bytes, redeemer: Data) -> None:
    match redeemer:
        case Constr(0, (bytes() as milestone, tuple() as allocations, tuple() as signatures)):
            _release(tx, own, contract, milestone, allocations, signatures)
        case Constr(1, _):
            _reclaim(tx, own, contract)
        case _:
            _withdraw(tx, own)


def message(contract: bytes, distribution_id: bytes, milestone: bytes) -> bytes:
    """What an oracle signs (32 bytes)."""
    text = b"cardano-milestone-attestation:v1" + contract + distribution_id + milestone
    return blake2b(text, digest_size=32).digest()


def _release(
    tx: Transaction,
    own: Input,
    contract: bytes,
    milestone: bytes,
    chosen: tuple[Data, ...],
    signatures: tuple[Data, ...],
) -> None:
    ours = _of(own.output.assets, contract)
    _must(bool(ours), "the input holds the state token")
    name = min(ours)
    others = [each for each in tx.inputs if each is not own]
    _must(all(each.output.script != contract for each in others), "it is the only input at our credential")
    _must(all(each.output.script is None for each in others), "every other input is key-locked")
    _must(not tx.mint, "the mint is empty")
    _must(not tx.withdrawals, "there are no withdrawals")
    _must(not tx.certificates, "there are no certificates")
    _must(not tx.votes, "there are no votes")
    _must(not tx.proposals, "there are no proposals")
    terms = distribution(own.datum)
    if terms is None:
        raise _Broken("the input's datum is a Distribution")

    _signed(terms, message(contract, name, milestone), signatures)

    indices = tuple(each for each in chosen if isinstance(each, int))
    _must(bool(indices), "at least one allocation is released")
    _must(_increasing(indices), "allocation indices are strictly increasing")
    _must(_in_range(indices, len(terms.allocations)), "allocation indices are in range")
    paid = [terms.allocations[index] for index in indices]
    _must(all(each.milestone == milestone for each in paid), "the allocations are of the milestone")
    _must(not any(each.claimed for each in paid), "the allocations are unclaimed")
    _must(all(_passed(each.vesting, tx) for each in paid), "the allocations are vested")

    _must(len(tx.outputs) > len(paid), "there is an output for the rest and for each allocation")
    _continues(own.output, tx.outputs[0], terms, indices, (contract, name))
    for allocation, output in zip(paid, tx.outputs[1:], strict=False):
        _pays(allocation, output, terms)


def _signed(terms: Distribution, digest: bytes, signatures: tuple[Data, ...]) -> None:
    pairs = [(each[0], each[1]) for each in signatures if isinstance(each, tuple)]
    oracles = [oracle for oracle, _ in pairs if isinstance(oracle, int)]
    _must(_increasing(oracles), "oracle indices are strictly increasing")
    _must(_in_range(oracles, len(terms.oracles)), "oracle indices are in range")
    for oracle, signature in pairs:
        assert isinstance(oracle, int)
        assert isinstance(signature, bytes)
        _must(_verifies(terms.oracles[oracle], digest, signature), "every signature verifies")
    _must(len(pairs) >= terms.threshold, "there are enough signatures")


def _verifies(key: bytes, digest: bytes, signature: bytes) -> bool:
    """As the builtin `verifyEd25519Signature`, which fails on another length of key or signature."""
    if len(key) != 32 or len(signature) != 64:
        return False
    try:
        VerifyKey(key).verify(digest, signature)
    except BadSignatureError:
        return False
    return True


def _continues(
    before: Output, after: Output, terms: Distribution, indices: tuple[int, ...], state: tuple[bytes, bytes]
) -> None:
    """Output 0 is the distribution, less what is paid."""
    amount = sum(terms.allocations[index].amount for index in indices)
    allowance = len(indices) * (terms.lovelace_per_payout + terms.keeper_fee_per_payout)
    _must(after.address == before.address, "output 0 has the same address")
    _must(after.inline == terms.claiming(indices), "output 0 has the same datum, but for what is claimed, inline")
    _must(not after.has_reference_script, "output 0 has no reference script")
    _must(after.assets.get(state) == 1, "output 0 keeps the state token")
    others = {asset: quantity for asset, quantity in after.assets.items() if asset != state}
    if terms.is_ada:
        allowance += amount
    else:
        left = before.assets.get(terms.token, 0) - amount
        _must(others.pop(terms.token, 0) == left, "output 0 has token reduced by exactly what is paid")
    _must(not others, "output 0 has no other token")
    _must(after.lovelace >= before.lovelace - allowance, "output 0 has lovelace reduced by no more than allowed")


def _pays(allocation: Allocation, output: Output, terms: Distribution) -> None:
    _must(output.address == allocation.beneficiary, "a payout is at exactly the beneficiary's address")
    if terms.is_ada:
        least, assets = terms.lovelace_per_payout + allocation.amount, Assets()
    else:
        least, assets = terms.lovelace_per_payout, {terms.token: allocation.amount}
    _must(output.assets == assets, "a payout holds exactly token_amount of token, and no other")
    _must(output.lovelace >= least, "a payout holds lovelace enough")
    _must(output.inline is None and output.datum_hash is None, "a payout has no datum")
    _must(not output.has_reference_script, "a payout has no reference script")


def _reclaim(tx: Transaction, own: Input, contract: bytes) -> None:
    terms = distribution(own.datum)
    if terms is None:
        raise _Broken("the datum is a Distribution that decodes in full")
    _must(terms.funder in tx.signatories, "the funder signs")
    for name in _of(own.output.assets, contract):
        over = terms.expires_at is not None and _passed(terms.expires_at, tx)
        _must(over or all(each.claimed for each in terms.allocations), "all is claimed, or it has expired")
        _must(tx.mint.get((contract, name)) == -1, "the state token is burnt")


def _withdraw(tx: Transaction, own: Input) -> None:
    match own.datum:
        case Constr(1, (*_, refund_to)) if fits(own.datum, DATUM):
            _must(refund_to in tx.signatories, "refund_to signs")
        case _:
            raise _Broken("the datum is an Attestation that decodes in full")


# What several rules ask


def _of(assets: Assets, policy: bytes) -> dict[bytes, int]:
    return {name: quantity for (each, name), quantity in assets.items() if each == policy}


def _holders(outputs: Iterable[Output], policy: bytes, name: bytes) -> list[Output]:
    return [each for each in outputs if (policy, name) in each.assets]


def _increasing(indices: Iterable[int]) -> bool:
    """Strictly."""
    return list(indices) == sorted(set(indices))


def _in_range(indices: Iterable[int], length: int) -> bool:
    return all(0 <= index < length for index in indices)


def _passed(time: int, tx: Transaction) -> bool:
    """Not later than the finite lower bound of the validity interval."""
    return tx.lower is not None and time <= tx.lower


# Where the contract need not say the same


def _undefined_mint(tx: Transaction, contract: bytes, redeemer: Data) -> str:
    minted = _of(tx.mint, contract)
    if redeemer == NONE or len(minted) != 1:
        return ""
    (name,) = minted
    holders = _holders(tx.outputs, contract, name)
    if _holders((each.output for each in tx.inputs), contract, name):
        return "an input holds the state token already"
    if sum(each.assets[contract, name] for each in holders) > 1:
        return "the state token is there more than once"
    if any(terms and terms.token[0] == contract for terms in (distribution(each.inline) for each in holders)):
        return "token is of our policy"
    return ""


def _undefined_spend(tx: Transaction, own: Input, contract: bytes, redeemer: Data) -> str:
    if _of(own.output.assets, contract):
        terms = distribution(own.output.inline)
        if list(_of(own.output.assets, contract).values()) != [1]:
            return "the input holds more than one token of our policy"
        if terms is None:
            return "a state output without an inline Distribution"
        if terms.token[0] == contract:
            return "token is of our policy"
        if len(own.output.assets.keys() - {terms.token}) != 1:
            return "a state output with other tokens"
        try:
            _well_formed(terms, contract)
        except _Broken as broken:
            return f"a state output whose terms are not well formed: {broken}"
    releases = isinstance(redeemer, Constr) and redeemer.index == 0
    if releases and any(_of(each.output.assets, contract) for each in tx.inputs if each.output.script != contract):
        return "a state token outside our credential"
    return ""
