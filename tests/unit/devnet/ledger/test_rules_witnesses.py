"""Each rule about signatures and auxiliary data, broken alone."""

from dataclasses import replace

import pytest

from tests.contract.parts import ledger_set
from tests.contract.tree import Array, Map, Node, Tag, decode, encode
from tests.support.spending import (
    AUXILIARY_HASH,
    BOOTSTRAPS,
    KEYS,
    REQUIRED_SIGNERS,
    Spending,
    Wallet,
    byron_address,
    coin,
    digest,
    written,
)
from tests.unit.devnet.ledger.spendings import (
    ANN,
    BOB,
    CYD,
    accepted,
    alone,
    codes,
    plain,
    refused,
    registering,
)

METADATA = Map(((674, Map((("msg", Array(("hi",))),))),))
BAD_SCRIPT = bytes.fromhex("420001")  # no program


def missing(*wallets: Wallet) -> dict[str, list[str]]:
    return {"missingSignatories": sorted(wallet.hash.hex() for wallet in wallets)}


@pytest.mark.parametrize(
    ("spending", "wallet"),
    [
        (plain(), ANN),
        (replace(plain(), collaterals=(coin(BOB, number=1),), signers=(ANN, BOB)), BOB),
        (replace(plain(), signers=(ANN, CYD)).with_body({REQUIRED_SIGNERS: ledger_set([CYD.hash])}), CYD),
        (replace(registering(), inputs=(coin(BOB),), signers=(ANN, BOB)), ANN),
    ],
    ids=["input", "collateral", "required signer", "certificate"],
)
def test_whoever_has_to_sign_does(spending: Spending, wallet: Wallet) -> None:
    """3101, with the hash of the key whose signature is not there."""
    assert accepted(spending)
    assert missing(wallet) == alone(3101, replace(spending, unsigned=(wallet,)))


def test_who_need_not_sign_may() -> None:
    """A signature too many is nobody's business."""
    assert accepted(replace(plain(), signers=(ANN, BOB)))


def test_a_registration_that_names_no_deposit_needs_no_signature() -> None:
    """As in the eras before Conway."""
    certificates = Array((Array((0, Array((0, BOB.hash)))),))
    assert accepted(replace(registering(), more=-2_000_000).with_body({4: certificates}))


@pytest.mark.parametrize("wallet", [ANN, BOB], ids=["asked for", "not asked for"])
def test_every_signature_is_right(wallet: Wallet) -> None:
    """3100, with the key; of one that nobody asked for too."""
    wrong = Array((wallet.public, wallet.key.sign(b"another message").signature))
    right = [] if wallet is ANN else [ANN]
    spending = replace(plain(), signers=tuple(right))
    while True:  # a witness more changes the fee, and so what is signed
        raw = written(spending)
        signed = [Array((each.public, each.key.sign(transaction_id(raw)).signature)) for each in right]
        again = spending.with_witnesses({KEYS: ledger_set([*signed, wrong])})
        if written(again) == written(spending):
            break
        spending = again
    assert {"invalidSignatories": [wallet.public.hex()]} == alone(3100, spending)


def test_a_missing_signature_is_told_before_a_wrong_one() -> None:
    """3101 and 3100 rank alike: the rule that comes last in the ledger is told first."""
    wrong = Array((BOB.public, bytes(64)))
    both = plain().with_witnesses({KEYS: ledger_set([wrong])})
    assert codes(both) == [3101, 3100]
    assert refused(both).code == 3101


def test_a_byron_coin_is_spent_with_a_bootstrap_witness() -> None:
    """Its root is made of the key, the chain code and the attributes; a plain signature of the key does not do."""
    attributes = Map(((2, encode(42)),))
    held = coin(byron_address(CYD, attributes))
    spending = replace(plain(), inputs=(held,), signers=())
    right, wrong = (bootstrap(spending, attributes, code) for code in (bytes(32), bytes([1] * 32)))
    assert accepted(right)
    assert codes(wrong) == [3101]
    assert codes(replace(spending, signers=(CYD,))) == [3101]


def test_metadata_and_its_hash_belong_together() -> None:
    """Accepted where the hash is that of the bytes."""
    assert accepted(replace(plain(), auxiliary=METADATA))


def test_metadata_without_a_hash_in_the_body_is_refused() -> None:
    """3105, with the hash that should be there."""
    shown = {"metadata": {"hash": digest(encode(METADATA)).hex()}}
    assert shown == alone(3105, replace(plain(), auxiliary=METADATA).with_body({AUXILIARY_HASH: None}))


def test_a_hash_in_the_body_without_metadata_is_refused() -> None:
    """3106, with that hash."""
    assert alone(3106, plain().with_body({AUXILIARY_HASH: bytes([7] * 32)})) == {"metadata": {"hash": "07" * 32}}


def test_a_wrong_hash_of_metadata_is_refused() -> None:
    """3107, with both."""
    shown = {"provided": {"hash": "07" * 32}, "computed": {"hash": digest(encode(METADATA)).hex()}}
    assert shown == alone(3107, replace(plain(), auxiliary=METADATA).with_body({AUXILIARY_HASH: bytes([7] * 32)}))


def test_scripts_in_auxiliary_data_are_programs() -> None:
    """3108."""
    data = Tag(259, Map(((4, Array((BAD_SCRIPT,))),)))
    assert alone(3108, replace(plain(), auxiliary=data)) is None


def transaction_id(raw: bytes) -> bytes:
    """blake2b-256 of the body, which stands first."""
    transaction = decode(raw)
    assert isinstance(transaction, Array)
    return digest(encode(transaction[0]))


def bootstrap(spending: Spending, attributes: Node, chain_code: bytes) -> Spending:
    """Cyd's witness for a Byron coin."""
    while True:
        signature = CYD.key.sign(transaction_id(written(spending))).signature
        witness = Array((CYD.public, signature, chain_code, encode(attributes)))
        again = spending.with_witnesses({BOOTSTRAPS: ledger_set([witness])})
        if written(again) == written(spending):
            return spending
        spending = again
