"""Python values and payload bytes, held against the bridge protocol's golden vectors."""

from __future__ import annotations

import enum
import json
import math
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure._core import decode, encode
from perdure.convert import shape_of
from perdure.errors import DecodeError, EncodedPayloadError, EncodeError

VECTORS = Path(__file__).parents[3] / "bridges" / "protocol" / "vectors"
ANY = shape_of(Any)


def _vectors(name: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((VECTORS / name).read_text("utf-8"))
    return loaded


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, float | Decimal) and math.isnan(left):
        return math.isnan(right)
    return type(left) is type(right) and bool(left == right)


VALUES = [each for each in _vectors("values.json") if "python" not in each.get("languages", {})]
REFUSED = [each for each in _vectors("refused.json") if each.get("encoding") == "msgpack"]


@pytest.mark.parametrize("vector", VALUES, ids=[each["name"] for each in VALUES])
def test_each_vector_comes_back_to_the_same_bytes(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["msgpack_hex"])
    value = decode(data, ANY)
    again = encode(value)
    assert again == data or _same(decode(again, ANY), value)


@pytest.mark.parametrize("vector", REFUSED, ids=[each["name"] for each in REFUSED])
def test_each_refused_vector_is_refused_at_its_path(vector: dict[str, Any]) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(_refused_bytes(vector), ANY)
    assert caught.value.path == vector["path"]


def _refused_bytes(vector: dict[str, Any]) -> bytes:
    if "hex" in vector:
        return bytes.fromhex(vector["hex"])
    repeat = vector["repeat"]
    parts = (repeat["prefix"] * repeat["times"], repeat["suffix"])
    return bytes.fromhex("".join(parts))


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Item:
    name: str
    price: Decimal
    tags: list[str] = field(default_factory=list[str])


@dataclass
class Order:
    id: uuid.UUID
    items: list[Item]
    placed: datetime
    wait: timedelta
    colour: Colour | None = None
    parent: Order | None = None


ORDER = Order(
    uuid.UUID(int=7),
    [Item("tea", Decimal("1.20"), ["hot"]), Item("cup", Decimal("3"))],
    datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC),
    timedelta(days=-2, microseconds=5),
    Colour.BLUE,
    Order(uuid.UUID(int=8), [], datetime(1960, 1, 1, tzinfo=UTC), timedelta(0)),
)


def test_records_come_back_as_their_classes() -> None:
    assert decode(encode(ORDER), shape_of(Order)) == ORDER


def test_unknown_fields_are_ignored_and_missing_ones_have_their_default() -> None:
    data = encode({"price": Decimal(1), "later": [1, {"x": None}], "name": "tea"})
    assert decode(data, shape_of(Item)) == Item("tea", Decimal(1))


def test_a_missing_field_without_default_names_its_path() -> None:
    with pytest.raises(DecodeError) as caught:
        decode(encode([{"name": "tea"}]), shape_of(list[Item]))
    assert caught.value.path == "$[0].price"


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (2**64, "$"),
        (-(2**63) - 1, "$"),
        ([1, {"a": {1: 2}}], "$[1].a"),
        ({"a b": "\ud800"}, '$["a b"]'),
        ({"when": datetime(2026, 1, 1)}, "$.when"),  # noqa: DTZ001 - naive on purpose
        ([object()], "$[0]"),
        (Item("x", Decimal(1), [object()]), "$.tags[0]"),  # type: ignore[list-item]
    ],
)
def test_what_cannot_travel_is_refused_with_its_path(value: Any, path: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode(value)
    assert caught.value.path == path


def test_depth_is_limited_without_overflowing_the_stack() -> None:
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(EncodeError, match="128 levels"):
        encode(deep)
    with pytest.raises(DecodeError, match="too deep"):
        decode(b"\x91" * 10_000 + b"\x90", ANY)


def test_sets_encode_the_same_whatever_their_order() -> None:
    words = [f"word{number}" for number in range(50)]
    assert encode(set(words)) == encode(set(reversed(words))) == encode(frozenset(words))
    assert decode(encode(set(words)), shape_of(set[str])) == set(words)


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (float, 3, 3.0),
        (int | None, None, None),
        (int | str, "x", "x"),
        (tuple[int, str], (1, "a"), (1, "a")),
        (tuple[int, ...], (1, 2, 3), (1, 2, 3)),
        (Literal["on", "off"], "on", "on"),
        (dict[str, Colour], {"a": Colour.RED}, {"a": Colour.RED}),
    ],
)
def test_hints_shape_what_is_read(hint: Any, value: Any, expected: Any) -> None:
    assert _same(decode(encode(value), shape_of(hint)), expected)


@pytest.mark.parametrize(
    ("hint", "value"),
    [(int, "1"), (int, 1.5), (int, True), (str, 1), (Literal["on"], "off"), (Colour, "green")],
)
def test_what_does_not_fit_is_refused(hint: Any, value: Any) -> None:
    with pytest.raises(DecodeError):
        decode(encode(value), shape_of(hint))


def test_a_lying_length_reserves_nothing() -> None:
    with pytest.raises(DecodeError, match="middle"):
        decode(b"\xdd\xff\xff\xff\xff", ANY)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.uuids()
    | st.decimals(allow_nan=False)
    | st.timedeltas(timedelta(days=-100_000), timedelta(days=100_000))
    | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(plain)
def test_plain_values_come_back_equal(value: Any) -> None:
    assert decode(encode(value), ANY) == value


@given(st.binary(max_size=200))
def test_random_bytes_never_do_worse_than_a_typed_error(data: bytes) -> None:
    try:
        value = decode(data, ANY)
    except (DecodeError, EncodedPayloadError):
        return
    assert decode(encode(value), ANY) == value or "nan" in repr(value)
