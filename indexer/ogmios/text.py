"""JSON, one level at a time: members and items as the text they are written in.

What is nested deeper than a reader can bear passes as text like any other, so a block that kills parsers
(a real one nests 10,774 levels) is only a slower block.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_KEY: Final = msgspec.json.Decoder(str)
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)
_MEMBER: Final = re.compile(rb'\s*("[^"\\]*(?:\\.[^"\\]*)*")\s*:\s*', re.DOTALL)

# Of one message, at all depths. In Python each takes up to 200 bytes, however few it has as text. A block makes two
# of a byte at worst (metadata of small numbers), and has at most 90,112 bytes. A coin of ada alone has eight.
MOST_VALUES: Final = 500_000


class Malformed(ValueError):
    """The text is not the JSON value that was asked for."""


def is_crowded(text: bytes) -> bool:
    """Whether there is more in a text than a message has to say. A look, not a reading: strings count too."""
    if len(text) <= MOST_VALUES:
        return False
    return sum(map(text.count, (b",", b"[", b"{"))) > MOST_VALUES


def members(text: bytes | msgspec.Raw) -> dict[str, bytes]:
    """The members of a JSON object, each value as text; of a repeated key the last. Raises Malformed."""
    try:
        return {key: bytes(value) for key, value in _MEMBERS.decode(text).items()}
    except msgspec.MsgspecError as error:
        raise Malformed(str(error)) from error
    except RecursionError:
        return dict(_member(part) for part in _parts(bytes(text), b"{", b"}"))


def items(text: bytes | msgspec.Raw) -> list[bytes]:
    """The items of a JSON array, each as text. Raises Malformed."""
    try:
        return [bytes(item) for item in _ITEMS.decode(text)]
    except msgspec.MsgspecError as error:
        raise Malformed(str(error)) from error
    except RecursionError:
        return list(_parts(bytes(text), b"[", b"]"))


def _member(part: bytes) -> tuple[str, bytes]:
    key = _MEMBER.match(part)
    if key is None:
        raise Malformed("a member without a key")
    return _KEY.decode(key[1]), part[key.end() :].rstrip()


def _parts(text: bytes, opening: bytes, closing: bytes) -> Iterator[bytes]:
    """What stands between the commas of the outermost brackets, without recursion."""
    body = text.strip()
    if not (body.startswith(opening) and body.endswith(closing)):
        raise Malformed(f"not a value in {opening.decode()}{closing.decode()}")
    depth, start = 0, 1
    for token in _TOKEN.finditer(body):
        match token[0]:
            case b"{" | b"[":
                depth += 1
            case b"}" | b"]":
                depth -= 1
                if depth == 0 and token.end() != len(body):
                    raise Malformed("text after the end of the value")
            case b"," if depth == 1:
                yield body[start : token.start()].strip()
                start = token.end()
    if depth != 0:
        raise Malformed("brackets do not match")
    if last := body[start:-1].strip():
        yield last
