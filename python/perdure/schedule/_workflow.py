"""The workflow that a schedule is: durable like any other, and served by every worker."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from perdure import workflow
from perdure.schedule._schedule import (
    Schedule,
    ScheduleBackfill,
    ScheduleDescription,
    ScheduleOverlapPolicy,
    ScheduleRun,
    ScheduleState,
)
from perdure.schedule._spec import ScheduleSpec

__all__ = [
    "AWAIT_RUN",
    "END_RUN",
    "NEXT_TIMES",
    "SCHEDULE_TYPE",
    "START_RUN",
    "SYSTEM_TASK_QUEUE",
    "ScheduleWorkflow",
]

SYSTEM_TASK_QUEUE = "perdure.system"
"""The task queue of schedules: each engine serves it, whatever its workers serve besides."""

SCHEDULE_TYPE = "perdure.schedule"
NEXT_TIMES = "perdure.schedule.next_times"
START_RUN = "perdure.schedule.start_run"
AWAIT_RUN = "perdure.schedule.await_run"
END_RUN = "perdure.schedule.end_run"

_AHEAD = 8
"""How many times are worked out at once. They are an activity's result: what a later version of the
time-zone database says must not change what is recorded."""
_RECENT = 10
_FAILURES = ("failed", "timed_out", "terminated")


@dataclass
class ScheduleCounts:
    """What a schedule has done."""

    actions: int = 0
    """Runs started."""
    skipped: int = 0
    """Times passed over."""
    missed: int = 0
    """Times that came too late."""


@dataclass(frozen=True, slots=True)
class ScheduleProgress:
    """Where a schedule goes on whose history had become long."""

    passed: datetime
    """Times up to this one are over."""
    counts: ScheduleCounts
    """What it has done."""
    running: list[ScheduleRun]
    """Open runs."""
    waiting: list[datetime]
    """Times whose starts wait."""
    recent: list[ScheduleRun]
    """The last runs."""


@workflow.defn(name=SCHEDULE_TYPE)
class ScheduleWorkflow:
    """Waits for one time after the other, and starts runs."""

    def __init__(self) -> None:
        self.schedule: Schedule
        self.upcoming: list[tuple[datetime, datetime]] = []
        """Times and when they are due, jitter included."""
        self.changed = False
        """Whether the upcoming times are to be worked out anew."""
        self.running: dict[str, ScheduleRun] = {}
        """Starts under way and open runs, by workflow id."""
        self.waiting: deque[datetime] = deque()
        """Times whose starts wait for the end of open runs."""
        self.recent: deque[ScheduleRun] = deque(maxlen=_RECENT)
        self.counts = ScheduleCounts()
        self.tasks: set[asyncio.Task[None]] = set()

    @workflow.run
    async def run(self, schedule: Schedule, progress: ScheduleProgress | None = None) -> None:
        """Acts for ever: a schedule that has nothing left to do can still be updated."""
        self.schedule = schedule
        passed = workflow.now()
        if progress is not None:
            passed = progress.passed
            self._resume(progress)
        while True:
            if workflow.info().is_continue_as_new_suggested():
                await self._continue_when_possible(passed)
            self.changed = False
            times = await _next_times(self.schedule.spec, passed) if self._acts else []
            self.upcoming = [(time, time + self._jitter()) for time in times]
            if not times:
                await workflow.wait_condition(lambda: self.changed)
            while self.upcoming and not self.changed and self._acts:
                time, due = self.upcoming[0]
                if await self._waited_until(due):
                    passed = time
                    del self.upcoming[0]
                    self._act_in_time(time, due)
            if self.changed:
                # What is in the past stays there, whatever the new specification says of it.
                passed = max(passed, workflow.now())

    def _resume(self, progress: ScheduleProgress) -> None:
        self.counts = progress.counts
        self.waiting.extend(progress.waiting)
        self.recent.extend(progress.recent)
        for run in progress.running:
            self.running[run.workflow_id] = run
            self._spawn(self._follow_to_its_end(run.workflow_id, run))

    async def _continue_when_possible(self, passed: datetime) -> None:
        """Goes on with an empty history, once no start and no backfill is under way."""
        await workflow.wait_condition(
            lambda: (
                all(run.run_id for run in self.running.values())
                and workflow.all_handlers_finished()
            )
        )
        progress = ScheduleProgress(
            passed,
            self.counts,
            list(self.running.values()),
            list(self.waiting),
            list(self.recent),
        )
        workflow.continue_as_new(self.schedule, progress)

    @property
    def _acts(self) -> bool:
        state = self.schedule.state
        return not state.paused and state.remaining_actions != 0

    async def _waited_until(self, due: datetime) -> bool:
        """Waits for an instant; False when the schedule has changed before it."""
        left = due - workflow.now()
        if left <= timedelta(0):
            return True
        with contextlib.suppress(asyncio.TimeoutError):
            await workflow.wait_condition(lambda: self.changed, timeout=left)
        return not self.changed

    def _jitter(self) -> timedelta:
        return self.schedule.spec.jitter * workflow.random("jitter").random()

    def _act_in_time(self, time: datetime, due: datetime) -> None:
        state = self.schedule.state
        if workflow.now() - due > self.schedule.policy.catchup_window:
            self.counts.missed += 1
            return
        if state.remaining_actions is not None:
            self._set_state(replace(state, remaining_actions=state.remaining_actions - 1))
        self._act(time, None)

    def _act(self, time: datetime, overlap: ScheduleOverlapPolicy | None) -> None:
        """Starts the run of a time, or does what the overlap policy says."""
        policy = overlap or self.schedule.policy.overlap
        if not self.running or policy is ScheduleOverlapPolicy.ALLOW_ALL:
            self._start(time)
            return
        match policy:
            case ScheduleOverlapPolicy.SKIP:
                self.counts.skipped += 1
            case ScheduleOverlapPolicy.BUFFER_ONE if self.waiting:
                self.counts.skipped += 1
            case ScheduleOverlapPolicy.BUFFER_ONE | ScheduleOverlapPolicy.BUFFER_ALL:
                self.waiting.append(time)
            case _:
                self.counts.skipped += len(self.waiting)
                self.waiting = deque([time])
                terminate = policy is ScheduleOverlapPolicy.TERMINATE_OTHER
                for run in self.running.values():
                    if run.run_id:
                        self._spawn(_end_run(run, terminate))

    def _start(self, time: datetime) -> None:
        workflow_id = f"{self.schedule.action.id}-{time:%Y-%m-%dT%H:%M:%SZ}"
        if workflow_id in self.running:
            self.counts.skipped += 1
            return
        self.running[workflow_id] = ScheduleRun(time, workflow_id, "")
        self._spawn(self._follow(time, workflow_id))

    async def _follow(self, time: datetime, workflow_id: str) -> None:
        """A run from its start to its end."""
        run_id = await _start_run(self.schedule, workflow_id)
        if run_id is None:
            self.counts.skipped += 1
            await self._follow_to_its_end(workflow_id, None)
            return
        run = ScheduleRun(time, workflow_id, run_id)
        self.running[workflow_id] = run
        self.recent.append(run)
        self.counts.actions += 1
        await self._follow_to_its_end(workflow_id, run)

    async def _follow_to_its_end(self, workflow_id: str, run: ScheduleRun | None) -> None:
        """Waits for a run, if one was started, and lets what waits for it begin."""
        status = "" if run is None else await _await_run(run)
        del self.running[workflow_id]
        if status in _FAILURES and self.schedule.policy.pause_on_failure:
            note = f"{workflow_id} {status.replace('_', ' ')}"
            self._set_state(replace(self.schedule.state, paused=True, note=note))
        if self.waiting and not self.running:
            self._start(self.waiting.popleft())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _set_state(self, state: ScheduleState) -> None:
        self.changed = self.changed or state.paused != self.schedule.state.paused
        self.schedule = replace(self.schedule, state=state)

    @workflow.signal
    def pause(self, note: str) -> None:
        """Passes over all times from now on."""
        self._set_state(replace(self.schedule.state, paused=True, note=note))

    @workflow.signal
    def unpause(self, note: str) -> None:
        """Acts again."""
        self._set_state(replace(self.schedule.state, paused=False, note=note))

    @workflow.signal
    def trigger(self, overlap: ScheduleOverlapPolicy | None) -> None:
        """Acts now, paused or not."""
        self._act(workflow.now(), overlap)

    @workflow.signal
    async def backfill(self, span: ScheduleBackfill) -> None:
        """Acts for the times of a past span, paused or not."""
        passed = span.start_at - timedelta(microseconds=1)
        while times := await _next_times(self.schedule.spec, passed):
            for time in times:
                if time > span.end_at:
                    return
                self._act(time, span.overlap)
            passed = times[-1]

    @workflow.signal
    def update(self, schedule: Schedule) -> None:
        """Goes on with another specification, action or policy."""
        self.schedule = schedule
        self.changed = True

    @workflow.query
    def describe(self) -> ScheduleDescription:
        """How it stands."""
        return ScheduleDescription(
            schedule=self.schedule,
            next_action_times=[due for _, due in self.upcoming] if self._acts else [],
            running=[run for run in self.running.values() if run.run_id],
            recent=list(self.recent),
            action_count=self.counts.actions,
            skipped_count=self.counts.skipped,
            missed_count=self.counts.missed,
            waiting_count=len(self.waiting),
        )


async def _next_times(spec: ScheduleSpec, after: datetime) -> list[datetime]:
    return await workflow.execute_activity(
        NEXT_TIMES, spec, after, _AHEAD, result_type=list[datetime]
    )


async def _start_run(schedule: Schedule, workflow_id: str) -> str | None:
    """The run that was started; None when the workflow id is taken."""
    started: str | None = await workflow.execute_activity(
        START_RUN, schedule.action, workflow_id, workflow.info().workflow_id
    )
    return started


async def _await_run(run: ScheduleRun) -> str:
    # It waits as long as the run takes: no timeout.
    return await workflow.execute_activity(
        AWAIT_RUN, run, result_type=str, start_to_close_timeout=None
    )


async def _end_run(run: ScheduleRun, terminate: bool) -> None:
    await workflow.execute_activity(END_RUN, run, terminate)
