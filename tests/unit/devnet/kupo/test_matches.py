"""Whatever is asked of the matches is answered as by reading the whole chain for it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

import pytest

from indexer.chain.point import ORIGIN, Point
from indexer.devnet.kupo.index import Index
from tests.support.addresses import bech32
from tests.unit.devnet.kupo import model
from tests.unit.devnet.kupo.asking import Asking
from tests.unit.devnet.kupo.making import (
    HOMES,
    KEY,
    NAMES,
    PAYMENTS,
    POLICIES,
    STAKES,
    Block,
    Coin,
    Maker,
    Tx,
    digest,
    index_of,
    indexed,
)
from tests.unit.devnet.kupo.model import Found, Wanted, anything

A, B = digest("a"), digest("b")


@dataclass(frozen=True)
class Asked:
    """A part of a question, and which matches it leaves."""

    text: str
    leaves: Wanted


def patterns(chain: Sequence[Block]) -> list[Asked]:
    """Every form of pattern, of things that are on the chain or are not."""
    transactions = [tx for block in chain for tx in block.transactions] or [Tx(A)]
    payments = [(spelt, hash_) for hash_ in PAYMENTS for spelt in (hash_.hex(), bech32("script", hash_))]
    payments += [(KEY.hex(), PAYMENTS[0]), (bech32("addr_vk", KEY), PAYMENTS[0])]
    stakes = [(spelt, hash_) for hash_ in STAKES for spelt in (hash_.hex(), bech32("stake_vkh", hash_))]
    return [
        Asked("", anything),
        Asked("/*", anything),
        Asked("/*/*", lambda at: at.coin.home.payment is not None),
        *(Asked(f"/{text}", _to(home.text)) for home in HOMES for text in (home.text, home.raw.hex())),
        *(Asked(f"/{text}/*", _paying(hash_)) for text, hash_ in payments),
        *(Asked(f"/*/{text}", _delegating(hash_)) for text, hash_ in stakes),
        *(Asked("/" + bech32("stake", b"\xe1" + hash_), _delegating(hash_)) for hash_ in STAKES),
        *(
            Asked(f"/{paying}/{delegating}", _all(_paying(one), _delegating(other)))
            for paying, one in payments
            for delegating, other in stakes
        ),
        *(Asked(f"/{policy.hex()}.*", _policy(policy)) for policy in POLICIES),
        *(Asked(f"/{policy.hex()}.{name.hex()}", _asset(policy, name)) for policy in POLICIES for name in NAMES),
        *(Asked(f"/*@{tx.id.hex()}", _transaction(tx.id)) for tx in transactions),
        *(Asked(f"/{n}@{tx.id.hex()}", _all(_transaction(tx.id), _index(n))) for tx in transactions for n in (0, 1, 7)),
    ]


def filters(random: Random, chain: Sequence[Block]) -> list[Asked]:
    """Some of the filters that can stand together, in any order."""
    blocks, transactions = list(chain), [tx for block in chain for tx in block.transactions] or [Tx(A)]
    asked = []
    if random.random() < 0.5:
        asked.append(random.choice((Asked("spent", _is_spent), Asked("unspent", _is_unspent))))
    for side in ("after", "before"):
        if random.random() < 0.5 and blocks:
            event, block = random.choice(("created", "spent")), random.choice(blocks)
            slot = block.slot + random.choice((0, -1, 1))
            at = random.choice((f"{block.slot}.{block.id.hex()}", str(max(0, slot))))
            asked.append(Asked(f"{event}_{side}={at}", _bounded(event, side, int(at.partition(".")[0]))))
    policy, name, transaction = random.choice(POLICIES), random.choice(NAMES), random.choice(transactions)
    match random.randrange(6):
        case 0:
            asked.append(Asked(f"policy_id={policy.hex()}", _policy(policy)))
        case 1:
            asked.append(Asked(f"policy_id={policy.hex()}", _policy(policy)))
            asked.append(Asked(f"asset_name={name.hex()}", _asset(policy, name)))
        case 2:
            asked.append(Asked(f"transaction_id={transaction.id.hex()}", _transaction(transaction.id)))
        case 3:
            asked.append(Asked(f"transaction_id={transaction.id.hex()}", _transaction(transaction.id)))
            asked.append(Asked("output_index=1", _index(1)))
    asked.append(Asked(random.choice(("policy_id", "nothing", "limit=1", "")), anything))  # ignored
    random.shuffle(asked)
    return asked


@pytest.mark.parametrize("seed", range(12))
def test_every_pattern_with_any_filters_finds_what_the_whole_chain_holds(seed: int) -> None:
    """On chains that have been through forks. Every pattern is asked, each time with other filters, order and form."""
    maker, random = Maker(seed), Random(seed)
    index, chain = grown_with_forks(maker, random)
    asking, found = Asking(index), 0
    shown = {
        (resolve, as_text): model.outputs(chain, resolve=resolve, as_text=as_text)
        for resolve, as_text in product((False, True), repeat=2)
    }
    for pattern in patterns(chain):
        parts = filters(random, chain)
        resolve, as_text, order = random.random() < 0.5, random.random() < 0.5, random.choice(("", "most", "oldest"))
        texts = [part.text for part in parts] + ["resolve_hashes"] * resolve
        texts += [{"most": "order=most_recent_first", "oldest": "order=oldest_first"}[order]] if order else []
        wanted = _all(pattern.leaves, *(part.leaves for part in parts))
        expected = [at.row for at in shown[resolve, as_text] if wanted(at)]
        found += len(expected)
        accept = "application/json;asset-quantity=string" if as_text else "application/json"
        rows = asking.get(f"/matches{pattern.text}?{'&'.join(texts)}", accept=accept)
        assert rows == (expected if order == "oldest" else expected[::-1]), (pattern.text, texts)
    assert found > 50  # or the questions would tell nothing


@pytest.mark.parametrize("seed", range(4))
def test_hashes_stand_for_what_the_whole_chain_shows(seed: int) -> None:
    maker, random = Maker(seed), Random(seed)
    index, chain = grown_with_forks(maker, random)
    asking = Asking(index)
    rows = [at.row for at in model.outputs(chain)]
    for hash_ in {row["datum_hash"] for row in rows if row["datum_hash"]} | {A.hex()}:
        datum = model.datum(chain, bytes.fromhex(hash_))
        assert asking.get(f"/datums/{hash_}") == (None if datum is None else {"datum": datum.hex()})
    for hash_ in {row["script_hash"] for row in rows if row["script_hash"]} | {A.hex()[:56]}:
        assert asking.get(f"/scripts/{hash_}") == model.script(chain, bytes.fromhex(hash_))


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("created_after=1&created_after=1", "slot range"),
        ("created_after=1&spent_after=1", "slot range"),
        ("created_before=1&spent_before=1", "slot range"),
        ("created_after", "slot range"),
        ("created_after=", "slot range"),
        ("created_after=-1", "slot range"),
        ("created_after=1.5", "slot range"),
        ("spent_before=" + "9" * 19, "slot range"),
        ("spent_before=" + "9" * 5_000, "slot range"),
        (f"created_after=1.{A.hex()[:-2]}", "slot range"),
        ("spent&unspent", "unspent"),
        ("spent&spent", "unspent"),
        ("unspent=", "unspent"),
        ("spent=true", "unspent"),
        ("resolve_hashes=", "flag"),
        ("resolve_hashes=false", "flag"),
        (f"asset_name={A.hex()}", "filter"),
        ("output_index=1", "filter"),
        (f"policy_id={A.hex()}", "filter"),
        (f"policy_id={A.hex()[:56]}&policy_id={A.hex()[:56]}", "filter"),
        (f"policy_id={A.hex()[:56]}&asset_name=a", "filter"),
        (f"policy_id={A.hex()[:56]}&asset_name={'ab' * 33}", "filter"),
        (f"policy_id={A.hex()[:56]}&output_index=1", "filter"),
        (f"policy_id={A.hex()[:56]}&transaction_id={A.hex()}", "filter"),
        (f"transaction_id={A.hex()}&asset_name=ab", "filter"),
        (f"transaction_id={A.hex()}&output_index=", "filter"),
        (f"transaction_id={A.hex()}&output_index=1&output_index=1", "filter"),
        ("transaction_id=*", "filter"),
        ("order", "order"),
        ("order=newest", "order"),
        ("order=oldest_first&order=oldest_first", "order"),
    ],
)
def test_a_query_that_says_too_much_or_nonsense_is_refused(query: str, part: str) -> None:
    """Flags take no value, not even an empty one: `?unspent=` is what some clients make of it."""
    response = Asking(index_of([Block(1, A)])).answer(f"/matches?{query}")
    assert (response.status.value, list(json.loads(response.body))) == (400, ["hint"])
    assert part in json.loads(response.body)["hint"]


def test_a_block_that_bounds_a_range_has_to_be_on_the_chain() -> None:
    """So a client that reads slot by slot sees that the chain has changed, and from where to go on."""
    asking = Asking(index_of([Block(5, A), Block(7, B)]))
    assert asking.get(f"/matches?created_after=5.{A.hex()}&spent_before=7.{B.hex().upper()}") == []
    for at, ancestor in ((f"6.{A.hex()}", Block(5, A)), (f"7.{A.hex()}", Block(7, B)), (f"9.{B.hex()}", Block(7, B))):
        for bound in ("created_after", "created_before", "spent_after", "spent_before"):
            response = asking.answer(f"/matches?{bound}={at}")
            body = json.loads(response.body)
            assert (response.status.value, body["details"]) == (400, {"ancestor": ancestor.point})
            assert at in body["hint"]
    for at in (f"4.{A.hex()}", "origin"):
        response = asking.answer(f"/matches?created_after={at}")
        assert (response.status.value, list(json.loads(response.body))) == (400, ["hint"])


def test_labels_of_metadata_cannot_be_queried() -> None:
    assert Asking(Index()).answer("/matches/{674}").status.value == 400


def test_values_in_a_query_may_be_percent_encoded_and_parted_by_semicolons() -> None:
    chain = [Block(1, A, (Tx(A, (), (Coin(HOMES[0]), Coin(HOMES[1]))),))]
    asking = Asking(index_of(chain))
    rows = asking.get(f"/matches?%6frder=oldest%5Ffirst;transaction_id={A.hex()};unspent")
    assert [row["output_index"] for row in rows] == [0, 1]


def grown_with_forks(maker: Maker, random: Random) -> tuple[Index, list[Block]]:
    index, chain = Index(), list[Block]()
    while len(chain) < 25:
        if chain and random.random() < 0.2:
            del chain[-random.randrange(1, 5) :]
            index.roll_back(Point(chain[-1].slot, chain[-1].id) if chain else ORIGIN)
        else:
            chain.append(maker.block(chain))
            index.apply(indexed(chain[-1]))
    return index, chain


def _all(*parts: Wanted) -> Wanted:
    return lambda at: all(part(at) for part in parts)


def _to(text: str) -> Wanted:
    return lambda at: at.coin.home.text == text


def _paying(hash_: bytes) -> Wanted:
    return lambda at: at.coin.home.payment == hash_


def _delegating(hash_: bytes) -> Wanted:
    return lambda at: at.coin.home.stake == hash_


def _policy(policy: bytes) -> Wanted:
    return lambda at: policy in [held for held, _, _ in at.coin.assets]


def _asset(policy: bytes, name: bytes) -> Wanted:
    return lambda at: (policy, name) in [(held, under) for held, under, _ in at.coin.assets]


def _transaction(id_: bytes) -> Wanted:
    return lambda at: at.tx.id == id_


def _index(index: int) -> Wanted:
    return lambda at: at.row["output_index"] == index


def _is_spent(at: Found) -> bool:
    return at.row["spent_at"] is not None


def _is_unspent(at: Found) -> bool:
    return at.row["spent_at"] is None


def _bounded(event: str, side: str, slot: int) -> Wanted:
    compare: Callable[[Any], bool] = (lambda n: n >= slot) if side == "after" else (lambda n: n <= slot)
    return lambda at: at.row[f"{event}_at"] is not None and compare(at.row[f"{event}_at"]["slot_no"])
