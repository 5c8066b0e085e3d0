"""Models of pydantic and msgspec, known when the program has imported them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Generic, TypeVar
from uuid import UUID

import pytest

from perdure._core import decode, encode
from perdure.convert import shape_of
from perdure.errors import DecodeError, EncodeError

pydantic: Any = pytest.importorskip("pydantic")
msgspec: Any = pytest.importorskip("msgspec")

Value = TypeVar("Value")


@dataclass
class Cat:
    name: str
    lives: int = 9


@dataclass
class Box(Generic[Value]):
    value: Value


class Address(pydantic.BaseModel):  # type: ignore[misc]
    city: str
    since: date


class Person(pydantic.BaseModel):  # type: ignore[misc]
    name: str = pydantic.Field(alias="fullName")
    born: datetime
    wealth: Decimal
    id: UUID
    photo: bytes
    tags: set[str]
    cat: Cat
    home: Address | None = None

    @pydantic.computed_field  # type: ignore[prop-decorator, untyped-decorator]
    @property
    def age(self) -> int:
        return 2026 - self.born.year


class Wrapped(pydantic.BaseModel, Generic[Value]):  # type: ignore[misc]
    inner: Value


class Account(msgspec.Struct, rename="camel"):  # type: ignore[misc, call-arg]
    account_id: UUID
    balance: Decimal
    opened: datetime
    notes: set[str]
    day: date
    term: timedelta
    address: Address


class Circle(msgspec.Struct, tag=True):  # type: ignore[misc, call-arg]
    radius: float


class Square(msgspec.Struct, tag=True):  # type: ignore[misc, call-arg]
    side: float


class Stack(msgspec.Struct, Generic[Value]):  # type: ignore[misc]
    items: list[Value]


ADDRESS = Address(city="Oslo", since=date(2020, 2, 29))
PERSON = Person(
    fullName="Ada",
    born=datetime(1990, 1, 2, 3, tzinfo=UTC),
    wealth=Decimal("1.10"),
    id=UUID(int=3),
    photo=b"\x00\xff",
    tags={"a", "b"},
    cat=Cat("Tom"),
    home=ADDRESS,
)
ACCOUNT = Account(
    UUID(int=4),
    Decimal("0.1"),
    datetime(2026, 1, 1, tzinfo=UTC),
    {"x", "y", "z"},
    date(2026, 5, 6),
    timedelta(hours=5),
    ADDRESS,
)

ROUND_TRIPS: list[tuple[Any, Any]] = [
    (Address, ADDRESS),
    (Person, PERSON),
    (Wrapped[Address], Wrapped[Address](inner=ADDRESS)),
    (Address | Person, PERSON),
    (list[Address | None], [ADDRESS, None]),
    (Box[Address], Box(ADDRESS)),
    (Account, ACCOUNT),
    (Circle | Square | None, Square(2.0)),
    (Stack[date], Stack([date(2026, 1, 1)])),
]


@pytest.mark.parametrize(("hint", "value"), ROUND_TRIPS, ids=lambda each: repr(each)[:40])
def test_k8_a_model_comes_back(hint: Any, value: Any) -> None:
    read = decode(encode(value), shape_of(hint))
    assert read == value
    assert type(read) is type(value)


def test_structs_that_nothing_tells_apart_are_refused_when_they_are_declared() -> None:
    with pytest.raises(TypeError, match="tag"):
        shape_of(Account | Stack[int])


@pytest.mark.parametrize(
    ("hint", "value", "path"),
    [
        (list[Address], [{"city": "Oslo", "since": "never"}], "$[0]"),
        (Stack[int], {"items": ["x"]}, "$"),
    ],
)
def test_what_does_not_fit_a_model_names_its_path(hint: Any, value: Any, path: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(encode(value), shape_of(hint))
    assert caught.value.path == path


def test_a_model_that_is_read_by_another_alias_is_refused() -> None:
    class Odd(pydantic.BaseModel):  # type: ignore[misc]
        name: str = pydantic.Field(validation_alias="n", serialization_alias="m")

    with pytest.raises(TypeError, match=r"Odd\.name is written as 'm' and read as 'n'"):
        shape_of(Odd)


def test_what_a_model_holds_and_cannot_travel_is_refused() -> None:
    login = pydantic.create_model("Login", password=(pydantic.SecretStr, ...))
    with pytest.raises(EncodeError) as caught:
        encode([login(password=pydantic.SecretStr("x"))])
    assert caught.value.path == "$[0].password"


def test_sets_in_structs_are_written_in_one_order() -> None:
    words = [f"word{number}" for number in range(50)]
    fields = (UUID(int=4), Decimal(1), datetime(2026, 1, 1, tzinfo=UTC))
    rest = (date(2026, 5, 6), timedelta(0), ADDRESS)
    forwards = Account(*fields, set(words), *rest)
    backwards = Account(*fields, set(reversed(words)), *rest)
    assert encode(forwards) == encode(backwards)
    assert decode(encode(forwards), shape_of(Any))["notes"] == sorted(words)
