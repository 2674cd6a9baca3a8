"""Commands about distributions, as processes on the database of a real chain."""

import asyncio
import csv
import io
import json
import shutil
import signal
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey

from indexer.cli.exports import RECKONED
from indexer.cli.happened import Event
from indexer.devnet.ogmios.server import serve
from indexer.edge.files import only_writer
from tests.contract.keys import key_hash, public, signing_key
from tests.contract.terms import ADA, Allocation, Asset, Terms, message, signature, somebody
from tests.support.deeds import Beside, attested, create, pay, release, take_back
from tests.support.following import select
from tests.support.oddities import REFUND
from tests.support.process import INDEXER, ROOT, answer, command, configure, log_line, start, until
from tests.support.promises import OURS, START_MS, TOKENS, Plan, World

ANN, BOB = somebody("ann"), somebody("bob")
LATER_MS = 4_102_444_800_000  # 2100-01-01T00:00:00Z
TOKEN = f'[[token]]\npolicy = "{TOKENS[0].policy.hex()}"\nname = "544f4b454e"\nticker = "TOK"\ndecimals = 2'


@dataclass(frozen=True)
class Story:
    """A chain, and what was promised on it.

    Slot 1: `open` and `done` are created. 2: oracle 0 attests m1 of `open`. 3: so do oracle 1, which makes the quorum,
    and a stranger. 4: `done` is paid. 5: `gone` is created; its funder has it back at 6.
    """

    world: World
    open: Plan
    done: Plan
    gone: Plan


def terms(allocations: tuple[Allocation, ...], threshold: int, token: Asset, expires_at: int | None = None) -> Terms:
    oracles = tuple(public(f"oracle {n}") for n in range(3))
    return Terms(key_hash("funder"), oracles, threshold, allocations, token, expires_at=expires_at)


def attest(plan: Plan, name: str) -> Beside:
    return attested(plan, b"m1", public(name), REFUND)


def tell() -> Story:
    """Each step in a block of its own, a slot each."""
    world = World()
    promised = (Allocation(ANN, 500, b"m1", 0), Allocation(BOB, 750, b"m1", LATER_MS), Allocation(ANN, 1_100, b"m2", 0))
    opened = world.plan(terms(promised, 2, TOKENS[0]))
    create(world, opened)
    done = world.plan(terms((Allocation(ANN, 3_000_000, b"\x00", 0),), 1, ADA))
    state = create(world, done)
    world.block()
    pay(world, [attest(opened, "oracle 0")])
    world.block()
    pay(world, [attest(opened, "oracle 1"), attest(opened, "oracle 7")])
    world.block()
    release(world, state, b"\x00", [0], [2])
    world.block()
    gone = world.plan(terms((Allocation(BOB, 9, b"m1", 0),), 1, TOKENS[0], expires_at=START_MS))
    state = create(world, gone)
    world.block()
    take_back(world, [state])
    world.block()
    return Story(world, opened, done, gone)


def configured(folder: Path, port: int = 9) -> Path:
    more = f'[[contract]]\nblueprint = "{ROOT / "plutus.json"}"\n[data]\ndirectory = "data"\n{TOKEN}'
    return configure(folder, port, network="devnet", more=more)


@pytest.fixture(scope="module")
def story() -> Story:
    return tell()


@pytest.fixture(scope="module")
def followed(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a daemon that followed it all and was stopped."""
    folder = tmp_path_factory.mktemp("followed")

    async def follow() -> Path:
        async with serve(story.world.node, "127.0.0.1", 0) as server:
            config = configured(folder, server.port)
            await asyncio.to_thread(answer, config, "run", "--until", "tip")
        return config

    return asyncio.run(follow())


@pytest.fixture
def own(followed: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    shutil.copy(followed.parent / "db.sqlite", tmp_path / "db.sqlite")
    return configured(tmp_path)


def error(config: Path, *arguments: str, exit_code: int = 1) -> dict[str, str]:
    """What a command that refuses says with --json, and that it says it to people too."""
    as_json = command(config, *arguments, "--json")
    assert as_json.returncode == exit_code, as_json.stderr
    in_words = command(config, *arguments)
    assert in_words.returncode == exit_code
    assert in_words.stderr.startswith("error: ")
    found: dict[str, str] = json.loads(as_json.stdout)["error"]
    return found


def words(config: Path, *arguments: str) -> str:
    done = command(config, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- check-status


def test_without_a_distribution_the_status_counts_them_and_lists_what_is_due(followed: Path, story: Story) -> None:
    """One open, with 500 of the token vested for a milestone with a quorum; one paid in full; one had back."""
    found = answer(followed, "check-status")
    assert [one["script_hash"] for one in found["contracts"]] == [OURS.hash.hex()]
    assert found["distributions"] == {"open": 1, "completed": 1, "closed": 0, "reclaimed": 1}
    assert found["due"] == [
        {
            "distribution_id": story.open.id.hex(),
            "milestone_id": "m1",
            "token_policy": TOKENS[0].policy.hex(),
            "token_name": "544f4b454e",
            "allocations": 1,
            "amount": 500,
            "vested_at": "1970-01-01T00:00:00Z",
            "quorum_met_slot": 3,
        }
    ]
    told = words(followed, "check-status")
    assert "distributions: 1 open, 1 completed, 0 closed, 1 reclaimed" in told
    assert [line.split() for line in told.splitlines() if line.startswith(story.open.id.hex()[:16])] == [
        [f"{story.open.id.hex()[:16]}…", "m1", "1", "5.00", "TOK", "1970-01-01T00:00:00Z"]
    ]


def test_a_list_of_what_is_due_that_is_cut_says_so(own: Path, story: Story) -> None:
    """In words and in JSON; with a second milestone that has a quorum there are two."""
    sign(own, story, 0)
    answer(own, "commit-milestone", str(sign(own, story, 1)))
    for options, names in (((), ["m1", "m2"]), (("--all",), ["m1", "m2"]), (("--limit", "1"), ["m1"])):
        found = answer(own, "check-status", *options)
        assert ([one["milestone_id"] for one in found["due"]], found["due_total"]) == (names, 2)
        told = words(own, "check-status", *options).splitlines()
        assert (told[-1] == "and 1 more: --all lists them, --limit N the first N") == (len(names) == 1)
    slot = str(answer(own, "check-status")["slot"])
    found = answer(own, "check-status", "--at", slot, "--limit", "1")
    assert (len(found["due"]), found["due_total"]) == (1, 2)


@pytest.mark.parametrize(
    ("slot", "counts", "due"),
    [
        (0, (0, 0, 0, 0), []),
        (2, (2, 0, 0, 0), []),
        (3, (2, 0, 0, 0), [500]),
        (4, (1, 1, 0, 0), [500]),
        (5, (2, 1, 0, 0), [500]),
        (6, (1, 1, 0, 1), [500]),
    ],
)
def test_at_a_slot_the_status_is_that_of_then(
    slot: int, counts: tuple[int, ...], due: list[int], followed: Path
) -> None:
    """Block by block, as the story says."""
    found = answer(followed, "check-status", "--at", str(slot))
    assert tuple(found["distributions"].values()) == counts
    assert [one["amount"] for one in found["due"]] == due


def test_what_is_rolled_back_is_counted_no_longer(own: Path) -> None:
    """Without the reclaim, then without the release: the same counts as of these slots."""
    blocks = {row["slot"]: row["block_id"] for row in select(own.parent / "db.sqlite", "SELECT * FROM blocks")}
    for slot, counts in ((5, (2, 1, 0, 0)), (3, (2, 0, 0, 0))):
        answer(own, "rollback", f"{slot}.{blocks[slot]}")
        found = answer(own, "check-status")
        assert tuple(found["distributions"].values()) == counts
        assert [one["amount"] for one in found["due"]] == [500]


def test_a_distribution_is_told_with_terms_milestones_signatures_and_history(followed: Path, story: Story) -> None:
    """By the beginning of its id, in either case."""
    found = answer(followed, "check-status", story.open.id.hex()[:8].upper())
    assert (found["distribution_id"], found["state"]) == (story.open.id.hex(), "open")
    assert (found["amount_total"], found["amount_paid"], found["amount_left"]) == (2_350, 0, 2_350)
    assert (found["seed"], found["quorum_threshold"]) == (str(story.open.seed.at), 2)
    assert (found["as_of_slot"], found["created_at"]) == (6, "2024-01-01T00:00:01Z")
    first, second = found["milestones"]
    assert (first["milestone_id"], first["quorum_status"], first["quorum_met_slot"]) == ("m1", "met", 3)
    assert (first["amount_total"], first["amount_vested"], first["amount_paid"]) == (1_250, 500, 0)
    assert first["next_vesting_at"] == "2100-01-01T00:00:00Z"
    assert sorted((one["oracle"], one["verdict"], one["slot"]) for one in first["signatures"]) == sorted(
        [
            (public("oracle 0").hex(), "valid", 2),
            (public("oracle 1").hex(), "valid", 3),
            (public("oracle 7").hex(), "unauthorised", 3),
        ]
    )
    assert (second["milestone_id"], second["quorum_status"], second["signatures"]) == ("m2", "pending", [])
    assert [(one["type"], one["slot"]) for one in found["events"]] == [
        ("distribution.created", 1),
        ("attestation.accepted", 2),
        ("attestation.accepted", 3),
        ("attestation.rejected", 3),
        ("milestone.quorum_met", 3),
    ]
    told = words(followed, "check-status", story.open.id.hex())
    assert "amounts       23.50 promised, 0.00 paid, 23.50 left" in told
    assert "milestone m1: quorum met since 2024-01-01T00:00:03Z, slot 3 (2 of 2 signatures)" in told


def test_a_milestone_alone_is_told_by_word_or_by_hex(followed: Path, story: Story) -> None:
    """A single zero byte is no word."""
    found = answer(followed, "check-status", story.done.id.hex(), "--milestone", "0x00")
    assert [(one["milestone_id"], one["amount_paid"]) for one in found["milestones"]] == [("0x00", 3_000_000)]
    assert "3.000000 ada" in words(followed, "check-status", story.done.id.hex())
    assert len(answer(followed, "check-status", story.open.id.hex(), "--milestone", "m2")["milestones"]) == 1


@pytest.mark.parametrize(("slot", "status", "valid"), [(1, "pending", 0), (2, "pending", 1), (3, "met", 2)])
def test_at_a_slot_a_distribution_is_what_was_known_then(
    slot: int, status: str, valid: int, followed: Path, story: Story
) -> None:
    """Signatures that came later do not count; time is that of the slot."""
    found = answer(followed, "check-status", story.open.id.hex(), "--at", str(slot))
    milestone = found["milestones"][0]
    assert (milestone["quorum_status"], milestone["signatures_valid"]) == (status, valid)
    assert (found["as_of_slot"], found["as_of_time"]) == (slot, f"2024-01-01T00:00:0{slot}Z")
    assert all(event["slot"] <= slot for event in found["events"])


def test_what_cannot_be_told_is_refused_with_a_way_out(followed: Path, story: Story) -> None:
    """Unknown or too short ids, milestones that there are not, slots that are not held."""
    name = story.gone.id.hex()
    for arguments, code, hint in (
        (("ab" * 32,), "distribution.unknown", "check-status"),
        ((name[:7],), "distribution.unknown", "first 8"),
        (("\x1b[31mred",), "distribution.unknown", "64 hex"),
        ((name, "--milestone", "m9"), "milestone.unknown", "it has: m1"),
        ((name, "--milestone", "0x1"), "milestone.unknown", "lists"),
        ((name, "--at", "7"), "status.slot_not_held", "cursor"),
        ((name, "--at", "4"), "distribution.unknown", "created at slot 5"),
        (("--at", "7"), "status.slot_not_held", "cursor"),
    ):
        refused = error(followed, "check-status", *arguments)
        assert refused["code"] == code
        assert hint in refused["hint"]
        assert refused["message"].isprintable()
    for arguments in (
        ("--milestone", "m1"),
        ("--watch", "--at", "1"),
        ("--at", "-1"),
        ("--limit", "0"),
        ("--limit", "1", "--all"),
        (name, "--limit", "1"),
        (name, "--all"),
    ):
        assert command(followed, "check-status", *arguments).returncode == 2


def test_an_id_that_begins_like_another_has_to_be_given_longer(own: Path, story: Story) -> None:
    """Chains have no such ids to offer, so the row of one is copied under another name."""
    digits = story.open.id.hex()[:10]
    db = sqlite3.connect(own.parent / "db.sqlite")
    columns = ", ".join(name for _, name, *_ in db.execute("PRAGMA table_info(distribution)"))
    rest = columns.replace("distribution_id, ", "", 1)
    other = f"{digits}{'0' * 54}"
    db.execute(
        f"INSERT INTO distribution ({columns}) SELECT ?, {rest} FROM distribution WHERE distribution_id = ?",
        (other, story.open.id.hex()),
    )
    db.commit()
    db.close()
    refused = error(own, "check-status", digits)
    assert refused["code"] == "distribution.ambiguous"
    assert other[:24] in refused["message"]
    assert answer(own, "check-status", story.open.id.hex()[:16])["distribution_id"] == story.open.id.hex()


async def test_watching_tells_again_when_something_changed_and_ends_when_interrupted(tmp_path: Path) -> None:
    """A document a line with --json: the first at once, the next when a block has come."""
    told = await asyncio.to_thread(tell)
    async with serve(told.world.node, "127.0.0.1", 0) as server:
        config = configured(tmp_path, server.port)
        await asyncio.to_thread(answer, config, "run", "--until", "tip")
        watching = start(config, "check-status", "--watch", "--json")
        assert watching.stdout is not None
        first = json.loads(await asyncio.to_thread(watching.stdout.readline))
        told.world.block()
        await asyncio.to_thread(answer, config, "run", "--until", "tip")
        second = json.loads(await asyncio.to_thread(watching.stdout.readline))
        assert (first["slot"], second["slot"]) == (6, 7)
        watching.send_signal(signal.SIGINT)
        rest, log = await asyncio.to_thread(watching.communicate, timeout=10)
        assert (watching.returncode, rest, log) == (0, "", "")


# --- calculate-distribution


def test_each_allocation_is_told_with_what_stands_in_its_way(followed: Path, story: Story) -> None:
    """Claimable, not vested, not verified; paid; had back. Totals by reason."""
    found = answer(followed, "calculate-distribution", story.open.id.hex())
    assert [(one["milestone_id"], one["amount"], one["reason"]) for one in found["allocations"]] == [
        ("m1", 500, "claimable"),
        ("m1", 750, "vesting_not_passed"),
        ("m2", 1_100, "milestone_not_verified"),
    ]
    assert {one["reason"]: (one["allocations"], one["amount"]) for one in found["totals"]} == {
        "claimable": (1, 500),
        "vesting_not_passed": (1, 750),
        "milestone_not_verified": (1, 1_100),
        "already_claimed": (0, 0),
        "reclaimed": (0, 0),
    }
    paid = answer(followed, "calculate-distribution", story.done.id.hex())["allocations"]
    assert [(one["reason"], one["paid_by"] is not None) for one in paid] == [("already_claimed", True)]
    back = answer(followed, "calculate-distribution", story.gone.id.hex())["allocations"]
    assert [one["reason"] for one in back] == ["reclaimed"]
    told = words(followed, "calculate-distribution", story.open.id.hex())
    assert "milestone not verified" in told
    assert "11.00" in told


@pytest.mark.parametrize(
    ("at", "reasons"),
    [
        ("2024-01-01T00:00:02Z", ["milestone_not_verified", "milestone_not_verified"]),
        ("2024-01-01T01:00:03+01:00", ["claimable", "vesting_not_passed"]),
        ("2100-01-01T00:00:00Z", ["claimable", "claimable"]),
    ],
)
def test_a_past_time_knows_what_was_known_then_and_a_coming_one_what_is_known_now(
    at: str, reasons: list[str], followed: Path, story: Story
) -> None:
    """The quorum was met in slot 3, the second vesting time is the first moment of 2100."""
    found = answer(followed, "calculate-distribution", story.open.id.hex(), "--at", at)
    assert [one["reason"] for one in found["allocations"] if one["milestone_id"] == "m1"] == reasons


def test_one_beneficiary_is_told_only_of_what_is_theirs(followed: Path, story: Story) -> None:
    """By address; of a stranger there is nothing to tell."""
    name = story.open.id.hex()
    everything = answer(followed, "calculate-distribution", name)["allocations"]
    anns = everything[0]["beneficiary"]
    found = answer(followed, "calculate-distribution", name, "--beneficiary", anns)
    assert [one["amount"] for one in found["allocations"]] == [500, 1_100]
    assert sum(one["amount"] for one in found["totals"]) == 1_600
    assert answer(followed, "calculate-distribution", name, "--beneficiary", "addr_test1")["allocations"] == []


def test_times_without_a_zone_and_before_the_chain_are_refused(followed: Path, story: Story) -> None:
    """The first is no time at all; at the second nothing is known."""
    name = story.open.id.hex()
    assert command(followed, "calculate-distribution", name, "--at", "2024-01-01T00:00:00").returncode == 2
    refused = error(followed, "calculate-distribution", name, "--at", "2023-01-01T00:00:00Z")
    assert refused["code"] == "status.slot_not_held"


# --- attest and commit-milestone


def key_file(folder: Path, name: str) -> Path:
    path = folder / f"{name}.skey"
    path.write_text(bytes(signing_key(name)).hex())
    path.chmod(0o600)
    return path


def sign(config: Path, story: Story, oracle: int, milestone: str = "m2") -> Path:
    """An oracle signs into the file that may have been begun by another."""
    folder = config.parent
    file = folder / "signed.json"
    key = key_file(folder, f"oracle {oracle}")
    answer(config, "attest", story.open.id.hex(), milestone, "--key", str(key), "--out", str(file))
    return file


def local(config: Path) -> list[dict[str, Any]]:
    sql = "SELECT milestone_id, oracle, verdict, slot FROM attestations WHERE source = 'local' ORDER BY slot, oracle"
    return select(config.parent / "db.sqlite", sql)


def test_oracles_sign_into_one_file_and_the_quorum_is_met(own: Path, story: Story) -> None:
    """With the bytes that the contract asks for; without a daemon the database has them at once."""
    sign(own, story, 0)
    file = sign(own, story, 1)
    content = message(OURS.hash, story.open.id, b"m2")
    document = json.loads(file.read_text())
    assert {one["oracle"]: one["signature"] for one in document["oracle_signatures"]} == {
        public(f"oracle {n}").hex(): signature(public(f"oracle {n}"), content).hex() for n in (0, 1)
    }
    committed = answer(own, "commit-milestone", str(file))
    assert [(one["verdict"], one["stored"]) for one in committed["signatures"]] == [("valid", "now")] * 2
    assert (committed["in_database"], committed["quorum_status"], committed["slot"]) == (True, "met", 6)
    assert [(row["milestone_id"], row["verdict"], row["slot"]) for row in local(own)] == [("m2", "valid", 6)] * 2
    stored = own.parent / "data" / "milestones" / story.open.id.hex() / "6d32.json"
    assert len(json.loads(stored.read_text())["oracle_signatures"]) == 2
    again = answer(own, "commit-milestone", str(file))
    assert [one["stored"] for one in again["signatures"]] == ["before", "before"]
    due = answer(own, "check-status")["due"]
    assert [(one["milestone_id"], one["amount"]) for one in due] == [("m1", 500), ("m2", 1_100)]


def test_a_signature_that_the_chain_shows_too_is_stored_all_the_same(own: Path, story: Story) -> None:
    """A fork may take the one on the chain away."""
    committed = answer(own, "commit-milestone", str(sign(own, story, 0, "m1")))
    assert [(one["verdict"], one["stored"]) for one in committed["signatures"]] == [("duplicate", "now")]
    assert [(row["oracle"], row["verdict"]) for row in local(own)] == [(public("oracle 0").hex(), "duplicate")]


def test_of_a_file_the_good_signatures_are_stored_and_the_others_named(own: Path, story: Story) -> None:
    """A stranger's, and one over another milestone, are not; with no good one left, nothing is."""
    oracle, stranger = public("oracle 2"), public("oracle 9")
    good = signature(oracle, message(OURS.hash, story.open.id, b"m2"))
    bad = signature(oracle, message(OURS.hash, story.open.id, b"m1"))
    signatures = [(oracle, good), (oracle, bad), (stranger, good)]
    file = write(own.parent / "mixed.json", story.open.id, signatures)
    committed = answer(own, "commit-milestone", str(file))
    assert sorted((one["oracle"], one["verdict"], one["stored"]) for one in committed["signatures"]) == sorted(
        [
            (oracle.hex(), "valid", "now"),
            (oracle.hex(), "bad_signature", "no"),
            (stranger.hex(), "unauthorised", "no"),
        ]
    )
    assert len(local(own)) == 1
    refused = error(own, "commit-milestone", str(write(own.parent / "bad.json", story.open.id, signatures[1:])))
    assert refused["code"] == "commit.nothing_valid"
    assert "bad_signature" in refused["message"]
    assert len(local(own)) == 1


def test_a_signature_under_another_milestone_than_its_own_is_told_to_be_bad(own: Path, story: Story) -> None:
    """Also where it is stored already, under its own."""
    good = sign(own, story, 0)
    answer(own, "commit-milestone", str(good))
    other = own.parent / "other.json"
    other.write_text(good.read_text().replace('"m2"', '"m1"'))
    refused = error(own, "commit-milestone", str(other))
    assert refused["code"] == "commit.nothing_valid"
    assert "bad_signature" in refused["message"]
    assert [row["milestone_id"] for row in local(own)] == ["m2"]


def test_whoever_else_writes_for_a_moment_is_waited_for(own: Path, story: Story) -> None:
    """Another commit, say: no daemon would take the signatures from the file."""
    file = sign(own, story, 0)
    with only_writer(own.parent / "db.sqlite"):
        committing = start(own, "commit-milestone", str(file), "--json")
        stored = own.parent / "data" / "milestones" / story.open.id.hex() / "6d32.json"
        until(stored.exists)
        time.sleep(0.2)  # by then it has met the lock, or will find it free
    out, _ = committing.communicate(timeout=20)
    assert json.loads(out)["in_database"] is True
    assert [row["verdict"] for row in local(own)] == ["valid"]


def test_what_an_unknown_distribution_is_said_to_have_is_stored_only_by_force(own: Path) -> None:
    """It may be founded later, and then they are verified."""
    unknown = bytes(32)
    file = write(own.parent / "unknown.json", unknown, [(public("oracle 0"), bytes(64))])
    refused = error(own, "commit-milestone", str(file))
    assert refused["code"] == "distribution.unknown"
    assert "--force" in refused["hint"]
    assert local(own) == []
    committed = answer(own, "commit-milestone", str(file), "--force")
    assert (committed["signatures"][0]["verdict"], committed["quorum_status"]) == ("unknown_distribution", None)
    assert [row["verdict"] for row in local(own)] == ["unknown_distribution"]


def write(path: Path, distribution: bytes, signatures: list[tuple[bytes, bytes]]) -> Path:
    document = {
        "distribution_id": distribution.hex(),
        "milestone_id": "m2",
        "oracle_signatures": [{"oracle": o.hex(), "signature": s.hex(), "slot": 1} for o, s in signatures],
    }
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("turn", range(4))
def test_two_commits_at_once_lose_nothing(turn: int, own: Path, story: Story) -> None:
    """Of the same milestone, as processes, four times from the start: both store what they were given in the file, and
    the next command has both in the database."""
    stored = own.parent / "data" / "milestones" / story.open.id.hex() / "6d32.json"
    content = message(OURS.hash, story.open.id, b"m2")
    given = {public(f"oracle {n}"): signature(public(f"oracle {n}"), content) for n in (0, 1)}
    files = [
        write(own.parent / f"{n}.json", story.open.id, [(oracle, proof)])
        for n, (oracle, proof) in enumerate(given.items())
    ]
    running = [start(own, "commit-milestone", str(file), "--json") for file in files[:: 1 if turn % 2 else -1]]
    ended = [(process.communicate(timeout=30), process.returncode) for process in running]
    assert [code for _, code in ended] == [0, 0], ended
    assert [json.loads(out)["signatures"][0]["stored"] for (out, _), _ in ended] == ["now", "now"]
    found = json.loads(stored.read_text())["oracle_signatures"]
    assert {one["oracle"]: one["signature"] for one in found} == {o.hex(): s.hex() for o, s in given.items()}
    answer(own, "commit-milestone", str(files[0]))
    assert {row["oracle"] for row in local(own)} == {oracle.hex() for oracle in given}


async def test_a_running_daemon_takes_what_is_committed(tmp_path: Path) -> None:
    """And the command waits for it; the slot that another indexer noted is not taken at its word."""
    told = await asyncio.to_thread(tell)
    async with serve(told.world.node, "127.0.0.1", 0) as server:
        config = configured(tmp_path, server.port)
        daemon = await asyncio.to_thread(start, config, "run")
        await asyncio.to_thread(log_line, daemon, "blocks.applied")
        await asyncio.to_thread(_until_slot, config, 6)
        content = message(OURS.hash, told.open.id, b"m2")
        oracle = public("oracle 2")
        file = write(tmp_path / "one.json", told.open.id, [(oracle, signature(oracle, content))])
        committed = await asyncio.to_thread(answer, config, "commit-milestone", str(file))
        assert (committed["in_database"], committed["quorum_status"]) == (True, "pending")
        assert [(row["oracle"], row["slot"]) for row in local(config)] == [(oracle.hex(), 6)]
        daemon.terminate()
        await asyncio.to_thread(daemon.communicate, timeout=10)


def _until_slot(config: Path, slot: int) -> None:
    end = time.monotonic() + 20
    while answer(config, "check-status")["slot"] != slot:
        assert time.monotonic() < end


def test_what_is_to_be_signed_is_shown_and_asked_for_first(own: Path, story: Story) -> None:
    """Token, amounts, beneficiaries, times; without a terminal and without --yes, nothing is signed."""
    key, file = key_file(own.parent, "oracle 0"), own.parent / "signed.json"
    arguments = ("attest", story.open.id.hex(), "m1", "--key", str(key), "--out", str(file))
    refused = command(own, *arguments)
    assert refused.returncode == 1
    assert "nothing was signed" in refused.stderr
    assert not file.exists()
    shown = refused.stdout
    for fact in (story.open.id.hex(), "TOK", "12.50", "5.00", "7.50", "2100-01-01T00:00:00Z", "2 of 3"):
        assert fact in shown
    assert "11.00" not in shown
    assert command(own, *arguments, "--yes").returncode == 0
    assert file.exists()


def test_the_wrong_key_and_a_file_about_something_else_are_refused(own: Path, story: Story) -> None:
    """A stranger's key; one that others can read; the file of another milestone, which stays as it was."""
    name = story.open.id.hex()
    stranger = key_file(own.parent, "oracle 9")
    assert error(own, "attest", name, "m1", "--key", str(stranger), "--yes")["code"] == "attest.not_an_oracle"
    file = sign(own, story, 0, "m2")
    before = file.read_bytes()
    key = str(own.parent / "oracle 0.skey")
    refused = error(own, "attest", name, "m1", "--key", key, "--out", str(file), "--yes")
    assert (refused["code"], file.read_bytes()) == ("document.invalid", before)
    Path(key).chmod(0o644)
    refused = error(own, "attest", name, "m1", "--key", key, "--yes", exit_code=2)
    assert refused["code"] == "config.file_unusable"
    assert bytes(signing_key("oracle 0")).hex() not in json.dumps(refused)


def test_terms_that_are_not_those_of_the_id_are_not_signed(own: Path, story: Story) -> None:
    """Somebody altered the database: the datum of another distribution stands there."""
    db = sqlite3.connect(own.parent / "db.sqlite")
    db.execute(
        "UPDATE distribution SET datum = (SELECT datum FROM distribution WHERE distribution_id = ?1) "
        "WHERE distribution_id = ?2",
        (story.gone.id.hex(), story.open.id.hex()),
    )
    db.commit()
    db.close()
    key = str(key_file(own.parent, "oracle 0"))
    refused = error(own, "attest", story.open.id.hex(), "m1", "--key", key, "--yes")
    assert refused["code"] == "attest.terms_differ"


# --- keys


def test_new_keys_are_cardano_cli_text_envelopes_and_never_overwrite(own: Path) -> None:
    """The secret one for its owner only; nothing of it is printed."""
    folder = own.parent
    done = command(own, "keys", "new", "keeper", "--out", str(folder / "k.skey"), "--json")
    found = json.loads(done.stdout)
    secret, shown = json.loads((folder / "k.skey").read_text()), json.loads((folder / "k.vkey").read_text())
    assert (secret["type"], secret["cborHex"][:4]) == ("PaymentSigningKeyShelley_ed25519", "5820")
    assert shown["type"] == "PaymentVerificationKeyShelley_ed25519"
    assert (folder / "k.skey").stat().st_mode & 0o777 == 0o600
    verify = SigningKey(bytes.fromhex(secret["cborHex"][4:])).verify_key
    assert shown["cborHex"] == "5820" + bytes(verify).hex()
    assert found["public_key"] == bytes(verify).hex()
    assert found["address"].startswith("addr_test1v")
    assert secret["cborHex"][4:] not in done.stdout + done.stderr
    before = (folder / "k.skey").read_bytes()
    assert error(own, "keys", "new", "keeper", "--out", str(folder / "k.skey"))["code"] == "keys.exists"
    assert (folder / "k.skey").read_bytes() == before
    (folder / "other.vkey").touch()
    assert error(own, "keys", "new", "oracle", "--out", str(folder / "other.skey"))["code"] == "keys.exists"
    assert not (folder / "other.skey").exists()
    assert error(own, "keys", "new", "oracle", "--out", ".", exit_code=2)["code"] == "config.file_unusable"


def test_an_oracles_key_needs_no_configuration(tmp_path: Path) -> None:
    """It has no address, so it is of no network."""
    found = answer(tmp_path / "none.toml", "keys", "new", "oracle", "--out", str(tmp_path / "o.skey"))
    assert (found["address"], len(found["key_hash"])) == (None, 56)
    refused = error(tmp_path / "none.toml", "keys", "new", "funder", "--out", str(tmp_path / "f.skey"), exit_code=2)
    assert refused["code"] == "config.file_unusable"
    assert not (tmp_path / "f.skey").exists()


# --- export


VIEWS = (
    *("distributions", "milestones", "allocations", "attestations", "rejected_outputs", "events"),
    *("outputs", "output_assets", "blocks", "sync_status"),
)


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_exported_as_csv_and_as_json(view: str, followed: Path) -> None:
    """The same rows that SQL gives; integers are integers, NULL is null, or an empty cell."""
    rows = select(followed.parent / "db.sqlite", f"SELECT * FROM {view}")
    as_json, as_csv = answer(followed, "export", view), words(followed, "export", view, "--format", "csv")
    cells = list(csv.DictReader(io.StringIO(as_csv)))
    for row in (*rows, *as_json, *cells):
        row.pop("seconds_behind", None)  # the clock goes on
    assert rows == as_json
    assert [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows] == cells
    for row in rows:
        for name, value in row.items():
            assert value is None or isinstance(value, int) == (name in integers(followed, view))


def integers(config: Path, view: str) -> set[str]:
    info = select(config.parent / "db.sqlite", f"PRAGMA table_info({view})")
    return {column["name"] for column in info if column["type"] == "INTEGER"} | RECKONED


def test_a_file_is_replaced_in_one_step_and_an_unknown_view_lists_those_there_are(own: Path) -> None:
    """Nothing is left beside it."""
    out = own.parent / "out.csv"
    out.write_text("old")
    told = answer(own, "export", "allocations", "--out", str(out))
    assert (told["rows"], told["file"], len(out.read_text().splitlines())) == (5, str(out), 6)
    assert [path.name for path in own.parent.glob(".out*")] == []
    refused = error(own, "export", "allocation", exit_code=2)
    assert refused["code"] == "export.unknown_view"
    assert "allocations" in refused["hint"]
    refused = error(own, "export", "allocations", "--out", "/nowhere/out.csv", exit_code=2)
    assert refused["code"] == "config.file_unusable"


def test_whoever_reads_an_export_may_stop(followed: Path) -> None:
    """As `head` does."""
    arguments = [*INDEXER, "--config", str(followed), "export", "distributions"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stderr is not None
        writer.stdout.close()
        assert writer.stderr.read() == b""
    assert writer.returncode == 0


ARROW = """
import json
int64, string = (lambda: "int64"), (lambda: "string")
class Field:
    def __init__(self, name, type): self.name, self.type = name, type
def schema(kinds): return [Field(*kind) for kind in kinds]
def array(values, type):
    assert all(isinstance(v, int if type == "int64" else str) for v in values if v is not None)
    return list(values)
def record_batch(arrays, schema): return {f.name: a for f, a in zip(schema, arrays)}
"""
PARQUET = """
import json
class ParquetWriter:
    def __init__(self, file, schema): self.file, self.kinds, self.batches = file, {f.name: f.type for f in schema}, []
    def write_batch(self, batch): self.batches.append(batch)
    def close(self): self.file.write(json.dumps([self.kinds, self.batches]).encode())
"""


def test_parquet_is_handed_columns_with_their_types(own: Path) -> None:
    """By a stand-in for pyarrow: integers as such, all else as text, NULL as None."""
    package, out = own.parent / "lib" / "pyarrow", own.parent / "out.parquet"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(ARROW)
    (package / "parquet.py").write_text(PARQUET)
    arguments = ("export", "allocations", "--format", "parquet", "--out", str(out), "--json")
    done = command(own, *arguments, PYTHONPATH=str(package.parent))
    assert json.loads(done.stdout)["rows"] == 5
    kinds, (batch,) = json.loads(out.read_text())
    assert (kinds["amount"], kinds["claimed"], kinds["beneficiary"]) == ("int64", "int64", "string")
    assert sorted(batch["amount"]) == [9, 500, 750, 1_100, 3_000_000]


def test_parquet_without_its_package_is_refused(own: Path) -> None:
    """With what to install; a package that cannot be imported stands for one that is not there. Nothing is written."""
    package, out = own.parent / "lib" / "pyarrow", own.parent / "out.parquet"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError")
    arguments = ("export", "allocations", "--format", "parquet", "--out", str(out), "--json")
    refused = command(own, *arguments, PYTHONPATH=str(package.parent))
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"]["code"] == "export.extra_missing"
    assert "[parquet]" in json.loads(refused.stdout)["error"]["hint"]
    assert not out.exists()
    to_a_terminal = command(own, "export", "allocations", "--format", "parquet")
    assert (to_a_terminal.returncode, "--out" in to_a_terminal.stderr) == (2, True)
    assert command(own, "export", "allocations", "--format", "csv", "--json").returncode == 2


# --- events, and completion


def test_events_are_what_their_model_says(followed: Path) -> None:
    """Every one in the view, its data read; no field more or fewer."""
    rows = select(followed.parent / "db.sqlite", "SELECT * FROM events")
    shown = [Event.model_validate(row | {"data": json.loads(row["data"])}) for row in rows]
    assert {event.root.type for event in shown} == {
        "distribution.created",
        "attestation.accepted",
        "attestation.rejected",
        "milestone.quorum_met",
        "milestone.released",
        "distribution.completed",
        "distribution.reclaimed",
    }


def test_the_shell_completes_ids(followed: Path, story: Story) -> None:
    """From the database of the configuration; where there is none, nothing is offered, and nothing is said."""
    digits = story.open.id.hex()[:6]
    found = complete(followed, digits)
    assert story.open.id.hex() in found
    assert complete(followed.with_name("none.toml"), digits) == ""


def complete(config: Path, incomplete: str) -> str:
    line = f"indexer --config {config} check-status {incomplete}"
    environment = {
        "_INDEXER_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": "4",
    }
    entry = "import sys; sys.argv = ['indexer']; from indexer.cli.main import main; main()"
    python = INDEXER[0]
    done = subprocess.run([python, "-c", entry], capture_output=True, text=True, env=environment, check=False)
    assert done.stderr == ""
    return done.stdout.strip()
