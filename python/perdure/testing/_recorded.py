"""The fields of a command as an exported history has it, under the names of observed commands."""

from __future__ import annotations

from typing import Any

from perdure.instance._observed import plain_value

__all__ = ["recorded_fields"]

_OPTION_FIELDS = ("name", "service", "arguments", "result", "command_n", "id")


def recorded_fields(command: dict[str, Any]) -> dict[str, Any]:
    """The fields, their payloads as plain values."""
    fields: dict[str, Any] = {field: command.get(field) for field in _OPTION_FIELDS}
    for field in ("arguments", "result"):
        fields[field] = _payload(fields[field])
    failure = command.get("failure")
    if failure:
        sort = failure["kind"]
        fields["message"] = failure["message"]
        fields["type"] = sort.get("type_name") or sort.get("activity") or sort["sort"]
    return fields


def _payload(exported: Any) -> Any:
    match exported:
        case {"value": value}:
            return value
        case {"hex": str(digits)}:
            return plain_value(bytes.fromhex(digits))
        case _:
            return exported
