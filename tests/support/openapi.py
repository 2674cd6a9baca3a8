"""Holds HTTP answers against an OpenAPI document: are status, headers and body what it promises?"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import yaml
from jsonschema import Draft7Validator, ValidationError
from jsonschema.validators import extend

from tests.support.addresses import unbech32

_BASE58: Final = re.compile("[1-9A-HJ-NP-Za-km-z]+")


class Undocumented(AssertionError):
    """The document says nothing of such an answer."""


class Document:
    """An OpenAPI document.

    Its schemas tell encodings apart by `contentEncoding` alone, which validators only note; here it counts. An answer
    whose status the document does not list for a path is held against the schema `error`, in JSON.
    """

    def __init__(self, path: Path, *, error: str) -> None:
        self._path, self._error = path, error

    def check(
        self, method: str, path: str, status: int, headers: Mapping[str, str], body: bytes, *, forgotten: str = ""
    ) -> None:
        """Raises Undocumented, or jsonschema's ValidationError. `path` without query. `forgotten` names a member that
        the document forgot, and that may be there."""
        response = self._response(method, path, status)
        sent = {name.lower(): value for name, value in headers.items()}
        for name, header in response.get("headers", {}).items():
            if name != "Content-Type" and name.lower() in sent:  # which kind of content is a key of `content`
                text = sent[name.lower()]
                schema = header.get("schema", header)
                self._validate(int(text) if schema["type"] == "integer" else text, schema)
        content = response.get("content")
        if content is None:
            if body:
                raise Undocumented(f"{method} {path} {status} has no body: {body!r}")
            return
        kind = sent["content-type"]
        if kind not in content:
            raise Undocumented(f"{method} {path} {status} is not answered in {kind}")
        value: Any = body.decode()
        if kind.startswith("application/json"):
            value = json.loads(body)
            if isinstance(value, dict):
                value.pop(forgotten, None)
        self._validate(value, content[kind]["schema"])

    def documented(self) -> set[tuple[str, str]]:
        """Every (method, path) there is."""
        return {(method.upper(), path) for path, item in self._document["paths"].items() for method in item}

    def template(self, path: str) -> str | None:
        """The path of the document that a path on the wire is meant by."""
        for template in self._document["paths"]:
            # A pattern may be spelt in two segments.
            if re.fullmatch(re.sub(r"\{[^}]+\}", ".+" if "pattern" in template else "[^/]+", template), path):
                return str(template)
        return None

    @cached_property
    def _document(self) -> Any:
        return yaml.safe_load(self._path.read_text())

    def _response(self, method: str, path: str, status: int) -> Any:
        template = self.template(path)
        item = {} if template is None else self._document["paths"][template]
        responses = item.get(method.lower(), {}).get("responses", {})
        if status not in responses:
            if status < 400:
                raise Undocumented(f"{method} {path} is not answered by {status}")
            schema = {"$ref": f"#/components/schemas/{self._error}"}
            return {"content": {"application/json;charset=utf-8": {"schema": schema}}}
        response = responses[status]
        if "$ref" in response:
            *_, kind, name = response["$ref"].split("/")
            response = self._document["components"][kind][int(name)]
        return response

    def _validate(self, value: object, schema: Any) -> None:
        # References lead into the document, from wherever in it they stand.
        _Validator({**self._document, "allOf": [schema]}).validate(value)


def _encoded(validator: Any, encoding: str, instance: object, schema: object) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _is_encoded(instance, encoding):
        yield ValidationError(f"{instance!r} is not {encoding}")


def _is_encoded(text: str, encoding: str) -> bool:
    match encoding:
        case "base16":
            return re.fullmatch("(?:[0-9a-f]{2})*", text) is not None
        case "base58":
            return _BASE58.fullmatch(text) is not None
        case "bech32":
            try:
                unbech32(text)
            except ValueError:
                return False
            return True
        case "utf-8":
            return True
    raise ValueError(f"an encoding that is not known here: {encoding}")


def _names(validator: Any, schema: Any, instance: object, whole: object) -> Iterator[ValidationError]:
    """As JSON Schema has it, but that a name, which is always a text, can be that of an integer."""
    for name in instance if isinstance(instance, dict) else ():
        is_integer = schema.get("type") == "integer" and re.fullmatch("-?[0-9]+", name)
        yield from validator.descend(int(name) if is_integer else name, schema)


_Validator: Final = extend(Draft7Validator, {"contentEncoding": _encoded, "propertyNames": _names})  # type: ignore[no-untyped-call]
