"""What compares pages with programs is measured first: it lets pass what differs between runs, and nothing else."""

import pytest

from tests.support.pages import edited, ours, says, words

SAID = """looking at the chain
transaction   70cbf2b28b783cc9440b55511d15c0302509ef1aeecc613952b347a9d5059bb9, in a block
deposit       18.731260 ada, at slot 94

quorum        2 of 3 oracles, as of 2026-11-29T11:59:10Z
to            addr_test1vqygta50dvxdt4m8fmclfkl6usg4pmxjnkftvpxxrrq7jns4853a2
"""


@pytest.mark.parametrize(
    "shown",
    [
        "transaction   70cbf2b28b783cc9440b55511d15c0302509ef1aeecc613952b347a9d5059bb9, in a block",
        "transaction   0000000011111111…, in a block\ndeposit       18.731999 ada, at slot 5",
        "looking at the chain\n...\nquorum  2 of 3 oracles, as of 2020-01-01T00:00:00Z\nto  addr_test1vvvv",
        "looking at…\ntransaction…\n...\nto …",
        "...\nquorum        2 of 3 …\n...",
    ],
)
def test_what_differs_between_runs_is_passed_over(shown: str) -> None:
    assert says(shown, SAID)


@pytest.mark.parametrize(
    "shown",
    [
        "transaction   70cbf2b28b783cc9440b55511d15c0302509ef1aeecc613952b347a9d5059bb9, not in a block",
        "looking at the chain\ndeposit       18.731260 ada, at slot 94",
        "deposit       18.631260 ada, at slot 94",
        "quorum        3 of 3 oracles, as of 2026-11-29T11:59:10Z",
        "...\nto            nobody",
        "deposit       18.731260 ada",
        "quorum 2 of 3 oracles, as of 2026-11-29T11:59:10Z\nto addr_test1vqyg\nand more",
    ],
)
def test_what_was_not_said_is_not_passed_over(shown: str) -> None:
    assert not says(shown, SAID)


def test_a_comment_begins_behind_a_space_and_not_in_a_reference() -> None:
    assert words("indexer reclaim AB#0 --yes   # what is left, #1 of all") == ["indexer", "reclaim", "AB#0", "--yes"]
    assert words("# nothing") == []


def test_commands_of_ours_are_found_wherever_they_stand_in_a_line() -> None:
    line = "A=1 v/bin/indexer --config 'x y' audit --json > o || logger indexer; cd x && indexer init | cat  # indexer"
    assert list(ours(line)) == [["--config", "x y", "audit", "--json"], ["init"]]
    assert list(ours("indexer/run.py  a run that isn't one")) == []


def test_a_configuration_is_edited_where_a_key_stands() -> None:
    """Also in a comment, and only in its own section."""
    config = "[one]\n# key = 1\n[two]\n# Words of key.\n# key = 2\nother = 3\n"
    assert (
        edited(config, "[two]\nkey = 5\n\nother = 6")
        == "[one]\n# key = 1\n[two]\n# Words of key.\nkey = 5\nother = 6\n"
    )
