"""What the views must show of a chain: a replay of what happened on it, by DESIGN section 5 and nothing else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from string import ascii_letters, digits
from typing import Any, Final, TypeAlias

from tests.contract.terms import Reference
from tests.support.addresses import bech32
from tests.support.happenings import Attested, Block, Ended, Founded, Refused, Released, Told
from tests.support.promises import raw

Row: TypeAlias = dict[str, Any]
LAST: Final = 253_402_300_799_000  # 9999-12-31T23:59:59Z
PLAIN: Final = frozenset(ascii_letters + digits + "._-")


@dataclass(frozen=True)
class Event:
    """Something that people are told of. `cause` is what showed it; `height`: of the newest block that it rests on.

    Where a file showed it, another block may come to be that, and it is the same event.
    """

    type: str
    distribution: str
    milestone: str | None
    oracle: str | None
    slot: int
    height: int = field(compare=False)
    cause: str

    @property
    def by_file(self) -> bool:
        """Whether a file showed it: a signature is its cause, no block."""
        return " " not in self.cause

    def finality(self, tip: int, k: int, confirmed: int) -> str:
        """As long as it holds."""
        if tip - self.height >= k:
            return "final"
        return "confirmed" if tip - self.height >= min(confirmed, k) else "seen"


@dataclass
class Rows:
    """The views, and the events that hold."""

    distributions: list[Row]
    milestones: list[Row]
    allocations: list[Row]
    attestations: list[Row]
    rejected_outputs: list[Row]
    events: list[Event]


@dataclass
class _Life:
    founded: Founded
    block: Block
    output: Reference
    updated: Block
    paid: dict[int, tuple[str, Block]]  # by allocation: the release, and its block
    ended: bool = False


@dataclass
class _Signature:
    order: tuple[int, int, int, int, int]
    distribution: bytes
    milestone: bytes
    oracle: bytes
    signature: bytes
    source: str
    sound: bool
    output: Reference | None
    slot: int
    block: Block | None
    verdict: str = ""


def fold(
    blocks: Sequence[Block], told: Iterable[Told] = (), *, now: int, at: int | None = None, start: int = 0
) -> Rows:
    """The rows after these blocks, or as of a slot; `now` and `start` (of slot 0) are in POSIX milliseconds."""
    known = [block for block in blocks if at is None or block.slot <= at]
    lives: dict[bytes, _Life] = {}
    signatures: list[_Signature] = []
    refused: list[Row] = []
    events: list[Event] = []
    for block in known:
        for position, happenings in enumerate(block.transactions):
            for each in happenings:
                match each:
                    case Founded():
                        lives[each.distribution] = _Life(each, block, each.output, block, {})
                        events.append(_shown("distribution.created", each.distribution, None, block, each.output))
                    case Released():
                        signatures += _released(lives[each.distribution], each, block, position)
                        events += _paid(lives[each.distribution], each, block)
                    case Ended():
                        life = lives[each.distribution]
                        life.ended, life.updated = True, block
                        kind = "distribution.closed" if _complete(life) else "distribution.reclaimed"
                        events.append(_shown(kind, each.distribution, None, block, each.output))
                    case Attested(attestation, sound, output):
                        signatures.append(
                            _Signature(
                                (block.slot, 0, position, output.output_index, 0),
                                attestation.distribution,
                                attestation.milestone,
                                attestation.oracle,
                                attestation.signature,
                                "chain",
                                sound,
                                output,
                                block.slot,
                                block,
                            )
                        )
                    case Refused():
                        refused.append(_refused(each, block))
    for n, one in enumerate(sorted(set(told), key=lambda one: (one.slot, one.signature))):
        if at is None or one.slot <= at:
            signatures.append(
                _Signature(
                    (one.slot, 1, 0, 0, n),
                    one.distribution,
                    one.milestone,
                    one.oracle,
                    one.signature,
                    "local",
                    one.sound,
                    None,
                    one.slot,
                    None,
                )
            )
    signatures.sort(key=lambda signature: signature.order)
    _judge(lives, signatures)
    events += [event for each in signatures if (event := _heard(lives, each)) is not None]
    events += [event for life in lives.values() for event in _quorums(life, signatures)]
    return Rows(
        [_distribution(life) for life in lives.values()],
        [row for life in lives.values() for row in _milestones(life, signatures, now, start)],
        [row for life in lives.values() for row in _allocations(life)],
        [_attestation(each, start) for each in signatures],
        refused,
        events,
    )


# Signatures


def _released(life: _Life, released: Released, block: Block, position: int) -> list[_Signature]:
    oracles = life.founded.terms.oracles
    return [
        _Signature(
            (block.slot, 0, position, place, -1),
            released.distribution,
            released.milestone,
            oracles[oracle],
            signature,
            "release",
            True,
            released.output,
            block.slot,
            block,
        )
        for place, (oracle, signature) in enumerate(released.signatures)
    ]


def _judge(lives: dict[bytes, _Life], signatures: list[_Signature]) -> None:
    counted: set[tuple[bytes, bytes, bytes]] = set()
    for each in signatures:
        subject = each.distribution, each.milestone, each.oracle
        life = lives.get(each.distribution)
        if life is None:
            each.verdict = "unknown_distribution"
        elif each.milestone not in _ids(life):
            each.verdict = "unknown_milestone"
        elif each.oracle not in life.founded.terms.oracles:
            each.verdict = "unauthorised"
        elif not each.sound:
            each.verdict = "bad_signature"
        elif subject in counted:
            each.verdict = "duplicate"
        else:
            each.verdict = "valid"
            counted.add(subject)


def _valid(life: _Life, milestone: bytes, signatures: list[_Signature]) -> list[_Signature]:
    return [
        each
        for each in signatures
        if (each.verdict, each.distribution, each.milestone) == ("valid", life.founded.distribution, milestone)
    ]


def _met(life: _Life, milestone: bytes, signatures: list[_Signature]) -> _Signature | None:
    """The signature that makes a quorum of those before it."""
    valid = _valid(life, milestone, signatures)
    threshold = life.founded.terms.threshold
    return valid[threshold - 1] if len(valid) >= threshold else None


# Events


def _shown(kind: str, distribution: bytes, milestone: bytes | None, block: Block, output: Reference) -> Event:
    shown = None if milestone is None else shown_milestone(milestone)
    return Event(kind, distribution.hex(), shown, None, block.slot, block.height, f"{block.id.hex()} {output}")


def _paid(life: _Life, released: Released, block: Block) -> list[Event]:
    transaction = released.output.transaction.hex()
    life.paid |= dict.fromkeys(released.paid, (transaction, block))
    life.output, life.updated = released.output, block
    events = [_shown("milestone.released", released.distribution, released.milestone, block, released.output)]
    if _complete(life):
        events.append(_shown("distribution.completed", released.distribution, None, block, released.output))
    return events


def _heard(lives: dict[bytes, _Life], each: _Signature) -> Event | None:
    if each.verdict in ("duplicate", "unknown_distribution"):
        return None
    kind = "attestation.accepted" if each.verdict == "valid" else "attestation.rejected"
    milestone, oracle = shown_milestone(each.milestone), each.oracle.hex()
    if each.block is None:
        height = lives[each.distribution].block.height
        return Event(kind, each.distribution.hex(), milestone, oracle, each.slot, height, each.signature.hex())
    block = max(each.block, lives[each.distribution].block, key=lambda block: block.height)
    cause = f"{block.id.hex()} {each.output}"
    return Event(kind, each.distribution.hex(), milestone, oracle, block.slot, block.height, cause)


def _quorums(life: _Life, signatures: list[_Signature]) -> Iterable[Event]:
    for milestone in _ids(life):
        last = _met(life, milestone, signatures)
        if last is None:
            continue
        if last.slot < life.block.slot:
            output = life.founded.output
            yield _shown("milestone.quorum_met", life.founded.distribution, milestone, life.block, output)
        elif last.block is None or last.output is None:
            named = life.founded.distribution.hex(), shown_milestone(milestone)
            counted = _valid(life, milestone, signatures)[: life.founded.terms.threshold]
            blocks = [life.block, *(each.block for each in counted if each.block is not None)]
            height = max(block.height for block in blocks)
            yield Event("milestone.quorum_met", *named, None, last.slot, height, last.signature.hex())
        else:
            yield _shown("milestone.quorum_met", life.founded.distribution, milestone, last.block, last.output)


# Rows


def _distribution(life: _Life) -> Row:
    founded, terms = life.founded, life.founded.terms
    total = sum(each.amount for each in terms.allocations)
    paid = sum(terms.allocations[index].amount for index in life.paid)
    complete = _complete(life)
    open_ones = {each.milestone for index, each in enumerate(terms.allocations) if index not in life.paid}
    return {
        "distribution_id": founded.distribution.hex(),
        "seed": str(founded.seed),
        "state": ("closed" if complete else "reclaimed") if life.ended else "completed" if complete else "open",
        "token_policy": terms.token.policy.hex(),
        "token_name": terms.token.name.hex(),
        "oracles": [oracle.hex() for oracle in terms.oracles],
        "quorum_threshold": terms.threshold,
        "amount_total": total,
        "amount_paid": paid,
        "amount_left": total - paid,
        "milestones_total": len(_ids(life)),
        "milestones_released": len(_ids(life)) - len(open_ones),
        "allocations_total": len(terms.allocations),
        "allocations_claimed": len(life.paid),
        "funder": terms.funder.hex(),
        "expires_at": None if terms.expires_at is None else iso(terms.expires_at),
        "output_reference": str(life.output),
        "created_slot": life.block.slot,
        "created_at": iso(life.block.time),
        "updated_slot": life.updated.slot,
        "updated_at": iso(life.updated.time),
    }


def _milestones(life: _Life, signatures: list[_Signature], now: int, start: int) -> Iterable[Row]:
    threshold = life.founded.terms.threshold
    for milestone in _ids(life):
        of_it = [(n, each) for n, each in enumerate(life.founded.terms.allocations) if each.milestone == milestone]
        valid, last = len(_valid(life, milestone, signatures)), _met(life, milestone, signatures)
        met = None if last is None else max(last.slot, life.block.slot)
        ahead = [each.vesting for n, each in of_it if n not in life.paid and each.vesting > now]
        yield {
            "distribution_id": life.founded.distribution.hex(),
            "milestone_id": shown_milestone(milestone),
            "signatures_valid": valid,
            "quorum_threshold": threshold,
            "quorum_status": "exceeded" if valid > threshold else "met" if valid == threshold else "pending",
            "quorum_met_slot": met,
            "quorum_met_at": None if met is None else iso(start + 1000 * met),
            "amount_total": sum(each.amount for _, each in of_it),
            "amount_vested": sum(each.amount for _, each in of_it if each.vesting <= now),
            "amount_paid": sum(each.amount for n, each in of_it if n in life.paid),
            "next_vesting_at": iso(min(ahead)) if ahead else None,
        }


def _allocations(life: _Life) -> Iterable[Row]:
    for index, each in enumerate(life.founded.terms.allocations):
        by, block = life.paid.get(index, (None, None))
        yield {
            "distribution_id": life.founded.distribution.hex(),
            "allocation_index": index,
            "milestone_id": shown_milestone(each.milestone),
            "beneficiary": bech32("addr_test", raw(each.beneficiary)),
            "amount": each.amount,
            "vesting_at": iso(each.vesting),
            "claimed": int(by is not None),
            "paid_by": by,
            "paid_slot": None if block is None else block.slot,
        }


def _attestation(each: _Signature, start: int) -> Row:
    return {
        "distribution_id": each.distribution.hex(),
        "milestone_id": shown_milestone(each.milestone),
        "oracle": each.oracle.hex(),
        "signature": each.signature.hex(),
        "source": each.source,
        "verdict": each.verdict,
        "output_reference": None if each.output is None else str(each.output),
        "slot": each.slot,
        "seen_at": iso(start + 1000 * each.slot),
    }


def _refused(refused: Refused, block: Block) -> Row:
    return {
        "transaction_id": refused.output.transaction.hex(),
        "output_index": refused.output.output_index,
        "slot": block.slot,
        "reason": refused.reason,
        "datum": None if refused.datum is None else refused.datum.hex(),
    }


def _ids(life: _Life) -> list[bytes]:
    return list(dict.fromkeys(each.milestone for each in life.founded.terms.allocations))


def _complete(life: _Life) -> bool:
    return len(life.paid) == len(life.founded.terms.allocations)


# Words


def shown_milestone(milestone: bytes) -> str:
    """DESIGN section 2: as text where it is plain, else 0x and hex."""
    text = milestone.decode("latin-1")
    plain = 0 < len(text) <= 64 and set(text) <= PLAIN and not text.startswith("0x")
    return text if plain else "0x" + milestone.hex()


def iso(time: int) -> str:
    """ISO-8601 UTC of POSIX milliseconds."""
    shown = datetime.fromtimestamp(min(time, LAST) // 1000, UTC)
    return shown.isoformat().replace("+00:00", "Z")
