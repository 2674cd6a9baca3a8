"""What we watch: payment credentials, and Byron addresses."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from string import hexdigits
from typing import Self, TypeAlias

from indexer.chain.address import (
    NEEDLE_END,
    NEEDLE_START,
    Credential,
    CredentialKind,
    is_byron,
    needle,
    parse_address,
    payment_credential,
)


@dataclass(frozen=True, slots=True)
class CredentialWatch:
    """Every output whose payment credential is this hash (28 bytes); `kind` None: key and script alike."""

    hash: bytes
    kind: CredentialKind | None = None

    def __str__(self) -> str:
        return self.hash.hex()


@dataclass(frozen=True, slots=True)
class ByronWatch:
    """Every output at this Byron address (base58)."""

    address: str

    def __str__(self) -> str:
        return self.address


Watch: TypeAlias = CredentialWatch | ByronWatch


def parse_watch(text: str, kind: CredentialKind | None = None, network_id: int | None = None) -> Watch:
    """A watch as a person writes it: a 28-byte hash in hex, or an address.

    An address stands for its payment credential, whatever its stake part. `network_id` (1 mainnet, 0 test)
    is what an address must agree with. Raises ValueError with the reason.
    """
    if all(character in hexdigits for character in text):
        if len(text) != 56:
            raise ValueError(f"a payment credential is a 28-byte hash in hex, 56 digits; this has {len(text)}")
        return CredentialWatch(bytes.fromhex(text), kind)
    credential, network = parse_address(text)
    if None not in (network, network_id) and network != network_id:
        raise ValueError("the address belongs to another network")
    if credential is None:
        if kind is not None:
            raise ValueError("a Byron address has no credential kind: leave `kind` out")
        return ByronWatch(text)
    if kind not in (None, credential.kind):
        raise ValueError(f"the address is locked by a {credential.kind}: leave `kind` out, or correct it")
    return CredentialWatch(credential.hash, credential.kind)


@dataclass(frozen=True, slots=True)
class Watches:
    """A set of watches, ready to be asked about addresses."""

    kinds: dict[str, set[CredentialKind]] = field(default_factory=dict)  # needle -> kinds watched
    hashes: frozenset[bytes] = frozenset()
    byron: frozenset[str] = frozenset()

    @classmethod
    def of(cls, watches: Iterable[Watch]) -> Self:
        """Watches over the given credentials and addresses."""
        kinds: dict[str, set[CredentialKind]] = {}
        hashes, byron = set(), set()
        for watch in watches:
            match watch:
                case ByronWatch(address):
                    byron.add(address)
                case CredentialWatch(credential_hash, kind):
                    hashes.add(credential_hash)
                    kinds.setdefault(needle(credential_hash), set()).update(CredentialKind if kind is None else (kind,))
        return cls(kinds, frozenset(hashes), frozenset(byron))

    def match(self, address: str) -> Credential | bool:
        """The watched credential of an address, True for a watched Byron address, else False."""
        if is_byron(address):
            return address in self.byron
        start = address.find("1") + 1
        kinds = self.kinds.get(address[start + NEEDLE_START : start + NEEDLE_END])
        if kinds is None:
            return False
        credential = payment_credential(address)
        if credential is None or credential.kind not in kinds or credential.hash not in self.hashes:
            return False
        return credential
