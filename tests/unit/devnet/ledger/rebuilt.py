"""Real transactions as bytes again, out of what Ogmios shows of them.

Nothing here is shared with the devnet. JSON does not tell how the bytes were written (maps or arrays, tags on sets, the
order of keys), so a few ways that wallets have are tried: where the hash of a body is the id that the chain knows, the
bytes are the real ones.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import base58
from pycardano.crypto import bech32  # type: ignore[import-untyped]

Json = dict[str, Any]

CERTIFICATES: Final = ("stakeCredentialRegistration", "stakeCredentialDeregistration", "stakeDelegation")
PURPOSES: Final = ("spend", "mint", "publish", "withdraw", "vote", "propose")
LANGUAGES: Final = ("native", "plutus:v1", "plutus:v2", "plutus:v3")
OF_THE_NODE: Final = (0, 13, 18, 1, 16, 17, 2, 3, 4, 5, 8, 14, 9, 11, 7, 15, 21, 22)  # the order of its own encoder


@dataclass(frozen=True)
class Way:
    """How a wallet writes."""

    tagged_sets: bool = False
    outputs_as_maps: bool = False
    short_names_first: bool = False  # the order of tokens: canonical CBOR's, or plainly that of the bytes
    keys_of_the_node: bool = False  # the order of the body's fields: the node's, or ascending


WAYS: Final = (
    Way(),
    Way(tagged_sets=True),
    Way(outputs_as_maps=True),
    Way(outputs_as_maps=True, keys_of_the_node=True),
    Way(short_names_first=True),
    Way(tagged_sets=True, short_names_first=True),
    Way(tagged_sets=True, keys_of_the_node=True),
)


def is_told(tx: Json) -> bool:
    """Whether all of a transaction can be told from its JSON, and the devnet models it."""
    certificates = tx.get("certificates", ())
    return (
        not {"votes", "proposals", "requiredExtraScripts"} & set(tx)
        and all(c["type"] in CERTIFICATES and "stakePool" not in c for c in certificates)
        and ("metadata" not in tx or hash_of(auxiliary_of(tx["metadata"])) == tx["metadata"]["hash"])
    )


def rebuilt(tx: Json) -> tuple[bytes, bool]:
    """The bytes of a transaction, and whether its body is the one on the chain: whether its hash is the id."""
    for way in WAYS:
        body = body_of(tx, way)
        if hash_of(body) == tx["id"]:
            return whole(tx, body, way), True
    return whole(tx, body, way), False


def hash_of(content: bytes) -> str:
    return blake2b(content, digest_size=32).hexdigest()


def whole(tx: Json, body: bytes, way: Way) -> bytes:
    auxiliary = auxiliary_of(tx["metadata"]) if "metadata" in tx else b"\xf6"
    return array([body, witnesses_of(tx, way), b"\xf5" if tx["spends"] == "inputs" else b"\xf4", auxiliary])


def body_of(tx: Json, way: Way) -> bytes:
    validity, treasury = tx.get("validityInterval", {}), tx.get("treasury", {})
    fields: dict[int, bytes] = {
        0: a_set(map(reference, tx["inputs"]), way),
        1: array(output(o, way) for o in tx.get("outputs", ())),
        2: lovelace(tx["fee"]),
    }
    if "invalidAfter" in validity:
        fields[3] = number(validity["invalidAfter"])
    if "certificates" in tx:
        fields[4] = a_set(map(certificate, tx["certificates"]), way)
    if "withdrawals" in tx:
        fields[5] = pairs((octets(address(a)), lovelace(v)) for a, v in tx["withdrawals"].items())
    if "metadata" in tx:
        fields[7] = octets(bytes.fromhex(tx["metadata"]["hash"]))
    if "invalidBefore" in validity:
        fields[8] = number(validity["invalidBefore"])
    if "mint" in tx:
        fields[9] = tokens(tx["mint"], way)
    if "scriptIntegrityHash" in tx:
        fields[11] = octets(bytes.fromhex(tx["scriptIntegrityHash"]))
    if "collaterals" in tx:
        fields[13] = a_set(map(reference, tx["collaterals"]), way)
    if "requiredExtraSignatories" in tx:
        fields[14] = a_set((octets(bytes.fromhex(h)) for h in tx["requiredExtraSignatories"]), way)
    if "network" in tx:
        fields[15] = number(int(tx["network"] == "mainnet"))
    if "collateralReturn" in tx:
        fields[16] = output(tx["collateralReturn"], way)
    if "totalCollateral" in tx:
        fields[17] = lovelace(tx["totalCollateral"])
    if "references" in tx:
        fields[18] = a_set(map(reference, tx["references"]), way)
    if "value" in treasury:
        fields[21] = lovelace(treasury["value"])
    if "donation" in treasury:
        fields[22] = lovelace(treasury["donation"])
    order = OF_THE_NODE if way.keys_of_the_node else range(23)
    return pairs((number(key), fields[key]) for key in order if key in fields)


def witnesses_of(tx: Json, way: Way) -> bytes:
    fields: dict[int, bytes] = {}
    keys = [s for s in tx["signatories"] if "chainCode" not in s and "addressAttributes" not in s]
    byron = [s for s in tx["signatories"] if s not in keys]
    if keys:
        fields[0] = a_set((array([hexed(s["key"]), hexed(s["signature"])]) for s in keys), way)
    if byron:
        names = ("key", "signature", "chainCode", "addressAttributes")
        fields[2] = a_set((array(hexed(s.get(name, "")) for name in names) for s in byron), way)
    for language, key in (("native", 1), ("plutus:v1", 3), ("plutus:v2", 6), ("plutus:v3", 7)):
        if found := [s for s in tx.get("scripts", {}).values() if s["language"] == language]:
            fields[key] = a_set((clause(s["json"]) if key == 1 else hexed(s["cbor"]) for s in found), way)
    if "datums" in tx:
        fields[4] = a_set((bytes.fromhex(datum) for datum in tx["datums"].values()), way)
    if "redeemers" in tx:
        fields[5] = pairs(map(redeemer, tx["redeemers"]))
    return pairs((number(key), value) for key, value in sorted(fields.items()))


def reference(told: Json) -> bytes:
    return array([hexed(told["transaction"]["id"]), number(told["index"])])


def output(told: Json, way: Way) -> bytes:
    place, value = octets(address(told["address"])), value_of(told["value"], way)
    if not way.outputs_as_maps and not {"datum", "script"} & set(told):
        return array([place, value, *([hexed(told["datumHash"])] if "datumHash" in told else [])])
    fields = [(number(0), place), (number(1), value)]
    if "datumHash" in told:
        fields.append((number(2), array([number(0), hexed(told["datumHash"])])))
    if "datum" in told:
        fields.append((number(2), array([number(1), embedded(bytes.fromhex(told["datum"]))])))
    if "script" in told:
        language = LANGUAGES.index(told["script"]["language"])
        content = clause(told["script"]["json"]) if language == 0 else hexed(told["script"]["cbor"])
        fields.append((number(3), embedded(array([number(language), content]))))
    return pairs(fields)


def value_of(told: Json, way: Way) -> bytes:
    assets = {policy: names for policy, names in told.items() if policy != "ada"}
    coin = number(told["ada"]["lovelace"])
    return array([coin, tokens(assets, way)]) if assets else coin


def tokens(told: Mapping[str, Mapping[str, int]], way: Way) -> bytes:
    def order(name: str) -> Any:
        return (len(name), name) if way.short_names_first else name

    return pairs(
        (hexed(policy), pairs((hexed(name), number(told[policy][name])) for name in sorted(told[policy], key=order)))
        for policy in sorted(told, key=order)
    )


def certificate(told: Json) -> bytes:
    who = array([number(int(told["from"] == "script")), hexed(told["credential"])])
    registers = told["type"] == "stakeCredentialRegistration"
    if told["type"] == "stakeDelegation":
        return array([number(9), who, drep(told["delegateRepresentative"])])
    if "deposit" in told:
        return array([number(7 if registers else 8), who, lovelace(told["deposit"])])
    return array([number(0 if registers else 1), who])


def drep(told: Json) -> bytes:
    if told["type"] == "registered":
        return array([number(int(told["from"] == "script")), hexed(told["id"])])
    return array([number(2 if told["type"] == "abstain" else 3)])


def redeemer(told: Json) -> tuple[bytes, bytes]:
    pointer = array([number(PURPOSES.index(told["validator"]["purpose"])), number(told["validator"]["index"])])
    units = array([number(told["executionUnits"]["memory"]), number(told["executionUnits"]["cpu"])])
    return pointer, array([bytes.fromhex(told["redeemer"]), units])


def clause(told: Json) -> bytes:
    match told:
        case {"clause": "signature", "from": key_hash}:
            return array([number(0), hexed(key_hash)])
        case {"clause": "some", "atLeast": n, "from": inner}:
            return array([number(3), number(n), array(map(clause, inner))])
        case {"clause": "all" | "any" as kind, "from": inner}:
            return array([number(1 if kind == "all" else 2), array(map(clause, inner))])
        case {"clause": "after" | "before" as kind, "slot": slot}:
            return array([number(4 if kind == "after" else 5), number(slot)])
    raise ValueError(told)


def auxiliary_of(told: Json) -> bytes:
    """One of the three forms, by the hash; where none has it, the plain one."""
    labels = pairs((number(int(label)), metadatum(value)) for label, value in told["labels"].items())
    fields = pairs([(number(0), labels)] if told["labels"] else [])
    forms = (labels, tag(259, fields), array([labels, array([])]))
    return next((form for form in forms if hash_of(form) == told["hash"]), labels)


def metadatum(told: Json) -> bytes:
    return bytes.fromhex(told["cbor"]) if "cbor" in told else plain(told["json"])


def plain(told: Any) -> bytes:
    match told:
        case int():
            return number(told)
        case str():
            return text(told)
        case list():
            return array(map(plain, told))
        case _:
            return pairs((text(key), plain(value)) for key, value in told.items())


def lovelace(told: Json) -> bytes:
    return number(told["ada"]["lovelace"])


def address(told: str) -> bytes:
    return bytes(bech32.decode(told)) if told.startswith(("addr", "stake")) else base58.b58decode(told)


def a_set(elements: Iterable[bytes], way: Way) -> bytes:
    return tag(258, array(elements)) if way.tagged_sets else array(elements)


def array(elements: Iterable[bytes]) -> bytes:
    found = list(elements)
    return head(4, len(found)) + b"".join(found)


def pairs(elements: Iterable[tuple[bytes, bytes]]) -> bytes:
    found = list(elements)
    return head(5, len(found)) + b"".join(key + value for key, value in found)


def embedded(content: bytes) -> bytes:
    return tag(24, octets(content))


def tag(which: int, content: bytes) -> bytes:
    return head(6, which) + content


def hexed(digits: str) -> bytes:
    return octets(bytes.fromhex(digits))


def octets(content: bytes) -> bytes:
    return head(2, len(content)) + content


def text(content: str) -> bytes:
    return head(3, len(content.encode())) + content.encode()


def number(value: int) -> bytes:
    return head(0, value) if value >= 0 else head(1, -1 - value)


def head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    size = next(size for size in (1, 2, 4, 8) if argument < 256**size)
    return bytes([major << 5 | 23 + size.bit_length()]) + argument.to_bytes(size, "big")
