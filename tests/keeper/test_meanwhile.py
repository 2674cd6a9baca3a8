"""The chain does not wait while a release is made: what the keeper has read may be old when the node looks at it."""

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.keeping import House, attested, house
from tests.support.yard import FUNDER, allocation, id_of, terms


def before_an_evaluation(it: House, act: Callable[[], Awaitable[Any]]) -> None:
    """Once, in the middle of making a release."""
    assert it.keeper is not None
    connect, waiting = it.keeper._connect, [act]

    @asynccontextmanager
    async def connected() -> Any:
        async with connect() as node:
            evaluate = node.evaluate

            async def late(*arguments: Any) -> Any:
                if waiting:
                    await waiting.pop()()
                return await evaluate(*arguments)

            node.evaluate = late  # type: ignore[method-assign, assignment]
            yield node

    it.keeper._connect = connected


async def test_a_release_that_somebody_else_made_a_moment_ago_is_no_failure(tmp_path: Path) -> None:
    """The node does not know the state output any more, so it evaluates nothing; a block says why."""
    async with house(tmp_path) as it:
        yard = it.yard
        created, state = await yard.create(terms(allocation(1, 700)))
        await attested(yard, id_of(created), b"m1", 0, 1)
        before_an_evaluation(it, lambda: yard.do(yard.release(state, [0]), FUNDER))
        await it.round()
        await it.block()
        assert it.states() == []
        assert it.events() == []


async def test_when_the_fork_that_did_that_is_gone_it_is_released(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        yard = it.yard
        created, state = await yard.create(terms(allocation(1, 700)))
        await attested(yard, id_of(created), b"m1", 0, 1)
        others = await yard.build(yard.release(state, [0]), FUNDER)
        before_an_evaluation(it, lambda: _sent(it, others))
        await it.round()
        assert it.states() == []
        yard.node.fork(1, 2, drop=[others.id])
        yard.skip(10)
        await it.round()
        assert it.states() == ["submitted"]


async def _sent(it: House, built: Any) -> None:
    it.yard.send(built)
