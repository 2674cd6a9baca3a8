"""Signatures from several hands, on a file that travels, and bytes that are no transaction."""

import random

import pytest
from nacl.signing import SigningKey

from indexer.chain.block import OutputReference
from indexer.edge.builder.build import Built
from indexer.edge.builder.errors import NotAsIntended, SignatureMissing, SignatureWrong
from indexer.edge.builder.intents import Reclaim
from indexer.edge.builder.reader import Unreadable, read
from indexer.edge.builder.signing import Witness, attach, complete, missing, sign, transaction_id
from tests.support.yard import FUNDER, HANDS, KEEPER, OWNER, Hand, Yard, furnished, terms


@pytest.fixture
async def built() -> Built:
    """A creation that the funder signs, paid by the funder too."""
    yard = await furnished()
    return await yard.build(yard.creation(terms()), FUNDER)


async def test_two_signatures_may_come_one_after_the_other() -> None:
    """In any order, from anywhere: the bytes are the same."""
    yard: Yard = await furnished()
    _, state = await yard.create(terms())
    left = await yard.do(yard.release(state, [0]))
    built = await yard.build(Reclaim(yard.coin(OutputReference(left.id, 0))), KEEPER)
    assert set(built.signers) == {FUNDER.hash, KEEPER.hash}
    one, other = (sign(built.transaction, HANDS[signer]) for signer in built.signers)
    halfway = attach(built.transaction, [one])
    assert missing(halfway, built.signers) == [other.key_hash]
    with pytest.raises(SignatureMissing, match=other.key_hash.hex()):
        complete(halfway, [], built.signers)
    whole = complete(halfway, [other], built.signers)
    assert whole == complete(attach(built.transaction, [other]), [one], built.signers)
    assert transaction_id(whole) == built.id == transaction_id(built.transaction)
    assert yard.node.submit(whole) == built.id


def test_a_signature_of_something_else_is_refused(built: Built) -> None:
    """Of another transaction, by another key, of another length."""
    right = sign(built.transaction, HANDS[FUNDER.hash])
    for wrong in (
        Witness(right.key, HANDS[FUNDER.hash].sign(bytes(32))),
        Witness(HANDS[OWNER.hash].public, right.signature),
        Witness(right.key, right.signature[:63]),
        Witness(right.key[:31], right.signature),
        Witness(bytes(32), bytes(64)),  # a key of small order: the ledger's libsodium refuses it
    ):
        with pytest.raises(SignatureWrong):
            attach(built.transaction, [wrong])


def test_a_signature_that_nobody_needs_is_left_out(built: Built) -> None:
    """The fee is reckoned for those that are needed."""
    witnesses = [sign(built.transaction, HANDS[wallet.hash]) for wallet in (FUNDER, OWNER)]
    assert len(complete(built.transaction, witnesses, built.signers)) == built.size


def test_the_same_signature_twice_is_there_once(built: Built) -> None:
    """Whoever gives the file twice changes nothing."""
    witness = sign(built.transaction, HANDS[FUNDER.hash])
    once = attach(built.transaction, [witness])
    assert attach(once, [witness, witness]) == once


def test_a_signer_who_gives_something_else_is_caught(built: Built) -> None:
    """Such as a command that signs with another key."""

    class Liar(Hand):
        def sign(self, message: bytes) -> bytes:
            return SigningKey(bytes(32)).sign(message).signature

    with pytest.raises(SignatureWrong):
        sign(built.transaction, Liar(HANDS[FUNDER.hash].key))


@pytest.mark.parametrize("raw", [b"", b"\x84", b"\x83\xa0\xa0\xf6", b"\x84\x80\xa0", b"\xa0", bytes(100), b"\xff" * 9])
def test_bytes_that_are_no_transaction_are_refused(raw: bytes) -> None:
    """By name, wherever they come from."""
    witness = Witness(bytes(32), bytes(64))
    with pytest.raises((NotAsIntended, SignatureWrong)):
        attach(raw, [witness])
    with pytest.raises(NotAsIntended):
        missing(raw, [KEEPER.hash])


def test_every_cut_is_refused(built: Built) -> None:
    """A file that was cut short is no transaction, wherever it was cut."""
    for length in range(len(built.transaction)):
        with pytest.raises(Unreadable):
            read(built.transaction[:length])


def test_noise_is_refused_by_name(built: Built) -> None:
    """Nothing but Unreadable comes of bytes altered at random."""
    chance = random.Random(3)
    for _ in range(3_000):
        raw = bytearray(built.transaction)
        for _ in range(chance.randint(1, 4)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        try:
            read(bytes(raw))
        except Unreadable:
            continue
