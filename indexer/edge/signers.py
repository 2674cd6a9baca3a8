"""Who signs for the keeper: a key in a file, or a command that keeps it elsewhere.

A command gets one line of JSON, `{"transaction_id": HEX, "cbor": HEX}`, and answers `{"key": HEX, "signature": HEX}`,
or a witness as cardano-cli writes it. Whatever it answers is verified before it is used.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from indexer.edge import program
from indexer.edge.builder.signing import Witness, sign, transaction_id, verifies
from indexer.edge.envelopes import key_witness
from indexer.edge.keys import Key
from indexer.errors import IndexerError
from indexer.ogmios.submission import shown

TIME_LIMIT_S: Final = 30.0
_MOST_BYTES: Final = 65_536  # of an answer
_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")
_SIGNATURE: Final = re.compile(r"[0-9a-fA-F]{128}")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")


class SignerFailed(IndexerError):
    """The command that signs gave no signature of the transaction by the keeper's key."""

    code = "signer.failed"
    hint = "run the command of [keeper] signer by hand, with the line it gets; nothing was sent"


class OwnKey:
    """A key that is at hand."""

    def __init__(self, key: Key) -> None:
        self._key = key

    @property
    def public(self) -> bytes:
        """The Ed25519 public key, 32 bytes."""
        return self._key.public

    async def sign(self, transaction: bytes) -> Witness:
        """Its witness of a transaction (CBOR)."""
        return sign(transaction, self._key)


class Command:
    """A command that signs for a key (32 bytes). `argv`: the program and its arguments; no shell reads them."""

    def __init__(self, argv: Sequence[str], public: bytes, time_limit_s: float = TIME_LIMIT_S) -> None:
        self._argv, self._public, self._time_limit_s = tuple(argv), public, time_limit_s

    @property
    def public(self) -> bytes:
        """The Ed25519 public key, 32 bytes."""
        return self._public

    async def sign(self, transaction: bytes) -> Witness:
        """The witness of a transaction (CBOR) that the command answers. Raises SignerFailed."""
        of = transaction_id(transaction)
        request = json.dumps({"transaction_id": of.hex(), "cbor": transaction.hex()}) + "\n"
        witness = _witness(await self._answer(request.encode()))
        if witness.key != self._public:
            raise SignerFailed(f"the signer answers for the key {witness.key.hex()}, not {self._public.hex()}")
        if not verifies(witness, of):
            raise SignerFailed(f"the signer's signature of transaction {of.hex()} does not verify")
        return witness

    async def _answer(self, request: bytes) -> bytes:
        try:
            ran = await program.run(self._argv, request, self._time_limit_s, _MOST_BYTES)
        except program.ProgramFailed as error:
            raise SignerFailed(f"the signer {error}") from error
        if ran.is_cut:
            raise SignerFailed(f"the signer answers more than {_MOST_BYTES} bytes")
        if ran.code != 0:
            raise SignerFailed(f"the signer ended with exit code {ran.code}")
        return ran.output


def _witness(answer: bytes) -> Witness:
    try:
        said: Any = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise SignerFailed("the signer's answer is not JSON") from error
    match said:
        case {"key": str(key), "signature": str(signature)} if _KEY.fullmatch(key) and _SIGNATURE.fullmatch(signature):
            return Witness(bytes.fromhex(key), bytes.fromhex(signature))
        case {"cborHex": str(content)} if _HEX.fullmatch(content):
            witness = key_witness(bytes.fromhex(content))
            if witness is not None:
                return witness
    keys = sorted(map(str, said))[:5] if isinstance(said, dict) else type(said).__name__
    raise SignerFailed(f"the signer's answer is no witness: it has {shown(keys)}")
