"""What every engine serves besides its workers' queues: its store's schedules and deployments."""

from __future__ import annotations

import asyncio
import itertools
from datetime import datetime
from typing import TYPE_CHECKING

from perdure import activity
from perdure.deployment import DeploymentWorkflow
from perdure.errors import (
    NotFoundError,
    NoWorkerError,
    RunClosedError,
    WorkflowAlreadyStartedError,
    WorkflowFailureError,
    WorkflowParkedError,
)
from perdure.schedule import ScheduleActionStartWorkflow, ScheduleRun, ScheduleSpec
from perdure.schedule._spec import times_after
from perdure.schedule._workflow import (
    AWAIT_RUN,
    END_RUN,
    NEXT_TIMES,
    START_RUN,
    SYSTEM_TASK_QUEUE,
    ScheduleWorkflow,
)
from perdure.worker._queues import ServedQueue

if TYPE_CHECKING:
    from perdure.client._client import Client

__all__ = ["system_queue"]

_SLOTS = 1_000_000
"""Activities of schedules at once: each open run that a schedule has started is waited for."""

_PARKED_S = 10.0
"""How often a run that does not go on is looked at."""

SCHEDULE_HEADER = "perdure-schedule"
"""The header that names the schedule which started a run."""


def system_queue(client: Client) -> ServedQueue:
    """The task queue that schedules and deployments live on; what schedules start, they start
    through `client`.
    """

    @activity.defn(name=NEXT_TIMES)
    async def next_times(spec: ScheduleSpec, after: datetime, count: int) -> list[datetime]:
        return list(itertools.islice(times_after(spec, after), count))

    @activity.defn(name=START_RUN)
    async def start_run(
        action: ScheduleActionStartWorkflow, workflow_id: str, schedule_id: str
    ) -> str | None:
        try:
            handle = await client.start_workflow(
                action.workflow,
                *action.args,
                id=workflow_id,
                task_queue=action.task_queue,
                run_timeout=action.run_timeout,
                headers={**action.headers, SCHEDULE_HEADER: schedule_id},
                # The same over all attempts: a start whose answer was lost is not made twice.
                request_id=activity.info().idempotency_key,
            )
        except WorkflowAlreadyStartedError:
            return None
        return handle.run_id

    @activity.defn(name=AWAIT_RUN)
    async def await_run(run: ScheduleRun) -> str:
        handle = await client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        while True:
            try:
                await handle.result()
            except WorkflowFailureError as error:
                return error.status
            except (WorkflowParkedError, NoWorkerError):
                # It may wait for a deploy for weeks: no failed attempt for each look at it.
                await asyncio.sleep(_PARKED_S)
            except NotFoundError:
                # Closed so long ago that the store has let go of it.
                return ""
            else:
                return "completed"

    @activity.defn(name=END_RUN)
    async def end_run(run: ScheduleRun, terminate: bool) -> None:
        handle = await client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        try:
            if terminate:
                await handle.terminate("the schedule starts the next run")
            else:
                await handle.cancel("the schedule starts the next run")
        except (NotFoundError, RunClosedError):
            # It has ended by itself.
            return

    activities = [next_times, start_run, await_run, end_run]
    workflows = [ScheduleWorkflow, DeploymentWorkflow]
    return ServedQueue.of(SYSTEM_TASK_QUEUE, workflows, activities, (_SLOTS, None, 0))
