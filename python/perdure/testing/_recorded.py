"""The fields of a command as an exported history has it, under the names of observed commands."""

from __future__ import annotations

from typing import Any

from perdure.instance._noted import plain_value

__all__ = ["recorded_fields", "recorded_name"]

_FIELDS = (
    "name", "service", "arguments", "result", "command_n", "id", "workflow_type", "workflow_id",
    "cancellation_type", "target",
)  # fmt: skip


def recorded_name(command: dict[str, Any]) -> str:
    """What the command asks for, as the machine names it; empty for what has no name."""
    match command["kind"]:
        case "start_child":
            return str(command["workflow_type"])
        case "cancel_external":
            return str(command["target"]["workflow_id"])
        case _:
            return str(command.get("name", "") or command.get("id", ""))


def recorded_fields(command: dict[str, Any]) -> dict[str, Any]:
    """The fields, their payloads as plain values."""
    fields: dict[str, Any] = {field: command.get(field) for field in _FIELDS}
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
