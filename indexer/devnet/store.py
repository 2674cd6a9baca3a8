"""The chain in a directory, so that a devnet that is started again goes on where it was.

One file, written at its end only: what the genesis was, then each block (its place and its transactions) and each fork.
Everything else follows from these, ids included. A line that a crash cut short is as if it had never been written.
"""

import fcntl
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self, TypeAlias

from indexer.chain.point import Slot
from indexer.devnet.blocks import NodeBlock
from indexer.devnet.genesis import Genesis
from indexer.errors import IndexerError

FILE: Final = "chain.jsonl"


class StateUnusable(IndexerError):
    """A directory for the devnet's state holds another chain, or is in use, or cannot be read."""

    code = "devnet.state_unusable"
    hint = "choose another directory, or start over with another chain"


@dataclass(frozen=True, slots=True)
class SavedBlock:
    """What makes a block again."""

    id: bytes
    slot: Slot
    branch: int
    transactions: Sequence[bytes]  # CBOR


@dataclass(frozen=True, slots=True)
class SavedFork:
    """Only the first `keep` blocks stayed."""

    keep: int


Saved: TypeAlias = SavedBlock | SavedFork


class Store:
    """The state in `directory`, held for this process alone until `close`.

    `genesis` is that of the chain it holds, which is the one asked for where there was none. `start_over` abandons the
    chain that is there: the next one has the same keys, and no block in common.
    Raises StateUnusable.
    """

    def __init__(self, directory: Path, genesis: Genesis, *, start_over: bool = False) -> None:
        self.path = directory / FILE
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = self.path.open("a+b")
        except OSError as error:
            raise StateUnusable(f"cannot use {self.path}: {error.strerror or error}") from error
        try:
            self._lock()
            before = self._read_genesis()
            if before is None:
                self.genesis = self._begin(genesis)
            elif start_over:
                self.genesis = self._begin(replace(genesis, incarnation=before.incarnation + 1))
            else:
                self.genesis = self._same(before, genesis)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the directory."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self) -> Iterator[Saved]:
        """What happened, in order. Raises StateUnusable, naming the line. A line that was cut short is removed."""
        self._file.seek(0)
        good = 0
        for number, line in enumerate(self._file, start=1):
            if not line.endswith(b"\n"):
                self._file.truncate(good)
                return
            good += len(line)
            if number > 1:
                try:
                    yield _saved(json.loads(line))
                except (ValueError, KeyError, TypeError) as error:
                    raise StateUnusable(f"{self.path} line {number} is not what a devnet wrote: {error}") from error

    def add(self, blocks: Iterable[NodeBlock]) -> None:
        """There are more blocks."""
        for block in blocks:
            transactions = [transaction.raw.hex() for transaction in block.transactions]
            self._write(
                {"id": block.id.hex(), "slot": block.slot, "branch": block.branch, "transactions": transactions}
            )
        self._file.flush()

    def roll_back(self, keep: int) -> None:
        """Only the first `keep` blocks stay."""
        self._write({"keep": keep})
        self._file.flush()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            hint = "another devnet runs on it: stop that one, or choose another directory"
            raise StateUnusable(f"{self.path} is in use", hint=hint) from error

    def _read_genesis(self) -> Genesis | None:
        self._file.seek(0)
        line = self._file.readline()
        if not line.endswith(b"\n"):
            return None
        try:
            facts = json.loads(line)
            return Genesis(
                facts["seed"],
                facts["magic"],
                facts["k"],
                datetime.fromisoformat(facts["start"]),
                timedelta(milliseconds=facts["slotMilliseconds"]),
                facts["incarnation"],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise StateUnusable(f"{self.path} does not begin as a devnet's state does: {error}") from error

    def _begin(self, genesis: Genesis) -> Genesis:
        self._file.truncate(0)
        self._write(
            {
                "seed": genesis.seed,
                "magic": genesis.magic,
                "k": genesis.k,
                "start": genesis.start.isoformat(),
                "slotMilliseconds": genesis.slot_length // timedelta(milliseconds=1),
                "incarnation": genesis.incarnation,
            }
        )
        self._file.flush()
        return genesis

    def _same(self, before: Genesis, asked: Genesis) -> Genesis:
        """The genesis that is there; when it began and how often is not for the caller to know."""
        if replace(asked, start=before.start, incarnation=before.incarnation) != before:
            held = f"seed {before.seed!r}, magic {before.magic}, k {before.k}, slots of {before.slot_length}"
            raise StateUnusable(f"{self.path} holds a chain with other facts: {held}")
        return before

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")


def _saved(line: dict[str, Any]) -> Saved:
    if "keep" in line:
        return SavedFork(int(line["keep"]))
    transactions = [bytes.fromhex(raw) for raw in line["transactions"]]
    return SavedBlock(bytes.fromhex(line["id"]), line["slot"], line["branch"], transactions)
