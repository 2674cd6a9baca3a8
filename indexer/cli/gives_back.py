"""What `withdraw-attestation` and `reclaim` do: deposits and rests go back to whom they belong."""

import asyncio

from indexer.chain.address import CredentialKind, payment_credential
from indexer.chain.block import OutputReference
from indexer.chain.coin import Coin
from indexer.cli import find, refusals
from indexer.cli.outputs import Output
from indexer.cli.reaching import contract_of, output_at, reference_of
from indexer.cli.spending import Desk, Means, Transaction, conclude, prepare
from indexer.cli.tokens import Tokens, Worded
from indexer.cli.told import ada
from indexer.config import Config
from indexer.domain.life import Life
from indexer.edge.builder.intents import Intent, Reclaim, Withdraw
from indexer.plutus.blueprint import Blueprint
from indexer.workers.sent import purpose


class Asset(Output):
    """An amount of a token, in its smallest unit."""

    policy: str
    name: str
    amount: int


class GaveBack(Worded):
    """An output at the contract that went back to whom it belongs: what it held beside its state token.

    `distribution_id` is null for a stray output and for an attestation.
    """

    reference: str
    distribution_id: str | None
    lovelace: int
    assets: tuple[Asset, ...]
    transaction: Transaction

    def words(self, tokens: Tokens) -> str:
        """For people."""
        held = [tokens.amount(one.policy, one.name, one.amount) for one in self.assets]
        verb = "came back" if self.transaction.state == "in_block" else "would come back"
        told = f"{verb:<13} {', '.join([f'{ada(self.lovelace)} ada', *held])}, out of {self.reference}"
        return "\n".join((*self.transaction.lines(), told))


def withdraw(config: Config, means: Means, text: str) -> GaveBack:
    """An attestation's deposit. Raises ReferenceUnreadable, OutputNotThere, NotAtContract, NotPossible, and what
    `prepare` and `conclude` raise."""
    reference = reference_of(text)
    contract = asyncio.run(_contract_at(config, reference))
    return _give_back(config, means, contract, reference, None)


def reclaim(config: Config, means: Means, text: str) -> GaveBack:
    """What is left of a distribution, by its id; or an output, by its reference: a stray, or a distribution's.

    Raises what `withdraw` raises; DistributionUnknown, DistributionAmbiguous, DistributionEnded; NotDue.
    """
    if "#" in text:
        reference = reference_of(text)
        contract = asyncio.run(_contract_at(config, reference))
        return _give_back(config, means, contract, reference, None, reclaims=True)
    life = asyncio.run(_life(config, text))
    assert life.origin is not None
    assert life.reference is not None
    if life.end is not None:
        raise refusals.DistributionEnded(
            f"distribution {life.id.hex()} was ended by transaction {life.end.transaction_id.hex()}"
        )
    return _give_back(config, means, contract_of(config, life.origin.policy), life.reference, life.id, reclaims=True)


async def _life(config: Config, text: str) -> Life:
    async with find.moment(config.database.path) as db:
        return await find.life_of(db, text)


async def _contract_at(config: Config, reference: OutputReference) -> Blueprint:
    """The contract that an output lies at."""
    coin = await output_at(config, reference)
    owner = payment_credential(coin.output.address)
    if owner is None or owner.kind is not CredentialKind.SCRIPT:
        raise refusals.NotAtContract(f"{reference} lies at {coin.output.address}, which is no contract's")
    return contract_of(config, owner.hash)


def _there(coins: list[Coin], reference: OutputReference) -> list[Coin]:
    if not coins:
        raise refusals.OutputNotThere(f"{reference} is not unspent")
    return coins


def _give_back(
    config: Config,
    means: Means,
    contract: Blueprint,
    reference: OutputReference,
    distribution_id: bytes | None,
    *,
    reclaims: bool = False,
) -> GaveBack:
    wanted = purpose(
        "reclaim" if reclaims else "withdraw", reference.transaction_id, reference.index.to_bytes(2, "big")
    )
    coins: list[Coin] = []

    async def make(desk: Desk) -> Intent:
        coins[:] = _there(await desk.node.utxo([reference]), reference)
        return Reclaim(coins[0]) if reclaims else Withdraw(coins[0])

    # Done before, the output is not there: that says it better.
    built = asyncio.run(prepare(config, means, contract, wanted, make, again=True))
    output = coins[0].output
    tokens = tuple(
        Asset(policy=policy.hex(), name=name.hex(), amount=quantity)
        for policy, name, quantity in output.assets
        if policy != contract.policy_id  # which is burnt
    )
    title = f"Take back {ada(output.lovelace)} ada{', with tokens,' if tokens else ''} out of {reference}"
    made = conclude(config, means, built, wanted, title)
    return GaveBack(
        reference=str(reference),
        distribution_id=None if distribution_id is None else distribution_id.hex(),
        lovelace=output.lovelace,
        assets=tokens,
        transaction=made,
    )
