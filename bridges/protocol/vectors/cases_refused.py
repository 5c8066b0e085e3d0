"""Bytes that every reader refuses, with the reason and the path."""

from typing import Any


def refused_cases() -> list[dict[str, Any]]:
    return [*json_scalars(), *json_documents(), *msgpack_scalars(), *msgpack_documents()]


def in_json(name: str, text: str, reason: str, path: str, **more: Any) -> dict[str, Any]:
    entry = {"name": name, "encoding": "json", "text": text, "reason": reason, "path": path}
    return entry | more


def in_msgpack(name: str, hexadecimal: str, reason: str, path: str, **more: Any) -> dict[str, Any]:
    entry = {"name": name, "encoding": "msgpack", "hex": hexadecimal}
    return entry | {"reason": reason, "path": path} | more


def repeated(
    name: str, encoding: str, prefix: str, times: int, suffix: str, path: str
) -> dict[str, Any]:
    repeat = {"prefix": prefix, "times": times, "suffix": suffix}
    return {"name": name, "encoding": encoding, "repeat": repeat, "reason": "TooDeep", "path": path}


def json_scalars() -> list[dict[str, Any]]:
    number = {"typescript": "JSON.parse cannot see it: read as a float"}
    return [
        in_json("unsafe_integer", "9007199254740992", "UnsafeInteger", "$", languages=number),
        in_json(
            "unsafe_integer_nested",
            '{"items":[1,{"price":-9007199254740993}]}',
            "UnsafeInteger",
            "$.items[1].price",
            languages=number,
        ),
        in_json("integer_too_large", '{"$int":"18446744073709551616"}', "IntegerOutOfRange", "$"),
        in_json(
            "integer_too_small", '[{"$int":"-9223372036854775809"}]', "IntegerOutOfRange", "$[0]"
        ),
        in_json(
            "integer_10_40", '{"a b":{"$int":"1' + "0" * 40 + '"}}', "IntegerOutOfRange", '$["a b"]'
        ),
        in_json("int_no_digits", '{"$int":"five"}', "InvalidScalar", "$"),
        in_json("int_number", '{"$int":5}', "InvalidScalar", "$"),
        in_json("bytes_url_alphabet", '{"$bytes":"-_8="}', "InvalidScalar", "$"),
        in_json("bytes_unpadded", '{"$bytes":"AA"}', "InvalidScalar", "$"),
        in_json("float_word", '{"$float":"nan"}', "InvalidScalar", "$"),
        in_json(
            "timestamp_offset", '{"$timestamp":"2026-11-23T21:54:00+01:00"}', "InvalidScalar", "$"
        ),
        in_json("timestamp_day", '{"$timestamp":"2026-02-30T00:00:00Z"}', "InvalidScalar", "$"),
        in_json("timestamp_leap", '{"$timestamp":"2016-12-31T23:59:60Z"}', "InvalidScalar", "$"),
        in_json(
            "timestamp_ten_digits",
            '{"$timestamp":"2026-11-23T21:54:00.0123456789Z"}',
            "InvalidScalar",
            "$",
        ),
        in_json("duration_text", '{"$duration":"1s"}', "InvalidScalar", "$"),
        in_json("duration_range", '{"$duration":"9223372036854775808"}', "InvalidScalar", "$"),
        in_json("decimal_text", '{"$decimal":"1,5"}', "InvalidScalar", "$"),
        in_json("decimal_empty", '{"$decimal":""}', "InvalidScalar", "$"),
        in_json("uuid_short", '{"$uuid":"019abcde"}', "InvalidScalar", "$"),
    ]


def json_documents() -> list[dict[str, Any]]:
    duplicate = {"typescript": "JSON.parse keeps the last one"}
    return [
        in_json("unknown_tag", '{"$regex":"a"}', "UnknownTag", "$"),
        in_json("tag_beside_key", '{"a":[{"$int":"5","b":1}]}', "UnknownTag", "$.a[0]"),
        in_json("key_before_tag", '{"b":1,"$int":"5"}', "UnknownTag", "$"),
        in_json("dollar_alone", '{"$":1}', "UnknownTag", "$"),
        in_json("duplicate_key", '{"x":{"a":1,"a":2}}', "DuplicateKey", "$.x", languages=duplicate),
        in_json(
            "duplicate_escaped_key", '{"a":1,"\\u0061":2}', "DuplicateKey", "$", languages=duplicate
        ),
        in_json("lone_surrogate", '["ok","\\ud800"]', "InvalidUnicode", "$[1]"),
        in_json("lone_low_surrogate", '"\\udc00x"', "InvalidUnicode", "$"),
        in_json("swapped_surrogates", '"\\ude00\\ud83d"', "InvalidUnicode", "$"),
        in_json("surrogate_key", '{"\\ud800":1}', "InvalidUnicode", "$"),
        {
            "name": "bytes_not_utf8",
            "encoding": "json",
            "hex": "22ff22",
            "reason": "InvalidUnicode",
            "path": "$",
        },
        in_json("cut_short", '{"a":[1,', "Malformed", "$.a[1]"),
        in_json("bytes_after", "1 2", "Malformed", "$"),
        in_json("empty", "", "Malformed", "$"),
        in_json("bare_nan", "[NaN]", "Malformed", "$[0]"),
        in_json("leading_zero", "01", "Malformed", "$"),
        in_json("trailing_comma", "[1,]", "Malformed", "$[1]"),
        in_json("raw_control", '"a\nb"', "Malformed", "$"),
        in_json("bare_key", "{a:1}", "Malformed", "$"),
        repeated("deep_list_129", "json", "[", 129, "1" + "]" * 129, "$" + "[0]" * 128),
        repeated("deep_list_10000", "json", "[", 10000, "", "$" + "[0]" * 128),
        repeated("deep_map_129", "json", '{"k":', 129, "1" + "}" * 129, "$" + ".k" * 128),
    ]


def msgpack_scalars() -> list[dict[str, Any]]:
    return [
        in_msgpack("extension_unknown", "91d40700", "UnknownExtension", "$[0]"),
        in_msgpack("extension_negative", "d4fe00", "UnknownExtension", "$"),
        in_msgpack("timestamp_length", "d5ff0000", "InvalidScalar", "$"),
        in_msgpack(
            "timestamp_nanoseconds",
            "d7ffee6b280000000000",
            "InvalidScalar",
            "$",
            note="10^9 nanoseconds",
        ),
        in_msgpack(
            "timestamp_year_10000", "c70cff" + "00000000" + "0000003afff44180", "InvalidScalar", "$"
        ),
        in_msgpack("duration_length", "d60100000000", "InvalidScalar", "$"),
        in_msgpack("decimal_text", "c70302312c35", "InvalidScalar", "$", note="1,5"),
        in_msgpack("uuid_length", "d7030000000000000000", "InvalidScalar", "$"),
        in_msgpack("string_not_utf8", "a2c328", "InvalidUnicode", "$"),
        in_msgpack(
            "string_surrogate",
            "81a161a3eda080",
            "InvalidUnicode",
            "$.a",
            note="a surrogate in UTF-8 form",
        ),
        in_msgpack("string_overlong", "a2c080", "InvalidUnicode", "$"),
    ]


def msgpack_documents() -> list[dict[str, Any]]:
    return [
        in_msgpack(
            "key_integer", "81a16d820102a13102", "KeyNotString", "$.m", note="K7: {1:…,'1':…}"
        ),
        in_msgpack("key_null", "81c001", "KeyNotString", "$"),
        in_msgpack("key_bytes", "81c4016101", "KeyNotString", "$"),
        in_msgpack("duplicate_key", "9182a16101a16102", "DuplicateKey", "$[0]"),
        in_msgpack("never_used_byte", "91c1", "Malformed", "$[0]"),
        in_msgpack("cut_short", "92a161", "Malformed", "$[1]"),
        in_msgpack("cut_in_string", "a568656c", "Malformed", "$"),
        in_msgpack(
            "length_lies",
            "ddffffffff",
            "Malformed",
            "$[0]",
            note="4 billion items promised: nothing may be reserved for them",
        ),
        in_msgpack("string_length_lies", "dbffffffff61", "Malformed", "$"),
        in_msgpack("bytes_after", "c0c0", "Malformed", "$"),
        in_msgpack("empty", "", "Malformed", "$"),
        repeated("deep_list_129", "msgpack", "91", 129, "01", "$" + "[0]" * 128),
        repeated("deep_list_100000", "msgpack", "91", 100000, "", "$" + "[0]" * 128),
        repeated("deep_map_129", "msgpack", "81a16b", 129, "01", "$" + ".k" * 128),
    ]
