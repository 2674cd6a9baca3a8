"""Kupo's routes: a request in, a response out. No sockets, no clock."""

import re
from collections.abc import Callable, Sequence
from hashlib import blake2b
from http import HTTPStatus
from typing import Final, TypeAlias

from indexer.devnet.http import Request, Response
from indexer.devnet.kupo import health, hints, metadata, watching
from indexer.devnet.kupo.health import Producer
from indexer.devnet.kupo.hints import Failure
from indexer.devnet.kupo.index import Index, StillWatched
from indexer.devnet.kupo.patterns import OfTransaction
from indexer.devnet.kupo.queries import read_filter, read_selection, read_slot, select
from indexer.devnet.kupo.shown import shown_point, shown_row, shown_script
from indexer.devnet.kupo.watching import pattern_of
from indexer.devnet.websocket import encode

JSON: Final = "application/json;charset=utf-8"
TEXT: Final = "text/plain;charset=utf-8"
_AS_TEXT: Final = ";asset-quantity=string"
_OPEN_TO_ALL: Final = {"Access-Control-Allow-Origin": "*"}
_PREFLIGHT: Final = {
    **_OPEN_TO_ALL,
    "Access-Control-Allow-Methods": "GET, PUT, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "*",
}
_CACHED: Final = ("checkpoints", "matches", "datums", "scripts", "metadata")

Handler: TypeAlias = Callable[[Request, Sequence[str]], Response]


class Api:
    """Answers for an index. `producer` tells of the node that the index follows.

    `busy` is for tests of clients: so many requests that need the database are turned away.
    """

    def __init__(self, index: Index, producer: Callable[[], Producer]) -> None:
        self.index = index
        self.producer = producer
        self.busy = 0
        self._routes: dict[str, dict[str, Handler]] = {
            "health": {"GET": self._get_health},
            "metrics": {"GET": self._get_metrics},
            "checkpoints": {"GET": self._get_checkpoints},
            "matches": {"GET": self._get_matches, "DELETE": self._delete_matches},
            "datums": {"GET": self._get_datum},
            "scripts": {"GET": self._get_script},
            "metadata": {"GET": self._get_metadata},
            "patterns": {"GET": self._get_patterns, "PUT": self._put_patterns, "DELETE": self._delete_pattern},
        }

    def answer(self, request: Request) -> Response:
        """The answer to any request."""
        if request.method == "OPTIONS":
            return Response(HTTPStatus.OK, _PREFLIGHT, b"")
        try:
            return self._route(request)
        except Failure as failure:
            details = {} if failure.details is None else {"details": failure.details}
            headers = {**_OPEN_TO_ALL, "Content-Type": JSON}
            return Response(failure.status, headers, encode({"hint": failure.hint, **details}))

    def _route(self, request: Request) -> Response:
        path = request.path
        while path[:1] == ("v1",):
            path = path[1:]
        if not path or path[0] not in self._routes:
            raise hints.not_found()
        endpoint, *rest = path
        if endpoint in _CACHED:
            tip = self.index.tip
            if tip is not None and request.headers.get("if-none-match") == tip.id.hex():
                return Response(HTTPStatus.NOT_MODIFIED, self._headers(), b"")
            if self.busy:
                self.busy -= 1
                raise hints.busy()
        if request.method not in self._routes[endpoint]:
            raise hints.method()
        return self._routes[endpoint][request.method](request, rest)

    def _headers(self, content_type: str = JSON) -> dict[str, str]:
        """Which block the index stands at; both are what Kupo has at hand when a request comes in."""
        tip = self.index.tip
        here = {"X-Most-Recent-Checkpoint": "0"}
        if tip is not None:
            here = {"X-Most-Recent-Checkpoint": str(tip.slot), "ETag": tip.id.hex()}
        return {**here, **_OPEN_TO_ALL, "Content-Type": content_type}

    def _ok(self, value: object) -> Response:
        return Response(HTTPStatus.OK, self._headers(), encode(value))

    # Health.

    def _get_health(self, request: Request, rest: Sequence[str]) -> Response:
        checkpoint = None if self.index.tip is None else self.index.tip.slot
        return self._health(request, rest, health.status(self.producer(), checkpoint))

    def _get_metrics(self, request: Request, rest: Sequence[str]) -> Response:
        return self._health(request, rest, HTTPStatus.OK)

    def _health(self, request: Request, rest: Sequence[str], status: HTTPStatus) -> Response:
        if rest:
            raise hints.not_found()
        producer, checkpoint = self.producer(), None if self.index.tip is None else self.index.tip.slot
        accept = request.headers.get("accept")
        if accept is not None and "text/plain" in accept:
            return Response(status, self._headers(TEXT), health.as_prometheus(producer, checkpoint))
        if accept is None or "application/json" in accept:
            return Response(status, self._headers(), health.as_json(producer, checkpoint))
        if "*/*" in accept:  # as Kupo does it: the text, and a header that calls it JSON
            return Response(status, self._headers(), health.as_prometheus(producer, checkpoint))
        raise hints.content_type()

    # Matches.

    def _get_matches(self, request: Request, rest: Sequence[str]) -> Response:
        pattern, selection = pattern_of(rest), read_selection(request.query)
        as_text = _wants_text(request.headers.get("accept", ""))
        resolved_by = self.index if selection.resolve_hashes else None
        rows = select(self.index, pattern, selection)
        body = encode([shown_row(row, resolved_by=resolved_by, as_text=as_text) for row in rows])
        return Response(HTTPStatus.OK, self._headers(JSON + _AS_TEXT if as_text else JSON), body)

    def _delete_matches(self, request: Request, rest: Sequence[str]) -> Response:  # noqa: ARG002
        try:
            return self._ok({"deleted": self.index.delete(pattern_of(rest))})
        except StillWatched:
            raise hints.still_watched() from None

    # What hashes stand for.

    def _get_datum(self, request: Request, rest: Sequence[str]) -> Response:  # noqa: ARG002
        datum = self.index.datum(_hash(rest, 32, hints.datum_hash))
        return self._ok(None if datum is None else {"datum": datum.hex()})

    def _get_script(self, request: Request, rest: Sequence[str]) -> Response:  # noqa: ARG002
        script = self.index.script(_hash(rest, 28, hints.script_hash))
        return self._ok(None if script is None else shown_script(script))

    # Blocks.

    def _get_checkpoints(self, request: Request, rest: Sequence[str]) -> Response:
        if not rest:
            return self._ok([shown_point(point) for point in self.index.checkpoints()])
        slot = _slot(rest)
        if request.query not in ((), (("strict", None),)):
            raise hints.strict()
        found = self.index.at_or_before(slot)
        if found is None or (request.query and found.slot != slot):
            return self._ok(None)
        return self._ok(shown_point(found))

    def _get_metadata(self, request: Request, rest: Sequence[str]) -> Response:
        """Of the block after the newest one before the slot: `X-Block-Header-Hash` tells which that is."""
        slot = _slot(rest)
        if slot == 0:
            return self._ok([])
        wanted = read_filter(request.query)
        if not isinstance(wanted, OfTransaction | None):
            raise hints.metadata_filter()
        block = self.index.at_or_after(slot)
        if block is None:
            raise hints.no_block()
        items = [
            {
                "hash": blake2b(auxiliary, digest_size=32).hexdigest(),
                "raw": auxiliary.hex(),
                "schema": metadata.schema(auxiliary),
            }
            for transaction in block.transactions
            if (auxiliary := transaction.auxiliary_data) is not None and (wanted is None or wanted.id == transaction.id)
        ]
        headers = {**self._headers(), "X-Block-Header-Hash": block.header_hash.hex()}
        return Response(HTTPStatus.OK, headers, encode(items))

    # Patterns, of which Kupo says nothing about the block it stands at.

    def _get_patterns(self, request: Request, rest: Sequence[str]) -> Response:  # noqa: ARG002
        return _plain(watching.listed(self.index, rest))

    def _put_patterns(self, request: Request, rest: Sequence[str]) -> Response:
        return _plain(watching.put(self.index, self.producer().tip, rest, request.body))

    def _delete_pattern(self, request: Request, rest: Sequence[str]) -> Response:  # noqa: ARG002
        return _plain({"deleted": self.index.forget(pattern_of(rest))})


def _plain(value: object) -> Response:
    return Response(HTTPStatus.OK, {**_OPEN_TO_ALL, "Content-Type": JSON}, encode(value))


def _slot(segments: Sequence[str]) -> int:
    if len(segments) != 1:
        raise hints.not_found()
    slot = read_slot(segments[0])
    if slot is None:
        raise hints.slot()
    return slot


def _hash(segments: Sequence[str], length: int, malformed: Callable[[], Failure]) -> bytes:
    if len(segments) != 1:
        raise hints.not_found()
    if not re.fullmatch(rf"(?:[0-9a-fA-F]{{2}}){{{length}}}", segments[0]):
        raise malformed()
    return bytes.fromhex(segments[0])


def _wants_text(accept: str) -> bool:
    """Whether quantities are asked for as texts, which no reader of JSON rounds."""
    return any(
        kind.strip().lower() == "application/json" and "asset-quantity=string" in map(str.strip, parameters)
        for kind, *parameters in (part.split(";") for part in accept.split(","))
    )
