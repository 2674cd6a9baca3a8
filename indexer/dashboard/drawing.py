"""Charts as SVG, written by ElementTree: whatever a text holds, it stays text. No script, no style but classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 84, 16, 14, 44
_TICKS: Final = 4
_DAY: Final = 86_400

Told = Callable[[int], str]  # an amount, for people


@dataclass(frozen=True)
class Series:
    """Values under a name; its class is the name with hyphens. Lines have a time with each value, in POSIX seconds."""

    name: str
    values: tuple[tuple[int, int], ...]

    @property
    def style(self) -> str:
        """What the style sheet knows it by."""
        return self.name.replace(" ", "-")


def lines(label: str, series: Sequence[Series], start: int, end: int, told: Told) -> str:
    """Totals that only grow, as steps between two times; each value is a point that says what it is."""
    top = _ceiling(max((value for one in series for _, value in one.values), default=0))
    svg = _canvas(label)
    _amounts(svg, top, told)
    for time in (start, (start + end) // 2, end):
        anchor = "start" if time == start else "end" if time == end else "middle"
        _text(svg, _x(time, start, end), HEIGHT - BOTTOM + 18, _when(time, end - start), anchor)
    for one in series:
        steps = [(start, 0)]
        for time, value in one.values:
            steps += [(time, steps[-1][1]), (time, value)]
        steps.append((end, steps[-1][1]))
        path = " ".join(f"{_x(time, start, end):.1f},{_y(value, top):.1f}" for time, value in steps)
        SubElement(svg, "polyline", {"class": f"line {one.style}", "points": path})
        for time, value in one.values:
            place = {"cx": f"{_x(time, start, end):.1f}", "cy": f"{_y(value, top):.1f}", "r": "2.5"}
            point = SubElement(svg, "circle", {"class": f"point {one.style}", **place})
            SubElement(point, "title").text = f"{one.name} by {_when(time, 0)}: {told(value)}"
    return tostring(svg, encoding="unicode")


def bars(label: str, names: Sequence[str], series: Sequence[tuple[str, Sequence[int]]], told: Told) -> str:
    """Under each name a bar of each series, side by side; one that is not zero is a pixel at least."""
    top = _ceiling(max((value for _, values in series for value in values), default=0))
    svg = _canvas(label)
    _amounts(svg, top, told)
    room = (WIDTH - LEFT - RIGHT) / len(names)
    wide = room * 0.8 / len(series)
    for i, name in enumerate(names):
        middle = LEFT + room * (i + 0.5)
        # Every other one a line lower: all of them have room.
        _text(svg, middle, HEIGHT - BOTTOM + 16 + 14 * (i % 2 if len(names) > 8 else 0), name)
        for j, (kind, values) in enumerate(series):
            tall = max(HEIGHT - BOTTOM - _y(values[i], top), 1.0 if values[i] else 0.0)
            place = {
                "x": f"{middle + wide * (j - len(series) / 2):.1f}",
                "y": f"{HEIGHT - BOTTOM - tall:.1f}",
                "width": f"{wide:.1f}",
                "height": f"{tall:.1f}",
            }
            bar = SubElement(svg, "rect", {"class": f"bar {kind.replace(' ', '-')}", **place})
            SubElement(bar, "title").text = f"{name}, {kind}: {told(values[i])}"
    return tostring(svg, encoding="unicode")


def _canvas(label: str) -> Element:
    size = {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "width": str(WIDTH), "height": str(HEIGHT)}
    return Element("svg", {"class": "chart", "role": "img", "aria-label": label, **size})


def _amounts(svg: Element, top: int, told: Told) -> None:
    """The axis on the left, with lines across."""
    for i in range(_TICKS + 1):
        value = top * i // _TICKS
        y = f"{_y(value, top):.1f}"
        SubElement(svg, "line", {"class": "grid", "x1": str(LEFT), "x2": str(WIDTH - RIGHT), "y1": y, "y2": y})
        _text(svg, LEFT - 6, float(y) + 4, brief(told(value)), "end")


def brief(amount: str) -> str:
    """An amount with separators and decimals, in few characters: for an axis, whose values are round."""
    value = Decimal(amount.replace(",", ""))
    for size, sign in ((12, "T"), (9, "G"), (6, "M")):
        if 10**size <= value < 10 ** (size + 4):
            return f"{(value.scaleb(-size)).normalize():f}{sign}"
    return f"{value:.2e}" if value >= 10**6 else f"{value.normalize():,f}"


def _text(svg: Element, x: float, y: float, words: str, anchor: str = "middle") -> None:
    SubElement(svg, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}).text = words


def _x(time: int, start: int, end: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (time - start) / max(1, end - start)


def _y(value: int, top: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / top


def _ceiling(value: int) -> int:
    """The least of 4, 8, 20, 40, 80, … that is not less: it divides well."""
    size = 1
    while True:
        for step in (4, 8, 20):
            if value <= step * size:
                return step * size
        size *= 10


def _when(time: int, span: int) -> str:
    """A time in UTC, as exactly as an axis of that many seconds needs it; 0: in full."""
    at = datetime.fromtimestamp(time, UTC)
    if not span:
        return at.strftime("%Y-%m-%d %H:%M:%S")
    return at.strftime("%Y-%m-%d" if span > 3 * _DAY else "%m-%d %H:%M" if span > _DAY // 4 else "%H:%M:%S")
