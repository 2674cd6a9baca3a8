"""What a transaction may take and make: Conway's rule UTXO (cardano-ledger: `babbageUtxoValidation`), in its order."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from indexer.devnet.ledger.addresses import address_text, network_of, reward_address_text
from indexer.devnet.ledger.balance import consumed, produced
from indexer.devnet.ledger.credentials import address_order, attributes_size, is_byron
from indexer.devnet.ledger.refusal import Refusal
from indexer.devnet.ledger.rules_collateral import collateral
from indexer.devnet.ledger.sentences import refusal
from indexer.devnet.ledger.setting import Setting
from indexer.devnet.ledger.shown import (
    NETWORKS,
    shown_lovelace,
    shown_output,
    shown_references,
    shown_validity,
    shown_value,
    withdrawal_order,
)
from indexer.devnet.ledger.transaction import Output

BOOTSTRAP_ATTRIBUTES: Final = 64  # bytes that the attributes of a Byron address may take


def utxo(setting: Setting) -> Iterator[Refusal]:
    """All of UTXO but its scripts."""
    yield from _disjoint(setting)
    yield from _interval(setting)
    if not setting.inputs:
        yield refusal(3121)
    yield from _fee(setting)
    if setting.redeemers:
        yield from collateral(setting)
    yield from _unknown(setting)
    yield from _conserved(setting)
    yield from _outputs(setting)
    yield from _networks(setting)
    yield from _sizes(setting)


def _disjoint(setting: Setting) -> Iterator[Refusal]:
    # Since protocol 11 the ledger asks this of transactions with Plutus V3 scripts only, and says 3004. No builder
    # gains from an input that is also a reference, so the devnet asks it of all, and says what is wrong.
    both = set(setting.inputs) & set(setting.references)
    if both:
        yield refusal(3164, {"conflictingReferences": shown_references(both)})


def _interval(setting: Setting) -> Iterator[Refusal]:
    tx, slot = setting.tx, setting.slot
    too_early = tx.invalid_before is not None and slot < tx.invalid_before
    too_late = tx.invalid_hereafter is not None and slot >= tx.invalid_hereafter
    if too_early or too_late:
        yield refusal(3118, {"validityInterval": shown_validity(tx), "currentSlot": slot})


def _fee(setting: Setting) -> Iterator[Refusal]:
    tx = setting.tx
    least = setting.parameters.minimum_fee(tx.size, setting.units, setting.reference_scripts_size)
    if tx.fee < least:
        yield refusal(3122, {"minimumRequiredFee": shown_lovelace(least), "providedFee": shown_lovelace(tx.fee)})


def _unknown(setting: Setting) -> Iterator[Refusal]:
    named = {*setting.inputs, *setting.references, *setting.collaterals}
    unknown = [reference for reference in named if reference not in setting.utxo]
    if unknown:
        yield refusal(3117, {"unknownOutputReferences": shown_references(unknown)})


def _conserved(setting: Setting) -> Iterator[Refusal]:
    taken, made = consumed(setting), produced(setting)
    if taken != made:
        shown = {"valueConsumed": shown_value(*taken), "valueProduced": shown_value(*made)}
        yield refusal(3123, shown)


def _outputs(setting: Setting) -> Iterator[Refusal]:
    parameters = setting.parameters
    due = [(output, parameters.minimum_lovelace(output)) for output in setting.created]
    poor = [(output, least) for output, least in due if output.lovelace < least]
    if poor:
        shown = [{"output": _shown(output), "minimumRequiredValue": shown_lovelace(least)} for output, least in poor]
        yield refusal(3125, {"insufficientlyFundedOutputs": shown})
    large = [output for output in setting.created if output.value_size > parameters.max_value_size]
    if large:
        yield refusal(3120, {"excessivelyLargeOutputs": [_shown(output) for output in reversed(large)]})
    byron = [output for output in setting.created if is_byron(output.address)]
    long = [output for output in byron if attributes_size(output.address) > BOOTSTRAP_ATTRIBUTES]
    if long:
        yield refusal(3126, {"bootstrapOutputs": [_shown(output) for output in long]})


def _shown(output: Output) -> dict[str, Any]:
    return shown_output(output, native_cbor=True)


def _networks(setting: Setting) -> Iterator[Refusal]:
    expected = setting.network
    addresses = {output.address for output in setting.created if network_of(output.address) != expected}
    if addresses:
        texts = map(address_text, sorted(addresses, key=address_order))
        yield _wrong_network(setting, "address", texts)
    accounts = {address for address in setting.withdrawals if network_of(address) != expected}
    if accounts:
        texts = map(reward_address_text, sorted(accounts, key=withdrawal_order))
        yield _wrong_network(setting, "rewardAccount", texts)
    if setting.tx.network not in (None, expected):
        yield _wrong_network(setting, "transaction")


def _wrong_network(setting: Setting, kind: str, culprits: Iterable[str] | None = None) -> Refusal:
    named = {} if culprits is None else {"invalidEntities": list(culprits)}
    return refusal(3124, {"discriminatedType": kind, **named, "expectedNetwork": NETWORKS[setting.network]})


def _sizes(setting: Setting) -> Iterator[Refusal]:
    parameters, size = setting.parameters, setting.tx.size
    if size > parameters.max_size:
        sizes = {"measuredTransactionSize": {"bytes": size}, "maximumTransactionSize": {"bytes": parameters.max_size}}
        yield refusal(3119, sizes)
    if not setting.units.within(parameters.max_units):
        units = {"providedExecutionUnits": setting.units.shown(), "maximumExecutionUnits": parameters.max_units.shown()}
        yield refusal(3134, units)
    count = len(setting.collaterals)
    if count > parameters.max_collaterals:
        counts = {"maximumCollateralInputs": parameters.max_collaterals, "countedCollateralInputs": count}
        yield refusal(3131, counts)
