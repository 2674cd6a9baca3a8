"""Signatures that no oracle gave, planted everywhere; also under a contract that lets everything happen."""

import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from structlog.testing import capture_logs

from indexer.chain.network import network_of
from indexer.edge import requests
from indexer.edge.builder.intents import Publish
from indexer.edge.requests import Kind
from indexer.plutus.blueprint import Blueprint
from indexer.plutus.datum import MILESTONE_DATUM, Attestation, Distribution
from indexer.plutus.identity import message_to_sign
from indexer.store.db import opened
from indexer.workers.local import LocalSignatures
from tests.contract.parts import ledger_set
from tests.contract.terms import Asset, Reference, release_redeemer
from tests.contract.tree import decode
from tests.support.dying import Mortal, watch
from tests.support.following import select
from tests.support.keeping import House, attested, grounds, promised
from tests.support.spending import AGREES, PLUTUS_V3, Coin, Spending, paid, plutus_hash, written
from tests.support.yard import BLUEPRINT, ORACLES, OWNER, Hand, Yard, allocation, id_of, terms, terms_of

ANYTHING: Final = Blueprint(AGREES, plutus_hash(AGREES))
CONTRACTS: Final = pytest.mark.parametrize("contract", [BLUEPRINT, ANYTHING], ids=["ours", "always true"])
STRANGER: Final = Hand(OWNER.key)
PLANTED = "UPDATE signature SET verifies = 1, verdict = 'valid'"
MET = "UPDATE milestone SET quorum_met_slot = 1, signatures_valid = 3 WHERE pay_from_ms IS NOT NULL"
Sql = str


@asynccontextmanager
async def honest_keeper(folder: Path, contract: Blueprint) -> AsyncIterator[House]:
    """Rich, and willing to pay for everything."""
    async with grounds(contract) as (yard, server):
        it = House(yard, server, folder)
        it.rules = replace(it.rules, sponsors=frozenset({"all"}))
        async with it.opened():
            yield it


def forged(it: House, distribution: bytes, how: str) -> bytes:
    """A signature that is not the oracle's of this milestone."""
    policy, oracle = it.yard.contract.policy_id, ORACLES[0]
    message = message_to_sign(policy, distribution, b"m1")
    return {
        "of somebody else": STRANGER.sign(message),
        "of another milestone": oracle.sign(message_to_sign(policy, distribution, b"m2")),
        "of another distribution": oracle.sign(message_to_sign(policy, bytes(32), b"m1")),
        "of another contract": oracle.sign(message_to_sign(bytes(28), distribution, b"m1")),
        "zeros": bytes(64),
    }[how]


FORGERIES: Final = (
    "of somebody else",
    "of another milestone",
    "of another distribution",
    "of another contract",
    "zeros",
)


async def publish(it: House, distribution: bytes, proof: bytes) -> None:
    """In a datum."""
    signed = Attestation(distribution, b"m1", ORACLES[0].public, proof, OWNER.hash)
    await it.yard.do(Publish(signed), OWNER)
    await it.caught_up()


async def drop(it: House, distribution: bytes, proof: bytes) -> None:
    """In a milestone file."""
    path = it.folder / "milestones" / distribution.hex() / f"{b'm1'.hex()}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    given = [{"oracle": ORACLES[0].public.hex(), "signature": proof.hex(), "slot": 1}]
    document = {"distribution_id": distribution.hex(), "milestone_id": "m1", "oracle_signatures": given}
    path.write_text(json.dumps(document))
    await it.caught_up()
    async with opened(it.path) as db:
        assert await LocalSignatures(db, it.folder, network_of("devnet"), lambda: 1, lambda: it.now_ms).look() == 1


WAYS: Final = {"datum": publish, "file": drop}


def planted(it: House, *statements: Sql) -> None:
    """Somebody has the database open."""
    db = sqlite3.connect(it.path, isolation_level=None)
    for statement in statements:
        assert db.execute(statement).rowcount > 0, statement
    db.close()


async def nothing_comes_of_it(it: House, look: Callable[[], None] = lambda: None) -> list[str]:
    """The keeper looks again and again, somebody asks for it, and nothing is built. What it said."""
    mortal, before = Mortal(), it.wealth
    await watch(it, mortal)
    with capture_logs() as logs:
        for _ in range(4):
            look()
            await it.block()
    assert it.releases() == []
    assert it.events() == []
    assert {"sign", "submit"}.isdisjoint(mortal.steps)
    assert it.wealth == before
    return [entry["reason"] for entry in logs if entry["event"] in ("release.unwanted", "release.left_alone")]


@CONTRACTS
@pytest.mark.parametrize("how", FORGERIES)
@pytest.mark.parametrize("way", WAYS)
async def test_a_forged_signature_builds_nothing_whatever_the_database_says_of_it(
    tmp_path: Path, way: str, how: str, contract: Blueprint
) -> None:
    async with honest_keeper(tmp_path, contract) as it:
        made = await promised(it.yard, terms(allocation(1, 700), quorum_threshold=1))
        await WAYS[way](it, made, forged(it, made, how))
        await it.round()
        assert it.releases() == []
        assert {"0 of 1 signatures verify"} == set(
            await nothing_comes_of_it(it, lambda: planted(it, PLANTED, MET)),
        )
        asked = {"distribution_id": made.hex(), "milestone_id": "m1", "most": 10_000_000}
        left = requests.leave(tmp_path, Kind.RELEASE, asked, it.now_ms)
        assert it.keeper is not None
        await it.keeper._clerk.work()
        assert (await requests.answer_to(tmp_path, left, 5))["error"]["code"] == "keeper.not_releasable"


async def test_true_signatures_count_beside_forged_ones_that_somebody_wrote_in_their_place(tmp_path: Path) -> None:
    """The forged ones come first, so the true ones are taken for copies."""
    async with honest_keeper(tmp_path, BLUEPRINT) as it:
        made = await promised(it.yard, terms(allocation(1, 700)))
        await it.round()
        for number in range(3):
            other = f"{number + 1:064x}"
            planted(
                it,
                "INSERT INTO signature (distribution_id, milestone_id, oracle, signature, source, slot, position,"
                " place, height, block_id, transaction_id, output_index, verifies, verdict)"
                f" VALUES ('{made.hex()}', 'm1', '{ORACLES[number].public.hex()}', '{other * 2}', 'chain', 1, 0, 0, 0,"
                f" '{other}', '{other}', 0, 1, 'valid')",
            )
        await attested(it.yard, made, b"m1", 0)
        await it.round()
        assert it.releases() == []
        await attested(it.yard, made, b"m1", 1)
        it.yard.skip(10)  # it was left alone for a moment
        await it.round()
        assert it.states() == ["submitted"]
        verdicts = select(it.path, "SELECT verdict, count(*) AS n FROM signature GROUP BY verdict ORDER BY verdict")
        assert [tuple(row.values()) for row in verdicts] == [("duplicate", 2), ("valid", 3)]


@CONTRACTS
async def test_oracles_and_terms_that_somebody_wrote_into_the_database_are_not_those_of_the_id(
    tmp_path: Path, contract: Blueprint
) -> None:
    """A true signature, of an oracle that the distribution does not have."""
    async with honest_keeper(tmp_path, contract) as it:
        made = await promised(it.yard, terms(allocation(1, 700), quorum_threshold=1))
        signed = STRANGER.sign(message_to_sign(contract.policy_id, made, b"m1"))
        await it.yard.do(Publish(Attestation(made, b"m1", STRANGER.public, signed, OWNER.hash)), OWNER)
        await it.round()
        others = replace(terms(allocation(1, 700), quorum_threshold=1), oracles=(STRANGER.public, *terms().oracles[1:]))
        oracles = json.dumps([each.hex() for each in others.oracles])
        datum = MILESTONE_DATUM.encode(others).hex()
        own = f"UPDATE distribution SET oracles = '{oracles}', datum = x'{datum}'"
        (told,) = set(await nothing_comes_of_it(it, lambda: planted(it, PLANTED, MET, own)))
        assert told == "its id is not that of its seed and terms: they are not what the oracles sign"


@pytest.mark.parametrize("claims", [(), (0,)])
async def test_what_a_contract_lets_somebody_write_over_is_not_paid(tmp_path: Path, claims: tuple[int, ...]) -> None:
    """The oracles sign; then the state output says that everything is a stranger's."""
    async with honest_keeper(tmp_path, ANYTHING) as it:
        yard = it.yard
        created, state = await yard.create(terms(allocation(1, 700), quorum_threshold=1))
        made = id_of(created)
        await it.round()
        overwrite(yard, state.reference, replace(terms_of(state), allocations=(allocation(66, 700),)), claims)
        await attested(yard, made, b"m1", 0)
        await nothing_comes_of_it(it)
        (refused,) = select(it.path, "SELECT reason FROM rejected_outputs")
        assert refused["reason"].startswith("not this contract's terms")


async def test_under_a_contract_that_is_always_true_a_true_quorum_is_paid_as_promised(tmp_path: Path) -> None:
    """So what is refused above is not refused for the contract's sake."""
    async with honest_keeper(tmp_path, ANYTHING) as it:
        made = await promised(it.yard, terms(allocation(1, 700), quorum_threshold=1))
        await attested(it.yard, made, b"m1", 0)
        await it.round()
        await it.block()
        assert it.states() == ["in_block"]


def overwrite(yard: Yard, at: object, said: Distribution, claims: tuple[int, ...]) -> None:
    """The state output is spent into one that says something else, with the redeemer of a release."""
    state = next(coin for coin in yard.coins_at(bytes([0x70]) + yard.contract.hash) if coin.reference == at)
    policy = yard.contract.policy_id
    (name,) = [each for owner, each, _ in state.output.assets if owner == policy]
    value = {Asset(owner, each): quantity for owner, each, quantity in state.output.assets}
    address = bytes([0x70]) + yard.contract.hash
    datum = decode(MILESTONE_DATUM.encode(said))
    lovelace = state.output.lovelace
    given = Coin(Reference(state.reference.transaction_id, state.reference.index), paid(address, lovelace, value))
    large = max(yard.coins_at(OWNER.address), key=lambda coin: coin.output.lovelace)
    fuel = Coin(
        Reference(large.reference.transaction_id, large.reference.index), paid(OWNER.address, large.output.lovelace)
    )
    inputs = tuple(sorted((given, fuel), key=lambda coin: coin.at))
    assert name
    yard.node.submit(
        written(
            Spending(
                inputs=inputs,
                signers=(OWNER,),
                change=OWNER.address,
                outputs=(paid(address, lovelace, value, datum=datum),),
                collaterals=(fuel,),
                redeemers={(0, inputs.index(given)): release_redeemer(b"m1", claims, [])},
                witnesses={PLUTUS_V3: ledger_set([AGREES])},
            )
        )
    )
    yard.node.make_block()
