"""The builder at a node's socket: what it is told there, and what it sends there."""

from dataclasses import replace

from indexer.chain.block import OutputReference
from indexer.devnet.running import Devnet
from indexer.edge.builder.build import build
from indexer.edge.builder.intents import Purse
from indexer.edge.node import node
from indexer.ogmios.ledger_state import shown_coin
from tests.support.yard import FUNDER, KEEPER, allocation, furnished, terms, text


async def test_all_is_asked_evaluated_and_sent_through_a_socket() -> None:
    """Parameters, timeline, tip and coins are those that the other tests take from the node itself."""
    yard = await furnished()
    _, state = await yard.create(terms(allocation(0), allocation(1)))
    async with Devnet(yard.node) as devnet, node(devnet.url, {}, 30) as client:
        around = replace(yard.around, parameters=await client.parameters(), timeline=await client.timeline())
        assert around == yard.around
        assert set(await client.utxo_at([text(FUNDER.address)])) == set(yard.coins_at(FUNDER.address))
        assert await client.utxo([state.reference]) == [state]
        purse = Purse(KEEPER.address, tuple(await client.utxo_at([text(KEEPER.address)])))
        built = await build(yard.release(state, [0, 1]), around, purse, client.evaluate)
        assert built == await yard.build(yard.release(state, [0, 1]))
        assert await client.submit(yard.sign(built)) == built.id
        yard.node.make_block()
        assert len(await client.utxo([OutputReference(built.id, index) for index in range(3)])) == 3


async def test_a_coin_is_shown_as_the_node_shows_it() -> None:
    """With tokens, datum and script: the node finds no difference to its own."""
    yard = await furnished()
    _, state = await yard.create(terms())
    built = await yard.build(yard.release(state, [0]))
    assert yard.reference is not None
    async with Devnet(yard.node) as devnet, node(devnet.url, {}, 30) as client:
        known = [
            shown_coin(state),
            shown_coin(yard.reference, yard.contract.script),
            *map(shown_coin, yard.coins_at(KEEPER.address)),
        ]
        assert await client.evaluate(built.transaction, known) == await client.evaluate(built.transaction)
