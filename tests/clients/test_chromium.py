"""The analysts' page in a browser: it loads whole, complains of nothing, and shows each value once."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from tests.clients import chromium
from tests.clients.chromium import Tab
from tests.support import process
from tests.support.story import HOSTILE, write_story

BROWSER: Final = chromium.found()

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH, and none that CHROMIUM names"),
]


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """A dashboard of the story."""
    await write_story(tmp_path / "db.sqlite")
    running = process.start(
        tmp_path / "none.toml", "dashboard", "--database", str(tmp_path / "db.sqlite"), "--port", "0"
    )
    try:
        assert running.stdout is not None
        yield running.stdout.readline().split(" is at ")[1].split(";")[0]
        running.terminate()
        out, err = running.communicate(timeout=30)
        assert (running.returncode, out, err) == (0, "", "")
    finally:
        running.kill()
        running.wait()


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    assert BROWSER is not None
    async with chromium.tab(BROWSER, tmp_path / "profile", 1280, 860) as opened:
        yield opened


def clean(tab: Tab, url: str) -> None:
    """Nothing went wrong, nothing came from elsewhere."""
    assert tab.complaints == []
    assert tab.fetched
    assert not [each for each in tab.fetched if not each.startswith((url, "data:"))]


async def test_the_charts_show_each_value_once(tab: Tab, url: str) -> None:
    """And they are seen: points and bars lie within their pictures, pictures within the window, side by side."""
    await tab.open(f"{url}charts")
    clean(tab, url)
    counted = "[...new Set([...document.querySelectorAll('svg.chart [class]')].map(e => e.getAttribute('class')))]"
    kinds = await tab.value(f"Object.fromEntries({counted}.map(c => [c, document.getElementsByClassName(c).length]))")
    assert {kind: n for kind, n in kinds.items() if kind.startswith("point")} == {
        "point promised": 3,
        "point paid": 1,
        "point taken-back": 1,
    }
    assert {kind: n for kind, n in kinds.items() if kind.startswith("bar")} == {
        "bar owed": 30,
        "bar since-creation": 7,
        "bar since-the-first-oracle-spoke": 7,
    }
    assert await tab.value("document.querySelectorAll('svg.chart').length") == 5
    assert await tab.value(
        """[...document.querySelectorAll('svg.chart circle, svg.chart rect')].every(e => {
            const mark = e.getBoundingClientRect(), chart = e.ownerSVGElement.getBoundingClientRect();
            return mark.left >= chart.left && mark.right <= chart.right
                && mark.top >= chart.top && mark.bottom <= chart.bottom
                && chart.left >= 0 && chart.right <= innerWidth;
        })"""
    )
    lefts = await tab.value("[...document.querySelectorAll('svg.chart')].map(e => e.getBoundingClientRect().left)")
    assert len(set(lefts)) == 2
    colours = await tab.value(
        "[...document.querySelectorAll('svg.chart polyline')].map(e => getComputedStyle(e).stroke)"
    )
    assert len(set(colours)) == 3


async def test_no_page_complains(tab: Tab, url: str) -> None:
    """The first one, a question with its answer, a view, the editor of SQL."""
    for path, text in (
        ("", "Paid against promised, by token"),
        ("indexer/state-as-of-a-slot?slot=2000000", "allocations_claimed"),
        ("indexer/milestones", "distinct authorised oracles with a valid signature"),
        ("indexer?sql=select+state,+count(*)+from+distributions+group+by+state", "reclaimed"),
    ):
        await tab.open(url + path)
        assert text in await tab.value("document.body.innerText"), path
    clean(tab, url)
    assert await tab.value("document.querySelectorAll('.CodeMirror').length") == 1


async def test_what_strangers_write_runs_nowhere(tab: Tab, url: str) -> None:
    """In an address, as a value, as SQL."""
    for path in (f"charts?funder={HOSTILE}", f"indexer/due-now?x={HOSTILE}", f'indexer?sql=select+"{HOSTILE}"'):
        await tab.open(url + path)
        assert not await tab.value("[...document.scripts].some(e => e.text.includes('alert('))"), path


async def test_what_goes_wrong_in_a_page_is_noticed(tab: Tab, url: str) -> None:
    """Else the tests above say nothing: a script that fails, an address elsewhere, which our headers refuse."""
    await tab.open("data:text/html,<script>throw new Error('no')</script>")
    assert len(tab.complaints) == 1
    await tab.open(f"{url}charts")
    assert len(tab.complaints) == 1
    await tab.value("void Object.assign(new Image(), {src: 'http://127.0.0.1:9/x.png'})")
    while len(tab.complaints) == 1:
        await tab.value("0")
    assert "http://127.0.0.1:9/x.png" in tab.fetched
