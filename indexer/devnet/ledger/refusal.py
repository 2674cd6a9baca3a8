"""Why a transaction is refused, in Ogmios' own words."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """One violation: Ogmios' code (3000 …, -32602), its sentence, and its data as JSON holds them (None: no data)."""

    code: int
    message: str
    data: Any = None


class Refused(Exception):
    """The ledger does not take a transaction. Of several violations, `refusal` is the one that Ogmios would tell."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.message}")
        self.refusal = refusal
