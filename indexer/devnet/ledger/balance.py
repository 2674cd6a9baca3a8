"""What comes into a transaction and what goes out of it; both have to be the same (Mary: `getConsumedMaryValue`)."""

from collections import Counter
from collections.abc import Iterable
from typing import TypeAlias

from indexer.devnet.ledger.setting import Setting
from indexer.devnet.ledger.transaction import Assets, Credential, Deregistration, Output, Registration

# Lovelace, and quantities by policy and asset name; none of them is 0.
Value: TypeAlias = tuple[int, dict[bytes, dict[bytes, int]]]


def consumed(setting: Setting) -> Value:
    """Inputs, what is minted, withdrawals, and deposits given back."""
    tx = setting.tx
    lovelace, tokens = total(setting.spent.values(), minted=tx.mint)
    return lovelace + sum(tx.withdrawals.values()) + refunds(setting), tokens


def produced(setting: Setting) -> Value:
    """Outputs, what is burnt, the fee, deposits and a donation."""
    tx = setting.tx
    burnt = {policy: {name: -quantity for name, quantity in names.items()} for policy, names in tx.mint.items()}
    lovelace, tokens = total(tx.outputs, minted=burnt)
    return lovelace + tx.fee + deposits(setting) + tx.donation, tokens


def deposits(setting: Setting) -> int:
    """Lovelace put down for registrations, which is what the protocol asks, whatever they say."""
    count = sum(isinstance(certificate, Registration) for certificate in setting.tx.certificates)
    return count * setting.parameters.key_deposit


def refunds(setting: Setting) -> int:
    """Lovelace given back: what was put down at the time, or in this transaction (`shelleyTotalRefundsTxCerts`)."""
    refunded, new = 0, set[Credential]()
    for certificate in setting.tx.certificates:
        match certificate:
            case Registration(credential):
                new.add(credential)
            case Deregistration(credential) if credential in new:
                new.remove(credential)
                refunded += setting.parameters.key_deposit
            case Deregistration(credential) if credential in setting.accounts:
                refunded += setting.accounts[credential].deposit
    return refunded


def total(outputs: Iterable[Output], minted: Assets | None = None) -> Value:
    """What several outputs hold together, with those quantities of `minted` that are positive."""
    lovelace, tokens = 0, Counter[tuple[bytes, bytes]]()
    for output in outputs:
        lovelace += output.lovelace
        tokens.update(_flat(output.assets))
    tokens.update(_flat(minted or {}))
    nested: dict[bytes, dict[bytes, int]] = {}
    for (policy, name), quantity in sorted(tokens.items()):
        nested.setdefault(policy, {})[name] = quantity
    return lovelace, nested


def _flat(assets: Assets) -> dict[tuple[bytes, bytes], int]:
    return {
        (policy, name): quantity for policy, names in assets.items() for name, quantity in names.items() if quantity > 0
    }
