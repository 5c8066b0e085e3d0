"""Workers on stores of their own, for tests that run the whole engine in this process."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from perdure import Client, Worker

Serve = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The address of a store that does not exist yet."""
    return f"file:{tmp_path / 'app.db'}"


@pytest.fixture
def serve(store: str) -> Serve:
    """Serves workflows and activities on the test's store, and gives a client of it."""

    @contextlib.asynccontextmanager
    async def serving(
        workflows: Sequence[Any], activities: Sequence[Any] = (), **options: Any
    ) -> AsyncGenerator[Client]:
        client = await Client.connect(store)
        async with Worker(client, workflows=workflows, activities=activities, **options):
            yield client

    return serving
