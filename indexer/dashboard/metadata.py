"""What Datasette says of the views and questions, and within which limits it answers."""

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

from indexer.dashboard.questions import Question

DATABASE: Final = "indexer"  # its name in addresses, whatever the file is called
LIMIT_S: Final = 5  # seconds for what SQL asks
SETTINGS: Final[Mapping[str, object]] = {
    "sql_time_limit_ms": LIMIT_S * 1_000,
    "max_returned_rows": 2_000,
    "default_page_size": 100,
    "allow_download": False,
    "allow_csv_stream": False,  # page by page, which takes long where it is long: `indexer export` writes all
    "suggest_facets": False,  # each page of a view would ask it once a column
    "default_cache_ttl": 0,  # the daemon writes meanwhile
    "default_allow_sql": True,
}
_ABOUT: Final = "Read-only. The views only ever gain columns; times are UTC; amounts are in the token's smallest unit."

Views = Mapping[str, tuple[str, Mapping[str, str]]]


def metadata(views: Views, questions: Iterable[Question]) -> dict[str, Any]:
    """Titles and descriptions, as Datasette takes them. `views` are those of `store.describe`."""
    tables = {
        name: {"title": name, "description": f"{heading[:1].upper()}{heading[1:]}.", "columns": dict(columns)}
        for name, (heading, columns) in views.items()
    }
    queries = {
        one.name: {
            "title": one.title,
            "description_html": marked_up(one.words),
            "sql": one.sql,
            "params": list(one.parameters),
        }
        for one in questions
    }
    database = {"title": "Views and questions", "description": _ABOUT, "tables": tables, "queries": queries}
    return {"title": "Milestones", "databases": {DATABASE: database}}


def marked_up(words: str) -> str:
    """Words of the page as HTML: what stands between backticks is code, all else as it is."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(words))
