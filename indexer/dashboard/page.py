"""The page of charts: figures, drawn, with what is told beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from sqlite3 import Connection
from typing import Protocol

from indexer.dashboard import figures
from indexer.dashboard.drawing import Series, bars, lines
from indexer.dashboard.figures import Money, Token


class Units(Protocol):
    """How amounts are told."""

    def unit(self, policy: str, name: str) -> str:
        """What amounts of a token are in."""

    def number(self, policy: str, name: str, amount: int) -> str:
        """An amount in it."""


@dataclass(frozen=True)
class Chart:
    """A drawing, its title, what it shows in words, and the series that a legend names, with their classes."""

    title: str
    words: str
    legend: tuple[tuple[str, str], ...]
    svg: str


@dataclass(frozen=True)
class Choice:
    """A token that can be chosen: what its address and its name are."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True)
class Page:
    """What the template puts in place."""

    choices: tuple[Choice, ...]
    charts: tuple[Chart, ...]
    funder: str


def made(
    db: Connection, now: datetime, units: Units, known: Sequence[Token], *, token: str | None, funder: str | None
) -> Page:
    """The page of one token (`POLICY.NAME` in hex; a mere dot for ada) and funder, or of all. `now` is UTC."""
    chosen = None if token is None else _token(token)
    found = figures.read(db, now, known=known, token=chosen, funder=funder)
    choices = tuple(Choice(".".join(each), units.unit(*each), each == chosen) for each in found.tokens)
    charts = [chart for money in found.money for chart in _of_money(money, units)]
    return Page(choices, (*charts, _of_quorums(found.quorums)), funder or "")


def _token(text: str) -> Token:
    policy, _, name = text.partition(".")
    return policy, name


def _of_money(money: Money, units: Units) -> tuple[Chart, Chart]:
    unit = units.unit(*money.token)

    def told(amount: int) -> str:
        return units.number(*money.token, amount)

    drawn = [Series(line.kind, line.points) for line in money.lines]
    totals = [f"{line.kind} {told(line.points[-1][1])}" for line in money.lines]
    paid = f"Paid against promised: {unit}"
    owed = f"What falls due: {unit}"
    return (
        Chart(
            paid,
            f"In {unit}: {', '.join(totals)}.",
            tuple((one.name, one.style) for one in drawn),
            lines(paid, drawn, money.start, money.end, told),
        ),
        Chart(
            owed,
            f"In {unit}, {told(sum(amount for _, amount in money.owed))} in all. What is ahead takes a quorum, too.",
            (),
            bars(owed, [time for time, _ in money.owed], [("owed", [amount for _, amount in money.owed])], told),
        ),
    )


def _of_quorums(quorums: Sequence[tuple[str, int, int]]) -> Chart:
    title = "Time to quorum"
    series = [
        ("since creation", [long for _, long, _ in quorums]),
        ("since the first oracle spoke", [short for _, _, short in quorums]),
    ]
    return Chart(
        title,
        f"How long it took {sum(long for _, long, _ in quorums):,} milestones to meet their quorum.",
        tuple((kind, kind.replace(" ", "-")) for kind, _ in series),
        bars(title, [span for span, _, _ in quorums], series, "{:,}".format),
    )
