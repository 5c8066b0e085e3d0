"""`Replayer`: recorded histories against today's workflows, before these are deployed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from perdure._claims import add_converter
from perdure._interceptor import Interceptor
from perdure.converter import DataConverter
from perdure.testing._history import WorkflowHistory, find_histories
from perdure.testing._judge import judge
from perdure.testing._pool import replay_in_processes
from perdure.testing._results import WorkflowReplayResult, WorkflowReplayResults
from perdure.testing._wire import Job, names_of
from perdure.workflow._definition import definition_of

__all__ = ["Histories", "Replayer"]

Histories: TypeAlias = "str | Path | Iterable[WorkflowHistory] | AsyncIterable[WorkflowHistory]"
"""A store's address, a file or folder of exported histories, or histories."""

_ALONE_SECONDS = 1.0
"""What takes longer is worth further processes: each imports the workflows before it begins."""


class Replayer:
    """Replays recorded histories with workflows as they are now.

    Args:
        workflows: Workflow functions and classes.
        interceptors: Those with which the workflows run, as far as they stand around their code;
            none by default.
        processes: How many processes replay many histories; as many as there are cores by
            default, once it has taken a moment. 1 replays everything in this process, as is done
            with interceptors, and with workflows that another process cannot import: those of the
            main module and those defined inside functions.
        strict: Whether to report also the clocks and the randomness that workflow code reads past
            its run, such as `datetime.now()`, at their lines; False by default. It makes the
            replay several times slower.
        data_converter: What the histories were recorded with, in this process; none by default.

    Raises:
        TypeError: One is no workflow.
        ValueError: Two have the same name, or values that the payload converter handles have
            travelled in this process without it.
    """

    def __init__(
        self,
        *,
        workflows: Sequence[Any],
        interceptors: Sequence[Interceptor] = (),
        processes: int | None = None,
        strict: bool = False,
        data_converter: DataConverter | None = None,
    ) -> None:
        definitions = [definition_of(each).intercepted(tuple(interceptors)) for each in workflows]
        self._workflows = {each.name: each for each in definitions}
        if len(self._workflows) < len(definitions):
            names = [each.name for each in definitions]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"several workflows have the name {', '.join(twice)}")
        found = [names_of(each) for each in definitions]
        self._names = [each for each in found if each is not None]
        self._strict = strict
        self._converter = data_converter
        add_converter(data_converter)
        # Interceptors are objects of this process, and keys stay in it.
        is_alone = None in found or bool(interceptors) or data_converter is not None
        self._processes = 1 if is_alone else processes

    async def replay_workflow(
        self, history: WorkflowHistory, *, raise_on_replay_failure: bool = True
    ) -> WorkflowReplayResult:
        """Replays one history, in this process.

        Args:
            history: The recorded history.
            raise_on_replay_failure: Whether a verdict other than ok is raised; True by default.

        Raises:
            NondeterminismError: The code asks for something else than is recorded; or, strict, for
                what changes.
            WorkflowParkedError: The code has a bug that would park the run.
            StoreDamagedError: The history cannot be read.
            UnknownWorkflowError: None of the workflows has its type.
        """
        result = await self._replay_here((0, history))
        if raise_on_replay_failure and result.replay_failure is not None:
            raise result.replay_failure
        return result

    async def replay_workflows(
        self, histories: Histories, *, raise_on_replay_failure: bool = True
    ) -> WorkflowReplayResults:
        """Replays many histories, in parallel where there are many.

        Args:
            histories: Histories, a store's address such as `file:app.db`, a folder of exported
                histories, or one such file.
            raise_on_replay_failure: Whether the first verdict that is not ok is raised; True by
                default.

        Raises:
            NotFoundError: There is no such store, folder or file.
            StoreError: The store cannot be read.
            PerdureError: As `replay_workflow`, when failures are to be raised.
        """
        results: list[WorkflowReplayResult] = []
        async with self.workflow_replay_iterator(histories) as replayed:
            async for result in replayed:
                if raise_on_replay_failure and result.replay_failure is not None:
                    raise result.replay_failure
                results.append(result)
        results.sort(key=lambda result: result.index)
        return WorkflowReplayResults(tuple(results))

    @contextlib.asynccontextmanager
    async def workflow_replay_iterator(
        self, histories: Histories
    ) -> AsyncGenerator[AsyncIterator[WorkflowReplayResult]]:
        """The results as they come, which in parallel is not the order of the histories.

        Raises:
            NotFoundError: There is no such store, folder or file.
            StoreError: The store cannot be read.
        """
        async with contextlib.aclosing(self._results(histories)) as results:
            yield results

    async def _results(self, histories: Histories) -> AsyncGenerator[WorkflowReplayResult]:
        jobs = list(enumerate(await _listed(histories)))
        processes = self._processes
        alone_s = _ALONE_SECONDS if processes is None else 0.0
        if processes is None:
            processes = len(os.sched_getaffinity(0))
        began = time.monotonic()
        done = 0
        while done < len(jobs) and (processes == 1 or time.monotonic() - began < alone_s):
            yield await self._replay_here(jobs[done])
            done += 1
        if done < len(jobs):
            rest = replay_in_processes(jobs[done:], self._names, processes, strict=self._strict)
            async with contextlib.aclosing(rest) as results:
                async for result in results:
                    yield result

    async def _replay_here(self, job: Job) -> WorkflowReplayResult:
        """Replays in a bare callback: inside a task, workflow tasks would be nested ones."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[WorkflowReplayResult] = loop.create_future()

        def replay() -> None:
            try:
                history = job[1].decoded_by(self._converter)
                result.set_result(judge(history, job[0], self._workflows, strict=self._strict))
            except BaseException as error:
                result.set_exception(error)

        loop.call_soon(replay)
        return await result


async def _listed(histories: Histories) -> list[WorkflowHistory]:
    match histories:
        case str() | Path():
            return await asyncio.to_thread(lambda: list(find_histories(histories)))
        case AsyncIterable():
            return [each async for each in histories]
        case _:
            return list(histories)
