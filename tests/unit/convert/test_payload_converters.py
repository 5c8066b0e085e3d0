"""Payload converters: which classes are whose, and what is refused."""

from __future__ import annotations

import enum
from dataclasses import dataclass, make_dataclass
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar

import pytest
from pydantic import BaseModel

from perdure import DataConverter, PayloadConverter, register_type
from perdure._claims import add_converter
from perdure._core import decode, encode
from perdure.convert import shape_of
from perdure.errors import ApplicationError, EncodeError
from perdure.worker._process_pool import new_pool

Value = TypeVar("Value")


class Wrapped:
    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return 0


class Page(Wrapped, Generic[Value]):
    pass


class Same(Wrapped):
    pass


class Registered(Wrapped):
    pass


class Color(enum.Enum):
    RED = "r"


class Point(NamedTuple):
    x: int


class Model(BaseModel):
    name: str


class OtherModel(BaseModel):
    name: str


@dataclass
class Left:
    name: str


@dataclass
class Right:
    name: str


class Entry(TypedDict):
    name: str


HANDLED = (Wrapped, Color, Point, Model, OtherModel, Left, Right)


class Tagging(PayloadConverter):
    def __init__(self) -> None:
        self.asked: set[type[Any]] = set()

    def handles(self, cls: type[Any]) -> bool:
        self.asked.add(cls)
        return issubclass(cls, HANDLED)

    def to_payload_value(self, value: Any) -> Any:
        if isinstance(value, Same):
            return value
        if isinstance(value, Wrapped):
            inner = value.inner
        else:
            inner = value[0] if isinstance(value, Point) else value.name
        return {"tag": type(value).__name__, "inner": inner}

    def from_payload_value(self, value: Any, hint: Any) -> Any:
        cls: Any = getattr(hint, "__origin__", hint)
        if value["tag"] != cls.__name__:
            raise ValueError(f"{value['tag']} is no {cls.__name__}")
        if issubclass(cls, BaseModel):
            return cls(name=value["inner"])
        return Color[value["inner"]] if cls is Color else cls(value["inner"])


TAGGING = Tagging()


register_type(Registered, encode=lambda value: value.inner, decode=Registered)


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perdure._claims._converters", {})
    add_converter(DataConverter(payload_converter=TAGGING))


CASES: list[tuple[Any, Any, Any]] = [
    (Wrapped, Wrapped([1]), {"tag": "Wrapped", "inner": [1]}),
    (Page[int], Page(3), {"tag": "Page", "inner": 3}),
    (list[Wrapped | None], [Wrapped(1), None], [{"tag": "Wrapped", "inner": 1}, None]),
    (Left | Right, Right("r"), {"tag": "Right", "inner": "r"}),
    (Left | dict[str, Any], {"name": "l"}, {"name": "l"}),
    (Model | OtherModel, OtherModel(name="o"), {"tag": "OtherModel", "inner": "o"}),
    (Color, Color.RED, {"tag": "Color", "inner": "RED"}),
    (Color | str, "r", "r"),
    (Point, Point(2), {"tag": "Point", "inner": 2}),
    (Registered, Registered(7), 7),
    (Entry, Entry(name="e"), {"name": "e"}),
]


@pytest.mark.parametrize(("hint", "value", "plain"), CASES)
def test_handled_classes_travel_as_the_converter_says(hint: Any, value: Any, plain: Any) -> None:
    data = encode(value)
    assert data == encode(plain)
    read = decode(data, shape_of(hint))
    assert (type(read), read) == (type(value), value)


def test_it_is_never_asked_about_what_python_has() -> None:
    for hint in (list, dict, list[int], set[str], Entry, float, object):
        shape_of(hint)
    assert not {cls for cls in TAGGING.asked if cls.__module__ in {"builtins", "typing"}}
    assert Entry not in TAGGING.asked


def test_an_object_that_stands_for_itself_is_refused() -> None:
    with pytest.raises(EncodeError, match=r"\$\[0\]: Tagging handles Same and gives the object"):
        encode([Same(1)])


def test_a_class_that_has_travelled_without_it_is_refused() -> None:
    early: type[Any] = make_dataclass("Early", ["name"])
    early.__module__ = __name__
    encode(early("x"))

    class Late(Tagging):
        def handles(self, cls: type[Any]) -> bool:
            return cls is early

    with pytest.raises(ValueError, match="Late handles Early, which this process has converted"):
        add_converter(DataConverter(payload_converter=Late()))


def test_one_that_cannot_go_to_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perdure._claims._converters", {})

    class Local(Tagging):
        def handles(self, cls: type[Any]) -> bool:
            return cls is Local

    add_converter(DataConverter(payload_converter=Local()))
    with pytest.raises(ApplicationError, match=r"Local cannot go to the processes") as caught:
        new_pool(1)
    assert caught.value.non_retryable


def test_a_class_of_two_converters_is_refused() -> None:
    class Twice:
        pass

    class One(Tagging):
        def handles(self, cls: type[Any]) -> bool:
            return cls is Twice

    class Two(One):
        pass

    for each in (One(), Two()):
        add_converter(DataConverter(payload_converter=each))
    with pytest.raises(TypeError, match=r"One and .*Two both handle .*Twice"):
        encode(Twice())


def test_the_last_one_of_a_class_holds() -> None:
    class Item:
        pass

    class Numbered(PayloadConverter):
        def __init__(self, number: int) -> None:
            self.number = number

        def handles(self, cls: type[Any]) -> bool:
            return cls is Item

        def to_payload_value(self, value: Any) -> Any:
            assert type(value) is Item
            return self.number

        def from_payload_value(self, value: Any, hint: Any) -> Any:
            assert hint is Item
            return (self.number, value)

    for number in (1, 2):
        add_converter(DataConverter(payload_converter=Numbered(number)))
        assert encode(Item()) == encode(number)
        assert decode(encode(9), shape_of(Item)) == (number, 9)
