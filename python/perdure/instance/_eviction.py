"""The end of a run in this process: its coroutines are closed and nothing of it remains."""

from __future__ import annotations

import logging
from asyncio import tasks as asyncio_tasks
from typing import TYPE_CHECKING, Any

from perdure.errors import RunEvicted

if TYPE_CHECKING:
    from perdure.instance._loop import WorkflowLoop

__all__ = ["evict", "leaked_coroutines"]

logger = logging.getLogger("perdure.workflow")

CLOSE_ATTEMPTS_MAX = 8
"""How many awaits in `finally` blocks a coroutine may make before it counts as resisting."""

_leaked: list[Any] = []


def leaked_coroutines() -> int:
    """How many coroutines of this process resisted being closed."""
    return len(_leaked)


def evict(loop: WorkflowLoop) -> int:
    """Closes a run's tasks, the newest first, with the run marked dead.

    Its `finally` blocks run, but every workflow verb in them raises `RunEvicted`, nothing is
    logged, and no command is issued. Gives the number of coroutines that resisted: they are kept
    alive for ever, since the collector would only wake them again.

    Only committed state may be evicted.
    """
    tasks = loop.tasks()
    loop.kill()
    resisting: list[Any] = loop.inside(_close, loop, tasks)
    loop.release()
    vars(loop).clear()
    if resisting:
        if not _leaked:
            logger.warning(
                "a workflow coroutine caught everything and would not end when its run left the "
                "cache; it stays in memory: %r. Let RunEvicted pass. Further "
                "ones are counted in silence.",
                resisting[0],
            )
        _leaked.extend(resisting)
    return len(resisting)


def _close(loop: WorkflowLoop, tasks: list[Any]) -> list[Any]:
    resisting: list[Any] = []
    for task in reversed(tasks):
        if task.done():
            continue
        coroutine = task.get_coro()
        # Verbs like asyncio.timeout ask for the current task before they ask the loop.
        asyncio_tasks._enter_task(loop, task)
        try:
            if coroutine is not None and not _close_coroutine(coroutine):
                resisting.append(coroutine)
        finally:
            asyncio_tasks._leave_task(loop, task)
        _unlink(task)
    return resisting


def _close_coroutine(coroutine: Any) -> bool:
    """Whether it ended. Whatever it raises on its way out is nobody's business any more.

    `RunEvicted` is thrown rather than `GeneratorExit`, since that one would leave a coroutine
    that awaits again abandoned in the middle of another.
    """
    for _ in range(CLOSE_ATTEMPTS_MAX):
        try:
            awaited = coroutine.throw(RunEvicted())
        except BaseException:
            return True
        if getattr(awaited, "_asyncio_future_blocking", False):
            # As a task does: else awaiting it once more would fail without suspending.
            awaited._asyncio_future_blocking = False
    return False


def _unlink(task: Any) -> None:
    """Breaks the cycles between a task, what it waits for and what waits for it."""
    task._log_destroy_pending = False
    linked: list[Any] = [task] if task._fut_waiter is None else [task, task._fut_waiter]
    for future in linked:
        callbacks: list[tuple[Any, Any]] = future._callbacks or []
        for callback, _context in list(callbacks):
            future.remove_done_callback(callback)
