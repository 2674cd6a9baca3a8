"""A second opinion: which codes a transaction deserves, reckoned from its bytes and from nothing of the devnet's.

Bytes are read with cbor2, fees with fractions, values with counters, signatures with PyNaCl. It knows what the random
transactions of `test_differential` can do wrong, and no more.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b
from io import BytesIO
from math import ceil
from typing import Any

import cbor2
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

ADA = b""
SCRIPT_LOCKS = (1, 3, 5, 7)  # kinds of address that a script locks


@dataclass(frozen=True)
class World:
    """What there is: outputs as CBOR by (id, index), accounts as (deposit, rewards, whether a vote is delegated)."""

    outputs: Mapping[tuple[bytes, int], bytes]
    accounts: Mapping[bytes, tuple[int, int, bool]]
    slot: int


def verdict(raw: bytes, world: World) -> set[int]:
    """Every code that the transaction deserves; none, if it is good."""
    body, witnesses, _, _ = cbor2.loads(raw)
    spent = [tuple(at) for at in listed(body.get(0))]
    if not any(at in world.outputs for at in spent):
        return {3997}
    found = set(_against(raw, body, witnesses, world))
    known = [output_of(world.outputs[at]) for at in spent if at in world.outputs]
    if consumed(body, known, world) != produced(body):
        found.add(3123)
    return found


def consumed(body: dict[int, Any], spent: list[dict[int, Any]], world: World) -> Counter[tuple[bytes, bytes]]:
    """Inputs, what is minted, withdrawals, refunds."""
    total = sum((value(output[1]) for output in spent), Counter[tuple[bytes, bytes]]())
    total += Counter({asset: n for asset, n in flat(body.get(9, {})).items() if n > 0})
    refunds = sum(world.accounts.get(c[1][1], (0,))[0] for c in body.get(4, ()) if c[0] == 8)
    total[ADA, ADA] += sum(body.get(5, {}).values()) + refunds
    return +total


def produced(body: dict[int, Any]) -> Counter[tuple[bytes, bytes]]:
    """Outputs, what is burnt, fee, deposits, donation."""
    total = sum((value(output[1]) for output in body[1]), Counter[tuple[bytes, bytes]]())
    total += Counter({asset: -n for asset, n in flat(body.get(9, {})).items() if n < 0})
    deposits = 2_000_000 * sum(c[0] == 7 for c in body.get(4, ()))
    total[ADA, ADA] += body[2] + deposits + body.get(22, 0)
    return +total


def fee(raw: bytes, world: World) -> int:
    """The least that is due, in fractions."""
    body, witnesses, _, _ = cbor2.loads(raw)
    redeemers = witnesses.get(5, {}).values()
    memory, steps = sum(units[0] for _, units in redeemers), sum(units[1] for _, units in redeemers)
    scripts = 0
    for at in {tuple(each) for key in (0, 18) for each in listed(body.get(key))}:
        reference = output_of(world.outputs[at]).get(3) if at in world.outputs else None
        scripts += 0 if reference is None else script_size(reference.value)
    tiers = sum(min(25_600, scripts - 25_600 * n) * 15 * Fraction(6, 5) ** n for n in range(-(-scripts // 25_600)))
    size = len(raw) - 1
    units = ceil(Fraction(577, 10_000) * memory + Fraction(721, 10_000_000) * steps)
    due: int = 44 * size + 155_381 + units + int(tiers)
    return due


def _against(raw: bytes, body: dict[int, Any], witnesses: dict[int, Any], world: World) -> Iterator[int]:
    spent, named = [tuple(at) for at in listed(body.get(0))], [tuple(at) for at in listed(body.get(18))]
    stakes = [tuple(at) for at in listed(body.get(13))]
    if set(spent) & set(named):
        yield 3164
    if not set(spent) | set(named) | set(stakes) <= set(world.outputs):
        yield 3117
    if body.get(8, 0) > world.slot or body.get(3, world.slot + 1) <= world.slot:
        yield 3118
    if body[2] < fee(raw, world):
        yield 3122
    if any(output[0][0] & 15 for output in body[1]):
        yield 3124
    if body.get(15, 0) != 0:
        yield 3124
    for output, written in zip(body[1], raw_outputs(raw), strict=True):
        if value(output[1])[ADA, ADA] < (160 + len(written)) * 4_310:
            yield 3125
    yield from _accounts(body, world)
    yield from _signatures(raw, body, witnesses, world)
    yield from _scripts(body, witnesses, world)


def _accounts(body: dict[int, Any], world: World) -> Iterator[int]:
    for account, amount in body.get(5, {}).items():
        _, rewards, votes = world.accounts.get(account[1:], (0, None, False))
        if not votes:
            yield 3150
        if rewards != amount:
            yield 3141
    known = set(world.accounts)
    for kind, (_, key), *rest in body.get(4, ()):
        if kind == 7:
            if rest[0] != 2_000_000:
                yield 3139
            if key in known:
                yield 3145
            known.add(key)
        elif key not in known:
            yield 3146
        elif kind == 8:
            deposit, rewards, _ = world.accounts[key]
            if rest[0] != deposit:
                yield 3139
            if rewards and bytes([0xE0]) + key not in body.get(5, {}):
                yield 3147


def _signatures(raw: bytes, body: dict[int, Any], witnesses: dict[int, Any], world: World) -> Iterator[int]:
    message = blake2b(raw_body(raw), digest_size=32).digest()
    signed = set()
    for key, signature in listed(witnesses.get(0)):
        signed.add(hash28(key))
        try:
            VerifyKey(key).verify(message, signature)
        except BadSignatureError:
            yield 3100
    owners = [world.outputs[tuple(at)] for key in (0, 13) for at in listed(body.get(key)) if tuple(at) in world.outputs]
    addresses = [output_of(output)[0] for output in owners]
    needed = {address[1:29] for address in addresses if address[0] >> 4 not in SCRIPT_LOCKS}
    needed |= {account[1:] for account in body.get(5, {})} | set(listed(body.get(14)))
    needed |= {certificate[1][1] for certificate in body.get(4, ())}
    if not needed <= signed:
        yield 3101


def _scripts(body: dict[int, Any], witnesses: dict[int, Any], world: World) -> Iterator[int]:
    """Native ones, each of which is a signature of one key."""
    needed = set(body.get(9, {}))
    for at in listed(body.get(0)):
        address = output_of(world.outputs[tuple(at)])[0] if tuple(at) in world.outputs else b"\0"
        if address[0] >> 4 in SCRIPT_LOCKS:
            needed.add(address[1:29])
    shown = {hash28(b"\0" + cbor2.dumps(script)): script for script in listed(witnesses.get(1))}
    if needed - set(shown):
        yield 3102
    if set(shown) - needed:
        yield 3104
    signed = {hash28(key) for key, _ in listed(witnesses.get(0))}
    if any(script[1] not in signed for hash_, script in shown.items() if hash_ in needed):
        yield 3103


# --- Reading


def listed(node: Any) -> list[Any]:
    """A list or a set, in no particular order."""
    return [] if node is None else list(node)


def output_of(raw: bytes) -> dict[int, Any]:
    output: dict[int, Any] = cbor2.loads(raw)
    return output


def value(node: Any) -> Counter[tuple[bytes, bytes]]:
    """Quantities by policy and name; lovelace under two empty names."""
    if isinstance(node, int):
        return Counter({(ADA, ADA): node})
    return Counter({(ADA, ADA): node[0], **flat(node[1])})


def flat(assets: dict[bytes, dict[bytes, int]]) -> dict[tuple[bytes, bytes], int]:
    return {(policy, name): n for policy, names in assets.items() for name, n in names.items()}


def script_size(embedded: bytes) -> int:
    """Bytes of a reference script."""
    language, script = cbor2.loads(embedded)
    return len(script) if language else len(cbor2.dumps(script))


def raw_body(raw: bytes) -> bytes:
    """The bytes of the body: what cbor2 reads after the first."""
    return _span(raw, 1)


def raw_outputs(raw: bytes) -> Iterator[bytes]:
    """The bytes of each output: written as this writes it, since nothing here is written otherwise."""
    for output in cbor2.loads(raw)[0][1]:
        yield cbor2.dumps(output)


def hash28(content: bytes) -> bytes:
    """blake2b-224."""
    return blake2b(content, digest_size=28).digest()


def _span(raw: bytes, start: int) -> bytes:
    stream = BytesIO(raw)
    stream.seek(start)
    cbor2.load(stream)
    return raw[start : stream.tell()]
