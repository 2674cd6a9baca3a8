"""Why a milestone is released or not: one situation a test, and what people are told of it."""

from dataclasses import replace
from typing import Any, Final

import pytest

from indexer.chain.block import OutputReference
from indexer.domain.explaining import Facts, Journaled, Proposal, Reason, Standing, explain
from indexer.domain.gates import Gate, Stands
from indexer.domain.life import End, Life, Origin, Payment
from indexer.domain.quorum import Seen, Signature, Source
from indexer.domain.submission import ReleaseState
from indexer.plutus.datum import Allocation, AssetClass, Distribution
from indexer.plutus.identity import distribution_id
from indexer.plutus.ledger import Address, VerificationKey
from indexer.plutus.ledger import OutputReference as Seed
from tests.contract.keys import key_hash, public, signer
from tests.contract.terms import message

POLICY: Final = bytes([0x11]) * 28
SEED: Final = OutputReference(bytes([0xAA]) * 32, 3)
SEEN: Final = Seen(7, 3, bytes(32), 0)
NOON: Final = 1_704_110_400_000  # 2024-01-01T12:00:00Z
ORACLES: Final = tuple(public(f"oracle {number}") for number in range(3))
OPEN: Final = tuple(Stands(gate, True, f"{gate} is well") for gate in Gate)
GAINS: Final = Proposal("ab" * 32, 2, -300_000, 0, False, 900)
TX: Final = "cd" * 32
NOT_PAID: Final = [
    ReleaseState.INTENDED,
    ReleaseState.BUILT,
    ReleaseState.SUBMITTED,
    ReleaseState.EXPIRED,
    ReleaseState.REFUSED,
    ReleaseState.SUPERSEDED,
    ReleaseState.ROLLED_BACK,
    ReleaseState.FAILED,
]


def promised(number: int, milestone: bytes = b"m1", vesting: int = NOON) -> Allocation:
    return Allocation(Address(VerificationKey(bytes([number]) * 28)), 5, milestone, vesting, claimed=False)


TERMS: Final = Distribution(
    key_hash("funder"),
    AssetClass(b"", b""),
    ORACLES,
    2,
    (promised(0), promised(1), promised(2, b"m2")),
    1_500_000,
    500_000,
    None,
)


def id_of(terms: Distribution) -> bytes:
    return distribution_id(Seed(SEED.transaction_id, SEED.index), terms)


def life(*oracles: int, terms: Distribution = TERMS, **changes: Any) -> Life:
    """A distribution whose oracles in these positions signed m1."""
    name = id_of(terms)
    origin = Origin(POLICY, SEED, terms, b"", OutputReference(bytes(32), 0), SEEN)
    made = Life(name, origin, **changes)
    made.add(signed(name, ORACLES[number]) for number in oracles)
    return made


def signed(name: bytes, oracle: bytes, says: bytes | None = None) -> Signature:
    text = message(POLICY, name, b"m1") if says is None else says
    return Signature(b"m1", oracle, signer(oracle).sign(text).signature, Source.CHAIN, 9)


def facts(it: Life, **changes: Any) -> Facts:
    """All is well: a transaction can be built, the gates are open, nothing was tried."""
    known = Facts(it, b"m1", NOON, OPEN, (), GAINS, followed=True)
    return replace(known, **changes)


def journaled(state: ReleaseState, **changes: Any) -> Journaled:
    return replace(Journaled("0f" * 16, state, 1, TX, None, None, None), **changes)


def shut(*names: Gate) -> tuple[Stands, ...]:
    return tuple(replace(each, open=each.gate not in names, reason=f"{each.gate} says why") for each in OPEN)


def paid(*claims: int, milestone: bytes = b"m1") -> Payment:
    return Payment(bytes([0xCD]) * 32, milestone, claims, OutputReference(bytes([0xCD]) * 32, 0), SEEN)


def about(topic: str, reasons: list[Reason]) -> list[tuple[str, str]]:
    return [(each.standing, each.sentence) for each in reasons if each.topic == topic]


def conclusion(known: Facts) -> tuple[str, str]:
    last = explain(known)[-1]
    assert last.topic == "next"
    return last.standing, last.sentence


def test_where_all_is_well_it_is_released_at_once() -> None:
    reasons = explain(facts(life(0, 2)))
    assert reasons[0].sentence == f"distribution {id_of(TERMS).hex()} is open"
    (signatures,) = about("signatures", reasons)
    assert signatures[1].startswith("2 of 2 signatures that it takes verify: ")
    assert all(f"{ORACLES[number].hex()[:16]}… (chain)" in signatures[1] for number in (0, 2))
    assert about("allocations", reasons) == [("ok", "2 of 2 allocations are vested and not paid")]
    assert [each.topic for each in reasons if each.topic.startswith("gate")] == [f"gate {gate}" for gate in Gate]
    assert about("cost", reasons) == [("ok", "it pays for itself: the wallet gains 300000 lovelace")]
    assert about("transaction", reasons) == [("ok", f"transaction {'ab' * 32} would pay 2 of 2 (900 bytes)")]
    assert {each.standing for each in reasons} == {Standing.OK}
    assert "next round" in reasons[-1].sentence


def test_signatures_are_waited_for() -> None:
    """Nothing that comes after them is looked at."""
    reasons = explain(facts(life(1), gates=shut(*Gate), proposal=None))
    assert about("signatures", reasons)[0][0] == "waiting"
    assert reasons[1].hint == "an oracle signs with `indexer attest`"
    assert conclusion(facts(life(1))) == ("waiting", "nothing is to be released: 1 of 2 signatures verify")
    assert about("signatures", explain(facts(life())))[0] == ("waiting", "0 of 2 signatures that it takes verify")


def test_signatures_that_do_not_count_are_told_with_their_verdicts() -> None:
    it = life(0)
    it.add([signed(it.id, ORACLES[1], b"something else"), signed(it.id, public("oracle 7"))])
    it.add([signed(it.id, public("oracle 8")), signed(it.id, ORACLES[0])])
    told = [sentence for _, sentence in about("signatures", explain(facts(it)))]
    assert told[0].startswith("1 of 2 ")
    assert told[1:] == [
        "1 more does not count: bad signature",
        "1 more does not count: duplicate",
        "2 more do not count: unauthorised",
    ]


def test_a_signature_that_only_the_database_calls_valid_does_not_count() -> None:
    it = life(0)
    forged = signed(it.id, ORACLES[1], b"something else")
    it.signatures.append(replace(forged, verifies=True))  # as somebody wrote it there
    reasons = explain(facts(it))
    assert [told.partition(":")[0] for _, told in about("signatures", reasons)] == [
        "1 of 2 signatures that it takes verify",
        "1 more does not count",
    ]
    assert reasons[-1].sentence == "nothing is to be released: 1 of 2 signatures verify"


def test_the_time_is_waited_for() -> None:
    known = facts(life(0, 1), now_ms=NOON - 1)
    assert about("allocations", explain(known)) == [
        ("waiting", "2 of 2 allocations vest later, the next at 2024-01-01T12:00:00Z")
    ]
    standing, told = conclusion(known)
    assert standing == "waiting"
    assert told.startswith("it is released with the first block after 2024-01-01T12:00:00Z")


def test_what_is_paid_and_what_vests_later_are_told_apart() -> None:
    later = replace(TERMS, allocations=(*TERMS.allocations, promised(3, vesting=NOON + 1000)))
    known = facts(life(0, 1, terms=later, payments=[paid(0)]), proposal=replace(GAINS, payouts=1))
    assert about("allocations", explain(known)) == [
        ("ok", f"1 of 3 allocations are paid, by {TX}"),
        ("ok", "1 of 3 allocations are vested and not paid"),
        ("waiting", "1 of 3 allocations vest later, the next at 2024-01-01T12:00:01Z"),
    ]
    assert conclusion(known)[0] == "ok"


def test_once_all_of_it_is_paid_nothing_is_left_to_do() -> None:
    known = facts(life(0, 1, payments=[paid(0, 1)]), journal=(journaled(ReleaseState.CONFIRMED, depth=31),))
    reasons = explain(known)
    assert about("allocations", reasons) == [("done", f"2 of 2 allocations are paid, by {TX}")]
    assert about("journal", reasons) == [
        ("done", f"release {'0f' * 16} is confirmed by transaction {TX}, 31 blocks deep, attempt 1")
    ]
    assert conclusion(known) == ("done", "nothing is to be released: all of it is paid")


def test_a_distribution_that_was_taken_back_pays_nobody() -> None:
    known = facts(life(0, 1, end=End(bytes([0xEE]) * 32, Seen(99, 40, bytes(32), 0))))
    assert explain(known)[0].sentence.endswith(f"is reclaimed, by transaction {'ee' * 32} in slot 99")
    assert conclusion(known) == ("done", "nothing is to be released: the funder had back what was left")


def test_a_milestone_that_it_does_not_have_is_said_to_be_none() -> None:
    reasons = explain(facts(life(0, 1), milestone_id=b"m9"))
    assert about("signatures", reasons) == [("blocked", "it has no milestone m9")]
    assert reasons[-1].standing == "blocked"


@pytest.mark.parametrize(
    "changes", [{"quorum_threshold": 4}, {"oracles": ()}, {"allocations": (replace(promised(0), token_amount=0),)}]
)
def test_terms_that_the_contract_lets_nobody_begin_are_not_waited_for(changes: dict[str, Any]) -> None:
    standing, told = conclusion(facts(life(0, 1, terms=replace(TERMS, **changes))))
    assert standing == "blocked"
    assert "none that the contract lets begin" in told


def test_an_id_that_its_terms_do_not_make_is_not_waited_for() -> None:
    it = life(0, 1)
    it.id = bytes(32)
    assert conclusion(facts(it))[0] == "blocked"


@pytest.mark.parametrize("gate", [gate for gate in Gate if gate is not Gate.NO_ROLLBACK])
def test_a_gate_that_is_shut_is_the_reason_with_what_opens_it(gate: Gate) -> None:
    known = facts(life(0, 1), gates=shut(gate))
    last = explain(known)[-1]
    assert (last.standing, last.sentence) == ("blocked", f"not released: gate {gate}: {gate} says why")
    assert last.hint == Stands(gate, False, "").hint
    assert [each.topic for each in explain(known) if each.standing == "blocked"] == [f"gate {gate}", "next"]


def test_of_several_gates_the_first_is_named() -> None:
    assert conclusion(facts(life(0, 1), gates=shut(Gate.RESERVE, Gate.NOT_PAUSED)))[1].startswith(
        "not released: gate not_paused"
    )


def test_a_rollback_passes_by_itself() -> None:
    assert conclusion(facts(life(0, 1), gates=shut(Gate.NO_ROLLBACK))) == (
        "waiting",
        "not released yet: gate no_rollback: no_rollback says why",
    )


@pytest.mark.parametrize(
    ("proposal", "standing", "words"),
    [
        (replace(GAINS, cost=0), "ok", "pays for itself"),
        (replace(GAINS, cost=7, allowed=7, sponsored=True), "ok", "it costs the wallet 7 lovelace"),
        (replace(GAINS, cost=7, allowed=6, sponsored=True), "blocked", "and 6 are allowed"),
        (replace(GAINS, cost=1), "blocked", "nobody sponsors it"),
    ],
)
def test_what_it_costs_is_weighed(proposal: Proposal, standing: str, words: str) -> None:
    known = facts(life(0, 1), proposal=proposal)
    ((stands, told),) = about("cost", explain(known))
    assert stands == standing
    assert words in told
    assert conclusion(known)[0] == standing


def test_what_does_not_fit_comes_later() -> None:
    ((_, told),) = about("transaction", explain(facts(life(0, 1), proposal=replace(GAINS, payouts=1))))
    assert told.endswith("would pay 1 of 2 (900 bytes); the rest does not fit, and comes in another one")


def test_a_transaction_that_cannot_be_built_is_the_reason() -> None:
    known = facts(life(0, 1), proposal="the wallet has not enough")
    assert conclusion(known) == ("blocked", "not released: transaction: none can be built: the wallet has not enough")


def test_a_contract_that_is_not_configured_is_the_reason() -> None:
    standing, told = conclusion(facts(life(0, 1), followed=False, proposal=None))
    assert (standing, told) == ("blocked", "not released: contract: its contract is not in the configuration")


@pytest.mark.parametrize("state", [ReleaseState.BUILT, ReleaseState.SUBMITTED, ReleaseState.ROLLED_BACK])
def test_what_is_under_way_is_waited_for_and_nothing_else_is_proposed(state: ReleaseState) -> None:
    known = facts(life(0, 1), journal=(journaled(state),), proposal=None)
    assert conclusion(known) == ("waiting", f"release {'0f' * 16} is under way: a block has to take it")
    assert about("transaction", explain(known)) == about("cost", explain(known)) == []


@pytest.mark.parametrize(
    ("state", "gate", "standing"),
    [
        (ReleaseState.BUILT, Gate.NOT_PAUSED, "blocked"),
        (ReleaseState.ROLLED_BACK, Gate.NODE, "blocked"),
        (ReleaseState.ROLLED_BACK, Gate.NO_ROLLBACK, "waiting"),
        (ReleaseState.SUBMITTED, Gate.NOT_PAUSED, "waiting"),  # a mempool may have it
    ],
)
def test_what_is_under_way_is_not_sent_while_a_gate_holds_all(state: ReleaseState, gate: Gate, standing: str) -> None:
    known = facts(life(0, 1), journal=(journaled(state),), gates=shut(gate))
    assert conclusion(known)[0] == standing
    assert f"not sent again: gate {gate}: {gate} says why" in conclusion(known)[1]


def test_a_release_of_another_milestone_has_to_land_first() -> None:
    known = facts(life(0, 1), other=("77" * 16, b"m2"), proposal=None)
    assert conclusion(known) == (
        "waiting",
        f"release {'77' * 16}, of milestone m2, is under way: this one spends what that one leaves",
    )


def test_after_a_failure_it_is_tried_again_at_a_time() -> None:
    refused = journaled(ReleaseState.REFUSED, attempts=3, last_error="3005", retry_ms=NOON + 61_000)
    known = facts(life(0, 1), journal=(refused,))
    assert about("journal", explain(known)) == [
        ("waiting", f"release {'0f' * 16} is refused by transaction {TX}, attempt 3; last trouble: 3005")
    ]
    assert conclusion(known) == ("waiting", "it is tried again at 2024-01-01T12:01:01Z")
    assert conclusion(replace(known, now_ms=NOON + 61_000))[0] == "ok"


def test_what_failed_for_good_is_for_people_to_look_at() -> None:
    known = facts(life(0, 1), journal=(journaled(ReleaseState.FAILED, last_error="3117 unknown"),))
    last = explain(known)[-1]
    assert last.standing == "blocked"
    assert "last trouble: 3117 unknown" in last.sentence
    assert last.hint is not None
    assert "submit-release" in last.hint


@pytest.mark.parametrize("state", NOT_PAID)
def test_a_release_out_of_an_output_that_is_no_more_stands_in_nobodys_way(state: ReleaseState) -> None:
    """A fork gave the distribution another output: what was to spend the old one is history."""
    known = facts(life(0, 1), journal=(journaled(state, passed=True, retry_ms=NOON + 5000),))
    ((standing, told),) = about("journal", explain(known))
    assert standing == "done"
    assert told.endswith("is another one now") is (state.value != "superseded")
    assert conclusion(known)[0] == "ok"


def test_a_rival_that_was_first_is_no_trouble() -> None:
    known = facts(life(0, 1, payments=[paid(0, 1)]), journal=(journaled(ReleaseState.SUPERSEDED),))
    assert about("journal", explain(known))[0][0] == "done"
    assert conclusion(known)[0] == "done"


@pytest.mark.parametrize("state", ReleaseState)
def test_each_state_of_a_release_is_told_in_plain_words(state: ReleaseState) -> None:
    ((_, told),) = about("journal", explain(facts(life(0, 1), journal=(journaled(state),))))
    assert told.startswith(f"release {'0f' * 16} is {state.replace('_', ' ')}")


def test_of_a_long_journal_the_newest_are_shown() -> None:
    many = tuple(journaled(ReleaseState.SUPERSEDED, id=f"{number:032x}") for number in range(9))
    told = about("journal", explain(facts(life(0, 1), journal=many)))
    assert [sentence.split()[1] for _, sentence in told] == [f"{number:032x}" for number in range(5)]


def test_why_no_transaction_was_built_to_look_at_is_told_as_it_is() -> None:
    """Nobody was asked to build one: for want of a node, or of a wallet."""
    silent = explain(facts(life(0, 1), gates=shut(Gate.NODE), proposal=None))
    assert about("transaction", silent) == [("waiting", "none was built to look at: the gate of the node is shut")]
    poor = explain(facts(life(0, 1), gates=shut(Gate.WALLET_READ, Gate.RESERVE, Gate.COLLATERAL), proposal=None))
    assert about("transaction", poor) == [("waiting", "none was built to look at: there is no wallet to pay from")]
