"""The contract under test, and hand-written scripts that stand for anybody else's."""

import json
import os
from pathlib import Path
from typing import Final

from tests.contract.keys import hash28

# `weakened` has these tests look at another one than ours.
BLUEPRINT: Final = Path(os.environ.get("INDEXER_TEST_BLUEPRINT", Path(__file__).parents[2] / "plutus.json"))


def script_hash(script: bytes) -> bytes:
    """28 bytes: payment credential and policy id of a Plutus V3 script."""
    return hash28(b"\x03" + script)


def compiled(blueprint: str) -> bytes:
    """The one script of a CIP-57 blueprint, as it goes on the chain. ValueError: it holds several."""
    (code,) = {validator["compiledCode"] for validator in json.loads(blueprint)["validators"]}
    return bytes.fromhex(code)


CONTRACT: Final = compiled(BLUEPRINT.read_text(encoding="utf-8"))
OWN: Final = script_hash(CONTRACT)  # our policy, and the payment credential of everything we follow

# CBOR of flat: version 1.1.0, then a function of the context.
ALWAYS: Final = bytes.fromhex("450101002499")  # (lam context (con unit ()))
NEVER: Final = bytes.fromhex("450101002601")  # (lam context (error))
NO_UNIT: Final = bytes.fromhex("46010100200101")  # (lam context context): the ledger refuses it
