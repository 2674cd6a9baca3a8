"""JSON as text: written as Ogmios writes it, and rewritten as a proxy might.

Blocks of the real chain nest deeper than `json` reads or writes. A value that deep is kept as `Raw` text, and
the rewriting works on tokens and with stacks of its own.
"""

import json
import re
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Any, Final, Literal, TypeAlias, get_args

Style: TypeAlias = Literal["spaced", "indented", "shuffled", "sorted", "escaped", "everything"]
STYLES: Final[tuple[Style, ...]] = get_args(Style)


@dataclass(frozen=True)
class Raw:
    """A value that is JSON text already."""

    text: str


def compact(value: Any) -> str:
    """A value as Ogmios writes it: on one line, without spaces, text beyond ASCII as it is."""
    raws: list[str] = []

    def mark(raw: Any) -> str:
        raws.append(raw.text)
        return f"\ue000{len(raws) - 1}\ue000"

    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=mark)
    return re.sub('"\ue000(\\d+)\ue000"', lambda found: raws[int(found[1])], text) if raws else text


def reserialised(message: bytes, style: Style) -> bytes:
    """The same JSON in another shape. What is random about a shape depends on the message alone.

    `spaced` as json.dumps writes it, `indented` over many lines, `shuffled` and `sorted` the keys of every
    object, `escaped` with half the characters of every string as `\\u0061`; `everything` is the worst of all.
    """
    random = Random(blake2b(message).digest())
    tokens = _TOKEN.findall(message.decode())
    if style in ("escaped", "everything"):
        tokens = [_escaped(token, random) if token[0] == '"' else token for token in tokens]
    if style in ("shuffled", "sorted", "everything"):
        tokens = _reordered(tokens, None if style == "sorted" else random)
    match style:
        case "spaced":
            text = "".join({",": ", ", ":": ": "}.get(token, token) for token in tokens)
        case "indented" | "everything":
            text = _indented(tokens)
        case _:
            text = "".join(tokens)
    return text.encode()


_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s\[\]{},:"]+|[\[\]{},:]')
_CHARACTER: Final = re.compile(r"\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL)


def _escaped(token: str, random: Random) -> str:
    def code(character: str) -> str:
        if character[0] == "\\" or (random.getrandbits(1) and character < "\x7f"):
            return character
        units = character.encode("utf-16-be").hex()
        return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))

    return f'"{"".join(code(found) for found in _CHARACTER.findall(token[1:-1]))}"'


def _indented(tokens: list[str]) -> str:
    depth, out = 0, []
    for token in tokens:
        if token in "]}":
            depth -= 1
            out.append(_line(depth))
        out.append(token)
        if token in "[{":
            depth += 1
        if token in "[{,":
            out.append(_line(depth))
        if token == ":":
            out.append(" ")
    return "".join(out) + "\r\n"


def _line(depth: int) -> str:
    return "\n" + " " * (2 * min(depth, 20))


def _reordered(tokens: list[str], random: Random | None) -> list[str]:
    """The tokens with the members of every object in another order: sorted, or as `random` has it."""
    done: list[list[str | list[Any]]] = [[]]  # of the containers that are open, outermost first: their parts
    for token in tokens:
        if token in "[{":
            done.append([token])
        elif token in "]}":
            parts = done.pop()
            done[-1].append([*(_members(parts, random) if token == "}" else parts), token])
        else:
            done[-1].append(token)
    flat, stack = [], [iter(done[0])]
    while stack:
        for part in stack[-1]:
            if isinstance(part, list):
                stack.append(iter(part))
                break
            flat.append(part)
        else:
            stack.pop()
    return flat


def _members(parts: list[str | list[Any]], random: Random | None) -> list[str | list[Any]]:
    members = [parts[i : i + 3] for i in range(1, len(parts), 4)]  # key, colon, value; then a comma
    if random is None:
        members.sort(key=lambda member: str(member[0]))
    else:
        random.shuffle(members)
    return [parts[0], *(part for i, member in enumerate(members) for part in ([","] * (i > 0) + member))]
