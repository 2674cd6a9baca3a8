"""Transactions are read as the node's decoder reads them: what it takes in any form, what it refuses by a reason."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import pycardano  # type: ignore[import-untyped]
import pytest

from indexer.chain.block import OutputReference
from indexer.devnet.ledger.outputs import output_from
from indexer.devnet.ledger.read import Undecodable, read_transaction
from indexer.devnet.ledger.transaction import (
    Credential,
    Deregistration,
    Registration,
    UnknownCertificate,
    VoteDelegation,
)
from tests.contract.gallery import GALLERY
from tests.contract.parts import OUTPUTS, items, opened
from tests.contract.tree import Chunks, Embedded, Node, Tag, decode, encode
from tests.unit.devnet.ledger.written import (
    ACCOUNT,
    ADDRESS,
    ID,
    IN,
    KEY,
    KEYED,
    NATIVE,
    OUT,
    POLICY,
    SCRIPT,
    SIGNED,
    UNITS,
    listed,
    mapped,
    outputs,
    tokens,
    written,
)

WHO: Final = Credential(KEY, is_script=False)
REFERENCE: Final = listed(ID, 9)
LONG: Final = b"\0" * 65


def references(inputs: Any) -> tuple[OutputReference, ...]:
    return tuple(OutputReference(bytes(i.transaction_id), i.index) for i in inputs or ())


@pytest.mark.parametrize("name", GALLERY)
def test_what_another_library_reads_is_read_alike(name: str) -> None:
    """pycardano, which reads the same bytes by its own code, sees the same. It does not keep them, so the id and the
    outputs' bytes are compared with those of the tests' own tree."""
    case = GALLERY[name]()
    ours, theirs = read_transaction(case.transaction), pycardano.Transaction.from_cbor(case.transaction)
    body, witnesses = theirs.transaction_body, theirs.transaction_witness_set
    tree = opened(case).body
    assert blake2b(encode(tree), digest_size=32).digest() == ours.id
    assert [encode(out) for out in items(tree, OUTPUTS)] == [out.raw for out in ours.outputs]
    assert body.fee == ours.fee
    assert references(body.inputs) == ours.inputs
    assert references(body.collateral) == ours.collaterals
    assert references(body.reference_inputs) == ours.references
    assert (body.validity_start, body.ttl) == (ours.invalid_before, ours.invalid_hereafter)
    assert tuple(map(bytes, body.required_signers or ())) == ours.required_signers
    assert bytes(body.script_data_hash) == ours.script_integrity_hash
    assert (body.total_collateral, body.donation or 0) == (ours.total_collateral, ours.donation)
    assert (body.mint.to_primitive() if body.mint else {}) == ours.mint
    assert [bytes(out.address) for out in body.outputs] == [out.address for out in ours.outputs]
    assert [out.amount.coin for out in body.outputs] == [out.lovelace for out in ours.outputs]
    assert [out.amount.multi_asset.to_primitive() for out in body.outputs] == [out.assets for out in ours.outputs]
    assert [len(out.amount.to_cbor()) for out in body.outputs] == [out.value_size for out in ours.outputs]
    signed = [(bytes(witness.vkey.payload), bytes(witness.signature)) for witness in witnesses.vkey_witnesses]
    assert signed == [(witness.key, witness.signature) for witness in ours.witnesses.keys]
    hashes = [bytes(pycardano.script_hash(script)) for script in witnesses.plutus_v3_script or ()]
    assert hashes == [script.hash for script in ours.witnesses.scripts]
    units = {(k.tag.value, k.index): (v.ex_units.mem, v.ex_units.steps) for k, v in witnesses.redeemer.items()}
    assert units == {(r.purpose, r.index): (r.memory, r.steps) for r in ours.witnesses.redeemers}


@pytest.mark.parametrize("auxiliary", [None, mapped(), mapped((1, "x" * 64))])
def test_its_size_is_that_of_three_parts(auxiliary: Node) -> None:
    """Fees and limits leave out the validity flag (`toCBORForSizeComputation` in Alonzo's Tx.hs): one byte less than
    what is sent. Who reckons the fee by the latter, as the bench of the contract does, pays 44 lovelace too much."""
    raw = written(auxiliary=auxiliary)
    until_a_break = b"\x9f" + raw[1:] + b"\xff"
    assert len(raw) - 1 == read_transaction(raw).size
    assert len(raw) - 1 == read_transaction(until_a_break).size


def test_its_id_is_the_hash_of_the_bytes_of_its_body() -> None:
    """Not of what they say: said in more bytes, the same has another id."""
    raw = written()
    body = encode(mapped((0, listed(IN)), (1, listed(OUT)), (2, 200_000)))
    assert blake2b(body, digest_size=32).digest() == read_transaction(raw).id
    wordy = raw.replace(bytes.fromhex("1a00030d40"), bytes.fromhex("1b0000000000030d40"))
    assert read_transaction(raw).fee == read_transaction(wordy).fee
    assert read_transaction(raw).id != read_transaction(wordy).id


def test_every_field_of_a_body_is_read() -> None:
    """One of each, in an order that no wallet has."""
    certificates = listed(listed(0, KEYED), listed(7, KEYED, 2_000_000), listed(4, KEY, 5))
    tx = read_transaction(
        written(
            (22, 7),
            (21, 6),
            (18, Tag(258, listed(REFERENCE))),
            (17, 5),
            (16, OUT),
            (15, 0),
            (14, listed(KEY)),
            (13, listed(listed(ID, 8))),
            (11, ID),
            (9, tokens(quantity=-3)),
            (8, 100),
            (7, ID),
            (5, mapped((ACCOUNT, 0))),
            (4, certificates),
            (3, 200),
            (20, listed(listed(1))),
            (19, mapped((listed(0, KEY), mapped()))),
        )
    )
    assert (tx.donation, tx.treasury, tx.total_collateral, tx.network) == (7, 6, 5, 0)
    assert tx.references == (OutputReference(ID, 9),)
    assert tx.collaterals == (OutputReference(ID, 8),)
    assert tx.collateral_return == tx.outputs[0] == output_from(encode(OUT))
    assert tx.required_signers == (KEY,)
    assert tx.script_integrity_hash == tx.auxiliary_data_hash == ID
    assert tx.mint == {POLICY: {b"TOKEN": -3}}
    assert (tx.invalid_before, tx.invalid_hereafter) == (100, 200)
    assert tx.withdrawals == {ACCOUNT: 0}
    assert tx.certificates == (Registration(WHO, None), Registration(WHO, 2_000_000), UnknownCertificate(4))
    assert tx.governance == ("proposalProcedures", "votingProcedures")


def test_a_transaction_may_spend_nothing_and_create_nothing() -> None:
    """That is for the rules to refuse."""
    tx = read_transaction(written(inputs=listed(), outputs=listed()))
    assert (tx.inputs, tx.outputs, tx.mint, tx.network) == ((), (), {}, None)


def test_a_failing_transaction_spends_its_collaterals() -> None:
    """The flag decides."""
    collaterals = (13, listed(listed(ID, 3)))
    assert read_transaction(written(collaterals, valid=True)).spends == (OutputReference(ID, 0),)
    assert read_transaction(written(collaterals, valid=False)).spends == (OutputReference(ID, 3),)


CERTIFICATES: Final = {
    "registration": (listed(0, KEYED), Registration(WHO, None)),
    "deregistration": (listed(1, listed(1, SCRIPT)), Deregistration(Credential(SCRIPT, is_script=True), None)),
    "registration with its deposit": (listed(7, KEYED, 5), Registration(WHO, 5)),
    "deregistration with its refund": (listed(8, KEYED, 0), Deregistration(WHO, 0)),
    "delegation to a key": (listed(9, KEYED, listed(0, SCRIPT)), VoteDelegation(WHO, encode(listed(0, SCRIPT)))),
    "delegation to a script": (listed(9, KEYED, listed(1, SCRIPT)), VoteDelegation(WHO, encode(listed(1, SCRIPT)))),
    "abstention": (listed(9, KEYED, listed(2)), VoteDelegation(WHO, b"\x81\x02")),
    "no confidence": (listed(9, KEYED, listed(3)), VoteDelegation(WHO, b"\x81\x03")),
    **{
        f"one of kind {kind}": (listed(kind, mapped(), "whatever"), UnknownCertificate(kind))
        for kind in (2, 3, 4, 10, 11, 12, 13, 14, 15, 16, 17, 18)
    },
}


@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificates_of_stake_keys_are_read_and_others_named(name: str) -> None:
    """What the devnet does not model is kept by its kind, and the rules refuse it."""
    certificate, expected = CERTIFICATES[name]
    assert read_transaction(written((4, listed(certificate)))).certificates == (expected,)


def test_two_unknown_certificates_of_one_kind_are_two() -> None:
    """A set holds things once; these differ in what the devnet does not read."""
    twice = read_transaction(written((4, listed(listed(2, KEYED, KEY), listed(2, KEYED, SCRIPT)))))
    assert twice.certificates == (UnknownCertificate(2), UnknownCertificate(2))


TAKEN: Final[Mapping[str, bytes]] = {
    "sets with their tag": written(
        (4, Tag(258, listed(listed(0, KEYED)))), (13, Tag(258, listed(IN))), (14, Tag(258, listed(KEY)))
    ),
    "lists and maps that end in a break": bytes.fromhex("9fbf009f9f5820")
    + ID
    + bytes.fromhex("00ffff019fbf00581d")
    + ADDRESS
    + bytes.fromhex("0101ffff0200ffbffff5bfffff"),
    "numbers in nine bytes": written().replace(bytes.fromhex("1a00030d40"), bytes.fromhex("1b0000000000030d40")),
    "the largest index": written(inputs=listed(listed(ID, 65_535))),
    "the largest amounts": written(outputs=outputs(value=listed(2**64 - 1, tokens(quantity=2**64 - 1)))),
    "the largest mint": written((9, tokens(quantity=2**63 - 1))),
    "the largest burn": written((9, tokens(quantity=-(2**63)))),
    "a value with an empty map of tokens": written(outputs=outputs(value=listed(5, mapped()))),
    "an asset without a name": written(outputs=outputs(value=listed(5, tokens(name=b"")))),
    "the first and the last slot": written((3, 2**64 - 1), (8, 0)),
    "metadata that nothing announces": written(auxiliary=mapped((0, 1))),
    "auxiliary data that is empty": written(auxiliary=Tag(259, mapped())),
}


@pytest.mark.parametrize("name", TAKEN)
def test_forms_that_the_decoder_takes_are_taken(name: str) -> None:
    """Tags on sets, breaks and long numbers are the wallet's choice."""
    assert read_transaction(TAKEN[name]).raw == TAKEN[name]


REFUSED: Final[Mapping[str, bytes]] = {
    "nothing": b"",
    "a number": b"\x00",
    "an array of three, as before Alonzo": encode(
        listed(mapped((0, listed(IN)), (1, listed()), (2, 0)), mapped(), None)
    ),
    "an array of five": encode(listed(mapped((0, listed()), (1, listed()), (2, 0)), mapped(), True, None, None)),
    "a flag that is a number": written(valid=1),
    "a body without a fee": encode(listed(mapped((0, listed(IN)), (1, listed(OUT))), mapped(), True, None)),
    "a body without outputs": encode(listed(mapped((0, listed(IN)), (2, 0)), mapped(), True, None)),
    "a body that is a list": encode(listed(listed(), mapped(), True, None)),
    "a field that there is no more": written((6, 1)),
    "a field that there is not yet": written((23, 1)),
    "a field with a negative number": written((-1, 1)),
    "a field twice": written((3, 1), (3, 1)),
    "inputs with another tag": written(inputs=Tag(259, listed(IN))),
    "an input twice": written(inputs=listed(IN, IN)),
    "a reference twice": written((18, listed(IN, IN))),
    "a collateral twice": written((13, listed(IN, IN))),
    "a signer twice": written((14, listed(KEY, KEY))),
    "a certificate twice": written((4, listed(listed(0, KEYED), listed(0, KEYED)))),
    "an unknown certificate twice": written((4, listed(listed(2, KEYED, KEY), listed(2, KEYED, KEY)))),
    "a withdrawal twice": written((5, mapped((ACCOUNT, 1), (ACCOUNT, 2)))),
    "a withdrawal from a payment address": written((5, mapped((ADDRESS, 1)))),
    "no references": written((18, listed())),
    "no collaterals": written((13, Tag(258, listed()))),
    "no signers": written((14, listed())),
    "no certificates": written((4, listed())),
    "no withdrawals": written((5, mapped())),
    "no mint": written((9, mapped())),
    "no votes": written((19, mapped())),
    "no proposals": written((20, listed())),
    "no donation": written((22, 0)),
    "a third network": written((15, 2)),
    "a negative fee": written(fee=-1),
    "a fee that is a big integer": written(fee=Tag(2, b"\1")),
    "a fee in text": written(fee="1"),
    "a slot below zero": written((8, -1)),
    "a hash of 31 bytes": written((7, bytes(31))),
    "a hash in pieces": written((11, Chunks((bytes(16), bytes(16))))),
    "a signer of 32 bytes": written((14, listed(bytes(32)))),
    "an id of 28 bytes": written(inputs=listed(listed(KEY, 0))),
    "an index of 17 bits": written(inputs=listed(listed(ID, 65_536))),
    "an input of three parts": written(inputs=listed(listed(ID, 0, 0))),
    "a mint of nothing": written((9, tokens(quantity=0))),
    "a mint of 2^63": written((9, tokens(quantity=2**63))),
    "a burn of more than 2^63": written((9, tokens(quantity=-(2**63) - 1))),
    "a mint without assets": written((9, mapped((POLICY, mapped())))),
    "a policy twice": written((9, mapped((POLICY, mapped((b"A", 1))), (POLICY, mapped((b"B", 1)))))),
    "an asset twice": written((9, mapped((POLICY, mapped((b"A", 1), (b"A", 1)))))),
    "a policy of 27 bytes": written((9, tokens(policy=bytes(27)))),
    "a name of 33 bytes": written((9, tokens(name=bytes(33)))),
    "an output without an address": written(outputs=listed(mapped((1, 1)))),
    "an output without a value": written(outputs=listed(mapped((0, ADDRESS)))),
    "an output with something else": written(outputs=outputs((4, 0))),
    "an output with two values": written(outputs=outputs((1, 1))),
    "an older output of one part": written(outputs=listed(listed(ADDRESS))),
    "an older output of four parts": written(outputs=listed(listed(ADDRESS, 1, ID, 0))),
    "an older output with an inline datum": written(outputs=listed(listed(ADDRESS, 1, listed(1, Embedded(0))))),
    "a stake account's address in an output": written(outputs=outputs(address=ACCOUNT)),
    "an address in pieces": written(outputs=outputs(address=Chunks((ADDRESS,)))),
    "a negative amount": written(outputs=outputs(value=-1)),
    "none of a token": written(outputs=outputs(value=listed(1, tokens(quantity=0)))),
    "less than none of a token": written(outputs=outputs(value=listed(1, tokens(quantity=-1)))),
    "a policy without assets in an output": written(outputs=outputs(value=listed(1, mapped((POLICY, mapped()))))),
    "a value of three parts": written(outputs=outputs(value=listed(1, mapped(), 0))),
    "more tokens than there is room for": written(
        outputs=outputs(value=listed(1, mapped((POLICY, mapped(*((n.to_bytes(2, "big"), 1) for n in range(1489)))))))
    ),
    "a datum of a third kind": written(outputs=outputs((2, listed(2, ID)))),
    "a datum hash of 28 bytes": written(outputs=outputs((2, listed(0, KEY)))),
    "an inline datum that is not embedded": written(outputs=outputs((2, listed(1, 0)))),
    "an inline datum that is none": written(outputs=outputs((2, listed(1, Embedded("text"))))),
    "an inline datum with more behind it": written(outputs=outputs((2, listed(1, Tag(24, b"\0\0"))))),
    "an empty inline datum": written(outputs=outputs((2, listed(1, Tag(24, b""))))),
    "a script that is not embedded": written(outputs=outputs((3, listed(3, b"")))),
    "a script in a language to come": written(outputs=outputs((3, Embedded(listed(4, b""))))),
    "a Plutus script that is no string": written(outputs=outputs((3, Embedded(listed(3, 0))))),
    "a script with more behind it": written(outputs=outputs((3, Tag(24, encode(listed(3, b"")) + b"\0")))),
    "a certificate of a kind that there is no more": written((4, listed(listed(6, listed())))),
    "a certificate of a kind to come": written((4, listed(listed(19, KEYED)))),
    "a registration with too much": written((4, listed(listed(0, KEYED, 1)))),
    "a registration without its deposit": written((4, listed(listed(7, KEYED)))),
    "a credential of a third kind": written((4, listed(listed(0, listed(2, KEY))))),
    "a DRep of a fifth kind": written((4, listed(listed(9, KEYED, listed(4))))),
    "an abstention with a hash": written((4, listed(listed(9, KEYED, listed(2, KEY))))),
    "a witness of an eighth kind": written(witnesses=[(8, listed(b""))]),
    "witnesses twice": written(witnesses=[(0, listed(SIGNED)), (0, listed(SIGNED))]),
    "no signatures": written(witnesses=[(0, listed())]),
    "no native scripts": written(witnesses=[(1, listed())]),
    "no bootstrap witnesses": written(witnesses=[(2, listed())]),
    "no Plutus scripts": written(witnesses=[(7, Tag(258, listed()))]),
    "no datums": written(witnesses=[(4, listed())]),
    "no redeemers": written(witnesses=[(5, mapped())]),
    "no redeemers in a list": written(witnesses=[(5, listed())]),
    "a Plutus script twice": written(witnesses=[(7, listed(b"\1", b"\1"))]),
    "a signature of 63 bytes": written(witnesses=[(0, listed(listed(bytes(32), bytes(63))))]),
    "a key of 33 bytes": written(witnesses=[(0, listed(listed(bytes(33), bytes(64))))]),
    "a datum that is none": written(witnesses=[(4, listed("text"))]),
    "a datum with a long string": written(witnesses=[(4, listed(LONG))]),
    "a redeemer for a sixth purpose": written(witnesses=[(5, mapped((listed(6, 0), listed(0, UNITS))))]),
    "a redeemer with an index of 33 bits": written(witnesses=[(5, mapped((listed(0, 2**32), listed(0, UNITS))))]),
    "units of 64 bits": written(witnesses=[(5, mapped((listed(0, 0), listed(0, listed(2**63, 0)))))]),
    "a redeemer without units": written(witnesses=[(5, mapped((listed(0, 0), listed(0))))]),
    "a redeemer of five parts": written(witnesses=[(5, listed(listed(0, 0, 0, UNITS, 0)))]),
    "a native script of a seventh kind": written(witnesses=[(1, listed(listed(6, 0)))]),
    "a native script of too many parts": written(witnesses=[(1, listed(listed(0, KEY, 0)))]),
    "a native script with a short hash": written(witnesses=[(1, listed(listed(0, b"")))]),
    "a native script that counts beyond 64 bits": written(witnesses=[(1, listed(listed(3, 2**63, listed(NATIVE))))]),
    "a native script with a slot below zero": written(witnesses=[(1, listed(listed(4, -1)))]),
    "auxiliary data that is a text": written(auxiliary="text"),
    "auxiliary data under another tag": written(auxiliary=Tag(258, mapped())),
    "auxiliary data with a sixth field": written(auxiliary=Tag(259, mapped((5, listed())))),
    "auxiliary data with a field twice": written(auxiliary=Tag(259, mapped((2, listed()), (2, listed())))),
    "auxiliary data of one part": written(auxiliary=listed(mapped())),
    "metadata under a text": written(auxiliary=mapped(("1", 1))),
    "metadata under a label twice": written(auxiliary=mapped((1, 1), (1, 2))),
    "metadata with a long text": written(auxiliary=mapped((1, "é" * 33))),
    "metadata with a long string": written(auxiliary=mapped((1, LONG))),
    "metadata with a long string in pieces": written(auxiliary=mapped((1, Chunks((LONG[:33], LONG[:32]))))),
    "metadata with a boolean": written(auxiliary=mapped((1, True))),
    "metadata with a big integer": written(auxiliary=mapped((1, Tag(2, b"\1")))),
    "a byte behind": written() + b"\0",
    "another transaction behind": written() * 2,
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_decoder_does_not_take_is_refused(name: str) -> None:
    """By the one exception, whose reason stands in Ogmios' answer."""
    with pytest.raises(Undecodable) as refused:
        read_transaction(REFUSED[name])
    assert list(refused.value.data) == ["conway"]
    assert refused.value.data["conway"] == refused.value.reason


def test_the_reason_is_in_the_words_of_ogmios() -> None:
    """Which tells bytes that end too early, bytes that are wrong, and bytes that are too many."""
    reasons = {}
    for name, raw in (("early", written()[:-1]), ("wrong", written(fee=-1)), ("behind", written() + b"\0\0")):
        with pytest.raises(Undecodable) as refused:
            read_transaction(raw)
        reasons[name] = refused.value.reason
    assert reasons["early"].startswith("invalid or incomplete value of type 'Transaction': ")
    assert reasons["wrong"].startswith("invalid CBOR found at offset [")
    assert "while decoding a value of type 'Transaction': an unsigned integer has to be" in reasons["wrong"]
    assert reasons["behind"] == "unexpected 2 bytes found left after successfully deserialising a/an 'Transaction'"


def test_what_is_taken_decodes_as_cbor_elsewhere_too() -> None:
    """The tables above are about Cardano: their bytes are sound CBOR to a reader of the tests."""
    for name in TAKEN.keys() - {"numbers in nine bytes"}:
        assert encode(decode(TAKEN[name])) == TAKEN[name]
