"""Charts, read back."""

from xml.etree import ElementTree

import pytest

from indexer.dashboard.drawing import HEIGHT, WIDTH, Series, bars, brief, lines
from tests.support.story import HOSTILE


def all_of(svg: str, kind: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter(kind))


def told(amount: int) -> str:
    return f"{amount:,}"


def test_a_line_has_a_point_for_each_value_that_says_what_it_is() -> None:
    """The first at the left end, the last before the right one; a total holds until the next."""
    svg = lines("money", [Series("taken back", ((0, 10), (50, 40)))], 0, 100, told)
    points = all_of(svg, "circle")
    assert [point[0].text for point in points] == [
        "taken back by 1970-01-01 00:00:00: 10",
        "taken back by 1970-01-01 00:00:50: 40",
    ]
    assert [(point.attrib["cx"], point.attrib["cy"]) for point in points] == [("84.0", "165.5"), ("354.0", "14.0")]
    (path,) = all_of(svg, "polyline")
    assert path.attrib["class"] == "line taken-back"
    assert path.attrib["points"] == "84.0,216.0 84.0,216.0 84.0,165.5 354.0,165.5 354.0,14.0 624.0,14.0"
    assert [each.text for each in all_of(svg, "text")] == [
        "0",
        "10",
        "20",
        "30",
        "40",
        "00:00:00",
        "00:00:50",
        "00:01:40",
    ]


def test_bars_stand_on_the_ground_and_none_that_counts_is_invisible() -> None:
    svg = bars("quorums", ["a", "b"], [("x", [0, 1_000]), ("y y", [1, 500])], told)
    drawn = {bar[0].text: bar.attrib for bar in all_of(svg, "rect")}
    assert [drawn["a, x: 0"]["height"], drawn["a, y y: 1"]["height"]] == ["0.0", "1.0"]
    assert drawn["a, y y: 1"]["class"] == "bar y-y"
    assert 2 * float(drawn["b, y y: 500"]["height"]) == float(drawn["b, x: 1,000"]["height"]) > 100
    assert {216.0} == {float(bar["y"]) + float(bar["height"]) for bar in drawn.values()}


@pytest.mark.parametrize("start", [0, 10**9])
@pytest.mark.parametrize("values", [(), ((10**9, 0),), ((10**9, 1 << 80),)])
def test_nothing_leaves_the_picture(start: int, values: tuple[tuple[int, int], ...]) -> None:
    """No values, mere zeros, an instant, amounts beyond any token."""
    svg = lines("money", [Series("paid", values)], start, 10**9, told)
    for point in all_of(svg, "circle"):
        assert 0 < float(point.attrib["cx"]) < WIDTH
        assert 0 < float(point.attrib["cy"]) < HEIGHT
    assert all_of(bars("none", ["a"], [("x", [0])], told), "rect")


def test_text_stays_text() -> None:
    """Whatever it holds."""
    for svg in (
        lines(HOSTILE, [Series(HOSTILE, ((0, 1),))], 0, 1, lambda _: "1"),
        bars(f'"{HOSTILE}', [HOSTILE], [(HOSTILE, [1])], told),
    ):
        assert "<script" not in svg
        assert not all_of(svg, "script")
        assert HOSTILE in "".join(ElementTree.fromstring(svg).itertext())


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("0.000000", "0"),
        ("0.500000", "0.5"),
        ("750,000", "750,000"),
        ("1,000,000.000000", "1M"),
        ("2,500,000", "2.5M"),
        ("9,000,000,000", "9G"),
        ("20,000,000,000", "20G"),
        ("45,000,000,000,000,000", "4.50e+16"),
        ("1,500,000,000,000", "1.5T"),
    ],
)
def test_amounts_of_an_axis_are_short(amount: str, expected: str) -> None:
    assert expected == brief(amount)
