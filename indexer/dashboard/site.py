"""What Datasette asks of us: which tables it may show, how it shows text, the page of charts, what its answers say."""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final

from datasette import Response, hookimpl  # type: ignore[import-untyped]
from datasette.utils import sqlite_timelimit  # type: ignore[import-untyped]
from datasette.views.base import DatasetteError  # type: ignore[import-untyped]

from indexer.dashboard import page
from indexer.dashboard.figures import Token
from indexer.dashboard.metadata import DATABASE, LIMIT_S, Views, marked_up
from indexer.dashboard.page import Units
from indexer.dashboard.questions import Question

CHARTS_MS: Final = 10_000  # for all that the charts ask, together
LONGEST: Final = 1_000_000  # bytes of a text or row that SQL may make: else a line of SQL fills the memory
LONGEST_CELL: Final = 2_048  # characters, as Datasette shows of other text
_OURS: Final = ("/-/static/", "/dashboard/")  # beneath /-/ Datasette tells of itself, of files and threads
# Datasette's pages hold some script and style of their own.
_POLICY: Final = (
    b"default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Served = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Told:
    """What the pages say beyond what they ask. Datasette's own object carries it, as `told`."""

    views: Views
    questions: Sequence[Question]
    units: Units
    known: Sequence[Token]


@hookimpl  # type: ignore[untyped-decorator]
def permission_allowed(action: str, resource: Any, datasette: Any) -> bool | None:
    """The views are for everybody, the tables beneath them have no pages."""
    if action == "view-table":
        database, name = resource
        return database == DATABASE and name in datasette.told.views
    return None


@hookimpl  # type: ignore[untyped-decorator]
def prepare_connection(conn: sqlite3.Connection) -> None:
    """Limits of a connection."""
    conn.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)


@hookimpl  # type: ignore[untyped-decorator]
def render_cell(value: object) -> str | None:
    """Text of the chain never becomes a link. The template escapes it; other cells are left to Datasette."""
    return value[:LONGEST_CELL] if isinstance(value, str) and "://" in value else None


@hookimpl(tryfirst=True)  # type: ignore[untyped-decorator]
def handle_exception(exception: object) -> None:
    """A sentence of ours where Datasette would show a piece of HTML, with a link to its manual."""
    if isinstance(exception, DatasetteError) and exception.message_is_html:
        exception.message, exception.message_is_html = f"No answer within {LIMIT_S} s: ask for less.", False


@hookimpl  # type: ignore[untyped-decorator]
def menu_links(datasette: Any) -> list[dict[str, str]]:
    """On top of every page."""
    pages = {"/": "Questions", "/charts": "Charts", f"/{DATABASE}": "SQL"}
    return [{"href": datasette.urls.path(path), "label": label} for path, label in pages.items()]


@hookimpl  # type: ignore[untyped-decorator]
def extra_template_vars(view_name: str, datasette: Any) -> dict[str, Any]:
    """What the first page lists."""
    if view_name != "index":
        return {}
    told: Told = datasette.told
    grouped = groupby(told.questions, key=lambda one: one.group)
    return {
        "groups": [(group, [(one.name, one.title, marked_up(one.words)) for one in some]) for group, some in grouped],
        "views": [(name, heading) for name, (heading, _) in told.views.items()],
        "database_name": DATABASE,
    }


@hookimpl  # type: ignore[untyped-decorator]
def register_routes() -> list[tuple[str, Callable[..., Awaitable[Any]]]]:
    """The page of charts."""
    return [(r"^/charts$", charts)]


async def charts(datasette: Any, request: Any) -> Any:
    """Drawn from one moment of the database, within a time limit."""
    token, funder = request.args.get("token"), request.args.get("funder") or None

    def asked(db: sqlite3.Connection) -> page.Page:
        told: Told = datasette.told
        with sqlite_timelimit(db, CHARTS_MS):
            return page.made(db, datetime.now(UTC), told.units, told.known, token=token or None, funder=funder)

    try:
        made = await datasette.get_database(DATABASE).execute_fn(asked)
    except sqlite3.OperationalError as error:
        return Response.html(
            await datasette.render_template(
                "error.html", {"title": "No charts", "status": 503, "error": f"{error}: choose a token or a funder"}
            ),
            status=503,
        )
    return Response.html(await datasette.render_template("charts.html", {"page": made}, request=request))


@hookimpl  # type: ignore[untyped-decorator]
def asgi_wrapper() -> Callable[[Served], Served]:
    """Only questions are answered, only of what is meant to be shown, and nothing is fetched from elsewhere."""
    return _wrapped


def _wrapped(app: Served) -> Served:
    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
            await send(message)

        if scope["type"] != "http":
            await app(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD"):
            await _refused(answer, 405, b"read-only: GET and HEAD")
        elif scope["path"].startswith("/-/") and not scope["path"].startswith(_OURS):
            await _refused(answer, 404, b"not here")
        else:
            await app(scope, receive, answer)

    return served


async def _refused(answer: Send, status: int, why: bytes) -> None:
    await answer({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    await answer({"type": "http.response.body", "body": why + b"\n"})
