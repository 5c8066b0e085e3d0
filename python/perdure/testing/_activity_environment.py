"""`ActivityEnvironment`: one activity by itself, without a worker."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar, cast, overload

from perdure.activity._context import Info, set_context
from perdure.activity._definition import ActivityDefinition
from perdure.convert import check_travels
from perdure.secrets import EnvironmentSecrets, SecretProvider
from perdure.worker._revealed import Revealed

__all__ = ["ActivityEnvironment"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_DEFAULT_INFO = Info(
    activity="test",
    task_id="00000000000000000000000000000000.1.1",
    task_token=bytes(36),
    attempt=1,
    idempotency_key="00000000000000000000000000000000.1.test",
    fencing_token=1,
    namespace="default",
    workflow_id="test",
    workflow_type="test",
    run_id="00000000-0000-0000-0000-000000000000",
    scheduled_time=datetime(2020, 1, 1, tzinfo=UTC),
    deadline=None,
    heartbeat_timeout=timedelta(minutes=1),
)


class ActivityEnvironment:
    """Runs activities as a worker does: with `activity.info`, heartbeats, and cancellation.

    ```python
    env = ActivityEnvironment()
    assert await env.run(charge, "o-1", 300) == "o-1 paid 300"
    ```
    """

    def __init__(
        self,
        *,
        info: Info | None = None,
        on_heartbeat: Callable[[Any], None] | None = None,
        secrets: SecretProvider | None = None,
    ) -> None:
        """An environment for any number of activities.

        Args:
            info: What `activity.info()` says; that of a first attempt by default. Change it with
                `dataclasses.replace(env.info, attempt=2)`.
            on_heartbeat: Called with the details of each heartbeat, in the activity's thread;
                nothing by default.
            secrets: Where activities find the values of secrets, such as a `dict`; in the
                environment by default.
        """
        self.info = info if info is not None else _DEFAULT_INFO
        self.heartbeats: list[Any] = []
        """The details of every heartbeat, in order."""
        self.on_heartbeat = on_heartbeat
        self._secrets = secrets if secrets is not None else EnvironmentSecrets()
        self._cancelled = False
        self._running: set[asyncio.Task[Any]] = set()

    @overload
    async def run(
        self,
        activity: Callable[Parameters, Coroutine[Any, Any, Result]],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result: ...
    @overload
    async def run(
        self,
        activity: Callable[Parameters, Result],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result: ...
    async def run(self, activity: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Runs an activity, decorated or not; a `def` runs in a thread, as on a worker.

        Args:
            activity: The activity.
            *args: Its arguments.
            **kwargs: Further arguments, by name.

        Raises:
            EncodeError: The result cannot travel.
            ApplicationError: The result, or a heartbeat, holds a secret that was revealed.
            asyncio.CancelledError: `cancel` was called, and the activity did not catch it.
            Exception: Whatever the activity raises, with names in place of the values of secrets.
        """
        attempt = _Attempt(self, self._secrets)
        try:
            result = await self._call(attempt, _function_of(activity), args, kwargs)
        except Exception as error:
            told = error if attempt.revealed is None else attempt.revealed.redact_error(error)
            if told is error:
                raise
            raise told from None
        attempt.check("the result", result)
        return result

    async def _call(
        self,
        attempt: _Attempt,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        context = contextvars.copy_context()
        context.run(set_context, attempt)
        if inspect.iscoroutinefunction(fn):
            coroutine = cast("Coroutine[Any, Any, Any]", fn(*args, **kwargs))
            task = asyncio.get_running_loop().create_task(coroutine, context=context)
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            if self._cancelled:
                task.cancel()
            return await task
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, lambda: context.run(fn, *args, **kwargs))

    def cancel(self, reason: str = "") -> None:
        """Cancels what runs here, and what is begun later; call it on the loop of `run`.

        An `async def` gets `asyncio.CancelledError`; a `def` finds `activity.is_cancelled()` true.

        Args:
            reason: The text of the `CancelledError`; empty by default.
        """
        self._cancelled = True
        for task in list(self._running):
            task.cancel(reason)

    def heartbeat(self, details: Any) -> None:
        """What `activity.heartbeat` does here: keeps the details.

        Raises:
            EncodeError: They cannot travel.
        """
        check_travels(details)
        self.heartbeats.append(details)
        if self.on_heartbeat is not None:
            self.on_heartbeat(details)

    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled


class _Attempt:
    """One run of an activity, as its own code reaches it."""

    def __init__(self, environment: ActivityEnvironment, secrets: SecretProvider) -> None:
        self._environment = environment
        self._secrets = secrets
        self.revealed: Revealed | None = None

    @property
    def info(self) -> Info:
        return self._environment.info

    def heartbeat(self, details: Any) -> None:
        self.check("progress", details)
        self._environment.heartbeat(details)

    def is_cancelled(self) -> bool:
        return self._environment.is_cancelled()

    def reveal(self, name: str) -> str | bytes:
        if self.revealed is None:
            self.revealed = Revealed(self._secrets)
        return self.revealed.reveal(name)

    def check(self, what: str, value: Any) -> None:
        """Refuses what cannot leave an attempt on a worker."""
        if self.revealed is None:
            check_travels(value)
        else:
            self.revealed.encode(what, value)


def _function_of(activity: Callable[..., Any]) -> Callable[..., Any]:
    if isinstance(activity, ActivityDefinition):
        return activity.fn
    return activity
