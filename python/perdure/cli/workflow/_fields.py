"""A run's description as JSON fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.cli._values import to_json

if TYPE_CHECKING:
    from perdure.client import WorkflowDescription

__all__ = ["description_fields"]


def description_fields(run: WorkflowDescription) -> dict[str, Any]:
    """The fields under the names of the Python API; times as RFC 3339."""

    def time(value: Any) -> str | None:
        return None if value is None else to_json(value)["$timestamp"]

    return {
        "workflow_id": run.workflow_id,
        "run_id": run.run_id,
        "workflow_type": run.workflow_type,
        "namespace": run.namespace,
        "task_queue": run.task_queue,
        "status": run.status,
        "start_time": time(run.start_time),
        "close_time": time(run.close_time),
        "history_length": run.history_length,
        "park_reason": run.park_reason,
        "park_traceback": run.park_traceback,
        "pause_reason": run.pause_reason,
        "search_attributes": {
            name: to_json(value) for name, value in run.search_attributes.items()
        },
        "memo": {key: to_json(value) for key, value in run.memo.items()},
    }
