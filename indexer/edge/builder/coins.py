"""Which coins pay, and what is staked for scripts. The same coins always make the same choice."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from indexer.chain.address import CredentialKind, payment_credential
from indexer.chain.block import OutputReference
from indexer.chain.coin import Coin
from indexer.chain.parameters import Parameters
from indexer.edge.builder.errors import CollateralMissing, FundsMissing, TokensMissing
from indexer.edge.builder.intents import Asset, Plan, Planned, Purse
from indexer.edge.builder.written import held, least_lovelace


def usable(purse: Purse) -> list[Coin]:
    """The coins of the purse that may be spent: of its key, without script or datum, and not kept as collateral.

    Those with tokens are among them.
    """
    kept = None if purse.collateral is None else purse.collateral.reference
    return [coin for coin in purse.coins if coin.reference != kept and _ordinary(coin, purse)]


def _ordinary(coin: Coin, purse: Purse) -> bool:
    if coin.output.script is not None or coin.script_size or coin.output.datum_hash is not None:
        return False
    owner = payment_credential(coin.output.address)
    return owner is not None and owner.kind is CredentialKind.KEY and owner.hash == purse.key_hash


class Rest:
    """What is left over of the inputs of a plan, coin by coin, when its outputs and the fee are paid."""

    def __init__(self, plan: Plan, policy: bytes, inputs: Iterable[Coin], fee: int) -> None:
        self.lovelace = -fee - sum(output.lovelace for output in plan.outputs)
        self.assets = Counter[Asset]()
        for name, quantity in plan.mint:
            self.assets[policy, name] += quantity
        for output in plan.outputs:
            self.assets.subtract(output.assets)
        for coin in inputs:
            self.add(coin)

    def add(self, coin: Coin) -> None:
        """One coin more is spent."""
        self.lovelace += coin.output.lovelace
        self.assets.update(held(coin))

    def change(self, address: bytes, parameters: Parameters, *, apart: bool) -> tuple[Planned, ...]:
        """The outputs that take it: tokens in one of their own, for coins with tokens are left alone later; ada in
        another, where there is enough for both, and they are to be `apart`. Nothing where nothing is left; the last
        may hold too little."""
        left = {asset: quantity for asset, quantity in self.assets.items() if quantity}
        if not left:
            return (Planned(address, self.lovelace, {}),) if self.lovelace else ()
        tokens, ada = Planned(address, 0, left), Planned(address, 0, {})
        least = least_lovelace(tokens, parameters)
        if not apart or self.lovelace - least < least_lovelace(ada, parameters):
            return (replace(tokens, lovelace=self.lovelace),)
        return replace(tokens, lovelace=least), replace(ada, lovelace=self.lovelace - least)

    def missing(self, address: bytes, parameters: Parameters) -> int:
        """Lovelace that the change lacks; 0 where there is enough, or nothing at all."""
        change = self.change(address, parameters, apart=False)
        short = [least_lovelace(each, parameters) - each.lovelace for each in change]
        return max(0, *short) if short else 0


def pay(
    plan: Plan, policy: bytes, inputs: Sequence[Coin], fee: int, purse: Purse, parameters: Parameters, *, apart: bool
) -> tuple[list[Coin], tuple[Planned, ...]]:
    """More inputs until all is paid, and the change, tokens and ada `apart` if there is enough for that. `inputs`, the
    plan's and those chosen before, all stay.

    Tokens come from the coins that hold the fewest others, ada from coins of ada alone: the smallest that suffices, or
    the largest first. Raises TokensMissing, FundsMissing.
    """
    chosen = list(inputs)
    taken = {coin.reference for coin in chosen}
    spare = [coin for coin in usable(purse) if coin.reference not in taken]
    rest = Rest(plan, policy, chosen, fee)
    for asset in sorted(asset for asset, quantity in rest.assets.items() if quantity < 0):
        holding = [coin for coin in spare if held(coin).get(asset, 0) > 0]
        holding.sort(key=lambda coin: (len(coin.output.assets), -held(coin)[asset], coin.reference))
        for coin in holding:
            if rest.assets[asset] < 0:
                _take(coin, chosen, spare, rest)
        if rest.assets[asset] < 0:
            raise TokensMissing(
                f"{-rest.assets[asset]} of the token {asset[0].hex()}.{asset[1].hex()} are missing",
            )
    while missing := rest.missing(purse.address, parameters):
        plain = [coin for coin in spare if not coin.output.assets]
        if not plain:
            raise FundsMissing(_told(missing, chosen, purse))
        enough = [coin for coin in plain if coin.output.lovelace >= missing]
        if enough:
            _take(min(enough, key=_by_size), chosen, spare, rest)
        else:
            _take(max(plain, key=lambda coin: (coin.output.lovelace, coin.reference)), chosen, spare, rest)
    return chosen, rest.change(purse.address, parameters, apart=apart)


def _take(coin: Coin, chosen: list[Coin], spare: list[Coin], rest: Rest) -> None:
    chosen.append(coin)
    spare.remove(coin)
    rest.add(coin)


def _by_size(coin: Coin) -> tuple[int, OutputReference]:
    return coin.output.lovelace, coin.reference


def _told(missing: int, chosen: Collection[Coin], purse: Purse) -> str:
    """What there is, and what is left alone."""
    may = usable(purse)
    plain = sum(coin.output.lovelace for coin in may if not coin.output.assets)
    tokens = [coin for coin in may if coin.output.assets and coin not in chosen]
    others = [coin for coin in purse.coins if coin not in may]
    told = f"{missing} lovelace are missing: the wallet may spend {plain} lovelace in coins of ada alone"
    if tokens:
        told += f"; {sum(coin.output.lovelace for coin in tokens)} more lie in {len(tokens)} coins with tokens"
    if others:
        told += f"; {len(others)} coins are left alone (collateral, scripts, datums, or another key)"
    return told


def stake(purse: Purse, inputs: Sequence[Coin], fee: int, parameters: Parameters) -> tuple[Coin, Planned | None]:
    """The coin that is staked for scripts, and what returns of it.

    The one that the purse keeps; else the smallest that is not spent and suffices, else one that is spent, for these
    may be the same. Raises CollateralMissing.
    """
    due = parameters.minimum_collateral(fee)
    if purse.collateral is not None:
        candidates = [[purse.collateral]]
    else:
        spent = {coin.reference for coin in inputs}
        may = usable(purse)
        candidates = [
            [coin for coin in may if coin.reference not in spent],
            [coin for coin in may if coin.reference in spent],
        ]
    for coins in candidates:
        plain = [coin for coin in coins if not coin.output.assets and _ordinary(coin, purse)]
        for coin in sorted(plain, key=_by_size):
            if coin.output.lovelace >= due:
                returned = Planned(purse.address, coin.output.lovelace - due, {})
                if returned.lovelace >= least_lovelace(returned, parameters):
                    return coin, returned
    # A coin that leaves too little to return is staked whole.
    whole = [coin for coins in candidates for coin in coins if coin.output.lovelace >= due]
    whole = [coin for coin in whole if not coin.output.assets and _ordinary(coin, purse)]
    if whole:
        return min(whole, key=_by_size), None
    raise CollateralMissing(f"no coin of ada alone has the {due} lovelace that have to be staked for scripts")
