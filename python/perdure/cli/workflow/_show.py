"""`perdure workflow show`: a run's history, a line a record."""

from __future__ import annotations

import argparse
import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from perdure.cli._exit import ExitCode
from perdure.cli._options import Commands, add_command, add_run, connect, find_run
from perdure.cli._output import print_json, print_table, size_text
from perdure.client._stored import StoredSize, stored_size
from perdure.converter import encoding_of

__all__ = ["add"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HIDDEN = {
    "version",
    "kind",
    "digest",
    "site",
    "seed",
    "origin",
    "message_id",
    "namespace",
    "task_queue",
}
_COLORS = {"→": "cyan", "·": "dim"}
_LARGE_LETTERS = 16 * 1_024
"""A value whose JSON is as long is not shown, but how long it is."""


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "show",
        "show a run's history",
        execute,
        text="\nA dot marks what happened, an arrow what the workflow asked for.",
    )
    add_run(parser)


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    handle = await find_run(options)
    records = [json.loads(line) for line in (await handle.fetch_history(decoded=True)).splitlines()]
    if options.output == "json":
        print_json(records)
        return ExitCode.OK
    rows = [_row(record) for record in records if "n" in record]
    print_table(("", "n", "time", "what", "details"), rows, colors=_COLORS)
    path = (await connect(options)).path
    size = await asyncio.to_thread(stored_size, path, handle.run_id)
    if size is not None and size.large_values:
        print(f"\n{_size_text(size)}")
    return ExitCode.OK


def _size_text(size: StoredSize) -> str:
    return (
        f"{size_text(size.history_bytes)} of history, stored in {size_text(size.stored_bytes)}: "
        f"{size.large_values:,} large values lie in {size.chunks:,} chunks"
    )


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    at = _EPOCH + timedelta(microseconds=record["at_us"])
    body: dict[str, Any] = record.get("event") or record.get("command") or {}
    return (
        "·" if "event" in record else "→",
        str(record["n"]),
        f"{at:%H:%M:%S}.{at.microsecond // 1_000:03}",
        str(body.get("kind", "?")).replace("_", " "),
        _details(body),
    )


def _details(body: dict[str, Any]) -> str:
    parts: list[str] = []
    for key, value in body.items():
        if key in _HIDDEN or value in (None, "", [], {}):
            continue
        match key:
            case "name" | "workflow_type":
                parts.insert(0, str(value))
            case "command_n":
                parts.append(f"of {value}")
            case "failure":
                parts.append(str(value.get("message", value)))
            case _ if key.endswith("_at_us"):
                at = _EPOCH + timedelta(microseconds=value)
                parts.append(f"{key.removesuffix('_us').replace('_', ' ')} {at:%H:%M:%S}")
            case _:
                parts.append(f"{key} {_short(value)}")
    return ", ".join(parts)


def _short(value: Any) -> str:
    if isinstance(value, dict):
        payload = cast("dict[str, Any]", value)
        value = payload["value"] if set(payload) == {"value"} else payload
        encoding = encoding_of(payload)
        if encoding is not None:
            return f"(encoded with {encoding})"
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) < _LARGE_LETTERS else f"({size_text(len(text.encode()))})"
