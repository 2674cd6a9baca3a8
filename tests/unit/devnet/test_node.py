"""The node: what its blocks say, when they come, and what its faucet pays."""

import asyncio
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from io import BytesIO

import cbor2
import pytest
from nacl.signing import VerifyKey

from indexer.chain.block import OutputReference
from indexer.devnet.clock import VirtualClock, WallClock
from indexer.devnet.genesis import FUNDS, Genesis
from indexer.devnet.node import FaucetEmpty, Node
from tests.unit.devnet.payments import ANN, BOB, given, pay, waiting

# Blocks


def test_the_first_block_has_height_0_and_the_genesis_before_it() -> None:
    node = Node()
    assert (node.tip, len(node.chain)) == (None, 0)
    first, second = node.make_block(), node.make_block()
    assert [first.ancestor, second.ancestor] == [None, first.id]
    assert [(block.height, block.slot) for block in (first, second)] == [(0, 0), (1, 1)]
    assert (b'"ancestor":"genesis"' in first.text, first.id.hex().encode() in second.text) == (True, True)


def test_the_same_genesis_makes_the_same_chain_and_no_other_does() -> None:
    chains = []
    for genesis in (Genesis(), Genesis(), Genesis(seed="other"), Genesis(magic=43), Genesis().again()):
        node = Node(genesis)
        node.faucet(ANN.address, 5_000_000)
        node.make_block()
        node.make_block()
        chains.append([block.id for block in node.chain])
    same, again, *others = chains
    assert same == again
    assert len({block for chain in (same, *others) for block in chain}) == 8


def test_the_pools_certificate_is_signed_by_its_key() -> None:
    """As the ledger has it (OCertSignable): over the hot key, the counter and the period, in 8 bytes each."""
    issuer = Node().make_block().header["issuer"]
    certificate = issuer["operationalCertificate"]
    signed = bytes.fromhex(certificate["kes"]["verificationKey"]) + bytes(16)
    key = VerifyKey(bytes.fromhex(issuer["verificationKey"]))
    assert key.verify(signed, bytes.fromhex(certificate["sigma"])) == signed
    assert [len(issuer["leaderValue"][name]) for name in ("output", "proof")] == [128, 160]


def test_a_block_says_how_many_bytes_its_body_has() -> None:
    """Bodies, witnesses, auxiliary data by index and the indices of failures, each in one CBOR item."""
    node, coin = given(ANN)
    raws = []
    for number in range(30):
        raw, coin = pay(ANN, coin, BOB.address, 2_000_000, note="hello" if number % 7 == 3 else None)
        node.submit(raw)
        raws.append(raw)
    parts = [split(raw) for raw in raws]
    bodies, witnesses = (head(0x80, len(raws)) + b"".join(part[n] for part in parts) for n in (0, 1))
    noted = {n: part[3] for n, part in enumerate(parts) if part[3] != b"\xf6"}
    auxiliary_data = head(0xA0, len(noted)) + b"".join(head(0, n) + held for n, held in noted.items())
    assert len(noted) == 4
    expected = len(bodies + witnesses + auxiliary_data + b"\x80")
    assert {"bytes": expected} == node.make_block().header["size"]


def head(major: int, count: int) -> bytes:
    return bytes([major + count]) if count < 24 else bytes([major + 24, count])


def split(raw: bytes) -> list[bytes]:
    """Body, witnesses, flag and auxiliary data of a transaction."""
    stream = BytesIO(raw)
    assert stream.read(1) == b"\x84"
    decoder, parts = cbor2.CBORDecoder(stream, read_size=1), []
    for _ in range(4):
        start = stream.tell()
        decoder.decode()
        parts.append(raw[start : stream.tell()])
    return parts


def test_a_block_comes_in_every_slot_with_a_transaction_and_after_five_without() -> None:
    node = Node()
    slots = []
    for slot in range(14):
        if slot == 7:
            node.faucet(ANN.address, 5_000_000)
        node.tick()
        node.tick()  # twice in a slot changes nothing
        slots.append(len(node.chain))
        node.clock.skip(1)
    assert [block.slot for block in node.chain] == [0, 5, 7, 12]
    assert slots == [1, 1, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3, 4, 4]


def test_five_seconds_are_five_seconds_however_long_a_slot_is() -> None:
    node = Node(Genesis(slot_length=timedelta(milliseconds=200)))
    for _ in range(60):
        node.tick()
        node.clock.skip(1)
    assert [block.slot for block in node.chain] == [0, 25, 50]


def test_a_journey_through_time_makes_one_block() -> None:
    node = Node()
    node.skip(1_000_000)
    assert [block.slot for block in node.chain] == [1_000_000]
    assert node.clock.now() == datetime(2026, 1, 12, 13, 46, 40, tzinfo=UTC)


def test_no_block_is_larger_than_a_block_may_be() -> None:
    node = Node(capacity=10_000_000)
    for _ in range(400):
        node.faucet(ANN.address, 2_000_000)
    blocks = [node.make_block() for _ in range(2)]
    assert (len(node.mempool), sum(len(block.transactions) for block in blocks)) == (0, 400)
    size = blocks[0].header["size"]["bytes"]
    assert size <= 90_112 < size + len(blocks[1].transactions[0].raw)  # not one more


# The faucet


def test_the_faucet_pays_again_and_again_before_any_block() -> None:
    node = Node()
    ids = [node.faucet(ANN.address, 1_000_000 + number) for number in range(20)]
    node.make_block()
    assert [node.ledger.utxo[OutputReference(id_, 0)].lovelace for id_ in ids] == [1_000_000 + n for n in range(20)]


def test_the_faucet_pays_on_after_a_fork_took_its_last_payment() -> None:
    node = Node()
    lost = node.faucet(ANN.address, 5_000_000)
    node.make_block()
    node.fork(1, 1, drop=[lost])
    kept = node.faucet(ANN.address, 5_000_000)
    assert waiting(node) == [kept]


def test_the_faucet_says_when_it_has_too_little() -> None:
    node = Node()
    with pytest.raises(FaucetEmpty, match=str(FUNDS)):
        node.faucet(ANN.address, FUNDS)
    node.faucet(ANN.address, FUNDS - 5_000_000)
    with pytest.raises(FaucetEmpty):
        node.faucet(ANN.address, 5_000_000)


def test_the_faucets_address_and_coin_are_named_as_the_ledger_does() -> None:
    """CIP-19: type 6, network 0. An initial fund is named by the hash of its address, index 0."""
    genesis = Genesis()
    key_hash = blake2b(bytes(genesis.faucet_key.verify_key), digest_size=28).digest()
    assert genesis.faucet_address == b"\x60" + key_hash
    name = blake2b(b"\x60" + key_hash, digest_size=32).digest()
    assert list(genesis.utxo) == [OutputReference(name, 0)]
    assert Genesis(magic=764824073).faucet_address[0] == 0x61


# Clocks


def test_the_wall_clock_counts_slots_since_its_start() -> None:
    started = datetime.now(UTC) - timedelta(seconds=100)
    clock = WallClock(started, timedelta(milliseconds=500))
    assert clock.slot in (200, 201)
    clock.skip(1000)
    assert clock.slot in (1200, 1201)
    assert WallClock(datetime.now(UTC) + timedelta(seconds=30)).slot in (-30, -29)


async def test_a_clock_that_runs_lets_the_node_make_blocks() -> None:
    length = timedelta(milliseconds=2)
    node = Node(Genesis(start=datetime.now(UTC), slot_length=length), clock=WallClock(datetime.now(UTC), length))
    moved = asyncio.Event()
    node.chain.follow(lambda: moved.set() if len(node.chain) == 2 else None)
    node.clock.run(node.tick)
    node.faucet(ANN.address, 5_000_000)
    async with asyncio.timeout(10):
        await moved.wait()
    node.clock.stop()
    assert len(node.mempool) == 0
    before = len(node.chain)
    await asyncio.sleep(0.02)
    assert len(node.chain) == before


def test_a_virtual_clock_stands_still() -> None:
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC), timedelta(seconds=20))
    clock.skip(3)
    assert (clock.slot, clock.now()) == (3, datetime(2026, 1, 1, 0, 1, tzinfo=UTC))
