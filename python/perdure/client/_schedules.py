"""Schedules, as a client sees them. Each is a run of a workflow of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING

from perdure.errors import (
    NotFoundError,
    RunClosedError,
    ScheduleAlreadyRunningError,
    WorkflowAlreadyStartedError,
)
from perdure.schedule import (
    Schedule,
    ScheduleBackfill,
    ScheduleDescription,
    ScheduleOverlapPolicy,
)
from perdure.schedule._workflow import SCHEDULE_TYPE, SYSTEM_TASK_QUEUE, ScheduleWorkflow

if TYPE_CHECKING:
    from perdure.client._client import Client
    from perdure.client._handle import WorkflowHandle

__all__ = ["ScheduleHandle", "create_schedule", "list_schedules"]

_PREFIX = "perdure.schedule:"


class ScheduleHandle:
    """A schedule to look at, pause, trigger, change or delete."""

    def __init__(self, client: Client, id: str) -> None:
        self.id = id
        self._client = client

    async def describe(self) -> ScheduleDescription:
        """How it stands.

        Raises:
            NotFoundError: There is no such schedule.
            NoWorkerError: No worker runs: only a live one can tell.
        """
        run = await self._run()
        described: ScheduleDescription = await run.query(
            "describe", result_type=ScheduleDescription
        )
        return described

    async def pause(self, note: str = "") -> None:
        """Passes over all times from now on; runs that are open go on.

        Args:
            note: Why, for people; empty by default.

        Raises:
            NotFoundError: There is no such schedule.
        """
        await self._tell("pause", note)

    async def unpause(self, note: str = "") -> None:
        """Acts again, from now on.

        Args:
            note: Why, for people; empty by default.

        Raises:
            NotFoundError: There is no such schedule.
        """
        await self._tell("unpause", note)

    async def trigger(self, *, overlap: ScheduleOverlapPolicy | None = None) -> None:
        """Acts now, paused or not.

        Args:
            overlap: What happens while a run is open; the schedule's own policy by default.

        Raises:
            NotFoundError: There is no such schedule.
        """
        await self._tell("trigger", overlap)

    async def backfill(
        self,
        start_at: datetime,
        end_at: datetime,
        *,
        overlap: ScheduleOverlapPolicy | None = None,
    ) -> None:
        """Acts now for the times of a past span, both ends included.

        Args:
            start_at: The first instant, with a time zone.
            end_at: The last instant, with a time zone.
            overlap: What happens while a run is open; the schedule's own policy by default, which
                lets `SKIP` pass over all but the first.

        Raises:
            NotFoundError: There is no such schedule.
        """
        await self._tell("backfill", ScheduleBackfill(start_at, end_at, overlap))

    async def update(self, schedule: Schedule) -> None:
        """Goes on with another specification, action, policy or state.

        Args:
            schedule: What it is to be from now on; times in the past are not made up for.

        Raises:
            NotFoundError: There is no such schedule.
        """
        await self._tell("update", schedule)

    async def delete(self) -> None:
        """Ends the schedule; runs that it has started go on.

        Raises:
            NotFoundError: There is no such schedule.
        """
        run = await self._run()
        try:
            await run.terminate("the schedule was deleted")
        except RunClosedError as error:
            raise self._missing() from error

    async def _tell(self, signal: str, value: object) -> None:
        run = await self._run()
        try:
            await run.signal(signal, value)
        except RunClosedError as error:
            raise self._missing() from error

    async def _run(self) -> WorkflowHandle[None]:
        async for run in self._client.list_workflows(workflow_id=_PREFIX + self.id):
            # What is sent to a run that was continued reaches the next one.
            if run.close_time is None or run.status == "continued_as_new":
                return await self._client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
            break
        raise self._missing()

    def _missing(self) -> NotFoundError:
        return NotFoundError(f"there is no schedule {self.id!r}")


async def create_schedule(
    client: Client, id: str, schedule: Schedule, *, trigger_immediately: bool
) -> ScheduleHandle:
    """See `Client.create_schedule`."""
    try:
        await client.start_workflow(
            ScheduleWorkflow.run, schedule, id=_PREFIX + id, task_queue=SYSTEM_TASK_QUEUE
        )
    except WorkflowAlreadyStartedError as error:
        raise ScheduleAlreadyRunningError(id) from error
    handle = ScheduleHandle(client, id)
    if trigger_immediately:
        await handle.trigger()
    return handle


async def list_schedules(client: Client) -> AsyncIterator[ScheduleHandle]:
    """See `Client.list_schedules`."""
    async for run in client.list_workflows("CloseTime IS NULL", workflow_type=SCHEDULE_TYPE):
        yield ScheduleHandle(client, run.workflow_id.removeprefix(_PREFIX))
