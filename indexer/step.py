"""What every state machine here answers: the next state, and what to do about it."""

from dataclasses import dataclass
from typing import Generic, TypeVar

State = TypeVar("State")
Effect = TypeVar("Effect")


@dataclass(frozen=True, slots=True)
class Step(Generic[State, Effect]):
    """The next state, then the effects in the order in which to carry them out."""

    state: State
    effects: tuple[Effect, ...] = ()
