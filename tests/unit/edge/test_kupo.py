"""The client for Kupo: against the devnet's, and against servers that fail, lie and dawdle."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable
from hashlib import blake2b
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer import errors
from indexer.chain.block import OutputReference
from indexer.chain.point import Point
from indexer.chain.seen import Seen, Spending
from indexer.devnet.kupo.patterns import parse
from indexer.devnet.ledger.addresses import address_text
from indexer.devnet.running import Devnet
from indexer.edge.kupo import Kupo, Limits, connected
from indexer.edge.kupo_rows import Splitter, read_match
from tests.support.serving import Asked, Handler, begun, saying, whole
from tests.support.spending import digest, paid
from tests.unit.devnet.payments import ANN, BOB, pay, send
from tests.unit.devnet.payments import given as funded

QUICK = Limits(connect_s=2.0, silence_s=0.2, overall_s=2.0, first_retry_s=0.001)
ADDRESS = "addr_test1vz2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzerspjrlsz"  # CIP-19's first without a stake part
DATUM = b"\xd8\x79\x80"
BLOCK = "ab" * 32


def row(**changes: Any) -> dict[str, Any]:
    """A match as Kupo writes it, with some fields otherwise."""
    return {
        "transaction_index": 0,
        "transaction_id": "11" * 32,
        "output_index": 3,
        "address": ADDRESS,
        "value": {"coins": 2_000_000, "assets": {f"{'33' * 28}.544f4b454e": 2**70, "22" * 28: 1}},
        "datum_hash": blake2b(DATUM, digest_size=32).hexdigest(),
        "datum_type": "inline",
        "datum": DATUM.hex(),
        "script_hash": blake2b(b"\3code", digest_size=28).hexdigest(),
        "script": {"language": "plutus:v3", "script": b"code".hex()},
        "created_at": {"slot_no": 7, "header_hash": BLOCK},
        "spent_at": {
            "slot_no": 9,
            "header_hash": "cd" * 32,
            "transaction_id": "44" * 32,
            "input_index": 0,
            "redeemer": "d87a80",
        },
        **changes,
    }


def body(*rows: dict[str, Any]) -> bytes:
    return json.dumps(rows).encode()


async def everything(rows: AsyncIterator[Seen]) -> list[Seen]:
    return [seen async for seen in rows]


async def ask(url: str, limits: Limits = QUICK) -> list[Seen]:
    """All matches of some pattern."""
    async with connected(url, {}, limits) as kupo:
        return await kupo.matches("*", everything)


def answers(*texts: bytes) -> Handler:
    """One after the other; the last for ever."""

    async def handler(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(texts[min(asked.number, len(texts) - 1)])
        await writer.drain()

    return handler


# --- the devnet's Kupo


async def test_matches_of_a_credential_tell_what_was_created_and_spent(devnet: Devnet) -> None:
    """Oldest first, with value, datums, both points and who spent them; the sums are those that were paid."""
    _, coin = funded(ANN, node=devnet.node)
    first = devnet.node.tip
    raw, _ = pay(ANN, coin, BOB.address, 5_000_000)
    spent_by = devnet.node.submit(raw)
    second = devnet.node.make_block()
    assert first is not None
    async with connected(devnet.kupo_url, {}) as kupo:
        seen = await kupo.matches(f"{ANN.hash.hex()}/*", everything)
        bobs = await kupo.matches(f"{BOB.hash.hex()}/*", everything)
        unspent = await kupo.matches(f"{ANN.hash.hex()}/*", everything, unspent=True)
        later = await kupo.matches(f"{ANN.hash.hex()}/*", everything, created_after=first.slot + 1)
        bounded = await kupo.matches("*", everything, created_before=Point(first.slot, first.id))
    funding, change = seen
    assert funding.reference == coin.reference
    assert funding.created == Point(first.slot, first.id)
    assert funding.spent == Spending(second.slot, spent_by, second.id, 0, None)
    assert (change.reference, change.spent) == (OutputReference(spent_by, 1), None)
    assert [(one.lovelace, one.created.slot) for one in bobs] == [(5_000_000, second.slot)]
    assert unspent == later == [change]
    assert max(one.created.slot for one in bounded) == first.slot


async def test_inline_datums_hashes_and_scripts_come_along_and_can_be_asked_for(devnet: Devnet) -> None:
    """The preimage of a hash too, once a witness showed it; what nobody showed is None."""
    _, coin = funded(ANN, node=devnet.node)
    raw, coin = send(ANN, coin, paid(BOB.address, 3_000_000, datum=42))
    devnet.node.submit(raw)
    raw, coin = send(ANN, coin, paid(BOB.address, 3_000_000, datum_hash=digest(b"\x18\x2b")))
    devnet.node.submit(raw)
    devnet.node.make_block()
    async with connected(devnet.kupo_url, {}) as kupo:
        inline, hashed = await kupo.matches(f"{BOB.hash.hex()}/*", everything)
        assert (inline.is_inline, inline.datum, inline.datum_hash) == (True, b"\x18\x2a", digest(b"\x18\x2a"))
        assert (hashed.is_inline, hashed.datum, hashed.datum_hash) == (False, None, digest(b"\x18\x2b"))
        assert await kupo.datum(digest(b"\x18\x2a")) == b"\x18\x2a"
        assert await kupo.datum(digest(b"\x18\x2b")) is None
        assert await kupo.script(bytes(28)) is None


async def test_checkpoints_patterns_and_health_are_those_of_the_index(devnet: Devnet) -> None:
    """`head` is the newest block; a slot without a block has none, strictly speaking."""
    async with connected(devnet.kupo_url, {}) as kupo:
        assert await kupo.head() is None
        one = devnet.node.make_block()
        devnet.node.skip(20)
        two = devnet.node.tip
        assert two is not None
        assert await kupo.head() == Point(two.slot, two.id)
        assert await kupo.checkpoint(two.slot - 1) == Point(one.slot, one.id)
        assert await kupo.checkpoint(two.slot - 1, strict=True) is None
        assert await kupo.checkpoint(two.slot, strict=True) == Point(two.slot, two.id)
        assert (await kupo.checkpoints())[0] == Point(two.slot, two.id)
        assert await kupo.patterns() == ["*"]
        health = await kupo.health()
        assert (health.connected, health.checkpoint, health.version) == (True, two.slot, "v2.12.0")
        devnet.index.patterns = {parse(f"{ANN.hash.hex()}/*")}
        assert await kupo.patterns(including=f"{ANN.hash.hex()}/*") == [f"{ANN.hash.hex()}/*"]
        assert await kupo.patterns(including=f"{BOB.hash.hex()}/*") == []


async def test_a_busy_kupo_is_asked_again(devnet: Devnet) -> None:
    """Twice 503, then its answer; where it stays busy, that is said."""
    funded(ANN, node=devnet.node)
    devnet.kupo.api.busy = 2
    assert {seen.address for seen in await ask(devnet.kupo_url)} > {address_text(ANN.address)}
    devnet.kupo.api.busy = 4
    with pytest.raises(errors.KupoBusy):
        await ask(devnet.kupo_url)
    assert devnet.kupo.api.busy == 0, "it was asked four times"


async def test_a_bad_pattern_is_refused_in_kupos_own_words(devnet: Devnet) -> None:
    """With what it says."""
    async with connected(devnet.kupo_url, {}) as kupo:
        with pytest.raises(errors.KupoRefused, match="status 400"):
            await kupo.matches("nonsense", everything)


# --- one state of things


async def test_what_was_read_is_read_again_where_a_block_came_between(devnet: Devnet) -> None:
    """Then all of it is of the block that is named."""
    devnet.node.make_block()
    reads = count()
    async with connected(devnet.kupo_url, {}) as kupo:

        async def read() -> int:
            if next(reads) == 0:
                devnet.node.faucet(ANN.address, 2_000_000)
                devnet.node.make_block()
            return len(await kupo.matches(f"{ANN.hash.hex()}/*", everything))

        at, found = await kupo.consistent("ann", read)
    assert devnet.node.tip is not None
    assert (at, found) == (Point(devnet.node.tip.slot, devnet.node.tip.id), 1)
    assert next(reads) == 2


async def test_where_blocks_never_stop_coming_it_gives_up_by_name(devnet: Devnet) -> None:
    """After five attempts."""
    devnet.node.make_block()
    async with connected(devnet.kupo_url, {}) as kupo:

        async def read() -> None:
            devnet.node.fork(1, 1)

        with pytest.raises(errors.KupoUnsteady):
            await kupo.consistent("anything", read)


async def test_as_long_as_kupo_stands_still_a_result_is_given_again() -> None:
    """For one request on condition, answered 304 and without a body; under another key, or at another block, anew."""
    at = {"slot_no": 5, "header_hash": BLOCK}

    async def handler(asked: Asked, writer: asyncio.StreamWriter) -> None:
        headers = {"X-Most-Recent-Checkpoint": str(at["slot_no"]), "ETag": str(at["header_hash"])}
        if asked.headers.get("if-none-match") == at["header_hash"]:
            writer.write(begun("304 Not Modified", **headers))
        else:
            writer.write(whole(json.dumps(at).encode(), **headers))

    reads = count()

    async def read() -> int:
        return next(reads)

    async with saying(handler) as liar, connected(liar.url, {}, QUICK) as kupo:
        assert [await kupo.consistent("a", read) for _ in range(3)] == [(Point(5, b"\xab" * 32), 0)] * 3
        assert len(liar.asked) == 4
        assert [asked.headers.get("if-none-match") for asked in liar.asked] == [None, BLOCK, BLOCK, BLOCK]
        assert (await kupo.consistent("b", read))[1] == 1
        at["header_hash"] = "ef" * 32
        assert await kupo.consistent("a", read) == (Point(5, b"\xef" * 32), 2)


# --- failing servers


async def test_a_row_is_read_to_the_last_digit() -> None:
    """Each field where it belongs; a quantity above 2^64 exactly."""
    async with saying(answers(whole(body(row())))) as liar:
        (seen,) = await ask(liar.url)
    assert seen == Seen(
        OutputReference(b"\x11" * 32, 3),
        ADDRESS,
        2_000_000,
        ((b"\x22" * 28, b"", 1), (b"\x33" * 28, b"TOKEN", 1_180_591_620_717_411_303_424)),
        blake2b(DATUM, digest_size=32).digest(),
        True,
        DATUM,
        blake2b(b"\3code", digest_size=28).digest(),
        "plutus:v3",
        Point(7, b"\xab" * 32),
        Spending(9, b"\x44" * 32, b"\xcd" * 32, 0, b"\xd8\x7a\x80"),
    )
    assert liar.asked[0].headers["accept"] == "application/json"
    assert liar.asked[0].target == "/matches/*?resolve_hashes&order=oldest_first"


async def test_every_request_asks_for_json_and_carries_the_headers_given() -> None:
    """Kupo answers /health to any other Accept in Prometheus' text, and calls that JSON."""
    async with saying(answers(whole(b"[]"))) as liar, connected(liar.url + "/kupo/", {"X-Key": "s"}, QUICK) as kupo:
        assert await kupo.patterns() == []
        assert await kupo.checkpoints() == []
    assert [(a.target, a.headers["accept"], a.headers["x-key"]) for a in liar.asked] == [
        ("/kupo/patterns", "application/json", "s"),
        ("/kupo/checkpoints", "application/json", "s"),
    ]


CUT = begun(**{"Content-Length": "5000"}) + body(row())[:-1]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(CUT, id="less than its length"),
        pytest.param(whole(body(row())[:-1]), id="no end of the array"),
        pytest.param(begun() + body(row())[:-40], id="no end of the row"),
        pytest.param(whole(b""), id="nothing"),
        pytest.param(b"", id="not even a status"),
        pytest.param(whole(b'{"hint": "busy"}', "503 Service Unavailable"), id="503"),
    ],
)
async def test_an_answer_that_breaks_off_is_asked_for_again(broken: bytes) -> None:
    """Up to three times. What was made of its rows is void: the result has each row once."""
    async with saying(answers(broken, broken, broken, whole(body(row())))) as liar:
        assert len(await ask(liar.url)) == 1
        assert len(liar.asked) == 4
    async with saying(answers(broken)) as liar:
        with pytest.raises((errors.KupoTruncated, errors.KupoBusy)):
            await ask(liar.url)
        assert len(liar.asked) == 4


GARBAGE: dict[str, bytes] = {
    "no list": b'{"hint": "no"}',
    "no JSON": b"<html></html>",
    "a number": b"[1]",
    "a list in the list": b"[[]]",
    "no comma": body(row())[:-1] + body(row())[1:],
    "a comma too many": body(row())[:-1] + b",]",
    "something behind it": body(row()) + b"[]",
    "a deep nest": b'[{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}]",
    "brackets that do not match": b'[{"a": 1]}]',
    "a short id": body(row(transaction_id="11" * 31)),
    "an id in capitals": body(row(transaction_id="AB" * 32)),
    "an index below zero": body(row(output_index=-1)),
    "an index as text": body(row(output_index="3")),
    "true for an index": body(row(output_index=True)),
    "coins below zero": body(row(value={"coins": -1})),
    "coins that are not whole": body(row(value={"coins": 1.5})),
    "coins with a point": body(row(value={"coins": 2.0})),
    "coins too many": body(row(value={"coins": 2**63})),
    "an asset of nothing": body(row(value={"coins": 1, "assets": {"33" * 28: 0}})),
    "an asset without policy": body(row(value={"coins": 1, "assets": {"33": 1}})),
    "an asset with a long name": body(row(value={"coins": 1, "assets": {"33" * 28 + "." + "00" * 33: 1}})),
    "an asset with an empty name spelt out": body(row(value={"coins": 1, "assets": {"33" * 28 + ".": 1}})),
    "another datum than its hash": body(row(datum="00")),
    "a datum without hash": body(row(datum_hash=None, datum_type=None)),
    "a kind of datum that is none": body(row(datum_type="inlined")),
    "a kind without datum": body(row(datum_hash=None, datum=None)),
    "a short datum hash": body(row(datum_hash="00")),
    "another script than its hash": body(row(script={"language": "plutus:v2", "script": b"code".hex()})),
    "a language that is none": body(row(script={"language": "basic", "script": b"code".hex()})),
    "a short script hash": body(row(script_hash="00" * 27)),
    "an address with a line in it": body(row(address="addr1\n")),
    "a slot below zero": body(row(created_at={"slot_no": -1, "header_hash": BLOCK})),
    "a slot past all": body(row(created_at={"slot_no": 2**64, "header_hash": BLOCK})),
    "a short block": body(row(created_at={"slot_no": 7, "header_hash": "ab"})),
    "spent before it was made": body(row(created_at={"slot_no": 10, "header_hash": BLOCK})),
    "half hex": body(row(spent_at={"slot_no": 9, "header_hash": "cd" * 32, "redeemer": "d"})),
    "rows out of order": body(row(), row(created_at={"slot_no": 6, "header_hash": BLOCK})),
    "an output in two forms": body(row(), row(address=ADDRESS + "x")),
    **{f"no {name}": body({k: v for k, v in row().items() if k != name}) for name in ("address", "value", "spent_at")},
}


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE)
async def test_garbage_is_named_and_never_becomes_a_row(text: bytes) -> None:
    """And is not asked for again: it would be the same."""
    async with saying(answers(whole(text))) as liar:
        with pytest.raises(errors.KupoGarbled):
            await ask(liar.url)
        assert len(liar.asked) == 1


async def test_rows_that_come_twice_are_one() -> None:
    """Kupo's own advice: go by the output reference."""
    async with saying(answers(whole(body(row(), row(output_index=4), row())))) as liar:
        assert [seen.reference.index for seen in await ask(liar.url)] == [3, 4]


@pytest.mark.parametrize(
    ("read", "lie"),
    [
        (lambda kupo: kupo.checkpoint(5), b'{"slot_no": 6, "header_hash": "%s"}' % (b"ab" * 32)),
        (lambda kupo: kupo.checkpoint(5, strict=True), b'{"slot_no": 4, "header_hash": "%s"}' % (b"ab" * 32)),
        (lambda kupo: kupo.checkpoint(5), b'{"slot_no": 5, "header_hash": "ab"}'),
        (lambda kupo: kupo.checkpoints(), b"null"),
        (lambda kupo: kupo.head(), b"[]"),
        (lambda kupo: kupo.datum(bytes(32)), b'{"datum": "00"}'),
        (lambda kupo: kupo.script(bytes(28)), b'{"language": "native", "script": "00"}'),
        (lambda kupo: kupo.patterns(), b"[1]"),
        (lambda kupo: kupo.health(), b"# TYPE kupo_connection_status gauge\nkupo_connection_status  1.0\n"),
    ],
)
async def test_other_answers_are_read_as_strictly(read: Callable[[Kupo], Any], lie: bytes) -> None:
    """A checkpoint at another slot than asked, a datum of another hash, Prometheus' text under the name of JSON."""
    async with saying(answers(whole(lie))) as liar, connected(liar.url, {}, QUICK) as kupo:
        with pytest.raises(errors.KupoGarbled):
            await read(kupo)


async def test_an_answer_without_end_ends_at_the_limit_of_time_in_constant_memory() -> None:
    """However many good rows come; 2,000 rows take no more memory than 200."""
    rows_at_once = 20

    async def handler(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(begun() + b"[")
        for slot in count(7):
            at = {"slot_no": slot, "header_hash": BLOCK}
            some = [row(output_index=index, created_at=at, spent_at=None) for index in range(rows_at_once)]
            writer.write(body(*some)[1:-1] + b",")
            await writer.drain()
            await asyncio.sleep(0)

    peaks: list[int] = []

    async def measure(rows: AsyncIterator[Seen]) -> None:
        number = 0
        async for _ in rows:
            number += 1
            if number in (200, 2000):
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
            if number in (1, 1800):
                tracemalloc.start()

    async with saying(handler) as liar, connected(liar.url, {}, Limits(overall_s=3.0)) as kupo:
        with pytest.raises(errors.KupoTimedOut, match="did not end within 3 s"):
            await kupo.matches("*", measure)
    early, late = peaks
    assert late < early + 1_000_000


async def test_a_row_without_end_is_cut_short() -> None:
    """At four MiB, far more than a transaction can hold."""

    async def handler(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(begun() + b'[{"address": "')
        while True:
            writer.write(b"a" * 65_536)
            await writer.drain()

    async with saying(handler) as liar:
        with pytest.raises(errors.KupoGarbled, match="more than 4,194,304 bytes"):
            await ask(liar.url, Limits())


async def test_a_compressed_answer_is_refused_unread() -> None:
    """A few KiB may stand for gigabytes; we say that we want none."""
    text = whole(gzip.compress(body(row())), **{"Content-Encoding": "gzip"})
    async with saying(answers(text)) as liar:
        with pytest.raises(errors.KupoGarbled, match="compressed"):
            await ask(liar.url)
        assert liar.asked[0].headers["accept-encoding"] == "identity"


async def test_silence_and_dripping_end_at_their_limits() -> None:
    """Nothing at all; nothing after the first row; and a byte now and then, which only the overall limit ends."""
    gone = asyncio.Event()

    async def silent(_asked: Asked, _writer: asyncio.StreamWriter) -> None:
        await gone.wait()

    async def stuck(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(begun() + body(row())[:-1])
        await gone.wait()

    async def dripping(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(begun() + b"[")
        while not gone.is_set():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    silence, overall = Limits(silence_s=0.1, overall_s=30.0), Limits(silence_s=30.0, overall_s=0.4)
    for handler, limits, sentence in (
        (silent, silence, "did not go on answering within 0.1 s"),
        (stuck, silence, "did not go on answering within 0.1 s"),
        (dripping, overall, "did not end within 0.4 s"),
    ):
        gone.clear()
        async with saying(handler) as liar:
            with pytest.raises(errors.KupoTimedOut, match=sentence):
                await ask(liar.url, limits)
            gone.set()


async def test_where_nobody_listens_it_is_unreachable_and_no_secret_is_told() -> None:
    """The user and password of the URL stay out of the sentence."""
    async with saying(answers(b"")) as liar:
        port = liar.url.rpartition(":")[2]
    with pytest.raises(errors.KupoUnreachable) as caught:
        await ask(f"http://user:secret@127.0.0.1:{port}")
    assert "secret" not in str(caught.value)


async def test_a_redirect_or_a_refused_key_is_told_with_its_status() -> None:
    """A hosted Kupo says what it wants."""
    for status in ("302 Found", "401 Unauthorized", "500 Internal Server Error"):
        async with saying(answers(whole(b'{"hint": "no\\u001b[2J"}', status))) as liar:
            with pytest.raises(errors.KupoRefused, match=status[:3]) as caught:
                await ask(liar.url)
            assert "\x1b" not in str(caught.value)


# --- the splitter

TEXT = st.text(max_size=8)
VALUES = st.recursive(TEXT | st.integers() | st.none(), st.lists, max_leaves=4)
ROWS = st.lists(st.dictionaries(TEXT, VALUES, max_size=3), max_size=4)


@given(ROWS, st.randoms())
def test_an_array_is_taken_apart_however_it_is_cut(rows: list[dict[str, Any]], random: Random) -> None:
    """Texts with brackets, quotes, backslashes; cut anywhere, into bytes even: the same objects."""
    text = json.dumps(rows, ensure_ascii=random.random() < 0.5, indent=random.choice((None, 1))).encode()
    splitter, found = Splitter(), []
    while text:
        size = random.choice((1, 2, 5, 100))
        found += list(splitter.feed(text[:size]))
        text = text[size:]
    splitter.close()
    assert [json.loads(part) for part in found] == rows


@given(st.binary(max_size=60), st.integers(0, 2**32))
def test_a_damaged_row_is_named_or_still_means_what_it_says(noise: bytes, seed: int) -> None:
    """Whatever bytes stand in it, there is a KupoGarbled, or a row whose hashes hold."""
    text, random = json.dumps(row()).encode(), Random(seed)
    at = random.randrange(len(text))
    try:
        seen = read_match(text[:at] + noise + text[at + random.randint(0, len(noise)) :])
    except errors.KupoGarbled:
        return
    assert seen.datum is None or blake2b(seen.datum, digest_size=32).digest() == seen.datum_hash
    assert len(seen.reference.transaction_id) == len(seen.created.id) == 32
    assert seen.lovelace >= 0
