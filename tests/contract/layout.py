"""The layouts of DESIGN section 2, and what it means that data decodes in full."""

from dataclasses import dataclass
from typing import Final, TypeAlias, Union

from tests.contract.data import Constr, Data

Layout: TypeAlias = Union[type[int | bytes], "ListOf", "Tuple", "OneOf"]


@dataclass(frozen=True)
class ListOf:
    """Any number of the same."""

    each: Layout


@dataclass(frozen=True)
class Tuple:
    """A list of exactly these."""

    parts: tuple[Layout, ...]


@dataclass(frozen=True)
class OneOf:
    """Constructor n has exactly the fields of alternative n."""

    alternatives: tuple[tuple[Layout, ...], ...]


def fits(value: Data, layout: Layout) -> bool:
    """Constructors, field counts and kinds agree at every depth. Lengths and ranges are not looked at."""
    match layout:
        case ListOf(each):
            return isinstance(value, tuple) and all(fits(part, each) for part in value)
        case Tuple(parts):
            return isinstance(value, tuple) and _all_fit(value, parts)
        case OneOf(alternatives):
            return (
                isinstance(value, Constr)
                and value.index < len(alternatives)
                and _all_fit(value.fields, alternatives[value.index])
            )
        case _:
            return isinstance(value, layout)


def _all_fit(values: tuple[Data, ...], layouts: tuple[Layout, ...]) -> bool:
    return len(values) == len(layouts) and all(map(fits, values, layouts))


def _option(layout: Layout) -> OneOf:
    return OneOf(((layout,), ()))


def _record(*fields: Layout) -> OneOf:
    return OneOf((fields,))


_BOOL: Final = OneOf(((), ()))
_CREDENTIAL: Final = OneOf(((bytes,), (bytes,)))  # key, script
_STAKE: Final = OneOf(((_CREDENTIAL,), (int, int, int)))  # inline, pointer
_ADDRESS: Final = _record(_CREDENTIAL, _option(_STAKE))
_ALLOCATION: Final = _record(_ADDRESS, int, bytes, int, _BOOL)
_ASSET_CLASS: Final = _record(bytes, bytes)
_SEED: Final = _record(bytes, int)

DATUM: Final = OneOf(
    (
        (bytes, _ASSET_CLASS, ListOf(bytes), int, ListOf(_ALLOCATION), int, int, _option(int)),
        (bytes, bytes, bytes, bytes, bytes),
    )
)
MINT_REDEEMER: Final = OneOf(((_SEED,), ()))
SPEND_REDEEMER: Final = OneOf(((bytes, ListOf(int), ListOf(Tuple((int, bytes)))), (), ()))

FALSE: Final = Constr(0, ())
TRUE: Final = Constr(1, ())
NONE: Final = Constr(1, ())


@dataclass(frozen=True)
class Allocation:
    """Tokens for one beneficiary. `beneficiary` is an address as Plutus data."""

    beneficiary: Constr
    amount: int
    milestone: bytes
    vesting: int
    claimed: bool


@dataclass(frozen=True)
class Distribution:
    """The terms, and how far they are fulfilled. `token` is (policy, name), both empty for ada; times in POSIX ms."""

    datum: Constr
    funder: bytes
    token: tuple[bytes, bytes]
    oracles: tuple[bytes, ...]
    threshold: int
    allocations: tuple[Allocation, ...]
    lovelace_per_payout: int
    keeper_fee_per_payout: int
    expires_at: int | None

    @property
    def is_ada(self) -> bool:
        return self.token == (b"", b"")

    def claiming(self, indices: tuple[int, ...]) -> Constr:
        """The same datum, with these allocations claimed."""
        before = self.datum.fields[4]
        assert isinstance(before, tuple)
        after = tuple(_claimed(each) if index in indices else each for index, each in enumerate(before))
        return Constr(0, (*self.datum.fields[:4], after, *self.datum.fields[5:]))


def _claimed(allocation: Data) -> Constr:
    assert isinstance(allocation, Constr)
    return Constr(0, (*allocation.fields[:4], TRUE))


def distribution(datum: Data | None) -> Distribution | None:
    """A datum that is a Distribution in full; None where it is not."""
    if datum is None or not fits(datum, DATUM):
        return None
    match datum:
        case Constr(
            0,
            (
                bytes() as funder,
                Constr(0, (bytes() as policy, bytes() as name)),
                tuple() as oracles,
                int() as threshold,
                tuple() as allocations,
                int() as lovelace_per_payout,
                int() as keeper_fee_per_payout,
                Constr(_, expiry),
            ),
        ):
            return Distribution(
                datum,
                funder,
                (policy, name),
                tuple(each for each in oracles if isinstance(each, bytes)),
                threshold,
                tuple(_allocation(each) for each in allocations),
                lovelace_per_payout,
                keeper_fee_per_payout,
                next((each for each in expiry if isinstance(each, int)), None),
            )
    return None


def _allocation(value: Data) -> Allocation:
    match value:
        case Constr(
            0, (Constr() as beneficiary, int() as amount, bytes() as milestone, int() as vesting, Constr(claimed, _))
        ):
            return Allocation(beneficiary, amount, milestone, vesting, claimed == 1)
    raise AssertionError("does not fit")
