"""What Ogmios says under each code, word for word: clients read it (`sentences.json`, where its origin is told)."""

import json
from functools import cache
from importlib import resources
from typing import Any, Final

from indexer.devnet.ledger.refusal import Refusal

NOT_MODELLED: Final = 3998  # Ogmios has it for certificates that it does not know


def refusal(code: int, data: Any = None) -> Refusal:
    """The refusal with Ogmios' own sentence for a code. KeyError: a code that the devnet does not give."""
    return Refusal(code, _sentences()[str(code)], data)


def not_modelled(what: str) -> Refusal:
    """Of what the devnet does not model and so never accepts, by name."""
    return Refusal(NOT_MODELLED, f"The devnet does not model {what}, and accepts nothing that it cannot check.")


@cache
def _sentences() -> dict[str, str]:
    text = resources.files(__package__).joinpath("sentences.json").read_text(encoding="utf-8")
    sentences: dict[str, str] = json.loads(text)["sentences"]
    return sentences
