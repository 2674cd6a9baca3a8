"""What has to be in a transaction, worked out from the intent for the last look at it; the builder's plan is no source.

Outputs are compared as they were read: values, addresses, and datums by what they say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from typing import Final

from indexer.chain.block import OutputReference
from indexer.chain.coin import Coin
from indexer.chain.time import slot_to_ms
from indexer.edge.builder.errors import NotAsIntended
from indexer.edge.builder.intents import (
    Create,
    Deploy,
    Intent,
    Publish,
    Purse,
    Reclaim,
    Release,
    Split,
    Surroundings,
    TakeBack,
    Withdraw,
)
from indexer.edge.builder.reader import Read, ReadOutput
from indexer.edge.builder.signing import Witness, verifies
from indexer.errors import MalformedDatum
from indexer.plutus import redeemer
from indexer.plutus.address import address_of, parse_shelley
from indexer.plutus.datum import MILESTONE_DATUM, Attestation, Distribution, MilestoneDatum
from indexer.plutus.identity import distribution_id, message_to_sign
from indexer.plutus.ledger import Address, Inline, Script
from indexer.plutus.ledger import OutputReference as Seed
from indexer.plutus.redeemer import MINT_REDEEMER, SPEND_REDEEMER

_NOBODY: Final = bytes.fromhex("00820280")  # a native script that nobody satisfies, behind its tag


@dataclass(frozen=True, slots=True)
class Expected:
    """What has to be in a transaction, beside what pays for it.

    `guarded` are the inputs at the contract with their redeemers, `seeds` inputs that have to be there beside them, and
    `carriers` those that have to and carry a script.
    `outputs` is how many outputs, from the first on, were compared and found right. `mint` is of the contract's policy.
    """

    outputs: int = 0
    guarded: Mapping[OutputReference, bytes] = field(default_factory=dict)
    seeds: tuple[OutputReference, ...] = ()
    carriers: tuple[OutputReference, ...] = ()
    mint: tuple[tuple[bytes, int], ...] = ()
    mint_redeemer: bytes | None = None
    signers: tuple[bytes, ...] = ()


def expected(intent: Intent, found: Read, around: Surroundings, purse: Purse) -> Expected:
    """Compare what an intent is about, and say what the rest has to be. Raises NotAsIntended."""
    match intent:
        case Create():
            return _create(intent, found, around)
        case Release():
            return _release(intent, found, around)
        case Reclaim():
            return _reclaim(intent, found, around)
        case Publish():
            return _publish(intent, found, around)
        case Withdraw():
            return _withdraw(intent, around)
        case Deploy():
            return _deploy(intent, found, around, purse)
        case TakeBack():
            return _take_back(intent, around)
        case Split():
            return _split(intent, found, purse)


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise NotAsIntended(what)


def _output(found: Read, index: int) -> ReadOutput:
    _require(index < len(found.outputs), f"output {index} is missing")
    return found.outputs[index]


def _address(output: ReadOutput, around: Surroundings) -> Address:
    try:
        address, network_id = address_of(output.address)
    except ValueError as error:
        raise NotAsIntended(f"an output goes to what is no address: {error}") from error
    _require(network_id == around.network_id, "an output is on another network")
    return address


def _says(raw: bytes | None, what: str) -> MilestoneDatum:
    _require(raw is not None, f"{what} has no inline datum")
    try:
        return MILESTONE_DATUM.decode(raw or b"").value
    except MalformedDatum as error:
        raise NotAsIntended(f"the datum of {what} does not decode: {error}") from error


def _at_contract(coin: Coin, around: Surroundings) -> MilestoneDatum:
    payment = parse_shelley(coin.output.address)[0].payment_credential
    _require(payment == Script(around.contract.hash), f"{coin.reference} does not lie at the contract")
    return _says(coin.output.datum, str(coin.reference))


def _create(intent: Create, found: Read, around: Surroundings) -> Expected:
    policy, terms, seed = around.contract.policy_id, intent.terms, intent.seed.reference
    name = distribution_id(Seed(seed.transaction_id, seed.index), terms)
    output = _output(found, 0)
    stake = None if intent.stake is None else Inline(intent.stake)
    _require(_address(output, around) == Address(Script(policy), stake), "the distribution lies elsewhere")
    _require(_says(output.datum, "the distribution") == terms, "other terms are promised")
    _require(output.datum == MILESTONE_DATUM.encode(terms), "the terms are in another hand than the ledger's")
    tokens = {(policy, name): 1}
    if not terms.token.is_ada:
        tokens[terms.token.policy_id, terms.token.asset_name] = sum(each.token_amount for each in terms.allocations)
    _require(output.assets == tokens, "the distribution holds other tokens than are promised")
    _require(output.lovelace == intent.lovelace, "the distribution holds another amount of ada")
    _require(output.script is None, "the distribution carries a script")
    create = MINT_REDEEMER.encode(redeemer.Create(Seed(seed.transaction_id, seed.index)))
    return Expected(1, seeds=(seed,), mint=((name, 1),), mint_redeemer=create, signers=(terms.funder,))


def _release(intent: Release, found: Read, around: Surroundings) -> Expected:
    before = _at_contract(intent.state, around)
    if not isinstance(before, Distribution):
        raise NotAsIntended("what is released is no distribution")
    _promise_is_due(intent, before, found, around)
    state = _output(found, 0)
    _require(
        _address(state, around) == parse_shelley(intent.state.output.address)[0], "the distribution moves elsewhere"
    )
    after = _says(state.datum, "the distribution")
    _require(isinstance(after, Distribution), "the distribution is none any more")
    others = [each.name for each in fields(Distribution) if each.name != "allocations"]
    _require(all(getattr(before, name) == getattr(after, name) for name in others), "the terms have changed")
    _require(state.datum == MILESTONE_DATUM.encode(after), "the terms are in another hand than the ledger's")
    _require(state.script is None, "the distribution carries a script")
    _claims(intent, before, after)
    token = before.token.policy_id, before.token.asset_name
    left = {(policy, name): quantity for policy, name, quantity in intent.state.output.assets}
    given = len(intent.allocations) * (before.lovelace_per_payout + before.keeper_fee_per_payout)
    for place, index in enumerate(intent.allocations, start=1):
        allocation = before.allocations[index]
        payout = _output(found, place)
        lovelace, tokens = before.lovelace_per_payout, {}
        if before.token.is_ada:
            lovelace += allocation.token_amount
            given += allocation.token_amount
        else:
            tokens = {token: allocation.token_amount}
            left[token] = left.get(token, 0) - allocation.token_amount
        _require(_address(payout, around) == allocation.beneficiary, f"payout {place} goes to somebody else")
        _require(payout.assets == tokens, f"payout {place} holds other tokens than were promised")
        _require(payout.lovelace == _at_least(lovelace, payout, around), f"payout {place} holds another amount of ada")
        _require(payout.datum is None and payout.script is None, f"payout {place} carries a datum or a script")
    _require(state.assets == {asset: quantity for asset, quantity in left.items() if quantity}, "tokens go astray")
    rest = _at_least(intent.state.output.lovelace - given, state, around)
    _require(state.lovelace == rest, "the distribution keeps another amount of ada")
    arguments = redeemer.Release(intent.milestone_id, intent.allocations, intent.signatures)
    guarded = {intent.state.reference: SPEND_REDEEMER.encode(arguments)}
    return Expected(1 + len(intent.allocations), guarded)


def _at_least(lovelace: int, output: ReadOutput, around: Surroundings) -> int:
    return max(lovelace, around.parameters.minimum_lovelace(len(output.raw)))


def _promise_is_due(intent: Release, terms: Distribution, found: Read, around: Surroundings) -> None:
    """A quorum of oracles signed, and the time has come."""
    policy = around.contract.policy_id
    tokens = [(name, quantity) for held, name, quantity in intent.state.output.assets if held == policy]
    _require(len(tokens) == 1 and tokens[0][1] == 1, "what is released holds no state token")
    message = message_to_sign(policy, tokens[0][0], intent.milestone_id)
    oracles = [index for index, _ in intent.signatures]
    _require(len(set(oracles)) == len(oracles) >= terms.quorum_threshold, "there is no quorum")
    for index, signature in intent.signatures:
        _require(0 <= index < len(terms.oracles), "a signature of nobody")
        _require(verifies(Witness(terms.oracles[index], signature), message), f"oracle {index} signed something else")
    if found.lower is None:
        raise NotAsIntended("it has no lower bound, so no time is proved")
    begins = slot_to_ms(around.timeline.eras, found.lower)
    _require(found.lower >= intent.since, "it could be in a block before the one that made the distribution")
    vesting = max(terms.allocations[index].vesting_timestamp for index in intent.allocations)
    _require(vesting <= begins, "the vesting time is not proved to have come")


def _claims(intent: Release, before: Distribution, after: MilestoneDatum) -> None:
    """Exactly what is paid is marked as claimed, and nothing else of it changes."""
    if not isinstance(after, Distribution):
        raise NotAsIntended("the distribution is none any more")
    _require(len(before.allocations) == len(after.allocations), "there are more or fewer allocations")
    for index, (old, new) in enumerate(zip(before.allocations, after.allocations, strict=True)):
        paid = index in intent.allocations
        _require(not (paid and old.claimed), f"allocation {index} is paid already")
        _require(not paid or old.milestone_id == intent.milestone_id, f"allocation {index} is of another milestone")
        _require(new.claimed == (paid or old.claimed), f"allocation {index} is not marked as it is paid")
        for name in ("beneficiary", "token_amount", "milestone_id", "vesting_timestamp"):
            _require(getattr(old, name) == getattr(new, name), f"allocation {index} has changed")


def _reclaim(intent: Reclaim, found: Read, around: Surroundings) -> Expected:
    terms = _at_contract(intent.held, around)
    if not isinstance(terms, Distribution):
        raise NotAsIntended("what is reclaimed is no distribution")
    guarded = {intent.held.reference: SPEND_REDEEMER.encode(redeemer.Reclaim())}
    policy = around.contract.policy_id
    names = [name for held, name, _ in intent.held.output.assets if held == policy]
    if not names:
        return Expected(0, guarded, signers=(terms.funder,))
    if not all(each.claimed for each in terms.allocations):
        _require(terms.expires_at is not None and found.lower is not None, "it has not expired")
        begins = slot_to_ms(around.timeline.eras, found.lower or 0)
        _require((terms.expires_at or 0) <= begins, "its expiry is not proved to have come")
    burn = MINT_REDEEMER.encode(redeemer.Burn())
    mint = tuple((name, -1) for name in names)
    return Expected(0, guarded, mint=mint, mint_redeemer=burn, signers=(terms.funder,))


def _publish(intent: Publish, found: Read, around: Surroundings) -> Expected:
    output = _output(found, 0)
    stake = None if intent.stake is None else Inline(intent.stake)
    home = Address(Script(around.contract.hash), stake)
    _require(_address(output, around) == home, "the attestation lies elsewhere")
    _require(_says(output.datum, "the attestation") == intent.attestation, "another attestation is published")
    _require(not output.assets and output.script is None, "the attestation holds something else")
    _require(output.lovelace == _at_least(0, output, around), "the deposit is not the smallest")
    return Expected(1)


def _withdraw(intent: Withdraw, around: Surroundings) -> Expected:
    attestation = _at_contract(intent.deposit, around)
    if not isinstance(attestation, Attestation):
        raise NotAsIntended("what is withdrawn is no attestation")
    guarded = {intent.deposit.reference: SPEND_REDEEMER.encode(redeemer.Withdraw())}
    return Expected(0, guarded, signers=(attestation.refund_to,))


def _deploy(intent: Deploy, found: Read, around: Surroundings, purse: Purse) -> Expected:
    output = _output(found, 0)
    if intent.forever:
        nobody = Address(Script(blake2b(_NOBODY, digest_size=28).digest()))
        _require(_address(output, around) == nobody, "somebody could spend it")
    else:
        _require(output.address == purse.address, "the script goes to somebody else")
    _require(output.script == around.contract.script, "another script is published")
    _require(not output.assets and output.datum is None, "it holds something else")
    _require(output.lovelace == _at_least(0, output, around), "its ada is not the smallest")
    return Expected(1)


def _take_back(intent: TakeBack, around: Surroundings) -> Expected:
    script = intent.published.output.script
    _require(script is not None and script.hash == around.contract.hash, "what is taken back carries no such script")
    return Expected(carriers=(intent.published.reference,))


def _split(intent: Split, found: Read, purse: Purse) -> Expected:
    output = _output(found, 0)
    _require(output.address == purse.address and output.lovelace == intent.lovelace, "another coin is made")
    _require(not output.assets, "the coin holds something else")
    return Expected()  # as change is: it stays in the wallet
