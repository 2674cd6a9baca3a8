"""A keeper that dies: between any two things that it writes, signs or sends, nothing of it being there afterwards.

What it only reads changes nothing, so dying before it is the same as dying before what comes next.
"""

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from tests.support.keeping import House

_READS: Final = ("SELECT", "WITH", "ROLLBACK")
_ASKS: Final = ("execute", "executemany", "execute_fetchall")
_UNUSED: Final = ("executescript", "execute_insert", "cursor", "commit", "rollback")


class Killed(BaseException):
    """As by `kill -9`: nothing catches it, and whatever is done afterwards is not done."""


@dataclass
class Mortal:
    """Does so many steps, and dies before the next one. `steps` are those done; `told`, what was asked of SQLite,
    reads too; `ran`, what SQLite ran, by its own word."""

    left: int | None = None
    dead: bool = False
    steps: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)

    def step(self, what: str) -> None:
        if self.dead or self.left == len(self.steps):
            self.dead = True
            raise Killed(what)
        self.steps.append(what)

    @property
    def ran_of_its_own(self) -> int:
        """How many statements SQLite ran, but for triggers: it tells each as what set it off, once more."""
        return sum(
            not sql.startswith("--") and not (sql == before and "INTO event" in sql)
            for before, sql in pairwise(["", *self.ran])
        )

    def statement(self, sql: str, times: int = 1) -> None:
        if self.dead:
            raise Killed(sql)
        words = sql.split()
        if words[0] not in _READS and words != ["BEGIN"]:  # which is how a snapshot begins
            self.step(" ".join(words[:3]))
        self.told += [sql] * times


async def watch(it: House, mortal: Mortal) -> None:
    """From now on the house's keeper does what it does as that mortal. Its connection to the database, its signer and
    whatever it sends go through here."""
    assert it.keeper is not None
    assert it.signer is not None
    db: Any = it.keeper._at.db
    for name in _ASKS:
        setattr(db, name, _counted(mortal, getattr(db, name), many=name == "executemany"))
    for name in _UNUSED:
        setattr(db, name, _never)
    await db.set_trace_callback(mortal.ran.append)
    signer: Any = it.signer
    signs = signer.sign

    async def sign(transaction: bytes) -> Any:
        mortal.step("sign")
        return await signs(transaction)

    signer.sign = sign
    connect = it.keeper._connect

    @asynccontextmanager
    async def connected() -> Any:
        async with connect() as node:
            submits: Any = node.submit

            async def submit(raw: bytes) -> Any:
                mortal.step("submit")
                return await submits(raw)

            node.submit = submit  # type: ignore[method-assign, assignment]
            yield node

    it.keeper._connect = connected


def _counted(mortal: Mortal, does: Callable[..., Awaitable[Any]], *, many: bool) -> Callable[..., Awaitable[Any]]:
    async def asked(sql: str, parameters: Any = ()) -> Any:
        given = list(parameters) if many else parameters
        mortal.statement(sql, len(given) if many else 1)
        return await does(sql, given)

    return asked


def _never(*_: object) -> None:
    raise AssertionError("the keeper does what nobody counts")
