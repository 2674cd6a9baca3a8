"""What is told of a configuration without its secrets; and a last look for them, whatever they are in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel

from indexer.config import Config
from indexer.edge.files import read_up_to
from indexer.errors import FileUnusable

GONE: Final = "[secret]"
_SHORTEST: Final = 6  # shorter ones would be found in every other word
_SHORTEST_PART: Final = 12  # of what is a secret only sometimes: names of users, parts of paths
_MOST_BYTES: Final = 65_536


def plain(value: Any, key: str = "") -> Any:
    """A configuration as JSON: of URLs scheme and host, of commands the program. Paths of files stay: they are where
    secrets are, not what they are."""
    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name), name) for name in type(value).model_fields}
    if key == "url" and isinstance(value, str):
        return shown_host(value)
    if key in ("command", "signer") and value:
        return [str(value[0]), *(f"[{len(value) - 1} more]" for _ in value[1:2])]
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def shown_host(url: str) -> str:
    """Scheme, host and port of a URL: user, password, path and query may each hold a key."""
    try:
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return GONE
    more = "/[more]" if parts.path.strip("/") or parts.query else ""
    return f"{parts.scheme}://{parts.hostname}{port}{more}"


def secrets_of(config: Config) -> list[str]:
    """All that must not be told, as far as it can be read, the longest first."""
    urls = [config.ogmios.url, config.kupo.url, config.heartbeat.url, *(each.url for each in config.sink)]
    found = {secret for url in urls if url is not None for secret in _in_url(url)}
    commands = [config.keeper.signer, *(each.command for each in config.sink)]
    found |= {word for command in commands for word in command[1:] if len(word) >= _SHORTEST}
    for _, path in secret_files(config):
        found |= set(_in_file(path))
    return sorted((each for each in found if len(each) >= _SHORTEST), key=len, reverse=True)


def secret_files(config: Config) -> list[tuple[str, Path]]:
    """The files that hold them, each with the key that names it."""
    named = [
        ("ogmios.headers_file", config.ogmios.headers_file),
        ("kupo.headers_file", config.kupo.headers_file),
        ("keeper.signing_key", config.keeper.signing_key),
        *((f"sink.{each.name}.secret_files", path) for each in config.sink for path in each.secret_files),
    ]
    return [(what, path) for what, path in named if path is not None]


def concealed(value: Any, secrets: list[str]) -> Any:
    """JSON without these, wherever in a text they stand."""
    if isinstance(value, dict):
        return {concealed(key, secrets): concealed(each, secrets) for key, each in value.items()}
    if isinstance(value, list):
        return [concealed(each, secrets) for each in value]
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, GONE)
    return value


def _in_url(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        yield url
        return
    for text in (
        parts.password,
        parts.query,
        parts.fragment,
        *(each for pair in parse_qsl(parts.query) for each in pair[1:]),
    ):
        if text:
            yield from (text, unquote(text))
    for text in (parts.username or "", *parts.path.split("/")):
        if len(text) >= _SHORTEST_PART:
            yield from (text, unquote(text))


def _in_file(path: Path) -> Iterator[str]:
    """Of whatever form: lines, values behind a colon, JSON texts, raw bytes as hex."""
    try:
        raw = read_up_to(path, _MOST_BYTES)
    except FileUnusable:
        return
    yield raw.hex()
    text = raw.decode(errors="replace")
    for line in text.splitlines():
        yield from (line.strip(), line.partition(":")[2].strip(), line.strip().removeprefix("whsec_"))
        yield from _in_url(line.strip())
    try:
        envelope = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(envelope, dict) and isinstance(envelope.get("cborHex"), str):
        yield from (envelope["cborHex"], envelope["cborHex"][4:])
