"""Chain-sync as Ogmios serves it: cursor, forks, waiting at the tip."""

import json

import pytest

from indexer.devnet.chain import Chain
from indexer.devnet.recording import link, read_recordings
from tests.unit.devnet.client import DEEP, NEXT, PREVIEW, blocks, client_of, made, point, serving, tip


async def test_the_first_answer_is_a_rollback_to_the_intersection() -> None:
    async with serving(Chain(blocks(range(5)))) as (_, client):
        found = await client.find(point(2))
        assert found == {
            "jsonrpc": "2.0",
            "method": "findIntersection",
            "result": {"intersection": point(2), "tip": tip(4)},
            "id": None,
        }
        assert [await client.next() for _ in range(3)] == [("backward", point(2)), ("forward", 3), ("forward", 4)]


async def test_a_fresh_connection_stands_at_the_origin() -> None:
    async with serving(Chain(blocks(range(2)))) as (_, client):
        assert [await client.next() for _ in range(2)] == [("backward", "origin"), ("forward", 0)]


async def test_the_first_point_that_is_on_the_chain_wins() -> None:
    async with serving(Chain(blocks(range(5)))) as (_, client):
        elsewhere = {**point(3), "slot": 61}
        for points, expected in (
            ([point(9), elsewhere, point(1), point(3)], point(1)),
            ([point(9), "origin", point(3)], "origin"),
        ):
            assert (await client.find(*points))["result"]["intersection"] == expected
            assert await client.next() == ("backward", expected)


async def test_no_intersection_is_error_1000_and_leaves_the_cursor_alone() -> None:
    async with serving(Chain(blocks(range(5)))) as (_, client):
        await client.find(point(1))
        await client.next()
        for points in ([point(7)], []):
            failed = await client.find(*points)
            assert failed["method"] == "findIntersection"
            assert failed["error"] == {"code": 1000, "message": "No intersection found.", "data": {"tip": tip(4)}}
        assert await client.next() == ("forward", 2)


async def test_an_epoch_boundary_is_served_but_cannot_be_intersected_on() -> None:
    boundary = made(1, boundary=True)
    async with serving(Chain([made(0), boundary, made(2)])) as (_, client):
        missed = await client.find({"slot": 20, "id": boundary.id.hex()}, {"slot": 0, "id": boundary.id.hex()})
        assert missed["error"]["code"] == 1000
        await client.find(point(0))
        await client.want(3)
        assert [await client.told() for _ in range(3)] == [("backward", point(0)), ("forward", 1), ("forward", 2)]


async def test_a_fork_that_ends_on_an_epoch_boundary_goes_back_before_it() -> None:
    chain = Chain([made(0), made(1, boundary=True), made(2)])
    async with serving(chain) as (_, client):
        await client.want(4)
        assert [(await client.told())[0] for _ in range(4)] == ["backward"] + 3 * ["forward"]
        chain.roll_back(2)
        assert [await client.next() for _ in range(2)] == [("backward", point(0)), ("forward", 1)]


async def test_every_answer_tells_the_tip_of_the_served_chain() -> None:
    async with serving(Chain(link(read_recordings([PREVIEW])))) as (server, client):
        await client.find("origin")
        await client.want(101)
        answers = [await client.answer() for _ in range(101)]
        last = server.chain[99]
        expected = {"slot": last.slot, "id": last.id.hex(), "height": last.height}
        assert all(answer["result"]["tip"] == expected for answer in answers)


@pytest.mark.parametrize("prepared", [True, False])
async def test_a_block_too_deep_for_any_parser_is_served_byte_for_byte(prepared: bool) -> None:
    blocks = read_recordings([DEEP])
    async with serving(Chain(link(blocks)), "preprod") as (server, client):
        if prepared:
            server.prepare()
        await client.find("origin")
        await client.want(2)
        await client.told()
        answer = await client.socket.recv(decode=False)
    point = f'{{"slot":133883340,"id":"{blocks[0].id.hex()}","height":5183974}}'
    start = b'{"jsonrpc":"2.0","method":"nextBlock","result":{"direction":"forward","block":'
    assert answer == start + blocks[0].text + b',"tip":' + point.encode() + b'},"id":null}'


async def test_prepared_answers_are_the_answers() -> None:
    chain = Chain(link(read_recordings([PREVIEW]), repeat=2))
    async with serving(chain) as (server, client), client_of(server) as other:
        await client.want(201)
        built = [await client.socket.recv() for _ in range(201)]
        server.prepare()
        await other.want(201)
        assert [await other.socket.recv() for _ in range(201)] == built


async def test_a_change_of_the_chain_undoes_what_was_prepared() -> None:
    chain = Chain(blocks(range(3)))
    async with serving(chain) as (server, client):
        server.prepare()
        chain.roll_back(1)
        chain.extend(blocks((1, 2), branch=1))
        await client.find(point(0))
        await client.want(2)
        await client.told()
        result = (await client.answer())["result"]
        assert (result["block"]["id"], result["tip"]) == (made(1, 1).id.hex(), tip(2, 1))


async def test_pipelined_requests_wait_at_the_tip_and_wake_up_block_by_block() -> None:
    chain = Chain(blocks(range(3)))
    async with serving(chain) as (_, client):
        await client.find("origin")
        await client.want(10)
        assert [await client.told() for _ in range(4)] == [("backward", "origin"), *(("forward", n) for n in range(3))]
        await client.nothing_comes()
        chain.append(made(3))
        assert await client.told() == ("forward", 3)
        await client.nothing_comes()
        chain.extend(blocks((4, 5)))
        assert [await client.told() for _ in range(2)] == [("forward", 4), ("forward", 5)]
        await client.nothing_comes()


async def test_an_empty_chain_wakes_up_too() -> None:
    chain = Chain()
    async with serving(chain) as (_, client):
        assert (await client.find("origin"))["result"] == {"intersection": "origin", "tip": "origin"}
        assert (await client.ask("queryNetwork/tip"))["result"] == "origin"
        assert (await client.ask("queryNetwork/blockHeight"))["result"] == "origin"
        assert await client.next() == ("backward", "origin")
        await client.want()
        await client.nothing_comes()
        chain.append(made(0))
        assert await client.told() == ("forward", 0)


async def test_a_fork_while_following_goes_back_to_the_common_point() -> None:
    chain = Chain(blocks(range(6)))
    async with serving(chain) as (_, client):
        await client.find(point(1))
        assert [await client.next() for _ in range(3)] == [("backward", point(1)), ("forward", 2), ("forward", 3)]
        chain.roll_back(3)
        chain.extend(blocks((3, 4), branch=1))
        assert [await client.next() for _ in range(2)] == [("backward", point(2)), ("forward", 3)]
        chain.roll_back(4)  # below nothing that the client has
        chain.append(made(4, 2))
        assert await client.next() == ("forward", 4)
        chain.roll_back(0)
        assert await client.next() == ("backward", "origin")


async def test_a_fork_while_waiting_wakes_the_client() -> None:
    chain = Chain(blocks(range(4)))
    async with serving(chain) as (_, client):
        await client.find(point(3))
        await client.next()
        await client.want(4)
        await client.nothing_comes()
        chain.roll_back(2)
        assert await client.told() == ("backward", point(1))
        chain.extend(blocks((2, 3), branch=1))
        assert [await client.told() for _ in range(2)] == [("forward", 2), ("forward", 3)]
        chain.roll_back(1)
        assert await client.told() == ("backward", point(0))


async def test_rollbacks_that_were_not_served_yet_are_one() -> None:
    chain = Chain(blocks(range(6)))
    async with serving(chain) as (_, client):
        await client.find(point(5))
        await client.next()
        chain.roll_back(4)
        chain.append(made(4, 1))
        chain.roll_back(2)
        chain.append(made(2, 1))
        assert [await client.next() for _ in range(2)] == [("backward", point(1)), ("forward", 2)]


async def test_every_client_has_its_own_cursor() -> None:
    chain = Chain(blocks(range(4)))
    async with serving(chain) as (server, one), client_of(server) as two:
        await one.find(point(0))
        await two.find(point(2))
        assert (await one.next(), await two.next()) == (("backward", point(0)), ("backward", point(2)))
        chain.roll_back(2)
        assert (await one.next(), await two.next()) == (("forward", 1), ("backward", point(1)))


async def test_an_intersection_behind_an_unanswered_request_is_error_1001() -> None:
    """Two blocks are asked for at the tip; when one has come, the other is still owed."""
    chain = Chain(blocks(range(2)))
    async with serving(chain) as (_, client):
        await client.find(point(1))
        await client.next()
        await client.want(2)
        await client.nothing_comes()
        await client.send("findIntersection", {"points": ["origin"]}, id="late")
        await client.nothing_comes()  # at the tip nobody looks at the queue
        chain.append(made(2))
        assert await client.told() == ("forward", 2)
        refused = await client.answer()
        assert (refused["error"]["code"], refused["id"]) == (1001, "late")
        chain.append(made(3))
        assert await client.told() == ("forward", 3)


async def test_an_intersection_that_comes_with_requests_is_refused_before_they_are_answered() -> None:
    """Ogmios takes what is queued before it waits for the node: one write, so that all is queued at once."""
    async with serving(Chain(blocks(range(5)))) as (_, client):
        find = json.dumps({"jsonrpc": "2.0", "method": "findIntersection", "params": {"points": ["origin"]}})
        protocol = client.socket.protocol
        for message in (NEXT, NEXT, find):
            protocol.send_text(message.encode())
        client.socket.transport.write(b"".join(protocol.data_to_send()))
        assert (await client.answer())["error"]["code"] == 1001
        assert [await client.told() for _ in range(2)] == [("backward", "origin"), ("forward", 0)]


async def test_an_intersection_is_found_once_all_that_was_owed_is_answered() -> None:
    chain = Chain(blocks(range(2)))
    async with serving(chain) as (_, client):
        await client.find(point(1))
        await client.next()
        await client.want()
        await client.nothing_comes()
        await client.send("findIntersection", {"points": [point(0)]})
        await client.nothing_comes()
        chain.append(made(2))
        assert await client.told() == ("forward", 2)
        assert (await client.answer())["result"]["intersection"] == point(0)
        assert await client.next() == ("backward", point(0))
