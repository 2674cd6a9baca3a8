"""What each intent takes, in terms of a transaction (contracts/README.md has the rules)."""

from dataclasses import replace
from hashlib import blake2b
from typing import Final

from indexer.chain.address import Credential, CredentialKind, payment_credential
from indexer.chain.coin import Coin
from indexer.chain.point import Slot
from indexer.chain.time import first_slot_at
from indexer.edge.builder.coins import usable
from indexer.edge.builder.errors import NotPossible
from indexer.edge.builder.funding import home, lovelace_to_lock
from indexer.edge.builder.intents import (
    Create,
    Deploy,
    Intent,
    Plan,
    Planned,
    Publish,
    Purse,
    Reclaim,
    Release,
    Split,
    Surroundings,
    TakeBack,
    Withdraw,
)
from indexer.edge.builder.written import held, least_lovelace
from indexer.errors import MalformedDatum
from indexer.plutus import redeemer
from indexer.plutus.address import HASH_LENGTH, address_bytes, parse_shelley
from indexer.plutus.datum import MILESTONE_DATUM, Attestation, Distribution, MilestoneDatum
from indexer.plutus.identity import distribution_id
from indexer.plutus.ledger import Address, OutputReference, Script
from indexer.plutus.redeemer import MINT_REDEEMER, SPEND_REDEEMER
from indexer.plutus.terms import objections

# A native script, "any of none": nobody can ever satisfy it. Its hash is blake2b-224 of the tag 0 and its CBOR.
NEVER: Final = blake2b(b"\0" + bytes.fromhex("820280"), digest_size=28).digest()


def plan(intent: Intent, around: Surroundings, purse: Purse) -> Plan:
    """What has to be in the transaction. Raises NotPossible where the contract would say no."""
    header = purse.address[0]
    if header & 0b1001_0000:
        raise NotPossible("the wallet's address is locked by a script, or of Byron: a key has to sign for it")
    if header & 0x0F != around.network_id:
        raise NotPossible("the wallet's address is on another network")
    match intent:
        case Create():
            return _create(intent, around, purse)
        case Release():
            return _release(intent, around)
        case Reclaim():
            return _reclaim(intent, around)
        case Publish():
            return _publish(intent, around)
        case Withdraw():
            return _withdraw(intent, around)
        case Deploy():
            return _deploy(intent, around, purse)
        case TakeBack():
            return _take_back(intent, around, purse)
        case Split():
            return Plan(outputs=(Planned(purse.address, intent.lovelace, {}),))


def _create(intent: Create, around: Surroundings, purse: Purse) -> Plan:
    terms, policy = intent.terms, around.contract.policy_id
    if intent.seed not in usable(purse):
        raise NotPossible(f"the seed {intent.seed.reference} is no coin that the wallet may spend")
    wrong = objections(terms, policy)
    if wrong:
        raise NotPossible(f"the contract would refuse these terms: {'; '.join(wrong[:3])}")
    at = intent.seed.reference
    seed = OutputReference(at.transaction_id, at.index)
    name = distribution_id(seed, terms)
    assets = {(policy, name): 1}
    if not terms.token.is_ada:
        assets[terms.token.policy_id, terms.token.asset_name] = sum(each.token_amount for each in terms.allocations)
    output = Planned(home(around, intent.stake), intent.lovelace, assets, MILESTONE_DATUM.encode(terms))
    least = max(lovelace_to_lock(terms, around).promise, least_lovelace(output, around.parameters))
    if output.lovelace < least:
        raise NotPossible(f"{output.lovelace} lovelace would be locked: it takes {least} at least")
    return Plan(
        spends=((intent.seed, None),),
        outputs=(output,),
        mint=((name, 1),),
        mint_redeemer=MINT_REDEEMER.encode(redeemer.Create(seed)),
        signers=(terms.funder,),
    )


def _release(intent: Release, around: Surroundings) -> Plan:
    terms = _datum(intent.state, around)
    if not isinstance(terms, Distribution) or not _state_token(intent.state, around):
        raise NotPossible(f"{intent.state.reference} is no distribution with its state token")
    _check_release(intent, terms)
    paid = [terms.allocations[index] for index in intent.allocations]
    claimed = tuple(
        replace(each, claimed=True) if index in intent.allocations else each
        for index, each in enumerate(terms.allocations)
    )
    payouts = [_payout(terms, each.beneficiary, each.token_amount, around) for each in paid]
    tokens = held(intent.state)
    token = (terms.token.policy_id, terms.token.asset_name)
    total = sum(each.token_amount for each in paid)
    allowed = len(paid) * (terms.lovelace_per_payout + terms.keeper_fee_per_payout)
    if terms.token.is_ada:
        allowed += total
    else:
        tokens[token] = tokens.get(token, 0) - total
        if tokens[token] < 0:
            raise NotPossible(f"{intent.state.reference} holds less of the token than is to be paid")
    left = {asset: quantity for asset, quantity in tokens.items() if quantity}
    datum = MILESTONE_DATUM.encode(replace(terms, allocations=claimed))
    state = Planned(_address(intent.state), intent.state.output.lovelace - allowed, left, datum)
    # The keeper takes less where the rest would not suffice for the output to stand.
    state = replace(state, lovelace=max(state.lovelace, least_lovelace(state, around.parameters)))
    arguments = redeemer.Release(intent.milestone_id, intent.allocations, intent.signatures)
    return Plan(
        spends=((intent.state, SPEND_REDEEMER.encode(arguments)),),
        outputs=(state, *payouts),
        lower=max(intent.since, first_slot_at(around.timeline.eras, max(each.vesting_timestamp for each in paid))),
    )


def _check_release(intent: Release, terms: Distribution) -> None:
    indices, oracles = intent.allocations, [index for index, _ in intent.signatures]
    if not indices or list(indices) != sorted(set(indices)) or not set(indices) <= set(range(len(terms.allocations))):
        raise NotPossible("the allocations to be paid are no ascending positions in the terms")
    for index in indices:
        allocation = terms.allocations[index]
        if allocation.milestone_id != intent.milestone_id:
            raise NotPossible(f"allocation {index} is of another milestone")
        if allocation.claimed:
            raise NotPossible(f"allocation {index} is paid already")
    if oracles != sorted(set(oracles)) or not set(oracles) <= set(range(len(terms.oracles))):
        raise NotPossible("the signatures are of no ascending positions in the oracles")
    if len(oracles) < terms.quorum_threshold:
        raise NotPossible(f"{len(oracles)} signatures: the quorum takes {terms.quorum_threshold}")


def _payout(terms: Distribution, beneficiary: Address, amount: int, around: Surroundings) -> Planned:
    try:
        address = address_bytes(beneficiary, around.network_id)
    except ValueError as error:
        raise NotPossible(f"a beneficiary's address is none: {error}") from error
    if terms.token.is_ada:
        output = Planned(address, amount + terms.lovelace_per_payout, {})
    else:
        output = Planned(address, terms.lovelace_per_payout, {(terms.token.policy_id, terms.token.asset_name): amount})
    # What the network asks for beyond the terms, whoever releases adds.
    return replace(output, lovelace=max(output.lovelace, least_lovelace(output, around.parameters)))


def _reclaim(intent: Reclaim, around: Surroundings) -> Plan:
    terms = _datum(intent.held, around)
    if not isinstance(terms, Distribution):
        raise NotPossible(f"{intent.held.reference} is no distribution: an attestation is withdrawn")
    spends = ((intent.held, SPEND_REDEEMER.encode(redeemer.Reclaim())),)
    signers = (_signer(terms.funder),)
    name = _state_token(intent.held, around)
    if name is None:
        return Plan(spends=spends, signers=signers)
    lower: Slot | None = None
    if not all(each.claimed for each in terms.allocations):
        if terms.expires_at is None:
            raise NotPossible("not all is paid, and it never expires: only a release can take from it")
        lower = first_slot_at(around.timeline.eras, terms.expires_at)
    return Plan(
        spends=spends,
        mint=((name, -1),),
        mint_redeemer=MINT_REDEEMER.encode(redeemer.Burn()),
        signers=signers,
        lower=lower,
    )


def _publish(intent: Publish, around: Surroundings) -> Plan:
    output = Planned(home(around, intent.stake), 0, {}, MILESTONE_DATUM.encode(intent.attestation))
    return Plan(outputs=(replace(output, lovelace=least_lovelace(output, around.parameters)),))


def _withdraw(intent: Withdraw, around: Surroundings) -> Plan:
    attestation = _datum(intent.deposit, around)
    if not isinstance(attestation, Attestation):
        raise NotPossible(f"{intent.deposit.reference} is no attestation: a distribution is reclaimed")
    spends = ((intent.deposit, SPEND_REDEEMER.encode(redeemer.Withdraw())),)
    return Plan(spends=spends, signers=(_signer(attestation.refund_to),))


def _deploy(intent: Deploy, around: Surroundings, purse: Purse) -> Plan:
    address = address_bytes(Address(Script(NEVER)), around.network_id) if intent.forever else purse.address
    output = Planned(address, 0, {}, script=around.contract.script)
    return Plan(outputs=(replace(output, lovelace=least_lovelace(output, around.parameters)),))


def _take_back(intent: TakeBack, around: Surroundings, purse: Purse) -> Plan:
    coin = intent.published
    script, owner = coin.output.script, payment_credential(coin.output.address)
    if script is None or script.hash != around.contract.hash:
        raise NotPossible(f"{coin.reference} does not carry the contract's script")
    if owner == Credential(CredentialKind.SCRIPT, NEVER):
        raise NotPossible(f"{coin.reference} was published for ever: nobody can spend it")
    if owner is None or owner.kind is not CredentialKind.KEY:
        raise NotPossible(f"{coin.reference} lies at {coin.output.address}, which is no key's")
    if owner.hash != purse.key_hash:
        raise NotPossible(f"{coin.reference} belongs to key {owner.hash.hex()}, and {purse.key_hash.hex()} pays")
    return Plan(spends=((coin, None),))


def _signer(named: bytes) -> bytes:
    """Who has to sign, by a datum that anybody may have written."""
    if len(named) != HASH_LENGTH:
        raise NotPossible(f"who has to sign is named by {len(named)} bytes, which are no key's hash: nobody can")
    return named


def _datum(coin: Coin, around: Surroundings) -> MilestoneDatum:
    """What an output at the contract says."""
    address = parse_shelley(coin.output.address)[0]
    if address.payment_credential != Script(around.contract.hash):
        raise NotPossible(f"{coin.reference} does not lie at the contract")
    if coin.output.datum is None:
        raise NotPossible(f"{coin.reference} has no inline datum: nobody can spend it")
    try:
        return MILESTONE_DATUM.decode(coin.output.datum).value
    except MalformedDatum as error:
        raise NotPossible(f"the datum of {coin.reference} does not decode, so nobody can spend it: {error}") from error


def _state_token(coin: Coin, around: Surroundings) -> bytes | None:
    """The name of the state token that it holds, if it does."""
    policy = around.contract.policy_id
    return next((name for held_policy, name, _ in coin.output.assets if held_policy == policy), None)


def _address(coin: Coin) -> bytes:
    return address_bytes(*parse_shelley(coin.output.address))
