"""What `submit` does: add signatures to a transaction in a file, and see it into a block."""

import asyncio
from pathlib import Path

import typer

from indexer.chain.address import CredentialKind, payment_credential
from indexer.chain.coin import Coin
from indexer.cli import refusals
from indexer.cli.outputs import Output
from indexer.cli.reaching import connector
from indexer.cli.spending import say
from indexer.cli.told import ada, confirm
from indexer.config import Config
from indexer.edge.builder import reader
from indexer.edge.builder.reader import Read
from indexer.edge.builder.signing import complete, missing, sign
from indexer.edge.envelopes import read_transaction, read_witness
from indexer.edge.keys import read_key
from indexer.workers.sending import Delivery, check_network, text_of
from indexer.workers.sent import deliver


class Submitted(Output):
    """A transaction that is in a block."""

    transaction_id: str
    fee: int

    def told(self) -> str:
        """In words."""
        return f"transaction   {self.transaction_id}, in a block"


def submit(
    config: Config,
    path: Path,
    witnesses: tuple[Path, ...],
    signing_keys: tuple[Path, ...],
    *,
    yes: bool,
    as_json: bool,
) -> Submitted:
    """Send the transaction of a file with the signatures of others, unless a block has it already.

    Raises FileUnusable, EnvelopeUnusable, KeyUnusable, SignatureWrong, SignatureMissing, TransactionForeign,
    NotConfirmed, and what `Delivery.run` raises.
    """
    transaction = read_transaction(path)
    try:
        found = reader.read(transaction)
    except reader.Unreadable as error:
        raise refusals.TransactionForeign(f"{path} holds no transaction that this version makes: {error}") from error
    given = [read_witness(each) for each in witnesses]
    given += [sign(transaction, read_key(each)) for each in signing_keys]
    say("looking at the chain")
    done, coins = asyncio.run(_look(config, transaction))
    told = Submitted(transaction_id=found.id.hex(), fee=found.fee)
    if done:
        return told
    needed = sorted({*found.required_signers, *map(_owner, coins)} - {b""})
    signed = complete(transaction, given, needed)
    if missing(transaction, needed):  # what somebody signed in full, somebody has confirmed
        if not as_json:
            typer.echo(_shown(found, coins))
        confirm("\nSend this?", "nothing was sent", go_ahead=yes, may_ask=not as_json)
    asyncio.run(deliver(connector(config), signed, path, say))
    return told


async def _look(config: Config, transaction: bytes) -> tuple[bool, list[Coin]]:
    """Whether a block has it; and what it spends and stakes. Raises Expired or Superseded where none ever will."""
    found = reader.read(transaction)
    connect = connector(config)
    async with connect() as there:
        await check_network(there, config.chain)
        done = await Delivery(connect, transaction, say).is_there(there)
        return done, await there.utxo([*found.inputs, *found.collaterals])


def _owner(coin: Coin) -> bytes:
    """The key that has to sign for it; nothing where a script guards it."""
    owner = payment_credential(coin.output.address)
    return b"" if owner is None or owner.kind is not CredentialKind.KEY else owner.hash


def _shown(found: Read, coins: list[Coin]) -> str:
    """What it spends and pays."""
    by_reference = {coin.reference: coin for coin in coins}
    lines = [f"Transaction {found.id.hex()}, fee {ada(found.fee)} ada"]
    spent = [by_reference[reference].output for reference in found.inputs if reference in by_reference]
    lines += [f"  spends  {ada(one.lovelace)} ada{_with(len(one.assets))} at {one.address}" for one in spent]
    lines += [
        f"  pays    {ada(one.lovelace)} ada{_with(len(one.assets))} to {text_of(one.address)}" for one in found.outputs
    ]
    return "\n".join(lines)


def _with(tokens: int) -> str:
    return f" and {tokens} kind{'s' * (tokens != 1)} of tokens" if tokens else ""
