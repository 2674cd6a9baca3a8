"""Kupo's patterns: which outputs are meant.

Credentials are 28 bytes: whether of a key or a script, and on which network, makes no difference.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass
from hashlib import blake2b
from typing import Any, Final, TypeAlias

from indexer.chain.block import OutputReference
from indexer.devnet.kupo.addresses import delegation, is_byron, payment
from indexer.devnet.kupo.rows import Row
from indexer.devnet.ledger.addresses import is_address
from indexer.devnet.ledger.spelling import unbase58, unbech32

_KEYS: Final = {"vk", "addr_vk", "stake_vk"}  # bech32 prefixes of 32 bytes, to be hashed ...
_HASHES: Final = {"vkh", "addr_vkh", "stake_vkh", "script"}  # ... and of 28


@dataclass(frozen=True, slots=True)
class Anything:
    """`*`, or `*/*`: any output, but for those to Byron addresses."""

    byron: bool = True

    def __str__(self) -> str:
        return "*" if self.byron else "*/*"


@dataclass(frozen=True, slots=True)
class Exact:
    """One address."""

    address: bytes

    def __str__(self) -> str:
        return self.address.hex()


@dataclass(frozen=True, slots=True)
class Payment:
    """Addresses with this payment credential."""

    hash: bytes

    def __str__(self) -> str:
        return f"{self.hash.hex()}/*"


@dataclass(frozen=True, slots=True)
class Delegation:
    """Addresses with this stake credential."""

    hash: bytes

    def __str__(self) -> str:
        return f"*/{self.hash.hex()}"


@dataclass(frozen=True, slots=True)
class Both:
    """Addresses with these two credentials."""

    payment: bytes
    delegation: bytes

    def __str__(self) -> str:
        return f"{self.payment.hex()}/{self.delegation.hex()}"


@dataclass(frozen=True, slots=True)
class OfTransaction:
    """Every output of a transaction."""

    id: bytes

    def __str__(self) -> str:
        return f"*@{self.id.hex()}"


@dataclass(frozen=True, slots=True)
class OneOutput:
    """One output of a transaction."""

    id: bytes
    index: int

    def __str__(self) -> str:
        return f"{self.index}@{self.id.hex()}"


@dataclass(frozen=True, slots=True)
class Policy:
    """Outputs that hold something of this policy."""

    id: bytes

    def __str__(self) -> str:
        return f"{self.id.hex()}.*"


@dataclass(frozen=True, slots=True)
class Asset:
    """Outputs that hold this asset."""

    policy: bytes
    name: bytes

    def __str__(self) -> str:
        return f"{self.policy.hex()}.{self.name.hex()}"


@dataclass(frozen=True, slots=True)
class Labelled:
    """Outputs of transactions with metadata under this label. Good for indexing only."""

    label: int

    def __str__(self) -> str:
        return f"{{{self.label}}}"


Pattern: TypeAlias = (
    Anything | Exact | Payment | Delegation | Both | OfTransaction | OneOutput | Policy | Asset | Labelled
)
_ORDER: Final = (Anything, Exact, Payment, Delegation, Both, OfTransaction, OneOutput, Policy, Asset, Labelled)


class NotAPattern(Exception):
    """The text is none of Kupo's patterns."""


def parse(text: str) -> Pattern:
    """The pattern that a text stands for. Raises NotAPattern."""
    for reader in (_anything, _address, _credentials, _output_reference, _asset, _label):
        if (found := reader(text)) is not None:
            return found
    raise NotAPattern(text)


def ordered(patterns: Iterable[Pattern]) -> list[Pattern]:
    """In the order in which Kupo lists them."""
    return sorted(patterns, key=lambda pattern: (_ORDER.index(type(pattern)), astuple(pattern)))


def question(pattern: Pattern) -> Callable[[Row], bool]:
    """The question whether an output is meant."""
    match pattern:
        case Anything(byron=True):
            return lambda _: True
        case Anything():
            return lambda row: not is_byron(row.output.address)
        case Exact(address):
            return lambda row: row.output.address == address
        case Payment(hash_):
            return lambda row: payment(row.output.address) == hash_
        case Delegation(hash_):
            return lambda row: delegation(row.output.address) == hash_
        case Both(paying, delegating):
            both = (paying, delegating)
            return lambda row: (payment(row.output.address), delegation(row.output.address)) == both
        case OfTransaction(id_):
            return lambda row: row.reference.transaction_id == id_
        case OneOutput(id_, index):
            reference = OutputReference(id_, index)
            return lambda row: row.reference == reference
        case Policy(id_):
            return lambda row: id_ in row.output.assets
        case Asset(policy, name):
            return lambda row: name in row.output.assets.get(policy, {})
        case Labelled(label):
            return lambda row: label in row.labels


def includes(wide: Pattern, narrow: Pattern) -> bool:
    """Whether all that `narrow` matches is matched by `wide`."""
    match wide, narrow:
        case Anything(byron), Exact(address):
            return byron or not is_byron(address)
        case Anything(byron), _:
            return byron or narrow != Anything()
        case Payment(hash_), Exact(address):
            return payment(address) == hash_
        case Payment(hash_), Both(other, _):
            return hash_ == other
        case Delegation(hash_), Exact(address):
            return delegation(address) == hash_
        case Delegation(hash_), Both(_, other):
            return hash_ == other
        case Both(paying, delegating), Exact(address):
            return (paying, delegating) == (payment(address), delegation(address))
        case OfTransaction(id_), OneOutput(other, _):
            return id_ == other
        case Policy(id_), Asset(other, _):
            return id_ == other
    return wide == narrow


def overlaps(one: Pattern, other: Pattern) -> bool:
    """Whether Kupo takes it that both may match the same output."""
    match one, other:
        case Both(paying, delegating), Both(also_paying, also_delegating):
            return paying == also_paying or delegating == also_delegating
    return includes(one, other) or includes(other, one)


def _anything(text: str) -> Pattern | None:
    return {"*": Anything(), "*/*": Anything(byron=False)}.get(text)


def _address(text: str) -> Pattern | None:
    """An address in hex, bech32 or base58; a stake address only in bech32."""
    raw = _hex(text)
    if raw is None or not is_address(raw):
        prefix, raw = _bech32(text)
        if prefix in ("stake", "stake_test"):
            return Delegation(raw[1:])
        if prefix not in ("addr", "addr_test"):
            raw = _attempt(unbase58, text) or b""
    return Exact(raw) if is_address(raw) else None


def _credentials(text: str) -> Pattern | None:
    match text.split("/"):
        case ["*", right]:
            delegating = _credential(right)
            return None if delegating is None else Delegation(delegating)
        case [left, "*"]:
            paying = _credential(left)
            return None if paying is None else Payment(paying)
        case [left, right]:
            paying, delegating = _credential(left), _credential(right)
            return None if paying is None or delegating is None else Both(paying, delegating)
    return None


def _credential(text: str) -> bytes | None:
    """A hash, or a key that is hashed here."""
    if (raw := _hex(text)) is not None:
        is_key, is_hash = len(raw) == 32, len(raw) == 28
    else:
        prefix, raw = _bech32(text)
        is_key, is_hash = len(raw) == 32 and prefix in _KEYS, len(raw) == 28 and prefix in _HASHES
    if is_key:
        return blake2b(raw, digest_size=28).digest()
    return raw if is_hash else None


def _output_reference(text: str) -> Pattern | None:
    found = re.fullmatch(r"(\*|[0-9]{1,5})@([0-9a-fA-F]{64})", text)
    if found is None:
        return None
    id_ = bytes.fromhex(found[2])
    return OfTransaction(id_) if found[1] == "*" else OneOutput(id_, int(found[1]))


def _asset(text: str) -> Pattern | None:
    found = re.fullmatch(r"([0-9a-fA-F]{56})\.(\*|(?:[0-9a-fA-F]{2}){0,32})", text)
    if found is None:
        return None
    policy = bytes.fromhex(found[1])
    return Policy(policy) if found[2] == "*" else Asset(policy, bytes.fromhex(found[2]))


def _label(text: str) -> Pattern | None:
    found = re.fullmatch(r"\{([0-9]{1,20})\}", text)
    return None if found is None else Labelled(int(found[1]))


def _hex(text: str) -> bytes | None:
    return bytes.fromhex(text) if re.fullmatch("(?:[0-9a-fA-F]{2})+", text) else None


def _bech32(text: str) -> tuple[str, bytes]:
    return _attempt(unbech32, text) or ("", b"")


def _attempt(reader: Callable[[str], Any], text: str) -> Any:
    """What a reader makes of a text; None where it is nothing of that kind."""
    try:
        return reader(text)
    except ValueError:
        return None
