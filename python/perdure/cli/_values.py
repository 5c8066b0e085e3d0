"""Payloads as JSON and back: the JSON profile of the bridge protocol, section 2.

What JSON cannot say is an object with one key, such as `{"$bytes": "…"}`, so that a result can be
given to another command as its input.
"""

from __future__ import annotations

import base64
import json
import math
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, cast

from perdure.cli._exit import CommandError

__all__ = ["json_text", "read_input", "to_json"]

_SAFE_INTEGER = 2**53 - 1


def to_json(value: Any) -> Any:
    """A payload's value as values that `json` can write."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if abs(value) <= _SAFE_INTEGER else {"$int": str(value)}
        case float():
            return value if math.isfinite(value) else {"$float": _float_name(value)}
        case bytes():
            return {"$bytes": base64.b64encode(value).decode()}
        case datetime():
            text = value.astimezone(UTC).replace(tzinfo=None).isoformat()
            return {"$timestamp": f"{text}Z"}
        case timedelta():
            return {"$duration": str(value // timedelta(microseconds=1) * 1_000)}
        case Decimal():
            return {"$decimal": str(value)}
        case uuid.UUID():
            return {"$uuid": str(value)}
        case dict():
            items = cast("dict[str, Any]", value).items()
            return {f"${key}" if key.startswith("$") else key: to_json(item) for key, item in items}
        case list() | tuple():
            return [to_json(item) for item in cast("Sequence[Any]", value)]
        case _:
            return str(value)


def _float_name(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def json_text(value: Any, *, indent: int | None = 2) -> str:
    """The value of a payload as JSON text."""
    return json.dumps(to_json(value), indent=indent, ensure_ascii=False)


def read_input(text: str) -> Any:
    """The value of an `--input`: JSON text, or `@` and a file that holds it.

    Raises:
        CommandError: No JSON, or no such file.
    """
    if text.startswith("@"):
        path = Path(text[1:])
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"--input @{path}: {error}") from error
    try:
        return _untagged(json.loads(text, parse_constant=_refuse_constant))
    except ValueError as error:
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        raise CommandError(
            f"--input {shown!r} is no JSON ({error}): a text is written as '\"text\"'"
        ) from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f'write {{"$float": "{name}"}} for {name}')


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(item) for item in cast("Sequence[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    if len(fields) == 1:
        ((key, content),) = fields.items()
        read = _TAGS.get(key)
        if read is not None:
            try:
                return read(content)
            except (ValueError, TypeError, AttributeError, InvalidOperation) as error:
                raise ValueError(f"{content!r} is no {key[1:]}") from error
    for key in fields:
        if key.startswith("$") and not key.startswith("$$"):
            raise ValueError(f"{key!r}: write ${key} for a key that begins with $")
    return {key.removeprefix("$"): _untagged(item) for key, item in fields.items()}


_TAGS: dict[str, Callable[[Any], Any]] = {
    "$int": int,
    "$float": float,
    "$bytes": lambda text: base64.b64decode(text, validate=True),
    "$timestamp": datetime.fromisoformat,
    "$duration": lambda text: timedelta(microseconds=int(text) / 1_000),
    "$decimal": Decimal,
    "$uuid": uuid.UUID,
}
