"""Types beyond the plain ones: they come back as they were, or are refused by name."""

from __future__ import annotations

import enum
import ipaddress
import typing
from dataclasses import dataclass, field, make_dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import PurePosixPath
from types import GenericAlias
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    TypedDict,
    TypeVar,
)
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypeAliasType

from perdure import register_type
from perdure._core import decode, encode
from perdure.convert import shape_of
from perdure.errors import DecodeError

Value = TypeVar("Value")
Other = TypeVar("Other")
UserId = NewType("UserId", str)
Pairs = TypeAliasType("Pairs", list[tuple[str, Value]], type_params=(Value,))


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Tone(enum.StrEnum):
    SOFT = "soft"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Corner(enum.Enum):
    FIRST = (0, 0)
    SECOND = (0, 1)


class Point(NamedTuple):
    x: int
    when: date


@dataclass(frozen=True)
class Box(Generic[Value]):
    value: Value
    others: list[Value] = field(default_factory=list[Value])


@dataclass(frozen=True)
class DateBox(Box[date], Generic[Other]):
    label: Other | None = None


@dataclass(frozen=True)
class Node(Generic[Value]):
    value: Value
    next: Node[Value] | None = None


@dataclass
class Cat:
    name: str
    lives: int = 9


@dataclass
class Dog:
    name: str
    lives: int = 1
    tricks: tuple[str, ...] = ()


@dataclass
class Opened:
    kind: Literal["opened"]
    id: int


@dataclass
class Closed:
    kind: Literal["closed"]
    id: int


class Movie(TypedDict):
    title: str
    seen: NotRequired[date]


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and other.cents == self.cents

    def __hash__(self) -> int:
        return self.cents


def _money(cents: int) -> Money:
    if cents < 0:
        raise ValueError("less than nothing")
    return Money(cents)


register_type(Money, encode=lambda money: money.cents, decode=_money)

ROUND_TRIPS: list[tuple[Any, Any]] = [
    (Level, Level.HIGH),
    (Tone, Tone.SOFT),
    (Access, Access.READ | Access.WRITE),
    (Corner, Corner.SECOND),
    (date, date(2026, 11, 25)),
    (time, time(23, 59, 59, 1)),
    (PurePosixPath, PurePosixPath("/a/b")),
    (ipaddress.IPv4Address, ipaddress.IPv4Address("10.0.0.1")),
    (Point, Point(1, date(2026, 1, 1))),
    (set[date], {date(2026, 1, 1), date(2025, 1, 1)}),
    (frozenset[int], frozenset({1, 2})),
    (tuple[Tone, ...], (Tone.SOFT,)),
    (UserId, UserId("u")),
    (dict[UserId, Tone], {UserId("u"): Tone.SOFT}),
    (dict[Tone, int], {Tone.SOFT: 1}),
    (Annotated[int, "metres"], 1),
    (Literal[1, "one"], 1),
    (Pairs[date], [("a", date(2026, 1, 1))]),
    (Box[date], Box(date(2026, 1, 1), [date(2026, 1, 2)])),
    (Box[Box[Point]], Box(Box(Point(1, date(2026, 1, 1))))),
    (DateBox[Level], DateBox(date(2026, 1, 1), [], Level.LOW)),
    (Node[Level], Node(Level.LOW, Node(Level.HIGH))),
    (Movie, {"title": "Alien"}),
    (Movie, {"title": "Alien", "seen": date(2026, 1, 1)}),
    (list[Movie | int], [1, {"title": "Alien"}]),
    (int | float, 1),
    (float | int, 1),
    (int | float, 1.5),
    (int | float, 1.0),
    (Cat | Dog, Cat("Tom")),
    (Cat | Dog, Dog("Rex", 1, ("sit",))),
    (list[Dog | Cat | None], [Cat("Tom"), None, Dog("Rex")]),
    (Opened | Closed, Closed("closed", 1)),
    (dict[str, Any] | Cat, {"name": "Tom"}),
    (bytes | str | UUID | datetime, UUID(int=1)),
    (Tone | int, Tone.SOFT),
    (Money, Money(5)),
    (Box[Money], Box(Money(1), [Money(2)])),
]


@pytest.mark.parametrize(("hint", "value"), ROUND_TRIPS, ids=lambda each: repr(each)[:40])
def test_k8_what_is_declared_comes_back(hint: Any, value: Any) -> None:
    read = decode(encode(value), shape_of(hint))
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "hint",
    [
        str | date,
        list[int] | set[int],
        tuple[int, ...] | list[int],
        str | Corner | PurePosixPath,
        Cat | make_dataclass("Lion", [("name", str), ("lives", int)]),
        dict[int, str],
        complex,
    ],
    ids=str,
)
def test_what_could_not_be_told_apart_is_refused_when_it_is_declared(hint: Any) -> None:
    with pytest.raises(TypeError):
        shape_of(hint)


def test_a_plain_enum_and_text_look_alike() -> None:
    colour = enum.Enum("colour", {"RED": "red"})
    with pytest.raises(TypeError, match="look the same"):
        shape_of(typing.Union[str, colour])  # noqa: UP007


@pytest.mark.parametrize(
    ("hint", "value", "path"),
    [
        (Box[Money], {"value": -1}, "$.value"),
        (Movie, {"seen": "2026-01-01"}, "$.title"),
        (dict[str, date], {"a": "x"}, "$.a"),
        (Literal[1], True, "$"),
    ],
)
def test_what_does_not_fit_names_its_path(hint: Any, value: Any, path: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(encode(value), shape_of(hint))
    assert caught.value.path == path


def test_k9_a_union_still_takes_records_of_older_and_newer_code() -> None:
    shape = shape_of(Cat | Dog)
    assert decode(encode({"name": "Tom"}), shape) == Dog("Tom")
    assert decode(encode({"name": "Tom", "lives": 3, "fur": "red"}), shape) == Dog("Tom", 3)


LEAVES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers(-(2**63), 2**64 - 1)),
    (float, st.floats(allow_nan=False)),
    (str, st.text(st.characters(exclude_categories=["Cs"]))),
    (bool, st.booleans()),
    (bytes, st.binary()),
    (date, st.dates()),
    (time, st.times()),
    (datetime, st.datetimes(timezones=st.just(UTC))),
    (Decimal, st.decimals(allow_nan=False)),
    (UUID, st.uuids()),
    (Level, st.sampled_from(Level)),
    (Corner, st.sampled_from(Corner)),
    (Money, st.integers(0, 9).map(Money)),
]
Typed = tuple[Any, st.SearchStrategy[Any]]


def _record(fields: list[Typed]) -> Typed:
    names = [f"field_{index}" for index in range(len(fields))]
    cls: Any = make_dataclass("Drawn", list(zip(names, [each[0] for each in fields])))
    return cls, st.builds(cls, *[each[1] for each in fields])


def _wrap(how: str, hint: Any, values: st.SearchStrategy[Any]) -> Typed:
    box: Any = Box
    match how:
        case "list":
            return GenericAlias(list, (hint,)), st.lists(values, max_size=3)
        case "tuple":
            return GenericAlias(tuple, (hint, int)), st.tuples(values, st.integers(0, 9))
        case "dict":
            return GenericAlias(dict, (str, hint)), st.dictionaries(st.text(), values, max_size=3)
        case "optional":
            return hint | None, st.none() | values
        case _:
            return box[hint], st.builds(box, values, st.lists(values, max_size=3))


def _around(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    ways = st.sampled_from(["list", "tuple", "dict", "optional", "box"])
    wrapped = st.tuples(ways, inner).map(lambda drawn: _wrap(drawn[0], *drawn[1]))
    return wrapped | st.lists(inner, min_size=1, max_size=4).map(_record)


@given(st.data())
def test_values_of_random_shapes_come_back_equal(data: st.DataObject) -> None:
    typed = st.recursive(st.sampled_from(LEAVES), _around, max_leaves=6)
    hint, values = data.draw(typed)
    value = data.draw(values)
    assert decode(encode(value), shape_of(hint)) == value
