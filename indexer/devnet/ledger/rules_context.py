"""Whether what a Plutus script is shown can be made of the transaction (Conway: `collectPlutusScriptsWithContext`)."""

from collections.abc import Iterator
from typing import Any

from indexer.chain.block import OutputReference
from indexer.devnet.ledger.addresses import reward_address_text
from indexer.devnet.ledger.credentials import is_byron
from indexer.devnet.ledger.refusal import Refusal
from indexer.devnet.ledger.sentences import refusal
from indexer.devnet.ledger.setting import Need, Setting
from indexer.devnet.ledger.shown import LANGUAGES, PURPOSES, shown_certificate, shown_reference
from indexer.devnet.ledger.transaction import Language, Purpose, VoteDelegation

_OLD = "Unsupported field in transaction: '{}'. Use plutus:v3 or higher, or remove this field."


def contexts(setting: Setting) -> Iterator[Refusal]:
    """Of the scripts that have to agree: which lack a redeemer; else what keeps the first from being run."""
    missing: list[Need] = []
    other: Refusal | None = None
    for need, script in setting.plutus:
        if need.pointer not in setting.redeemers:
            missing.insert(0, need)
        elif not missing and other is None:
            other = obstacle(setting, script.language)
    if missing:
        yield refusal(3109, {"missingRedeemers": [shown_need(need) for need in missing]})
    if other is not None:
        yield other


def obstacle(setting: Setting, language: Language) -> Refusal | None:
    """What keeps scripts in a language from being run on this transaction."""
    if language not in setting.parameters.cost_models:
        return refusal(3115, {"missingCostModels": [LANGUAGES[language]]})
    reason = next(_reasons(setting, language), None)
    return None if reason is None else refusal(3004, {"reason": reason})


def shown_need(need: Need) -> dict[str, Any]:
    """What a script is asked about, as Ogmios shows it."""
    purpose = {"purpose": PURPOSES[need.purpose]}
    match need.item:
        case OutputReference() as reference:
            return {**purpose, "outputReference": shown_reference(reference)}
        case bytes(policy) if need.purpose is Purpose.MINT:
            return {**purpose, "policy": policy.hex()}
        case bytes(account):
            return {**purpose, "rewardAccount": reward_address_text(account)}
        case certificate:
            return {**purpose, "certificate": shown_certificate(certificate)}


def _reasons(setting: Setting, language: Language) -> Iterator[str]:
    """What the context of a language cannot say, in the order in which the ledger says it, in Ogmios' words."""
    tx, old = setting.tx, language < Language.PLUTUS_V3
    if old and tx.donation:
        yield _OLD.format("donation")
    if old and tx.treasury is not None:
        yield _OLD.format("treasury")
    horizon = setting.timeline.horizon(setting.slot)
    for bound in (tx.invalid_before, tx.invalid_hereafter):
        if None not in (bound, horizon) and bound >= horizon:  # type: ignore[operator]
            yield (
                "Uncomputable slot arithmetic; transaction's validity bounds go beyond the foreseeable end of the "
                f"current era: slot {bound} is not before slot {horizon}"
            )
    for reference in (*setting.inputs, *setting.references):
        output = setting.seen.get(reference)
        if output is None:
            yield f"Unknown transaction input (missing from UTxO set): {reference}"
        elif language is Language.PLUTUS_V1 and output.datum is not None:
            yield "Inline datums not supported in plutus:v1. Use plutus:v2 or higher."
        elif is_byron(output.address):
            yield "Found inputs locked by a (legacy) Byron/Bootstrap address. Don't use those."
    for output in tx.outputs:
        if language is Language.PLUTUS_V1 and output.datum is not None:
            yield "Inline datums not supported in plutus:v1. Use plutus:v2 or higher."
        if is_byron(output.address):
            yield "Found outputs to a (legacy) Byron/Bootstrap address. Don't use those."
    if old and any(isinstance(certificate, VoteDelegation) for certificate in tx.certificates):
        yield (
            "A certificate in the transaction isn't supported in neither plutus:v1 nor plutus:v2. "
            "Use plutus:v3 or higher."
        )
