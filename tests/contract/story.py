"""Healthy transactions, written by hand; a test changes one thing in them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, TypeAlias

import cbor2
from cbor2 import CBORTag
from nacl.signing import SigningKey

from tests.contract.case import Case, slot
from tests.contract.data import Constr, Data, serialise
from tests.contract.model import Verdict, identity, judge

SELF = bytes([0x11]) * 28
FUNDER = bytes([0x22]) * 28
POLICY, NAME = bytes([0x33]) * 28, b"TOKEN"
WALLET = bytes([0x99]) * 28
HOME = b"\x71" + SELF  # our script, no stake part, mainnet
PAYEE = b"\x61" + bytes([0x55]) * 28
SEED = (bytes(range(32)), 1)
PINNED = bytes.fromhex("5a295cd9bfb4815834445b002f8ce5942221a1cd90d9e05653cf038efe260e2c")
VESTING = 1_700_000_000_000
SPEND, MINT, PUBLISH, WITHDRAW, VOTE, PROPOSE = range(6)
ORACLES = [SigningKey(bytes([n]) * 32) for n in (1, 2, 3)]


def constr(index: int, *fields: Data) -> Constr:
    return Constr(index, fields)


NONE = constr(1)


def to(payment: Constr, stake: Constr = NONE) -> Constr:
    """An address, as it stands in a datum."""
    return constr(0, payment, stake)


def dumps(value: Any) -> bytes:
    """CBOR of anything, Plutus data in it included."""
    return cbor2.dumps(value, default=lambda encoder, data: encoder.write(serialise(data)))


@dataclass
class Terms:
    """A Distribution as in DESIGN's first pinned example. Allocations: (to, amount, milestone, vesting, claimed)."""

    funder: bytes = FUNDER
    token: tuple[bytes, bytes] = (POLICY, NAME)
    oracles: tuple[bytes, ...] = (bytes([0x44]) * 32,)
    threshold: int = 1
    allocations: tuple[tuple[Any, ...], ...] = ((to(constr(0, bytes([0x55]) * 28)), 5, b"m1", VESTING, False),)
    lovelace: int = 1_500_000
    fee: int = 500_000
    expires: int | None = None

    def datum(self) -> Constr:
        return constr(
            0,
            self.funder,
            constr(0, *self.token),
            self.oracles,
            self.threshold,
            tuple(constr(0, *terms, constr(int(claimed))) for *terms, claimed in self.allocations),
            self.lovelace,
            self.fee,
            NONE if self.expires is None else constr(0, self.expires),
        )

    def id(self) -> bytes:
        return identity(constr(0, *SEED), self.datum())


def output(where: bytes, lovelace: int, assets: Any = None, inline: Data | None = None) -> dict[int, Any]:
    """An output in the newer form, a map."""
    fields: dict[int, Any] = {0: where, 1: [lovelace, assets] if assets else lovelace}
    if inline is not None:
        fields[2] = [1, CBORTag(24, serialise(inline))]
    return fields


@dataclass
class Story:
    """A transaction in parts; a test changes one of them. Redeemers: (purpose, index) to data."""

    inputs: dict[tuple[bytes, int], Any]
    outputs: list[Any]
    redeemers: dict[tuple[int, int], Any]
    body: dict[int, Any] = field(default_factory=dict)
    references: dict[tuple[bytes, int], Any] = field(default_factory=dict)
    datums: list[Any] = field(default_factory=list)

    def case(self) -> Case:
        body = {0: CBORTag(258, [list(each) for each in self.inputs]), 1: self.outputs, 2: 200_000, **self.body}
        if self.references:
            body[18] = [list(each) for each in self.references]
        witnesses = {5: {key: [argument, [1, 1]] for key, argument in self.redeemers.items()}, 4: self.datums}
        known = tuple((dumps(list(key)), dumps(value)) for key, value in (self.inputs | self.references).items())
        return Case(dumps([body, witnesses, True, None]), known)

    def judged(self) -> tuple[Verdict, ...]:
        return judge(self.case(), SELF)

    def verdict(self) -> tuple[str, str]:
        """Of the only run of ours: the broken rule, and why that is undefined."""
        (only,) = self.judged()
        assert only.accepted == (only.reason == "")
        return only.reason, only.undefined


Change: TypeAlias = Callable[[Story], object]


def changed(story: Story, change: Change) -> tuple[str, str]:
    """The verdict on a story in which something is changed."""
    change(story)
    return story.verdict()


def creation(terms: Terms | None = None, name: bytes | None = None, lovelace: int = 2_000_000, held: int = 5) -> Story:
    """A healthy Create; of DESIGN's first pinned distribution, if not told otherwise."""
    terms = terms or Terms()
    name = name or terms.id()
    assets = {SELF: {name: 1}}
    if terms.token[0]:
        assets[terms.token[0]] = {terms.token[1]: held}
    return Story(
        inputs={SEED: output(b"\x61" + WALLET, 9_000_000)},
        outputs=[output(HOME, lovelace, assets, terms.datum())],
        redeemers={(MINT, 0): constr(0, constr(0, *SEED))},
        body={9: {SELF: {name: 1}}, 14: [FUNDER]},
    )


STATE = (bytes([0xDD]) * 32, 0)
STRAY = (bytes([0xEE]) * 32, 3)
FUEL = (bytes([0x01]) * 32, 7)
KEY_TO = to(constr(0, bytes([0x55]) * 28))
STAKED = b"\x31" + bytes([0x77]) * 28 + bytes([0x88]) * 28
LIFE = Terms(
    oracles=tuple(bytes(each.verify_key) for each in ORACLES),
    threshold=2,
    allocations=(
        (KEY_TO, 5, b"m1", VESTING, False),
        (to(constr(1, bytes([0x77]) * 28), constr(0, constr(0, constr(1, bytes([0x88]) * 28)))), 7, b"m1", 0, False),
        (KEY_TO, 11, b"m2", 0, False),
    ),
)
ID = bytes([0xAB]) * 32


def claimed(terms: Terms, *indices: int) -> Terms:
    allocations = ((*each[:4], each[4] or index in indices) for index, each in enumerate(terms.allocations))
    return replace(terms, allocations=tuple(allocations))


def signed(*oracles: int, milestone: bytes = b"m1", id_: bytes = ID) -> tuple[tuple[int, bytes], ...]:
    """A pair of oracle index and signature for each."""
    text = b"cardano-milestone-attestation:v1" + SELF + id_ + milestone
    digest = blake2b(text, digest_size=32).digest()
    return tuple((oracle, bytes(ORACLES[oracle].sign(digest).signature)) for oracle in oracles)


def releasing(allocations: list[int], signatures: Iterable[Data], milestone: bytes = b"m1") -> Constr:
    return constr(0, milestone, tuple(allocations), tuple(signatures))


def release(terms: Terms = LIFE) -> Story:
    """A healthy Release of allocations 0 and 1, by oracles 0 and 2. Our input sorts second."""
    ada = terms.token == (b"", b"")
    return Story(
        inputs={
            STATE: output(HOME, 30_000_000, {SELF: {ID: 1}} | ({} if ada else {POLICY: {NAME: 23}}), terms.datum()),
            FUEL: output(b"\x01" + WALLET * 2, 5_000_000),
        },
        outputs=[
            output(
                HOME,
                30_000_000 - 4_000_000 - (12 if ada else 0),
                {SELF: {ID: 1}} if ada else {SELF: {ID: 1}, POLICY: {NAME: 11}},
                claimed(terms, 0, 1).datum(),
            ),
            output(PAYEE, 1_500_000 + (5 if ada else 0), None if ada else {POLICY: {NAME: 5}}),
            output(STAKED, 1_500_000 + (7 if ada else 0), None if ada else {POLICY: {NAME: 7}}),
            [b"\x61" + WALLET, 5_000_000],
        ],
        redeemers={(SPEND, 1): releasing([0, 1], signed(0, 2))},
        body={8: slot(VESTING)},
    )


def reclaim(terms: Terms, before: int = VESTING) -> Story:
    """The funder takes back a distribution, and burns its state token."""
    return Story(
        inputs={STATE: output(HOME, 30_000_000, {SELF: {ID: 1}, POLICY: {NAME: 23}}, terms.datum())},
        outputs=[[b"\x61" + WALLET, 1_000_000]],
        redeemers={(SPEND, 0): constr(1), (MINT, 0): constr(1)},
        body={8: slot(before), 9: {SELF: {ID: -1}}, 14: [FUNDER]},
    )


def stray(datum: Data | None, redeemer: Data) -> Story:
    """Somebody's output at our credential, without a state token, and its spending."""
    return Story(
        inputs={STRAY: output(HOME, 2_000_000, None, datum)},
        outputs=[[b"\x61" + WALLET, 1_000_000]],
        redeemers={(SPEND, 0): redeemer},
        body={14: [FUNDER]},
    )


ATTESTATION = constr(1, ID, b"m1", b"key", b"signature", FUNDER)
