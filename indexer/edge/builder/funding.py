"""What a new distribution has to hold, and which coin seeds it."""

from collections.abc import Sequence
from dataclasses import dataclass

from indexer.chain.coin import Coin
from indexer.edge.builder.errors import FundsMissing
from indexer.edge.builder.intents import Planned, Surroundings
from indexer.edge.builder.written import held, least_lovelace
from indexer.plutus.address import address_bytes
from indexer.plutus.datum import MILESTONE_DATUM, Distribution
from indexer.plutus.ledger import Credential


@dataclass(frozen=True, slots=True)
class Locked:
    """Lovelace that a new distribution holds: `promise` is what the contract asks for, `reserve` comes back."""

    promise: int
    reserve: int

    @property
    def total(self) -> int:
        """Both."""
        return self.promise + self.reserve


def home(around: Surroundings, stake: Credential | None) -> bytes:
    """An address of the contract, in bytes, with any stake part."""
    return address_bytes(around.contract.address(stake), around.network_id)


def least_state(terms: Distribution, around: Surroundings, stake: Credential | None) -> int:
    """Min-ada of a distribution's output while it holds all that is promised, so at any time."""
    assets = {(around.contract.policy_id, bytes(32)): 1}
    if not terms.token.is_ada:
        assets[terms.token.policy_id, terms.token.asset_name] = sum(each.token_amount for each in terms.allocations)
    output = Planned(home(around, stake), 0, assets, MILESTONE_DATUM.encode(terms))
    return least_lovelace(output, around.parameters)


def lovelace_to_lock(terms: Distribution, around: Surroundings, stake: Credential | None = None) -> Locked:
    """What the contract asks for (rule 7 of Create), and a reserve of min-ada.

    The reserve is that of the fullest output: claims change no length in the datum, and tokens only become fewer.
    """
    each = terms.lovelace_per_payout + terms.keeper_fee_per_payout
    promise = len(terms.allocations) * each
    if terms.token.is_ada:
        promise += sum(allocation.token_amount for allocation in terms.allocations)
    return Locked(promise, least_state(terms, around, stake))


def seed_for(terms: Distribution, coins: Sequence[Coin]) -> Coin:
    """The coin to seed a distribution with: it is spent anyway, as it holds most of the token, or most ada.

    `coins` are those that may be spent, see `coins.usable`. Raises FundsMissing where there is none.
    """
    token = (terms.token.policy_id, terms.token.asset_name)
    if not terms.token.is_ada:
        holding = [coin for coin in coins if held(coin).get(token, 0) > 0]
        if holding:
            return min(holding, key=lambda coin: (len(coin.output.assets), -held(coin)[token], coin.reference))
    plain = [coin for coin in coins if not coin.output.assets]
    if not plain:
        raise FundsMissing("there is no coin without tokens to seed the distribution with")
    return min(plain, key=lambda coin: (-coin.output.lovelace, coin.reference))
