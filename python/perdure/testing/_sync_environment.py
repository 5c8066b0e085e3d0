"""`WorkflowEnvironment` for tests that are not async."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self

from perdure._interceptor import Interceptor
from perdure.client import Client
from perdure.client._client import DEFAULT_NAMESPACE
from perdure.client._start_options import DEFAULT_TASK_QUEUE
from perdure.client._sync import LoopThread, SyncClient
from perdure.converter import DataConverter
from perdure.testing._environment import WorkflowEnvironment
from perdure.worker import Worker

__all__ = ["SyncWorkflowEnvironment"]


class SyncWorkflowEnvironment:
    """The same environment, its workers and its client on an asyncio loop in a thread.

    ```python
    def test_checkout(perdure_sync_env: SyncWorkflowEnvironment) -> None:
        env = perdure_sync_env
        with env.worker(workflows=[checkout], activities=[charge]):
            assert env.client.execute_workflow(checkout, "o-1") == "paid"
    ```
    """

    def __init__(self, environment: WorkflowEnvironment) -> None:
        self._environment = environment
        self._loop = LoopThread()
        self.client = SyncClient(environment.client, self._loop)
        """To start workflows."""

    @classmethod
    def start_time_skipping(
        cls,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        interceptors: Sequence[Interceptor] = (),
        data_converter: DataConverter | None = None,
    ) -> Self:
        """An environment whose time jumps; see `WorkflowEnvironment.start_time_skipping`."""
        client = partial(Client, interceptors=interceptors, data_converter=data_converter)
        return cls(WorkflowEnvironment.new(namespace, client, skips_time=True))

    @classmethod
    def start_local(
        cls,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        interceptors: Sequence[Interceptor] = (),
        data_converter: DataConverter | None = None,
    ) -> Self:
        """An environment on the system's time; see `WorkflowEnvironment.start_local`."""
        client = partial(Client, interceptors=interceptors, data_converter=data_converter)
        return cls(WorkflowEnvironment.new(namespace, client, skips_time=False))

    @contextlib.contextmanager
    def worker(
        self,
        *,
        workflows: Sequence[Any] = (),
        activities: Sequence[Any] = (),
        task_queue: str = DEFAULT_TASK_QUEUE,
        **options: Any,
    ) -> Generator[Worker]:
        """A worker while the `with` block lasts.

        Args:
            workflows: Decorated functions and classes; none by default.
            activities: Decorated functions, and mocks; none by default.
            task_queue: Which queue to serve; `default` by default.
            **options: Further options of `Worker`.

        Raises:
            TypeError: Something that is neither workflow nor activity.
        """
        client = self._environment.client
        worker = Worker(
            client, task_queue=task_queue, workflows=workflows, activities=activities, **options
        )
        self._loop.call(worker.__aenter__())
        try:
            yield worker
        finally:
            self._loop.call(worker.shutdown())

    def sleep(self, duration: timedelta | float) -> None:
        """Sleeps by the environment's time; see `WorkflowEnvironment.sleep`."""
        self._loop.call(self._environment.sleep(duration))

    def get_current_time(self) -> datetime:
        """The environment's time, in UTC."""
        return self._loop.call(self._environment.get_current_time())

    def auto_time_skipping_disabled(self) -> contextlib.AbstractContextManager[None]:
        """See `WorkflowEnvironment.auto_time_skipping_disabled`."""
        return self._environment.auto_time_skipping_disabled()

    def shutdown(self) -> None:
        """Ends the thread and deletes the store. Safe to call twice."""
        self.client.close()
        self._environment.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.shutdown()
