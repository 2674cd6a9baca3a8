"""What `keys new` answers: a new key pair, by all names but the secret one."""

from pathlib import Path

from indexer import errors
from indexer.chain.network import Network
from indexer.cli.outputs import Output
from indexer.edge.keys import generate, verification_path, write_key
from indexer.plutus.address import address_text
from indexer.plutus.ledger import Address, VerificationKey


class KeyPair(Output):
    """A new key pair. An oracle is named by its public key; `address` is where a keeper's or funder's coins go."""

    kind: str
    signing_key_file: str
    verification_key_file: str
    public_key: str
    key_hash: str
    network: str | None
    address: str | None

    def told(self) -> str:
        """In words."""
        lines = [
            f"signing key       {self.signing_key_file} (secret: keep a copy where nobody else can read it)",
            f"verification key  {self.verification_key_file}",
            f"public key        {self.public_key}",
            f"key hash          {self.key_hash}",
        ]
        return "\n".join([*lines, f"address           {self.address} ({self.network})"] if self.address else lines)


def make(kind: str, path: Path, network: Network | None) -> KeyPair:
    """Make a key pair, its secret half at `path`. Raises KeyExists or FileUnusable."""
    if not path.name:
        raise errors.FileUnusable(f"{path} is a folder", hint="give a name for the signing key, such as oracle.skey")
    if path.suffix == ".vkey":
        raise errors.FileUnusable(f"{path} is a name for a verification key", hint="give a name that ends in .skey")
    key = generate()
    write_key(key, path, kind.capitalize())
    address = None if network is None else address_text(Address(VerificationKey(key.hash), None), network.id)
    return KeyPair(
        kind=kind,
        signing_key_file=str(path),
        verification_key_file=str(verification_path(path)),
        public_key=key.public.hex(),
        key_hash=key.hash.hex(),
        network=None if network is None else network.name,
        address=address,
    )
