"""From a Conway transaction to what a Plutus V3 script is told of it, as far as our rules look.

Source: conway.cddl, and the ledger's translation (`Cardano.Ledger.Conway.TxInfo`). Where the ledger could not make a
context, or could not even read the transaction, `NotATransaction` is raised: unresolved inputs, Byron addresses,
repeated inputs or keys, zero quantities, an input that is also a reference input, a redeemer that points nowhere.
An empty collection is taken like an absent one, which a script cannot tell apart. Nothing else of phase 1 is checked:
not balance, fees, sizes, witnesses, networks, nor whether each script has its redeemer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, TypeAlias

from tests.contract.case import Case, milliseconds
from tests.contract.cbor import ARRAY, BYTES, INTEGER, MAP, Item, NotATransaction, distinct, read
from tests.contract.data import Constr, Data, data

Reference: TypeAlias = tuple[bytes, int]
"""Transaction id (32 bytes), output index."""

Assets: TypeAlias = dict[tuple[bytes, bytes], int]
"""(policy, name) -> quantity, without ada, never zero."""

# By the number that a redeemer's key begins with.
PURPOSES: Final = ("spend", "mint", "publish", "withdraw", "vote", "propose")

_WORD: Final = range(2**64)
_POSITIVE: Final = range(1, 2**64)
_SIGNED: Final = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Output:
    """An output. `address` is Plutus data, which leaves the network out."""

    address: Constr
    lovelace: int
    assets: Assets
    inline: Data | None
    datum_hash: bytes | None
    has_reference_script: bool

    @property
    def script(self) -> bytes | None:
        """The hash of the script that locks it, None where a key does."""
        return script_in(self.address.fields[0])


@dataclass(frozen=True)
class Input:
    """An input, and the output that it spends. `datum` is inline, or what the witnesses show for its hash."""

    reference: Reference
    output: Output
    datum: Data | None


@dataclass(frozen=True)
class Redeemer:
    """A script run: `index` counts inputs, policies and so on in the ledger's order; `script` is None at a key."""

    purpose: str
    index: int
    argument: Data
    script: bytes | None


@dataclass(frozen=True)
class Transaction:
    """The context. `lower` is the inclusive lower bound in POSIX milliseconds, None where there is none."""

    inputs: tuple[Input, ...]  # sorted by reference
    outputs: tuple[Output, ...]
    mint: Assets
    lower: int | None
    signatories: frozenset[bytes]
    withdrawals: int  # how many, those of zero included
    certificates: int
    votes: int
    proposals: int
    redeemers: tuple[Redeemer, ...]  # as written


def transaction(case: Case) -> Transaction:
    """Read a case. Raises `NotATransaction`."""
    first, second, _is_valid, _auxiliary = read(case.transaction).elements(4)
    body, witnesses = first.table(), second.table()
    resolved = distinct((_reference(read(reference)), output) for reference, output in case.resolved)
    datums = {blake2b(item.raw, digest_size=32).digest(): data(item) for item in _members(witnesses, 4)}

    inputs = tuple(_input(reference, resolved, datums) for reference in _references(body, 0))
    for reference in _references(body, 18):
        _input(reference, resolved, datums)
        if any(reference == each.reference for each in inputs):
            raise NotATransaction("an input is also a reference input")
    mint = _assets(body[9], _SIGNED) if 9 in body else {}
    withdrawals = distinct((account.octets(29), 0) for account, _ in _pairs(body, 5))
    certificates, proposals = _members(body, 4), _members(body, 20)
    voters = distinct((_voter(voter), 0) for voter, _ in _pairs(body, 19))
    scripts: dict[str, list[bytes | None]] = {
        "spend": [each.output.script for each in inputs],
        "mint": [*sorted({policy for policy, _ in mint})],
        "publish": [_script_of_certificate(each) for each in certificates],
        "withdraw": [_script_of_account(each) for each in sorted(withdrawals, key=_order_of_account)],
        "vote": [_script_of_voter(each) for each in sorted(voters, key=_order_of_voter)],
        "propose": [_script_of_proposal(each) for each in proposals],
    }
    return Transaction(
        inputs=inputs,
        outputs=tuple(_output(each) for each in body[1].elements()) if 1 in body else (),
        mint=mint,
        lower=milliseconds(body[8].integer(_WORD)) if 8 in body else None,
        signatories=frozenset(each.octets(28) for each in _members(body, 14)),
        withdrawals=len(withdrawals),
        certificates=len(certificates),
        votes=len(voters),
        proposals=len(proposals),
        redeemers=tuple(_redeemers(witnesses.get(5), scripts)),
    )


def _members(table: dict[int, Item], key: int) -> tuple[Item, ...]:
    return table[key].members() if key in table else ()


def _pairs(table: dict[int, Item], key: int) -> tuple[tuple[Item, Item], ...]:
    return table[key].pairs() if key in table else ()


# Inputs and outputs


def _references(body: dict[int, Item], key: int) -> list[Reference]:
    """A set of references, in the ledger's order."""
    return sorted(distinct((_reference(each), 0) for each in _members(body, key)))


def _reference(item: Item) -> Reference:
    identity, index = item.elements(2)
    return identity.octets(32), index.integer(range(2**16))


def _input(reference: Reference, resolved: dict[Reference, bytes], datums: dict[bytes, Data]) -> Input:
    if reference not in resolved:
        raise NotATransaction(f"not resolved: {reference[0].hex()}#{reference[1]}")
    output = _output(read(resolved[reference]))
    known = None if output.datum_hash is None else datums.get(output.datum_hash)
    return Input(reference, output, known if output.inline is None else output.inline)


def _output(item: Item) -> Output:
    if item.major == ARRAY:
        where, what, *hashes = item.elements(2, 3)
        return Output(address(where.octets()), *_value(what), None, hashes[0].octets(32) if hashes else None, False)
    fields = item.table()
    if not {0, 1} <= fields.keys() <= {0, 1, 2, 3}:
        raise NotATransaction(f"an output has the fields {sorted(fields)}")
    inline, datum_hash = _datum(fields[2]) if 2 in fields else (None, None)
    return Output(address(fields[0].octets()), *_value(fields[1]), inline, datum_hash, 3 in fields)


def _datum(item: Item) -> tuple[Data | None, bytes | None]:
    kind, content = item.elements(2)
    if kind.integer(range(2)) == 0:
        return None, content.octets(32)
    return data(read(content.under(24).octets())), None


def _value(item: Item) -> tuple[int, Assets]:
    if item.major == INTEGER:
        return item.integer(_WORD), {}
    lovelace, assets = item.elements(2)
    return lovelace.integer(_WORD), _assets(assets, _POSITIVE)


def _assets(item: Item, allowed: range) -> Assets:
    assets: Assets = {}
    for policy, names in distinct((each.octets(28), names.pairs()) for each, names in item.pairs()).items():
        quantities = distinct((name.octets(*range(33)), quantity.integer(allowed)) for name, quantity in names)
        # Since protocol 9 the ledger drops neither zeros nor policies without names: it refuses the transaction.
        if not quantities or 0 in quantities.values():
            raise NotATransaction("a policy without names, or a quantity of zero")
        assets |= {(policy, name): quantity for name, quantity in quantities.items()}
    return assets


# Addresses


def address(raw: bytes) -> Constr:
    """A Shelley address as Plutus data (CIP-19). Raises `NotATransaction` for any other."""
    kind, payment, rest = raw[0] >> 4 if raw else 15, raw[1:29], raw[29:]
    if kind > 7 or len(payment) != 28:
        raise NotATransaction(f"no Shelley address: {raw.hex()}")
    if kind < 4:
        if len(rest) != 28:
            raise NotATransaction(f"no stake part of 28 bytes: {raw.hex()}")
        stake = _some(Constr(0, (Constr(kind >> 1 & 1, (rest,)),)))
    elif kind < 6:
        stake = _some(Constr(1, _pointer(rest)))
    elif rest:
        raise NotATransaction(f"bytes too many: {raw.hex()}")
    else:
        stake = Constr(1, ())
    return Constr(0, (Constr(kind & 1, (payment,)), stake))


def _some(value: Data) -> Constr:
    return Constr(0, (value,))


def _pointer(raw: bytes) -> tuple[int, int, int]:
    """Slot, transaction index, certificate index: seven bits a byte, the high bit where more follow."""
    numbers, number = [], 0
    for byte in raw:
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(number)
            number = 0
    if len(numbers) != 3 or raw[-1] >= 0x80:
        raise NotATransaction(f"no pointer: {raw.hex()}")
    slot, transaction_index, certificate_index = numbers
    if slot >= 2**32 or max(transaction_index, certificate_index) >= 2**16:
        raise NotATransaction(f"a pointer too far: {raw.hex()}")
    return slot, transaction_index, certificate_index


def script_in(credential: Data) -> bytes | None:
    """The hash in a script's credential, None for a key's."""
    match credential:
        case Constr(1, (bytes() as script,)):
            return script
    return None


# Redeemers, and the scripts that they run


def _redeemers(item: Item | None, scripts: dict[str, list[bytes | None]]) -> Iterable[Redeemer]:
    for (purpose, index), argument in distinct(_entries(item)).items():
        if index >= len(scripts[purpose]):
            raise NotATransaction(f"a redeemer points nowhere: {purpose} {index}")
        yield Redeemer(purpose, index, data(argument), scripts[purpose][index])


def _entries(item: Item | None) -> Iterable[tuple[tuple[str, int], Item]]:
    """Redeemers in either form: purpose and index, argument."""
    if item is not None and item.major == MAP:
        for key, value in item.pairs():
            argument, _units = value.elements(2)
            yield _run(*key.elements(2)), argument
    elif item is not None:
        for each in item.elements():
            purpose, index, argument, _units = each.elements(4)
            yield _run(purpose, index), argument


def _run(purpose: Item, index: Item) -> tuple[str, int]:
    return PURPOSES[purpose.integer(range(6))], index.integer(range(2**32))


def _order_of_account(account: bytes) -> tuple[int, bool, bytes]:
    """Network, then scripts before keys, then hash."""
    return account[0] & 0xF, _script_of_account(account) is None, account[1:]


def _script_of_account(account: bytes) -> bytes | None:
    return account[1:] if account[0] >> 4 == 0xF else None


def _voter(item: Item) -> tuple[int, bytes]:
    kind, voter = item.elements(2)
    return kind.integer(range(5)), voter.octets(28)


def _order_of_voter(voter: tuple[int, bytes]) -> tuple[int, bytes]:
    """Committee, representatives, pools; scripts before keys; then hash."""
    kind, identity = voter
    return (1, 0, 3, 2, 4)[kind], identity


def _script_of_voter(voter: tuple[int, bytes]) -> bytes | None:
    kind, identity = voter
    return identity if kind in (1, 3) else None


def _script_of_certificate(item: Item) -> bytes | None:
    """Of every certificate that a script can witness, the second field is the credential that must agree."""
    _kind, who, *_ = item.elements(*range(2, 12))
    if who.major != ARRAY:
        return None  # a pool's
    kind, identity = who.elements(2)
    return identity.octets(28) if kind.integer(range(2)) == 1 else None


def _script_of_proposal(item: Item) -> bytes | None:
    """The guardrails that a change of parameters or a treasury withdrawal names last, if any."""
    _deposit, _account, action, _anchor = item.elements(4)
    kind, *fields = action.elements(*range(1, 8))
    if kind.integer(range(7)) in (0, 2) and fields and fields[-1].major == BYTES:
        return fields[-1].octets(28)
    return None
