"""Blocks and transactions as Ogmios writes them: the same keys in the same order, invented contents.

Everything is derived from what is given, by hashing: the same arguments make the same block.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from random import Random
from typing import Any, Final, TypeAlias

from tests.support.json_text import Raw, compact

Block: TypeAlias = dict[str, Any]
Tx: TypeAlias = dict[str, Any]
Output: TypeAlias = dict[str, Any]
Script: TypeAlias = dict[str, Any]
Point: TypeAlias = dict[str, Any]
Ref: TypeAlias = tuple[str, int]
Assets: TypeAlias = Mapping[str, Mapping[str, int]]

ERAS: Final = ("byron", "shelley", "allegra", "mary", "alonzo", "babbage", "conway", "dijkstra")

_LATE: Final = (
    "network scriptIntegrityHash fee validityInterval proposals metadata signatories scripts datums redeemers"
)
_ORDER: Final = {
    "byron": "id spends inputs outputs signatories",
    "shelley": "id spends inputs outputs fee validityInterval certificates withdrawals proposals metadata "
    "signatories scripts",
    "allegra": "id spends inputs outputs withdrawals certificates requiredExtraScripts fee validityInterval "
    "proposals metadata signatories scripts",
    "mary": "id spends inputs outputs withdrawals certificates requiredExtraScripts mint fee validityInterval "
    "proposals metadata signatories scripts",
    "alonzo": "id spends inputs outputs collaterals certificates withdrawals mint requiredExtraSignatories "
    f"requiredExtraScripts {_LATE}",
    "babbage": "id spends inputs references outputs collaterals collateralReturn totalCollateral certificates "
    f"withdrawals mint requiredExtraSignatories requiredExtraScripts {_LATE}",
    "conway": "id spends inputs references outputs collaterals collateralReturn totalCollateral certificates "
    "withdrawals mint requiredExtraSignatories requiredExtraScripts network scriptIntegrityHash fee votes "
    "validityInterval treasury proposals metadata signatories scripts datums redeemers",
}
_ALWAYS: Final = {"id", "spends", "inputs", "fee", "signatories"}
_VERSION: Final = dict(zip(ERAS[1:], ((2, 0), (3, 0), (4, 0), (6, 0), (8, 0), (10, 2), (12, 0)), strict=True))
_PLUTUS_TAG: Final = {"plutus:v1": 1, "plutus:v2": 2, "plutus:v3": 3, "plutus:v4": 4}


def era_order(era: str) -> tuple[str, ...]:
    """The keys of a transaction of an era, in the order in which they stand."""
    return tuple(_ORDER["conway" if era == "dijkstra" else era].split())


def digest(*parts: object, size: int = 32) -> str:
    """A hash of anything, in hex: where ids and keys come from."""
    text = "\n".join(part if isinstance(part, str) else repr(part) for part in parts)
    return blake2b(text.encode(), digest_size=size).hexdigest()


def hash_of(data: str, size: int = 32) -> str:
    """Blake2b of bytes given in hex: what the ledger calls a datum by."""
    return blake2b(bytes.fromhex(data), digest_size=size).hexdigest()


def reference(ref: Ref) -> dict[str, Any]:
    """An output reference as it stands among inputs."""
    return {"transaction": {"id": ref[0]}, "index": ref[1]}


def ref_of(place: Mapping[str, Any]) -> Ref:
    """The other way around."""
    return place["transaction"]["id"], place["index"]


def lovelace(amount: int) -> dict[str, Any]:
    """An amount of nothing but ada."""
    return {"ada": {"lovelace": amount}}


def output(
    address: str,
    amount: int = 1_000_000,
    assets: Assets | None = None,
    *,
    datum: str | None = None,
    datum_hash: str | None = None,
    script: Script | None = None,
    **more: Any,
) -> Output:
    """An output; `datum` inline, in hex."""
    value: dict[str, Any] = lovelace(amount)
    for policy in sorted(assets or {}):
        value[policy] = {name: (assets or {})[policy][name] for name in sorted((assets or {})[policy])}
    made: Output = {"address": address, "value": value}
    if datum_hash is not None:
        made["datumHash"] = datum_hash
    if datum is not None:
        made["datum"] = datum
    if script is not None:
        made["script"] = script
    return made | more


def plutus(version: int, seed: object = 0) -> Script:
    """A Plutus script: any bytes will do, nobody runs it."""
    body = digest("plutus", seed, size=20)
    return {"language": f"plutus:v{version}", "cbor": f"54{body}"}


def native(key: str, *, depth: int = 0, cbor: bool = False, clause: str = "all") -> Script:
    """A native script that asks for a signature, within `depth` levels of `all`, `any` or `some`."""
    leaf = compact({"clause": "signature", "from": key})
    opened = {"some": '{"clause":"some","atLeast":1,"from":['}.get(clause, f'{{"clause":"{clause}","from":[')
    script: Script = {"language": "native", "json": Raw(opened * depth + leaf + "]}" * depth)}
    if cbor:
        tag = {"all": "820181", "any": "820281", "some": "83030181"}[clause]
        script["cbor"] = tag * depth + "8200581c" + key
    return script


def script_hash(script: Script) -> str:
    """The hash of a script; of a native one without its bytes something that looks like a hash."""
    if "cbor" not in script:
        return digest(compact(script), size=28)
    return hash_of(f"{_PLUTUS_TAG.get(script['language'], 0):02x}{script['cbor']}", 28)


def tx(
    inputs: Iterable[Ref] = (),
    outputs: Sequence[Output] = (),
    *,
    era: str = "conway",
    failed: bool = False,
    references: Iterable[Ref] = (),
    collaterals: Iterable[Ref] = (),
    collateral_return: Output | None = None,
    datums: Iterable[str] = (),
    scripts: Iterable[Script] = (),
    metadata: Mapping[str, Any] | None = None,
    mint: Assets | None = None,
    fee: int = 203_141,
    valid: tuple[int | None, int | None] = (None, None),
    ogmios: int = 7,
    id: str | None = None,  # noqa: A002 - as Ogmios calls it
    salt: object = 0,
    decorated: bool = True,
    more: Mapping[str, Any] | None = None,
) -> Tx:
    """A transaction. `failed` is a phase-2 failure, `datums` are preimages in hex, `valid` a pair of slots.

    `metadata` maps labels to `{"json": …}` or `{"cbor": …}`. `decorated` invents what else such a transaction
    would carry (signatures, redeemers, withdrawals …); `more` adds or replaces fields as they are.
    """
    before, after = valid
    interval = {"invalidBefore": before, "invalidAfter": after}
    fields: dict[str, Any] = {
        "spends": "collaterals" if failed else "inputs",
        "inputs": [reference(ref) for ref in sorted(set(inputs))],
        "references": [reference(ref) for ref in sorted(set(references))],
        "outputs": list(outputs),
        "collaterals": [reference(ref) for ref in sorted(set(collaterals))],
        "collateralReturn": collateral_return,
        "mint": {policy: dict(names) for policy, names in sorted((mint or {}).items())},
        "fee": lovelace(fee),
        "validityInterval": {key: slot for key, slot in interval.items() if slot is not None},
        "metadata": metadata and {"hash": digest("metadata", compact(metadata)), "labels": dict(metadata)},
        "signatories": [],
        "scripts": {script_hash(script): script for script in scripts},
        "datums": dict(sorted((hash_of(datum), datum) for datum in datums)),
    }
    name = id or digest("transaction", salt, compact(fields))
    if decorated:
        _decorate(fields, era, Random(name))
    fields |= {"id": name, **(more or {})}
    order = era_order(era)
    always = _ALWAYS | (
        {"outputs", "validityInterval"} if ogmios < 7 or ERAS.index(era) <= ERAS.index("alonzo") else set()
    )
    made = {key: fields[key] for key in order if key in always or fields.get(key)}
    return made | {key: value for key, value in (more or {}).items() if key not in order}


def _decorate(fields: dict[str, Any], era: str, random: Random) -> None:
    """What does not concern us, and has to be stepped over."""

    def hexes(size: int) -> str:
        return random.randbytes(size).hex()

    for _ in range(random.randint(1, 3)):
        witness = {"key": hexes(32), "signature": hexes(64)}
        if random.random() < 0.1:
            witness |= {"chainCode": hexes(32), "addressAttributes": "a0"}
        fields["signatories"].append(witness)
    if ERAS.index(era) < ERAS.index("alonzo"):
        return
    if fields["datums"] or fields["collaterals"]:
        fields["scriptIntegrityHash"] = hexes(32)
        fields["redeemers"] = [
            {
                "validator": {"index": index, "purpose": random.choice(("spend", "mint", "withdraw"))},
                "redeemer": random.choice(("d87980", "d87a9f40ff", "1903e8", "9fd8799f581c" + hexes(28) + "ffff")),
                "executionUnits": {"memory": random.getrandbits(22), "cpu": random.getrandbits(31)},
            }
            for index in range(random.randint(1, 2))
        ]
    if fields["collaterals"] and random.random() < 0.7:
        fields["totalCollateral"] = lovelace(random.getrandbits(22))
    if random.random() < 0.2:
        fields["requiredExtraSignatories"] = [hexes(28)]
    if random.random() < 0.2:
        fields["network"] = "testnet"
    if random.random() < 0.1:
        fields["certificates"] = [
            {"type": "stakeCredentialRegistration", "from": "script", "credential": hexes(28)},
            {"type": "genesisDelegation", "delegate": {"id": hexes(28)}, "issuer": {"id": hexes(28)}},
        ]
    if era == "conway" and random.random() < 0.1:
        proposal = {"transaction": {"id": hexes(32)}, "index": 0}
        fields["votes"] = [
            {"proposal": proposal, "issuer": {"role": "constitutionalCommittee", "id": hexes(28)}, "vote": "yes"}
        ]
        fields["proposals"] = [
            {
                "deposit": lovelace(100_000_000_000),
                "metadata": {"url": "https://example.org/Ünïcode", "hash": hexes(32)},
                "action": {"type": "information"},
            }
        ]


def block(
    transactions: Sequence[Tx] = (),
    *,
    slot: int,
    height: int,
    ancestor: str = "genesis",
    era: str = "conway",
    id: str | None = None,  # noqa: A002 - as Ogmios calls it
    more: Mapping[str, Any] | None = None,
) -> Block:
    """A block: `bft` in Byron, `praos` in every later era. `more` adds or replaces fields."""
    body = compact(list(transactions))
    name = id or digest("block", era, slot, height, ancestor, body)
    size = {"bytes": len(body) // 2 + 4}
    random = Random(name)
    first = {"type": "bft" if era == "byron" else "praos", "era": era, "id": name}
    place = {"height": height, "slot": slot}
    made: Block
    if era == "byron":
        key = random.randbytes(64).hex()
        made = first | {"ancestor": ancestor, **place, "size": size, "transactions": list(transactions)}
        made |= {
            "operationalCertificates": [],
            "protocol": {
                "id": 1097911063,
                "version": {"major": 1, "minor": 0, "patch": 0},
                "software": {"appName": "cardano-sl", "number": 1},
            },
            "issuer": {"verificationKey": key},
            "delegate": {"verificationKey": random.randbytes(64).hex()},
        }
        return made | dict(more or {})
    major, minor = _VERSION[era]
    end = {"issuer": _issuer(random, slot), "protocol": {"version": {"major": major, "minor": minor}}}
    if ERAS.index(era) < ERAS.index("babbage"):
        nonce = {"output": random.randbytes(64).hex(), "proof": random.randbytes(80).hex()}
        made = first | {"ancestor": ancestor, "nonce": nonce, **place, **end, "size": size}
    else:
        made = first | {"size": size, **place, "ancestor": ancestor, **end}
    return made | {"transactions": list(transactions)} | dict(more or {})


def _issuer(random: Random, slot: int) -> dict[str, Any]:
    certificate = {
        "count": random.randint(0, 9),
        "sigma": random.randbytes(64).hex(),
        "kes": {"period": slot // 129_600, "verificationKey": random.randbytes(32).hex()},
    }
    return {
        "verificationKey": random.randbytes(32).hex(),
        "vrfVerificationKey": random.randbytes(32).hex(),
        "operationalCertificate": certificate,
        "leaderValue": {"output": random.randbytes(64).hex(), "proof": random.randbytes(80).hex()},
    }


def ebb(*, height: int, ancestor: str = "genesis", id: str | None = None) -> Block:  # noqa: A002
    """A boundary block of Byron: no slot, no transactions, and the height of the block before."""
    name = id or digest("ebb", height, ancestor)
    return {"type": "ebb", "era": "byron", "height": height, "id": name, "ancestor": ancestor}


def is_ebb(block: Block) -> bool:
    """Whether a block is one without a slot."""
    return bool(block["type"] == "ebb")


def point_of(chain: Sequence[Block]) -> Point | str:
    """The point of the last block that has one; `"origin"` of an empty chain."""
    for made in reversed(chain):
        if not is_ebb(made):
            return {"slot": made["slot"], "id": made["id"]}
    return "origin"


def tip_of(chain: Sequence[Block]) -> Point | str:
    """The tip of a chain: a point with a height. A boundary block at the tip begins the slot after."""
    if not chain:
        return "origin"
    last, point = chain[-1], point_of(chain)
    slot = -1 if isinstance(point, str) else point["slot"]
    return {"slot": slot + is_ebb(last), "id": last["id"], "height": last["height"]}


def forward(block: Block | str, tip: Point | str, id: Any = None) -> bytes:  # noqa: A002
    """The answer to `nextBlock` that brings a block (given as it is, or as JSON text)."""
    text = block if isinstance(block, str) else compact(block)
    answer = {"direction": "forward", "block": Raw(text), "tip": tip}
    return answered("nextBlock", answer, id)


def backward(point: Point | str, tip: Point | str, id: Any = None) -> bytes:  # noqa: A002
    """The answer to `nextBlock` that takes blocks back."""
    return answered("nextBlock", {"direction": "backward", "point": point, "tip": tip}, id)


def answered(method: str, result: Any, id: Any = None) -> bytes:  # noqa: A002
    """A JSON-RPC result."""
    return compact({"jsonrpc": "2.0", "method": method, "result": result, "id": id}).encode()


def refused(method: str | None, error: Mapping[str, Any], id: Any = None) -> bytes:  # noqa: A002
    """A JSON-RPC error; -32600 and -32603 name no method."""
    named = {} if method is None else {"method": method}
    return compact({"jsonrpc": "2.0", **named, "error": error, "id": id}).encode()
