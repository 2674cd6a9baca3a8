"""Transactions and signatures in files, as cardano-cli writes and reads them: JSON around the hex of CBOR."""

import json
import re
from pathlib import Path
from typing import Any, Final

from indexer import errors
from indexer.edge.builder.signing import Witness
from indexer.edge.files import make_folder, read_up_to, replaced
from indexer.errors import IndexerError

UNSIGNED: Final = "Unwitnessed Tx ConwayEra"
SIGNED: Final = "Witnessed Tx ConwayEra"
_MOST: Final = 1 << 20  # bytes of a file
_TRANSACTION: Final = re.compile(r"(Unwitnessed |Witnessed )?Tx \w+Era")
_WITNESS: Final = "TxWitness"
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
# A list of kind 0 (a key's signature) and the pair of key and signature (conway.cddl: vkeywitness).
_KEY_WITNESS: Final = re.compile(rb"\x82\x00\x82\x58\x20(.{32})\x58\x40(.{64})", re.DOTALL)


class EnvelopeUnusable(IndexerError):
    """A file does not hold a transaction, or a signature of one."""

    code = "transaction.file_unusable"
    hint = "give what --out wrote, or what `cardano-cli transaction sign` or `witness` wrote"


def read_transaction(path: Path) -> bytes:
    """The transaction in a file, in CBOR. Raises FileUnusable or EnvelopeUnusable."""
    kind, raw = _read(path)
    if not _TRANSACTION.fullmatch(kind):
        raise EnvelopeUnusable(f"{path} holds no transaction, but {kind[:60]!a}")
    return raw


def read_witness(path: Path) -> Witness:
    """The signature in a file. Raises FileUnusable or EnvelopeUnusable."""
    kind, raw = _read(path)
    found = key_witness(raw)
    if not kind.startswith(_WITNESS) or found is None:
        raise EnvelopeUnusable(f"{path} holds no signature by a key, but {kind[:60]!a}")
    return found


def key_witness(raw: bytes) -> Witness | None:
    """The signature that the CBOR of a witness is; None where it is none by a key."""
    found = _KEY_WITNESS.fullmatch(raw)
    return None if found is None else Witness(found[1], found[2])


def write_transaction(path: Path, transaction: bytes, kind: str, description: str, mode: int = 0o644) -> None:
    """Write a transaction, as a whole or not at all. Raises FileUnusable."""
    envelope = {"type": kind, "description": description, "cborHex": transaction.hex()}
    try:
        make_folder(path.parent)
    except OSError as error:
        raise errors.FileUnusable(f"cannot write {path}: {error.strerror}") from error
    with replaced(path, mode) as file:  # nothing secret: the chain will show it
        file.write(json.dumps(envelope, indent=4).encode() + b"\n")


def _read(path: Path) -> tuple[str, bytes]:
    text = read_up_to(path, _MOST)
    if len(text) > _MOST:
        raise EnvelopeUnusable(f"{path} is larger than {_MOST} bytes")
    try:
        envelope: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EnvelopeUnusable(f"{path} is not JSON") from error
    match envelope:
        case {"type": str(kind), "cborHex": str(content)} if _HEX.fullmatch(content):
            return kind, bytes.fromhex(content)
    raise EnvelopeUnusable(f"{path} has no `type`, or no hex under `cborHex`")
