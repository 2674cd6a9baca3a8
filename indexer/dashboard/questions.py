"""The questions of docs/analysts.md, out of that page: it is where they are written, explained and tested."""

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

_HEADING: Final = re.compile(r"^(##+) (.+)$")
_QUOTED: Final = re.compile(r"'[^']*'")
_PARAMETER: Final = re.compile(r":([a-z_]+)")


@dataclass(frozen=True)
class Question:
    """One of them. `name` is what stands in its address; `words` explain it; `parameters` are asked for."""

    name: str
    title: str
    group: str
    words: str
    sql: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """Each once, in the order of the SQL; what stands in quotes is none."""
        return tuple(dict.fromkeys(_PARAMETER.findall(_QUOTED.sub("''", self.sql))))


def questions() -> tuple[Question, ...]:
    """Those of the page that came with this version, in its order."""
    inside = files("indexer") / "docs" / "analysts.md"  # in the wheel
    page = Path(str(inside)) if inside.is_file() else Path(__file__).parents[2] / "docs" / "analysts.md"
    return parsed(page.read_text(encoding="utf-8"))


def parsed(page: str) -> tuple[Question, ...]:
    """Every `###` that has a block of SQL. The paragraphs before the block are its words."""
    found: list[Question] = []
    group = title = ""
    words: list[str] = []
    sql: list[str] | None = None
    for line in page.splitlines():
        heading = _HEADING.match(line) if sql is None else None
        if heading is not None and len(heading[1]) == 2:
            group, title = heading[2], ""
        elif heading is not None:
            title, words = heading[2], []
        elif title and line == "```sql":
            sql = []
        elif sql is not None and line == "```":
            statement = "\n".join(sql).removesuffix(";")
            found.append(Question(_slug(title), title, group, " ".join(words), statement))
            sql = None
        elif sql is not None:
            sql.append(line)
        elif line:
            words.append(line)
    return tuple(found)


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
