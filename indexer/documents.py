"""Files that people exchange: what a schedule promises, and the signatures that oracles gave outside the chain.

Bytes inside; in JSON hex (read in either case, written in lowercase), milestone ids as people write them, times as
ISO-8601 with a zone.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    StrictInt,
    StrictStr,
    Tag,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from indexer import errors
from indexer.plutus.address import parse_shelley
from indexer.plutus.datum import Allocation, AssetClass, Distribution
from indexer.plutus.identity import parse_milestone, shown_milestone
from indexer.plutus.ledger import Pointer
from indexer.plutus.terms import MILESTONE_ID_LENGTHS, SUMS

MAX_BYTES: Final = 1 << 20  # of a file: thousands of signatures or allocations
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})*")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TELL: Final = 5  # of many objections, how many are told


# --- the forms of values


def _hex_of(expected: str, *lengths: int) -> Callable[[object], bytes]:
    def read(value: object) -> bytes:
        raw = bytes.fromhex(value) if isinstance(value, str) and _HEX.fullmatch(value) else value
        if not isinstance(raw, bytes) or len(raw) not in lengths:
            raise ValueError(expected)
        return raw

    return read


def _milestone(value: object) -> bytes:
    raw = parse_milestone(value) if isinstance(value, str) else value
    if not isinstance(raw, bytes) or len(raw) not in MILESTONE_ID_LENGTHS:
        raise ValueError("a milestone id has 1 to 64 bytes, written as a plain word, or as 0x and hex")
    return raw


def _moment(value: object) -> datetime:
    expected = "a time with its zone is expected, from 1970 on, to the millisecond, such as 2027-07-01T00:00:00Z"
    if isinstance(value, str):
        if not _MOMENT.fullmatch(value):
            raise ValueError(expected)
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"{error}; {expected}") from error
    if not isinstance(value, datetime) or value.tzinfo is None or value.microsecond % 1000:
        raise ValueError(expected)
    try:
        moment = value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(expected) from error
    if moment < _EPOCH:
        raise ValueError(expected)
    return moment


def _iso(moment: datetime) -> str:
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def _beneficiary(text: str) -> str:
    match parse_shelley(text)[0].stake_credential:
        case Pointer():
            raise ValueError("an address whose stake part is a pointer cannot be paid: give one without")
    return text


_AS_HEX: Final = PlainSerializer(bytes.hex, return_type=str, when_used="json")


def _digits(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


Hash28 = Annotated[
    bytes,
    BeforeValidator(_hex_of("a hash of 28 bytes is expected, as 56 hex digits", 28)),
    _AS_HEX,
    _digits("[0-9a-fA-F]{56}"),
]
Bytes32 = Annotated[
    bytes,
    BeforeValidator(_hex_of("32 bytes are expected, as 64 hex digits", 32)),
    _AS_HEX,
    _digits("[0-9a-fA-F]{64}"),
]
Signature = Annotated[
    bytes,
    BeforeValidator(_hex_of("a signature of 64 bytes is expected, as 128 hex digits", 64)),
    _AS_HEX,
    _digits("[0-9a-fA-F]{128}"),
]
AssetName = Annotated[
    bytes,
    BeforeValidator(_hex_of("a name of up to 32 bytes is expected, as hex", *range(33))),
    _AS_HEX,
    _digits("([0-9a-fA-F]{2}){0,32}"),
]
MilestoneId = Annotated[
    bytes,
    BeforeValidator(_milestone),
    PlainSerializer(shown_milestone, return_type=str, when_used="json"),
    _digits("(0x([0-9a-fA-F]{2}){1,64}|(?!0x)[A-Za-z0-9._-]{1,64})"),
]
Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    PlainSerializer(_iso, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Beneficiary = Annotated[StrictStr, AfterValidator(_beneficiary)]
Count = Annotated[StrictInt, Field(ge=0, lt=1 << 63)]
Positive = Annotated[StrictInt, Field(ge=1, lt=1 << 63)]


class Document(BaseModel):
    """A file, or a part of one."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- signatures from outside the chain


class OracleSignature(Document):
    """An oracle's signature that a milestone is complete; whether it verifies is not known here."""

    oracle: Bytes32 = Field(description="Ed25519 public key")
    signature: Signature = Field(description="Ed25519, over the message of the milestone")
    slot: Count | None = Field(default=None, description="the slot at which an indexer first stored it")


def union(signatures: Iterable[OracleSignature]) -> tuple[OracleSignature, ...]:
    """Each signature of an oracle once, with the earliest of its slots, in an order that depends on nothing else."""
    slots: dict[tuple[bytes, bytes], int | None] = {}
    for one in signatures:
        key = one.oracle, one.signature
        known = slots.get(key)
        slots[key] = one.slot if known is None else known if one.slot is None else min(known, one.slot)
    found = [OracleSignature(oracle=key[0], signature=key[1], slot=slot) for key, slot in slots.items()]
    return tuple(sorted(found, key=lambda s: (s.slot is None, s.slot or 0, s.oracle, s.signature)))


class MilestoneCompletionData(Document):
    """What oracles said of a milestone outside the chain.

    The signatures count. The rest is what an indexer made of them, for whoever reads the file: nobody relies on it,
    and it may be left out.
    """

    distribution_id: Bytes32
    milestone_id: MilestoneId
    oracle_signatures: tuple[OracleSignature, ...]
    verification_timestamp: Moment | None = Field(default=None, description="when the next three were reckoned")
    quorum_status: Literal["pending", "met", "exceeded"] | None = None
    quorum_threshold: Count | None = None
    total_oracles: Count | None = None

    @field_validator("oracle_signatures")
    @classmethod
    def _once(cls, signatures: tuple[OracleSignature, ...]) -> tuple[OracleSignature, ...]:
        return union(signatures)


# --- what is to be promised


class Token(Document):
    """A native token."""

    policy_id: Hash28
    asset_name: AssetName

    @property
    def asset_class(self) -> AssetClass:
        """As a datum names it."""
        return AssetClass(self.policy_id, self.asset_name)


class ScheduledAllocation(Document):
    """Tokens for one beneficiary, once a milestone is complete and a time has come."""

    beneficiary: Beneficiary = Field(description="bech32")
    amount: Positive = Field(description="in the token's smallest unit (of ada: lovelace)")
    milestone_id: MilestoneId
    vesting_at: Moment = Field(description="not paid before")


def _token_kind(value: object) -> str:
    return "(ada)" if isinstance(value, str) else "(native)"


class MilestoneSchedule(Document):
    """The terms of a distribution that is to be created. It agrees with itself; whether it can be paid is not known."""

    funder: Hash28 = Field(description="hash of the key that may have back what is left")
    token: Annotated[
        Annotated[Literal["ada"], Tag("(ada)")] | Annotated[Token, Tag("(native)")], Discriminator(_token_kind)
    ]
    oracles: tuple[Bytes32, ...] = Field(min_length=1, description="Ed25519 public keys")
    quorum_threshold: Positive = Field(description="how many of the oracles it takes")
    lovelace_per_payout: Count = Field(description="carried by each payout beside its tokens")
    keeper_fee_per_payout: Count = Field(description="lovelace, for whoever submits the release")
    expires_at: Moment | None = Field(
        default=None, description="from then on the funder may have back what was not released"
    )
    allocations: tuple[ScheduledAllocation, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        for i, oracle in enumerate(self.oracles):
            if oracle in self.oracles[:i]:
                raise ValueError(f"oracles[{i}] is oracles[{self.oracles.index(oracle)}] again: list each once")
        if (threshold := self.quorum_threshold) > (count := len(self.oracles)):
            raise ValueError(f"quorum_threshold is {threshold}: it cannot be more than the number of oracles, {count}")
        if (total := sum(allocation.amount for allocation in self.allocations)) not in SUMS:
            raise ValueError(f"the amounts of allocations add up to {total}: it has to be less than 2^63")
        for i, allocation in enumerate(self.allocations):
            if self.expires_at is not None and allocation.vesting_at >= self.expires_at:
                raise ValueError(
                    f"allocations[{i}].vesting_at is {_iso(allocation.vesting_at)}: it has to come before expires_at, "
                    f"{_iso(self.expires_at)}"
                )
            if parse_shelley(allocation.beneficiary)[1] != self.network_id:
                raise ValueError(
                    f"allocations[{i}].beneficiary is {allocation.beneficiary}: all addresses have to be of the "
                    "network that allocations[0] is of"
                )
        return self

    @property
    def network_id(self) -> int:
        """Of the network that its addresses are of: 1 mainnet, 0 any other."""
        return parse_shelley(self.allocations[0].beneficiary)[1]

    def terms(self) -> Distribution:
        """The distribution as it would be created."""
        return Distribution(
            funder=self.funder,
            token=self.token.asset_class if isinstance(self.token, Token) else AssetClass(b"", b""),
            oracles=self.oracles,
            quorum_threshold=self.quorum_threshold,
            allocations=tuple(
                Allocation(
                    beneficiary=parse_shelley(allocation.beneficiary)[0],
                    token_amount=allocation.amount,
                    milestone_id=allocation.milestone_id,
                    vesting_timestamp=_posix_ms(allocation.vesting_at),
                    claimed=False,
                )
                for allocation in self.allocations
            ),
            lovelace_per_payout=self.lovelace_per_payout,
            keeper_fee_per_payout=self.keeper_fee_per_payout,
            expires_at=None if self.expires_at is None else _posix_ms(self.expires_at),
        )


def _posix_ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


# --- from bytes, and to bytes

_Document = TypeVar("_Document", bound=Document)


def parse(kind: type[_Document], raw: bytes, name: str) -> _Document:
    """The document that a file holds, whoever wrote it. `name` is what messages call the file.

    Raises DocumentGarbled where the bytes are no JSON (cut short, perhaps), DocumentInvalid where they say something
    else than this kind of document. Messages hold nothing that a terminal would obey.
    """
    if len(raw) > MAX_BYTES:
        raise errors.DocumentInvalid(f"{name} is larger than {MAX_BYTES} bytes")
    try:
        value = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_object, parse_int=_integer)
    except UnicodeDecodeError as error:
        raise errors.DocumentGarbled(f"{name} is not UTF-8: byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise errors.DocumentGarbled(
            f"{name} is not JSON: {error.msg}, line {error.lineno} column {error.colno}"
        ) from error
    except RecursionError as error:
        raise errors.DocumentInvalid(f"{name} nests too deep") from error
    except ValueError as error:  # a key twice, or a number that is none
        raise errors.DocumentInvalid(f"{name}: {error}") from error
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        # Of a list whose every item is wrong each is told by itself, and not that good ones are missing. A file may
        # hold some hundred thousand such items: only those that are told are put into words.
        wrong = [one for one in error.errors(include_url=False) if not (one["type"] == "too_short" and one["input"])]
        more = [f"and {len(wrong) - _TELL} more"] if len(wrong) > _TELL else []
        raise errors.DocumentInvalid(f"{name}: {'; '.join([*map(_objection, wrong[:_TELL]), *more])}") from error


def render(document: Document) -> bytes:
    """The bytes of a file that holds the document: JSON for people and programs, always the same."""
    return document.model_dump_json(indent=2).encode() + b"\n"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{_shown(key)} stands twice in one object")
        found[key] = value
    return found


def _integer(text: str) -> int:
    if len(text) > 1000:  # Python refuses some thousands of digits, in words for programmers
        raise ValueError(f"a number has {len(text)} digits")
    return int(text)


_EXPECTED: Final = {
    "int_type": "a whole number is expected",
    "greater_than_equal": "at least {ge} is expected",
    "less_than": "less than {lt} is expected",
    "literal_error": "{expected} is expected",
    "string_type": "a bech32 address is expected",
    "model_type": "an object is expected",
    "tuple_type": "a list is expected",
    "too_short": "at least {min_length} is expected",
    "value_error": "{error}",
}


def _objection(one: Mapping[str, Any]) -> str:
    """What is wrong: its place, the value there, and what would be right."""
    place, facts = _place(one["loc"]), one.get("ctx", {})
    match one["type"]:
        case "missing":
            return f"{place} is missing"
        case "extra_forbidden":
            return f"{place} is not a field of it"
        case "value_error" if not place:
            return str(facts["error"])
        case what:
            expected = _EXPECTED[what].format(**facts) if what in _EXPECTED else one["msg"]
            return f"{place or 'the whole'} is {_shown(one['input'])}: {expected}"


def _place(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif not part.startswith("("):  # the tag of a union's member
            text += f".{part if part.isidentifier() and part.isascii() else _shown(part)}"
    return text.removeprefix(".")


def _shown(value: object) -> str:
    """A value in a message: short, and escaped."""
    match value:
        case dict():
            return "an object"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case int() if value.bit_length() > 64:
            return f"a number of {value.bit_length()} bits"
    text = json.dumps(value, default=ascii)
    return text if len(text) <= 100 else f"{text[:80]}… ({len(text)} characters)"
