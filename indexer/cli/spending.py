"""What all commands that spend do: look, build, show, ask, sign, check, write down, send, wait."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import typer

from indexer.chain.block import OutputReference
from indexer.chain.network import Network
from indexer.chain.time import iso, slot_to_ms
from indexer.cli import refusals
from indexer.cli.outputs import Output
from indexer.cli.reaching import connector, kept_for_releases, search
from indexer.cli.told import ada, confirm
from indexer.config import Config
from indexer.edge.builder.build import Built, build
from indexer.edge.builder.check import check
from indexer.edge.builder.errors import SignatureMissing
from indexer.edge.builder.intents import Intent, Purse, Surroundings
from indexer.edge.builder.signing import complete, sign
from indexer.edge.envelopes import UNSIGNED, write_transaction
from indexer.edge.keys import Key, read_key
from indexer.edge.node import Node
from indexer.plutus.address import address_bytes, parse_shelley
from indexer.plutus.blueprint import Blueprint
from indexer.plutus.ledger import Address, VerificationKey
from indexer.workers.sending import Search, look, text_of
from indexer.workers.sent import Sent, deliver


@dataclass(frozen=True)
class Means:
    """Who pays: `address` in bytes, None where nobody is named. Then how far to go."""

    keys: tuple[Key, ...]
    address: bytes | None
    yes: bool
    dry_run: bool
    out: Path | None
    as_json: bool

    @property
    def payer(self) -> bytes:
        """The address that pays. Raises PayerMissing."""
        if self.address is None:
            raise refusals.PayerMissing("nobody is named who pays")
        return self.address


class Transaction(Output):
    """A transaction that was built. `cost`: lovelace that leave the payer's wallet, the fee among them; negative where
    it gains. `signers`: hashes of the keys that sign. `file`: where the unsigned transaction was written."""

    transaction_id: str
    state: Literal["in_block", "unsigned", "dry_run"]
    fee: int
    cost: int
    size: int
    memory: int
    steps: int
    valid_until: str
    payer: str
    signers: tuple[str, ...]
    file: str | None

    def lines(self) -> list[str]:
        """In words."""
        told = f"transaction   {self.transaction_id}"
        match self.state:
            case "in_block":
                return [f"{told}, in a block"]
            case "dry_run":
                return [f"{told}, not sent: a dry run"]
            case "unsigned":
                return [
                    f"{told}, not sent: unsigned in {self.file}",
                    f"to be signed  by {', '.join(self.signers)}, before {self.valid_until}",
                    f"then          indexer submit {self.file} --witness FILE (one of each signer)",
                ]


@dataclass(frozen=True)
class Desk:
    """What an intent is made from: the node to ask, what the chain says, and the payer's coins."""

    node: Node
    around: Surroundings
    purse: Purse


def say(text: str) -> None:
    """Progress, for whoever watches."""
    typer.echo(text, err=True)


def means_of(
    config: Config,
    signing_keys: tuple[Path, ...],
    address: str | None,
    *,
    yes: bool,
    dry_run: bool,
    out: Path | None,
    as_json: bool,
) -> Means:
    """Who pays, from the command line.

    Raises PayerUnusable, and what `read_key` raises.
    """
    keys = tuple(read_key(path) for path in signing_keys)
    raw = None
    if address is not None:
        raw = _address(address, config.chain, keys, unsigned=out is not None or dry_run)
    elif keys:
        raw = address_bytes(Address(VerificationKey(keys[0].hash), None), config.chain.id)
    return Means(keys, raw, yes, dry_run, out, as_json)


def _address(text: str, network: Network, keys: tuple[Key, ...], *, unsigned: bool) -> bytes:
    try:
        address, network_id = parse_shelley(text)
        raw = address_bytes(address, network_id)
    except ValueError as error:
        raise refusals.PayerUnusable(f"--address {text!a}: {error}") from error
    if network_id != network.id:
        raise refusals.PayerUnusable(f"--address {text} is not an address of {network.name}")
    if not isinstance(address.payment_credential, VerificationKey):
        raise refusals.PayerUnusable(f"--address {text} is a script's: a key has to sign")
    if not unsigned and address.payment_credential.hash not in [key.hash for key in keys]:
        raise refusals.PayerUnusable(
            f"--address {text} belongs to key {address.payment_credential.hash.hex()}, and no --signing-key is that"
        )
    return raw


async def prepare(
    config: Config,
    means: Means,
    contract: Blueprint,
    wanted: str,
    make: Callable[[Desk], Awaitable[Intent]],
    *,
    again: bool = False,
    runs_scripts: bool = True,
) -> Built:
    """The unsigned transaction for what `make` intends. `wanted` names the purpose (`workers.sent.purpose`).

    Where no script runs, it does not matter whether the script is published.

    Raises what `look`, `Sent.refuse_twice`, `make` and `build` raise.
    """
    connect = connector(config)
    await Sent(config.data.directory).refuse_twice(connect, wanted, again=again)
    say(f"looking at the chain, and for coins at {text_of(means.payer)}")
    where = await search(config, contract) if runs_scripts else Search(None, ())
    async with connect() as there:
        around, purse = await look(there, config.chain, contract, where, means.payer)
        assert purse is not None
        purse = _less(purse, await kept_for_releases(config))
        intent = await make(Desk(there, around, purse))
        built = await build(intent, around, purse, there.evaluate)
    if built.reference is None and built.collateral is not None:
        say("no output with the contract's script is known: the transaction carries it, which costs a higher fee")
    return built


def _less(purse: Purse, kept: frozenset[OutputReference]) -> Purse:
    """The purse without the coins that are kept."""
    left = tuple(coin for coin in purse.coins if coin.reference not in kept)
    if less := len(purse.coins) - len(left):
        say(f"{less} coin{'s are' if less > 1 else ' is'} left alone: releases under way use them")
    return replace(purse, coins=left)


def conclude(config: Config, means: Means, built: Built, wanted: str, title: str) -> Transaction:
    """Show it, ask, sign, check, write it down, send it, and wait for the block; or as far as is wanted.

    Raises NotConfirmed, SignatureMissing, and what `Delivery.run` raises.
    """
    check(
        built.transaction,
        built.intent,
        built.around,
        built.purse,
        built.resolved,
        signatures_to_come=len(built.signers),
    )
    if not means.as_json:
        typer.echo(_shown(built, title))
    if means.dry_run:
        return _told(built, "dry_run")
    if means.out is not None:
        write_transaction(means.out, built.transaction, UNSIGNED, title)
        return _told(built, "unsigned", means.out)
    hands = {key.hash: key for key in means.keys}
    if lacking := [signer for signer in built.signers if signer not in hands]:
        raise SignatureMissing(f"signatures are missing of {', '.join(each.hex() for each in lacking)}")
    confirm("\nSign and send this?", "nothing was sent", go_ahead=means.yes, may_ask=not means.as_json)
    signed = complete(
        built.transaction, [sign(built.transaction, hands[each]) for each in built.signers], built.signers
    )
    check(signed, built.intent, built.around, built.purse, built.resolved)
    path = Sent(config.data.directory).keep(wanted, signed)
    asyncio.run(deliver(connector(config), signed, path, say))
    return _told(built, "in_block")


def _shown(built: Built, title: str) -> str:
    cost = f"costs the payer {ada(built.loss)} ada, the fee of {ada(built.fee)} ada among it"
    if built.loss < 0:
        cost = f"brings the payer {ada(-built.loss)} ada, after the fee of {ada(built.fee)} ada"
    scripts = "no script runs"
    if built.units.steps:
        scripts = f"scripts use {built.units.memory:,} memory, {built.units.steps:,} steps"
    return "\n".join(
        (
            title,
            f"  {cost}",
            f"  payer     {text_of(built.purse.address)}",
            f"  signed by {', '.join(each.hex() for each in built.signers)}",
            f"  {built.size:,} bytes; {scripts}",
            f"  valid until {_until(built)}",
            "",
        )
    )


def _told(built: Built, state: Literal["in_block", "unsigned", "dry_run"], out: Path | None = None) -> Transaction:
    return Transaction(
        transaction_id=built.id.hex(),
        state=state,
        fee=built.fee,
        cost=built.loss,
        size=built.size,
        memory=built.units.memory,
        steps=built.units.steps,
        valid_until=_until(built),
        payer=text_of(built.purse.address),
        signers=tuple(each.hex() for each in built.signers),
        file=None if out is None else str(out),
    )


def _until(built: Built) -> str:
    return iso(slot_to_ms(built.around.timeline.eras, built.upper))
