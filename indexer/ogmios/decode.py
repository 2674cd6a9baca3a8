"""The transactions of a block that may concern us, read into `chain` types.

Each transaction is sieved by itself, so that one of ours is the only one to be read. What is read is read
strictly: a field that may move value and that we do not know is no field to guess at.
"""

from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Final

import msgspec

from indexer.chain.block import Output, OutputReference, Redeemer, Script, Transaction
from indexer.chain.point import MAX_INTEGER
from indexer.errors import BlockNotUnderstood
from indexer.ogmios.replies import RollForward
from indexer.ogmios.text import Malformed, items, members
from indexer.ogmios.wire import transactions_text

MOVES_NO_VALUE: Final = frozenset(
    (
        "id",
        "spends",
        "fee",
        "validityInterval",
        "network",
        "scriptIntegrityHash",
        "requiredExtraSignatories",
        "requiredExtraScripts",
        "certificates",
        "withdrawals",
        "proposals",
        "votes",
        "treasury",
        "metadata",
        "signatories",
        "scripts",
        "totalCollateral",
        "cbor",
    )
)
READ: Final = frozenset(
    ("inputs", "references", "collaterals", "collateralReturn", "outputs", "datums", "mint", "redeemers")
)
_SCRIPT_TAGS: Final = {"native": b"\0", "plutus:v1": b"\1", "plutus:v2": b"\2", "plutus:v3": b"\3", "plutus:v4": b"\4"}


_NO_SCRIPT: Final = msgspec.Raw()


class _Id(msgspec.Struct):
    id: str


class _Reference(msgspec.Struct):
    transaction: _Id
    index: int


class _Output(msgspec.Struct):
    address: str
    value: dict[str, dict[str, int]]
    datumHash: str | None = None  # noqa: N815 -- Ogmios' own name
    datum: str | None = None
    script: msgspec.Raw = _NO_SCRIPT


class _OurOutput(_Output, forbid_unknown_fields=True):
    """What we do not know of an output of ours is nothing to guess at."""


class _Validator(msgspec.Struct):
    purpose: str
    index: int


class _Redeemer(msgspec.Struct):
    validator: _Validator
    redeemer: str


_TEXT: Final = msgspec.json.Decoder(str)
_REFERENCE: Final = msgspec.json.Decoder(_Reference)
_REFERENCES: Final = msgspec.json.Decoder(list[_Reference])
_OUTPUT: Final = msgspec.json.Decoder(_Output)
_OUR_OUTPUT: Final = msgspec.json.Decoder(_OurOutput)
_DATUMS: Final = msgspec.json.Decoder(dict[str, str])
_MINT: Final = msgspec.json.Decoder(dict[str, dict[str, int]])
_REDEEMERS: Final = msgspec.json.Decoder(list[_Redeemer])


def transactions(reply: RollForward, may_concern_us: Callable[[bytes], bool]) -> Iterator[Transaction]:
    """The transactions of a block whose text may concern us, in the order of the block.

    Each is asked about only when it is due: what one creates, the next may spend. Raises BlockNotUnderstood,
    with the point and the reason.
    """
    where = reply.header.point or reply.header.id.hex()
    try:
        yield from _concerning(_items_of(reply), may_concern_us)
    except (Malformed, msgspec.MsgspecError, ValueError, KeyError, RecursionError) as error:
        raise BlockNotUnderstood(where, f"{type(error).__name__}: {error}") from error


def output(text: bytes) -> Output:
    """An output by itself, as answers about the ledger's state list them; what else stands there is ignored.

    Raises ValueError, KeyError or `msgspec.MsgspecError`.
    """
    return _output(text, lambda _: False)


def reference(text: bytes) -> OutputReference:
    """The output reference that stands in an object. Raises ValueError or `msgspec.MsgspecError`."""
    found = _REFERENCE.decode(text)
    return OutputReference(_bytes(found.transaction.id, 32), found.index)


def _items_of(reply: RollForward) -> list[bytes]:
    try:
        text = transactions_text(reply)
        return [] if text is None else items(text)
    except Malformed:
        if reply.span is None:
            raise
        # The list of transactions was not the last member of the block after all: read the block in full.
        return _items_of(RollForward(reply.header, reply.tip, reply.text, None))


def _concerning(texts: list[bytes], may_concern_us: Callable[[bytes], bool]) -> Iterator[Transaction]:
    for position, text in enumerate(texts):
        if may_concern_us(text):
            fields = members(text)
            unknown = fields.keys() - READ - MOVES_NO_VALUE
            for name in sorted(unknown):
                if may_concern_us(fields[name]):
                    raise ValueError(f"a transaction of ours has a field {name!r}, which may move value")
            yield _transaction(fields, position, may_concern_us)


def _transaction(fields: dict[str, bytes], position: int, may_concern_us: Callable[[bytes], bool]) -> Transaction:
    outputs = [_output(text, may_concern_us) for text in items(fields.get("outputs", b"[]"))]
    match _TEXT.decode(fields.get("spends", b'"inputs"')):
        case "inputs":
            spends = _references(fields.get("inputs", b"[]"))
            creates = tuple(enumerate(outputs))
            mint, redeemers = _mint(fields.get("mint", b"{}")), _redeemers(fields.get("redeemers", b"[]"))
        case "collaterals":
            spends = _references(fields.get("collaterals", b"[]"))
            returned = fields.get("collateralReturn")
            creates = () if returned is None else ((len(outputs), _output(returned, may_concern_us)),)
            mint, redeemers = (), ()
        case what:
            raise ValueError(f"a transaction that spends {what!r}")
    return Transaction(
        id=_bytes(_TEXT.decode(fields["id"]), 32),
        spends=spends,
        references=_references(fields.get("references", b"[]")),
        creates=creates,
        datums={
            _bytes(key, 32): bytes.fromhex(value) for key, value in _DATUMS.decode(fields.get("datums", b"{}")).items()
        },
        mint=mint,
        redeemers=redeemers,
        position=position,
    )


def _mint(text: bytes) -> tuple[tuple[bytes, bytes, int], ...]:
    return tuple(
        (_bytes(policy, 28), bytes.fromhex(name), quantity)
        for policy, names in _MINT.decode(text).items()
        for name, quantity in names.items()
    )


def _redeemers(text: bytes) -> tuple[Redeemer, ...]:
    return tuple(
        Redeemer(r.validator.purpose, r.validator.index, bytes.fromhex(r.redeemer)) for r in _REDEEMERS.decode(text)
    )


def _references(text: bytes) -> tuple[OutputReference, ...]:
    return tuple(OutputReference(_bytes(r.transaction.id, 32), r.index) for r in _REFERENCES.decode(text))


def _output(text: bytes, may_concern_us: Callable[[bytes], bool]) -> Output:
    decoder: msgspec.json.Decoder[_Output] = _OUR_OUTPUT if may_concern_us(text) else _OUTPUT  # type: ignore[assignment]  # reads only
    try:
        output = decoder.decode(text)
    except RecursionError:  # it carries a script that nests deeper than parsers do
        fields = members(text)
        script = fields.pop("script")
        output = decoder.decode(b"{" + b",".join(b'"%s":%s' % (k.encode(), v) for k, v in fields.items()) + b"}")
        output.script = msgspec.Raw(script)
    lovelace = output.value["ada"]["lovelace"]
    if not 0 <= lovelace <= MAX_INTEGER:
        raise ValueError(f"an output of {lovelace} lovelace")
    datum = None if output.datum is None else bytes.fromhex(output.datum)
    datum_hash = None if output.datumHash is None else _bytes(output.datumHash, 32)
    if datum is not None:
        datum_hash = blake2b(datum, digest_size=32).digest()
    return Output(
        address=output.address,
        lovelace=lovelace,
        assets=tuple(
            (_bytes(policy, 28), bytes.fromhex(name), quantity)
            for policy, names in output.value.items()
            if policy != "ada"
            for name, quantity in names.items()
        ),
        datum_hash=datum_hash,
        datum=datum,
        script=None if output.script == _NO_SCRIPT else _script(output.script),
    )


def _script(text: msgspec.Raw) -> Script:
    fields = members(text)
    language = _TEXT.decode(fields["language"])
    if "cbor" not in fields:
        return Script(language, None)
    tagged = _SCRIPT_TAGS[language] + bytes.fromhex(_TEXT.decode(fields["cbor"]))
    return Script(language, blake2b(tagged, digest_size=28).digest())


def _bytes(text: str, length: int) -> bytes:
    raw = bytes.fromhex(text)
    if len(raw) != length:
        raise ValueError(f"{text[:80]!r} is not {length} bytes in hex")
    return raw
