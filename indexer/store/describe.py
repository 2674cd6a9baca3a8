"""The views, described: schema/README.md is made from the comments in their SQL.

`python -m indexer.store.describe` prints it.
"""

import re
import sqlite3
from typing import Final

from indexer.store.db import migrations, statements

_COMMENT: Final = re.compile(r"(\w+),?\s+--\s+(.+)$", re.MULTILINE)
_HEADING: Final = re.compile(r"\A\s*CREATE VIEW \w+ AS\s+--\s+(.+)$", re.MULTILINE)


def describe() -> dict[str, tuple[str, dict[str, str]]]:
    """View -> (what a row is, column -> comment), in the order of the schema. A column without one has ''."""
    db = sqlite3.connect(":memory:")
    for sql in migrations():
        for statement in statements(sql):
            db.execute(statement)
    views = {}
    for name, sql in db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view' ORDER BY rowid"):
        comments = dict(_COMMENT.findall(sql))
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({name})")]
        heading = _HEADING.match(sql)
        views[name] = (heading[1] if heading else "", {column: comments.get(column, "") for column in columns})
    db.close()
    return views


def markdown() -> str:
    """The page for analysts."""
    lines = [
        "# The views",
        "",
        "What analysts may rely on: these views only gain columns. The tables beneath them are ours.",
        "Hashes, ids and datums are lowercase hex; slots, heights and lovelace are integers; times are ISO-8601 UTC.",
        "Open the database with `mode=ro`, never with `immutable=1`: a daemon may be writing to it.",
        "This page is made from the comments in the migrations (`make docs`).",
    ]
    for name, (heading, columns) in describe().items():
        lines += [
            "",
            f"## `{name}`",
            "",
            f"{heading[:1].upper()}{heading[1:]}.",
            "",
            "| column | what it holds |",
            "| --- | --- |",
        ]
        lines += [f"| `{column}` | {comment} |" for column, comment in columns.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
