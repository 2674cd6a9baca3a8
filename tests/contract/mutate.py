"""Changes one thing in the bytes of a transaction, or in what its inputs stand for, and nothing else.

Signatures of witnesses, `script_data_hash` and the fee stay as they were: phase 2 does not look at them. Redeemers
follow what they are for: one that spends an input still does when another input comes before it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypedDict, Unpack

from tests.contract.builder import Coin, Output, Value, output_bytes
from tests.contract.case import Case, slot
from tests.contract.evaluate import PURPOSES
from tests.contract.parts import (
    ADDRESS,
    CERTIFICATES,
    DATUM,
    DONATION,
    HASH,
    INLINE,
    INPUTS,
    LOWER,
    MINT,
    MINTING,
    OUTPUTS,
    PROPOSALS,
    REDEEMERS,
    REFERENCE_INPUTS,
    REFERENCE_SCRIPT,
    SCRIPTS,
    SIGNERS,
    SPEND,
    UPPER,
    V3,
    VALUE,
    VOTES,
    WITHDRAWALS,
    as_map,
    assets_node,
    closed,
    inputs,
    items,
    ledger_set,
    mint,
    opened,
    outputs,
    redeemers_of,
    signers,
    value_node,
    value_of,
)
from tests.contract.terms import MAINNET, Credential, Reference
from tests.contract.tree import Array, Embedded, Map, Node, Tag, decode


class Changes(TypedDict, total=False):
    """What to change in an output."""

    address: bytes
    value: Value
    plus: Value  # quantities to add to those that it has
    datum: Node  # inline; None: without a datum
    datum_hash: bytes
    reference_script: bytes | None  # Plutus V3


class Bounds(TypedDict, total=False):
    """POSIX milliseconds; None: without this bound."""

    lower: int | None
    upper: int | None


# --- Outputs


def altered(output: Map, **changes: Unpack[Changes]) -> Map:
    if "address" in changes:
        output = output.with_value(ADDRESS, changes["address"])
    if "value" in changes:
        output = output.with_value(VALUE, value_node(changes["value"]))
    if "plus" in changes:
        value = value_of(output)
        sums = {asset: value.get(asset, 0) + quantity for asset, quantity in changes["plus"].items()}
        output = output.with_value(VALUE, value_node({**value, **sums}))
    if "datum" in changes:
        inline = Array((INLINE, Embedded(changes["datum"])))
        output = output.without(DATUM) if changes["datum"] is None else output.with_value(DATUM, inline)
    if "datum_hash" in changes:
        output = output.with_value(DATUM, Array((HASH, changes["datum_hash"])))
    if "reference_script" in changes:
        script = changes["reference_script"]
        held = Embedded(Array((V3, script)))
        output = output.without(REFERENCE_SCRIPT) if script is None else output.with_value(REFERENCE_SCRIPT, held)
    return output


def with_output(case: Case, index: int, **changes: Unpack[Changes]) -> Case:
    """An output changed; a negative index counts from the end."""
    listed = outputs(case)
    position = range(len(listed))[index]
    return with_outputs(case, (*listed[:position], altered(listed[position], **changes), *listed[position + 1 :]))


def with_extra_output(case: Case, output: Output, at: int | None = None) -> Case:
    """Another output in a place, else as the last."""
    listed = list(outputs(case))
    listed.insert(len(listed) if at is None else at, as_map(decode(output_bytes(output))))
    return with_outputs(case, listed)


def without_output(case: Case, index: int) -> Case:
    listed = list(outputs(case))
    del listed[index]
    return with_outputs(case, listed)


def with_outputs(case: Case, listed: Iterable[Map]) -> Case:
    return _with_body(case, OUTPUTS, Array(tuple(listed)))


# --- Inputs


def with_resolved(case: Case, reference: Reference, **changes: Unpack[Changes]) -> Case:
    """An input or reference input that stands for another output than it did."""
    parts = opened(case)
    return closed(replace(parts, resolved={**parts.resolved, reference: altered(parts.resolved[reference], **changes)}))


def with_input(case: Case, coin: Coin) -> Case:
    """Another input, with its redeemer if it has one."""
    case = _with_spent(_known(case, coin), (*inputs(case), coin.reference))
    return (
        case if coin.redeemer is None else with_redeemer(case, "spend", position(case, coin.reference), coin.redeemer)
    )


def without_input(case: Case, reference: Reference) -> Case:
    """An input less, and its redeemer."""
    return _forgotten(_with_spent(case, (at for at in inputs(case) if at != reference)), reference)


def with_input_at(case: Case, old: Reference, new: Reference) -> Case:
    """An input that was made elsewhere; all else is the same, its redeemer too."""
    parts = opened(case)
    moved = {new if at == old else at: output for at, output in parts.resolved.items()}
    references = (new if at == old else at for at in inputs(case))
    return _with_spent(closed(replace(parts, resolved=moved)), references, {old: new})


def with_reference_input(case: Case, coin: Coin) -> Case:
    body = opened(case).body
    listed = (*items(body, REFERENCE_INPUTS), coin.reference.node())
    return _with_body(_known(case, coin), REFERENCE_INPUTS, ledger_set(listed))


def without_reference_input(case: Case, reference: Reference) -> Case:
    listed = (at for at in items(opened(case).body, REFERENCE_INPUTS) if at != reference.node())
    return _forgotten(_with_body(case, REFERENCE_INPUTS, ledger_set(listed)), reference)


def position(case: Case, reference: Reference) -> int:
    """By which index redeemers mean an input. ValueError: there is no such input."""
    return inputs(case).index(reference)


# --- Redeemers and scripts


def with_redeemer(case: Case, purpose: str, index: int, data: Node) -> Case:
    """Other data for a script; a new redeemer if there was none."""
    known = redeemers_of(case)
    key = (PURPOSES.index(purpose), index)
    units = known[key].items[1] if key in known else Array((0, 0))
    return _with_redeemers(case, {**known, key: Array((data, units))})


def without_redeemer(case: Case, purpose: str, index: int) -> Case:
    known = dict(redeemers_of(case))
    del known[PURPOSES.index(purpose), index]
    return _with_redeemers(case, known)


def with_script(case: Case, script: bytes) -> Case:
    """Another Plutus V3 script in the witness set."""
    parts = opened(case)
    scripts = ledger_set((*items(parts.witnesses, SCRIPTS), script))
    return closed(replace(parts, witnesses=parts.witnesses.with_value(SCRIPTS, scripts)))


# --- The rest of the body


def with_signer(case: Case, signer: bytes) -> Case:
    return with_signers(case, (*signers(case), signer))


def without_signer(case: Case, signer: bytes) -> Case:
    return with_signers(case, (other for other in signers(case) if other != signer))


def with_signers(case: Case, hashes: Iterable[bytes]) -> Case:
    return _with_body(case, SIGNERS, ledger_set(hashes))


def with_mint(case: Case, minted: Value, redeemers: Mapping[bytes, Node] | None = None) -> Case:
    """Exactly this is minted and burnt. Policies keep their redeemers, or get one of `redeemers`."""
    before = sorted({asset.policy for asset in mint(case)})
    after = sorted({asset.policy for asset, quantity in minted.items() if quantity})
    known = redeemers_of(case)
    kept = {key: entry for key, entry in known.items() if key[0] != MINTING}
    for index, policy in enumerate(after):
        if redeemers is not None and policy in redeemers:
            kept[MINTING, index] = Array((redeemers[policy], Array((0, 0))))
        elif policy in before and (MINTING, before.index(policy)) in known:
            kept[MINTING, index] = known[MINTING, before.index(policy)]
    return _with_body(_with_redeemers(case, kept), MINT, assets_node(minted) if after else None)


def with_withdrawal(case: Case, credential: Credential, lovelace: int = 0, data: Node = None) -> Case:
    """Rewards of a credential withdrawn, as the only withdrawal; with a redeemer, if it is a script."""
    account = bytes([(0xF if credential.is_script else 0xE) << 4 | MAINNET]) + credential.hash
    case = _with_body(case, WITHDRAWALS, Map(((account, lovelace),)))
    return case if data is None else with_redeemer(case, "withdraw", 0, data)


def with_certificate(case: Case, *certificate: Node) -> Case:
    """One certificate: its number, and what follows."""
    return _with_body(case, CERTIFICATES, ledger_set((Array(certificate),)))


def with_vote(case: Case, voter: tuple[int, bytes], action: Reference, vote: int = 1) -> Case:
    """A vote on an action; of voters 2 is a DRep's key, 4 a stake pool's."""
    ballot = Map(((action.node(), Array((vote, None))),))
    return _with_body(case, VOTES, Map(((Array(voter), ballot),)))


def with_proposal(case: Case, deposit: int = 100_000_000_000) -> Case:
    """The info action proposed."""
    account = bytes([0xE0 | MAINNET]) + bytes(28)
    anchor = Array(("https://example.org", bytes(32)))
    return _with_body(case, PROPOSALS, ledger_set((Array((deposit, account, Array((6,)), anchor)),)))


def with_validity(case: Case, **bounds: Unpack[Bounds]) -> Case:
    """Another first slot, or another first slot that is too late."""
    keys = {"lower": LOWER, "upper": UPPER}
    for name, time in bounds.items():
        assert time is None or isinstance(time, int)
        case = _with_body(case, keys[name], None if time is None else slot(time))
    return case


def with_donation(case: Case, lovelace: int) -> Case:
    return _with_body(case, DONATION, lovelace)


# --- Underneath


def _with_body(case: Case, key: int, node: Node) -> Case:
    """Something else under a key of the body; without the key, if it is nothing or empty."""
    parts = opened(case)
    empty = node is None or (isinstance(node, Tag) and node.value == Array(()))
    body = parts.body.without(key) if empty else parts.body.with_value(key, node)
    return closed(replace(parts, body=body))


def _with_spent(
    case: Case, references: Iterable[Reference], renamed: Mapping[Reference, Reference] | None = None
) -> Case:
    """Other inputs; the redeemers of those that stay, or are renamed, follow them."""
    before, after = inputs(case), sorted(references)
    known = redeemers_of(case)
    moved = {key: entry for key, entry in known.items() if key[0] != SPEND}
    for index, reference in enumerate(before):
        now = (renamed or {}).get(reference, reference)
        if now in after and (SPEND, index) in known:
            moved[SPEND, after.index(now)] = known[SPEND, index]
    return _with_body(_with_redeemers(case, moved), INPUTS, ledger_set(at.node() for at in after))


def _with_redeemers(case: Case, redeemers: Mapping[tuple[int, int], Array]) -> Case:
    parts = opened(case)
    pairs = tuple((Array(key), entry) for key, entry in sorted(redeemers.items(), key=lambda item: item[0]))
    witnesses = parts.witnesses.with_value(REDEEMERS, Map(pairs)) if pairs else parts.witnesses.without(REDEEMERS)
    return closed(replace(parts, witnesses=witnesses))


def _known(case: Case, coin: Coin) -> Case:
    parts = opened(case)
    output = as_map(decode(output_bytes(coin.output)))
    return closed(replace(parts, resolved={**parts.resolved, coin.reference: output}))


def _forgotten(case: Case, reference: Reference) -> Case:
    parts = opened(case)
    return closed(replace(parts, resolved={at: output for at, output in parts.resolved.items() if at != reference}))
