"""Values that survive the trip in both profiles."""

from dataclasses import dataclass, field
from typing import Any

from msgpack import Timestamp

from json_profile import decimal, duration, uuid_value


@dataclass
class Value:
    name: str
    value: Any
    note: str = ""
    extra: dict[str, Any] = field(default_factory=dict[str, Any])


def value_cases() -> list[Value]:
    return [*plain(), *integers(), *floats(), *strings(), *scalars(), *containers()]


def plain() -> list[Value]:
    return [
        Value("null", None),
        Value("true", True),
        Value("false", False),
        Value("bytes_empty", b""),
        Value("bytes", bytes([0, 255, 128, 10]), "K3"),
        Value("bytes_300", bytes(range(256)) + bytes(44), "needs the 16-bit length form"),
        Value("bytes_nested", {"a": [b"\xfb\xff"]}, "K3: the standard alphabet, + and /"),
    ]


def integers() -> list[Value]:
    edges = [
        0, 1, -1, 31, 127, 128, 255, 256, 65535, 65536, -32, -33, -128, -129, -32768, -32769,
        2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**32 - 1, 2**32,
        2**53 - 1, -(2**53) + 1, 2**53, -(2**53), 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1,
    ]  # fmt: skip
    cases = [Value(f"integer_{number}".replace("-", "minus_"), number, "K1") for number in edges]
    five = {"json_also": ['{"$int":"5"}', "-0"][:1]}
    five["msgpack_also_hex"] = [
        "cc05",
        "cd0005",
        "ce00000005",
        "cf0000000000000005",
        "d005",
        "d10005",
        "d200000005",
        "d30000000000000005",
    ]
    cases.append(Value("integer_5_other_forms", 5, "wide forms are read, not written", five))
    cases.append(Value("integer_0_minus", 0, "-0 is the integer 0", {"json_also": ["-0"]}))
    return cases


def floats() -> list[Value]:
    number = {"typescript": "reads and writes the integer 1: JavaScript has one number type"}
    whole = {"typescript": "a float in JavaScript too, since it is no safe integer"}
    return [
        Value("float_1", 1.0, "K2: not the integer 1", {"languages": number}),
        Value("float_0", 0.0, "K2", {"languages": number}),
        Value("float_minus_0", -0.0, "K2", {"json_also": ["-0.0", "-0e0"]}),
        Value("float_half", 0.5, "K2", {"msgpack_also_hex": ["ca3f000000"]}),
        Value("float_tenth", 0.1),
        Value("float_third", 1 / 3),
        Value("float_largest", 1.7976931348623157e308),
        Value("float_smallest", 5e-324),
        Value("float_1e300", 1e300, "an exponent makes a float", {"languages": whole}),
        Value("float_2_60", 2.0**60, "", {"languages": whole}),
        Value("float_2_53", 2.0**53, "", {"languages": whole}),
        Value("float_small", 1e-7, "", {"json_also": ["1E-7", "0.0000001"]}),
        Value("float_nan", float("nan"), "K2: one NaN"),
        Value("float_infinity", float("inf"), "K2", {"msgpack_also_hex": ["ca7f800000"]}),
        Value("float_minus_infinity", float("-inf"), "K2"),
    ]


def strings() -> list[Value]:
    escapes = {"json_also": ['"\\ud83d\\ude00 \\u00e9"']}
    return [
        Value("string_empty", ""),
        Value("string_ascii", "hello"),
        Value("string_astral", "\U0001f600 \u00e9", "K6", escapes),
        Value("string_nfd", "e\u0301", "K6: not normalised"),
        Value("string_nul", "a\x00b", "K6"),
        Value("string_controls", '\b\f\n\r\t\x01\x1f\x7f"\\/\u2028\u2029'),
        Value(
            "string_31", "x" * 31, "longest short form", {"msgpack_also_hex": ["d91f" + "78" * 31]}
        ),
        Value("string_32", "x" * 32),
        Value("string_256", "x" * 256),
        Value("string_noncharacter", "\uffff\ufffe\U0010ffff"),
    ]


def scalars() -> list[Value]:
    fraction = {"json_also": ['{"$timestamp":"2026-11-23T21:54:00.500000000Z"}']}
    wide = {"msgpack_also_hex": ["d7ff0000000000000000", "c70cff000000000000000000000000"]}
    python = {"python": "datetime holds microseconds; perdure keeps the nanoseconds or refuses"}
    return [
        Value("timestamp_epoch", Timestamp(0), "32 bits", wide),
        Value("timestamp_half_second", Timestamp(1795470840, 500_000_000), "64 bits", fraction),
        Value("timestamp_nanosecond", Timestamp(1795470840, 1), "64 bits", {"languages": python}),
        Value("timestamp_32_bit_last", Timestamp(2**32 - 1), "32 bits"),
        Value("timestamp_64_bit_first", Timestamp(2**32), "64 bits"),
        Value("timestamp_64_bit_last", Timestamp(2**34 - 1, 999_999_999), "64 bits, year 2514"),
        Value("timestamp_96_bit", Timestamp(2**34), "96 bits"),
        Value("timestamp_before_epoch", Timestamp(-1, 250_000_000), "96 bits"),
        Value("timestamp_first", Timestamp(-62135596800), "year 1"),
        Value("timestamp_last", Timestamp(253402300799, 999_999_999), "year 9999"),
        Value("duration_zero", duration(0)),
        Value("duration_second_and_half", duration(1_500_000_000)),
        Value("duration_negative", duration(-1)),
        Value("duration_longest", duration(2**63 - 1), "beyond 2^53: text in JSON"),
        Value("duration_shortest", duration(-(2**63))),
        Value("decimal", decimal("12.50"), "K5: the text is kept"),
        Value("decimal_large", decimal("-123456789012345678901234567890.000000001"), "K5"),
        Value("decimal_exponent", decimal("1E+400"), "K5"),
        Value("decimal_16_bytes", decimal("1234567890.12345"), "fixed extension form"),
        Value("decimal_nan", decimal("NaN")),
        Value("decimal_minus_infinity", decimal("-Infinity")),
        Value(
            "uuid",
            uuid_value("019abcde-f012-7345-8678-9abcdef01234"),
            "",
            {"json_also": ['{"$uuid":"019ABCDE-F012-7345-8678-9ABCDEF01234"}']},
        ),
        Value("uuid_nil", uuid_value("00000000-0000-0000-0000-000000000000")),
    ]


def containers() -> list[Value]:
    deep: Any = 1
    for _ in range(128):
        deep = [deep]
    deep_map: Any = None
    for _ in range(128):
        deep_map = {"k": deep_map}
    record = {"id": 2**60, "name": "caf\u00e9", "unknown": {"kept": [None, b"\x00", -0.0]}}
    return [
        Value("list_empty", [], "", {"json_also": [" [ ] "]}),
        Value("list_mixed", [None, True, 1, 1.5, "a", b"b", [2], {"c": 3}]),
        Value("list_16", list(range(16)), "16-bit length form"),
        Value("map_empty", {}),
        Value("map_null", {"a": None}, "K4: null is not a missing key"),
        Value("map_order", {"b": 1, "a": 2, "": 3}, "order is kept where the language can"),
        Value("map_16", {f"k{number:02d}": number for number in range(16)}, "16-bit length form"),
        Value("map_dollar", {"$int": "5"}, "a user's key, escaped in JSON"),
        Value("map_dollars", {"$": 1, "$$": 2, "$$bytes": 3, "a$": 4}, "one more $ each"),
        Value("map_prototype", {"__proto__": 1, "constructor": 2}, "ordinary keys"),
        Value("record_unknown_fields", record, "K9: unread fields pass through"),
        Value("deep_list_128", deep, "K11: the deepest that is allowed"),
        Value("deep_map_128", deep_map, "K11: the deepest that is allowed"),
    ]
