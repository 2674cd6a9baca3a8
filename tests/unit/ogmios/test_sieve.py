"""Soundness before speed: what the sieve holds back, a full decode would not have missed."""

import gzip
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.chain.address import CredentialKind
from indexer.chain.block import OutputReference
from indexer.chain.watch import CredentialWatch, Watch, Watches, parse_watch
from indexer.domain.observe import Delta, observe
from indexer.ogmios import wire
from indexer.ogmios.decode import transactions
from indexer.ogmios.replies import RollForward
from indexer.ogmios.sieve import FEW, Sieve
from tests.support.blocks import (
    STYLES,
    WATCHES,
    Block,
    Recipe,
    Style,
    chains,
    forward,
    make_chain,
    reserialised,
    tip_of,
)

DATA = Path(__file__).parents[2] / "data"
WATCHED = [parse_watch(text, None if kind is None else CredentialKind(kind)) for text, kind in WATCHES]
CROWD = [CredentialWatch(bytes([i, i + 1]) * 14) for i in range(FEW + 1)]  # enough to take the way for many


class EverythingMayConcernUs(Sieve):
    """A sieve with no mesh at all."""

    def may_concern_us(self, text: bytes) -> bool:  # noqa: ARG002
        return True


def in_python(watches: Watches) -> Sieve:
    """A sieve that does without what is compiled."""
    return Sieve(watches, find=None)


def deltas(messages: list[bytes], watched: list[Watch], kind: Callable[[Watches], Sieve]) -> list[Delta]:
    """What a chain of messages does, seen through a sieve that learns block by block."""
    watches = Watches.of(watched)
    sieve, found = kind(watches), []
    for message in messages:
        reply = wire.decode(message)
        assert isinstance(reply, RollForward)
        if sieve.may_concern_us(reply.text):
            delta = observe(reply.header, transactions(reply, sieve.may_concern_us), watches, sieve)
            if delta:
                found.append(delta)
    return found


def spoken(chain: list[Block], style: Style | None) -> list[bytes]:
    """The chain as messages, in Ogmios' own hand or in a proxy's."""
    messages = [forward(block, tip_of(chain)) for block in chain]
    return messages if style is None else [reserialised(m, style) for m in messages]


@settings(max_examples=300)
@given(
    chain=chains(max_size=8, recipe=Recipe(failures=0.3)),
    style=st.sampled_from([None, None, *STYLES]),
    crowd=st.booleans(),
)
def test_the_sieve_never_holds_back_what_a_full_decode_finds(
    chain: list[Block], style: Style | None, crowd: bool
) -> None:
    """On made chains full of bait, whatever the handwriting, for few watches and for many."""
    messages, watched = spoken(chain, style), [*WATCHED, *(CROWD if crowd else [])]
    found = deltas(messages, watched, EverythingMayConcernUs)
    assert deltas(messages, watched, Sieve) == found
    assert deltas(messages, watched, in_python) == found


@pytest.mark.parametrize("seed", range(12))
def test_depth_hides_nothing(seed: int) -> None:
    """Scripts too deep for any parser, among the witnesses and in outputs of ours."""
    chain = make_chain(Random(seed), 5, Recipe(deep=3_000, deep_scripts=0.6, eras=("conway",)))
    messages = spoken(chain, None)
    assert any(b"[" * 50 in m.replace(b'{"clause":"all","from":', b"") for m in messages)
    assert deltas(messages, WATCHED, EverythingMayConcernUs) == deltas(messages, WATCHED, Sieve)


@pytest.mark.parametrize("corpus", ["mainnet-conway-35-blocks.v7", "preprod-babbage-913-contiguous.v6"])
def test_on_real_blocks_the_sieve_finds_what_a_full_decode_finds(corpus: str) -> None:
    """For credentials of every tenth address of the corpus, few and many at a time."""
    with gzip.open(DATA / f"{corpus}.jsonl.gz") as file:
        messages = [line.strip() for line in file]
    seen = {
        output.address
        for message in messages
        for reply in [wire.decode(message)]
        if isinstance(reply, RollForward)
        for transaction in transactions(reply, lambda _: True)
        for _, output in transaction.creates
    }
    random = Random(7)
    watched = [parse_watch(address) for address in random.sample(sorted(seen), len(seen) // 10)]
    for some in (watched[:FEW], watched):
        found = deltas(messages, some, EverythingMayConcernUs)
        assert deltas(messages, some, Sieve) == found
        assert deltas(messages, some, in_python) == found


def test_the_mesh_is_fine_enough_to_be_of_use() -> None:
    """A watch that nothing concerns lets no real block through, nor does an output that nobody spends."""
    with gzip.open(DATA / "mainnet-conway-35-blocks.v7.jsonl.gz") as file:
        messages = [line.strip() for line in file]
    for watched in ([CROWD[0]], CROWD):
        sieve = Sieve(Watches.of(watched), [OutputReference(bytes(32), 0)])
        assert not any(sieve.may_concern_us(message) for message in messages)


def test_an_output_released_is_not_looked_for_any_longer() -> None:
    """One output of a transaction may be spent while another is still held."""
    sieve = Sieve(Watches(), [OutputReference(b"t" * 32, 0), OutputReference(b"t" * 32, 1)])
    text = b'{"transaction":{"id":"%s"},"index":1}' % (b"t" * 32).hex().encode()
    sieve.release(OutputReference(b"t" * 32, 0))
    assert sieve.may_concern_us(text)
    sieve.release(OutputReference(b"t" * 32, 1))
    assert not sieve.may_concern_us(text)


def test_an_id_that_begins_like_one_of_ours_is_not_ours() -> None:
    """Two ids with the same first 64 bits can be made with some effort; spending one must not drop the other."""
    ours, twin = OutputReference(b"12345678" + b"a" * 24, 0), OutputReference(b"12345678" + b"b" * 24, 0)
    sieve = Sieve(Watches(), [ours])
    assert not sieve.holds(twin)
    sieve.release(twin)
    assert sieve.holds(ours)
    assert sieve.may_concern_us(b'{"transaction":{"id":"%s"},"index":0}' % ours.transaction_id.hex().encode())
