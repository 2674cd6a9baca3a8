"""Messages to people, in chats, by mail, on pagers: through Apprise, which knows more than a hundred services.

https://github.com/caronc/apprise/wiki -- the extra `apprise`.
"""

import asyncio
from pathlib import Path

from indexer.edge.files import read_private
from indexer.edge.sinks import words
from indexer.edge.sinks.apart import Apart, Full
from indexer.edge.sinks.message import ExtraMissing, Fault, Message, SinkFailed
from indexer.errors import FileUnusable


class Chat:
    """One service. Its Apprise URL holds a secret: it is read from a file, and never told."""

    def __init__(self, url_file: Path, *, timeout_s: float) -> None:
        """Raises FileUnusable, ExtraMissing."""
        self._timeout_s = timeout_s
        try:
            import apprise  # an extra, and slow to import
        except ImportError as error:
            raise ExtraMissing(
                "sinks of kind apprise need a package that is not installed",
                hint='pip install "milestone-indexer[apprise]"',
            ) from error
        urls = [line.strip() for line in read_private(url_file).splitlines() if line.strip() and line[0] != "#"]
        try:  # a time limit of its own would put each message into a pool of threads
            asset = apprise.AppriseAsset(service_timeout=0)
        except (AttributeError, TypeError):  # before 2: there is none
            asset = apprise.AppriseAsset()
        self._service = apprise.Apprise(asset=asset)
        # Two services behind one sink: what failed at one would be said twice at the other.
        if len(urls) != 1 or not self._service.add(urls[0]) or len(self._service) != 1:
            raise FileUnusable(
                f"{url_file} has to hold one Apprise URL that Apprise knows", hint="a second service is a second sink"
            )
        self._markdown = apprise.NotifyFormat.MARKDOWN
        self._thread = Apart("apprise", 1)

    @property
    def at_once(self) -> int:
        """See Sink."""
        return 1

    async def send(self, message: Message) -> None:
        """Raises SinkFailed. What went wrong Apprise only tells its log."""
        try:
            async with asyncio.timeout(self._timeout_s):
                went = await self._thread.run(lambda: self._notify(message))
        except TimeoutError as error:
            raise SinkFailed(f"no answer within {self._timeout_s:g} s", Fault.SINK) from error
        except Full:
            raise SinkFailed("the service still holds an earlier message", Fault.SINK) from None
        if isinstance(went, Exception):
            raise SinkFailed(f"Apprise broke: {type(went).__name__}", Fault.SINK) from went
        if not went:
            raise SinkFailed("Apprise could not deliver it: its log says why", Fault.SINK)

    def _notify(self, message: Message) -> bool | Exception:
        text, title = words.text(message), words.title(message)
        try:
            return bool(self._service.notify(body=text, title=title, body_format=self._markdown))
        except Exception as error:  # noqa: BLE001 -- plugins for a hundred services: nobody knows what they raise
            return error

    async def close(self) -> None:
        """See Sink."""
