"""What refusals mean, and what becomes of replies that are none."""

from typing import Any

import pytest

from indexer.devnet.ogmios.examples import DATA, example
from indexer.errors import ReplyGarbled
from indexer.ogmios import submission
from indexer.ogmios.rulings import RULES, Verdict
from indexer.ogmios.submission import EvaluationFailed, Stage, rule_of

# The verdicts of Ogmios' manual (ours, 8.2), grouped as it has them; those not named are FATAL.
WAIT = {3003, 3005, -32603}
DONE = {3117}
REBUILD = {3002, 3004, 3103, 3113, 3122, 3123, 3125, 3128, 3129, 3130, 3133, 3134, 3161, 3141, 3145, 3146, 3147}


@pytest.mark.parametrize("code", sorted(set(RULES) - {3118, 3997, 3010}))
def test_a_code_has_the_verdict_of_the_manual(code: int) -> None:
    """Told in a sentence, with what to do."""
    expected = (
        Verdict.WAIT
        if code in WAIT
        else Verdict.DONE
        if code in DONE
        else Verdict.REBUILD
        if code in REBUILD
        else Verdict.FATAL
    )
    rule = rule_of(code, DATA.get(code))
    assert rule.verdict is expected
    assert not rule.sentence.endswith(".")
    assert rule.hint


def test_every_code_that_the_devnet_can_give_is_known() -> None:
    """Its examples are those of Ogmios' schema."""
    assert DATA.keys() <= RULES.keys()
    for code in DATA:
        told = example(code)
        error = {"code": told.code, "message": told.message} | ({} if told.data is None else {"data": told.data})
        assert submission.refusal(Stage.SUBMIT, error).rule.name == RULES[code].name


@pytest.mark.parametrize(
    ("interval", "slot", "verdict"),
    [
        ({"invalidBefore": 100, "invalidAfter": 900}, 99, Verdict.WAIT),
        ({"invalidBefore": 100}, 50, Verdict.WAIT),
        ({"invalidBefore": 100, "invalidAfter": 900}, 900, Verdict.DONE),
        ({"invalidAfter": 900}, 950, Verdict.DONE),
        ({}, 950, Verdict.DONE),
    ],
)
def test_outside_validity_is_too_early_or_too_late(interval: dict[str, int], slot: int, verdict: Verdict) -> None:
    """Too early: the same bytes are good later. Too late: it may have come in before."""
    assert rule_of(3118, {"validityInterval": interval, "currentSlot": slot}).verdict is verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("All inputs are spent. Transaction has probably already been included", Verdict.DONE),
        ("MempoolTxTooSlow (DiffTime 1.5s)", Verdict.WAIT),
        ("anything else", Verdict.WAIT),
    ],
)
def test_of_a_mempools_refusal_the_text_decides(text: str, verdict: Verdict) -> None:
    """The code alone says nothing."""
    assert rule_of(3997, {"error": text}).verdict is verdict


def test_a_code_that_nobody_knows_stops() -> None:
    """It is neither tried again nor taken for success."""
    error = submission.refusal(Stage.SUBMIT, {"code": 4711, "message": "Something new.", "data": {"x": 1}})
    assert error.verdict is Verdict.UNKNOWN
    assert "4711" in str(error)


def failed(*codes: int) -> dict[str, Any]:
    items = [
        {"validator": {"purpose": "spend", "index": n}, "error": {"code": code, "message": "m", "data": {}}}
        for n, code in enumerate(codes)
    ]
    return {"code": 3010, "message": "Some scripts failed.", "data": items}


@pytest.mark.parametrize(
    ("codes", "verdict"),
    [
        ((3161,), Verdict.REBUILD),
        ((3117, 3004), Verdict.REBUILD),
        ((3161, 3012), Verdict.FATAL),
        ((3117,), Verdict.DONE),
        ((3161, 9999), Verdict.UNKNOWN),
    ],
)
def test_of_several_validators_the_gravest_counts(codes: tuple[int, ...], verdict: Verdict) -> None:
    """One that cannot be helped is enough."""
    assert submission.refusal(Stage.EVALUATE, failed(*codes)).verdict is verdict


def test_what_a_script_traces_is_shown_escaped_and_cut() -> None:
    """A stranger's script may trace what terminals obey."""
    data = {"validationError": "\x1b[2Jno", "traces": ["\x1b]0;x\x07", "é" * 1000]}
    item = {"validator": {"purpose": "mint", "index": 0}, "error": {"code": 3012, "message": "no", "data": data}}
    error = submission.refusal(Stage.EVALUATE, {"code": 3010, "message": "no", "data": [item]})
    assert isinstance(error, EvaluationFailed)
    (failure,) = error.failures
    assert failure.reason == "\\x1b[2Jno"
    assert failure.traces[0] == "\\x1b]0;x\\x07"
    assert len(failure.traces[1]) == 301
    assert "\x1b" not in str(error)


@pytest.mark.parametrize(
    "result", [None, {}, {"transaction": {"id": 5}}, {"transaction": {"id": "ab"}}, {"transaction": {"id": "A" * 64}}]
)
def test_a_submission_without_an_id_is_garbled(result: Any) -> None:
    """Whether it was taken is then unknown."""
    with pytest.raises(ReplyGarbled):
        submission.submitted(result)


@pytest.mark.parametrize(
    "result",
    [
        None,
        7,
        [1],
        [{}],
        [{"validator": "spend:0", "budget": {"memory": 1, "cpu": 1}}],
        [{"validator": {"purpose": "spend", "index": True}, "budget": {"memory": 1, "cpu": 1}}],
        [{"validator": {"purpose": "spend", "index": 0}, "budget": {"memory": 1.5, "cpu": 1}}],
    ],
)
def test_an_evaluation_of_another_form_is_garbled(result: Any) -> None:
    """Also that of older versions, which name validators by text."""
    with pytest.raises(ReplyGarbled):
        submission.evaluated(result)


@pytest.mark.parametrize("error", [None, "no", {}, {"code": "3117", "message": "m"}, {"code": 3117}])
def test_an_error_without_code_or_message_is_garbled(error: Any) -> None:
    """It says nothing to act on."""
    with pytest.raises(ReplyGarbled):
        submission.refusal(Stage.SUBMIT, error)


def test_failed_validators_that_cannot_be_read_are_garbled() -> None:
    """An evaluation error always lists them."""
    with pytest.raises(ReplyGarbled):
        submission.refusal(Stage.EVALUATE, {"code": 3010, "message": "m", "data": [{"validator": 1}]})
