"""The sinks that the configuration names, made."""

from collections.abc import Callable
from datetime import datetime
from fnmatch import fnmatchcase

from indexer import __version__
from indexer.config import Config
from indexer.config_sinks import SinkSection
from indexer.domain.delivery import Finality, Since, Wants
from indexer.edge.sinks.chat import Chat
from indexer.edge.sinks.command import Exec
from indexer.edge.sinks.message import Sink
from indexer.edge.sinks.stream import Stream
from indexer.edge.sinks.webhook import Webhook
from indexer.edge.sinks.words import TITLES
from indexer.errors import ConfigInvalid
from indexer.workers.deliver import Post


def posts_of(config: Config, now_ms: Callable[[], int]) -> list[Post]:
    """Every sink, what it wants, and where it hears from. Raises ConfigInvalid, FileUnusable, ExtraMissing."""
    return [Post(each.name, sink_of(each, now_ms), wants_of(each), since_of(each)) for each in config.sink]


def sink_of(section: SinkSection, now_ms: Callable[[], int]) -> Sink:
    """The sink alone. Raises FileUnusable, ExtraMissing."""
    files, timeout_s = section.secret_files, section.timeout_s
    match section.kind, section.url:
        case "webhook", str(url):
            return Webhook(
                url,
                files,
                timeout_s=timeout_s,
                allow_private=section.allow_private,
                now_ms=now_ms,
                agent=f"milestone-indexer/{__version__}",
            )
        case "nats", str(url):
            return Stream(url, section.subject, files[0] if files else None, timeout_s=timeout_s)
        case "apprise", _:
            return Chat(files[0], timeout_s=timeout_s)
    return Exec(section.command, timeout_s=timeout_s)


def wants_of(section: SinkSection) -> Wants:
    """What it wants to hear of. Raises ConfigInvalid where it asks for what there is not."""
    for pattern in section.types:
        if not any(fnmatchcase(kind, pattern) for kind in TITLES):
            raise ConfigInvalid(f"[[sink]] {section.name}: no event is of a type {pattern}", hint="see docs/events.md")
    everything = section.distributions == "all"
    named = frozenset() if everything else frozenset(section.distributions)
    return Wants(section.types, named, frozenset(section.funders), everything, Finality(section.finality))


def since_of(section: SinkSection) -> Since | None:
    """Where it hears from, if the configuration says so."""
    if isinstance(section.since, datetime):
        return Since(ms=round(section.since.timestamp() * 1000))
    return None if section.since is None else Since(slot=section.since)
