"""Attempts to steal or to lock money, one test each: encodings, positions, keys, signatures, and edges of the ledger.

Each is refused, or it goes through and the docstring says why nobody is harmed: see `test_hostile`. Where the ledger is
known to say otherwise than the evaluator, the docstring says so.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Final

import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from tests.contract.case import Case
from tests.contract.evaluate import NotEvaluated, evaluate
from tests.contract.healthy import (
    DISTRIBUTION,
    FUEL,
    NOW,
    STATE,
    create,
    reclaim,
    release,
    sample,
    signatures,
    state_token,
    withdraw,
)
from tests.contract.jiggle import re_encoded
from tests.contract.keys import key_hash
from tests.contract.malformed import malformed, places
from tests.contract.mutate import position, with_output, with_redeemer, with_resolved
from tests.contract.parts import ADDRESS, COLLATERAL, OUTPUTS, closed, ledger_set, opened, outputs, redeemer
from tests.contract.plutus import constr, integer, octets, sequence
from tests.contract.recreate import with_terms
from tests.contract.releasing import NOWHERE, listing, showing
from tests.contract.script import OWN
from tests.contract.terms import TAG, Allocation, Asset, message, signature, somebody
from tests.contract.tree import Array, Chunks, Map, Node, Tag, encode, nodes, replaced
from tests.contract.verdict import passes, refused

TERMS: Final = sample()
CREATION, RELEASE = create(TERMS), release(TERMS)
STATE_TOKEN: Final = state_token(TERMS)
PROOFS: Final = dict(signatures(TERMS, b"m1", (0, 1, 2)))

# --- The same data, written otherwise


def padded(data: Node, zeros: int, *kinds: type) -> Node:
    """The same data at greater length: strings in pieces, most of them empty; integers as numbers with leading zeros;
    constructors under the tag that goes for any. `kinds`: which of these."""
    match data:
        case int() if int in kinds:
            return Tag(2, Chunks((bytes(zeros), data.to_bytes(8, "big"))))
        case bytes() if bytes in kinds:
            return Chunks((*[b""] * zeros, data))
        case Tag(number, value) if Tag in kinds:
            return Tag(102, Array((number - 121, padded(value, zeros, *kinds))))
        case Tag(number, value):
            return Tag(number, padded(value, zeros, *kinds))
        case Array(items, indefinite):
            return Array(tuple(padded(item, zeros, *kinds) for item in items), indefinite)
    return data


@pytest.mark.parametrize("zeros", [1, 40])
def test_a_bloated_datum_holds_nothing_back(zeros: int) -> None:
    """The ledger keeps a datum as it was written, so whoever releases can make it as long as a transaction. He pays its
    min-ada, which the funder gets; to the script it is the same datum, and the next release writes it short again. Who
    reads the chain has to read every form."""
    before, after = (padded(data, zeros, int, bytes, Tag) for data in (TERMS.data(), TERMS.claim((0, 1)).data()))
    assert len(encode(after)) > len(encode(TERMS.data())) + 20 * zeros
    assert passes(with_output(RELEASE, DISTRIBUTION, datum=after))
    assert passes(with_resolved(RELEASE, STATE, datum=before))
    assert refused(with_output(RELEASE, DISTRIBUTION, datum=before), by="spend")


def test_an_id_does_not_depend_on_how_the_terms_were_written() -> None:
    """The ledger's `serialiseData` writes a value in one way: the same terms have one id. The evaluator does so for
    strings only; of lists and constructors it hashes the form that it read. So the last two lines show it, not the
    ledger, which says the opposite. Should they fail one day, it has learnt: turn them round."""
    strings, lists = padded(TERMS.data(), 2, bytes), re_encoded(TERMS.data())
    assert encode(TERMS.data()) not in (encode(strings), encode(lists))
    assert passes(with_output(CREATION, DISTRIBUTION, datum=strings))
    assert passes(with_terms(CREATION, lists))
    assert refused(with_output(CREATION, DISTRIBUTION, datum=lists), by="mint")


def nudged(data: Node) -> Iterator[Node]:
    """The data with one thing in it made something else, at every place in turn."""
    for path, node in nodes(data):
        match node:
            case int():
                yield replaced(data, path, node + 1)
            case bytes():
                yield replaced(data, path, node + b"\0")
            case Array(items) if items:
                yield replaced(data, path, sequence(*items, items[-1]))
                yield replaced(data, path, sequence(*items[:-1]))
            case Tag(number, value):
                yield replaced(data, path, Tag(number + 1, value))


def test_no_other_terms_stand_under_an_id() -> None:
    """Signatures hold for the id. Whatever is changed in the terms, the token of the old ones does not fit: neither
    when it is minted, nor when it is kept."""
    for terms in nudged(TERMS.data()):
        assert refused(with_output(CREATION, DISTRIBUTION, datum=terms), by="mint")
    for terms in nudged(TERMS.claim((0, 1)).data()):
        assert refused(with_output(RELEASE, DISTRIBUTION, datum=terms), by="spend")


def test_no_encoding_begins_another() -> None:
    """Then what is hashed, a pair of seed and terms, can be read in one way only. Here are those that look alike."""
    zeros: tuple[Node, ...] = (0, 0)
    lists = [sequence(*zeros[:n]) for n in range(3)] + [sequence(sequence(), 0), sequence(sequence(0))]
    maps = [Map(()), Map(((0, 0),))]
    constructors = [constr(n) for n in (0, 1, 6, 7, 8, 127)] + [constr(0, 0), constr(0, 0, 0), constr(0, sequence(0))]
    strings = [octets(bytes(n)) for n in (0, 1, 63, 64, 65, 128, 129)] + [sequence(bytes(64), b"\0")]
    integers = [integer(n) for n in (0, -1, 23, 24, 2**64 - 1, -(2**64), 2**64, -(2**64) - 1, 2**600)]
    alike: list[Node] = [*lists, *maps, *constructors, *strings, *integers]
    encodings = sorted(map(encode, alike))
    assert not any(longer.startswith(shorter) for shorter, longer in pairwise(encodings))


# --- Data of another kind


REDEEMERS: Final[dict[str, tuple[Case, str]]] = {
    "create": (CREATION, "mint"),
    "burn": (reclaim(sample(expires_at=NOW)), "mint"),
    "release": (release(sample(1, oracles=1, threshold=1)), "spend"),
    "reclaim": (reclaim(TERMS, stray=True), "spend"),
    "withdraw": (withdraw(), "spend"),
}


@pytest.mark.parametrize("name", REDEEMERS)
def test_redeemers_are_read_in_full(name: str) -> None:
    """No field more or fewer, no other kind, at any depth, used or not: so that no check was optimised away, and the
    indexer, which reads them too, never sees one accepted that it cannot read."""
    case, purpose = REDEEMERS[name]
    index = position(case, STATE) if purpose == "spend" else 0
    data = redeemer(case, purpose, index)
    for place in places(data):
        for what, other in malformed(data, place):
            assert refused(with_redeemer(case, purpose, index, other), by=purpose), (what, place)


@pytest.mark.parametrize("size", [64, 4096])
def test_numbers_of_any_size_lock_no_stray(size: int) -> None:
    """A stray decodes in full whatever its integers: it comes back, and only those who store them have to take care."""
    huge = 1 << size
    allocations = tuple(Allocation(somebody("a friend"), n, b"", n) for n in (huge, -huge))
    terms = replace(TERMS, threshold=-huge, allocations=allocations, lovelace_per_payout=-huge, expires_at=huge)
    assert passes(reclaim(terms, stray=True))
    assert refused(with_terms(CREATION, terms), by="mint")


# --- Positions


@pytest.mark.parametrize("index", NOWHERE)
def test_no_position_is_outside_its_list(index: int) -> None:
    """Neither counted from the end, nor wrapped around, nor passed over: of allocations and of signatures."""
    for indices in ((index,), (0, index), (index, 0), (0, 1, index)):
        assert refused(listing(RELEASE, indices), by="spend")
        assert refused(showing(RELEASE, ((at, PROOFS.get(at, PROOFS[0])) for at in indices)), by="spend")


@pytest.mark.parametrize("indices", [(), (0, 0), (1, 0), (1, 1), (0, 0, 1), (0, 1, 0), (0, 1, 1)])
def test_nothing_counts_twice(indices: tuple[int, ...]) -> None:
    """Positions ascend: of allocations and of signatures."""
    assert refused(listing(RELEASE, indices), by="spend")
    assert refused(showing(RELEASE, ((at, PROOFS[at]) for at in indices)), by="spend")


@pytest.mark.parametrize("threshold", [1, 2])
def test_no_oracle_stands_there_twice(threshold: int) -> None:
    """One key under two positions would be two signatures."""
    for positions in ((0, 0), (0, 1, 0), (0, 1, 1), (2, 1, 2)):
        oracles = tuple(TERMS.oracles[at] for at in positions)
        assert refused(with_terms(CREATION, replace(TERMS, oracles=oracles, threshold=threshold)), by="mint")


# --- Signatures for something else


def test_signatures_are_not_replayed() -> None:
    """From another milestone, other terms, another contract; from another seed, of which the token's name tells."""
    for proofs in (
        signatures(TERMS, b"m2", (0, 1)),
        signatures(replace(TERMS, expires_at=NOW), b"m1", (0, 1)),
        signatures(TERMS, b"m1", (0, 1), policy=bytes(28)),
    ):
        assert refused(showing(RELEASE, proofs), by="spend")
    other = Asset(OWN, bytes(32))
    case = with_resolved(RELEASE, STATE, plus={STATE_TOKEN: -1, other: 1})
    case = with_output(case, DISTRIBUTION, plus={STATE_TOKEN: -1, other: 1})
    assert refused(case, by="spend")
    content = message(OWN, other.name, b"m1")
    assert passes(showing(case, ((n, signature(TERMS.oracles[n], content)) for n in (0, 1))))


def test_one_milestone_does_not_pay_another() -> None:
    """By itself, or in the company of one that is attested."""
    terms = sample(milestones=(b"m1", b"m2"))
    for indices in ((1,), (0, 1)):
        assert refused(release(terms, b"m1", indices), by="spend")


@pytest.mark.parametrize("milestone", [b"m", b"1", b"m1\0", STATE_TOKEN.name[-1:] + b"m1", b"m1" * 32])
def test_messages_do_not_run_together(milestone: bytes) -> None:
    """Tag, policy and id have each one length, and the milestone is what remains. A transaction signed with an oracle's
    key is no attestation either: what is hashed there begins with the head of a map."""
    assert (len(TAG), len(OWN), len(STATE_TOKEN.name)) == (32, 28, 32)
    terms = replace(TERMS, allocations=tuple(replace(one, milestone=milestone) for one in TERMS.allocations))
    case = release(terms, milestone)
    assert passes(case)
    assert refused(showing(case, signatures(terms, b"m1", (0, 1))), by="spend")
    assert TAG[:1] != encode(opened(RELEASE).body)[:1]


def on_a_test_network(case: Case) -> Case:
    """The same transaction, its addresses those of a test network."""
    parts = opened(case)

    def moved(output: Map) -> Map:
        address = output[ADDRESS]
        assert isinstance(address, bytes)
        return output.with_value(ADDRESS, bytes([address[0] & 0xF0]) + address[1:])

    body = parts.body.with_value(OUTPUTS, Array(tuple(map(moved, outputs(case)))))
    return closed(replace(parts, body=body, resolved={at: moved(output) for at, output in parts.resolved.items()}))


def test_a_network_is_told_by_the_seed_only() -> None:
    """A script does not see on which network it runs, and the message does not name it. What tells them apart is the
    transaction that made the seed: it names addresses of its own network. Two test networks that begin with the same
    coins can have the same seed, and the same terms under it; so oracles use other keys on each."""
    assert passes(on_a_test_network(CREATION))
    assert passes(on_a_test_network(RELEASE))


# --- Signatures that are not what they seem

GROUP_ORDER: Final = 2**252 + 27742317777372353535851937790883648493

# The y of every point whose order divides 8, as in libsodium's `ge25519_has_small_order`.
SMALL_ORDER: Final = tuple(
    bytes.fromhex(point)
    for point in (
        "01" + "00" * 31,
        "00" * 32,
        "ec" + "ff" * 30 + "7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
)


def test_a_signature_is_not_made_another() -> None:
    """The second half of a signature stands for itself modulo the order of the group; more than that is refused, by the
    evaluator as by libsodium, which the ledger uses. It would gain nothing: an oracle counts by position."""
    proof = PROOFS[0]
    other = proof[:32] + (int.from_bytes(proof[32:], "little") + GROUP_ORDER).to_bytes(32, "little")
    with pytest.raises(BadSignatureError):
        VerifyKey(TERMS.oracles[0]).verify(message(OWN, STATE_TOKEN.name, b"m1"), other)
    assert refused(showing(RELEASE, ((0, other), (1, PROOFS[1]))), by="spend")
    assert refused(showing(RELEASE, ((0, proof), (0, other))), by="spend")


def test_no_key_is_everybodys() -> None:
    """Anybody could sign for a key of small order. libsodium, and so the ledger, refuses each; such an oracle never
    attests, and `register-milestone` does not take one. The evaluator lets it pass: a test network that relies on it
    pays where the ledger would not."""
    few = sample(oracles=1, threshold=1)
    terms = replace(few, oracles=SMALL_ORDER[:1])
    content = message(OWN, state_token(terms).name, b"m1")
    for point in SMALL_ORDER:
        for commitment in SMALL_ORDER:
            with pytest.raises(BadSignatureError):
                VerifyKey(point).verify(content, commitment + bytes(32))
    assert passes(with_terms(CREATION, terms))
    token = {state_token(few): -1, state_token(terms): 1}
    case = with_resolved(release(few), STATE, datum=terms.data(), plus=token)
    case = with_output(case, DISTRIBUTION, datum=terms.claim((0, 1)).data(), plus=token)
    assert passes(showing(case, ((0, SMALL_ORDER[0] + bytes(32)),)))


# --- Edges of the ledger


def test_a_pointer_beside_a_release_is_a_key() -> None:
    """The keeper's coins may lie at an address of before Conway; a distribution, and what it pays, may not."""
    pointer = bytes([0x41]) + key_hash("keeper") + bytes([1, 2, 3])
    assert passes(with_resolved(RELEASE, FUEL, address=pointer))
    assert passes(with_output(RELEASE, -1, address=pointer))
    assert refused(with_output(CREATION, DISTRIBUTION, address=bytes([0x51]) + OWN + bytes([1, 2, 3])), by="mint")
    assert refused(with_output(RELEASE, DISTRIBUTION, address=bytes([0x51]) + OWN + bytes([1, 2, 3])), by="spend")


def test_a_byron_address_beside_a_release_stops_it() -> None:
    """It cannot be shown to a Plutus script: the ledger refuses the transaction before ours runs, and nothing is lost
    but the attempt."""
    byron = bytes.fromhex("82d818582183581c" + "11" * 28 + "a0001a00000000")
    assert isinstance(evaluate(with_resolved(RELEASE, FUEL, address=byron)), NotEvaluated)


def test_collateral_is_no_way_in() -> None:
    """No script sees it, nor whether the transaction calls itself invalid. The ledger takes only coins of keys for it,
    so no distribution, and believes `invalid` only where a script fails; then nothing but collateral is spent."""
    parts = opened(RELEASE)
    body = parts.body.with_value(COLLATERAL, ledger_set((STATE.node(),)))
    assert passes(closed(replace(parts, body=body)))
    assert passes(closed(replace(parts, tail=(False, None))))
