"""The dashboard's questions are those of docs/analysts.md."""

import re
import sqlite3

import pytest

from indexer.dashboard.metadata import DATABASE, SETTINGS, marked_up, metadata
from indexer.dashboard.questions import Question, parsed, questions
from indexer.store.db import migrations
from indexer.store.describe import describe
from tests.test_analysts import PAGE, QUESTIONS


def test_the_dashboard_asks_what_the_page_asks() -> None:
    """All of it, in its order; the other reader of the page is that of the test that answers its questions."""
    asked = {one.title: f"{one.sql};\n" for one in questions()}
    assert list(QUESTIONS) == list(asked)
    assert asked == QUESTIONS


def test_what_stands_around_a_question_is_told_with_it() -> None:
    found = parsed(
        "# Page\n\n```\nno question\n```\n\n## First\n\n### Who, and why?\n\nSome\nwords.\n\nMore.\n\n"
        "```sql\n-- ### none\nSELECT ':no' WHERE a = :yes\n    AND b < :yes;\n```\n\n### Words alone\n\nNo SQL.\n\n"
        "## Second\n\n```sql\nSELECT 0;\n```\n\n### Last\n\n```sql\nSELECT :a, :b;\n```\n"
    )
    assert found == (
        Question(
            "who-and-why",
            "Who, and why?",
            "First",
            "Some words. More.",
            "-- ### none\nSELECT ':no' WHERE a = :yes\n    AND b < :yes",
        ),
        Question("last", "Last", "Second", "", "SELECT :a, :b"),
    )
    assert [one.parameters for one in found] == [("yes",), ("a", "b")]


def test_every_question_has_a_name_of_its_own() -> None:
    """Which is no view's: both stand in addresses under the database."""
    names = [one.name for one in questions()]
    assert len(names) == len(set(names)) == PAGE.read_text(encoding="utf-8").count("```sql")
    assert not set(names) & set(describe())


@pytest.mark.parametrize("question", questions(), ids=lambda one: str(one.name))
def test_the_parameters_are_those_that_sqlite_asks_for(question: Question) -> None:
    """With all of them it answers, without any one it does not."""
    db = sqlite3.connect(":memory:")
    for sql in migrations():
        db.executescript(sql)
    given = dict.fromkeys(question.parameters, "")
    db.execute(question.sql, given)
    for name in given:
        with pytest.raises(sqlite3.ProgrammingError, match="binding"):
            db.execute(question.sql, {each: "" for each in given if each != name})
    db.close()


def test_each_view_and_column_is_described() -> None:
    """With the words of schema/README.md."""
    tables = metadata(describe(), ())["databases"][DATABASE]["tables"]
    readme = (PAGE.parents[1] / "schema" / "README.md").read_text(encoding="utf-8")
    assert tables
    for name, about in tables.items():
        assert f"## `{name}`\n\n{about['description']}\n" in readme
        for column, words in about["columns"].items():
            assert f"| `{column}` | {words} |" in readme


def test_answers_are_limited_in_time_and_rows() -> None:
    assert (SETTINGS["sql_time_limit_ms"], SETTINGS["max_returned_rows"]) == (5_000, 2_000)
    assert not SETTINGS["allow_download"]


def test_words_of_the_page_become_html_and_nothing_else() -> None:
    """Code between backticks; a question has no links, which would be shown as they are written."""
    assert marked_up("a <b> `x < 'y'` & c") == "a &lt;b&gt; <code>x &lt; &#x27;y&#x27;</code> &amp; c"
    for one in questions():
        assert set(re.findall(r"</?(\w+)", marked_up(one.words))) <= {"code"}
        assert "](" not in one.words
