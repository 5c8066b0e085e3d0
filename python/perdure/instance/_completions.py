"""`asyncio.as_completed` inside workflows: results in the order in which they come.

It takes both forms of the standard library: `for` gives awaitables (every Python), `async for`
gives the finished futures themselves (Python 3.13 on).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Generator, Iterable, Iterator

__all__ = ["Completions"]


class Completions:
    """The outcomes of several awaitables, one after the other."""

    def __init__(self, awaitables: Iterable[Any], timeout: float | None) -> None:
        if asyncio.isfuture(awaitables) or asyncio.iscoroutine(awaitables):
            raise TypeError(f"expect an iterable of futures, not {type(awaitables).__name__}")
        loop = asyncio.get_running_loop()
        from perdure.instance._ordered import in_creation_order

        distinct = dict.fromkeys(in_creation_order(awaitables))
        futures = [asyncio.ensure_future(awaitable, loop=loop) for awaitable in distinct]
        self._pending = dict.fromkeys(futures)
        self._left = len(self._pending)
        self._done: asyncio.Queue[asyncio.Future[Any] | None] = asyncio.Queue()
        self._timeout: Any = None
        for future in self._pending:
            future.add_done_callback(self._completed)
        if self._pending and timeout is not None:
            self._timeout = loop.call_later(timeout, self._timed_out)

    def _completed(self, future: asyncio.Future[Any]) -> None:
        if future not in self._pending:
            return
        del self._pending[future]
        self._done.put_nowait(future)
        if not self._pending and self._timeout is not None:
            self._timeout.cancel()

    def _timed_out(self) -> None:
        for future in self._pending:
            future.remove_done_callback(self._completed)
            self._done.put_nowait(None)
        self._pending.clear()

    async def _next_future(self) -> asyncio.Future[Any]:
        future = await self._done.get()
        if future is None:
            raise asyncio.TimeoutError
        return future

    async def _next_result(self) -> Any:
        return (await self._next_future()).result()

    def __iter__(self) -> Iterator[Coroutine[Any, Any, Any]]:
        return self._results()

    def _results(self) -> Generator[Coroutine[Any, Any, Any], None, None]:
        while self._left:
            self._left -= 1
            yield self._next_result()

    def __next__(self) -> Coroutine[Any, Any, Any]:
        if not self._left:
            raise StopIteration
        self._left -= 1
        return self._next_result()

    def __aiter__(self) -> AsyncIterator[asyncio.Future[Any]]:
        return self._futures()

    async def _futures(self) -> AsyncIterator[asyncio.Future[Any]]:
        while self._left:
            self._left -= 1
            yield await self._next_future()
