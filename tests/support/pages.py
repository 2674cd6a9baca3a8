"""The pages, read as a newcomer does: commands to type, files to write, and what is said to come out."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = tuple(
    sorted(
        path
        for folder in (".", "docs", "infra")
        for path in (ROOT / folder).glob("*.md")
        if path.name not in ("CHANGELOG.md", "CONTRIBUTING.md")
    )
)
_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
_COMMENT: Final = re.compile(r"(^|\s)#( .*)?$")
_ADA: Final = re.compile(r"\d+\.\d{6}")
# What differs from one run to the next.
_MASKS: Final = (
    (re.compile(r"\b[0-9a-f]{8,}…?"), "HEX"),
    (re.compile(r"addr_test1\w+…?"), "ADDRESS"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"\bslot \d+"), "slot N"),
    (re.compile(r"\b\d+ s\b|\b\d+\.\d s\b"), "N s"),
    (re.compile(r"127\.0\.0\.1:\d+"), "HOST"),
    (re.compile(r"-{2,}"), "--"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True)
class Block:
    """A fenced block: the heading above it, the word behind its fence (perhaps none), its text."""

    page: str
    heading: str
    language: str
    text: str

    @property
    def lines(self) -> list[str]:
        """Those that hold something; one that goes on in the next is one with it."""
        return [line for line in self.text.replace("\\\n", " ").splitlines() if line.strip()]


def blocks(path: Path) -> list[Block]:
    """All blocks of a page, in its order."""
    text = path.read_text(encoding="utf-8")
    fences = list(_FENCE.finditer(text))
    inside = [range(fence.start(), fence.end()) for fence in fences]
    headings = [each for each in _HEADING.finditer(text) if not any(each.start() in fence for fence in inside)]
    name = str(path.relative_to(ROOT))
    return [
        Block(name, [each[1] for each in headings if each.start() < fence.start()][-1], fence[1], fence[2])
        for fence in fences
    ]


def words(line: str) -> list[str]:
    """A command line as its words, without its comment."""
    return shlex.split(_COMMENT.sub("", line))


def ours(line: str) -> Iterator[list[str]]:
    """The commands of `indexer` in a line, each as its words: behind `&&`, `|` and assignments too, up to a `>`."""
    lexer = shlex.shlex(_COMMENT.sub("", line), posix=True, punctuation_chars="&|;()<>")
    lexer.whitespace_split, lexer.commenters = True, ""
    if not re.search(r"\bindexer ", line):
        return
    command: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set("&|;()"):
            while command and re.fullmatch(r"[A-Z_]+=.*", command[0]):
                command.pop(0)
            if command and command[0].rpartition("/")[2] == "indexer":
                yield list(takewhile(lambda each: set(each) - set("<>"), command[1:]))
            command = []
        else:
            command.append(word)


def says(shown: str, said: str) -> bool:
    """Whether what a page shows is what was said: line by line, from any line on.

    `...` stands for any lines, `…` for the rest of a word or a line. Ids, addresses, times, slots and seconds are not
    compared, amounts of ada to a tenth.
    """
    wanted, found = _alike(shown), _alike(said)
    return any(_from(wanted, found[start:]) for start in range(len(found)))


def _from(wanted: Sequence[str], found: Sequence[str]) -> bool:
    if not wanted:
        return True
    if wanted[0] == "...":
        return any(_from(wanted[1:], found[start:]) for start in range(len(found) + 1))
    if not found or not _fits(wanted[0], found[0]):
        return False
    return _from(wanted[1:], found[1:])


def _fits(wanted: str, found: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, wanted.split("…"))), found) is not None


def _alike(text: str) -> list[str]:
    """Lines as they are compared."""
    lines = []
    for line in text.splitlines():
        masked = _ADA.sub(lambda found: found[0][:-5], line)
        for pattern, instead in _MASKS:
            masked = pattern.sub(instead, masked)
        if masked.strip():
            lines.append(masked.strip())
    return lines


def edited(config: str, given: str) -> str:
    """A configuration as somebody edits it who is told these keys: each in its section, where it stands already, be it
    in a comment."""
    lines, section = config.splitlines(), ""
    for line in given.splitlines():
        if line.startswith("["):
            section = line
            if section not in lines:
                lines[lines.index(f"# {section}")] = section
        elif line.strip():
            key = line.split(" = ", 1)[0]
            begin = lines.index(section) + 1
            end = next((at for at in range(begin, len(lines)) if lines[at].startswith("[")), len(lines))
            place = next(at for at in range(begin, end) if re.match(rf"(# )?{key} = ", lines[at]))
            lines[place] = line
    return "\n".join([*lines, ""])
