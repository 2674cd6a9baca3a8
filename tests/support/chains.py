"""Chains that could be: every input exists, every output is spent once, and all that is awkward happens often.

One maker serves two drivers: a seeded `Random` for long chains, and Hypothesis for chains that shrink.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Literal, Self, TypeAlias

from hypothesis import strategies as st

from tests.support.addresses import BYRON_MAINNET, BYRON_TESTNET, CredentialKind, address, bech32
from tests.support.json_text import Raw
from tests.support.making import (
    ERAS,
    Block,
    Output,
    Point,
    Ref,
    Script,
    Tx,
    block,
    digest,
    ebb,
    era_order,
    hash_of,
    is_ebb,
    lovelace,
    native,
    output,
    plutus,
    point_of,
    ref_of,
    tx,
)

Watch: TypeAlias = tuple[str, CredentialKind | None]
"""28 bytes in hex and "key", "script" or None for both; or the text of a Byron address and None."""

OURS: Final = bytes.fromhex(digest("ours", size=28))
BOTH: Final = bytes.fromhex(digest("both", size=28))
SCRIPT_ONLY: Final = bytes.fromhex(digest("script only", size=28))
POINTED: Final = bytes.fromhex(digest("pointed", size=28))
_STRANGER: Final = bytes.fromhex(digest("stranger", size=28))
_FOREIGN: Final = "feedfeed"  # how the ids of transactions begin that are not on the chain
_STAKE: Final = bytes.fromhex(digest("stake", size=28))


@dataclass(frozen=True)
class Cast:
    """Who receives outputs: `watched` addresses (those that `watches` match) and strangers."""

    watches: tuple[Watch, ...]
    watched: tuple[str, ...]
    strangers: tuple[str, ...]

    @classmethod
    def of(cls, watches: Iterable[Watch]) -> Self:
        """Addresses with and without stake parts for the given watches."""
        watches = tuple(watches)
        watched: list[str] = []
        strangers = [
            address(_STRANGER, "key"),
            address(_STRANGER, "script", ("key", _STAKE)),
            address(_STRANGER, "key", ("pointer", (127, 128, 16_384))),
            BYRON_TESTNET[-1],
            BYRON_MAINNET[1],
        ]
        kinds: tuple[CredentialKind, ...] = ("key", "script")
        for text, wanted in watches:
            if len(text) != 56:
                watched.append(text)
                continue
            credential = bytes.fromhex(text)
            for kind in kinds:
                other_kind_is_watched = (text, kind) in watches or (text, None) in watches
                if wanted in (kind, None):
                    watched += [
                        address(credential, kind),
                        address(credential, kind, ("key", _STAKE)),
                        address(credential, kind, ("script", OURS)),
                        address(credential, kind, ("pointer", (2_498_243, 27, 3))),
                    ]
                elif not other_kind_is_watched:
                    strangers.append(address(credential, kind))
            strangers.append(address(_STRANGER, "key", ("script", credential)))  # only the stake part is ours
        found = tuple(dict.fromkeys(watched))
        return cls(watches, found, tuple(a for a in dict.fromkeys(strangers) if a not in found))


WATCHES: Final[tuple[Watch, ...]] = (
    (OURS.hex(), "key"),
    (OURS.hex(), "script"),
    (BOTH.hex(), None),
    (SCRIPT_ONLY.hex(), "script"),
    (POINTED.hex(), "key"),
    (BYRON_TESTNET[0], None),
)
CAST: Final = Cast.of(WATCHES)


@dataclass(frozen=True)
class Recipe:
    """What goes into a chain. Frequencies are chances per block (`ebbs`) or per transaction."""

    cast: Cast = CAST
    eras: tuple[str, ...] = ERAS[:7]  # in this order, from any of them on
    transactions: int = 4  # in a block, at most
    ebbs: float = 0.08
    failures: float = 0.15
    deep: int = 0  # levels of the deep native scripts; 0: there are none
    deep_scripts: float = 0.1
    unknown: bool = False  # fields and values that Dijkstra, or nobody, has defined, and that move no value
    ogmios: int = 7


RECIPE: Final = Recipe()

DATUMS: Final = (
    "d87980",
    "d87a80",
    "182a",
    "40",
    "9f0102ff",
    "d8799f581c" + OURS.hex() + "ff",
    "5f5820" + "ab" * 32 + "41ffff",
    *("d8799f1b" + digest("datum", i, size=8) + "5840" + digest("datum", i, size=64) + "ff" for i in range(5)),
)
HIDDEN: Final = {hash_of(datum): datum for datum in DATUMS}
_POLICIES: Final = tuple(sorted([*(digest("policy", i, size=28) for i in range(3)), OURS.hex()]))
_NAMES: Final = ("", "00", "544f4b454e", "000de1406f7572", "ff" * 32)
_QUANTITIES: Final = (1, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 10**15)
_LOVELACE: Final = (1_000_000, 1, 2**53 + 1, 45 * 10**15, 2_345_678)


@dataclass
class Ledger:
    """Where a chain stands: its last block, and the outputs that can be spent, oldest first."""

    recipe: Recipe = RECIPE
    last: Block | None = None
    slot: int = -1
    era: str | None = None
    unspent: dict[Ref, Output] = field(default_factory=dict)
    spent: set[Ref] = field(default_factory=set)
    transactions: set[str] = field(default_factory=set)
    pools: tuple[list[Ref], list[Ref]] = field(default_factory=lambda: ([], []))  # strangers' and ours, recent

    @classmethod
    def of(cls, chain: Iterable[Block], recipe: Recipe = RECIPE) -> Self:
        """The state after the blocks of a chain."""
        ledger = cls(recipe)
        for made in chain:
            ledger.apply(made)
        return ledger

    def apply(self, made: Block) -> None:
        """Go on by one block."""
        self.last = made
        if is_ebb(made):
            return
        self.slot, self.era = made["slot"], made["era"]
        for transaction in made["transactions"]:
            self.transactions.add(transaction["id"])
            spent, created = effect(transaction)
            for ref in spent:
                self.spent.add(ref)
                self.unspent.pop(ref, None)
            for ref, made_output in created:
                self.unspent[ref] = made_output
                self.pools[made_output["address"] in self.recipe.cast.watched].append(ref)
        for pool in self.pools:
            if len(pool) > 200:
                pool[:] = [ref for ref in pool if ref in self.unspent][-100:]

    def recent(self, *, ours: bool) -> list[Ref]:
        """Outputs that can be spent, ours or strangers'."""
        return [ref for ref in self.pools[ours] if ref in self.unspent]

    @property
    def height(self) -> int:
        """Of the last block; -1 before the first."""
        return -1 if self.last is None else self.last["height"]


def effect(transaction: Tx) -> tuple[list[Ref], list[tuple[Ref, Output]]]:
    """What a transaction spends and creates."""
    name, outputs = transaction["id"], transaction.get("outputs", [])
    if transaction["spends"] == "inputs":
        spent = transaction["inputs"]
        created = list(enumerate(outputs))
    else:
        spent = transaction.get("collaterals", [])
        back = transaction.get("collateralReturn")
        created = [] if back is None else [(len(outputs), back)]
    return [ref_of(place) for place in spent], [((name, index), made) for index, made in created]


def make_block(random: Random, ledger: Ledger, again: Sequence[Tx] = ()) -> Block:
    """One more block. `again` are transactions of an abandoned fork that may come back in it."""
    recipe, height = ledger.recipe, ledger.height
    ancestor = "genesis" if ledger.last is None else ledger.last["id"]
    after_ebb = ledger.last is not None and is_ebb(ledger.last)
    if not after_ebb and random.random() < recipe.ebbs:
        return ebb(height=max(0, height), ancestor=ancestor)
    era = _next_era(random, ledger)
    slot = ledger.slot + random.choice((1, 20, 3, 60))
    height += 1
    draft = _Draft(random, ledger, era, slot, height)
    for transaction in again:
        draft.repeat(transaction)
    for _ in range(random.randint(0, recipe.transactions)):
        draft.invent()
    more = {"unheardOf": {"transactions": [], "id": "no"}} if recipe.unknown and random.random() < 0.2 else None
    return block(draft.transactions, slot=slot, height=height, ancestor=ancestor, era=era, more=more)


def make_chain(random: Random, length: int, recipe: Recipe = RECIPE, on: Sequence[Block] = ()) -> list[Block]:
    """`length` blocks that follow the chain `on`, without it."""
    ledger, chain = Ledger.of(on, recipe), []
    for _ in range(length):
        chain.append(make_block(random, ledger))
        ledger.apply(chain[-1])
    return chain


def make_fork(random: Random, chain: Sequence[Block], depth: int, length: int, recipe: Recipe = RECIPE) -> list[Block]:
    """`length` blocks in the place of the last `depth`; some of the lost transactions come back in them."""
    kept, lost = chain[: len(chain) - depth], chain[len(chain) - depth :]
    ledger, fork = Ledger.of(kept, recipe), []
    orphans = [transaction for made in lost for transaction in made.get("transactions", [])]
    for _ in range(length):
        again = [transaction for transaction in orphans if random.random() < 0.3]
        fork.append(make_block(random, ledger, again))
        ledger.apply(fork[-1])
    return fork


def next_block(state: Ledger | Sequence[Block], recipe: Recipe = RECIPE) -> st.SearchStrategy[Block]:
    """A block that can follow: after a ledger (which it leaves as it is), or after a whole chain."""

    def made(random: Random) -> Block:
        return make_block(random, state if isinstance(state, Ledger) else Ledger.of(state, recipe))

    return st.randoms(use_true_random=False).map(made)


@st.composite
def chains(draw: st.DrawFn, min_size: int = 1, max_size: int = 12, recipe: Recipe = RECIPE) -> list[Block]:
    """A chain from the origin."""
    ledger = Ledger(recipe)
    chain: list[Block] = []
    for _ in range(draw(st.integers(min_size, max_size))):
        chain.append(draw(next_block(ledger)))
        ledger.apply(chain[-1])
    return chain


Move: TypeAlias = tuple[Literal["forward"], Block] | tuple[Literal["backward"], Point | str]


@st.composite
def histories(
    draw: st.DrawFn, max_size: int = 16, max_depth: int = 6, recipe: Recipe = RECIPE
) -> tuple[list[Move], list[Block]]:
    """What a follower is told from the origin on, forks and all, and the chain that survives.

    No point names a boundary block, so none is ever rolled back to: it is taken back and sent again.
    """
    moves: list[Move] = []
    chain: list[Block] = []
    orphans: list[Tx] = []
    for _ in range(draw(st.integers(1, max_size))):
        if chain and draw(st.integers(0, 4)) == 4:
            keep = max(0, len(chain) - draw(st.integers(0, max_depth)))
            while keep and is_ebb(chain[keep - 1]):
                keep -= 1
            orphans = [transaction for made in chain[keep:] for transaction in made.get("transactions", [])]
            del chain[keep:]
            moves.append(("backward", point_of(chain)))
            continue
        random = draw(st.randoms(use_true_random=False))
        again = [transaction for transaction in orphans if random.random() < 0.5]
        chain.append(make_block(random, Ledger.of(chain, recipe), again))
        moves.append(("forward", chain[-1]))
    return moves, chain


def _next_era(random: Random, ledger: Ledger) -> str:
    eras = ledger.recipe.eras
    if ledger.era is None:
        return random.choice((eras[0], random.choice(eras)))
    now = eras.index(ledger.era)
    return eras[min(len(eras) - 1, now + (random.random() < 0.15))]


@dataclass
class _Draft:
    """The transactions of a block in the making: they may spend each other's outputs."""

    random: Random
    ledger: Ledger
    era: str
    slot: int
    height: int
    transactions: list[Tx] = field(default_factory=list)
    spent: set[Ref] = field(default_factory=set)
    created: dict[Ref, Output] = field(default_factory=dict)

    def since(self, era: str) -> bool:
        return ERAS.index(self.era) >= ERAS.index(era)

    def held(self, ref: Ref) -> Output | None:
        """The output a reference names, if it can be spent."""
        if ref in self.spent:
            return None
        return self.created.get(ref) or self.ledger.unspent.get(ref)

    def add(self, transaction: Tx) -> None:
        spent, created = effect(transaction)
        self.spent.update(spent)
        self.created.update(created)
        self.transactions.append(transaction)

    def repeat(self, transaction: Tx) -> None:
        """Take a transaction of another fork in, where it still could be."""
        known = self.ledger.transactions | {made["id"] for made in self.transactions}
        places = [*transaction["inputs"], *transaction.get("references", []), *transaction.get("collaterals", [])]
        refs = [ref_of(place) for place in places]
        sound = all(self.held(ref) or (_is_foreign(ref) and ref not in self.spent | self.ledger.spent) for ref in refs)
        if sound and transaction["id"] not in known and set(transaction) <= set(era_order(self.era)):
            self.add(transaction)

    def invent(self) -> None:
        """A transaction that nobody has seen."""
        random, recipe = self.random, self.ledger.recipe
        failed = self.since("alonzo") and random.random() < recipe.failures
        plutus_like = failed or (self.since("alonzo") and random.random() < 0.3)
        number = len(self.transactions)
        inputs = self.pick(random.choice((0, 1, 0, 1, 2)))
        if not inputs or random.random() < 0.3:
            inputs.append(self.foreign("input", number))
        collaterals, references, back = [], [], None
        if plutus_like:
            shared = [ref for ref in inputs if random.random() < 0.3]
            collaterals = shared + self.pick(random.randint(0, 1), inputs)
            collaterals = collaterals or [self.foreign("collateral", number)]
            if self.since("babbage") and random.random() < 0.7:
                back = output(self.receiver(), 1 + random.getrandbits(24), self.assets())
        if self.since("babbage") and random.random() < 0.4:
            references = self.pick(random.randint(1, 2), inputs + collaterals)
            if random.random() < 0.3:
                references.append(self.foreign("reference", number))
        outputs = [self.output() for _ in range(random.choice((1, 0, 2, 3) if self.since("babbage") else (1, 2)))]
        more: dict[str, Any] = {}
        if recipe.unknown and random.random() < 0.3:
            more = {"guards": [digest("guard", size=28)], "unheardOf": [{"transaction": {"id": OURS.hex()}}]}
        if self.since("shelley") and random.random() < 0.1:
            more["withdrawals"] = {bech32("stake_test", b"\xe0" + OURS): lovelace(random.getrandbits(30))}
        self.add(
            tx(
                inputs,
                outputs,
                era=self.era,
                failed=failed,
                references=references,
                collaterals=collaterals,
                collateral_return=back,
                datums=self.revealed([*inputs, *references, *collaterals], outputs),
                scripts=self.scripts(),
                metadata=self.metadata(inputs + references),
                mint=self.assets() if self.since("mary") and random.random() < 0.2 else None,
                valid=random.choice(((None, None), (None, self.slot + 900), (max(0, self.slot - 9), self.slot + 900))),
                ogmios=recipe.ogmios,
                salt=self.height * 100 + number,
                more=more,
            )
        )

    def pick(self, count: int, taken: Sequence[Ref] = ()) -> list[Ref]:
        """Outputs that can be spent, most of them ours, most of them recent."""
        found: list[Ref] = []
        for _ in range(count):
            ours = self.random.random() < 0.75
            fresh = [
                ref
                for ref, made in self.created.items()
                if (made["address"] in self.ledger.recipe.cast.watched) == ours
            ]
            pool = [
                ref
                for ref in self.ledger.recent(ours=ours)[-20:] + fresh
                if ref not in self.spent and ref not in taken and ref not in found
            ]
            if pool:
                found.append(self.random.choice(pool))
        return found

    def foreign(self, what: str, number: int) -> Ref:
        """An output from before the chain began, not spent so far."""
        ref = _FOREIGN + digest(what, self.height, number, size=28), number
        while ref in self.spent or ref in self.ledger.spent:
            ref = _FOREIGN + digest(*ref, size=28), number
        return ref

    def receiver(self) -> str:
        cast = self.ledger.recipe.cast
        addresses = cast.watched if self.random.random() < 0.65 else cast.strangers
        if self.era == "byron":
            byron = [text for text in addresses if not text.startswith("addr")]
            return self.random.choice(byron or BYRON_TESTNET[1:])
        return self.random.choice(addresses)

    def assets(self) -> dict[str, dict[str, int]]:
        if not self.since("mary") or self.random.random() < 0.5:
            return {}
        random = self.random
        return {
            random.choice(_POLICIES): {
                random.choice(_NAMES): random.choice(_QUANTITIES) for _ in range(random.randint(1, 2))
            }
            for _ in range(random.randint(1, 2))
        }

    def output(self) -> Output:
        random = self.random
        datum = datum_hash = None
        chance = random.random()
        if self.since("alonzo") and chance < 0.4:
            datum_hash = hash_of(random.choice(DATUMS)) if chance < 0.35 else digest("never shown")
        elif self.since("babbage") and chance < 0.65:
            datum = random.choice(DATUMS)
        script = self.script() if self.since("babbage") and random.random() < 0.2 else None
        return output(
            self.receiver(),
            random.choice(_LOVELACE),
            self.assets(),
            datum=datum,
            datum_hash=datum_hash,
            script=script,
            **({"unheardOf": None} if self.ledger.recipe.unknown and random.random() < 0.1 else {}),
        )

    def script(self) -> Script:
        random, recipe = self.random, self.ledger.recipe
        if recipe.deep and random.random() < recipe.deep_scripts:
            return native(OURS.hex(), depth=recipe.deep, cbor=random.random() < 0.5)
        latest = 3 if self.since("conway") else 2 if self.since("babbage") else 1
        if self.since("alonzo") and random.random() < 0.6:
            return plutus(random.randint(1, latest), random.randint(0, 3))
        clause = random.choice(("all", "any", "some"))
        return native(POINTED.hex(), depth=random.randint(0, 2), cbor=random.random() < 0.5, clause=clause)

    def scripts(self) -> list[Script]:
        if not self.since("shelley") or self.random.random() < 0.7:
            return []
        return [self.script()]

    def revealed(self, touched: Sequence[Ref], outputs: Sequence[Output]) -> list[str]:
        """Preimages: of outputs that the transaction touches, and sometimes of others, which must not count."""
        if not self.since("alonzo") or self.random.random() < 0.4:
            return []
        near = [self.held(ref) for ref in touched] + list(outputs)
        hashes = [made["datumHash"] for made in near if made is not None and "datumHash" in made]
        shown = [HIDDEN[hashed] for hashed in hashes if hashed in HIDDEN and self.random.random() < 0.6]
        if self.random.random() < 0.3:
            shown.append(self.random.choice(DATUMS))
        return shown

    def metadata(self, refs: Sequence[Ref]) -> dict[str, Any] | None:
        """Text that looks like ours, and structure that looks like a block's."""
        if not self.since("shelley") or self.random.random() < 0.6:
            return None
        bait_address = self.random.choice(self.ledger.recipe.cast.watched)
        bait_id = refs[0][0]
        baits: tuple[Any, ...] = (
            {"msg": ['tab\t, quote " and \\ and \\u0061', "Ünïcode ☂ 😀", "\x00\x1f\x7f"]},
            {"msg": [bait_address, bait_id, f"{bait_id}#0"]},
            {
                "msg": [
                    f'"transaction":{{"id":"{bait_id}"}},"index":0',
                    f'"address":"{bait_address}"',
                    '"}],"outputs":[',
                ]
            },
            {"inputs": [{"transaction": {"id": bait_id}, "index": 0}], "transactions": [], "id": bait_id},
            {"outputs": [{"address": bait_address, "value": {"ada": {"lovelace": 5}}}], "datums": {"d": "d87980"}},
            [-(2**64), 2**64 - 1, 0, {"": ""}],
            Raw('{"msg":"twice","msg":"' + bait_address + '"}'),
        )
        label = self.random.choice(("674", "721", "0", "18446744073709551615"))
        cbor = {"cbor": "42cafe"} if self.random.random() < 0.2 else {"json": self.random.choice(baits)}
        return {label: cbor}


def _is_foreign(ref: Ref) -> bool:
    return ref[0].startswith(_FOREIGN)
