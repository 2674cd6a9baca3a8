"""Distributions funded, attested and taken back by commands alone, as processes on a devnet that is one too."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from indexer.cli.completing import deposits
from indexer.devnet.ledger.addresses import address_text
from tests.contract.terms import Allocation, Attestation, Terms, message, somebody
from tests.support.pages import ROOT, blocks
from tests.support.process import command
from tests.support.promises import OURS
from tests.support.spending import Spending, Wallet, paid
from tests.support.town import ADA, TOKEN, Json, Somebody, Town, town

FUNDER, OWNER, STRANGER = Somebody("funder"), Somebody("oracle's owner"), Somebody("stranger")
ORACLES = tuple(Somebody(f"oracle {number}") for number in range(3))
AT_ONCE = "1970-01-01T00:00:00Z"


def schedule(**changes: Any) -> Json:
    """Two milestones for five beneficiaries; 2 of 3 oracles."""
    token = {"policy_id": TOKEN.policy.hex(), "asset_name": TOKEN.name.hex()}
    return {
        "funder": FUNDER.hash.hex(),
        "token": token,
        "oracles": [oracle.public.hex() for oracle in ORACLES],
        "quorum_threshold": 2,
        "lovelace_per_payout": 1_500_000,
        "keeper_fee_per_payout": 500_000,
        "expires_at": "2100-01-01T00:00:00Z",
        "allocations": [allocation(number, "m1" if number < 3 else "m2") for number in range(5)],
    } | changes


def allocation(number: int, milestone: str = "m1", amount: int = 1_000, vesting_at: str = AT_ONCE) -> Json:
    beneficiary = Somebody(f"beneficiary {number}").text
    return {"beneficiary": beneficiary, "amount": amount, "milestone_id": milestone, "vesting_at": vesting_at}


def pays(here: Town, whom: Wallet = FUNDER) -> tuple[str, ...]:
    """The options of a command that somebody pays for."""
    return "--signing-key", here.key(whom), "--yes"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A devnet whose funder has ada and tokens; the contract is published."""
    with town(tmp_path_factory.mktemp("town")) as found:
        found.fund(FUNDER, 500 * ADA, 100 * ADA, 50 * ADA)
        found.mint(FUNDER, 1_000_000)
        found.fund(OWNER, 50 * ADA, 20 * ADA)
        found.configure(found.process("deploy", *pays(found))["reference"])
        yield found


def created(here: Town, **changes: Any) -> str:
    """The id of a distribution that a schedule makes, in the database."""
    path = here.write("schedule.json", schedule(**changes))
    found = here.process("register-milestone", path, "--submit", "--again", *pays(here))
    here.follow()
    return str(found["distribution_id"])


def milestone(here: Town, distribution: str, name: str = "m1") -> Json:
    here.follow()
    (found,) = here.process("check-status", distribution, "--milestone", name)["milestones"]
    return dict(found)


def held_by(here: Town, whom: Wallet) -> tuple[int, int]:
    """Lovelace and tokens in all."""
    coins = here.coins(whom)
    name = TOKEN.policy.hex(), TOKEN.name.hex()
    lovelace = sum(coin["value"]["ada"]["lovelace"] for coin in coins)
    return lovelace, sum(coin["value"].get(name[0], {}).get(name[1], 0) for coin in coins)


# --- the story


@pytest.mark.parametrize("token", ["native", "ada"])
def test_a_promise_is_funded_and_attested_by_commands_alone(here: Town, token: str) -> None:
    """One oracle on the chain and one in a file meet the quorum of two; a wrong, a foreign and a repeated signature are
    kept with their verdicts and do not count."""
    changes = {} if token == "native" else {"token": "ada", "lovelace_per_payout": 1_000_000}
    distribution = created(here, **changes)
    published = here.process(
        "attest", distribution, "m1", "--key", here.key(ORACLES[0]), "--publish", *pays(here, OWNER)
    )
    assert published["refund_to"] == OWNER.hash.hex()
    first = milestone(here, distribution)
    assert (first["quorum_status"], first["signatures_valid"]) == ("pending", 1)
    words = here.folder / f"{token}.json"
    here.process("attest", distribution, "m1", "--key", here.key(ORACLES[1]), "--out", str(words))
    here.process("commit-milestone", str(words))
    met = milestone(here, distribution)
    assert (met["quorum_status"], met["signatures_valid"]) == ("met", 2)
    # Then the chain and the file get what counts for nothing.
    tell_wrongly(here, distribution)
    shown = here.process("check-status", distribution)
    verdicts = [one["verdict"] for one in milestone(here, distribution)["signatures"]]
    assert sorted(verdicts) == ["bad_signature", "duplicate", "unauthorised", "valid", "valid"]
    assert shown["state"] == "open"
    assert milestone(here, distribution)["quorum_status"] == "met"


def tell_wrongly(here: Town, distribution: str) -> None:
    """Attestations of somebody who is no oracle, of an oracle for something else, and of one once more.

    No command publishes the first two: they are put there by hand.
    """
    said = message(OURS.hash, bytes.fromhex(distribution), b"m1")
    given = [(STRANGER, STRANGER.key.sign(said).signature), (ORACLES[2], ORACLES[2].key.sign(b"else").signature)]
    put_by_hand(here, distribution, given)
    here.process(
        "attest", distribution, "m1", "--key", here.key(ORACLES[0]), "--publish", "--again", *pays(here, OWNER)
    )


def put_by_hand(here: Town, distribution: str, given: Sequence[tuple[Wallet, bytes]]) -> None:
    (coin,) = here.fund(STRANGER, 50 * ADA)
    outputs = tuple(
        paid(
            OURS.home(),
            5 * ADA,
            datum=Attestation(bytes.fromhex(distribution), b"m1", who.public, signature, STRANGER.hash).data(),
        )
        for who, signature in given
    )
    here.send(Spending(inputs=(coin,), signers=(STRANGER,), change=STRANGER.address, outputs=outputs))


def test_a_deposit_comes_back_to_whoever_paid_it_and_the_signature_still_counts(here: Town) -> None:
    """Nobody else has it; a second time there is nothing."""
    distribution = created(here, quorum_threshold=1)
    published = here.do("attest", distribution, "m1", "--key", here.key(ORACLES[0]), "--publish", *pays(here, OWNER))
    (one,) = published["signatures"]
    here.follow()
    assert deposits(here.config, one["reference"][:8]) == [one["reference"]] == deposits(here.config, one["reference"])
    before = held_by(here, OWNER)[0]
    error = here.refused("builder.signature_missing", "withdraw-attestation", one["reference"], *pays(here))
    assert OWNER.hash.hex() in error["message"]
    back = here.do("withdraw-attestation", one["reference"], *pays(here, OWNER))
    assert back["lovelace"] == one["deposit"]
    assert held_by(here, OWNER)[0] == before + one["deposit"] - back["transaction"]["fee"]
    assert milestone(here, distribution)["quorum_status"] == "met"
    assert deposits(here.config, one["reference"][:8]) == []
    here.refused("output.not_there", "withdraw-attestation", one["reference"], *pays(here, OWNER))


def test_only_published_signatures_are_completed(here: Town) -> None:
    """Not distributions, nor strays, nor what is no beginning of a reference."""
    distribution = created(here)
    here.do("attest", distribution, "m2", "--key", here.key(ORACLES[0]), "--publish", *pays(here, OWNER))
    here.follow()
    held = here.asked("queryLedgerState/utxo", addresses=[address_text(OURS.home())])
    attestations = [one for one in held if one.get("datum", "").startswith("d87a")]  # constructor 1
    references = {f"{one['transaction']['id']}#{one['index']}" for one in attestations}
    assert 0 < len(references) < len(held)
    assert references == set(deposits(here.config, ""))
    for wrong in ("xyz", "AB", "0#x", "#"):
        assert deposits(here.config, wrong) == []
    assert deposits(here.folder / "nowhere.toml", "") == []


def test_a_signature_on_the_chain_is_not_published_again_by_accident(here: Town) -> None:
    """Neither before the database knows of it, nor after; nor out of a file."""
    distribution = created(here)
    signs = ("attest", distribution, "m1", "--key", here.key(ORACLES[0]))
    here.do(*signs, "--publish", *pays(here, OWNER))
    here.refused("transaction.done_before", *signs, "--publish", *pays(here, OWNER))
    here.follow()
    here.refused("publish.already_there", *signs, "--publish", *pays(here, OWNER))
    words = str(here.folder / "again.json")
    here.do(*signs, "--out", words)
    here.refused("publish.already_there", "commit-milestone", words, "--publish", *pays(here, OWNER))


def test_signatures_of_a_file_are_published_each_in_a_transaction(here: Town) -> None:
    """Those that are there already are left out; what does not verify is refused."""
    distribution, words = created(here), str(here.folder / "two.json")
    for oracle in ORACLES[:2]:
        here.do("attest", distribution, "m2", "--key", here.key(oracle), "--out", words)
    here.refused("publish.one_at_a_time", "commit-milestone", words, "--publish", "--out", "x", *pays(here, OWNER))
    found = here.do("commit-milestone", words, "--publish", *pays(here, OWNER))
    assert {one["oracle"] for one in found["signatures"]} == {oracle.public.hex() for oracle in ORACLES[:2]}
    assert milestone(here, distribution, "m2")["quorum_status"] == "met"
    here.do("attest", distribution, "m2", "--key", here.key(ORACLES[2]), "--out", words)
    found = here.do("commit-milestone", words, "--publish", *pays(here, OWNER))
    assert sorted(one["published"] for one in found["signatures"]) == ["before", "before", "now"]
    wrong = {"oracle": ORACLES[0].public.hex(), "signature": "00" * 64}
    bad = here.write("bad.json", {"distribution_id": distribution, "milestone_id": "m2", "oracle_signatures": [wrong]})
    here.refused("commit.nothing_valid", "commit-milestone", bad, "--publish", *pays(here, OWNER))


def test_what_is_left_comes_back_after_expiry_and_not_before(here: Town) -> None:
    """All tokens and all ada, less the fees; then it is over."""
    at = datetime.now(UTC) + timedelta(hours=2)
    before = held_by(here, FUNDER)
    path = here.write("expiring.json", schedule(expires_at=at.strftime("%Y-%m-%dT%H:%M:%SZ")))
    found = here.do("register-milestone", path, "--submit", *pays(here))
    assert held_by(here, FUNDER) == (before[0] - found["transaction"]["cost"], before[1] - 5_000)
    here.refused("distribution.unknown", "reclaim", found["distribution_id"], *pays(here))
    here.follow()
    here.refused("builder.not_due", "reclaim", found["distribution_id"], *pays(here))
    here.control("time", slots=5 * 3 * 3600)
    here.control("blocks", count=1)
    here.follow()
    back = here.do("reclaim", found["distribution_id"][:12], *pays(here))
    assert back["lovelace"] == found["lovelace_locked"]
    assert back["assets"] == [{"policy": TOKEN.policy.hex(), "name": TOKEN.name.hex(), "amount": 5_000}]
    fees = found["transaction"]["fee"] + back["transaction"]["fee"]
    assert held_by(here, FUNDER) == (before[0] - fees, before[1])
    here.follow()
    here.refused("distribution.ended", "reclaim", found["distribution_id"], *pays(here))
    assert here.do("check-status", found["distribution_id"])["state"] == "reclaimed"


def test_what_was_sent_to_the_contract_by_mistake_comes_back_by_its_reference(here: Town) -> None:
    """A Distribution without a state token, at any time; and what is neither is refused in words."""
    terms = Terms(STRANGER.hash, (ORACLES[0].public,), 1, (Allocation(somebody("ann"), 5, b"m1", 0),))
    (coin,) = here.fund(STRANGER, 60 * ADA)
    outputs = (paid(OURS.home(), 30 * ADA, datum=terms.data()), paid(OURS.home(), 5 * ADA))
    sent = here.send(Spending(inputs=(coin,), signers=(STRANGER,), change=STRANGER.address, outputs=outputs))
    here.fund(STRANGER, 10 * ADA)
    back = here.do("reclaim", f"{sent}#0", *pays(here, STRANGER))
    assert (back["lovelace"], back["distribution_id"]) == (30 * ADA, None)
    here.refused("builder.not_possible", "reclaim", f"{sent}#1", *pays(here, STRANGER))
    here.refused("output.not_at_contract", "reclaim", f"{sent}#2", *pays(here, STRANGER))
    here.refused("output.not_there", "reclaim", f"{sent}#7", *pays(here, STRANGER))
    here.refused("output.reference_unreadable", "reclaim", "abc#1", *pays(here, STRANGER), exit_code=2)


# --- registering


def test_a_schedule_is_checked_without_anybody_who_pays(here: Town) -> None:
    """Totals, address, datum, reserve, and what each milestone takes; nothing is sent."""
    path = here.write("checked.json", schedule())
    mempool = here.state["tip"]
    found = here.do("register-milestone", path)
    assert (found["distribution_id"], found["transaction"]) == (None, None)
    assert (found["amount_total"], found["beneficiaries"], found["allocations"]) == (5_000, 5, 5)
    assert found["lovelace_promised"] == 5 * 2_000_000
    assert found["lovelace_locked"] == found["lovelace_promised"] + found["lovelace_reserve"]
    assert [(one["milestone_id"], one["allocations"], one["transactions"]) for one in found["milestones"]] == [
        ("m1", 3, 1),
        ("m2", 2, 1),
    ]
    assert found["warnings"] == []
    assert here.state["tip"]["height"] - mempool["height"] <= 1


def test_a_schedule_too_long_for_one_release_is_said_to_take_several(here: Town) -> None:
    """A payout takes 60 bytes at least and its terms 40, so 180 of them do not fit 16,384 bytes: as few releases as
    possible are counted, the largest nearly full."""
    many = [allocation(number, "m1") for number in range(180)]
    found = here.do("register-milestone", here.write("long.json", schedule(allocations=many)))
    (one,) = found["milestones"]
    assert one["transactions"] in (2, 3)
    assert 16_000 < one["largest"]["size"] <= 16_385 or one["largest"]["memory"] > 15_000_000


def test_what_a_funder_should_know_is_said_as_a_warning(here: Town) -> None:
    """No expiry, a script that is paid, ids that differ in case alone, releases that cost their keeper."""
    script = allocation(0) | {"beneficiary": address_text(bytes([0x70]) + bytes(28))}
    changed = schedule(
        expires_at=None, keeper_fee_per_payout=0, allocations=[script, allocation(1, "phase"), allocation(2, "Phase")]
    )
    warnings = here.do("register-milestone", here.write("warned.json", changed))["warnings"]
    assert [warning.split(":")[0].split(" (")[0] for warning in warnings] == [
        "expires_at is missing",
        "allocations[0].beneficiary is a script",
        "milestones phase and Phase differ in case alone",
        "a release of m1 costs its keeper more than it gets",
        "a release of phase costs its keeper more than it gets",
        "a release of Phase costs its keeper more than it gets",
    ]


def test_the_same_schedule_is_not_funded_twice_by_accident(here: Town) -> None:
    """Whether the database knows of the first or not; --again does it."""
    path = here.write("twice.json", schedule(quorum_threshold=3))
    registers = ("register-milestone", path, "--submit", *pays(here))
    first = here.do(*registers)["distribution_id"]
    here.refused("transaction.done_before", *registers)
    here.follow()
    known = here.refused("schedule.same_terms_open", *registers)
    assert first in known["message"]
    other = here.do(*registers, "--again")["distribution_id"]
    assert other != first


def test_a_funder_with_cold_keys_signs_elsewhere(here: Town) -> None:
    """The unsigned transaction goes out, a signature comes back, and it is sent once however often it is submitted."""
    path, unsigned = here.write("cold.json", schedule(keeper_fee_per_payout=510_000)), str(here.folder / "cold.tx")
    found = here.do("register-milestone", path, "--address", FUNDER.text, "--out", unsigned)
    assert found["transaction"]["state"] == "unsigned"
    assert found["transaction"]["signers"] == [FUNDER.hash.hex()]
    transaction_id = bytes.fromhex(found["transaction"]["transaction_id"])
    here.refused("builder.signature_missing", "submit", unsigned, "--yes")
    foreign = here.write("foreign.witness", witness(STRANGER, transaction_id))
    here.refused("builder.signature_missing", "submit", unsigned, "--witness", foreign, "--yes")
    wrong = here.write("wrong.witness", witness(FUNDER, bytes(32)))
    here.refused("builder.signature_wrong", "submit", unsigned, "--witness", wrong, "--yes")
    right = here.write("right.witness", witness(FUNDER, transaction_id))
    submits = ("submit", unsigned, "--witness", right, "--yes")
    before = held_by(here, FUNDER)
    assert here.do(*submits)["transaction_id"] == found["transaction"]["transaction_id"]
    assert held_by(here, FUNDER)[0] == before[0] - found["transaction"]["cost"]
    assert here.do(*submits)["transaction_id"] == found["transaction"]["transaction_id"]
    assert held_by(here, FUNDER)[0] == before[0] - found["transaction"]["cost"]
    here.follow()
    assert here.do("check-status", found["distribution_id"])["state"] == "open"


def witness(whom: Wallet, transaction_id: bytes) -> Json:
    """As `cardano-cli transaction witness` writes it."""
    signature = whom.key.sign(transaction_id).signature.hex()
    return {
        "type": "TxWitness ConwayEra",
        "description": "Key Witness ShelleyEra",
        "cborHex": f"8200825820{whom.public.hex()}5840{signature}",
    }


def test_a_dry_run_builds_and_sends_nothing(here: Town) -> None:
    """With the id that it would have."""
    path, before = here.write("dry.json", schedule(quorum_threshold=2)), held_by(here, FUNDER)
    found = here.do("register-milestone", path, "--dry-run", "--again", *pays(here))
    assert found["transaction"]["state"] == "dry_run"
    assert len(found["distribution_id"]) == 64
    assert held_by(here, FUNDER) == before


def test_nothing_is_sent_that_nobody_confirmed(here: Town) -> None:
    """Without --yes and without a terminal."""
    path = here.write("unconfirmed.json", schedule(quorum_threshold=1, lovelace_per_payout=1_600_000))
    before = held_by(here, FUNDER)
    here.refused("command.not_confirmed", "register-milestone", path, "--submit", "--signing-key", here.key(FUNDER))
    assert held_by(here, FUNDER) == before


def test_what_is_said_to_people_is_in_the_decimals_of_the_token(here: Town) -> None:
    """A table, and progress beside it."""
    path = here.write("words.json", schedule())
    done = command(here.config, "register-milestone", path)
    assert done.returncode == 0
    assert "promised      50.00 TOK to 5 beneficiaries" in done.stdout
    assert "building the creation and every release" in done.stderr
    with pytest.raises(json.JSONDecodeError):
        json.loads(done.stdout)


def test_the_schedule_that_funders_are_shown_is_accepted(here: Town) -> None:
    """As it stands there."""
    (shown,) = [block.text for block in blocks(ROOT / "docs" / "funders.md") if block.language == "json"]
    found = here.do("register-milestone", here.write("shown.json", json.loads(shown)))
    assert [one["milestone_id"] for one in found["milestones"]] == ["m1", "m2"]
    assert found["warnings"] == []
