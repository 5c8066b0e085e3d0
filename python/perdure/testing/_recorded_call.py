"""The call that a record of a history came from, as it would stand in code."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from perdure.testing._recorded import recorded_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["called_names", "recorded_call"]

_VERBS_OF_CHILDREN = {"execute_child_workflow", "start_child_workflow"}


def recorded_call(record: dict[str, Any], function: ast.AST, line: str) -> str | None:
    """The call; None for what is no call, or whose form a history does not tell.

    Args:
        record: The record, as exported.
        function: The function of today's code that the call would stand in.
        line: The line that made the call; empty where it is no longer known.
    """
    command: dict[str, Any] = record.get("command") or {}
    match command.get("kind"):
        case "schedule_activity":
            return _activity_call(command)
        case "start_timer":
            seconds = (command["fire_at_us"] - record["at_us"]) / 1e6
            return f"await workflow.sleep({seconds:g})"
        case "start_child":
            return _child_call(record["n"], command, line)
        case "signal_external":
            sent = _listed([command["name"], *_arguments(command)])
            return f"await {_target(command, function)}.signal({sent})"
        case "cancel_external":
            reason = command.get("reason")
            given = f"reason={reason!r}" if reason else ""
            return f"await {_target(command, function)}.cancel({given})"
        case _:
            return None


def called_names(call: ast.Call) -> set[str]:
    """What a history may call that which this call asks for."""
    verb = ast.unparse(call.func).rpartition(".")[2]
    if verb not in _VERBS_OF_CHILDREN | {"signal"} or not call.args:
        return {verb}
    match call.args[0]:
        case ast.Constant(value=str(name)):
            return {name}
        case what:
            parts = ast.unparse(what).split(".")
            # A child is named by its class or function, a signal by its method.
            return set(parts) if verb in _VERBS_OF_CHILDREN else set(parts[-1:])


def _activity_call(command: dict[str, Any]) -> str:
    fields = recorded_fields(command)
    arguments = _arguments(command)
    name, service = fields["name"], fields["service"]
    called = name if service is None else f"{service}.{name}"
    if all(part.isidentifier() for part in called.split(".")):
        return f"await {called}({_listed(arguments)})"
    shown = f", args={list(arguments)!r}" if arguments else ""
    return f"await workflow.execute_activity({name!r}{shown})"


def _child_call(n: int, command: dict[str, Any], line: str) -> str:
    verb = next((verb for verb in _VERBS_OF_CHILDREN if verb in line), "execute_child_workflow")
    given = [_listed([command["workflow_type"], *_arguments(command)])]
    workflow_id: str = command["workflow_id"]
    # What was not named is called after its parent's run and the number of its command.
    if not workflow_id.endswith(f".{n}"):
        given.append(f"id={workflow_id!r}")
    return f"await workflow.{verb}({', '.join(given)})"


def _target(command: dict[str, Any], function: ast.AST) -> str:
    """The handle of the run that a message goes to."""
    target: dict[str, Any] = command["target"]
    if target.get("child_n") is not None:
        handles = _handles_of_children(function)
        return handles[0] if len(handles) == 1 else "child"
    run = target.get("run")
    which = f", run_id={run!r}" if run else ""
    return f"workflow.get_external_workflow_handle({target['workflow_id']!r}{which})"


def _handles_of_children(function: ast.AST) -> list[str]:
    """The names that the function gives to the handles of its children."""
    return [
        ast.unparse(target)
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Await)
        and isinstance(node.value.value, ast.Call)
        and ast.unparse(node.value.value.func).endswith("start_child_workflow")
        for target in node.targets
    ]


def _arguments(command: dict[str, Any]) -> Sequence[Any]:
    return recorded_fields(command)["arguments"] or []


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(map(repr, values))
