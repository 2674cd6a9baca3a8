"""Transactions, outputs and what is in them as Ogmios v7.0 shows them: objects for JSON, keys in its order.

Sets and maps come in the ledger's order, whatever the order of the bytes: hashes and references ascend, credentials of
scripts come before those of keys. Hashes and bytes are lower-case base16, numbers integers of any size.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final, TypeAlias

from indexer.chain.block import OutputReference
from indexer.devnet.ledger.addresses import address_text, reward_address_text, stake_credential
from indexer.devnet.ledger.certificates import abstains, drep_credential
from indexer.devnet.ledger.metadata import auxiliary_data
from indexer.devnet.ledger.scripts import After, All, Before, Clause, Signature, Some, clauses_of
from indexer.devnet.ledger.scripts import Any as AnyOf
from indexer.devnet.ledger.shown_metadata import shown_metadatum
from indexer.devnet.ledger.transaction import (
    Assets,
    BootstrapWitness,
    Certificate,
    Credential,
    Deregistration,
    KeyWitness,
    Language,
    Output,
    Purpose,
    Redeemer,
    Registration,
    Script,
    Transaction,
    UnknownCertificate,
    VoteDelegation,
)

Json: TypeAlias = dict[str, Any]

LANGUAGES: Final = {
    Language.NATIVE: "native",
    Language.PLUTUS_V1: "plutus:v1",
    Language.PLUTUS_V2: "plutus:v2",
    Language.PLUTUS_V3: "plutus:v3",
}
PURPOSES: Final = {purpose: purpose.name.lower() for purpose in Purpose}
NETWORKS: Final = ("testnet", "mainnet")


def shown_transaction(tx: Transaction) -> Json:
    """A transaction as it stands in a block. It has to be one that the devnet models."""
    body: Json = {
        "id": tx.id.hex(),
        "spends": "inputs" if tx.is_valid else "collaterals",
        "inputs": shown_references(tx.inputs),
        "references": shown_references(tx.references),
        "outputs": [shown_output(output) for output in tx.outputs],
        "collaterals": shown_references(tx.collaterals),
        "collateralReturn": tx.collateral_return and shown_output(tx.collateral_return),
        "totalCollateral": _lovelace(tx.total_collateral),
        "certificates": [shown_certificate(certificate) for certificate in tx.certificates],
        "withdrawals": shown_withdrawals(tx.withdrawals),
        "mint": shown_assets(tx.mint),
        "requiredExtraSignatories": [hash_.hex() for hash_ in sorted(tx.required_signers)],
        "requiredExtraScripts": sorted({script.hash.hex() for script in tx.auxiliary_scripts}),
        "network": None if tx.network is None else NETWORKS[tx.network],
        "scriptIntegrityHash": tx.script_integrity_hash and tx.script_integrity_hash.hex(),
        "fee": shown_lovelace(tx.fee),
        "validityInterval": shown_validity(tx),
        "treasury": _present({"value": _lovelace(tx.treasury), "donation": _lovelace(tx.donation or None)}),
        "metadata": None if tx.auxiliary_data is None else shown_metadata(tx.auxiliary_data),
    }
    always = ("inputs", "signatories")
    witnesses: Json = {
        "signatories": shown_signatories(tx.witnesses.keys, tx.witnesses.bootstraps),
        "scripts": shown_scripts((*tx.auxiliary_scripts, *tx.witnesses.scripts)),
        "datums": {hash_.hex(): datum.hex() for hash_, datum in sorted(tx.witnesses.datums.items())},
        "redeemers": [shown_redeemer(r) for r in sorted(tx.witnesses.redeemers, key=lambda r: (r.purpose, r.index))],
    }
    return {key: value for key, value in {**body, **witnesses}.items() if key in always or value not in (None, [], {})}


def shown_reference(reference: OutputReference) -> Json:
    """Which output."""
    return {"transaction": {"id": reference.transaction_id.hex()}, "index": reference.index}


def shown_references(references: Iterable[OutputReference]) -> list[Json]:
    """Which outputs, in the ledger's order."""
    return [shown_reference(reference) for reference in sorted(references)]


def shown_output(output: Output, *, native_cbor: bool = False) -> Json:
    """An output; with `native_cbor` as answers to `utxo` and errors show it, where native scripts have bytes too."""
    shown: Json = {
        "address": address_text(output.address),
        "value": shown_value(output.lovelace, output.assets),
        "datumHash": output.datum_hash and output.datum_hash.hex(),
        "datum": None if output.datum is None else output.datum.hex(),
        "script": output.script and shown_script(output.script, native_cbor=native_cbor),
    }
    return _present(shown)


def shown_utxo(utxo: Mapping[OutputReference, Output]) -> list[Json]:
    """Outputs with their references, flat, as `queryLedgerState/utxo` answers."""
    found = sorted(utxo.items(), key=lambda item: item[0])
    return [{**shown_reference(reference), **shown_output(output, native_cbor=True)} for reference, output in found]


def shown_lovelace(lovelace: int) -> Json:
    """An amount of ada."""
    return {"ada": {"lovelace": lovelace}}


def shown_value(lovelace: int, assets: Assets) -> Json:
    """Ada, and tokens by policy and name."""
    return {**shown_lovelace(lovelace), **shown_assets(assets)}


def shown_assets(assets: Assets) -> Json:
    """Tokens alone."""
    return {
        policy.hex(): {name.hex(): quantity for name, quantity in sorted(names.items())}
        for policy, names in sorted(assets.items())
    }


def shown_validity(tx: Transaction) -> Json:
    """The slots between which a transaction is valid; no bound, no key."""
    return _present({"invalidBefore": tx.invalid_before, "invalidAfter": tx.invalid_hereafter})


def shown_script(script: Script, *, native_cbor: bool = False) -> Json:
    """A script: Plutus as its bytes, native as clauses, with `native_cbor` both."""
    if script.language is not Language.NATIVE:
        return {"language": LANGUAGES[script.language], "cbor": script.raw.hex()}
    shown: Json = {"language": LANGUAGES[script.language], "json": shown_clause(clauses_of(script.raw))}
    return {**shown, "cbor": script.raw.hex()} if native_cbor else shown


def shown_scripts(scripts: Iterable[Script]) -> Json:
    """Scripts by their hashes."""
    return {script.hash.hex(): shown_script(script) for script in sorted(scripts, key=lambda script: script.hash)}


def shown_clause(clause: Clause) -> Json:
    """What a native script asks for."""
    match clause:
        case Signature(key_hash):
            return {"clause": "signature", "from": key_hash.hex()}
        case All(clauses):
            return {"clause": "all", "from": [shown_clause(inner) for inner in clauses]}
        case AnyOf(clauses):
            return {"clause": "any", "from": [shown_clause(inner) for inner in clauses]}
        case Some(at_least, clauses):
            return {"clause": "some", "atLeast": at_least, "from": [shown_clause(inner) for inner in clauses]}
        case Before(slot):
            return {"clause": "before", "slot": slot}
        case After(slot):
            return {"clause": "after", "slot": slot}


def shown_redeemer(redeemer: Redeemer) -> Json:
    """An argument for a script, and what it may use."""
    return {
        "validator": shown_pointer(redeemer.purpose, redeemer.index),
        "redeemer": redeemer.data.hex(),
        "executionUnits": shown_units(redeemer.memory, redeemer.steps),
    }


def shown_pointer(purpose: Purpose, index: int) -> Json:
    """Which script runs, by what it runs for."""
    return {"index": index, "purpose": PURPOSES[purpose]}


def shown_units(memory: int, steps: int) -> Json:
    """Execution units."""
    return {"memory": memory, "cpu": steps}


def shown_withdrawals(withdrawals: Mapping[bytes, int]) -> Json:
    """What is withdrawn, by account."""
    accounts = sorted(withdrawals, key=withdrawal_order)
    return {reward_address_text(account): shown_lovelace(withdrawals[account]) for account in accounts}


def withdrawal_order(account: bytes) -> tuple[int, bool, bytes]:
    """The ledger's order of withdrawals, by which redeemers count too: test networks, scripts, the hash."""
    credential = stake_credential(account)
    return account[0] & 1, not credential.is_script, credential.hash


def shown_certificate(certificate: Certificate) -> Json:
    """A certificate of those the devnet models. Raises ValueError for others."""
    match certificate:
        case Registration(credential, deposit):
            shown = {"type": "stakeCredentialRegistration", **shown_credential("credential", credential)}
            return _present({**shown, "deposit": _lovelace(deposit)})
        case Deregistration(credential, refund):
            shown = {"type": "stakeCredentialDeregistration", **shown_credential("credential", credential)}
            return _present({**shown, "deposit": _lovelace(refund)})
        case VoteDelegation(credential, drep):
            shown = {"type": "stakeDelegation", **shown_credential("credential", credential)}
            return {**shown, "delegateRepresentative": _drep(drep)}
        case UnknownCertificate(kind):
            raise ValueError(f"certificates of kind {kind} are not modelled")


def shown_credential(name: str, credential: Credential) -> Json:
    """A credential: two keys of the object it stands in, the second with this name."""
    return {"from": "script" if credential.is_script else "verificationKey", name: credential.hash.hex()}


def shown_signatories(keys: Iterable[KeyWitness], bootstraps: Iterable[BootstrapWitness]) -> list[Json]:
    """Who has signed."""
    shown: list[Json] = [
        {"key": witness.key.hex(), "signature": witness.signature.hex()} for witness in sorted(keys, key=_key_hash)
    ]
    for bootstrap in bootstraps:
        more = {"chainCode": bootstrap.chain_code.hex(), "addressAttributes": bootstrap.attributes.hex()}
        signed = {"key": bootstrap.key.hex(), "signature": bootstrap.signature.hex()}
        shown.append({**signed, **{name: text for name, text in more.items() if text}})
    return shown


def shown_metadata(raw: bytes) -> Json:
    """The metadata in auxiliary data, and the hash of all of it."""
    labels = {str(label): shown_metadatum(value) for label, value in auxiliary_data(raw).metadata.items()}
    return {"hash": blake2b(raw, digest_size=32).hexdigest(), "labels": labels}


def _drep(raw: bytes) -> Json:
    credential = drep_credential(raw)
    if credential:
        return {"type": "registered", **shown_credential("id", credential)}
    return {"type": "abstain" if abstains(raw) else "noConfidence"}


def _key_hash(witness: KeyWitness) -> bytes:
    return blake2b(witness.key, digest_size=28).digest()


def _lovelace(amount: int | None) -> Json | None:
    return None if amount is None else shown_lovelace(amount)


def _present(fields: Json) -> Json:
    return {key: value for key, value in fields.items() if value is not None}
