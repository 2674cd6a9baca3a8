"""What the devnet says is what Ogmios says."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from indexer.devnet.ledger.judge import RANK
from indexer.devnet.ledger.sentences import NOT_MODELLED, not_modelled, refusal

NOT_OURS = {3005, 3137, 3140, 3143, 3144, 3148, 3149, 3153, 3154, 3155, 3162, NOT_MODELLED}  # what we do not model

with gzip.open(Path(__file__).parents[3] / "vectors" / "ogmios-v7.0.0-errors.jsonl.gz", "rt") as file:
    ERRORS: dict[int, dict[str, Any]] = {}
    for line in file:
        error = json.loads(json.loads(line)["text"])["error"]
        ERRORS[error["code"]] = error


@pytest.mark.parametrize("code", sorted(set(ERRORS) - NOT_OURS))
def test_sentences_are_those_of_the_official_vectors(code: int) -> None:
    """Word for word."""
    assert ERRORS[code]["message"] == refusal(code).message


@pytest.mark.parametrize("code", sorted(set(RANK) - {NOT_MODELLED}))
def test_every_code_that_is_ranked_has_a_sentence(code: int) -> None:
    """One that ends like one, or is Ogmios' own."""
    assert len(refusal(code).message) > 20


def test_what_is_not_modelled_is_named() -> None:
    """Under a code that Ogmios has for certificates that it does not know."""
    refused = not_modelled("pools")
    assert refused.code == NOT_MODELLED
    assert refused.message == "The devnet does not model pools, and accepts nothing that it cannot check."
    assert refused.data is None
