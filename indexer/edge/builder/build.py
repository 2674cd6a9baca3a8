"""From an intent to an unsigned transaction: coins, fee and units are chosen until they fit one another.

Scripts are evaluated on what the transaction will be but for its fee, change and declared units. What the contract
reads of a transaction does not get longer or shorter by these, so a second evaluation would say the same; only where
more coins are needed after the first, there is a second. The margin on top is for nodes that reckon a little otherwise.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from indexer.chain.address import payment_credential
from indexer.chain.block import OutputReference
from indexer.chain.coin import Coin
from indexer.chain.parameters import Parameters, Units, total
from indexer.chain.point import Slot
from indexer.chain.time import Timeline, first_slot_at, iso, slot_to_ms
from indexer.edge.builder import errors
from indexer.edge.builder.coins import pay, stake
from indexer.edge.builder.intents import VALIDITY_S, Intent, Plan, Planned, Purse, Surroundings
from indexer.edge.builder.plans import plan as planned
from indexer.edge.builder.written import LANGUAGE, Choice, Draft, Subject, draft, least_lovelace, value_size
from indexer.errors import ReplyGarbled
from indexer.ogmios.submission import Pointer

Evaluate: TypeAlias = Callable[[bytes], Awaitable[Mapping[Pointer, Units]]]
"""What the scripts of an unsigned transaction use, by purpose and index; such as `Node.evaluate`."""

MARGIN: Final = 100  # one part in so many is declared beyond what was used
_ROUNDS: Final = 8  # of choosing anew; two are usual
_APART: Final = 4  # rounds in which change with tokens is tried apart from ada
_FIRST_FEE: Final = 200_000
_SLACK: Final = 9  # bytes by which the change may be shorter, once less is left for it
_PER_SIGNATURE: Final = 101  # bytes of a pair of key and signature
_SIGNATURES: Final = 5  # bytes around them: the key 0, tag 258, and the head of a list of up to 23


@dataclass(frozen=True, slots=True)
class Built:
    """An unsigned transaction, and all that is to be known of it.

    `signers`: hashes of the keys (28 bytes each) that have to sign `id` (32 bytes). `size`, in bytes, is with their
    signatures. `loss`: lovelace that leave the wallet; less than 0 where it gains. `outputs` as they stand in it.
    """

    intent: Intent
    around: Surroundings
    purse: Purse
    transaction: bytes
    id: bytes
    signers: tuple[bytes, ...]
    inputs: tuple[Coin, ...]
    reference: Coin | None
    collateral: Coin | None
    outputs: tuple[Planned, ...]
    change: tuple[Planned, ...]
    fee: int
    size: int
    units: Units
    lower: Slot | None
    upper: Slot
    loss: int

    @property
    def resolved(self) -> dict[OutputReference, Coin]:
        """Every output that the transaction names."""
        named = (*self.inputs, self.reference, self.collateral)
        return {coin.reference: coin for coin in named if coin is not None}


async def build(
    intent: Intent,
    around: Surroundings,
    purse: Purse,
    evaluate: Evaluate,
    *,
    validity_s: int = VALIDITY_S,
    max_loss: int | None = None,
) -> Built:
    """The transaction for an intent, unsigned. Nothing is sent; the same arguments make the same bytes.

    `validity_s`: seconds after the tip until which it can be in a block; cut to what the node can foresee. `max_loss`:
    lovelace that it may cost the wallet, None for any. Raises what `builder.errors` names, and what `evaluate` raises
    (EvaluationFailed where the contract says no).
    """
    plan = planned(intent, around, purse)
    lower, upper = plan.lower, _upper(plan, around, validity_s)
    builder = _Builder(plan, around, purse, lower, upper)
    subjects = builder.subjects
    limit = around.parameters.max_units
    share = Units(limit.memory // max(1, len(subjects)), limit.steps // max(1, len(subjects)))
    # Some evaluators hold scripts to what is declared, so all there is; the fee does not count it yet.
    found = builder.choose(dict.fromkeys(subjects, share), None)
    settled = not subjects
    for _ in range(_ROUNDS):
        if settled:
            break
        used = _by_subject(await evaluate(found.draft.raw), found.draft)
        again = builder.choose(_with_margin(used, limit), found)
        settled = _shape(again.choice) == _shape(found.choice)
        found = again
    if not settled:
        raise errors.NotSettled(f"each of {_ROUNDS} evaluations asked for other coins")
    built = _told(intent, around, purse, plan, found)
    if max_loss is not None and built.loss > max_loss:
        raise errors.LossTooLarge(f"it would cost the wallet {built.loss} lovelace: {max_loss} are allowed")
    return built


@dataclass(frozen=True, slots=True)
class _Found:
    choice: Choice
    draft: Draft
    size: int
    signers: tuple[bytes, ...]


class _Builder:
    """Chooses for one plan. Coins only come on top of those chosen before, so it comes to an end."""

    def __init__(self, plan: Plan, around: Surroundings, purse: Purse, lower: Slot | None, upper: Slot) -> None:
        self._plan, self._around, self._purse, self._lower, self._upper = plan, around, purse, lower, upper
        self._reference = _reference(around) if plan.runs_scripts else None
        self._model = around.parameters.cost_models.get(LANGUAGE, ())
        if plan.runs_scripts and not self._model:
            raise errors.LanguageUnknown(f"the network has no cost model for {LANGUAGE}")

    @property
    def subjects(self) -> list[Subject]:
        """What has a redeemer."""
        found: list[Subject] = [coin.reference for coin, redeemer in self._plan.spends if redeemer is not None]
        return [*found, "mint"] if self._plan.mint_redeemer is not None else found

    def choose(self, units: Mapping[Subject, Units], before: _Found | None) -> _Found:
        """Coins and a fee for these units, within all limits.

        `before` is what was evaluated: its coins stay. Where there is none yet, and scripts run, it is for that only:
        the units are neither paid for nor limited, and the fee may be any.
        """
        plan, around, purse = self._plan, self._around, self._purse
        parameters, policy = around.parameters, around.contract.policy_id
        for_evaluation = before is None and bool(units)
        declared = Units(0, 0) if for_evaluation else total(units.values())
        chosen = [coin for coin, _ in plan.spends] if before is None else list(before.choice.inputs)
        fee = _FIRST_FEE
        if before is not None:
            size = before.size + _width(units) - _width(before.choice.units)
            fee = parameters.minimum_fee(size, declared, self._scripts(chosen))
        for attempt in range(_ROUNDS):
            # Where there is just enough for change in two outputs, the fee of the second may be what is too much.
            chosen, change = pay(plan, policy, chosen, fee, purse, parameters, apart=attempt < _APART)
            staked, returned = stake(purse, chosen, fee, parameters) if plan.runs_scripts else (None, None)
            choice = Choice(
                tuple(chosen), change, fee, units, self._lower, self._upper, self._reference, staked, returned
            )
            written = draft(plan, choice, policy, around.contract.script, self._model)
            signers = _signers(plan, choice)
            size, scripts = len(written.raw) + _SIGNATURES + len(signers) * _PER_SIGNATURE, self._scripts(chosen)
            needed = parameters.minimum_fee(size, declared, scripts)
            if for_evaluation or needed <= fee <= needed + _SLACK * parameters.fee_per_byte:
                # What is declared for an evaluation is longer than what will be declared.
                surely = size - _width(units) if for_evaluation else size
                _within_limits(plan, choice, surely, declared, scripts, parameters)
                return _Found(choice, written, size, signers)
            fee = needed
        raise errors.NotSettled(f"no fee fits: the last was {fee} lovelace, with {len(chosen)} inputs")

    def _scripts(self, inputs: Sequence[Coin]) -> int:
        """Bytes of scripts that are paid for: those that inputs and the reference carry."""
        published = 0 if self._reference is None else len(self._around.contract.script)
        return published + sum(coin.script_size for coin in inputs)


def _width(units: Mapping[Subject, Units]) -> int:
    """Bytes that units take in a transaction (CBOR's unsigned integers)."""
    numbers = [number for each in units.values() for number in (each.memory, each.steps)]
    return sum(1 if n < 24 else 2 if n < 1 << 8 else 3 if n < 1 << 16 else 5 if n < 1 << 32 else 9 for n in numbers)


def _told(intent: Intent, around: Surroundings, purse: Purse, plan: Plan, found: _Found) -> Built:
    choice = found.choice
    # What carries a script is no money to spend: it left the wallet when it was published, and comes back now.
    own = [coin for coin in choice.inputs if _owner(coin) == purse.key_hash and coin.output.script is None]
    back = sum(output.lovelace for output in choice.change)
    return Built(
        intent,
        around,
        purse,
        found.draft.raw,
        found.draft.id,
        found.signers,
        choice.inputs,
        choice.reference,
        choice.collateral,
        (*plan.outputs, *choice.change),
        choice.change,
        choice.fee,
        found.size,
        total(choice.units.values()),
        choice.lower,
        choice.upper,
        sum(coin.output.lovelace for coin in own) - back,
    )


def _shape(choice: Choice) -> tuple[int, int]:
    """What scripts see of a choice, but for amounts. Inputs only come on top, so their number tells them."""
    return len(choice.inputs), len(choice.change)


def _within_limits(plan: Plan, choice: Choice, size: int, units: Units, scripts: int, parameters: Parameters) -> None:
    """Every limit of the network that a transaction of ours could exceed."""
    if size - 1 > parameters.max_size:  # the ledger does not count the byte that says whether scripts agree
        raise errors.TransactionTooLarge(f"it takes {size} bytes: {parameters.max_size} are allowed")
    for output in (*plan.outputs, *choice.change):
        if (taken := value_size(output.assets)) > parameters.max_value_size:
            raise errors.ValueTooLarge(
                f"an output would take {taken} bytes for its {len(output.assets)} tokens: "
                f"{parameters.max_value_size} are allowed"
            )
        if output.lovelace < (least := least_lovelace(output, parameters)):
            raise errors.FundsMissing(f"an output would hold {output.lovelace} lovelace: it takes {least}")
    if not units.within(parameters.max_units):
        raise errors.UnitsExceeded(f"scripts need {_shown(units)}: {_shown(parameters.max_units)} are allowed")
    if scripts > parameters.max_script_size:
        raise errors.ScriptsTooLarge(f"{scripts} bytes of scripts: {parameters.max_script_size} are allowed")


def _shown(units: Units) -> str:
    return f"{units.memory} memory and {units.steps} steps"


def _by_subject(used: Mapping[Pointer, Units], written: Draft) -> dict[Subject, Units]:
    if used.keys() != written.pointers.keys():
        raise ReplyGarbled("the evaluation is of other scripts than those of the transaction")
    return {subject: used[pointer] for pointer, subject in written.pointers.items()}


def _with_margin(used: Mapping[Subject, Units], limit: Units) -> dict[Subject, Units]:
    """A little more than was used, where the limit of a transaction allows it."""
    more = {
        subject: Units(units.memory + -(-units.memory // MARGIN), units.steps + -(-units.steps // MARGIN))
        for subject, units in used.items()
    }
    return more if total(more.values()).within(limit) else dict(used)


def _upper(plan: Plan, around: Surroundings, validity_s: int) -> Slot:
    """The first slot in which it is not valid any more."""
    timeline: Timeline = around.timeline
    if plan.lower is not None and around.tip < plan.lower:
        begins = iso(slot_to_ms(timeline.eras, plan.lower))
        raise errors.NotDue(f"it is valid from slot {plan.lower} ({begins}), and the chain's tip is at {around.tip}")
    upper = first_slot_at(timeline.eras, slot_to_ms(timeline.eras, around.tip) + 1000 * validity_s)
    if timeline.horizon is not None:
        upper = min(upper, timeline.horizon - 1)
    if upper <= around.tip:
        raise errors.BeyondForecast(f"the tip is at slot {around.tip}, and the node foresees up to {timeline.horizon}")
    return upper


def _reference(around: Surroundings) -> Coin | None:
    """The output with the contract's script."""
    coin = around.reference
    if coin is not None and (coin.output.script is None or coin.output.script.hash != around.contract.hash):
        raise errors.ScriptNotPublished(f"{coin.reference} does not hold the script {around.contract.hash.hex()}")
    return coin


def _signers(plan: Plan, choice: Choice) -> tuple[bytes, ...]:
    """The keys that have to sign: of inputs, of collateral, and those named."""
    guarded = {coin.reference for coin, redeemer in plan.spends if redeemer is not None}
    owned = [coin for coin in choice.inputs if coin.reference not in guarded]
    owned += [choice.collateral] if choice.collateral is not None else []
    return tuple(sorted({*plan.signers, *(_owner(coin) for coin in owned)}))


def _owner(coin: Coin) -> bytes:
    owner = payment_credential(coin.output.address)
    return b"" if owner is None else owner.hash
