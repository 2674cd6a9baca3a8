"""Messages to a command of the operator's: the CloudEvent on its standard input, exit code 0 once it is dealt with."""

from collections.abc import Sequence
from typing import Final

from indexer.edge import program
from indexer.edge.sinks.message import Fault, Message, SinkFailed

TRY_LATER: Final = 75  # EX_TEMPFAIL of sysexits.h: others would fail too
_MOST_BYTES: Final = 4_096  # of what it writes, of which the end is told when it fails


class Exec:
    """One command. `argv`: the program and its arguments; no shell reads them."""

    def __init__(self, argv: Sequence[str], *, timeout_s: float) -> None:
        self._argv, self._timeout_s = tuple(argv), timeout_s

    @property
    def at_once(self) -> int:
        """See Sink."""
        return 1

    async def send(self, message: Message) -> None:
        """Raises SinkFailed unless it ends in time with exit code 0; 75 means that nothing else would pass either."""
        known = {"INDEXER_MESSAGE_ID": message.id, "INDEXER_EVENT_TYPE": message.type}
        try:
            ran = await program.run(
                self._argv,
                message.body() + b"\n",
                self._timeout_s,
                _MOST_BYTES,
                with_errors=True,
                to_its_end=True,
                environment=known,
            )
        except program.ProgramFailed as error:
            raise SinkFailed(f"the command {error}", Fault.SINK) from error
        if ran.code != 0:
            lines = ran.output.decode(errors="replace").strip().splitlines()
            said = f": {lines[-1][:200]}" if lines else ""
            fault = Fault.SINK if ran.code == TRY_LATER else Fault.MESSAGE
            raise SinkFailed(f"the command ended with exit code {ran.code}{said}", fault)

    async def close(self) -> None:
        """See Sink."""
