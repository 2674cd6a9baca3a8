"""Questions to an index: over HTTP, where every answer is held against Kupo's document, or without any socket."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from indexer.devnet.http import Request, Response, read_query
from indexer.devnet.kupo.api import Api
from indexer.devnet.kupo.health import Producer
from indexer.devnet.kupo.index import Index
from indexer.devnet.kupo.server import KupoServer
from tests.support.openapi import Document

JSON: Final = {"Accept": "application/json"}
DOCUMENT: Final = Document(Path(__file__).parents[3] / "data" / "kupo-v2.12.0.yaml", error="BadRequest")
ASKED: Final[set[tuple[str, str]]] = set()  # methods and paths of the document that were asked for in this run


@asynccontextmanager
async def serving(
    index: Index, producer: Callable[[], Producer] | None = None
) -> AsyncIterator[tuple[KupoServer, httpx.AsyncClient]]:
    """A server, and a client that checks whatever it is told."""
    async with KupoServer(index, producer=producer) as server:
        url = f"http://127.0.0.1:{server.port}"
        async with httpx.AsyncClient(base_url=url, headers=JSON, event_hooks={"response": [_check]}) as client:
            yield server, client


async def _check(response: httpx.Response) -> None:
    method, path = response.request.method, response.request.url.path
    while path.startswith("/v1/"):
        path = path.removeprefix("/v1")
    template = DOCUMENT.template(path)
    if template is not None:
        ASKED.add((method, template))
    if method not in ("HEAD", "OPTIONS") and "X-Trap" not in response.request.headers:
        body = await response.aread()
        # Kupo tells of the ancestor, which its document forgot.
        DOCUMENT.check(method, path, response.status_code, response.headers, body, forgotten="details")


class Asking:
    """The same without sockets, for many questions."""

    def __init__(self, index: Index) -> None:
        self._api = Api(index, lambda: Producer(True, None, None, None))

    def answer(self, target: str, **headers: str) -> Response:
        path, _, query = target.partition("?")
        return self._api.answer(Request("GET", tuple(path[1:].split("/")), read_query(query), headers))

    def get(self, target: str, **headers: str) -> Any:
        """What a question that is understood is answered with."""
        response = self.answer(target, **headers)
        assert response.status.value == 200, response.body
        return json.loads(response.body)
