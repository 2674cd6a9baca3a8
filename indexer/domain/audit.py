"""The outputs that we hold beside those that Kupo holds: what is different as of one slot?

Rows of both come in any order; one waits for its counterpart, then both are forgotten. So what is held are the
differences, and whatever one side is ahead of the other: where both come in the order of the chain, one block.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from typing import Final, TypeAlias

from indexer.chain.address import CredentialKind, payment_credential
from indexer.chain.block import OutputReference
from indexer.chain.point import Slot
from indexer.chain.seen import Seen

Assets: TypeAlias = tuple[tuple[bytes, bytes, int], ...]

MOST: Final = 10_000  # outputs with differences that are kept apart; beyond, there is no point in going on


class Kind(StrEnum):
    """What is different about an output."""

    MISSING = "missing"  # only Kupo holds it
    EXTRA = "extra"  # only we hold it
    ADDRESS = "address"
    LOVELACE = "lovelace"
    ASSETS = "assets"
    DATUM = "datum"
    SCRIPT = "script"
    SLOT = "slot"  # created in another block
    SPENT = "spent"  # spent elsewhere, by another transaction, or only in one of the two


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: what we hold, and what Kupo holds; empty where there is nothing."""

    kind: Kind
    reference: OutputReference
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True)
class Held:
    """An output as we hold it. `kind` is what we take its address for (None: Byron); `listed`: its assets once more,
    as they stand in rows of their own."""

    seen: Seen
    kind: CredentialKind | None
    listed: Assets


class TooDifferent(Exception):
    """More differences than it makes sense to look at."""


class Comparison:
    """Outputs of both sides, compared as of a slot: what happened later did not happen."""

    def __init__(self, at: Slot) -> None:
        self.found: list[Difference] = []
        self.outputs = 0  # that both hold
        self.unspent = 0  # of these
        self.datums_only_theirs = 0  # preimages that we need not know
        self._at = at
        self._ours: dict[OutputReference, Held] = {}
        self._theirs: dict[OutputReference, Seen] = {}

    def ours(self, held: Held) -> None:
        """An output that we hold. Raises TooDifferent."""
        other = self._theirs.pop(held.seen.reference, None)
        if other is None:
            self._ours[held.seen.reference] = held
            self._limit()
        else:
            self._pair(held, other)

    def theirs(self, seen: Seen) -> None:
        """An output that Kupo holds. Raises TooDifferent."""
        held = self._ours.pop(seen.reference, None)
        if held is None:
            self._theirs[seen.reference] = seen
            self._limit()
        else:
            self._pair(held, seen)

    def differences(self) -> list[Difference]:
        """Every difference, once all rows were given: by output."""
        missing = [Difference(Kind.MISSING, reference, "", _where(seen)) for reference, seen in self._theirs.items()]
        extra = [Difference(Kind.EXTRA, reference, _where(held.seen), "") for reference, held in self._ours.items()]
        return sorted([*self.found, *missing, *extra], key=lambda each: (each.reference, each.kind))

    def _limit(self) -> None:
        if len(self._ours) + len(self._theirs) + len(self.found) > MOST:
            raise TooDifferent

    def _pair(self, held: Held, theirs: Seen) -> None:
        ours, theirs = _as_of(held.seen, self._at), _as_of(theirs, self._at)
        mine, yours = (ours.address, held.kind), (theirs.address, kind_of(theirs.address))
        self.outputs += 1
        self.unspent += ours.spent is None
        self.datums_only_theirs += ours.datum is None and theirs.datum is not None
        if mine != yours:
            self._note(Kind.ADDRESS, ours, *(f"{address} ({kind or 'byron'})" for address, kind in (mine, yours)))
        if ours.lovelace != theirs.lovelace:
            self._note(Kind.LOVELACE, ours, str(ours.lovelace), str(theirs.lovelace))
        if not _same_datum(ours, theirs):
            self._note(Kind.DATUM, ours, _datum(ours), _datum(theirs))
        if not _same_script(ours, theirs):
            self._note(Kind.SCRIPT, ours, _script(ours), _script(theirs))
        if ours.created != theirs.created:
            self._note(Kind.SLOT, ours, str(ours.created), str(theirs.created))
        if not _same_spending(ours, theirs):
            self._note(Kind.SPENT, ours, _spent(ours), _spent(theirs))
        # The same assets stand twice in the read model; one wrong place is one difference.
        wrong = next((assets for assets in (ours.assets, held.listed) if assets != theirs.assets), None)
        if wrong is not None:
            self._note(Kind.ASSETS, ours, _assets(wrong), _assets(theirs.assets))
        self._limit()

    def _note(self, kind: Kind, seen: Seen, ours: str, theirs: str) -> None:
        self.found.append(Difference(kind, seen.reference, ours, theirs))


def kind_of(address: str) -> CredentialKind | None:
    """Who may spend at an address; None for Byron. Raises ValueError for what is no address."""
    credential = payment_credential(address)
    return None if credential is None else credential.kind


def within(seen: Seen, since: Mapping[CredentialKind | None, Slot]) -> bool:
    """Whether an output was created within the history of a watch. Raises ValueError for what is no address.

    `since` has, for each kind that is watched (None: a Byron address), the slot after which its history begins.
    """
    kind = kind_of(seen.address)
    return kind in since and seen.created.slot > since[kind]


def _as_of(seen: Seen, slot: Slot) -> Seen:
    return replace(seen, spent=None) if seen.spent is not None and seen.spent.slot > slot else seen


def _same_datum(ours: Seen, theirs: Seen) -> bool:
    """Preimages of hashes are each known or not, by rules of one's own; but what we hold must have its hash."""
    if (ours.datum_hash, ours.is_inline) != (theirs.datum_hash, theirs.is_inline):
        return False
    return ours.datum is None or blake2b(ours.datum, digest_size=32).digest() == theirs.datum_hash


def _same_script(ours: Seen, theirs: Seen) -> bool:
    """Of a native script whose bytes were not sent, we know no hash; of one that it does not know, Kupo no language."""
    if (ours.script_language is None) is not (theirs.script_hash is None):
        return False
    if None not in (ours.script_language, theirs.script_language) and ours.script_language != theirs.script_language:
        return False
    return ours.script_hash == theirs.script_hash or (ours.script_hash is None and ours.script_language == "native")


def _same_spending(ours: Seen, theirs: Seen) -> bool:
    """A Kupo whose database is of before v2.10 does not know which transaction it was."""
    if ours.spent is None or theirs.spent is None:
        return ours.spent is theirs.spent
    return ours.spent.slot == theirs.spent.slot and theirs.spent.by in (None, ours.spent.by)


def _where(seen: Seen) -> str:
    return f"{seen.lovelace} lovelace, created at {seen.created.slot}"


def _datum(seen: Seen) -> str:
    if seen.datum_hash is None:
        return "none"
    shown = f"{'inline' if seen.is_inline else 'hash'} {seen.datum_hash.hex()}"
    return shown if seen.datum is None else f"{shown}: {seen.datum.hex()}"


def _script(seen: Seen) -> str:
    if seen.script_hash is None and seen.script_language is None:
        return "none"
    return " ".join(
        (seen.script_language or "unknown language", "" if seen.script_hash is None else seen.script_hash.hex())
    ).strip()


def _spent(seen: Seen) -> str:
    if seen.spent is None:
        return "unspent"
    return f"at {seen.spent.slot} by {'unknown' if seen.spent.by is None else seen.spent.by.hex()}"


def _assets(assets: Assets) -> str:
    named = (f"{policy.hex()}.{name.hex()}" if name else policy.hex() for policy, name, _ in assets)
    return ", ".join(f"{quantity} {name}" for name, (_, _, quantity) in zip(named, assets, strict=True)) or "none"
