"""The JSON profile of the bridge protocol, written as plainly as possible."""

import base64
import json
import math
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgpack

SAFE = 2**53 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def duration(nanoseconds: int) -> msgpack.ExtType:
    return msgpack.ExtType(1, nanoseconds.to_bytes(8, "big", signed=True))


def decimal(text: str) -> msgpack.ExtType:
    return msgpack.ExtType(2, text.encode("ascii"))


def uuid_value(text: str) -> msgpack.ExtType:
    return msgpack.ExtType(3, uuid.UUID(text).bytes)


def to_json(value: Any) -> str:
    match value:
        case None | bool():
            return json.dumps(value)
        case msgpack.Timestamp():
            return tag("timestamp", timestamp_text(value))
        case msgpack.ExtType():
            return extension_json(value)
        case int():
            return str(value) if -SAFE <= value <= SAFE else tag("int", str(value))
        case float():
            return float_json(value)
        case str():
            return string_json(value)
        case bytes():
            return tag("bytes", base64.b64encode(value).decode())
        case list():
            return "[" + ",".join(to_json(item) for item in value) + "]"
        case dict():
            pairs = (f"{string_json(escaped(key))}:{to_json(item)}" for key, item in value.items())
            return "{" + ",".join(pairs) + "}"
        case _:
            raise TypeError(f"no kind for {type(value)}")


def tag(name: str, text: str) -> str:
    return '{"$' + name + '":' + string_json(text) + "}"


def escaped(key: str) -> str:
    return "$" + key if key.startswith("$") else key


def string_json(text: str) -> str:
    # ensure_ascii=False leaves U+007F and above as they are, as the protocol page asks.
    return json.dumps(text, ensure_ascii=False)


def extension_json(value: msgpack.ExtType) -> str:
    match value.code:
        case 1:
            return tag("duration", str(int.from_bytes(value.data, "big", signed=True)))
        case 2:
            return tag("decimal", value.data.decode("ascii"))
        case 3:
            return tag("uuid", str(uuid.UUID(bytes=value.data)))
        case code:
            raise TypeError(f"no kind for extension {code}")


def timestamp_text(value: msgpack.Timestamp) -> str:
    moment = EPOCH + timedelta(seconds=value.seconds)
    text = moment.strftime("%m-%dT%H:%M:%S")
    fraction = f".{value.nanoseconds:09d}".rstrip("0") if value.nanoseconds else ""
    return f"{moment.year:04d}-{text}{fraction}Z"


def float_json(value: float) -> str:
    if math.isnan(value):
        return tag("float", "NaN")
    if math.isinf(value):
        return tag("float", "Infinity" if value > 0 else "-Infinity")
    if value == 0 and math.copysign(1, value) < 0:
        return tag("float", "-0")
    return ecmascript(value)


def ecmascript(value: float) -> str:
    """ECMAScript's shortest form, with .0 where it would look like an integer."""
    if value == 0:
        return "0.0"
    sign = "-" if value < 0 else ""
    # repr gives the shortest digits; Decimal splits them without rounding again.
    _, digit_tuple, shift = Decimal(repr(abs(value))).as_tuple()
    digits = "".join(map(str, digit_tuple)).lstrip("0")
    exponent = len(digits) - 1 + int(shift)
    digits = digits.rstrip("0") or "0"
    if -7 < exponent < 21:
        return sign + positional(digits, exponent)
    tail = "." + digits[1:] if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{exponent:+d}"


def positional(digits: str, exponent: int) -> str:
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    return f"{whole}.{digits[exponent + 1 :] or '0'}"


def encoded_base64(value: Any, encoding: str) -> str:
    if encoding == "application/json":
        return base64.b64encode(to_json(value).encode()).decode()
    packed: bytes = msgpack.packb(value, use_bin_type=True, strict_types=True)
    return base64.b64encode(packed).decode()
