"""The start of a run, through the client's interceptors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from perdure._core import encode
from perdure._interceptor import StartWorkflowCall, around

if TYPE_CHECKING:
    from perdure._interceptor import Interceptor
    from perdure.client._answer import Answer

__all__ = ["start"]


async def start(
    interceptors: Sequence[Interceptor],
    fields: dict[str, Any],
    arguments: tuple[Any, ...],
    send: Callable[[dict[str, Any]], Awaitable[Answer]],
) -> tuple[str, str]:
    """Sends a start, as the interceptors leave it; gives its workflow id and the run id."""
    workflow_id = fields["workflow_id"]

    async def proceed(call: StartWorkflowCall) -> str:
        nonlocal workflow_id
        workflow_id = call.workflow_id
        sent = {
            **fields,
            "workflow_type": call.workflow_type,
            "workflow_id": call.workflow_id,
            "task_queue": call.task_queue,
            "headers": list(call.headers.items()),
        }
        if call.arguments is not arguments:
            sent["arguments"] = encode(list(call.arguments))
        answer = await send(sent)
        return answer.expect("started", workflow_id=call.workflow_id).run_id

    call = StartWorkflowCall(
        workflow_type=fields["workflow_type"],
        workflow_id=fields["workflow_id"],
        task_queue=fields["task_queue"],
        arguments=arguments,
        headers=dict(fields["headers"]),
    )
    run_id = await around(interceptors, "start_workflow", proceed)(call)
    return workflow_id, run_id
