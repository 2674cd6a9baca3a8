"""The ledger's state: outputs, accounts and pots; transactions change it, and what they did can be undone."""

from collections import ChainMap
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from indexer.chain.block import OutputReference
from indexer.chain.point import Slot
from indexer.devnet.ledger import judge, phase2
from indexer.devnet.ledger.addresses import stake_credential
from indexer.devnet.ledger.balance import deposits, refunds
from indexer.devnet.ledger.parameters import Parameters
from indexer.devnet.ledger.refusal import Refused
from indexer.devnet.ledger.rules_ledger import registered
from indexer.devnet.ledger.sentences import refusal
from indexer.devnet.ledger.setting import Account, Setting
from indexer.devnet.ledger.shown import shown_references
from indexer.devnet.ledger.timeline import Timeline
from indexer.devnet.ledger.transaction import Credential, Output, Transaction

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Pots:
    """Lovelace that lies in no output: with outputs and rewards it always comes to the same."""

    fees: int = 0
    deposits: int = 0
    donations: int = 0  # on their way to the treasury, where nothing takes them: a devnet has no epochs

    def __add__(self, other: "Pots") -> "Pots":
        return Pots(self.fees + other.fees, self.deposits + other.deposits, self.donations + other.donations)


@dataclass(frozen=True, slots=True)
class Undo:
    """What a transaction took and changed."""

    spent: Mapping[OutputReference, Output]
    created: tuple[OutputReference, ...]
    accounts: Mapping[Credential, Account | None]  # as they were
    pots: Pots
    slot: Slot


class Ledger:
    """Outputs and accounts under some parameters.

    `network_id` is 1 for mainnet, 0 for test networks; `timeline` tells scripts the time of slots. `utxo` and
    `accounts` may be read as they are; only `apply` and `undo` change them. Not for several threads.
    """

    def __init__(
        self,
        parameters: Parameters,
        network_id: int,
        utxo: Mapping[OutputReference, Output],
        *,
        accounts: Mapping[Credential, Account] | None = None,
        timeline: Timeline | None = None,
        treasury: int = 0,
    ) -> None:
        self.parameters = parameters
        self.network_id = network_id
        self.timeline = timeline or Timeline()
        self.treasury = treasury
        self.pots = Pots(deposits=sum(account.deposit for account in (accounts or {}).values()))
        self.slot: Slot = 0  # of the last transaction applied
        self._utxo: MutableMapping[OutputReference, Output] = dict(utxo)
        self._accounts: MutableMapping[Credential, Account] = dict(accounts or {})
        self._parent: Ledger | None = None

    @property
    def utxo(self) -> Mapping[OutputReference, Output]:
        """Outputs that nobody has spent."""
        return self._utxo

    @property
    def accounts(self) -> Mapping[Credential, Account]:
        """Registered stake credentials."""
        return self._accounts

    def check(self, tx: Transaction, slot: Slot) -> None:
        """Raises Refused where a node at this slot would not take a transaction into its mempool."""
        judge.judge(self.setting(tx, slot, self.utxo))

    def evaluate(self, tx: Transaction, additional: Mapping[OutputReference, Output]) -> list[dict[str, Any]]:
        """The units that a transaction's scripts use, as Ogmios' `evaluateTransaction` answers, on these outputs and
        additional ones. Raises Refused: 3002 where additional ones are others than ours, 3004, 3010."""
        named = {*tx.inputs, *tx.collaterals, *tx.references}
        both = {reference for reference in named if reference in additional and reference in self._utxo}
        if not all(_alike(additional[reference], self._utxo[reference]) for reference in both):
            raise Refused(refusal(3002, {"overlappingOutputReferences": shown_references(both)}))
        return phase2.evaluate(self.setting(tx, self.slot, ChainMap(dict(additional), self._utxo)))

    def setting(self, tx: Transaction, slot: Slot, utxo: Mapping[OutputReference, Output]) -> Setting:
        """A transaction as the rules see it."""
        return Setting(
            tx, utxo, self.accounts, self.parameters, slot, self.network_id, self.timeline, treasury=self.treasury
        )

    def apply(self, tx: Transaction, slot: Slot) -> Undo:
        """Let a transaction happen. It has to be one that `check` accepted. KeyError: it spends what is not there."""
        spent = {reference: self._utxo[reference] for reference in tx.spends}
        before, pots = self.pots, self._flows(tx, slot)
        changed = dict(self._changes(tx)) if tx.is_valid else {}
        undo = Undo(
            spent,
            tuple(created(tx)),
            {credential: self._accounts.get(credential) for credential in changed},
            before,
            self.slot,
        )
        for reference in spent:
            del self._utxo[reference]
        self._utxo.update(created(tx))
        self._set(changed)
        self.pots, self.slot = before + pots, max(slot, self.slot)
        return undo

    def undo(self, undo: Undo) -> None:
        """Everything is as it was before the transaction; it has to be the last one that was not undone."""
        for reference in undo.created:
            del self._utxo[reference]
        self._utxo.update(undo.spent)
        self._set(undo.accounts)
        self.pots, self.slot = undo.pots, undo.slot

    def child(self) -> "Ledger":
        """A ledger on top of this one: what happens there does not happen here. It costs nothing to make; it must not
        be used any more once this one changes."""
        return self._like(Layer(self._utxo), Layer(self._accounts))

    def copy(self) -> "Ledger":
        """The same ledger again, on its own."""
        return self._like(dict(self._utxo), dict(self._accounts))

    def _like(
        self, utxo: MutableMapping[OutputReference, Output], accounts: MutableMapping[Credential, Account]
    ) -> "Ledger":
        other = Ledger(self.parameters, self.network_id, {}, timeline=self.timeline, treasury=self.treasury)
        other._utxo, other._accounts = utxo, accounts
        other.pots, other.slot = self.pots, self.slot
        return other

    def _flows(self, tx: Transaction, slot: Slot) -> Pots:
        """What a transaction puts into the pots."""
        setting = self.setting(tx, slot, self.utxo)
        if not tx.is_valid:
            return Pots(fees=setting.collateral_balance)
        return Pots(tx.fee, deposits(setting) - refunds(setting), tx.donation)

    def _changes(self, tx: Transaction) -> Iterator[tuple[Credential, Account | None]]:
        """The accounts that a transaction changes, as it leaves them: first withdrawals, then certificates."""
        accounts: MutableMapping[Credential, Account] = Layer(self._accounts)
        changed = dict.fromkeys(map(stake_credential, tx.withdrawals))
        for credential in changed:
            accounts[credential] = Account(accounts[credential].deposit, 0, accounts[credential].vote)
        for certificate in tx.certificates:
            credential, account = registered(accounts, certificate, self.parameters.key_deposit)
            changed[credential] = None
            if account is None:
                del accounts[credential]
            else:
                accounts[credential] = account
        for credential in changed:
            yield credential, accounts.get(credential)

    def _set(self, accounts: Mapping[Credential, Account | None]) -> None:
        for credential, account in accounts.items():
            if account is None:
                self._accounts.pop(credential, None)
            else:
                self._accounts[credential] = account


def created(tx: Transaction) -> dict[OutputReference, Output]:
    """What a transaction makes: its outputs, or the return of its collateral, whose index comes after theirs."""
    if tx.is_valid:
        return {OutputReference(tx.id, index): output for index, output in enumerate(tx.outputs)}
    returned = tx.collateral_return
    return {} if returned is None else {OutputReference(tx.id, len(tx.outputs)): returned}


def _alike(one: Output, other: Output) -> bool:
    """Whether two outputs say the same, however they are written."""
    return replace(one, raw=other.raw, value_size=other.value_size) == other


class Layer(MutableMapping[K, V], Generic[K, V]):
    """A mapping on top of another, which it leaves alone."""

    def __init__(self, below: Mapping[K, V]) -> None:
        self._below = below
        self._own: dict[K, V] = {}
        self._gone: set[K] = set()

    def __getitem__(self, key: K) -> V:
        if key in self._own:
            return self._own[key]
        if key in self._gone:
            raise KeyError(key)
        return self._below[key]

    def __setitem__(self, key: K, value: V) -> None:
        self._own[key] = value
        self._gone.discard(key)

    def __delitem__(self, key: K) -> None:
        if key not in self:
            raise KeyError(key)
        self._own.pop(key, None)
        if key in self._below:
            self._gone.add(key)

    def __contains__(self, key: object) -> bool:
        return key in self._own or (key not in self._gone and key in self._below)

    def __iter__(self) -> Iterator[K]:
        yield from (key for key in self._below if key not in self._own and key not in self._gone)
        yield from self._own

    def __len__(self) -> int:
        return len(self._below) - len(self._gone) + sum(key not in self._below for key in self._own)
