"""How commands show amounts and text to people."""

from typing import Any

import pytest

from indexer.cli.states import DistributionContractState, SignatureState
from indexer.cli.tokens import Tokens
from indexer.cli.told import escaped, shortened, table
from indexer.cli.words import state_in_words
from indexer.config import TokenSection

POLICY = "33" * 28
TOKENS = Tokens.of([TokenSection(policy=POLICY, name="544f4b", ticker="TOK", decimals=2)])


@pytest.mark.parametrize(
    ("policy", "name", "amount", "shown"),
    [
        ("", "", 1_234_567_890_001, "1,234,567.890001 ada"),
        ("", "", 1, "0.000001 ada"),
        (POLICY, "544f4b", 1_234_567, "12,345.67 TOK"),
        (POLICY, "544f4b", 2**63 - 1, "92,233,720,368,547,758.07 TOK"),
        (POLICY, "", 1_000, "1,000 3333333333333333…"),
        (POLICY, "544f4b454e", 1_000, "1,000 3333333333333333….TOKEN"),
        (POLICY, "1b5b33316d", 5, "5 3333333333333333….0x1b5b33316d"),  # would colour a terminal
    ],
)
def test_amounts_are_in_the_tokens_decimals_where_they_are_known(
    policy: str, name: str, amount: int, shown: str
) -> None:
    """Else in its smallest unit; a name is shown as it is only where it is a plain word."""
    assert shown == TOKENS.amount(policy, name, amount)


def test_a_token_without_decimals_is_a_whole_number() -> None:
    """No point, and nothing behind it."""
    tokens = Tokens.of([TokenSection(policy=POLICY, ticker="ONE")])
    assert tokens.amount(POLICY, "", 1_234) == "1,234 ONE"


def test_what_a_terminal_would_obey_is_escaped_in_tables() -> None:
    """Escape sequences, line ends, what turns the direction of writing, halves of characters; words stay."""
    assert escaped("m1 é \x1b[31m\n\u202e\ud800") == "m1 é \\x1b[31m\\n\\u202e\\ud800"
    assert table(("a",), [("x\ny",)]).splitlines() == ["a", "----", "x\\ny"]


def test_ids_are_shortened_and_words_are_not() -> None:
    """To what the command line takes for them."""
    assert (shortened("ab" * 32), shortened("m1")) == ("abababababababab…", "m1")


def signature_of(oracle: str, milestone: str, verdict: str) -> SignatureState:
    return SignatureState(
        milestone_id=milestone,
        oracle=oracle,
        signature="",
        source="chain",
        verdict=verdict,
        output_reference=None,
        slot=1,
        seen_at="2030-01-01T00:00:00Z",
    )


def test_what_strangers_publish_does_not_drown_what_counts() -> None:
    """Of what is worth nothing the latest is shown, and of an id that is far too long its beginning."""
    rubbish = [signature_of(f"{n:064x}", "0x" + "1b" * 6_000, "unknown_milestone") for n in range(200)]
    valid = signature_of("ab" * 32, "m1", "valid")
    amounts = ("amount_total", "amount_paid", "amount_left", "lovelace_per_payout", "keeper_fee_per_payout")
    values: dict[str, Any] = dict.fromkeys(DistributionContractState.model_fields, "") | dict.fromkeys(amounts, 0)
    values |= {"milestones": (), "events": (), "ended_by": None, "other_signatures": (valid, *rubbish)}
    state = DistributionContractState.model_construct(**values)
    told = state_in_words(state, TOKENS)
    assert "abababababababab…  m1" in told
    assert told.count("unknown milestone") == 50
    assert told.count("0x1b1b1b1b1b1b1b… (6,000 bytes)") == 50
    assert told.endswith("and 150 more: --json lists all")
    assert max(map(len, told.splitlines())) < 150
