"""What `deploy` does: publish the contract's script, for transactions to refer to, and take its deposit back."""

import asyncio

from indexer import errors
from indexer.chain.block import OutputReference
from indexer.chain.coin import Coin
from indexer.cli.outputs import Output
from indexer.cli.reaching import contract_of, named_reference, output_at, reference_of, search
from indexer.cli.spending import Desk, Means, Transaction, conclude, prepare, say
from indexer.cli.told import ada
from indexer.config import Config
from indexer.edge import blueprints
from indexer.edge.builder.intents import Deploy, TakeBack
from indexer.plutus.blueprint import Blueprint
from indexer.workers.sent import purpose


class ScriptPublished(errors.IndexerError):
    """A usable output with the contract's script is known already."""

    code = "contract.already_published"
    hint = "put it into [[contract]] reference; --again publishes another one"


class NoScriptThere(errors.IndexerError):
    """An output does not carry the script of a contract of the configuration."""

    code = "contract.no_script_there"
    hint = "give the output that `indexer deploy` printed; [[contract]] names the contracts"


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
        back = "for ever" if self.forever else f"back with: indexer deploy --take-back {self.reference}"
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


class TakenBack(Output):
    """An output with the contract's script that was spent. `deposit`: lovelace that were in it. `configured`: whether
    [[contract]] reference still names it."""

    contract: str
    reference: str
    deposit: int
    configured: bool
    transaction: Transaction

    def told(self) -> str:
        """In words."""
        verb = "came back" if self.transaction.state == "in_block" else "would come back"
        return "\n".join((*self.transaction.lines(), f"{verb:<13} {ada(self.deposit)} ada, out of {self.reference}"))


def take_back(config: Config, means: Means, text: str) -> TakenBack:
    """The deposit of a published script. Raises ReferenceUnreadable, OutputNotThere, NoScriptThere, NotPossible, and
    what `prepare` and `conclude` raise."""
    reference = reference_of(text)
    coin = asyncio.run(output_at(config, reference))
    contracts = blueprints.read(section.blueprint for section in config.contract)
    carried = None if coin.output.script is None else coin.output.script.hash
    contract = next((each for each in contracts if each.hash == carried), None)
    if contract is None:
        told = "no script" if coin.output.script is None else "another script"
        raise NoScriptThere(f"{reference} carries {told}, and not that of a contract of the configuration")
    wanted = purpose("takeback", reference.transaction_id, reference.index.to_bytes(2, "big"))

    async def make(_: Desk) -> TakeBack:
        return TakeBack(coin)

    # Done before, the output is not there: that says it better.
    built = asyncio.run(prepare(config, means, contract, wanted, make, again=True, runs_scripts=False))
    configured = reference in [named_reference(section) for section in config.contract]
    say(f"warning: {_afterwards(configured=configured)}")
    title = f"Take back {ada(coin.output.lovelace)} ada out of {reference},\n  with the script {contract.hash.hex()}"
    made = conclude(config, means, built, wanted, title)
    return TakenBack(
        contract=contract.hash.hex(),
        reference=str(reference),
        deposit=coin.output.lovelace,
        configured=configured,
        transaction=made,
    )


def _afterwards(*, configured: bool) -> str:
    """What becomes of those who refer to it."""
    if configured:
        return (
            "[[contract]] reference names this output: commands that need the script refuse to go on until it names "
            "another one (`indexer deploy` publishes it anew), or none"
        )
    return "whoever's [[contract]] reference names this output needs another one: `indexer deploy` publishes it anew"


async def _usable(config: Config, contract: Blueprint, desk: Desk) -> Coin | None:
    """An unspent output with the script, wherever it may be found."""
    found = await search(config, contract)
    known: list[OutputReference] = [*found.followed, *([found.named] if found.named is not None else [])]
    coins = [*(await desk.node.utxo(known) if known else []), *desk.purse.coins]
    return next(
        (coin for coin in coins if coin.output.script is not None and coin.output.script.hash == contract.hash), None
    )
