"""What `sinks test` does: a sample to each sink, sent from here, whether a daemon runs or not."""

import secrets
import time

from indexer.chain.time import iso
from indexer.cli.find import now_ms
from indexer.cli.outputs import Output
from indexer.cli.told import table
from indexer.config import Config
from indexer.edge.sinks.message import SinkFailed, sample
from indexer.errors import ConfigInvalid
from indexer.posts import posts_of
from indexer.workers.deliver import SinkUnknown


class SampleSent(Output):
    """What came of one; `reason`: why it is not known to have arrived."""

    sink: str
    kind: str
    arrived: bool
    seconds: float
    reason: str | None


class SamplesSent(Output):
    """What came of all of them. `message_id`: that of the sample."""

    message_id: str
    sinks: tuple[SampleSent, ...]

    def told(self) -> str:
        """In words."""
        rows = [
            (each.sink, each.kind, "arrived" if each.arrived else "FAILED", f"{each.seconds:.2f} s", each.reason or "")
            for each in self.sinks
        ]
        return table(("sink", "kind", "", "", ""), rows)


async def send_samples(config: Config, names: list[str]) -> SamplesSent:
    """One message to each sink, or to those that are named. Raises SinkUnknown, ConfigInvalid, FileUnusable."""
    kinds = {section.name: section.kind for section in config.sink}
    if not kinds:
        raise ConfigInvalid("no [[sink]] is configured", hint="config.toml shows how, docs/alerts.md what for")
    for name in names:
        if name not in kinds:
            raise SinkUnknown(f"no [[sink]] has the name {name!a}", hint=f"one of {', '.join(kinds)}")
    message = sample(config.chain.name, iso(now_ms()), secrets.token_hex(16))
    sent = []
    for post in posts_of(config, now_ms):
        if not names or post.name in names:
            began, reason = time.monotonic(), None
            try:
                await post.sink.send(message)
            except SinkFailed as error:
                reason = str(error)
            finally:
                await post.sink.close()
            took = round(time.monotonic() - began, 3)
            sent.append(
                SampleSent(sink=post.name, kind=kinds[post.name], arrived=reason is None, seconds=took, reason=reason)
            )
    return SamplesSent(message_id=message.id, sinks=tuple(sent))
