"""A transaction with all that decides about it. Rules read this and nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from indexer.chain.block import OutputReference
from indexer.chain.point import Slot
from indexer.devnet.ledger.addresses import stake_credential
from indexer.devnet.ledger.credentials import key_hash, spender
from indexer.devnet.ledger.parameters import Parameters, Units
from indexer.devnet.ledger.shown import withdrawal_order
from indexer.devnet.ledger.timeline import Timeline
from indexer.devnet.ledger.transaction import (
    Certificate,
    Credential,
    Deregistration,
    Language,
    Output,
    Purpose,
    Redeemer,
    Registration,
    Script,
    Transaction,
    UnknownCertificate,
    VoteDelegation,
)

# What a script is asked about: an output, a certificate, a policy or a reward address.
Item: TypeAlias = OutputReference | Certificate | bytes
Pointer: TypeAlias = tuple[Purpose, int]


@dataclass(frozen=True, slots=True)
class Account:
    """What the ledger knows of a registered stake credential. Amounts in lovelace."""

    deposit: int
    rewards: int = 0
    vote: bytes | None = None  # CBOR of the DRep to whom its vote is delegated


@dataclass(frozen=True, slots=True)
class Need:
    """A script that has to agree."""

    purpose: Purpose
    index: int
    item: Item
    hash: bytes

    @property
    def pointer(self) -> Pointer:
        """As its redeemer names it."""
        return self.purpose, self.index


@dataclass(frozen=True)
class Setting:
    """The transaction, the ledger's state that it meets, and when and where it does."""

    tx: Transaction
    utxo: Mapping[OutputReference, Output]
    accounts: Mapping[Credential, Account]
    parameters: Parameters
    slot: Slot
    network: int  # id: 1 mainnet, 0 a test network
    timeline: Timeline
    treasury: int = 0  # lovelace

    @cached_property
    def inputs(self) -> tuple[OutputReference, ...]:
        """In the ledger's order, by which redeemers number them."""
        return tuple(sorted(set(self.tx.inputs)))

    @cached_property
    def references(self) -> tuple[OutputReference, ...]:
        return tuple(sorted(set(self.tx.references)))

    @cached_property
    def collaterals(self) -> tuple[OutputReference, ...]:
        return tuple(sorted(set(self.tx.collaterals)))

    @cached_property
    def spent(self) -> dict[OutputReference, Output]:
        """What its inputs stand for, as far as they exist."""
        return self.resolved(self.inputs)

    @cached_property
    def staked(self) -> dict[OutputReference, Output]:
        """What its collaterals stand for, as far as they exist."""
        return self.resolved(self.collaterals)

    @cached_property
    def seen(self) -> dict[OutputReference, Output]:
        """What its inputs and reference inputs stand for, as far as they exist; each once."""
        return self.resolved(sorted({*self.inputs, *self.references}))

    @cached_property
    def created(self) -> tuple[Output, ...]:
        """Its outputs, whatever becomes of its scripts: the collateral return is the last."""
        tx = self.tx
        return tx.outputs if tx.collateral_return is None else (*tx.outputs, tx.collateral_return)

    @cached_property
    def signers(self) -> frozenset[bytes]:
        """The hashes of keys that signed, whether their signatures are right or not; without those of Byron's."""
        return frozenset(key_hash(witness.key) for witness in self.tx.witnesses.keys)

    @cached_property
    def withdrawals(self) -> tuple[bytes, ...]:
        """Reward addresses in the ledger's order, by which redeemers number them."""
        return tuple(sorted(self.tx.withdrawals, key=withdrawal_order))

    @cached_property
    def needs(self) -> tuple[Need, ...]:
        """The scripts that have to agree, in the ledger's order (Conway: `getConwayScriptsNeeded`)."""
        asked: list[tuple[Purpose, int, Item, Credential]] = []
        for n, reference in enumerate(self.inputs):
            if reference in self.spent:
                asked.append((Purpose.SPEND, n, reference, spender(self.spent[reference].address)))
        for n, address in enumerate(self.withdrawals):
            asked.append((Purpose.WITHDRAW, n, address, stake_credential(address)))
        for n, certificate in enumerate(self.tx.certificates):
            if (author := author_of(certificate)) is not None:
                asked.append((Purpose.PUBLISH, n, certificate, author))
        for n, policy in enumerate(sorted(self.tx.mint)):
            asked.append((Purpose.MINT, n, policy, Credential(policy, is_script=True)))
        return tuple(Need(purpose, n, item, who.hash) for purpose, n, item, who in asked if who.is_script)

    @cached_property
    def reference_scripts(self) -> dict[bytes, Script]:
        """Those that inputs and reference inputs carry, by hash."""
        return {output.script.hash: output.script for output in self.seen.values() if output.script is not None}

    @cached_property
    def reference_scripts_size(self) -> int:
        """Bytes of those: of one that several inputs carry, as often (Conway: `txNonDistinctRefScriptsSize`)."""
        return sum(len(output.script.raw) for output in self.seen.values() if output.script is not None)

    @cached_property
    def provided(self) -> dict[bytes, Script]:
        """Every script that the transaction shows, by hash."""
        return {script.hash: script for script in self.tx.witnesses.scripts} | self.reference_scripts

    @cached_property
    def plutus(self) -> tuple[tuple[Need, Script], ...]:
        """Needed scripts of phase 2, as far as they are provided."""
        pairs = ((need, self.provided.get(need.hash)) for need in self.needs)
        return tuple((n, script) for n, script in pairs if script and script.language is not Language.NATIVE)

    @cached_property
    def locks(self) -> dict[OutputReference, Language]:
        """The inputs that Plutus scripts lock, and in which language each lock is written."""
        spends = (pair for pair in self.plutus if pair[0].purpose is Purpose.SPEND)
        return {self.inputs[need.index]: script.language for need, script in spends}

    @cached_property
    def languages(self) -> frozenset[Language]:
        """In which those are written."""
        return frozenset(script.language for _, script in self.plutus)

    @cached_property
    def redeemers(self) -> dict[Pointer, Redeemer]:
        """In the ledger's order."""
        found = {(redeemer.purpose, redeemer.index): redeemer for redeemer in self.tx.witnesses.redeemers}
        return dict(sorted(found.items()))

    @cached_property
    def units(self) -> Units:
        """What all redeemers declare together."""
        return sum((Units(r.memory, r.steps) for r in self.redeemers.values()), Units(0, 0))

    @cached_property
    def collateral_balance(self) -> int:
        """Lovelace that the transaction loses where its scripts fail; less than 0 if it returns more than it stakes."""
        returned = 0 if self.tx.collateral_return is None else self.tx.collateral_return.lovelace
        return sum(output.lovelace for output in self.staked.values()) - returned

    def resolved(self, references: Iterable[OutputReference]) -> dict[OutputReference, Output]:
        """What references stand for, as far as they exist."""
        found = ((reference, self.utxo.get(reference)) for reference in references)
        return {reference: output for reference, output in found if output is not None}


def author_of(certificate: Certificate) -> Credential | None:
    """Who has to agree to a certificate. None: nobody, as to a registration that does not name its deposit."""
    match certificate:
        case Registration(_, None) | UnknownCertificate():
            return None
        case Registration(credential) | Deregistration(credential) | VoteDelegation(credential):
            return credential
