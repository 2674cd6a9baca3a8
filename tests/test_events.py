"""Events are described as they are, and sinks have words for each."""

import re
from pathlib import Path
from typing import Any, get_args

from indexer.cli.happened import AnyEvent
from indexer.edge.sinks.words import TITLES

PAGE = (Path(__file__).parents[1] / "docs" / "events.md").read_text(encoding="utf-8")


def types() -> dict[str, Any]:
    """Type -> model of its data."""
    (union, *_) = get_args(AnyEvent)
    return {
        kind: model.model_fields["data"].annotation
        for model in get_args(union)
        for kind in get_args(model.model_fields["type"].annotation)
    }


def test_the_page_of_events_has_each_with_its_data() -> None:
    rows = re.findall(r"^\| `(\w+\.\w+)` \| [^|]+ \| `([\w, ]+)` \|$", PAGE, re.MULTILINE)
    assert {kind: data.split(", ") for kind, data in rows} == {
        kind: list(model.model_fields) for kind, model in types().items()
    }


def test_sinks_have_a_title_for_each_event_and_the_sample() -> None:
    assert TITLES.keys() == types().keys() | {"sink.test"}
