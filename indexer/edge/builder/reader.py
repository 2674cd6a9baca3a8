"""A transaction read from its bytes, for the last look before it is sent (conway.cddl).

Our own reader, so that a mistake of whoever wrote the bytes does not hide in how they are read. It knows what our
transactions have and nothing else: certificates, votes, withdrawals or a field twice are refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, TypeAlias

from indexer.chain.block import OutputReference
from indexer.chain.parameters import Units

Assets: TypeAlias = dict[tuple[bytes, bytes], int]

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _LIST, _MAP, _TAG, _SIMPLE = range(8)
_SET, _EMBEDDED = 258, 24
_OPEN: Final = 31
_BREAK: Final = 0xFF
_TAIL: Final = b"\xf5\xf6"  # scripts agree, no auxiliary data
_PURPOSES: Final = {0: "spend", 1: "mint"}
_BODY: Final = frozenset((0, 1, 2, 3, 8, 9, 11, 13, 14, 16, 17, 18))
_WITNESSES: Final = frozenset((0, 5, 7))


class Unreadable(ValueError):
    """The bytes are no transaction of the kind that we make."""


@dataclass(frozen=True, slots=True)
class ReadOutput:
    """An output. `raw` is its CBOR, `script` a Plutus V3 reference script, `value_size` the bytes of its value."""

    raw: bytes
    address: bytes
    lovelace: int
    assets: Assets
    datum: bytes | None
    script: bytes | None
    value_size: int


@dataclass(frozen=True, slots=True)
class Read:
    """A transaction as its bytes say it. `redeemers` are data as CBOR, and the units declared."""

    size: int
    id: bytes
    inputs: tuple[OutputReference, ...]
    outputs: tuple[ReadOutput, ...]
    fee: int
    upper: int | None
    lower: int | None
    mint: Assets
    integrity: bytes | None
    collaterals: tuple[OutputReference, ...]
    required_signers: tuple[bytes, ...]
    collateral_return: ReadOutput | None
    total_collateral: int | None
    references: tuple[OutputReference, ...]
    signatures: tuple[tuple[bytes, bytes], ...]  # key (32 bytes), signature (64)
    redeemers: dict[tuple[str, int], tuple[bytes, Units]]
    raw_redeemers: bytes
    scripts: tuple[bytes, ...]


def read(raw: bytes) -> Read:
    """The transaction that bytes are. Raises Unreadable."""
    try:
        return _transaction(raw)
    except IndexError:
        raise Unreadable("the bytes end in the middle") from None


def parts(raw: bytes) -> tuple[bytes, bytes, bytes]:
    """Body, witness set, and what follows them, each as it stands. Raises Unreadable."""
    try:
        if raw[:1] != b"\x84":
            raise Unreadable("a transaction is a list of four")
        body_end = _skip(raw, 1)
        witnesses_end = _skip(raw, body_end)
        if raw[1] >> 5 != _MAP or raw[body_end] >> 5 != _MAP:
            raise Unreadable("body and witness set are maps")
    except IndexError:
        raise Unreadable("the bytes end in the middle") from None
    return raw[1:body_end], raw[body_end:witnesses_end], raw[witnesses_end:]


def fields(raw: bytes) -> dict[int, bytes]:
    """A map with integer keys, each value as it stands. Raises Unreadable."""
    found: dict[int, bytes] = {}
    for key, value in _pairs(raw):
        number = _integer(key)
        if number in found:
            raise Unreadable(f"field {number} stands twice")
        found[number] = value
    return found


def members(raw: bytes) -> list[bytes]:
    """The members of a list, or of a set, each as it stands. Raises Unreadable."""
    return list(_items(_untagged(raw, _SET)))


def _transaction(raw: bytes) -> Read:
    body_bytes, witness_bytes, tail = parts(raw)
    if tail != _TAIL:
        raise Unreadable("scripts are said to fail, or auxiliary data follow")
    body, witnesses = fields(body_bytes), fields(witness_bytes)
    unknown = [*(body.keys() - _BODY), *(witnesses.keys() - _WITNESSES)]
    if unknown:
        raise Unreadable(f"there are fields that our transactions do not have: {sorted(unknown)}")
    if not body.keys() >= {0, 1, 2}:
        raise Unreadable("inputs, outputs or fee are missing")
    raw_redeemers = witnesses.get(5, b"")
    return Read(
        size=len(raw),
        id=blake2b(body_bytes, digest_size=32).digest(),
        inputs=_references(body[0]),
        outputs=tuple(_output(item) for item in _items(body[1])),
        fee=_integer(body[2]),
        upper=_integer(body[3]) if 3 in body else None,
        lower=_integer(body[8]) if 8 in body else None,
        mint=_assets(body[9]) if 9 in body else {},
        integrity=_string(body[11]) if 11 in body else None,
        collaterals=_references(body[13]) if 13 in body else (),
        required_signers=tuple(map(_string, members(body[14]))) if 14 in body else (),
        collateral_return=_output(body[16]) if 16 in body else None,
        total_collateral=_integer(body[17]) if 17 in body else None,
        references=_references(body[18]) if 18 in body else (),
        signatures=tuple(_signature(item) for item in members(witnesses[0])) if 0 in witnesses else (),
        redeemers=_redeemers(raw_redeemers) if raw_redeemers else {},
        raw_redeemers=raw_redeemers,
        scripts=tuple(map(_string, members(witnesses[7]))) if 7 in witnesses else (),
    )


def _references(raw: bytes) -> tuple[OutputReference, ...]:
    found = []
    for item in members(raw):
        transaction_id, index = _several(item, 2)
        found.append(OutputReference(_string(transaction_id), _integer(index)))
    if len(set(found)) != len(found):
        raise Unreadable("an output is named twice")
    return tuple(found)


def _output(raw: bytes) -> ReadOutput:
    parts_ = fields(raw)
    if parts_.keys() - {0, 1, 2, 3} or not parts_.keys() >= {0, 1}:
        raise Unreadable("an output with other fields than address, value, datum and script")
    lovelace, assets = _value(parts_[1])
    datum, script = None, None
    if 2 in parts_:
        kind, content = _several(parts_[2], 2)
        if _integer(kind) != 1:
            raise Unreadable("an output with the hash of a datum")
        datum = _string(_untagged(content, _EMBEDDED, needed=True))
    if 3 in parts_:
        language, content = _several(_string(_untagged(parts_[3], _EMBEDDED, needed=True)), 2)
        if _integer(language) != 3:
            raise Unreadable("an output with a script of another language")
        script = _string(content)
    return ReadOutput(raw, _string(parts_[0]), lovelace, assets, datum, script, len(parts_[1]))


def _value(raw: bytes) -> tuple[int, Assets]:
    if raw[0] >> 5 == _UNSIGNED:
        return _integer(raw), {}
    lovelace, assets = _several(raw, 2)
    found = _assets(assets)
    if any(quantity <= 0 for quantity in found.values()):
        raise Unreadable("an output with a quantity that is not positive")
    return _integer(lovelace), found


def _assets(raw: bytes) -> Assets:
    found: Assets = {}
    for policy, names in _pairs(raw):
        for name, quantity in _pairs(names):
            asset = _string(policy), _string(name)
            if asset in found:
                raise Unreadable("a token stands twice")
            found[asset] = _integer(quantity)
    return found


def _redeemers(raw: bytes) -> dict[tuple[str, int], tuple[bytes, Units]]:
    found = {}
    for key, value in _pairs(raw):
        purpose, index = map(_integer, _several(key, 2))
        data, units = _several(value, 2)
        if purpose not in _PURPOSES or (_PURPOSES[purpose], index) in found:
            raise Unreadable("a redeemer that is twice there, or of a purpose that is none of ours")
        memory, steps = map(_integer, _several(units, 2))
        found[_PURPOSES[purpose], index] = data, Units(memory, steps)
    return found


def _signature(raw: bytes) -> tuple[bytes, bytes]:
    key, signature = map(_string, _several(raw, 2))
    return key, signature


# --- CBOR (RFC 8949), item by item: each function takes the bytes of one item


def _head(raw: bytes, at: int) -> tuple[int, int | None, int]:
    """Major type, argument (None: open-ended), and where what follows begins."""
    major, low = divmod(raw[at], 32)
    if low < 24:
        return major, low, at + 1
    if low < 28:
        end = at + 1 + (1 << low - 24)
        if end > len(raw):
            raise IndexError
        return major, int.from_bytes(raw[at + 1 : end], "big"), end
    if low == _OPEN:
        return major, None, at + 1
    raise Unreadable(f"byte {at} is no head of CBOR")


def _skip(raw: bytes, at: int) -> int:
    """Where the item ends that begins here. Without recursion: an open list is a debt without a number."""
    owed: list[int | None] = [1]
    while owed:
        if owed[-1] == 0:
            owed.pop()
            continue
        if owed[-1] is None and raw[at] == _BREAK:
            owed.pop()
            at += 1
            continue
        if (left := owed[-1]) is not None:
            owed[-1] = left - 1
        major, argument, at = _head(raw, at)
        if major in (_BYTES, _TEXT) and argument is not None:
            at += argument
        elif major in (_BYTES, _TEXT, _LIST, _MAP) and argument is None:
            owed.append(None)
        elif major == _LIST:
            owed.append(argument)
        elif major == _MAP:
            owed.append(2 * (argument or 0))
        elif major == _TAG:
            owed.append(1)
        if at > len(raw):
            raise IndexError
    return at


def _items(raw: bytes) -> Iterator[bytes]:
    yield from _inside(raw, _LIST)


def _pairs(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    items = list(_inside(raw, _MAP))
    yield from zip(items[::2], items[1::2], strict=True)


def _inside(raw: bytes, kind: int) -> Iterator[bytes]:
    major, count, at = _head(raw, 0)
    if major != kind or count is None:
        raise Unreadable("a list or map of a counted length is expected")
    for _ in range(count * (2 if kind == _MAP else 1)):
        end = _skip(raw, at)
        yield raw[at:end]
        at = end
    if at != len(raw):
        raise Unreadable("bytes follow a list or map")


def _several(raw: bytes, count: int) -> list[bytes]:
    found = list(_items(raw))
    if len(found) != count:
        raise Unreadable(f"a list of {count} is expected")
    return found


def _untagged(raw: bytes, tag: int, *, needed: bool = False) -> bytes:
    major, found, at = _head(raw, 0)
    if major == _TAG and found == tag:
        return raw[at:]
    if needed:
        raise Unreadable(f"tag {tag} is expected")
    return raw


def _integer(raw: bytes) -> int:
    major, argument, end = _head(raw, 0)
    if major not in (_UNSIGNED, _NEGATIVE) or argument is None or end != len(raw):
        raise Unreadable("an integer is expected")
    return argument if major == _UNSIGNED else -1 - argument


def _string(raw: bytes) -> bytes:
    major, length, at = _head(raw, 0)
    if major != _BYTES or length is None or at + length != len(raw):
        raise Unreadable("a byte string is expected")
    return raw[at:]
