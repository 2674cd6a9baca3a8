"""What is about to be promised, rehearsed through a socket; and the promise then kept as it was rehearsed."""

from dataclasses import replace

import pytest

from indexer.chain.block import OutputReference
from indexer.devnet.running import Devnet
from indexer.edge.builder.errors import TransactionTooLarge, Unpayable
from indexer.edge.builder.funding import lovelace_to_lock
from indexer.edge.builder.intents import Create
from indexer.edge.builder.rehearsal import rehearse
from indexer.edge.node import Node, node
from indexer.ogmios.ledger_state import shown
from indexer.plutus.datum import AssetClass, Distribution
from tests.support.yard import ADA, FUNDER, KEEPER, TOKEN, Yard, allocation, furnished, terms, text


async def rehearsed(yard: Yard, wanted: Distribution, client: Node) -> list[list[tuple[int, ...]]]:
    """Which allocations each release pays, by milestone."""
    lovelace = lovelace_to_lock(wanted, yard.around).total
    found = await rehearse(wanted, lovelace, yard.around, client.evaluate)
    return [[indices for indices, _ in each.releases] for each in found]


async def test_all_is_asked_and_sent_through_a_socket_as_rehearsed() -> None:
    """Parameters, coins, evaluation, submission: each release has the size and the units of the rehearsal."""
    yard = await furnished()
    vesting = yard.now_ms + 600_000
    wanted = terms(*(allocation(n, 1_000 + n, b"m%d" % (n % 2), vesting) for n in range(6)))
    async with Devnet(yard.node) as devnet, node(devnet.url, {}, 30) as client:
        told = replace(yard.around, parameters=await client.parameters(), timeline=await client.timeline())
        assert replace(told, timeline=yard.around.timeline) == yard.around
        assert set(await client.utxo_at([text(FUNDER.address)])) == set(yard.coins_at(FUNDER.address))
        lovelace = lovelace_to_lock(wanted, told).total
        found = await rehearse(wanted, lovelace, told, client.evaluate)
        assert [each.milestone_id for each in found] == [b"m0", b"m1"]
        assert [[indices for indices, _ in each.releases] for each in found] == [[(0, 2, 4)], [(1, 3, 5)]]
        built, state = await yard.create(wanted)
        intent = built.intent
        assert isinstance(intent, Create)
        assert intent.lovelace == lovelace
        yard.skip(600)
        for each in found:
            ((indices, expected),) = each.releases
            released = await yard.build(yard.release(state, indices))
            assert await client.submit(yard.sign(released)) == released.id
            yard.node.make_block()
            # Later the distribution holds fewer tokens, and none in the end; a later slot takes some bytes more.
            assert released.size <= expected.size + 8
            assert released.units.memory <= expected.units.memory
            assert released.size > expected.size - 40
            state = yard.coin(OutputReference(released.id, 0))


@pytest.mark.parametrize(("token", "count"), [(TOKEN, 150), (ADA, 190)], ids=["native", "ada"])
async def test_what_does_not_fit_into_one_is_split(token: AssetClass, count: int) -> None:
    """Into the fewest: each but the last is as full as it can be."""
    yard = await furnished()
    wanted = terms(*(allocation(n, 1_000_000) for n in range(count)), token=token)
    async with Devnet(yard.node) as devnet, node(devnet.url, {}, 30) as client:
        ((first, second),) = await rehearsed(yard, wanted, client)
    assert (first + second) == tuple(range(count))
    _, state = await yard.create(wanted)
    with pytest.raises(TransactionTooLarge):
        await yard.do(yard.release(state, range(len(first) + 1)))
    left = await yard.do(yard.release(state, first))
    await yard.do(yard.release(yard.coin(OutputReference(left.id, 0)), second))


async def test_what_could_never_be_paid_is_told_before_it_is_funded() -> None:
    """A datum so long that not even one payout fits beside it."""
    yard = await furnished()
    wanted = terms(*(allocation(n, 1_000, b"m" * 64) for n in range(260)))
    async with Devnet(yard.node) as devnet, node(devnet.url, {}, 30) as client:
        with pytest.raises(Unpayable, match=r"allocations\[0\]"):
            await rehearsed(yard, wanted, client)


async def test_a_coin_is_shown_as_the_node_shows_it() -> None:
    """With tokens and datum: the node finds no difference to its own."""
    yard = await furnished()
    _, state = await yard.create(terms())
    built = await yard.build(yard.release(state, [0]))
    async with Devnet(yard.node) as devnet, node(devnet.url, {}, 30) as client:
        known = [shown(state), *(shown(coin) for coin in yard.coins_at(KEEPER.address))]
        assert await client.evaluate(built.transaction, known) == await client.evaluate(built.transaction)
