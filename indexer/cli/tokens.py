"""Amounts as people read them: in the token's decimals, where these are known."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from indexer.cli.outputs import Output
from indexer.cli.told import Told, shortened
from indexer.config import Config, TokenSection
from indexer.plutus.identity import shown_milestone

_ADA: Final = ("ada", 6)


@dataclass(frozen=True)
class Tokens:
    """Ticker and decimals by policy and name, both in hex."""

    known: Mapping[tuple[str, str], tuple[str, int]]

    @classmethod
    def of(cls, sections: Iterable[TokenSection]) -> Self:
        """Those of the configuration, and ada."""
        return cls({(one.policy, one.name): (one.ticker, one.decimals) for one in sections} | {("", ""): _ADA})

    def unit(self, policy: str, name: str) -> str:
        """What amounts are in: the ticker, or the smallest unit of a token by policy and name."""
        if (policy, name) in self.known:
            return self.known[policy, name][0]
        # A name is whatever its minter likes: a plain word is shown as it is, anything else in hex.
        word = shown_milestone(bytes.fromhex(name)) if name else ""
        return f"{shortened(policy)}.{word}" if word else shortened(policy)

    def number(self, policy: str, name: str, amount: int) -> str:
        """An amount in that unit, with all its decimals. `amount` is in the smallest unit."""
        _, decimals = self.known.get((policy, name), ("", 0))
        whole, rest = divmod(amount, 10**decimals)
        return f"{whole:,}.{rest:0{decimals}d}" if decimals else f"{whole:,}"

    def amount(self, policy: str, name: str, amount: int) -> str:
        """Number and unit."""
        return f"{self.number(policy, name, amount)} {self.unit(policy, name)}"


class Worded(Output):
    """An answer whose words have amounts in them."""

    @abstractmethod
    def words(self, tokens: Tokens) -> str:
        """The answer for people."""


def worded(answer: Worded, config: Config) -> Told:
    """It, with its amounts in the decimals that the configuration knows."""
    return Told(answer, lambda: answer.words(Tokens.of(config.token)))
