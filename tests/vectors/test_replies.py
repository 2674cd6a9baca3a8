"""Every official reply of Ogmios that the follower may hear decodes, or is refused by name."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from indexer import errors
from indexer.chain.point import ORIGIN, Point, Tip
from indexer.ogmios import queries, wire
from indexer.ogmios.decode import transactions
from indexer.ogmios.replies import IntersectionFound, IntersectionNotFound, RollBackward, RollForward
from indexer.ogmios.text import members

with gzip.open(Path(__file__).parent / "ogmios-v7.0.0.jsonl.gz", "rt") as file:
    VECTORS = {entry["vector"]: entry["text"] for entry in map(json.loads, file)}

SQLITE_HOLDS = 2**63


def named(kind: str) -> list[str]:
    return [name for name in VECTORS if name.startswith(kind)]


def with_id(text: str, request_id: bytes) -> bytes:
    """The vectors carry ids of their own making; the follower sends one with `findIntersection` only."""
    fields = members(text.encode())
    fields["id"] = request_id
    return b"{" + b",".join(b'"%s":%s' % (k.encode(), v) for k, v in fields.items()) + b"}"


def place(value: Any) -> Any:
    return ORIGIN if value == "origin" else Point(value["slot"], bytes.fromhex(value["id"]))


@pytest.mark.parametrize("name", named("NextBlock"))
def test_a_next_block_reply_decodes_to_what_it_says(name: str) -> None:
    """Header, tip and every transaction, down to inputs and outputs; values past 2^63 are refused by name."""
    expected = json.loads(VECTORS[name])["result"]
    text = with_id(VECTORS[name], b"null")
    if expected["direction"] == "backward":
        assert wire.decode(text) == RollBackward(place(expected["point"]), tip_of(expected["tip"]))
        return
    block = expected["block"]
    if max(block["height"], block.get("slot", 0)) >= SQLITE_HOLDS:
        with pytest.raises(errors.BlockNotUnderstood, match="out of range"):
            wire.decode(text)
        return
    reply = wire.decode(text)
    assert isinstance(reply, RollForward)
    assert (reply.header.id.hex(), reply.header.height, reply.header.slot) == (
        block["id"],
        block["height"],
        block.get("slot"),
    )
    if max((o["value"]["ada"]["lovelace"] for o in outputs_of(block)), default=0) >= SQLITE_HOLDS:
        with pytest.raises(errors.BlockNotUnderstood, match="lovelace"):
            list(transactions(reply, lambda _: True))
        return
    found = list(transactions(reply, lambda _: True))
    assert [t["id"] for t in block.get("transactions", [])] == [t.id.hex() for t in found]
    for transaction, vector in zip(found, block.get("transactions", []), strict=True):
        failed = vector["spends"] == "collaterals"
        spent = vector.get("collaterals", []) if failed else vector["inputs"]
        assert [(r["transaction"]["id"], r["index"]) for r in spent] == [
            (r.transaction_id.hex(), r.index) for r in transaction.spends
        ]
        outputs = vector.get("outputs", [])
        created = [(len(outputs), vector["collateralReturn"])] if "collateralReturn" in vector else []
        created = created if failed else list(enumerate(outputs))
        assert [(i, o["address"], o["value"]["ada"]["lovelace"], o.get("datum")) for i, o in created] == [
            (i, o.address, o.lovelace, None if o.datum is None else o.datum.hex()) for i, o in transaction.creates
        ]
        assert vector.get("datums", {}) == {k.hex(): v.hex() for k, v in transaction.datums.items()}


@pytest.mark.parametrize("name", named("FindIntersection"))
def test_a_find_intersection_reply_decodes_or_is_refused_by_name(name: str) -> None:
    """Found, not found (1000), interleaved (1001)."""
    text = with_id(VECTORS[name], b'"find-intersection"')
    reply = json.loads(text)
    if "error" in reply and reply["error"]["code"] != 1000:
        with pytest.raises(errors.RequestRefused, match="code 1001"):
            wire.decode(text)
    elif "error" in reply:
        assert wire.decode(text) == IntersectionNotFound(tip_of(reply["error"]["data"]["tip"]))
    else:
        result = msgspec.json.decode(text)["result"]
        assert wire.decode(text) == IntersectionFound(place(result["intersection"]), tip_of(result["tip"]))


@pytest.mark.parametrize("name", named("QueryNetworkGenesis"))
def test_a_genesis_configuration_tells_magic_and_k(name: str) -> None:
    """The two facts that decide whether we may follow this node."""
    result = json.loads(VECTORS[name])["result"]
    assert (result["networkMagic"], result["securityParameter"]) == queries.genesis(result)


@pytest.mark.parametrize("name", named("QueryLedgerStateEraSummaries"))
@pytest.mark.parametrize("start", named("QueryNetworkStartTime"))
def test_era_summaries_tell_when_slots_begin(name: str, start: str) -> None:
    """Each era that begins at a slot of its own, in milliseconds."""
    summaries, moment = json.loads(VECTORS[name])["result"], json.loads(VECTORS[start])["result"]
    found = {era.start_slot: era for era in queries.eras(moment, summaries)}
    for summary in summaries:
        slot, seconds = summary["start"]["slot"], summary["start"]["time"]["seconds"]
        begun = datetime.fromisoformat(moment) + timedelta(seconds=seconds)
        if [s["start"]["slot"] for s in summaries].count(slot) == 1:
            assert abs(begun - datetime.fromtimestamp(found[slot].start_ms / 1000, UTC)) < timedelta(milliseconds=1)
            assert summary["parameters"]["slotLength"]["milliseconds"] == found[slot].slot_ms


@pytest.mark.parametrize(
    "result", [None, {}, {"networkMagic": "1", "securityParameter": 1}, {"networkMagic": 1, "securityParameter": 0}]
)
def test_a_genesis_that_makes_no_sense_is_refused_by_name(result: Any) -> None:
    """No k, no network."""
    with pytest.raises(errors.ReplyGarbled):
        queries.genesis(result)


def outputs_of(block: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        output
        for t in block.get("transactions", [])
        for output in [*t.get("outputs", []), *([t["collateralReturn"]] if "collateralReturn" in t else [])]
    ]


def tip_of(value: Any) -> Any:
    return ORIGIN if value == "origin" else Tip(place(value), value["height"])


def test_a_head_that_nests_deep_and_a_slot_behind_the_transactions_are_read() -> None:
    """What the look at both ends of a message cannot tell, the full read does."""
    head = b'"era":"byron","id":"%s","ancestor":"%s","height":1' % ((b"ab" * 32,) * 2)
    deep = b'"odd":%s%s' % (b"[" * 3000, b"]" * 3000)
    for block in (
        b'{"type":"bft",%s,%s,"transactions":[],"slot":2}' % (head, deep),
        b'{"type":"bft",%s,"slot":2,%s,"transactions":[]}' % (head, deep),
        b'{"type":"bft",%s,"transactions":[],"slot":2,"operationalCertificates":[]}' % head,
    ):
        tip = b'{"slot":9,"id":"%s","height":9}' % (b"cd" * 32)
        text = b'{"jsonrpc":"2.0","method":"nextBlock","result":{"direction":"forward","block":%s,"tip":%s},"id":null}'
        reply = wire.decode(text % (block, tip))
        assert isinstance(reply, RollForward)
        assert (reply.header.slot, list(transactions(reply, lambda _: True))) == (2, [])
