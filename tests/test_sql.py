"""SQL has its values as parameters: nothing that a peer, a file or a person says is ever part of a statement.

Two nets. No text with SQL in it is put together while the program runs; and whatever is handed to `execute` is a text
that stands in the code. What passes through either is named below, with the reason why nothing foreign gets in.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
FILES: Final = sorted((ROOT / "indexer").rglob("*.py"))
EXECUTES: Final = {"execute", "executemany", "execute_fetchall", "executescript"}
SQL: Final = re.compile(
    r"\b(SELECT .*\bFROM|INSERT (OR \w+ )?INTO|UPDATE \w+ SET|DELETE FROM|PRAGMA|ATTACH"
    r"|CREATE (TABLE|VIEW|INDEX|TRIGGER)|DROP (TABLE|VIEW|INDEX|TRIGGER)|ORDER BY|WHERE|VACUUM|UNION ALL)\b",
    re.DOTALL,
)
PATCHES: Final = {"format", "replace", "join", "format_map", "substitute", "sub"}
CONSTANT: Final = re.compile(r"_?[A-Z][A-Z0-9_]*")
ALLOWED: Final = {
    'indexer/cli/demo.py: f"  sqlite3 -readonly': "words for people: a command to try, which nothing here runs",
    "indexer/cli/demo.py: '\\n'.join(": "the same",
    'indexer/cli/demo_story.py: f"  sqlite3 -readonly': "the same",
    "indexer/cli/demo_story.py: '\\n'.join(": "the same",
    "indexer/cli/anatomy.py: f'SELECT count(*) FROM {view}'": "what sqlite_master lists, small letters and _ alone",
    "indexer/cli/exports.py: f'SELECT * FROM {view}'": "one of the names that sqlite_master lists, compared before",
    "indexer/store/db.py: f'PRAGMA user_version = {number}'": "a number that `enumerate` counts",
    "indexer/store/describe.py: f'PRAGMA table_info({name})'": "views of our own migrations, in memory, for the docs",
}


def fixed(node: ast.expr) -> bool:
    """Whether it is made of nothing but constants of the code."""
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return CONSTANT.fullmatch(name) is not None
        case ast.JoinedStr(values=parts):
            return all(fixed(part.value if isinstance(part, ast.FormattedValue) else part) for part in parts)
        case ast.BinOp(left=left, right=right):
            return fixed(left) and fixed(right)
        case ast.Call(func=ast.Attribute(value=text, attr="format"), args=args, keywords=named):
            return fixed(text) and all(map(fixed, args)) and all(fixed(one.value) for one in named)
    return False


def made(node: ast.expr) -> bool:
    """Whether a text is put together of more than constants."""
    if fixed(node):
        return False
    match node:
        case ast.JoinedStr():
            return any(isinstance(part, ast.FormattedValue) for part in node.values)
        case ast.BinOp(op=ast.Add() | ast.Mod()):
            return True
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in PATCHES
    return False


def texts(node: ast.AST) -> str:
    return " ".join(one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str))


def settings(tree: ast.AST, name: str) -> Iterator[ast.expr]:
    """Whatever a name is set to, anywhere in a file."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets, value=value) if any(named(target, name) for target in targets):
                yield value
            case ast.AnnAssign(target=target, value=ast.expr() as value) if named(target, name):
                yield value
            case ast.AugAssign(target=target) if named(target, name):
                yield ast.BinOp(target, node.op, node.value)
            case ast.NamedExpr(target=target, value=value) if named(target, name):
                yield value


def named(target: ast.expr, name: str) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(target))


def findings(path: Path) -> Iterator[str]:
    """What passes through the nets, as `file: code`."""
    return caught(ast.parse(path.read_text()), path.relative_to(ROOT))


def caught(tree: ast.AST, where: Path) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.expr) and made(node) and SQL.search(texts(node)):
            yield f"{where}: {ast.unparse(node)}"
        match node:
            case ast.Call(func=ast.Attribute(attr=called), args=[statement, *_]) if called in EXECUTES:
                reached = [statement]
                if isinstance(statement, ast.Name):
                    reached = list(settings(tree, statement.id))
                for one in reached:
                    if any(isinstance(part, ast.expr) and made(part) for part in ast.walk(one)):
                        yield f"{where}: {ast.unparse(one)}"


def allowed(found: str) -> bool:
    return any(found.startswith(beginning) for beginning in ALLOWED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_statement_is_put_together_from_what_somebody_says(path: Path) -> None:
    """Values go where the question marks are."""
    assert [found for found in findings(path) if not allowed(found)] == []


def test_what_is_allowed_is_still_there() -> None:
    """Else the list would grow holes."""
    found = [one for path in FILES for one in findings(path)]
    assert [one for one in ALLOWED if not any(each.startswith(one) for each in found)] == []


@pytest.mark.parametrize(
    "code",
    [
        'db.execute(f"SELECT a FROM b WHERE c = {c}")',
        'db.execute("SELECT a FROM b WHERE c = " + c)',
        'db.execute("SELECT a FROM b WHERE c = %s" % c)',
        'db.execute("SELECT a FROM b WHERE c = {}".format(c))',
        'sql = f"{a}{b}"\ndb.execute_fetchall(sql)',
        "sql = A\nsql += b\ndb.executemany(sql, rows)",
        'WANTED = f"SELECT a FROM b ORDER BY {c}"',
        'db.execute(A if b else f"{c}")',
    ],
)
def test_the_nets_catch_what_they_should(code: str) -> None:
    """Values in the text, however they come there."""
    assert list(caught(ast.parse(code), Path("x.py")))
