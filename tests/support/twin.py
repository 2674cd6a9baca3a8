"""A second contract that does what ours does, under another hash."""

from typing import Final

from indexer.devnet.ledger.evaluator import is_program
from indexer.devnet.ledger.transaction import Language, Script
from tests.contract.tree import decode, encode
from tests.support.spending import plutus_hash

_HEAD: Final = 24  # bits of the version of Plutus Core
_CALL: Final = "0010" + "0011"  # a function that applies what follows
_ARGUMENT: Final = "0000" + "00000001"  # to what it is given


def twin(script: bytes) -> bytes:
    """(lam context (script context)), flat, of a Plutus V3 script. One byte more ahead: its constants stay aligned."""
    program = decode(script)
    assert isinstance(program, bytes)
    bits = "".join(f"{byte:08b}" for byte in program)
    filler = len(bits) - len(bits.rstrip("0").removesuffix("1").rstrip("0"))
    # Where the program ends and what fills its last byte begins cannot be seen, but tried: the shortest one it is.
    for length in range(min(8, filler), 0, -1):
        made = bits[:_HEAD] + _CALL + bits[_HEAD:-length] + _ARGUMENT
        made += "0" * (7 - len(made) % 8) + "1"
        raw = encode(int(made, 2).to_bytes(len(made) // 8, "big"))
        if is_program(Script(Language.PLUTUS_V3, raw, plutus_hash(raw))):
            return raw
    raise ValueError("not a program")
