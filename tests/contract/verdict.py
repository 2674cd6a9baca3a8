"""What our script says of a transaction. Where no script has a say, the test is wrong, and stops."""

from tests.contract.case import Case
from tests.contract.evaluate import Passed, ScriptFailed, evaluate


def passes(case: Case) -> bool:
    """Whether every run of a script agrees."""
    outcome = evaluate(case)
    assert isinstance(outcome, Passed | ScriptFailed), outcome
    return isinstance(outcome, Passed)


def refused(case: Case, by: str) -> bool:
    """Whether a run for the purpose `by` says no. AssertionError: one for another purpose does."""
    outcome = evaluate(case)
    if isinstance(outcome, Passed):
        return False
    assert isinstance(outcome, ScriptFailed), outcome
    purpose = outcome.purpose[0]
    assert by == purpose, outcome
    return True
