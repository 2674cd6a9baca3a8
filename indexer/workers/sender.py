"""Sending what is written down: the same bytes, until a block has them or never will."""

from collections.abc import Iterable
from typing import Final

import structlog

from indexer.chain.block import OutputReference
from indexer.domain.submission import (
    UNDER_WAY,
    Answer,
    Never,
    NotLikeThis,
    NotNow,
    ReleaseState,
    Taken,
    Unanswered,
    answered,
    in_order,
    rests,
)
from indexer.edge.node import Node
from indexer.errors import SessionBroken
from indexer.ogmios.rulings import Verdict
from indexer.ogmios.submission import Refused, SubmissionRefused
from indexer.store import releases
from indexer.store.releases import Journaled, Release
from indexer.workers.journal import course_of
from indexer.workers.premises import Position, Premises

log = structlog.get_logger(__name__)

SEND_AGAIN_AFTER: Final = 5  # blocks: mempools forget
_UNKNOWN_INPUTS: Final = 3117


class Sender:
    """Hands transactions over, and writes down what came of it."""

    def __init__(self, at: Premises) -> None:
        self._at = at
        self._sent_in: dict[bytes, tuple[int, int]] = {}  # connections and rollbacks there had been when it was sent

    async def has_to_send(self, where: Position) -> bool:
        """Whether something that is written down is to be handed over, once more or at last."""
        unsettled, splits = await releases.unsettled(self._at.db), await releases.splits(self._at.db, where.slot)
        self._forget_all_but({each.latest.id for each in unsettled if each.latest is not None}, splits)
        return any(self._is_to_send(each, where) for each in unsettled) or any(
            self._is_split_to_send(each, where) for each in splits
        )

    def _forget_all_but(self, latest: set[bytes], splits: Iterable[Journaled]) -> None:
        alive = latest | {each.id for each in splits}
        self._sent_in = {name: when for name, when in self._sent_in.items() if name in alive}

    def _is_to_send(self, release: Release, where: Position) -> bool:
        rules = self._at.rules
        if release.state not in UNDER_WAY or release.latest is None or rules.dry_run:
            return False
        if not (rules.enabled or release.by_hand):
            return False
        if release.failures and rests(release.retry_ms, self._at.now_ms()):
            return False
        return release.state is not ReleaseState.SUBMITTED or self._is_forgotten(release.latest, where)

    def _is_split_to_send(self, split: Journaled, where: Position) -> bool:
        rules = self._at.rules
        return rules.enabled and not rules.dry_run and self._is_forgotten(split, where)

    def _is_forgotten(self, sent: Journaled, where: Position) -> bool:
        """Whether a mempool may have lost it: a new connection, a rollback, or some blocks since."""
        if self._sent_in.get(sent.id) != self._generation or sent.sent_height is None:
            return True
        return where.height >= sent.sent_height + SEND_AGAIN_AFTER

    @property
    def _generation(self) -> tuple[int, int]:
        return self._at.follower.reconnects, self._at.follower.rollbacks

    async def send_again(self, node: Node, where: Position) -> None:
        """The same bytes once more, those first that others rest on."""
        for sent in await releases.splits(self._at.db, where.slot):
            if self._is_split_to_send(sent, where):
                await self.send_split(node, sent, where)
        waiting = {each.id: each for each in await releases.unsettled(self._at.db) if each.latest is not None}
        makers = {each.latest.id: each.id for each in waiting.values() if each.latest is not None}
        rests_on = [
            (
                each.id,
                frozenset(
                    makers[reference.transaction_id]
                    for reference in (each.latest.named if each.latest is not None else ())
                    if reference.transaction_id in makers
                ),
            )
            for each in waiting.values()
        ]
        for name in in_order(rests_on):
            if self._is_to_send(waiting[name], where):
                await self.send(node, waiting[name], where)

    async def send(self, node: Node, release: Release, where: Position) -> Release:
        """Hand over the latest transaction of a release, and write down what came of it."""
        assert release.latest is not None
        if self._at.paused is not None:
            return release
        sent = release.latest
        await self._at.journal.sent(sent.id, where.height)
        self._sent_in[sent.id] = self._generation
        try:
            answer = await self._hand_over(node, sent)
        except SessionBroken as error:
            turn = answered(course_of(release), Unanswered(f"no answer: {error}"))
            if turn is not None:
                await self._at.journal.turn(release, turn, where.slot)
            raise
        turn = answered(course_of(release), answer)
        return release if turn is None else await self._at.journal.turn(release, turn, where.slot)

    async def _hand_over(self, node: Node, sent: Journaled) -> Answer:
        try:
            await node.submit(sent.raw)
        except SubmissionRefused as refused:
            return answer_of(refused, sent)
        return Taken()

    async def send_split(self, node: Node, sent: Journaled, where: Position) -> None:
        """Hand over a transaction that splits a coin. The blocks to come tell what came of it."""
        if self._at.paused is not None:
            return
        await self._at.journal.sent(sent.id, where.height)
        self._sent_in[sent.id] = self._generation
        answer = await self._hand_over(node, sent)
        log.info("collateral.sent", transaction=sent.id.hex(), answer=type(answer).__name__.lower())


def answer_of(refused: Refused, sent: Journaled | None) -> Answer:
    """What a refusal of the node's says of a release; `sent` is None where it was only evaluated."""
    reason = str(refused)
    match refused.verdict:
        case Verdict.DONE:
            # It may be there; or something else that waits spends the same. The blocks to come will tell. Where only
            # the output with the script is gone, or the collateral, neither explains it.
            if sent is not None and refused.ogmios_code == _UNKNOWN_INPUTS and not _names(refused, sent.inputs):
                return NotLikeThis(reason)
            return Unanswered(reason)
        case Verdict.WAIT:
            return NotNow(reason)
        case Verdict.REBUILD:
            return NotLikeThis(reason)
        case Verdict.FATAL | Verdict.UNKNOWN:
            return Never(reason)


def _names(refused: Refused, inputs: Iterable[OutputReference]) -> bool:
    """Whether unknown outputs are among these inputs; also where a node does not say which they are."""
    match refused.data:
        case {"unknownOutputReferences": [*unknown]}:
            named = [_named(each) for each in unknown]
            return None in named or any((at.transaction_id.hex(), at.index) in named for at in inputs)
    return True


def _named(unknown: object) -> tuple[str, int] | None:
    match unknown:
        case {"transaction": {"id": str(name)}, "index": int(index)}:
            return name, index
    return None
