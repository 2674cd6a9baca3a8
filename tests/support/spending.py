"""Plain wallets and what they send: whole transactions with real signatures, each field of which a test can set.

Nothing here comes from the devnet but the types of its ledger: bytes are written from CBOR trees, fees and minima are
those of the contract's bench, signatures PyNaCl's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b, sha3_256
from typing import Final, TypedDict, Unpack
from zlib import crc32

from nacl.signing import SigningKey

from indexer.chain.block import OutputReference
from indexer.devnet.ledger.outputs import output_from
from indexer.devnet.ledger.parameters import Parameters, mainnet
from indexer.devnet.ledger.setting import Account
from indexer.devnet.ledger.state import Ledger
from indexer.devnet.ledger.timeline import Timeline
from indexer.devnet.ledger.transaction import Credential
from tests.contract.keys import hash28
from tests.contract.parameters import PARAMETERS, Units
from tests.contract.parts import assets_node, ledger_set, value_node, value_of
from tests.contract.terms import ADA, Asset, Reference
from tests.contract.tree import Array, Embedded, Map, Node, Tag, encode

# Fields of a body (conway.cddl: transaction_body) and of a witness set.
INPUTS, OUTPUTS, FEE, UPPER, CERTIFICATES, WITHDRAWALS, AUXILIARY_HASH, LOWER, MINT = 0, 1, 2, 3, 4, 5, 7, 8, 9
INTEGRITY, COLLATERALS, REQUIRED_SIGNERS, NETWORK, RETURN, TOTAL, REFERENCES = 11, 13, 14, 15, 16, 17, 18
VOTES, TREASURY, DONATION = 19, 21, 22
KEYS, NATIVE, BOOTSTRAPS, DATUMS, REDEEMERS, PLUTUS_V3 = 0, 1, 2, 4, 5, 7

LANGUAGE_V3: Final = encode(Map(((2, Array(PARAMETERS.plutus_v3)),)))  # its view in a script integrity hash
UNITS: Final = Units(200_000, 100_000_000)  # declared by each redeemer, unless a test says otherwise
DEPOSIT: Final = 2_000_000  # lovelace for a stake credential
NOW: Final = 1_000  # the slot of most tests


@dataclass(frozen=True)
class Wallet:
    """Somebody with a key, and another for the stake part; the same in every run."""

    name: str
    network: int = 0

    @property
    def key(self) -> SigningKey:
        return SigningKey(blake2b(self.name.encode(), digest_size=32).digest())

    @property
    def public(self) -> bytes:
        return bytes(self.key.verify_key)

    @property
    def hash(self) -> bytes:
        return hash28(self.public)

    @property
    def address(self) -> bytes:
        """Without a stake part."""
        return bytes([0x60 | self.network]) + self.hash

    @property
    def account(self) -> bytes:
        """The reward address of the same key."""
        return bytes([0xE0 | self.network]) + self.hash

    @property
    def credential(self) -> Credential:
        return Credential(self.hash, is_script=False)


@dataclass(frozen=True)
class Coin:
    """An unspent output."""

    at: Reference
    output: Map

    @property
    def reference(self) -> OutputReference:
        return OutputReference(*self.at)


@dataclass(frozen=True)
class Spending:
    """What somebody wants to send. What is left goes to `change`, in the last output, unless `change` is None."""

    inputs: tuple[Coin, ...]
    signers: tuple[Wallet, ...]
    change: bytes | None
    outputs: tuple[Map, ...] = ()
    references: tuple[Coin, ...] = ()
    collaterals: tuple[Coin, ...] = ()
    mint: Mapping[Asset, int] = field(default_factory=dict)
    more: int = 0  # lovelace that comes from elsewhere: withdrawals, deposits given back; less than 0: deposits
    redeemers: Mapping[tuple[int, int], Node] = field(default_factory=dict)  # data by purpose and index
    units: Units = UNITS  # declared by each redeemer
    datums: tuple[Node, ...] = ()
    auxiliary: Node = None
    is_valid: bool = True
    fee: int | None = None  # None: the least
    unsigned: tuple[Wallet, ...] = ()  # signers who forget to
    body: Mapping[int, Node] = field(default_factory=dict)  # fields as they shall be, come what may; None: absent
    witnesses: Mapping[int, Node] = field(default_factory=dict)

    def with_body(self, fields: Mapping[int, Node]) -> "Spending":
        return replace(self, body={**self.body, **fields})

    def with_witnesses(self, fields: Mapping[int, Node]) -> "Spending":
        return replace(self, witnesses={**self.witnesses, **fields})


def paid(
    address: bytes,
    lovelace: int,
    tokens: Mapping[Asset, int] | None = None,
    *,
    datum: Node = None,
    datum_hash: bytes | None = None,
    script: tuple[int, Node] | None = None,
) -> Map:
    """An output; `script` is a language and what stands behind it: bytes, or a native script."""
    pairs: list[tuple[Node, Node]] = [(0, address), (1, value_node({ADA: lovelace, **(tokens or {})}))]
    if datum_hash is not None:
        pairs.append((2, Array((0, datum_hash))))
    if datum is not None:
        pairs.append((2, Array((1, Embedded(datum)))))
    if script is not None:
        pairs.append((3, Embedded(Array(script))))
    return Map(tuple(pairs))


class Held(TypedDict, total=False):
    """What an output may hold beside lovelace: see `paid`."""

    tokens: Mapping[Asset, int]
    datum: Node
    datum_hash: bytes
    script: tuple[int, Node]


def coin(owner: Wallet | bytes, lovelace: int = 100_000_000, number: int = 0, **held: Unpack[Held]) -> Coin:
    """A coin of somebody or at an address; `number` tells several apart."""
    address = owner if isinstance(owner, bytes) else owner.address
    made = blake2b(address + number.to_bytes(2, "big"), digest_size=32).digest()
    return Coin(Reference(made, number), paid(address, lovelace, **held))


def written(spending: Spending) -> bytes:
    """The transaction: balanced, paid for and signed as far as nothing else is asked for."""
    if spending.fee is not None:
        return _written(spending, spending.fee)
    fee = 1 << 16
    while (needed := least_fee(raw := _written(spending, fee), spending)) > fee:
        fee = needed
    return raw


def least_fee(raw: bytes, spending: Spending) -> int:
    """What a transaction has to pay; the byte that says whether it is valid does not count."""
    count = len(spending.redeemers)
    units = Units(spending.units.memory * count, spending.units.steps * count)
    return PARAMETERS.minimum_fee(len(raw) - 1, units, script_bytes(spending))


def script_bytes(spending: Spending) -> int:
    """Of the scripts that inputs and reference inputs carry."""
    size = 0
    for held in {held.at: held.output for held in (*spending.inputs, *spending.references)}.values():
        match held.get(3):
            case Embedded(Array((0, native))):
                size += len(encode(native))
            case Embedded(Array((_, bytes(plutus)))):
                size += len(plutus)
    return size


def ledger(
    *spendings: Spending,
    accounts: Mapping[Credential, Account] | None = None,
    parameters: Parameters | None = None,
    timeline: Timeline | None = None,
    network: int = 0,
) -> Ledger:
    """A ledger that holds all that these spend, refer to and stake."""
    coins = [held for each in spendings for held in (*each.inputs, *each.references, *each.collaterals)]
    utxo = {held.reference: output_from(encode(held.output)) for held in coins}
    return Ledger(parameters or mainnet(), network, utxo, accounts=accounts, timeline=timeline)


def fields_of(pairs: Mapping[int, Node]) -> Map:
    """A map with integer keys, those of None left out."""
    return Map(tuple((key, value) for key, value in sorted(pairs.items()) if value is not None))


def references(coins: tuple[Coin, ...]) -> Node:
    """A set of output references; None where there are none."""
    return ledger_set(held.at.node() for held in coins) if coins else None


def redeemers_node(spending: Spending) -> Node:
    """As a map."""
    units = Array((spending.units.memory, spending.units.steps))
    pairs = [(Array(pointer), Array((data, units))) for pointer, data in spending.redeemers.items()]
    return Map(tuple(pairs)) if pairs else None


def _written(spending: Spending, fee: int) -> bytes:
    redeemers = redeemers_node(spending)
    datums = ledger_set(spending.datums) if spending.datums else None
    outputs = (*spending.outputs, *_change(spending, fee))
    auxiliary = None if spending.auxiliary is None else digest(encode(spending.auxiliary))
    body = {
        INPUTS: ledger_set(held.at.node() for held in spending.inputs),
        OUTPUTS: Array(outputs),
        FEE: fee,
        AUXILIARY_HASH: auxiliary,
        MINT: assets_node(spending.mint) if spending.mint else None,
        INTEGRITY: integrity(redeemers, datums),
        COLLATERALS: references(spending.collaterals),
        REFERENCES: references(spending.references),
        **spending.body,
    }
    signed = encode(fields_of(body))
    signers = [each for each in spending.signers if each not in spending.unsigned]
    keys = [Array((each.public, each.key.sign(digest(signed)).signature)) for each in signers]
    witnesses = {KEYS: ledger_set(keys) if keys else None, DATUMS: datums, REDEEMERS: redeemers, **spending.witnesses}
    tail = encode(spending.is_valid) + encode(spending.auxiliary)
    return b"\x84" + signed + encode(fields_of(witnesses)) + tail


def integrity(redeemers: Node, datums: Node) -> bytes | None:
    """The script integrity hash of a transaction whose scripts are in Plutus V3; None: it needs none."""
    if redeemers is None and datums is None:
        return None
    views = b"\xa0" if redeemers is None else LANGUAGE_V3
    first = b"\xa0" if redeemers is None else encode(redeemers)
    return digest(first + (b"" if datums is None else encode(datums)) + views)


def digest(content: bytes) -> bytes:
    """blake2b-256."""
    return blake2b(content, digest_size=32).digest()


def _change(spending: Spending, fee: int) -> tuple[Map, ...]:
    if spending.change is None:
        return ()
    rest = {ADA: spending.more - fee}
    for held in spending.inputs:
        _add(rest, value_of(held.output), 1)
    _add(rest, spending.mint, 1)
    for output in spending.outputs:
        _add(rest, value_of(output), -1)
    return (paid(spending.change, rest.pop(ADA), {asset: quantity for asset, quantity in rest.items() if quantity}),)


def _add(total: dict[Asset, int], value: Mapping[Asset, int], sign: int) -> None:
    for asset, quantity in value.items():
        total[asset] = total.get(asset, 0) + sign * quantity


# --- Byron


def byron_root(wallet: Wallet, attributes: Map) -> bytes:
    """What a Byron address says of its owner: a hash of the key, of a chain code of zeros, and of the attributes."""
    spends = Array((0, wallet.public + bytes(32)))
    return hash28(sha3_256(encode(Array((0, spends, attributes)))).digest())


def byron_address(wallet: Wallet, attributes: Map) -> bytes:
    """byron.cddl: address."""
    content = Array((byron_root(wallet, attributes), attributes, 0))
    return encode(Array((Embedded(content), crc32(encode(content)))))


# --- Scripts


def native_hash(script: Node) -> bytes:
    """Of a native script."""
    return hash28(b"\0" + encode(script))


def plutus_hash(script: bytes) -> bytes:
    """Of a Plutus V3 script, given as the byte string that holds its program."""
    return hash28(b"\3" + script)


def script_address(script: bytes, network: int = 0) -> bytes:
    """Where outputs lie that a script with this hash locks."""
    return bytes([0x70 | network]) + script


def program(bits: str) -> bytes:
    """Plutus Core 1.1.0 (flat) of a term in bits, as the byte string that scripts are."""
    padded = bits + "0" * (7 - len(bits) % 8) + "1"
    return encode(bytes([1, 1, 0]) + int(padded, 2).to_bytes(len(padded) // 8, "big"))


LAM, APPLY, UNIT, ERROR, VAR = "0010", "0011", "0100" + "1" + "0011" + "0", "0110", "0000" + "00000001"
SELF: Final = LAM + APPLY + VAR + VAR

AGREES: Final = program(LAM + UNIT)
AGREES_TOO: Final = program(LAM + APPLY + LAM + UNIT + UNIT)
REFUSES: Final = program(LAM + ERROR)
REFUSES_TOO: Final = program(LAM + APPLY + LAM + ERROR + UNIT)
LOOPS: Final = program(LAM + APPLY + SELF + SELF)

VOID: Final = Tag(121, Array(()))  # data that says nothing
