"""The service that every language hosts, as workflows see it, and the workflow that calls it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from perdure import activity, workflow
from perdure.activity import ActivityCancellationType
from perdure.errors import ApplicationError, EncodeError
from perdure.retry import RetryPolicy
from perdure.workflow import ActivityHandle

__all__ = [
    "WORKFLOWS",
    "CancelWhenTold",
    "CardDeclined",
    "call",
    "call_and_cancel",
    "catch_declared",
    "echo_bytes",
    "encode_in_workflow",
    "gather",
    "nested",
]

conformance = activity.service("conformance")


class CardDeclined(ApplicationError):
    """An error that the service declares."""

    limit: int


@conformance.activity(name="raise_error", errors=[CardDeclined])
async def raise_error(
    type: str, message: str, retryable: bool, details: list[Any], retry_after_ms: int | None
) -> Any: ...


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """Options of an activity from what a test sends; times in milliseconds."""
    timeouts = {
        name.removesuffix("_ms"): timedelta(milliseconds=value)
        for name, value in given.items()
        if name.endswith("_timeout_ms")
    }
    policy = RetryPolicy(
        initial_interval=timedelta(milliseconds=given.get("initial_interval_ms", 20)),
        maximum_attempts=given.get("maximum_attempts", 0),
    )
    return {**timeouts, "retry_policy": policy, "headers": given.get("headers")}


@workflow.defn
async def call(name: str, arguments: list[Any], options: dict[str, Any]) -> Any:
    """Calls one activity of the service."""
    return await workflow.execute_activity(
        name, *arguments, service=conformance.name, **_options(options)
    )


@workflow.defn
async def catch_declared(message: str, details: list[Any]) -> dict[str, Any]:
    """Catches an error of the service by its own class."""
    try:
        await raise_error("CardDeclined", message, False, details, None)
    except CardDeclined as error:
        return {"message": error.message, "limit": error.limit, "type": error.type}
    return {}


@workflow.defn
async def gather(name: str, arguments: list[list[Any]]) -> list[Any]:
    """Calls one activity with each list of arguments, all at once."""
    calls = (workflow.execute_activity(name, *each, service=conformance.name) for each in arguments)
    return list(await asyncio.gather(*calls))


@workflow.defn
async def call_and_cancel(name: str, argument: Any, after_ms: int) -> str:
    """Calls an activity, cancels it after a while, and waits for what it makes of that."""
    handle: ActivityHandle[Any] = workflow.start_activity(
        name,
        argument,
        service=conformance.name,
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        retry_policy=RetryPolicy(maximum_attempts=1),
    )
    await asyncio.sleep(after_ms / 1000)
    handle.cancel()
    try:
        return f"result {await handle}"
    except asyncio.CancelledError:
        return "cancelled"


@workflow.defn
class CancelWhenTold:
    """Calls `watch`, and cancels it by a signal."""

    def __init__(self) -> None:
        self.told = False

    @workflow.run
    async def run(self, kind: str, file: str, name: str, milliseconds: int) -> str:
        handle: ActivityHandle[Any] = workflow.start_activity(
            "watch",
            *(file, name, milliseconds),
            service=conformance.name,
            cancellation_type=ActivityCancellationType[kind],
        )
        await workflow.wait_condition(lambda: self.told)
        handle.cancel()
        try:
            return f"the value {await handle}"
        except asyncio.CancelledError:
            return "cancelled at once"

    @workflow.signal
    def cancel_now(self) -> None:
        self.told = True


@workflow.defn
async def echo_bytes(size: int) -> int:
    """Sends so many bytes to the service and takes them back; only their number is returned."""
    sent = b"\x07" * size
    returned = await workflow.execute_activity("echo", sent, service=conformance.name)
    return len(returned) if returned == sent else -1


def nested(levels: int) -> list[Any]:
    """So many lists inside one another."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@workflow.defn
async def encode_in_workflow(which: str) -> str:
    """Refused before anything is scheduled, with the path to the value."""
    refused: dict[str, Any] = {
        "object": {"items": [1, object()]},
        "integer": {"items": [0, 2**64]},
        "integer_negative": {"items": [0, -(2**63) - 1]},
        "integer_huge": {"items": [0, 10**40]},
        "key": {"items": [{1: "one"}]},
        "key_twice": {"items": [{"1": "text", 1: "number"}]},
        "key_none": {"items": [{None: "none"}]},
        "surrogate": {"name": "\ud800"},
        "deep": nested(1_000),
        "deeper": nested(10_000),
    }
    try:
        await workflow.execute_activity("echo", refused[which], service="conformance")
    except EncodeError as error:
        return error.path
    return "nothing was refused"


WORKFLOWS = (
    *(call, catch_declared, gather, call_and_cancel),
    *(CancelWhenTold, echo_bytes, encode_in_workflow),
)
"""What a worker of these tests hosts."""
