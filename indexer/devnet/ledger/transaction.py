"""A Conway transaction as its bytes say it. Whatever is hashed, sized or shown again is kept as it stood there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from indexer.chain.block import OutputReference
from indexer.chain.point import Slot

Assets: TypeAlias = Mapping[bytes, Mapping[bytes, int]]  # quantities by policy (28 bytes) and asset name (up to 32)


class Language(IntEnum):
    """What a script is written in; the number is the byte that its hash begins with."""

    NATIVE = 0
    PLUTUS_V1 = 1
    PLUTUS_V2 = 2
    PLUTUS_V3 = 3


class Purpose(IntEnum):
    """What a redeemer is for; the number is the tag in its key (conway.cddl: redeemer_tag)."""

    SPEND = 0
    MINT = 1
    PUBLISH = 2
    WITHDRAW = 3
    VOTE = 4
    PROPOSE = 5


@dataclass(frozen=True, slots=True)
class Credential:
    """Who has a right: a key, or a script."""

    hash: bytes  # blake2b-224 (28 bytes)
    is_script: bool


@dataclass(frozen=True, slots=True)
class Script:
    """A script, and its hash: blake2b-224 of the language's byte and `raw`."""

    language: Language
    raw: bytes  # Plutus: what the byte string holds; native: its CBOR
    hash: bytes


@dataclass(frozen=True, slots=True)
class Output:
    """An output, with all that it carries."""

    raw: bytes  # its CBOR as it stood in the transaction
    address: bytes
    lovelace: int
    assets: Assets
    value_size: int  # bytes of the value's CBOR, as the ledger counts them
    datum_hash: bytes | None = None  # of a datum that stands elsewhere
    datum: bytes | None = None  # CBOR of an inline datum
    script: Script | None = None


@dataclass(frozen=True, slots=True)
class Redeemer:
    """An argument for a script, and the units it may use."""

    purpose: Purpose
    index: int
    data: bytes  # CBOR
    memory: int
    steps: int


@dataclass(frozen=True, slots=True)
class KeyWitness:
    """A signature over the transaction's id by the key of an address, or a required signer."""

    key: bytes  # Ed25519 (32 bytes)
    signature: bytes  # 64 bytes


@dataclass(frozen=True, slots=True)
class BootstrapWitness:
    """The same for a Byron address, whose root its four parts make."""

    key: bytes
    signature: bytes
    chain_code: bytes  # 32 bytes
    attributes: bytes  # CBOR


@dataclass(frozen=True, slots=True)
class Registration:
    """A stake credential is registered. `deposit` is None where the certificate does not name it (kind 0)."""

    credential: Credential
    deposit: int | None


@dataclass(frozen=True, slots=True)
class Deregistration:
    """A stake credential is given up. `refund` is None where the certificate does not name it (kind 1)."""

    credential: Credential
    refund: int | None


@dataclass(frozen=True, slots=True)
class VoteDelegation:
    """A stake credential delegates its vote (kind 9), without which rewards cannot be withdrawn."""

    credential: Credential
    raw: bytes  # CBOR of the DRep


@dataclass(frozen=True, slots=True)
class UnknownCertificate:
    """A certificate that the devnet does not model; `kind` is its first number."""

    kind: int


Certificate: TypeAlias = Registration | Deregistration | VoteDelegation | UnknownCertificate


@dataclass(frozen=True, slots=True)
class Witnesses:
    """What stands beside the body to prove it."""

    keys: tuple[KeyWitness, ...] = ()
    bootstraps: tuple[BootstrapWitness, ...] = ()
    scripts: tuple[Script, ...] = ()
    datums: Mapping[bytes, bytes] = field(default_factory=dict)  # CBOR, by blake2b-256 of it
    redeemers: tuple[Redeemer, ...] = ()
    raw_datums: bytes | None = None  # CBOR of the field as it stood there; None where it is absent
    raw_redeemers: bytes | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a transaction says. Collections keep the order of the bytes; an absent field is empty or None."""

    raw: bytes  # the whole of it
    size: int  # bytes, as fees and limits count them: without the one of the validity flag
    id: bytes  # blake2b-256 of the body's bytes
    is_valid: bool
    inputs: tuple[OutputReference, ...]
    outputs: tuple[Output, ...]
    fee: int
    witnesses: Witnesses
    invalid_before: Slot | None = None
    invalid_hereafter: Slot | None = None
    certificates: tuple[Certificate, ...] = ()
    withdrawals: Mapping[bytes, int] = field(default_factory=dict)  # lovelace by reward address (29 bytes)
    mint: Assets = field(default_factory=dict)
    collaterals: tuple[OutputReference, ...] = ()
    collateral_return: Output | None = None
    total_collateral: int | None = None
    references: tuple[OutputReference, ...] = ()
    required_signers: tuple[bytes, ...] = ()
    network: int | None = None
    script_integrity_hash: bytes | None = None
    auxiliary_data_hash: bytes | None = None
    auxiliary_data: bytes | None = None  # CBOR
    auxiliary_scripts: tuple[Script, ...] = ()
    treasury: int | None = None
    donation: int = 0
    governance: tuple[str, ...] = ()  # names of fields that say something about votes and proposals

    @property
    def spends(self) -> tuple[OutputReference, ...]:
        """What it takes out of the ledger: its inputs, or its collaterals where its scripts fail."""
        return self.inputs if self.is_valid else self.collaterals
