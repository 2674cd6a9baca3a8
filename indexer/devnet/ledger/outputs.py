"""Outputs and values as a transaction's bytes say them (conway.cddl: transaction_output, value, mint)."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from indexer.devnet.ledger.addresses import check_address
from indexer.devnet.ledger.cbor import EMBEDDED, MAX_WORD64, Major, Malformed, Reader
from indexer.devnet.ledger.data import check_data
from indexer.devnet.ledger.scripts import reference_script
from indexer.devnet.ledger.transaction import Assets, Output, Script

LONGEST_NAME: Final = 32  # bytes of an asset's name
_MIN_INT64, _MAX_INT64 = -(2**63), 2**63 - 1
_ROOM: Final = 65_535  # what the ledger's packed form of a value's tokens may take: 44 bytes each, 28 a policy
_LONG_MAP: Final = 23  # entries; a longer one the ledger writes with a break


class _Value(NamedTuple):
    lovelace: int
    assets: Assets


class _Datum(NamedTuple):
    hash: bytes | None = None
    inline: bytes | None = None


def read_output(reader: Reader) -> Output:
    """The output that comes next, in Babbage's form (a map) or the older one (an array). Raises Malformed."""
    start = reader.position
    address, value, datum, script = _map(reader) if reader.peek() is Major.MAP else _array(reader)
    return Output(
        raw=reader.since(start),
        address=address,
        lovelace=value.lovelace,
        assets=value.assets,
        value_size=value_size(value.lovelace, value.assets),
        datum_hash=datum.hash,
        datum=datum.inline,
        script=script,
    )


def output_from(raw: bytes) -> Output:
    """An output from its bytes alone."""
    reader = Reader(raw)
    output = read_output(reader)
    reader.end()
    return output


def read_mint(reader: Reader) -> Assets:
    """What is minted, or burnt where it is negative: 64-bit quantities other than zero."""
    minted = _tokens(reader, _MIN_INT64, _MAX_INT64)
    if not minted:
        raise Malformed("an empty mint")
    return minted


def value_size(lovelace: int, assets: Mapping[bytes, Mapping[bytes, int]]) -> int:
    """How many bytes the ledger writes a value in, which are those it limits: not those that stood there."""
    if not assets:
        return _integer_size(lovelace)
    size = 1 + _integer_size(lovelace) + _map_size(len(assets))
    for policy, names in assets.items():
        size += _string_size(policy) + _map_size(len(names))
        size += sum(_string_size(name) + _integer_size(quantity) for name, quantity in names.items())
    return size


def _map(reader: Reader) -> tuple[bytes, _Value, _Datum, Script | None]:
    address, value, datum, script = None, None, None, None
    for _ in reader.map():
        match reader.unsigned():
            case 0 if address is None:
                address = check_address(reader.octets())
            case 1 if value is None:
                value = _value(reader)
            case 2 if datum is None:
                datum = _datum(reader)
            case 3 if script is None:
                reader.expect_tag(EMBEDDED)
                script = reference_script(reader.octets())
            case key:
                raise Malformed(f"field {key} of an output, twice or unknown")
    if address is None or value is None:
        raise Malformed("an output without address or value")
    return address, value, datum or _Datum(), script


def _array(reader: Reader) -> tuple[bytes, _Value, _Datum, None]:
    length = reader.open()
    address = check_address(reader.octets())
    value = _value(reader)
    has_datum = length == 3 or (length is None and reader.peek() is Major.BYTES)
    datum = _Datum(hash=reader.octets(32)) if has_datum else _Datum()
    reader.close(length, 2 + has_datum)
    return address, value, datum, None


def _datum(reader: Reader) -> _Datum:
    length = reader.open()
    if reader.unsigned(1) == 0:
        datum = _Datum(hash=reader.octets(32))
    else:
        reader.expect_tag(EMBEDDED)
        datum = _Datum(inline=reader.octets())
        check_data(datum.inline or b"")
    reader.close(length, 2)
    return datum


def _value(reader: Reader) -> _Value:
    if reader.peek() is not Major.ARRAY:
        return _Value(reader.unsigned(), {})
    length = reader.open()
    lovelace = reader.unsigned()
    assets = _tokens(reader, 1, MAX_WORD64)
    reader.close(length, 2)
    return _Value(lovelace, assets)


def _tokens(reader: Reader, least: int, most: int) -> Assets:
    policies: dict[bytes, dict[bytes, int]] = {}
    for _ in reader.map():
        policy = reader.octets(28)
        if policy in policies:
            raise Malformed(f"policy {policy.hex()} twice")
        names = policies[policy] = {}
        for _ in reader.map():
            name = reader.octets(most=LONGEST_NAME)
            if name in names:
                raise Malformed(f"asset {policy.hex()}.{name.hex()} twice")
            names[name] = reader.integer(least, most)
            if not names[name]:
                raise Malformed(f"none of asset {policy.hex()}.{name.hex()}")
        if not names:
            raise Malformed(f"policy {policy.hex()} without assets")
    if 44 * sum(map(len, policies.values())) + 28 * len(policies) > _ROOM:
        raise Malformed("more tokens than the ledger has room for")
    return policies


def _integer_size(number: int) -> int:
    number = max(number, -1 - number)
    return next(1 + size for size, end in ((0, 24), (1, 2**8), (2, 2**16), (4, 2**32), (8, 2**64)) if number < end)


def _string_size(content: bytes) -> int:
    return _integer_size(len(content)) + len(content)


def _map_size(entries: int) -> int:
    return 1 if entries <= _LONG_MAP else 2
