"""Where Aiken's evaluator differs from the ledger, as docs/devnet-rules.md says. Should that change, so should this."""

from typing import Any, Final

import pytest
from nacl.signing import SigningKey

from indexer.devnet.ledger.refusal import Refused
from indexer.devnet.ledger.rules_witnesses import verifies
from tests.support.spending import APPLY, ERROR, LAM, UNIT, program
from tests.unit.devnet.ledger.test_phase2 import several, units_of

# Plutus Core in bits (flat): terms, built-in functions, and the types of constants.
DELAY, FORCE = "0001", "0101"
EQUALS_BYTES, VERIFY_ED25519, IF, SERIALISE = (f"0111{number:07b}" for number in (15, 21, 26, 51))
BYTES, DATA = (f"1{number:04b}0" for number in (1, 8))

KEY: Final = SigningKey(bytes(32))
MESSAGE: Final = b"pay Ann"
SIGNATURE: Final = KEY.sign(MESSAGE).signature
ORDER: Final = 2**252 + 27742317777372353535851937790883648493  # of the group's base point (RFC 8032)
BASE: Final = bytes.fromhex("58" + "66" * 31)  # that point
NEUTRAL: Final = b"\x01" + bytes(31)  # the point that is nothing: as a key it agrees to everything


def constant(before: str, kind: str, content: bytes) -> str:
    """What follows after these bits: a constant of up to 255 bytes, which starts on a byte of its own."""
    start = "0100" + kind
    filler = "0" * (7 - len(before + start) % 8) + "1"
    return before + start + filler + f"{len(content):08b}" + "".join(f"{byte:08b}" for byte in content) + 8 * "0"


def agrees(condition: str, *constants: tuple[str, bytes]) -> bool:
    """Whether a script passes that asks for a function of some constants to be true."""
    term = LAM + FORCE + APPLY + APPLY + APPLY + FORCE + IF + condition
    for kind, content in constants:
        term = constant(term, kind, content)
    try:
        units_of(several(program(term + DELAY + UNIT + DELAY + ERROR)))
    except Refused as refused:
        told: Any = refused.refusal.data
        assert [each["error"]["code"] for each in told] == [3012]
        return False
    return True


def signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a script takes a signature."""
    condition = APPLY + APPLY + APPLY + VERIFY_ED25519
    return agrees(condition, (BYTES, key), (BYTES, message), (BYTES, signature))


@pytest.mark.parametrize(
    ("message", "signature"),
    [
        (MESSAGE, SIGNATURE),
        (MESSAGE + b"!", SIGNATURE),
        (MESSAGE, SIGNATURE[:32] + (int.from_bytes(SIGNATURE[32:], "little") + ORDER).to_bytes(32, "little")),
    ],
    ids=["good", "of another message", "with a number beyond the order"],
)
def test_a_script_takes_the_signatures_that_the_ledger_takes(message: bytes, signature: bytes) -> None:
    """Of keys that somebody has."""
    assert verifies(bytes(KEY.verify_key), signature, message) is signed(bytes(KEY.verify_key), message, signature)


def test_a_script_takes_the_signature_of_a_key_that_the_ledger_refuses() -> None:
    """Anybody signs for a key of small order: the base point, once, is right for every message."""
    forged = BASE + (1).to_bytes(32, "little")
    assert signed(NEUTRAL, MESSAGE, forged)
    assert not verifies(NEUTRAL, forged, MESSAGE)


@pytest.mark.parametrize(
    ("as_written", "by_the_ledger"),
    [("8101", "9f01ff"), ("d8798101", "d8799f01ff"), ("bf0102ff", "a10102"), ("c24101", "01")],
    ids=["a counted list", "counted fields", "an open map", "a small number at length"],
)
def test_a_script_serialises_data_as_they_were_written(as_written: str, by_the_ledger: str) -> None:
    """The ledger knows one way for each: lists open-ended, maps counted, small numbers short."""
    told, due = bytes.fromhex(as_written), bytes.fromhex(by_the_ledger)
    condition = APPLY + APPLY + EQUALS_BYTES + APPLY + SERIALISE
    assert agrees(condition, (DATA, told), (BYTES, told))
    assert not agrees(condition, (DATA, told), (BYTES, due))
    assert agrees(condition, (DATA, due), (BYTES, due))
