"""What commands that spend reach by the configuration: the node, the contracts, the outputs that people name."""

from indexer import errors
from indexer.chain.block import OutputReference
from indexer.chain.coin import Coin
from indexer.chain.point import slot_of
from indexer.cli import refusals
from indexer.config import Config, ContractSection
from indexer.edge import blueprints, ogmios
from indexer.edge.node import node
from indexer.plutus.blueprint import Blueprint
from indexer.store import checkpoints, contracts, releases
from indexer.store.db import opened_for_reading
from indexer.workers.sending import Connect, Search, check_network


def connector(config: Config) -> Connect:
    """How to reach the node. Raises FileUnusable or ConfigInvalid for the headers file."""
    headers = ogmios.read_headers(config.ogmios.headers_file)
    return lambda: node(config.ogmios.url, headers, config.ogmios.timeout_s)


def contract_of(config: Config, script_hash: bytes | None = None) -> Blueprint:
    """The contract with this script hash; None: the one that creates. Raises NoContract, and what blueprints raise."""
    found = blueprints.read(section.blueprint for section in config.contract)
    for contract in found:
        if script_hash in (None, contract.hash):
            return contract
    if not found:
        raise refusals.NoContract("the configuration names no contract")
    assert script_hash is not None
    raise refusals.NoContract(f"the configuration names no contract {script_hash.hex()}")


async def search(config: Config, contract: Blueprint) -> Search:
    """Where the contract's script may be found."""
    section = next(each for each in config.contract if blueprints.read([each.blueprint])[0].hash == contract.hash)
    try:
        async with opened_for_reading(config.database.path) as db:
            followed = await contracts.published(db, contract.hash)
    except errors.NoDatabase:
        followed = ()
    return Search(named_reference(section), followed)


async def kept_for_releases(config: Config) -> frozenset[OutputReference]:
    """Coins that transactions of the keeper spend or stake, as long as these may be in a block yet."""
    try:
        async with opened_for_reading(config.database.path) as db:
            cursor = max(0, slot_of((await checkpoints.read(db)).cursor.place))
            signed = await releases.splits(db, cursor)
            signed += [each for release in await releases.unsettled(db) for each in release.transactions]
    except errors.NoDatabase:
        return frozenset()
    return frozenset(at for each in signed for at in each.named)


def named_reference(section: ContractSection) -> OutputReference | None:
    """The output that the configuration names."""
    return None if section.reference is None else reference_of(section.reference)


def reference_of(text: str) -> OutputReference:
    """An output reference as people write it. Raises ReferenceUnreadable."""
    transaction_id, _, index = text.partition("#")
    try:
        found = OutputReference(bytes.fromhex(transaction_id), int(index))
    except ValueError:
        found = OutputReference(b"", 0)
    if len(found.transaction_id) != 32 or not index.isascii() or not index.isdigit() or found.index > 0xFFFF:
        raise refusals.ReferenceUnreadable(f"{text!a} is no output: 64 hex digits, # and a number are expected")
    return found


async def output_at(config: Config, reference: OutputReference) -> Coin:
    """An unspent output, as the node tells it. Raises WrongNetwork, OutputNotThere, and what `Node` raises."""
    async with connector(config)() as there:
        await check_network(there, config.chain)
        found = await there.utxo([reference])
    if not found:
        raise refusals.OutputNotThere(f"{reference} is not unspent")
    return found[0]
