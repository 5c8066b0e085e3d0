"""Values at the edges of every kind, to a worker of each language and back, unchanged."""

from __future__ import annotations

import math
import struct
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from perdure.client import WorkflowHandle
from tests.conformance.service import echo_bytes, encode_in_workflow, nested
from tests.conformance.stand import Stand

MEBIBYTE = 1024 * 1024
NAN_BITS = struct.pack(">d", math.nan)


KINDS: dict[str, Any] = {
    "null": None,
    "true": True,
    "false": False,
    "integer_0": 0,
    "integer_first_beyond_int32": 2**31,
    "integer_last_below_int32": -(2**31) - 1,
    "integer_safe": 2**53 - 1,
    "integer_unsafe": 2**53,
    "integer_minus_unsafe": -(2**53),
    "int64_first": -(2**63),
    "int64_last": 2**63 - 1,
    "uint64_first_beyond_int64": 2**63,
    "uint64_last": 2**64 - 1,
    "float_half": 0.5,
    "float_largest": 1.7976931348623157e308,
    "float_smallest": 5e-324,
    "float_2_60": float(2**60),
    "infinity": math.inf,
    "minus_infinity": -math.inf,
    "string_empty": "",
    "string_nul": "a\0b",
    "string_astral": "\U0001f600 \u00e9",
    "string_decomposed": "e\u0301",
    "string_controls": '\b\f\n\r\t\x01"\\/\u2028',
    "bytes_empty": b"",
    "bytes_all": bytes(range(256)),
    "list_empty": [],
    "list_nested": [[], [[1, [None]]]],
    "map_empty": {},
    "map_dollar_key": {"$int": "5", "$$": 1, "$bytes": {"$": None}},
    "map_null_and_missing": {"here": None},
    "map_odd_keys": {"": 1, "a b": 2, "\u00e9": 3, "__proto__": 4, "constructor": 5},
    "timestamp": datetime(2026, 11, 23, 21, 54, 0, 500_000, tzinfo=UTC),
    "timestamp_first": datetime(1, 1, 1, tzinfo=UTC),
    "timestamp_last": datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    "timestamp_before_epoch": datetime(1969, 12, 31, 23, 59, 59, 250_000, tzinfo=UTC),
    "duration": timedelta(milliseconds=1500),
    "duration_negative": timedelta(microseconds=-1),
    "duration_long": timedelta(days=100_000),
    "decimal": Decimal("12.50"),
    "decimal_exponent": Decimal("1.0E+3"),
    "decimal_minus_zero": Decimal("-0.00"),
    "decimal_large": Decimal("-123456789012345678901234567890.000000001"),
    "uuid": uuid.UUID("019abcde-f012-7345-8678-abcdef012345"),
}


def _exactly(value: Any) -> Any:
    """A value with its types, so that 1 and 1.0 and True differ."""
    if isinstance(value, float):
        return ("float", struct.pack(">d", value))
    if isinstance(value, list):
        return [_exactly(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {key: _exactly(each) for key, each in items}
    return (type(value).__name__, value)


def test_every_kind_comes_back_as_it_went(stand: Stand) -> None:
    # All in one call: what differs is named by its key.
    answer = stand.call("echo", KINDS)
    assert list(answer) == list(KINDS)
    for name, value in KINDS.items():
        assert _exactly(answer[name]) == _exactly(value), name


@pytest.mark.parametrize("value", [None, 2**64 - 1, "\0", b"", [], {}], ids=repr)
def test_a_kind_alone_is_a_whole_payload(stand: Stand, value: Any) -> None:
    assert _exactly(stand.call("echo", value)) == _exactly(value)


def test_floats_that_json_has_no_word_for(stand: Stand) -> None:
    nan, minus_zero = stand.call("echo", [math.nan, -0.0])
    assert struct.pack(">d", nan) == NAN_BITS
    assert struct.pack(">d", minus_zero) == struct.pack(">d", -0.0)


def test_a_whole_float_stays_one_where_the_language_can_tell(stand: Stand, language: str) -> None:
    expected = 1 if language == "typescript" else 1.0
    assert _exactly(stand.call("echo", 1.0)) == _exactly(expected)


def test_unknown_fields_are_kept_on_the_way_through(stand: Stand) -> None:
    record = {"name": "ada", "unknown": {"deep": [1, None, b"\xff"]}, "huge": 2**63}
    assert stand.call("record_echo", record) == {**record, "name": "ADA"}


RECORD: dict[str, Any] = {
    "name": "ada",
    "count": 2**53 + 1,
    "ratio": 0.25,
    "raw": b"\x00\xff",
    "at": datetime(2026, 11, 23, 21, 54, tzinfo=UTC),
    "lasting": timedelta(seconds=90),
    "price": Decimal("9.90"),
    "id": uuid.UUID("019abcde-f012-7345-8678-abcdef012345"),
    "tags": ["a", ""],
    "optional": None,
}


def test_readers_ignore_fields_that_they_do_not_know(stand: Stand) -> None:
    answer = stand.call("typed_echo", {**RECORD, "colour": "blue"})
    assert "colour" not in answer
    assert {name: _exactly(answer[name]) for name in RECORD} == _exactly(RECORD)


def test_missing_arguments_are_missing_and_null_is_null(stand: Stand) -> None:
    assert stand.call("describe")["arguments"] == []
    assert stand.call("describe", 1, "two")["arguments"] == [1, "two"]


@pytest.mark.parametrize("size", [0, 1, 700 * 1024], ids=["empty", "one", "large"])
def test_bytes_of_any_size_come_back(stand: Stand, size: int) -> None:
    assert stand.call("big", size) == b"\x07" * size


def assert_too_large(stand: Stand, handle: WorkflowHandle[Any], limit: str) -> None:
    failure = stand.failure(handle)
    assert failure.type == "PayloadTooLarge"
    assert failure.non_retryable
    assert limit in failure.message
    assert stand.attempts(handle) == 1
    assert stand.call("echo", "undisturbed") == "undisturbed"


def test_sixty_four_mebibytes_travel_over_stdio_and_are_refused_at_once_over_nats(
    stand: Stand, transport: str
) -> None:
    size = 64 * MEBIBYTE
    if transport == "nats":
        assert_too_large(stand, stand.start(echo_bytes, size), "1048576")
        return
    assert stand.result(stand.start(echo_bytes, size)) == size
    # One more is more than a frame: the engine refuses it as an argument, the worker as a result.
    assert_too_large(stand, stand.start(echo_bytes, size + MEBIBYTE), "67174400")
    assert_too_large(stand, stand.start_call("big", size + MEBIBYTE), "")


def test_a_mebibyte_travels_over_stdio_and_is_refused_in_words_over_nats(
    stand: Stand, transport: str
) -> None:
    value = "x" * MEBIBYTE
    if transport == "stdio":
        assert stand.call("echo", value) == value
        assert stand.call("big", MEBIBYTE) == b"\x07" * MEBIBYTE
        return
    for name, argument in (("echo", value), ("big", MEBIBYTE)):
        assert_too_large(stand, stand.start_call(name, argument), "")


@pytest.mark.parametrize(
    ("which", "path"),
    [
        ("object", "$[0].items[1]"),
        ("integer", "$[0].items[1]"),
        ("integer_negative", "$[0].items[1]"),
        ("integer_huge", "$[0].items[1]"),
        ("key", "$[0].items[0]"),
        ("key_twice", "$[0].items[0]"),
        ("key_none", "$[0].items[0]"),
        ("surrogate", "$[0].name"),
        ("deep", "$[0]" + "[0]" * 128),
        ("deeper", "$[0]" + "[0]" * 128),
    ],
)
def test_what_cannot_travel_is_refused_at_the_caller(stand: Stand, which: str, path: str) -> None:
    handle = stand.start(encode_in_workflow, which)
    assert stand.result(handle).endswith(path.removeprefix("$[0]"))
    assert not stand.commands(handle, "schedule_activity")


def test_depth_up_to_the_limit_travels(stand: Stand) -> None:
    # 128 are the limit: a result stands alone, the arguments of `call` have two lists around it.
    assert stand.call("echo", nested(126)) == nested(126)
    assert stand.call("deep", 128) == nested(128)


@pytest.mark.parametrize(
    ("name", "arguments", "path"),
    [
        ("unencodable", [], "$.items[1].callback"),
        ("broken_text", [], "$.items[1].name"),
        ("deep", [1_000], "$[0][0]"),
    ],
)
def test_a_result_that_cannot_travel_names_its_path(
    stand: Stand, name: str, arguments: list[Any], path: str
) -> None:
    handle = stand.start_call(name, *arguments)
    failure = stand.failure(handle)
    assert failure.type == "UnencodableResult"
    assert failure.non_retryable
    assert path in failure.message
    assert stand.attempts(handle) == 1


def test_a_missing_field_has_its_default(stand: Stand) -> None:
    missing = ("name", "count", "ratio", "optional")
    sent = {name: value for name, value in RECORD.items() if name not in missing}
    answer = stand.call("typed_echo", sent)
    assert [answer[name] for name in missing] == ["", 0, 0, None]
    assert {name: _exactly(answer[name]) for name in sent} == _exactly(sent)


def test_arguments_that_do_not_fit_name_their_path(stand: Stand) -> None:
    handle = stand.start_call("typed_echo", {**RECORD, "count": "many"})
    failure = stand.failure(handle)
    assert failure.type == "InvalidArguments"
    assert failure.non_retryable
    assert "count" in failure.message


def test_what_a_handler_prints_reaches_no_frame(stand: Stand) -> None:
    assert stand.call("print", "not a frame") == len("not a frame")
    assert stand.call("echo", "still here") == "still here"
