"""An independent count: what a recording of Ogmios `nextBlock` results holds for watched credentials.

The yardstick that the rows of the product are compared with. It uses nothing but the standard library and
shares no code with the product, so that a mistake cannot cancel out. It is meant to be obvious, not fast:
every block that survives is read in full, every address is decoded, nothing is filtered.
"""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

Watch = tuple[str, str | None]
"""(28 bytes in hex, "key" or "script" or None for both), or (the base58 text of a Byron address, None)."""

Row = dict[str, Any]
"""One output, with exactly the columns of the `outputs` view."""


@dataclass
class Count:
    """What was found. Keys are (transaction id, output index), assets add (policy, name), all in hex."""

    outputs: dict[tuple[str, int], Row] = field(default_factory=dict)
    assets: dict[tuple[str, int, str, str], int] = field(default_factory=dict)
    blocks: list[tuple[int | None, str, int]] = field(default_factory=list)

    def balance(self) -> dict[str, int]:
        """Everything unspent, all watches together: "lovelace", and each asset as Kupo writes its name."""
        total = Counter(lovelace=0)
        for row in self.outputs.values():
            if row["spent_slot"] is None:
                total["lovelace"] += row["lovelace"]
                total.update(row["assets"])
        return dict(total)


def read(path: str | Path) -> list[bytes]:
    """The lines of a recording, which may be compressed."""
    data = Path(path).read_bytes()
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    return [line for line in data.split(b"\n") if line.strip()]


def count(lines: Iterable[bytes], watches: Iterable[Watch]) -> Count:
    """Fold the blocks that were not rolled back into the rows a read model should hold."""
    wanted = [_checked(watch) for watch in watches]
    found = Count()
    preimages: dict[str, str] = {}  # by datum hash; of outputs we hold, from transactions that touch one
    for block in _surviving(lines):
        found.blocks.append((block.get("slot"), block["id"], block["height"]))
        for transaction in block.get("transactions", []):
            _apply(found, preimages, wanted, block, transaction)
    for row in found.outputs.values():
        if row["datum"] is None and row["datum_hash"] is not None:
            row["datum"] = preimages.get(row["datum_hash"])
    return found


def _apply(found: Count, preimages: dict[str, str], wanted: list[Watch], block: Any, transaction: Any) -> None:
    if "subTransactions" in transaction:
        raise ValueError(f"transaction {transaction['id']} has sub-transactions: their effect is not known")
    outputs = transaction.get("outputs", [])
    match transaction["spends"]:
        case "inputs":
            spent = transaction["inputs"]
            created = list(enumerate(outputs))
        case "collaterals":  # phase 2 failed: the outputs were not created, but they count for the index
            spent = transaction.get("collaterals", [])
            back = transaction.get("collateralReturn")
            created = [] if back is None else [(len(outputs), back)]
        case other:
            raise ValueError(f"transaction {transaction['id']} spends {other!r}")

    touched = [found.outputs.get(_reference(place)) for place in transaction.get("references", [])]
    for place in spent:
        row = found.outputs.get(_reference(place))
        touched.append(row)
        if row is not None:
            if row["spent_slot"] is not None:
                raise ValueError(f"{_reference(place)} is spent twice")
            row["spent_slot"], row["spent_by"] = block["slot"], transaction["id"]
    for index, output in created:
        if any(_matches(watch, output["address"]) for watch in wanted):
            key = transaction["id"], index
            found.outputs[key] = row = _row(block, transaction["id"], index, output)
            touched.append(row)
            for policy, name, quantity in _assets(output):
                found.assets[*key, policy, name] = quantity

    revealed = transaction.get("datums", {})
    for row in touched:
        if row is not None and row["datum_hash"] in revealed:
            preimage = revealed[row["datum_hash"]]
            if _hash(32, preimage) != row["datum_hash"]:
                raise ValueError(f"transaction {transaction['id']} names a datum by a foreign hash")
            preimages[row["datum_hash"]] = preimage


def _row(block: Any, transaction_id: str, index: int, output: Any) -> Row:
    kind, credential = _payment(output["address"])
    inline = output.get("datum")
    return {
        "transaction_id": transaction_id,
        "output_index": index,
        "address": output["address"],
        "payment_credential": credential,
        "credential_kind": kind,
        "lovelace": output["value"]["ada"]["lovelace"],
        "assets": {f"{policy}.{name}" if name else policy: held for policy, name, held in _assets(output)},
        "datum_hash": output.get("datumHash") if inline is None else _hash(32, inline),
        "datum": inline,
        "script_hash": _script_hash(output.get("script")),
        "created_slot": block["slot"],
        "created_block": block["id"],
        "spent_slot": None,
        "spent_by": None,
    }


def _reference(place: Any) -> tuple[str, int]:
    return place["transaction"]["id"], place["index"]


def _assets(output: Any) -> Iterator[tuple[str, str, int]]:
    for policy, names in output["value"].items():
        if policy != "ada":
            for name, quantity in names.items():
                yield policy, name, quantity


def _hash(size: int, *parts: str) -> str:
    return blake2b(bytes.fromhex("".join(parts)), digest_size=size).hexdigest()


def _script_hash(script: Any) -> str | None:
    if script is None or "cbor" not in script:  # a native script whose bytes the recording does not hold
        return None
    tags = {"native": "00", "plutus:v1": "01", "plutus:v2": "02", "plutus:v3": "03", "plutus:v4": "04"}
    return _hash(28, tags[script["language"]], script["cbor"])


# Addresses.

_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def _checked(watch: Watch) -> Watch:
    text, kind = watch
    if re.fullmatch("[0-9a-f]{56}", text):
        if kind in ("key", "script", None):
            return watch
    elif kind is None and re.fullmatch(f"[{_BASE58}]{{57,}}", text):
        return watch
    raise ValueError(f"not a watch: {watch}")


def _matches(watch: Watch, address: str) -> bool:
    text, kind = watch
    kind_here, credential = _payment(address)
    return text == address if credential is None else text == credential and kind in (kind_here, None)


@cache
def _payment(address: str) -> tuple[str | None, str | None]:
    """The kind and the hash that must agree to spend from an address; nothing of either for Byron."""
    if not address.startswith(("addr1", "addr_test1")):
        if set(address) <= set(_BASE58):
            return None, None
        raise ValueError(f"not an address: {address}")
    data = _bech32_bytes(address)
    header_type = data[0] >> 4  # 0-3 with a stake part, 4-5 with a pointer, 6-7 alone; odd: a script pays
    if header_type > 7 or len(data) < 29:
        raise ValueError(f"not the address of an output: {address}")
    return "script" if header_type & 1 else "key", data[1:29].hex()


def _bech32_bytes(text: str) -> bytes:
    prefix, _, rest = text.rpartition("1")
    words = [_BECH32.index(letter) for letter in rest]
    checksum = 1
    for value in [*(ord(c) >> 5 for c in prefix), 0, *(ord(c) & 31 for c in prefix), *words]:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            if top >> bit & 1:
                checksum ^= generator
    if checksum != 1:
        raise ValueError(f"the checksum is wrong: {text}")
    bits = "".join(f"{word:05b}" for word in words[:-6])
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) - 7, 8))


# Messages.

_DEEP = 64  # all that is counted stands less than ten levels deep
_STRING_OR_BRACKET = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{\]}]', re.DOTALL)


def _parse(line: bytes) -> Any:
    """One message as `nextBlock` answered it, or only its result."""
    message = json.loads(_without_depths(line))
    return message.get("result", message)


def _without_depths(line: bytes) -> bytes:
    """The same JSON with null for whatever nests more than `_DEEP` levels: no parser of JSON reads those."""
    kept: list[bytes] = []
    depth = start = 0
    for token in _STRING_OR_BRACKET.finditer(line):
        if token[0] in b"[{":
            depth += 1
            if depth == _DEEP + 1:
                kept += line[start : token.start()], b"null"
        elif token[0] in b"]}":
            if depth == _DEEP + 1:
                start = token.end()
            depth -= 1
    return b"".join([*kept, line[start:]])


def _surviving(lines: Iterable[bytes]) -> list[Any]:
    """The blocks that no later rollback took back."""
    chain: list[Any] = []
    for line in lines:
        result = _parse(line)
        if result["direction"] == "forward":
            chain.append(result["block"])
        elif result["point"] == "origin":
            chain.clear()
        elif any(block["id"] == result["point"]["id"] for block in chain):
            while chain[-1]["id"] != result["point"]["id"]:
                chain.pop()
        else:  # to a point before the recording, or in a gap of it; a boundary block of Byron has no slot
            while chain and chain[-1].get("slot", result["point"]["slot"] + 1) > result["point"]["slot"]:
                chain.pop()
    return chain
