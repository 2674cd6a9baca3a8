"""What `deploy` does: publish the contract's script, for transactions to refer to."""

import asyncio

from indexer import errors
from indexer.chain.block import OutputReference
from indexer.chain.coin import Coin
from indexer.cli.outputs import Output
from indexer.cli.spending import Desk, Means, Transaction, conclude, contract_of, prepare, search
from indexer.cli.told import ada
from indexer.config import Config
from indexer.edge.builder.intents import Deploy
from indexer.plutus.blueprint import Blueprint
from indexer.workers.sent import purpose


class ScriptPublished(errors.IndexerError):
    """A usable output with the contract's script is known already."""

    code = "contract.already_published"
    hint = "put it into [[contract]] reference; --again publishes another one"


class Deployed(Output):
    """The output that holds the contract's script. `deposit`: lovelace in it, which whoever published it can have back,
    unless it lies there `forever`."""

    contract: str
    reference: str
    deposit: int
    forever: bool
    script_bytes: int
    transaction: Transaction

    def told(self) -> str:
        """In words."""
        back = "for ever" if self.forever else "which comes back when you spend it"
        return "\n".join(
            (
                *self.transaction.lines(),
                f"contract      {self.contract}, {self.script_bytes:,} bytes",
                f"deposit       {ada(self.deposit)} ada, {back}",
                "",
                "for config.toml, under [[contract]]:",
                f'reference = "{self.reference}"',
            )
        )


def deploy(config: Config, means: Means, *, forever: bool, again: bool) -> Deployed:
    """Publish it. Raises ScriptPublished, and what `prepare` and `conclude` raise."""
    contract = contract_of(config)
    wanted = purpose("deploy", contract.hash)

    async def make(desk: Desk) -> Deploy:
        if not again and (there := await _usable(config, contract, desk)) is not None:
            raise ScriptPublished(f"the script {contract.hash.hex()} lies at {there.reference}")
        return Deploy(forever)

    built = asyncio.run(prepare(config, means, contract, wanted, make, again=again, runs_scripts=False))
    title = f"Publish the script {contract.hash.hex()}{', for ever' if forever else ''}"
    made = conclude(config, means, built, wanted, title)
    return Deployed(
        contract=contract.hash.hex(),
        reference=f"{made.transaction_id}#0",
        deposit=built.outputs[0].lovelace,
        forever=forever,
        script_bytes=len(contract.script),
        transaction=made,
    )


async def _usable(config: Config, contract: Blueprint, desk: Desk) -> Coin | None:
    """An unspent output with the script, wherever it may be found."""
    found = await search(config, contract)
    known: list[OutputReference] = [*found.followed, *([found.named] if found.named is not None else [])]
    coins = [*(await desk.node.utxo(known) if known else []), *desk.purse.coins]
    return next(
        (coin for coin in coins if coin.output.script is not None and coin.output.script.hash == contract.hash), None
    )
