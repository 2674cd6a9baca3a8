"""The class is the layout: records as classes, and the codec that follows from their annotations.

    int, bytes, bool        an integer, bytes, False or True
    X | None                an option
    tuple[X, ...]           a list
    tuple[X, Y]             a pair
    a record, or A | B      a constructor, or a choice of constructors

The contract's types are the source (contracts/lib/ledger.ak, contracts/lib/types.ak); `blueprint` compares the two.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Final, Generic, TypeVar, Union, cast, dataclass_transform, get_args, get_origin, get_type_hints

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked_dataclass

from indexer.plutus import fast
from indexer.plutus.data import Data, decode, encode
from indexer.plutus.shape import (
    BOOLEAN,
    Bytes,
    Constructor,
    Field,
    Integer,
    ListOf,
    Misfit,
    Shape,
    Sum,
    TupleOf,
    option,
)

T = TypeVar("T")

_CHECKS: Final = ConfigDict(strict=True, extra="forbid")
_CONSTRUCTORS: Final[dict[type, Constructor]] = {}


@dataclass_transform(frozen_default=True)
def record(index: int, *, titled: bool = True) -> Callable[[type[T]], type[T]]:
    """Make a class a record: constructor `index`, its fields in the order declared.

    Instances are frozen. Made by hand, they are checked by pydantic: kinds as annotated, nothing converted, no field
    too many. `titled` says whether the fields have their names in the contract too.
    """

    def make_record(cls: type[T]) -> type[T]:
        made: Any = checked_dataclass(cls, frozen=True, slots=True, config=_CHECKS)
        hints = get_type_hints(made)
        names = [field.name for field in fields(made)]
        layout = tuple(Field(name, name if titled else None, shape_of(hints[name])) for name in names)
        _CONSTRUCTORS[made] = Constructor(index, made.__name__, layout, _maker(made, names), _taker(made, names))
        return cast("type[T]", made)

    return make_record


def shape_of(annotation: Any) -> Shape:
    """The shape that an annotation stands for. Raises TypeError for one that stands for none."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is int:
        return Integer()
    if annotation is bytes:
        return Bytes()
    if annotation is bool:
        return BOOLEAN
    if origin is tuple and arguments[1:] == (...,):
        return ListOf(shape_of(arguments[0]))
    if origin is tuple:
        return TupleOf(tuple(shape_of(item) for item in arguments))
    if origin not in (Union, UnionType):
        return _choice(annotation)
    if NoneType not in arguments:
        return _choice(*arguments)
    rest = [argument for argument in arguments if argument is not NoneType]
    return option(shape_of(rest[0]) if len(rest) == 1 else _choice(*rest))


def _choice(*records: Any) -> Sum:
    constructors = [_CONSTRUCTORS[record] for record in records if record in _CONSTRUCTORS]
    if len(constructors) < len(records):
        raise TypeError(f"{' | '.join(map(str, records))} has no shape in Plutus Data")
    return Sum(tuple(sorted(constructors, key=attrgetter("index"))))


@dataclass(frozen=True, slots=True)
class Decoded(Generic[T]):
    """A value beside the bytes it came in: they can differ from those that we would write for it."""

    value: T
    raw: bytes


class Codec(Generic[T]):
    """Turns values of one layout into bytes and back."""

    def __init__(self, layout: Any) -> None:
        self.shape: Final = shape_of(layout)
        self._read_fast = fast.reader(self.shape)

    def decode(self, raw: bytes) -> Decoded[T]:
        """The value of CBOR bytes, in any form that the ledger reads. Raises `MalformedDatum`, with the place.

        Values are of the right kinds at every depth; lengths and ranges are unchecked.
        """
        value = self._read_fast(raw)
        return Decoded(self.from_data(decode(raw)) if value is fast.OTHER else value, raw)

    def encode(self, value: T) -> bytes:
        """The bytes that the ledger's `serialiseData` makes of a value."""
        return encode(self.to_data(value))

    def from_data(self, data: Data) -> T:
        """The value of data. Raises `MalformedDatum`, with the place."""
        try:
            return cast("T", self.shape.read(data))
        except Misfit as misfit:
            raise misfit.named() from None

    def to_data(self, value: T) -> Data:
        """The data of a value. Raises TypeError for a value of another layout."""
        return self.shape.write(value)


def _maker(cls: type[T], names: Sequence[str]) -> Callable[[Sequence[Any]], T]:
    # What the shape has read is of the right kinds: checking it again would take twice as long. The slots are set
    # through their descriptors, as a frozen class forbids the plain way.
    setters = [cls.__dict__[name].__set__ for name in names]
    new = object.__new__

    if len(setters) == 1:
        put_only = setters[0]

        def make_of_one(values: Sequence[Any]) -> T:
            instance = new(cls)
            put_only(instance, values[0])
            return instance

        return make_of_one

    def make(values: Sequence[Any]) -> T:
        instance = new(cls)
        for put, value in zip(setters, values):  # noqa: B905  # as many values as fields: strict costs time
            put(instance, value)
        return instance

    return make


def _taker(cls: type, names: Sequence[str]) -> Callable[[Any], Sequence[Any] | None]:
    def take(value: Any) -> Sequence[Any] | None:
        return [getattr(value, name) for name in names] if type(value) is cls else None

    return take
