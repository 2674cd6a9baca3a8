"""Other people's scripts, and tokens of their policies: one whose hash sorts before ours, one whose hash sorts behind.

The scripts agree to everything.
"""

from itertools import count
from typing import Final

from tests.contract.script import OWN, script_hash
from tests.contract.terms import ADA, TOKEN, Asset

# Terms and constants in flat: four bits for each term, a list of types, the value.
LAMBDA, APPLICATION = "0010", "0011"
UNIT, INTEGER = "0100" + "1" + "0011" + "0", "0100" + "1" + "0000" + "0"
VERSION: Final = f"{1:08b}{1:08b}{0:08b}"


def harmless(number: int) -> bytes:
    """(lam context [(lam unused (con unit ())) (con integer number)]): the number, below 2^13, makes its hash another.

    In CBOR, as ours is.
    """
    low, high = (2 * number) & 127, 2 * number >> 7
    bits = VERSION + LAMBDA + APPLICATION + LAMBDA + UNIT + INTEGER + f"1{low:07b}0{high:07b}"
    bits += "1".rjust(8 - len(bits) % 8, "0")
    flat = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return bytes([0x40 | len(flat)]) + flat


BEFORE: Final = next(script for script in map(harmless, count()) if script_hash(script) < OWN)
BEHIND: Final = next(script for script in map(harmless, count()) if script_hash(script) > OWN)

# Where its policy sorts among those of an output may not matter.
TOKENS: Final = {
    "a token": TOKEN,
    "a token without a name": Asset(TOKEN.policy, b""),
    "a token before ours": Asset(script_hash(BEFORE), b"x" * 32),
    "a token behind ours": Asset(script_hash(BEHIND), b"x"),
    "ada": ADA,
}
