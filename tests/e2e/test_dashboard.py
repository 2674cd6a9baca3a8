"""The analysts' page over HTTP: what it shows, what it refuses, and that what strangers write stays text."""

import asyncio
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from indexer.cli.tokens import Tokens
from indexer.dashboard import serving, site
from indexer.dashboard.questions import questions
from indexer.store.db import opened
from indexer.store.describe import describe
from tests.support import process
from tests.support.crowd import Crowd, terms_of, write
from tests.support.story import DAY, HOSTILE, MEAN, NETWORK, write_story

HOME: Final = "http://localhost"  # what the client of Datasette asks
GIVEN: Final[dict[str, list[Any]]] = {  # what questions ask for
    "slot": [0, 86_400, 12 * DAY, 12 * DAY + 100, 20 * DAY, 10_000_000],
    "date": ["2025-01-12T23:59:59Z", "2025-01-22T00:00:00Z"],
    "from": ["2025-01-02T00:00:00Z"],
    "to": ["2025-01-14T00:00:00Z"],
    "distribution": [],  # filled from the database
}
LINKS: Final = {"href", "src", "action", "srcset", "data", "poster", "formaction", "cite", "background", "ping"}


@dataclass(frozen=True)
class Served:
    """A database, and Datasette upon it in this process."""

    path: Path
    crowd: Crowd
    datasette: Any

    async def get(self, path: str, **parameters: object) -> httpx.Response:
        """A page."""
        found: httpx.Response = await self.datasette.client.get(path, params=parameters or None)
        return found

    async def page(self, path: str, **parameters: object) -> str:
        """One that is there."""
        found = await self.get(path, **parameters)
        assert found.status_code == 200, found.text
        return found.text


class Seen(HTMLParser):
    """The elements of a page, with their attributes; the text in each kind."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def links(self) -> Iterator[str]:
        """Whatever a browser would fetch, or go to."""
        for _, attributes in self.elements:
            yield from (value for name, value in attributes.items() if name.rpartition(":")[2] in LINKS)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """The story, told by a dashboard."""
    path = tmp_path / "db.sqlite"
    crowd = await write_story(path)
    datasette = serving.made(path, Tokens.of(()), [("", "")])
    await datasette.invoke_startup()
    yield Served(path, crowd, datasette)
    datasette.executor.shutdown()
    for database in datasette.databases.values():
        database.close()


async def all_pages(served: Served) -> dict[str, str]:
    """Every page that the first one leads to, and those, by address; and what is there of JSON and CSV."""
    found: dict[str, str] = {}
    ahead = ["/", "/nothing-here", "/indexer?sql=select+1", "/indexer?sql=delete", "/charts?token=33.44&funder=x"]
    while ahead:
        path = ahead.pop()
        answer = await served.get(path)
        assert answer.status_code in (200, 400, 404), (path, answer.text)
        found[path] = answer.text
        # Beyond the forms of one page, such as its sort orders, nothing new comes.
        if answer.headers["content-type"].startswith("text/html") and not urlsplit(path).query:
            here = (urljoin(path, link) for link in Seen(answer.text).links() if not link.startswith("data:"))
            ahead += {link for link in here if link.startswith("/")} - found.keys() - set(ahead)
    return found


async def test_the_first_page_leads_to_every_question_every_view_and_the_charts(served: Served) -> None:
    """Questions are explained as on the page of the docs, views by what a row of theirs is."""
    page = await served.page("/")
    links = set(Seen(page).links())
    assert {f"/indexer/{one.name}" for one in questions()} <= links
    assert {f"/indexer/{view}" for view in describe()} <= links
    assert {"/charts", "/indexer"} <= links
    text = " ".join("".join(Seen(page).text).split())
    assert "amount_vested goes by the clock of whoever asks." in text
    assert all(heading in text for heading, _ in describe().values())


async def test_nothing_comes_from_elsewhere_and_nothing_leads_there(served: Served) -> None:
    """Not one address of another host in any page or style sheet; and browsers are told to fetch none."""
    pages = await all_pages(served)
    assert len(pages) > len(questions()) + len(describe()) + 5
    for path, page in pages.items():
        for link in Seen(page).links():
            assert link.startswith("data:") or urlsplit(urljoin(HOME, link)).netloc in (
                "dashboard.test",
                "localhost",
            ), path
        for url in re.findall(r"url\(\s*['\"]?([^)'\"]+)", "" if ".js" in path else page):
            assert url.startswith("data:"), path
        assert "@import" not in page
    policy = (await served.get("/charts")).headers["content-security-policy"]
    assert {"default-src 'none'", "frame-ancestors 'none'"} <= set(policy.split("; "))
    assert not re.search(r"https?:|\*", policy)


def asked_by(question: Any, distribution: str) -> Iterator[dict[str, Any]]:
    """Values for its parameters: of each all that there are."""
    given = GIVEN | {"distribution": [distribution]}
    many = max((len(given[name]) for name in question.parameters), default=1)
    for i in range(many):
        yield {name: given[name][i % len(given[name])] for name in question.parameters}


@pytest.mark.parametrize("question", questions(), ids=lambda one: str(one.name))
async def test_a_question_is_answered_as_sqlite_answers_it(served: Served, question: Any) -> None:
    """Where slots are numbers; a form can only send text."""
    distribution = served.crowd.promises[0].id.hex()
    rows = 0
    for given in asked_by(question, distribution):
        with closing(sqlite3.connect(f"file:{served.path}?mode=ro", uri=True)) as db:
            expected = [list(row) for row in db.execute(question.sql, given)]
        answer = (await served.get(f"/indexer/{question.name}.json", **given, _shape="arrays")).json()
        assert expected == answer["rows"], given
        page = Seen(await served.page(f"/indexer/{question.name}", **given))
        assert len(expected) == max(0, sum(tag == "tr" for tag, _ in page.elements) - 1)
        rows += len(expected)
    nothing = {"owed-next-month", "rejected-outputs-by-reason", "signatures-that-count-for-nothing", "runway"}
    assert rows or question.name in nothing


async def test_only_views_are_shown(served: Served) -> None:
    """The tables beneath them have no pages and are in no list; a view's page describes its columns."""
    answer = (await served.get("/indexer.json")).json()
    assert answer["tables"] == []
    assert sorted(describe()) == sorted(view["name"] for view in answer["views"])
    with closing(sqlite3.connect(served.path)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert "allocation" in tables
    for name in tables:
        for path in (f"/indexer/{name}", f"/indexer/{name}.json", f"/indexer/{name}.csv"):
            assert (await served.get(path)).status_code == 403, path
    for name, (heading, columns) in describe().items():
        page = "".join(Seen(await served.page(f"/indexer/{name}")).text)
        assert f"{heading[:1].upper()}{heading[1:]}." in page
        assert all(words in page for words in columns.values())
    for path in (
        "/-/databases.json",
        "/-/settings",
        "/-/plugins",
        "/-/metadata",
        "/-/threads",
        "/_internal",
        "/_memory",
    ):
        assert (await served.get(path)).status_code in (403, 404), path
    for name in ("indexer.db", "indexer.sqlite"):
        assert not (await served.get(f"/{name}")).content.startswith(b"SQLite format"), name


async def test_nothing_can_be_written(served: Served) -> None:
    """Neither by another method, nor by SQL that begins harmlessly, nor through the connection itself."""
    before = "\n".join(dumped(served.path))
    for method in ("post", "put", "patch", "delete"):
        answer = await getattr(served.datasette.client, method)("/indexer")
        assert (answer.status_code, answer.text) == (405, "read-only: GET and HEAD\n")
    for sql in (
        "DELETE FROM distribution",
        "WITH x AS (SELECT 1) DELETE FROM distribution",
        "EXPLAIN DELETE FROM distribution; DELETE FROM distribution",
        "PRAGMA user_version = 7",
        "ATTACH 'elsewhere.sqlite' AS elsewhere",
        "SELECT load_extension('libm.so.6')",
        "VACUUM INTO 'copy.sqlite'",
    ):
        answer = await served.get("/indexer.json", sql=sql)
        assert answer.status_code == 400, sql
        assert not answer.json()["ok"]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await served.datasette.get_database("indexer").execute_fn(lambda db: db.execute("DELETE FROM distribution"))
    assert before == "\n".join(dumped(served.path))


def dumped(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return list(db.iterdump())


async def test_sql_has_limits(served: Served) -> None:
    """Of time, of rows, of the size of a value."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT"
    answer = await served.get("/indexer.json", sql=f"{endless} count(*) FROM n", _timelimit=50)
    assert (answer.status_code, answer.json()["title"]) == (400, "SQL Interrupted")
    answer = await served.get("/indexer.json", sql=f"{endless} i FROM n LIMIT 3000", _shape="arrays")
    assert (len(answer.json()["rows"]), answer.json()["truncated"]) == (2_000, True)
    answer = await served.get("/indexer.json", sql="SELECT zeroblob(100000000)")
    assert "too big" in answer.json()["error"]


async def test_what_the_daemon_writes_is_seen_at_once(served: Served) -> None:
    """Never immutable: pages are of now, and browsers keep none."""
    before = (await served.get("/indexer/distributions.json", _shape="arrays")).json()["rows"]
    page = await served.page("/charts")
    served.crowd.found(terms_of([("m", 0, 5_555, 0)]))
    async with opened(served.path) as db:
        await write(db, [served.crowd.block()], NETWORK)
    answer = await served.get("/indexer/distributions.json", _shape="arrays")
    assert len(before) + 1 == len(answer.json()["rows"])
    assert answer.headers.get("cache-control", "no-cache") == "no-cache"
    assert "6,905" in await served.page("/charts")
    assert "6,905" not in page


async def test_charts_show_the_story(served: Served) -> None:
    """One point for each value of a line, one bar for each month; what they say is exact."""
    page = await served.page("/charts")
    drawn = Seen(page)
    points = [attributes["class"] for tag, attributes in drawn.elements if tag == "circle"]
    assert {kind: points.count(kind) for kind in points} == {
        "point promised": 3,
        "point paid": 1,
        "point taken-back": 1,
    }
    bars = [attributes["class"] for tag, attributes in drawn.elements if tag == "rect"]
    assert {kind: bars.count(kind) for kind in bars} == {
        "bar owed": 2 * 15,
        "bar since-creation": 7,
        "bar since-the-first-oracle-spoke": 7,
    }
    told = set(drawn.text)
    assert {
        "promised by 2025-01-01 00:00:00: 350",
        "promised by 2025-01-13 00:01:40: 1,350",
        "paid by 2025-01-13 00:00:00: 100",
        "taken back by 2025-01-21 00:00:00: 1,000",
        "promised by 2025-01-13 00:01:40: 7.000000",
        "no quorum yet, owed: 7.000000",
        "due now, owed: 200",
        "< 6 h, since the first oracle spoke: 1",
    } <= told


async def test_charts_of_one_token_and_one_funder(served: Served) -> None:
    """The choice stays in the form; of a token that nobody promised there is nothing."""
    token = f"{'33' * 28}.{b'TOKEN'.hex()}"
    page = await served.page("/charts", token=token, funder=served.crowd.promises[0].terms.funder.hex())
    assert f'<option value="{token}" selected>' in page
    assert "In 3333333333333333….TOKEN: promised 350, paid 100." in page
    assert page.count('<svg class="chart"') == 3
    nothing = await served.page("/charts", token="00.00")
    assert "Nothing was promised." in nothing
    assert nothing.count('<svg class="chart"') == 1


async def test_charts_that_take_too_long_say_how_to_ask_for_less(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next ones are drawn."""
    with monkeypatch.context() as patched:
        patched.setattr(site, "CHARTS_MS", 0)
        answer = await served.get("/charts")
        assert (answer.status_code, "interrupted: choose a token or a funder" in answer.text) == (503, True)
    assert "Time to quorum" in await served.page("/charts")


async def test_what_strangers_write_stays_text(served: Served) -> None:
    """Names of tokens and milestones, reasons, events, addresses: neither an element nor a link comes of it."""
    served.crowd.found(terms_of([(HOSTILE, 0, 1, 0), ("m", 0, 1, 0)], token=MEAN))
    served.crowd.reject(f"malformed datum: {HOSTILE}")
    async with opened(served.path) as db:
        await write(db, [served.crowd.block()], NETWORK)
    with closing(sqlite3.connect(served.path)) as held, held:
        # What the indexer itself would never let through, too.
        held.execute("PRAGMA foreign_keys = OFF")
        for table in ("milestone", "allocation", "event"):
            held.execute(f"UPDATE {table} SET milestone_id = ? WHERE milestone_id = 'm'", (HOSTILE,))
        held.execute("UPDATE rejected_output SET reason = 'https://evil.example/' || reason")
        held.execute("UPDATE event SET data = ?", (f'{{"url": "https://evil.example/?{HOSTILE}"}}',))
    paths = {
        "/indexer/milestones": HOSTILE,
        "/indexer/allocations": HOSTILE,
        "/indexer/events": HOSTILE,
        "/indexer/rejected_outputs": HOSTILE,
        "/indexer/due-now": "",
        "/indexer/one-distribution-milestone-by-milestone?distribution=" + served.crowd.promises[-1].id.hex(): HOSTILE,
        "/indexer/rejected-outputs-by-reason": "https",
        "/charts": HOSTILE.encode().hex(),
        f"/charts?token={'44' * 28}.{HOSTILE.encode().hex()}": HOSTILE.encode().hex(),
        f'/charts?funder={HOSTILE}"': HOSTILE,
        f'/charts?token={HOSTILE}".00': "",
        f"/indexer?sql=select+'{HOSTILE.replace(chr(39), '')}'": "alert(1)",
        f"/indexer/milestones?_sort={HOSTILE}": HOSTILE,
        f"/{HOSTILE}": "",
    }
    for path, shown in paths.items():
        answer = await served.get(path)
        seen = Seen(answer.text)
        values = [value for _, attributes in seen.elements for value in attributes.values()]
        assert shown in "".join([*seen.text, *values]), path
        assert "<script>alert" not in answer.text, path
        assert not [link for link in seen.links() if "evil" in urlsplit(link).netloc], path
        assert not [name for _, attributes in seen.elements for name in attributes if name.startswith("on")], path


# --- the command


def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """On a free port, the database of the configuration; a stop is no failure."""
    asyncio.run(write_story(tmp_path / "db.sqlite"))
    config = process.configure(tmp_path, 1, network="devnet")
    for number in (signal.SIGTERM, signal.SIGINT):
        running = process.start(config, "dashboard", "--port", "0")
        try:
            assert running.stdout is not None
            said = running.stdout.readline()
            found = re.fullmatch(r"the dashboard of (\S+) is at (http://127\.0\.0\.1:\d+/); ctrl-c to stop\n", said)
            assert found, said
            assert str(tmp_path / "db.sqlite") == found[1]
            page = httpx.get(f"{found[2]}charts", timeout=30)
            assert (page.status_code, "Time to quorum" in page.text) == (200, True)
            style = httpx.get(f"{found[2]}dashboard/dashboard.css", timeout=30)
            assert (style.status_code, ".chart" in style.text) == (200, True)
            running.send_signal(number)
            out, err = running.communicate(timeout=30)
        finally:
            running.kill()
            running.wait()
        assert (running.returncode, out, err) == (0, "", "")


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    """The extra, the database, a port; exit code and hint as the runbook has them."""
    config = process.configure(tmp_path, 1, network="devnet")
    package = tmp_path / "lib" / "datasette"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ModuleNotFoundError('gone', name='datasette')")
    done = process.command(config, "dashboard", PYTHONPATH=str(package.parent))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: the dashboard needs Datasette; not installed: datasette\n"
        'hint:  pip install "milestone-indexer[dashboard]"\n'
    )

    done = process.command(config, "dashboard")
    assert done.returncode == 1
    assert "there is no database at" in done.stderr
    done = process.command(config, "dashboard", "--database", str(config))
    assert (done.returncode, "error: " in done.stderr) == (1, True)


async def test_the_command_names_a_port_that_is_taken(tmp_path: Path) -> None:
    """And how to choose another."""
    await write_story(tmp_path / "other.sqlite")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = process.command(
            tmp_path / "no-config.toml", "dashboard", "--database", str(tmp_path / "other.sqlite"), "--port", port
        )
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "hint:  choose another with --port" in done.stderr


def test_a_browser_is_opened_when_asked_for_and_strangers_are_warned_of(tmp_path: Path) -> None:
    """With the address; listening to all the world is said aloud."""
    asyncio.run(write_story(tmp_path / "db.sqlite"))
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    running = subprocess.Popen(
        [*process.INDEXER, "dashboard", "--database", "db.sqlite", "--port", "0", "--host", "0.0.0.0", "--open"],
        cwd=tmp_path,
        env=os.environ | {"BROWSER": f"{browser} %s", "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        assert running.stderr is not None
        url = running.stdout.readline().split(" is at ")[1].split(";")[0]
        assert "there is no password" in running.stderr.readline()
        assert httpx.get(url.replace("0.0.0.0", "127.0.0.1"), timeout=30).status_code == 200
        running.terminate()
        running.communicate(timeout=30)
    finally:
        running.kill()
        running.wait()
    assert url == (tmp_path / "opened").read_text().strip()


def test_help_costs_nothing_for_it(tmp_path: Path) -> None:
    """Datasette is loaded by the one command that needs it."""
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "indexer", "--help"], capture_output=True, text=True, check=True
    )
    assert "dashboard" in told.stdout
    loaded = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}
    assert "indexer.cli.dashboard" in loaded
    assert not {name for name in loaded if name.split(".")[0] in ("datasette", "uvicorn", "jinja2", "sqlite3")}
