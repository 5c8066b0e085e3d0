"""Sagas: what was done is undone in reverse when what follows fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, cast

__all__ = ["Compensations", "compensations"]


class Compensations:
    """What undoes the steps done so far. Made by `workflow.compensations`."""

    def __init__(self) -> None:
        self._undo: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []

    def add(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Notes what undoes a step; what was added last is undone first.

        Add it before the step when the step may take effect although it fails.

        Args:
            fn: Called with the arguments; what it returns is awaited if it can be.
            *args: Its arguments.
            **kwargs: Its keyword arguments.

        Raises:
            TypeError: It cannot be called: such as the call itself, `undo.add(refund(order))`.
        """
        if not callable(fn):
            raise TypeError(
                f"compensations take what undoes the step and its arguments, such as "
                f"add(refund, order), not {fn!r}: a call is no function, and a name is none"
            )
        self._undo.append((fn, args, kwargs))

    def clear(self) -> None:
        """Forgets everything: from here on nothing is undone."""
        self._undo.clear()

    async def compensate(self) -> None:
        """Undoes everything now, in reverse; one that fails does not keep the others from it.

        Raises:
            Exception: What the only failing compensation raised.
            ExceptionGroup: What several of them raised.
        """
        errors: list[Exception] = []
        while self._undo:
            fn, args, kwargs = self._undo.pop()
            try:
                outcome = fn(*args, **kwargs)
                if isinstance(outcome, Awaitable):
                    await outcome
            except Exception as error:
                errors.append(error)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise ExceptionGroup("several compensations failed", errors)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not isinstance(error, Exception | asyncio.CancelledError):
            # No error; or the run is being evicted, and goes on elsewhere.
            return
        try:
            await _shielded(self.compensate())
        except Exception as failed:
            # What went wrong first stays what is raised; people read of the rest in its notes.
            error.add_note(f"compensating failed: {_told(failed)}")


def compensations() -> Compensations:
    """A block whose steps are undone when it fails or is cancelled.

    On an error inside `async with`, everything added is undone in reverse, also when the
    workflow is being cancelled, and then the error goes on. A compensation that fails does not
    stop the others: it becomes a note of that error. Since compensations are ordinary calls of
    a workflow, a crash in the middle goes on with the next one.
    """
    return Compensations()


def _told(error: Exception) -> str:
    if isinstance(error, ExceptionGroup):
        group = cast("ExceptionGroup[Exception]", error)
        return "; ".join(_told(each) for each in group.exceptions)
    return f"{type(error).__name__}: {error}"


async def _shielded(undoing: Any) -> None:
    """Waits for all of it, whatever asks this task to stop meanwhile."""
    task = asyncio.ensure_future(undoing)
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            continue
    task.result()
