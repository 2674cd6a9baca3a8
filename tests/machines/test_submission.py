"""However the chain forks, whatever the node answers, and whenever we look: a release is in the state that the blocks
which survived, and the last word that was heard, call for.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from indexer.domain.submission import (
    TO_BE_BUILT,
    UNDER_WAY,
    Answer,
    Course,
    Landed,
    Never,
    NotHeld,
    NotLikeThis,
    NotNow,
    OfState,
    ReleaseState,
    Sight,
    Spent,
    Taken,
    Unanswered,
    Unspent,
    answered,
    behold,
    built,
)

K, CONFIRMED = 6, 3
VALID_FOR: Final = 12  # slots
MADE, TAKEN_BY_OTHERS = b"made", b"others"  # what a block may have, beside transactions of ours
S = ReleaseState
ANSWERS: Final[dict[str, Answer]] = {
    "taken": Taken(),
    "lost": Unanswered("no answer"),
    "later": NotNow("full"),
    "anew": NotLikeThis("no"),
    "never": Never("no"),
}


@dataclass
class Block:
    slot: int
    has: set[bytes] = field(default_factory=set)


class SubmissionMachine(RuleBasedStateMachine):
    """The whole chain, block by block, and what the keeper heard last; beside them the real machine."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[Block] = [Block(0), Block(1, {MADE})]
        self.ours: dict[bytes, int] = {}  # each transaction of ours, and the first slot in which it is not valid
        self.coins = True  # whether what the latest spends beside the state output is there
        self.course = Course(S.INTENDED)
        self.word = "nothing"  # the last that was heard or done
        self.seen = "unspent"  # what the chain showed when we looked last
        self.attempts = 0

    @initialize()
    def look_at_first(self) -> None:
        self.look()

    # --- the chain

    @rule(seed=st.integers(0, 2**32), count=st.integers(1, 5), gap=st.integers(1, 4), look=st.booleans())
    def grow(self, seed: int, count: int, gap: int, look: bool) -> None:
        random = Random(seed)
        for _ in range(count):
            self._block(random, gap)
        if look:
            self.look()

    @rule(seed=st.integers(0, 2**32), depth=st.integers(1, K), more=st.integers(0, 3), look=st.booleans())
    def fork(self, seed: int, depth: int, more: int, look: bool) -> None:
        """The new branch has as many blocks, or more, perhaps in earlier slots; what was in the old one may be in it,
        or not."""
        if look:
            self.look()
        random, depth = Random(seed), min(depth, len(self.blocks) - 1)
        lost = {each for block in self.blocks[-depth:] for each in block.has}
        del self.blocks[-depth:]
        for _ in range(depth + more):
            self.blocks.append(Block(self.blocks[-1].slot + random.choice((1, 1, 2))))
            if MADE in lost and random.random() < 0.4:
                lost.remove(MADE)
                self.blocks[-1].has.add(MADE)
            self._fill(self.blocks[-1], random, 0.1)
        self.look()

    @rule()
    def somebody_spends_a_coin(self) -> None:
        self.coins = False

    @rule()
    def the_coin_is_back(self) -> None:
        self.coins = True

    def _block(self, random: Random, gap: int) -> None:
        self.blocks.append(Block(self.blocks[-1].slot + gap))
        if not self._is_in(MADE) and random.random() < 0.3:
            self.blocks[-1].has.add(MADE)
        self._fill(self.blocks[-1], random, 0.15)

    def _fill(self, block: Block, random: Random, chance: float) -> None:
        """One transaction that spends the state output, if it is there; ours only while valid."""
        if not self._is_in(MADE) or self._spender() is not None or random.random() > chance:
            return
        good = [name for name, upper in self.ours.items() if block.slot < upper]
        block.has.add(random.choice([*good, TAKEN_BY_OTHERS]))

    def _is_in(self, what: bytes) -> bool:
        return any(what in block.has for block in self.blocks)

    def _spender(self) -> tuple[bytes, Block, int] | None:
        """Who spent the state output, in which block, and how deep that is."""
        for depth, block in enumerate(reversed(self.blocks)):
            for what in block.has - {MADE}:
                return what, block, depth
        return None

    # --- the keeper

    @precondition(lambda self: self.course.state in TO_BE_BUILT and self.seen == "unspent")
    @rule()
    def build(self) -> None:
        name = b"ours %d" % len(self.ours)
        self.ours[name] = self.blocks[-1].slot + VALID_FOR
        self.coins, self.word = True, "built"
        self.course = built(self.course, self.ours[name]).course

    @precondition(lambda self: self.course.state in UNDER_WAY)
    @rule(answer=st.sampled_from(list(ANSWERS)), luck=st.integers(0, 3))
    def send(self, answer: str, luck: int) -> None:
        if answer == "never" and luck:  # a release that has failed does little more
            answer = "lost"
        turn = answered(self.course, ANSWERS[answer])
        if turn is not None:
            self.course = turn.course
        if answer != "later":
            self.word = {"lost": "taken"}.get(answer, answer)

    @rule()
    def look(self) -> None:
        """All turns that follow from what there is now; after a few there is none."""
        expected = self._expected()
        for _ in range(3):
            turn = behold(self.course, self._sight(), K, CONFIRMED)
            if turn is None:
                break
            self.course = turn.course
        else:
            raise AssertionError("it does not come to rest")
        assert self.course.state is expected
        assert self.course.settled == self._deep()
        spender = self._spender()
        where = None
        if spender is not None and spender[0] != TAKEN_BY_OTHERS:
            where = Landed(spender[0], spender[1].slot, self.blocks.index(spender[1]))
        assert self.course.landed == where

    @invariant()
    def it_never_sets_out_fewer_times(self) -> None:
        assert self.course.attempts >= max(self.attempts, len(self.ours))
        self.attempts = self.course.attempts

    def _sight(self) -> Sight:
        spender = self._spender()
        of: OfState = NotHeld()
        if self._is_in(MADE):
            of = Unspent()
        if spender is not None:
            what, block, _ = spender
            of = Spent(what, block.slot, self.blocks.index(block), what != TAKEN_BY_OTHERS)
        return Sight(self.blocks[-1].slot, len(self.blocks) - 1, of, self.coins)

    # --- what must hold

    def _deep(self) -> bool:
        spender = self._spender()
        return spender is not None and spender[2] >= K

    def _expected(self) -> ReleaseState:
        """By the blocks that there are, what was seen before, and what was heard last."""
        spender, before = self._spender(), self.seen
        # Of the latest, which alone is sent: after a fork it may end before an earlier one.
        late = bool(self.ours) and self.blocks[-1].slot >= [*self.ours.values()][-1]
        if spender is not None:
            what, _, depth = spender
            self.seen = "theirs" if what == TAKEN_BY_OTHERS else "ours"
            if self.seen == "theirs":
                return S.SUPERSEDED
            return S.FINAL if depth >= K else S.CONFIRMED if depth >= CONFIRMED else S.IN_BLOCK
        held = self._is_in(MADE)
        self.seen = "unspent" if held else "undone"
        if before == "ours":
            self.word = "undone"
        elif before == "theirs":
            self.word = "built" if held and self.ours and not late and self.coins else "nothing"
        elif self.word == "too late" and held and not late and self.coins:
            self.word = "built"  # blocks were undone, so its time is back
        if self.word in ("built", "taken", "undone"):
            if late:
                self.word = "too late"
            elif held and not self.coins:
                self.word = "nothing"
        return {
            "nothing": S.INTENDED,
            "built": S.BUILT,
            "taken": S.SUBMITTED,
            "undone": S.ROLLED_BACK,
            "too late": S.EXPIRED,
            "anew": S.REFUSED,
            "never": S.FAILED,
        }[self.word]


SubmissionMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=40)
TestSubmission = SubmissionMachine.TestCase
