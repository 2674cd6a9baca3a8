"""JSON Schemas of what commands answer with --json, and of the files that people exchange.

`python -m indexer.cli.schemas DIRECTORY` writes one file a model.
"""

import json
import sys
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel

from indexer.cli.attests import Attested
from indexer.cli.auditing import Audit
from indexer.cli.by_hand import SubmittedRelease
from indexer.cli.checks import InitReport
from indexer.cli.claims import Calculation
from indexer.cli.commits import Commit
from indexer.cli.delivered import Backfilled, Deliveries, Retried
from indexer.cli.demo import Demo
from indexer.cli.demo_story import Story
from indexer.cli.deploys import Deployed, TakenBack
from indexer.cli.explains import Explanation
from indexer.cli.exports import Exported
from indexer.cli.findings import Examination
from indexer.cli.gives_back import GaveBack
from indexer.cli.happened import Event, Message
from indexer.cli.keypairs import KeyPair
from indexer.cli.outputs import Ran, Rebuilt, Rewound, Status
from indexer.cli.pauses import Paused
from indexer.cli.publishes import Published
from indexer.cli.registers import Registration
from indexer.cli.released import Releases
from indexer.cli.samples import SamplesSent
from indexer.cli.states import DistributionContractState
from indexer.cli.submits import Submitted
from indexer.documents import Document, MilestoneCompletionData, MilestoneSchedule

MODELS: Final[tuple[type[BaseModel], ...]] = (
    Attested,
    Audit,
    Backfilled,
    Calculation,
    Commit,
    Demo,
    Deliveries,
    Deployed,
    DistributionContractState,
    Event,
    Examination,
    Explanation,
    Exported,
    GaveBack,
    InitReport,
    KeyPair,
    Message,
    MilestoneCompletionData,
    MilestoneSchedule,
    Paused,
    Published,
    Ran,
    Rebuilt,
    Registration,
    Releases,
    Retried,
    Rewound,
    SamplesSent,
    Status,
    Story,
    Submitted,
    SubmittedRelease,
    TakenBack,
)


def documents() -> dict[str, str]:
    """File name -> JSON Schema, the same text each time."""
    return {
        f"{model.__name__}.json": json.dumps(
            {"$schema": "https://json-schema.org/draft/2020-12/schema"} | model.model_json_schema(mode=_mode(model)),
            indent=2,
            sort_keys=True,
            ensure_ascii=False,
        )
        + "\n"
        for model in MODELS
    }


def _mode(model: type[BaseModel]) -> Literal["validation", "serialization"]:
    # A document may leave out what has a default, an answer never does.
    return "validation" if issubclass(model, Document) else "serialization"


def write(directory: Path) -> None:
    """Write every schema into the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (directory / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
