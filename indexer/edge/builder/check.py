"""The last look: do the signed bytes do what was intended, and nothing else?

It shares nothing with what wrote them but the intent and the codecs of the contract's data: bytes are read by our own
reader, and what has to be in them is worked out anew, from the terms. Whatever differs is a bug of ours, and is not
sent.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from hashlib import blake2b
from typing import Final

from indexer.chain.block import OutputReference
from indexer.chain.coin import Coin
from indexer.chain.parameters import MOST_FEE, MOST_STAKED, Units, total
from indexer.edge.builder import contents
from indexer.edge.builder.errors import LossTooLarge, NotAsIntended, TooDear
from indexer.edge.builder.intents import Asset, Intent, Purse, Surroundings
from indexer.edge.builder.reader import Read, ReadOutput, Unreadable, read
from indexer.edge.builder.signing import Witness, key_hash, verifies
from indexer.plutus.address import parse_shelley
from indexer.plutus.ledger import Credential, VerificationKey

FEE_LIMIT: Final = Fraction(102, 100)  # of the minimum for the units declared
_PER_SIGNATURE: Final = 101  # bytes of a pair of key and signature
_SIGNATURES: Final = 5  # bytes around them, up to 23
Resolved = Mapping[OutputReference, Coin]


def check(
    signed: bytes,
    intent: Intent,
    around: Surroundings,
    purse: Purse,
    resolved: Resolved,
    *,
    max_loss: int | None = None,
    signatures_to_come: int = 0,
) -> None:
    """Compare signed bytes with the intent. `resolved` has every output that they name; it may be read anew.

    `signatures_to_come`: bytes that are to be signed elsewhere have none yet; by how many keys they will be.

    Raises NotAsIntended where anything differs, or the network would not take it; LossTooLarge where the wallet loses
    more lovelace than `max_loss` allows; TooDear where fee or collateral are beyond what we ever agree to.
    """
    try:
        found = read(signed)
    except Unreadable as error:
        raise NotAsIntended(f"the bytes are no transaction of ours: {error}") from error
    named = (*found.inputs, *found.references, *found.collaterals)
    if unknown := [reference for reference in named if reference not in resolved]:
        raise NotAsIntended(f"it names {unknown[0]}, which nobody chose")
    made = contents.expected(intent, found, around, purse)
    _inputs(found, made, purse, resolved)
    change = _change(found, made, purse)
    _mint(found, made, around)
    _balance(found, resolved)
    needed = _signers(found, made, resolved)
    if signatures_to_come:
        unsigned = not found.signatures and signatures_to_come == len(needed)
        _require(unsigned, f"{signatures_to_come} signatures are to come, where it takes {len(needed)}")
        found = replace(found, size=found.size + _SIGNATURES + signatures_to_come * _PER_SIGNATURE)
    else:
        _signatures(found, needed)
    _scripts(found, made, around, purse, resolved)
    _limits(found, around, resolved)
    # What carries a script is no money to spend: it left the wallet when it was published, and comes back now.
    own = sum(resolved[at].output.lovelace for at in found.inputs if at not in {*made.guarded, *made.carriers})
    loss = own - sum(output.lovelace for output in change)
    if max_loss is not None and loss > max_loss:
        raise LossTooLarge(f"it would cost the wallet {loss} lovelace: {max_loss} are allowed")


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise NotAsIntended(what)


def _inputs(found: Read, made: contents.Expected, purse: Purse, resolved: Resolved) -> None:
    """What is meant to be spent is, and else coins of the wallet alone; none carries a script that was not meant to."""
    for reference in (*made.guarded, *made.seeds, *made.carriers):
        _require(reference in found.inputs, f"{reference} is not spent")
    for reference in found.inputs:
        if reference not in made.guarded:
            _require(_is_of(resolved[reference], purse), f"{reference} is spent, which is not the wallet's")
            bare = resolved[reference].output.script is None or reference in made.carriers
            _require(bare, f"{reference} is spent, and with it a script")


def _is_of(coin: Coin, purse: Purse) -> bool:
    return _owner(coin) == VerificationKey(purse.key_hash)


def _owner(coin: Coin) -> Credential | None:
    """Who may spend it; None where that is no Shelley address."""
    try:
        return parse_shelley(coin.output.address)[0].payment_credential
    except ValueError:
        return None


def _change(found: Read, made: contents.Expected, purse: Purse) -> tuple[ReadOutput, ...]:
    """What follows the outputs that were meant: one or two, back to the wallet, with nothing but value."""
    change = found.outputs[made.outputs :]
    _require(len(change) <= 2, f"there are {len(change) - 2} outputs that nobody asked for")
    for output in change:
        _require(output.address == purse.address, "the change goes to somebody else")
        _require(output.datum is None and output.script is None, "the change carries a datum or a script")
    return change


def _mint(found: Read, made: contents.Expected, around: Surroundings) -> None:
    expected = {(around.contract.policy_id, name): quantity for name, quantity in made.mint}
    _require(found.mint == expected, "something else is minted or burnt than was meant")


def _balance(found: Read, resolved: Resolved) -> None:
    """What goes out is what comes in, token by token."""
    lovelace = sum(resolved[at].output.lovelace for at in found.inputs)
    tokens = Counter[Asset](found.mint)
    for at in found.inputs:
        for policy, name, quantity in resolved[at].output.assets:
            tokens[policy, name] += quantity
    for output in found.outputs:
        lovelace -= output.lovelace
        tokens.subtract(output.assets)
    _require(lovelace == found.fee, "the outputs and the fee are not what the inputs hold")
    for (policy, name), quantity in tokens.items():
        _require(quantity == 0, f"{quantity} of the token {policy.hex()}.{name.hex()} go astray")


def _signers(found: Read, made: contents.Expected, resolved: Resolved) -> set[bytes]:
    """Hashes of the keys that have to sign: those named, of inputs, of collateral. Those named are as meant."""
    _require(set(found.required_signers) == set(made.signers), "other signers are named than was meant")
    needed = set(made.signers)
    for at in (*found.inputs, *found.collaterals):
        if isinstance(owner := _owner(resolved[at]), VerificationKey):
            needed.add(owner.hash)
    return needed


def _signatures(found: Read, needed: set[bytes]) -> None:
    """Whoever has to sign did, and nobody signed something else."""
    _require({key_hash(key) for key, _ in found.signatures} == needed, "signatures are missing, or too many")
    for key, signature in found.signatures:
        _require(verifies(Witness(key, signature), found.id), f"the signature of key {key.hex()} is wrong")


def _scripts(found: Read, made: contents.Expected, around: Surroundings, purse: Purse, resolved: Resolved) -> None:
    """Redeemers, the contract's script and its prices are those that were meant; collateral is there if need be."""
    order = sorted(found.inputs)
    expected = {("spend", order.index(at)): data for at, data in made.guarded.items()}
    if made.mint_redeemer is not None:
        expected["mint", 0] = made.mint_redeemer
    _require({key: data for key, (data, _) in found.redeemers.items()} == expected, "other redeemers than was meant")
    reference = () if around.reference is None or not expected else (around.reference.reference,)
    _require(found.references == reference, "it refers to other outputs than that of the contract's script")
    scripts = () if reference or not expected else (around.contract.script,)
    _require(found.scripts == scripts, "it shows other scripts than the contract's")
    for at in reference:
        script = resolved[at].output.script
        _require(script is not None and script.hash == around.contract.hash, "the reference holds no such script")
    if not expected:
        no_trace = found.integrity is None and not found.collaterals and not found.raw_redeemers
        _require(no_trace, "no script runs, and yet there is collateral or an integrity hash")
        return
    prices = _prices(around.parameters.cost_models["plutus:v3"])
    integrity = blake2b(found.raw_redeemers + prices, digest_size=32).digest()
    _require(found.integrity == integrity, "the integrity hash is not that of redeemers and cost model")
    _collateral(found, around, purse, resolved)


def _collateral(found: Read, around: Surroundings, purse: Purse, resolved: Resolved) -> None:
    _require(len(found.collaterals) == 1, "there is not one collateral")
    coin = resolved[found.collaterals[0]]
    _require(_is_of(coin, purse) and not coin.output.assets, "the collateral is not a coin of the wallet, of ada alone")
    returned = found.collateral_return
    if returned is not None:
        _require(returned.address == purse.address, "the collateral returns to somebody else")
        plain = not returned.assets and returned.datum is None and returned.script is None
        _require(plain, "the collateral returns with something else")
        least = around.parameters.minimum_lovelace(len(returned.raw))
        _require(returned.lovelace >= least, "the collateral returns less than an output has to hold")
    staked = coin.output.lovelace - (0 if returned is None else returned.lovelace)
    _require(found.total_collateral == staked, "the declared collateral is not what is staked")
    _require(staked >= around.parameters.minimum_collateral(found.fee), "the collateral does not suffice")
    if staked > MOST_STAKED:
        raise TooDear(f"{staked} lovelace would be staked: {MOST_STAKED} are allowed")


def _limits(found: Read, around: Surroundings, resolved: Resolved) -> None:
    """Fee, sizes, units, min-ada, times."""
    parameters, units = around.parameters, total(units for _, units in found.redeemers.values())
    published = len(around.contract.script) * len(found.references)  # what they refer to was seen to be the script
    scripts = published + sum(resolved[at].script_size for at in found.inputs)
    least = parameters.minimum_fee(found.size, units, scripts)
    _require(found.fee >= least, f"the fee is {found.fee} lovelace, and has to be {least}")
    _require(found.fee <= least * FEE_LIMIT, f"the fee is {found.fee} lovelace, where {least} suffice")
    if found.fee > MOST_FEE:
        raise TooDear(f"the fee would be {found.fee} lovelace: {MOST_FEE} are allowed")
    _require(found.size - 1 <= parameters.max_size, f"it takes {found.size} bytes")
    _require(scripts <= parameters.max_script_size, f"scripts take {scripts} bytes")
    _require(units.within(parameters.max_units), "it declares more units than are allowed")
    _require(all(each != Units(0, 0) for _, each in found.redeemers.values()), "a redeemer may use nothing")
    for output in found.outputs:
        _require(output.lovelace >= parameters.minimum_lovelace(len(output.raw)), "an output holds less than it has to")
        _require(output.value_size <= parameters.max_value_size, "an output holds too many tokens")
        _require(output.address[0] & 0x0F == around.network_id, "an output is on another network")
    _require(found.upper is not None and found.upper > around.tip, "it is not valid any more, or for ever")
    _require(found.lower is None or found.lower <= around.tip, "it is not valid yet")
    horizon = around.timeline.horizon
    _require(horizon is None or (found.upper or 0) < horizon, "it is valid for longer than the node can foresee")


def _prices(model: tuple[int, ...]) -> bytes:
    """The language view of Plutus V3 in a script integrity hash: a map from 2 to the cost model, in counted CBOR."""
    return (
        b"\xa1\x02"
        + _head(4, len(model))
        + b"".join(_head(0, price) if price >= 0 else _head(1, -1 - price) for price in model)
    )


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    power = next(power for power in range(4) if argument < 1 << (8 << power))
    return bytes([major << 5 | 24 + power]) + argument.to_bytes(1 << power, "big")
