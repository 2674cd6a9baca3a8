"""What becomes of a transaction after it is handed over, told by a node that says whatever a test has it say."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from indexer import errors
from indexer.chain.block import Output, OutputReference
from indexer.chain.coin import Coin
from indexer.chain.point import Point
from indexer.devnet.running import Devnet
from indexer.edge.builder import signing
from indexer.edge.envelopes import read_transaction
from indexer.edge.node import node as reached
from indexer.ogmios.submission import Stage, SubmissionRefused, refusal
from indexer.workers.sending import Delivery, Expired, OutcomeUnknown, Superseded
from indexer.workers.sent import DoneBefore, Sent, UnderWay, deliver, purpose
from tests.contract.terms import Reference
from tests.support import spending
from tests.support.spending import Spending, Wallet, paid, written

FUNDER = Wallet("funder")
GIVEN = spending.coin(FUNDER)
RAW = written(Spending(inputs=(GIVEN,), signers=(FUNDER,), change=FUNDER.address, body={3: 1_000}))
ID = signing.transaction_id(RAW)
INPUT, MADE = GIVEN.reference, OutputReference(ID, 0)


@dataclass
class Fake:
    """A node. `there`: the unspent outputs; each of `answers` is for one submission: an error to raise, or None."""

    there: set[OutputReference] = field(default_factory=lambda: {INPUT})
    slot: int = 10
    answers: list[Exception | None] = field(default_factory=list)
    taken: bool = True  # a submission that is accepted, or whose answer is lost, gets into a block
    submitted: list[bytes] = field(default_factory=list)
    asked: int = 0

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Any]:
        yield self

    async def tip(self) -> Point:
        return Point(self.slot, bytes(32))

    async def utxo(self, references: Iterable[OutputReference]) -> list[Coin]:
        self.asked += 1
        return [Coin(at, Output("", 0)) for at in references if at in self.there]

    async def submit(self, raw: bytes) -> bytes:
        self.submitted.append(raw)
        answer = self.answers.pop(0) if self.answers else None
        if self.taken and not isinstance(answer, SubmissionRefused):
            self.there = {MADE}
        if answer is not None:
            raise answer
        return ID


def refused(code: int, data: Any = None) -> Exception:
    return refusal(Stage.SUBMIT, {"code": code, "message": "no", "data": data})


LOST = errors.Unreachable("Ogmios closed the connection")
OURS_IS_UNKNOWN = {
    "unknownOutputReferences": [{"transaction": {"id": INPUT.transaction_id.hex()}, "index": INPUT.index}]
}
OTHER_IS_UNKNOWN = {"unknownOutputReferences": [{"transaction": {"id": "ab" * 32}, "index": 0}]}


async def delivered(node: Fake, patience_s: float = 5.0) -> list[str]:
    """What was said meanwhile."""
    said: list[str] = []
    await Delivery(node.connect, RAW, said.append, patience_s).run()
    return said


async def test_it_is_handed_over_once_and_waited_for() -> None:
    """A block has it at the next look."""
    node = Fake()
    assert ID.hex() in (await delivered(node))[0]
    assert node.submitted == [RAW]


async def test_what_a_block_has_already_is_not_handed_over() -> None:
    """Somebody sent it before."""
    node = Fake(there={MADE})
    await delivered(node)
    assert node.submitted == []


async def test_a_lost_reply_is_followed_by_a_look() -> None:
    """It got there: nothing is sent again."""
    node = Fake(answers=[LOST])
    await delivered(node)
    assert node.submitted == [RAW]


async def test_what_got_lost_on_the_way_is_sent_again_as_it_was() -> None:
    """The same bytes: they cannot be in two blocks."""

    class Lossy(Fake):
        async def submit(self, raw: bytes) -> bytes:
            self.taken = bool(self.submitted)
            return await super().submit(raw)

    node = Lossy(answers=[LOST, None])
    await delivered(node)
    assert node.submitted == [RAW, RAW]


async def test_a_node_that_was_never_reached_got_nothing() -> None:
    """The error is that of the node: the command may simply be run again."""
    node = Fake()

    @asynccontextmanager
    async def closed() -> AsyncIterator[Any]:
        raise LOST
        yield node

    with pytest.raises(errors.Unreachable):
        await Delivery(closed, RAW, print, 5.0).run()


async def test_what_is_in_no_block_in_time_is_unknown() -> None:
    """Never failed; and the same when the node stays away after it took it."""
    with pytest.raises(OutcomeUnknown, match=ID.hex()):
        await delivered(Fake(taken=False), patience_s=0.0)
    with pytest.raises(OutcomeUnknown, match="closed"):
        await delivered(Fake(taken=False, answers=[LOST]), patience_s=0.0)


async def test_it_waits_where_it_is_itself_what_spends_its_inputs_in_the_mempool() -> None:
    """Sent twice, the second is refused, although all is well."""
    for answer in (refused(3117, OURS_IS_UNKNOWN), refused(3997, {"error": "All inputs are spent."})):

        class Waiting(Fake):
            async def utxo(self, references: Iterable[OutputReference]) -> list[Coin]:
                if self.submitted and self.asked == 3:
                    self.there = {MADE}
                return await super().utxo(references)

        node = Waiting(answers=[answer])
        await delivered(node)
        assert node.submitted == [RAW]


@pytest.mark.parametrize("answer", [refused(3117, OTHER_IS_UNKNOWN), refused(3118), refused(3123)])
async def test_a_refusal_for_another_reason_is_raised(answer: Exception) -> None:
    """Such as a reference script that is gone."""
    with pytest.raises(SubmissionRefused) as found:
        await delivered(Fake(answers=[answer]))
    assert "run the command again" in found.value.hint


async def test_an_input_that_is_gone_without_it_supersedes_it() -> None:
    """Nothing is handed over."""
    node = Fake(there=set())
    with pytest.raises(Superseded):
        await delivered(node)
    assert node.submitted == []


async def test_it_is_over_when_the_tip_is_past_its_validity() -> None:
    """The slot that it is not valid in any more is enough."""
    await delivered(Fake(slot=999))
    with pytest.raises(Expired, match="slot 1000"):
        await delivered(Fake(slot=1_000))


async def test_a_mempool_that_is_full_makes_it_wait_and_it_is_in_a_block_once_there_is_room(devnet: Devnet) -> None:
    """A node does not answer then, so a client's patience ends first; it comes back with the same bytes."""
    made = devnet.node.faucet(FUNDER.address, 10_000_000)
    devnet.node.make_block()
    coin = spending.Coin(Reference(made, 0), paid(FUNDER.address, 10_000_000))
    raw = written(Spending(inputs=(coin,), signers=(FUNDER,), change=FUNDER.address, body={3: 1_000}))
    devnet.node.faucet(FUNDER.address, 1_000_000)  # waits, and takes all the room
    devnet.node.mempool.capacity = 1
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        devnet.node.make_block()

    await Delivery(partial(reached, devnet.url, {}, 0.2), raw, say, 5.0).run()
    lost, sent = said
    assert "no answer to submitTransaction within 0.2 s" in lost
    assert "waiting for a block" in sent


# --- what was written down


async def test_the_same_is_refused_while_it_is_under_way_and_when_it_is_done(tmp_path: Path) -> None:
    """And forgotten when its validity is over, when it was superseded, and when what it made is spent."""
    sent, wanted = Sent(tmp_path), purpose("register", b"terms")
    path = sent.keep(wanted, RAW)
    assert read_transaction(path) == RAW
    with pytest.raises(UnderWay) as found:
        await sent.refuse_twice(Fake().connect, wanted, again=True)
    assert str(path) in found.value.hint
    with pytest.raises(DoneBefore):
        await sent.refuse_twice(Fake(there={MADE}).connect, wanted, again=False)
    await sent.refuse_twice(Fake(there={MADE}).connect, wanted, again=True)
    await sent.refuse_twice(Fake().connect, purpose("register", b"other terms"), again=False)
    assert path.exists()
    for node in (Fake(slot=1_000), Fake(there=set())):
        await sent.refuse_twice(node.connect, wanted, again=False)
        assert not path.exists()
        sent.keep(wanted, RAW)


async def test_a_file_of_ours_goes_when_the_node_refuses_for_good_and_no_other_file(tmp_path: Path) -> None:
    """What somebody gave stays; what may be sent again stays too, and the hint names it."""
    path = Sent(tmp_path).keep(purpose("deploy", b""), RAW)
    with pytest.raises(SubmissionRefused) as found:
        await deliver(Fake(answers=[refused(3997)]).connect, RAW, path, print)
    assert str(path) in found.value.hint
    with pytest.raises(SubmissionRefused):
        await deliver(Fake(answers=[refused(3123)]).connect, RAW, path, print)
    assert not path.exists()
    given = tmp_path / "given.tx"
    given.write_text("")
    with pytest.raises(SubmissionRefused):
        await deliver(Fake(answers=[refused(3123)]).connect, RAW, given, print)
    assert given.exists()


def test_purposes_differ_where_facts_do() -> None:
    """Also where the same bytes are cut elsewhere."""
    assert len({purpose("a", b"xy"), purpose("a", b"x", b"y"), purpose("b", b"xy"), purpose("a")}) == 4
