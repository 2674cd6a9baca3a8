"""What `pause` and `resume` do.

A pause is there at once, whatever a daemon is busy with; a running one is asked too, so that it is in the middle of
nothing when the command returns.
"""

from typing import Any

from indexer.cli.find import now_ms
from indexer.cli.outputs import Output
from indexer.config import Config
from indexer.edge import pause as pausing
from indexer.edge import requests
from indexer.edge.files import holder
from indexer.edge.requests import Kind, Unanswered
from indexer.errors import IndexerError


class Paused(Output):
    """Whether the keeper is paused now; `was`: whether it was before. `reason`: of the pause that holds, where one was
    given. `by`: who saw to it last, the daemon or, where none runs, this command."""

    paused: bool
    was: bool
    reason: str | None
    by: str

    def told(self) -> str:
        """In words."""
        if self.paused:
            return f"the keeper {'was paused already' if self.was else 'is paused'}: nothing is sent until `resume`"
        return f"the keeper {'goes on' if self.was else 'was not paused'}"


class DaemonRefused(IndexerError):
    """The daemon refused a request. Code, hint and exit code are the daemon's own."""

    code = "daemon.refused"


async def pause(config: Config, reason: str | None) -> Paused:
    """Stop every send. Raises FileUnusable, Unanswered."""
    data = config.data.directory
    before = pausing.paused(data)
    note = pausing.pause(data, now_ms(), reason)
    try:
        by = await _through(config, Kind.PAUSE, {"reason": reason})
    except Unanswered as error:
        raise Unanswered(f"it is paused, but {error}: one more send may be on its way", hint=error.hint) from error
    return Paused(paused=True, was=before is not None, reason=note.reason, by="command" if by is None else "daemon")


async def resume(config: Config) -> Paused:
    """Let the keeper go on. Raises FileUnusable, Unanswered."""
    data = config.data.directory
    before = pausing.paused(data)
    by = await _through(config, Kind.RESUME, {})
    if by is None:
        pausing.resume(data)
    return Paused(paused=False, was=before is not None, reason=None, by="command" if by is None else "daemon")


async def _through(config: Config, kind: Kind, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """What a running daemon answers; None: there is none, or none any more. Raises Unanswered, FileUnusable."""
    if not daemon_runs(config):
        return None
    try:
        return await ask_daemon(config, kind, arguments)
    except Unanswered:
        if daemon_runs(config):
            raise
        return None  # it ended while it was asked


def daemon_runs(config: Config) -> bool:
    """Whether somebody writes to the database. Raises DatabaseUnusable."""
    return holder(config.database.path) is not None


async def ask_daemon(config: Config, kind: Kind, arguments: dict[str, Any]) -> dict[str, Any]:
    """Leave a request, and wait for the answer. Raises Unanswered, FileUnusable, and what the daemon refuses."""
    data = config.data.directory
    request = requests.leave(data, kind, arguments, now_ms())
    answer = await requests.answer_to(data, request)
    match answer:
        case {"error": {"code": str(code), "message": str(message), "hint": str(hint), "exit_code": int(exit_code)}}:
            refused = DaemonRefused(message, hint=hint)
            refused.code, refused.exit_code = code, exit_code  # as the daemon raised it
            raise refused
    return dict(answer)
