"""Shapes: what a piece of Plutus Data must look like, and which Python value it then is.

Five kinds are enough: integers, bytes, lists, pairs (lists of a known length), and sums. A sum is a choice of
constructors; records, truth values and options are sums. *Decoding in full* means that constructors, field counts and
kinds fit at every depth. Lengths and ranges are no matter of shape.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from indexer.errors import MalformedDatum
from indexer.plutus.data import Constr, Data, Map


class Misfit(Exception):
    """Data that does not have the shape. The place is put together on the way out, innermost part first."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.parts: list[str] = []

    def inside(self, part: str) -> "Misfit":
        """The same misfit, seen from one level further out."""
        self.parts.append(part)
        return self

    def named(self) -> MalformedDatum:
        """The error for whoever asked, with the place, such as `allocations[3].beneficiary`."""
        return MalformedDatum(self.reason, "".join(reversed(self.parts)).removeprefix("."))


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer of any size."""

    def read(self, data: Data) -> int:
        """The value of data. Raises `Misfit`, as every shape's `read` does."""
        if not isinstance(data, int):
            raise Misfit(f"{_kind(data)}, not an integer")
        return data

    def write(self, value: Any) -> Data:
        """The data of a value of this shape."""
        data: int = value
        return data


@dataclass(frozen=True, slots=True)
class Bytes:
    """A byte string of any length."""

    def read(self, data: Data) -> bytes:
        if not isinstance(data, bytes):
            raise Misfit(f"{_kind(data)}, not bytes")
        return data

    def write(self, value: Any) -> Data:
        data: bytes = value
        return data


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of any length, all items of one shape."""

    item: "Shape"

    def read(self, data: Data) -> tuple[Any, ...]:
        if not isinstance(data, tuple):
            raise Misfit(f"{_kind(data)}, not a list")
        return tuple(_read_part(self.item, item, f"[{i}]") for i, item in enumerate(data))

    def write(self, value: Any) -> Data:
        return tuple(self.item.write(item) for item in value)


@dataclass(frozen=True, slots=True)
class TupleOf:
    """A list of a known length, each item of its own shape: what Aiken makes of a pair or tuple."""

    items: tuple["Shape", ...]

    def read(self, data: Data) -> tuple[Any, ...]:
        if not isinstance(data, tuple):
            raise Misfit(f"{_kind(data)}, not a list of {len(self.items)}")
        if len(data) != len(self.items):
            raise Misfit(f"a list of {len(data)}, not of {len(self.items)}")
        return tuple(_read_part(self.items[i], item, f"[{i}]") for i, item in enumerate(data))

    def write(self, value: Any) -> Data:
        return tuple(shape.write(item) for shape, item in zip(self.items, value, strict=True))


@dataclass(frozen=True, slots=True)
class Field:
    """A constructor's field: its name in Python, its title in the contract (None: it has none there), its shape.

    The name is empty where the field is all there is, as in Some.
    """

    name: str
    title: str | None
    shape: "Shape"


@dataclass(frozen=True, slots=True)
class Constructor:
    """One choice of a sum. `make` turns the fields' values into a value; `take` turns a value of this choice into its
    fields' values, and any other into None."""

    index: int
    title: str
    fields: tuple[Field, ...]
    make: Callable[[Sequence[Any]], Any]
    take: Callable[[Any], Sequence[Any] | None]


@dataclass(frozen=True, slots=True)
class Sum:
    """A choice of constructors, the index of each its position."""

    constructors: tuple[Constructor, ...]

    def __post_init__(self) -> None:
        if [constructor.index for constructor in self.constructors] != list(range(len(self.constructors))):
            raise TypeError("constructors are numbered from 0 on, without gaps")

    def read(self, data: Data) -> Any:
        if not isinstance(data, Constr):
            raise Misfit(f"{_kind(data)}, not a constructor")
        if data.index >= len(self.constructors):
            known = ", ".join(f"{known.index} {known.title}" for known in self.constructors)
            raise Misfit(f"constructor {data.index} (there are: {known})")
        constructor = self.constructors[data.index]
        fields = constructor.fields
        if len(data.fields) != len(fields):
            raise Misfit(f"{constructor.title} has {len(data.fields)} fields, not {len(fields)}")
        values = [
            _read_part(field.shape, part, f".{field.name}" if field.name else "")
            for field, part in zip(fields, data.fields, strict=True)
        ]
        return constructor.make(values)

    def write(self, value: Any) -> Data:
        for constructor in self.constructors:
            if (values := constructor.take(value)) is not None:
                fields = zip(constructor.fields, values, strict=True)
                return Constr(constructor.index, tuple(field.shape.write(part) for field, part in fields))
        raise TypeError(f"{type(value).__name__} is none of {', '.join(c.title for c in self.constructors)}")


Shape: TypeAlias = Integer | Bytes | ListOf | TupleOf | Sum

BOOLEAN: Final = Sum(
    (
        Constructor(0, "False", (), lambda _: False, lambda value: () if value is False else None),
        Constructor(1, "True", (), lambda _: True, lambda value: () if value is True else None),
    )
)


def option(shape: Shape) -> Sum:
    """Some value of this shape, or None."""
    return Sum(
        (
            Constructor(
                0,
                "Some",
                (Field("", None, shape),),
                lambda values: values[0],
                lambda value: None if value is None else (value,),
            ),
            Constructor(1, "None", (), lambda _: None, lambda value: () if value is None else None),
        )
    )


def _read_part(shape: Shape, data: Data, part: str) -> Any:
    try:
        return shape.read(data)
    except Misfit as misfit:
        raise misfit.inside(part) from None


def _kind(data: Data) -> str:
    match data:
        case Constr(index):
            return f"constructor {index}"
        case Map():
            return "a map"
        case tuple():
            return "a list"
        case bytes():
            return "bytes"
        case _:
            return "an integer"
