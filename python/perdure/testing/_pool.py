"""Many replays in processes of their own, which start fresh and import the workflows by name."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncGenerator, Sequence

from perdure.errors import ServerError
from perdure.testing._child import READY, start_text
from perdure.testing._results import ReplayVerdict, WorkflowReplayResult
from perdure.testing._wire import Job, job_line, result_of

__all__ = ["replay_in_processes"]

_BATCH = 16
"""Histories a line: large enough that a process seldom waits for the next."""
_LINE_BYTES_MAX = 1 << 26


async def replay_in_processes(
    jobs: Sequence[Job], names: Sequence[tuple[str, str]], processes: int, *, strict: bool
) -> AsyncGenerator[WorkflowReplayResult]:
    """Replays the jobs and gives results as they come.

    A process that a workflow ends is replaced, and the history that it had is a bug.

    Raises:
        ServerError: A process cannot import the workflows.
    """
    waiting = deque(jobs)
    program = start_text(sys.path, names, strict=strict)
    results: asyncio.Queue[WorkflowReplayResult | None] = asyncio.Queue()

    async def work() -> None:
        try:
            while waiting:
                await _serve_one(waiting, results, names, program)
        finally:
            results.put_nowait(None)

    count = min(processes, -(-len(jobs) // _BATCH))
    tasks = [asyncio.create_task(work()) for _ in range(count)]
    try:
        running = len(tasks)
        while running:
            result = await results.get()
            if result is None:
                running -= 1
            else:
                yield result
        for task in tasks:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _serve_one(
    waiting: deque[Job],
    results: asyncio.Queue[WorkflowReplayResult | None],
    names: Sequence[tuple[str, str]],
    program: str,
) -> None:
    """One process, until there is nothing left to do or it ends by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdin=PIPE, stdout=PIPE, limit=_LINE_BYTES_MAX
    )
    try:
        if await _read_line(process) != READY:
            code = await process.wait()
            raise ServerError(
                f"a process that was to replay ended with exit code {code}: it imports "
                f"{', '.join(sorted({module for module, _ in names}))} again; what it says on "
                "stderr is why. `processes=1` replays in this process."
            )
        while waiting:
            batch = [waiting.popleft() for _ in range(min(_BATCH, len(waiting)))]
            if not await _replay(process, batch, waiting, results):
                return
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _replay(
    process: Process,
    batch: list[Job],
    waiting: deque[Job],
    results: asyncio.Queue[WorkflowReplayResult | None],
) -> bool:
    """Whether the process lives on; what it has left undone waits again."""
    assert process.stdin is not None
    try:
        process.stdin.write(job_line(batch))
        await process.stdin.drain()
    except ConnectionError:
        pass
    for done, job in enumerate(batch):
        line = await _read_line(process)
        if not line.endswith(b"\n"):
            results.put_nowait(_ended(job, await process.wait()))
            waiting.extendleft(reversed(batch[done + 1 :]))
            return False
        results.put_nowait(result_of(line))
    return True


async def _read_line(process: Process) -> bytes:
    assert process.stdout is not None
    return await process.stdout.readline()


def _ended(job: Job, code: int) -> WorkflowReplayResult:
    index, history = job
    names = history.workflow_id, history.run_id, history.workflow_type
    reason = f"its replay ended the whole process, with exit code {code}"
    return WorkflowReplayResult(*names, ReplayVerdict.BUG, reason, index=index)
