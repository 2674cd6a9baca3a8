"""A node that lies, hangs or has changed; a pause, a dry run, at the worst moment: nothing is sent that should not be,
and nothing stands still without a word."""

from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from indexer.chain.network import network_of
from indexer.chain.parameters import Units
from indexer.devnet.ledger.refusal import Refusal
from indexer.domain.quorum import Signature, Source
from indexer.edge import pause
from indexer.edge.requests import Kind
from indexer.errors import RequestTimedOut, WrongNetwork
from indexer.plutus.identity import message_to_sign
from indexer.store import milestones
from indexer.store.db import opened, transaction
from tests.contract.tree import Array, Map, decode
from tests.keeper.test_requests import DISABLED, asked, release
from tests.support.following import select
from tests.support.keeping import RULES, House, attested, grounds, house, promised
from tests.support.spending import Wallet
from tests.support.yard import ORACLES, OWNER, allocation, id_of, terms

NEW = Wallet("a new keeper")
ADA = 1_000_000


async def due(it: House, number: int = 1) -> bytes:
    """The lower the number, the longer."""
    made = await promised(it.yard, terms(allocation(number, 700, vesting=number)))
    await attested(it.yard, made, b"m1", 0, 1)
    return made


def through(it: House, change: Callable[[Any], None]) -> None:
    """From now on the keeper talks to a node that is changed like this."""
    assert it.keeper is not None
    connect = it.keeper._connect

    @asynccontextmanager
    async def connected() -> Any:
        async with connect() as node:
            change(node)
            yield node

    it.keeper._connect = it.keeper._clerk._connect = connected


def transactions(it: House) -> list[dict[str, Any]]:
    return select(it.path, "SELECT * FROM release_transaction ORDER BY built_ms")


# --- a coin that is split


async def test_a_pause_stops_a_split_that_is_signed_already(tmp_path: Path) -> None:
    async with grounds() as (yard, server):
        yard.pay(NEW.address, 1_000 * ADA)
        async with House(yard, server, tmp_path, wallet=NEW).opened() as it:
            assert it.signer is not None
            it.signer.after.append(lambda: _paused(it))
            await it.round()
            assert len(it.signer.signed) == 1
            for _ in range(7):
                await it.block()
            assert len(yard.coins_at(NEW.address)) == 1
            pause.resume(tmp_path)
            await it.round()
            await it.block()
            assert len(yard.coins_at(NEW.address)) == 2
            assert len(it.signer.signed) == 1


def _paused(it: House) -> None:
    pause.pause(it.folder, it.now_ms, None)


@pytest.mark.parametrize("rules", [replace(RULES, dry_run=True), DISABLED])
async def test_a_split_of_before_is_sent_neither_by_a_dry_run_nor_where_the_keeper_is_off(
    tmp_path: Path, rules: Any
) -> None:
    async with grounds() as (yard, server):
        yard.pay(NEW.address, 1_000 * ADA)
        async with House(yard, server, tmp_path, wallet=NEW).opened() as it:
            await it.round()
            (split,) = transactions(it)
        yard.node.fork(0, 0, drop=[bytes.fromhex(split["transaction_id"])])
        async with House(yard, server, tmp_path, rules, wallet=NEW).opened() as it:
            for _ in range(7):
                await it.block()
            assert len(yard.coins_at(NEW.address)) == 1


async def test_a_split_is_not_paid_for_at_any_price_that_a_node_tells(tmp_path: Path) -> None:
    async with grounds() as (yard, server):
        yard.pay(NEW.address, 1_000 * ADA)
        async with House(yard, server, tmp_path, wallet=NEW).opened() as it:
            through(it, telling(fee_constant=2 * ADA))
            with capture_logs() as logs:
                await it.round()
            assert [entry["code"] for entry in logs if entry["event"] == "collateral.not_made"] == ["keeper.costly"]
            assert it.signer is not None
            assert it.signer.signed == []


def telling(**prices: int) -> Callable[[Any], None]:
    """A node that tells other parameters than the network's."""

    def change(node: Any) -> None:
        parameters = node.parameters

        async def told() -> Any:
            return replace(await parameters(), **prices)

        node.parameters = told

    return change


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize(
    "prices",
    [
        {"collateral_percentage": 20_000},
        {"collateral_percentage": 350_000, "max_size": 2_000, "max_units": Units(10, 10), "max_script_size": 12_000},
    ],
)
async def test_no_more_than_ten_ada_are_ever_staked_for_scripts_whatever_a_node_asks_for(
    tmp_path: Path, prices: dict[str, Any], by_hand: bool
) -> None:
    """It would come to nine tenths of the wallet, taken by a block that says that the scripts failed."""
    async with grounds() as (yard, server):
        yard.pay(NEW.address, 6 * ADA)
        yard.pay(NEW.address, 20 * ADA)
        yard.pay(NEW.address, 1_000 * ADA)
        async with House(yard, server, tmp_path, wallet=NEW).opened() as it:
            made = await due(it)
            through(it, telling(**prices))
            if by_hand:
                refused = await asked(it, Kind.RELEASE, release(made))
                assert refused["error"]["code"] == "keeper.held"
                assert "to be staked for scripts: 10000000 are allowed" in refused["error"]["message"]
            else:
                await it.round()
            for _ in range(3):
                await it.block()
            assert it.signer is not None
            assert it.signer.signed == []
            assert not it.status.gates["collateral"]


async def test_what_brings_its_keeper_enough_is_not_sent_at_any_fee_either(tmp_path: Path) -> None:
    """The wallet would lose nothing by it: the fee would be what the funder has set aside for keepers."""
    async with house(tmp_path) as it:
        made = await promised(it.yard, terms(allocation(1, 700), keeper_fee_per_payout=20 * ADA))
        await attested(it.yard, made, b"m1", 0, 1)
        assert it.keeper is not None
        honest = it.keeper._connect
        through(it, telling(fee_constant=5 * ADA, collateral_percentage=60))
        with capture_logs() as logs:
            await it.round()
        (left,) = [entry["reason"] for entry in logs if entry["event"] == "release.left_alone"]
        assert left.startswith("the fee would be 5")
        assert transactions(it) == []
        it.keeper._clerk._connect = it.keeper._connect = honest
        assert (await asked(it, Kind.RELEASE, release(made)))["state"] == "submitted"


# --- a node that is another one, lies, hangs


@pytest.mark.parametrize("by_hand", [False, True])
async def test_a_node_of_another_network_at_the_same_address_is_asked_and_sent_nothing(
    tmp_path: Path, by_hand: bool
) -> None:
    """The follower's connection is still to the one of before."""
    async with house(tmp_path) as it:
        made = await due(it)
        await it.caught_up()
        asked_for: list[object] = []
        it.server.network = replace(it.server.network, magic=1)
        through(it, asked_for.append)
        if by_hand:
            refused = await asked(it, Kind.RELEASE, release(made))
            assert refused["error"]["code"] == "chain.wrong_network"
        else:
            assert it.keeper is not None
            with pytest.raises(WrongNetwork, match="magic 1,"):
                await it.keeper.run()
        assert asked_for == []
        assert it.signer is not None
        assert it.signer.signed == []
        assert it.releases() == []


async def test_a_release_that_no_node_answers_for_does_not_keep_others_from_being_made(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        hanging = await due(it, 1)
        other = await due(it, 2)
        through(it, lambda node: _hangs(node, hanging))
        await it.caught_up()
        for _ in range(3):
            with suppress(RequestTimedOut):
                await it.round()
        assert [row["distribution_id"] for row in it.releases()] == [other.hex()]


def _hangs(node: Any, distribution: bytes) -> None:
    """Over each transaction that names a distribution."""
    evaluate = node.evaluate

    async def hung(raw: bytes, *more: Any) -> Any:
        if distribution in raw:
            raise RequestTimedOut("no answer to evaluateTransaction within 20 s")
        return await evaluate(raw, *more)

    node.evaluate = hung


async def test_a_node_that_answers_the_follower_alone_is_told_of(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        made = await due(it)
        through(it, lambda node: _hangs(node, made))
        for _ in range(3):
            with suppress(RequestTimedOut):
                await it.round()
            it.yard.skip(400)
        (told,) = select(it.path, "SELECT data FROM events WHERE type = 'keeper.paused'")
        assert '"gate":"node","reason":"no answer to evaluateTransaction within 20 s"' in told["data"]


async def test_once_nothing_is_due_the_node_is_asked_again_before_it_counts_as_lost_for_ever(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        await due(it)
        await it.round()
        assert it.keeper is not None
        it.keeper._at.node_trouble = "it was lost a moment ago"
        await it.block(2)
        assert it.states() == ["in_block"]
        assert it.status.gates["node"]


async def test_a_block_that_takes_collateral_stops_everything_until_a_person_has_looked(tmp_path: Path) -> None:
    """Ogmios says that scripts need next to nothing, and hands over what it gets as one whose scripts fail: nothing
    that is signed keeps it from doing so."""
    async with house(tmp_path) as it:
        await due(it, 1)
        await due(it, 2)
        through(it, _takes_collateral)
        await it.round()
        assert it.states() == ["submitted", "submitted"]
        before = it.wealth
        await it.block()
        lost = before - it.wealth
        assert 0 < lost < 2 * ADA
        assert it.states().count("failed") == 1
        note = pause.paused(tmp_path)
        assert note is not None
        assert "took its collateral" in note.sentence
        for _ in range(5):
            await it.block()
        assert before - it.wealth == lost
        assert it.events("release.failed") == ["release.failed"]


async def test_what_lost_its_collateral_is_paid_when_a_person_asks_for_it(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        made = await due(it)
        assert it.keeper is not None
        honest = it.keeper._connect
        through(it, _takes_collateral)
        await it.round()
        await it.block()
        assert it.states() == ["failed"]
        it.keeper._clerk._connect = it.keeper._connect = honest
        pause.resume(tmp_path)
        await it.block()
        assert it.states() == ["failed"]
        assert (await asked(it, Kind.RELEASE, release(made)))["state"] == "submitted"
        await it.block()
        assert it.states() == ["in_block"]


def _takes_collateral(node: Any) -> None:
    submit = node.submit

    async def evaluated(raw: bytes, *_: Any) -> Any:
        return {("spend", index): Units(1, 1) for index in spending(raw)}

    async def submitted(raw: bytes) -> Any:
        assert raw.endswith(b"\xf5\xf6")  # valid, and nothing beside
        return await submit(raw[:-2] + b"\xf4\xf6")

    node.evaluate, node.submit = evaluated, submitted


def spending(raw: bytes) -> list[int]:
    """Which inputs have redeemers."""
    transaction = decode(raw)
    assert isinstance(transaction, Array)
    witnesses = transaction[1]
    assert isinstance(witnesses, Map)
    redeemers = witnesses.get(5)
    assert isinstance(redeemers, Map)
    return [key[1] for key, _ in redeemers.pairs]  # type: ignore[index, misc]


@pytest.mark.parametrize("unknown", [1, {}, {"transaction": 5, "index": 0}, {"transaction": {"id": "00" * 32}}])
async def test_a_refusal_that_names_nothing_readable_means_unknown(tmp_path: Path, unknown: object) -> None:
    async with house(tmp_path) as it:
        await due(it)
        it.server.faults.refusals.append(Refusal(3117, "no", {"unknownOutputReferences": [unknown]}))
        await it.round()
        assert it.states() == ["submitted"]


# --- by hand


async def test_a_dry_run_signs_nothing_that_is_asked_for_by_hand(tmp_path: Path) -> None:
    async with house(tmp_path, replace(RULES, dry_run=True)) as it:
        made = await due(it)
        refused = await asked(it, Kind.RELEASE, release(made))
        assert refused["error"]["code"] == "keeper.held"
        assert "dry run" in refused["error"]["message"]
        assert it.signer is not None
        assert it.signer.signed == []


async def test_a_keeper_without_a_wallet_says_so_and_goes_on(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        made = await due(it)
        assert it.keeper is not None
        it.keeper._at.signer = it.keeper._at.address = None
        refused = await asked(it, Kind.RELEASE, release(made))
        assert refused["error"]["code"] == "keeper.held"
        assert "no wallet" in refused["error"]["message"]


async def test_what_is_asked_for_while_the_keeper_is_off_is_seen_through_also_if_it_was_begun_before(
    tmp_path: Path,
) -> None:
    """Refused once, then the keeper is switched off; somebody asks; the mempool forgets."""
    async with grounds() as (yard, server):
        async with House(yard, server, tmp_path).opened() as it:
            made = await due(it)
            server.faults.refusals.append(Refusal(3100, "no", None))
            await it.round()
            assert it.states() == ["failed"]
        async with House(yard, server, tmp_path, DISABLED).opened() as it:
            assert (await asked(it, Kind.RELEASE, release(made)))["state"] == "submitted"
            (row,) = it.releases()
            yard.node.fork(0, 0, drop=[bytes.fromhex(row["transaction_id"])])
            for _ in range(7):
                await it.block()
            assert it.states() == ["in_block"]


async def test_one_milestone_under_way_is_no_answer_for_another(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        made = await promised(it.yard, terms(allocation(1, 700), allocation(2, 300, b"m2")))
        await attested(it.yard, made, b"m1", 0, 1)
        await it.round()
        assert it.states() == ["submitted"]
        message = message_to_sign(it.yard.contract.policy_id, made, b"m2")
        signatures = [
            Signature(b"m2", hand.public, hand.sign(message), Source.LOCAL, it.yard.around.tip) for hand in ORACLES[:2]
        ]
        async with opened(it.path) as db, transaction(db):
            await milestones.add_local(db, [(made, each) for each in signatures], network_of("devnet"))
        refused = await asked(it, Kind.RELEASE, release(made, "m2"))
        assert refused["error"]["code"] == "keeper.held"
        assert "of milestone m1, is under way" in refused["error"]["message"]


# --- months


async def test_what_is_over_is_not_remembered(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        assert it.keeper is not None
        keeper, releaser, sender = it.keeper, it.keeper._releaser, it.keeper._sender
        created, costly = await it.yard.create(terms(allocation(1, 700), keeper_fee_per_payout=250_000))
        await attested(it.yard, id_of(created), b"m1", 0, 1)
        await due(it, 2)
        await it.round()
        assert len(releaser.aside) == 1
        assert len(sender._sent_in) == 1
        await it.yard.do(it.yard.release(costly, [0]), OWNER)
        await it.block(45)
        assert it.states() == ["final"]
        assert (len(releaser.aside), sender._sent_in, keeper._told) == (0, {}, set())


async def test_what_was_told_of_a_gate_is_forgotten_when_it_opens(tmp_path: Path) -> None:
    async with grounds() as (yard, server):
        it = House(yard, server, tmp_path, wallet=NEW)
        async with it.opened():
            await due(it)
            await it.round()
            assert it.keeper is not None
            assert len(it.keeper._told) == 1
            yard.pay(NEW.address, 100 * ADA)
            await it.block()
            assert it.keeper._told == set()
