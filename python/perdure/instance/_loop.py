"""The deterministic event loop that workflow code runs on.

`WorkflowLoop` is a real `asyncio.AbstractEventLoop`: CPython's own C `asyncio.Task` and all of
stdlib asyncio run on it. Ready queue, handles, timers and the list of tasks are native
(`core_rs/py/src/event_loop`). This file adds what is not on the path of every step.

What the instance provides:

- `timers`: `start_timer(fire_at_us: int) -> int` issues a durable timer of the run and gives its
  id; `cancel_timer(id: int)` takes one back. Both are called in the middle of workflow code, so
  that the frames above them are the call site.
- `loop.perdure_runtime`: the object behind the workflow verbs, set before the first slice.
- `loop.replaying`: true while recorded history is delivered; it mutes what was logged before.

What the instance calls, always from a bare host callback and never inside a host task:

- `loop.set_now(now_us)` with each event's recorded instant, before anything of that event runs;
- `loop.inside(callback, *arguments)` to run workflow code that is no task yet, such as a signal
  handler, and to create the first task: `loop.inside(loop.create_task, coroutine)`;
- `loop.fire_timer(id)` when the machine says that the timer fired; future.set_result inside
  `loop.inside` for everything else;
- `loop.run_until_idle(budget_us)`: True when nothing is ready any more, False when the budget
  was used up first. From Rust, `event_loop::slice::{Slice, drain}` do the same without a Python
  frame, for as many events in one slice as the budget allows;
- `perdure.instance._eviction.evict(loop)` at the end of a run or when it leaves the cache.

The order is asyncio's own: what is ready runs in rounds, in the order of scheduling; timers due
already join at the beginning of a round; durable timers fire when the machine says so.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, NoReturn, TypeVarTuple

from perdure._core import _native
from perdure.instance._refusal import refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

    _ExceptionHandler = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]


__all__ = ["TimerSource", "WorkflowLoop"]

logger = logging.getLogger("perdure.workflow")

_Arguments = TypeVarTuple("_Arguments")

_ACTIVITY = "Do it in an activity and await that."
_REFUSED: dict[str, tuple[str, str]] = {
    "add_reader": ("Watching a file descriptor", _ACTIVITY),
    "add_signal_handler": ("Handling a process signal", "Send the workflow a signal instead."),
    "add_writer": ("Watching a file descriptor", _ACTIVITY),
    "close": ("Closing the loop", "Return from the workflow instead."),
    "connect_accepted_socket": ("Using a socket", _ACTIVITY),
    "connect_read_pipe": ("Using a pipe", _ACTIVITY),
    "connect_write_pipe": ("Using a pipe", _ACTIVITY),
    "create_connection": ("Opening a connection", _ACTIVITY),
    "create_datagram_endpoint": ("Opening a socket", _ACTIVITY),
    "create_server": ("Opening a server", _ACTIVITY),
    "create_unix_connection": ("Opening a connection", _ACTIVITY),
    "create_unix_server": ("Opening a server", _ACTIVITY),
    "getaddrinfo": ("Resolving a name", _ACTIVITY),
    "getnameinfo": ("Resolving an address", _ACTIVITY),
    "remove_reader": ("Watching a file descriptor", _ACTIVITY),
    "remove_signal_handler": ("Handling a process signal", "Send the workflow a signal instead."),
    "remove_writer": ("Watching a file descriptor", _ACTIVITY),
    "run_forever": ("Running a loop inside the workflow", "Await the coroutine instead."),
    "run_in_executor": (
        "Running in a thread or process",
        "Make the function an activity (a plain `def` runs in a thread) and await that.",
    ),
    "run_until_complete": ("Running a loop inside the workflow", "Await the coroutine instead."),
    "sendfile": ("Sending a file", _ACTIVITY),
    "set_debug": ("Debug mode", "Set it on the loop of the worker's process."),
    "set_default_executor": ("Running in a thread or process", _ACTIVITY),
    "set_task_factory": ("Replacing asyncio's tasks", "Wrap the coroutines instead."),
    "shutdown_default_executor": ("Running in a thread or process", _ACTIVITY),
    "sock_accept": ("Using a socket", _ACTIVITY),
    "sock_connect": ("Using a socket", _ACTIVITY),
    "sock_recv": ("Using a socket", _ACTIVITY),
    "sock_recv_into": ("Using a socket", _ACTIVITY),
    "sock_recvfrom": ("Using a socket", _ACTIVITY),
    "sock_recvfrom_into": ("Using a socket", _ACTIVITY),
    "sock_sendall": ("Using a socket", _ACTIVITY),
    "sock_sendfile": ("Sending a file", _ACTIVITY),
    "sock_sendto": ("Using a socket", _ACTIVITY),
    "start_tls": ("Using a socket", _ACTIVITY),
    "stop": ("Stopping the loop", "Return from the workflow instead."),
    "subprocess_exec": ("Starting a process", _ACTIVITY),
    "subprocess_shell": ("Starting a process", _ACTIVITY),
}


class TimerSource:
    """What starts and cancels the run's durable timers. The instance implements it."""

    def start_timer(self, fire_at_us: int) -> int:
        """Issues a timer for this instant of the run's time and gives its id."""
        raise NotImplementedError

    def cancel_timer(self, timer_id: int) -> None:
        """Takes back a timer that has not fired."""
        raise NotImplementedError


def _refused(method: str, what: str, instead: str) -> Callable[..., NoReturn]:
    def refuse(_loop: WorkflowLoop, *_arguments: Any, **_options: Any) -> NoReturn:
        raise refusal(f"{what} (loop.{method})", instead)

    refuse.__name__ = method
    refuse.__qualname__ = f"WorkflowLoop.{method}"
    return refuse


class _Refusing(asyncio.AbstractEventLoop):
    """Every method that reaches out of the workflow, refused at once: not when awaited."""


for _method, (_what, _instead) in _REFUSED.items():
    setattr(_Refusing, _method, _refused(_method, _what, _instead))


class WorkflowLoop(_native.LoopCore, _Refusing):
    """The event loop of one run. See the module's text for who calls what."""

    # Defaults of the class: the collector may clear an instance before its tasks speak up.
    perdure_runtime: Any = None
    random_streams: Any = None
    _exception_handler: _ExceptionHandler | None = None

    def __init__(  # pyright: ignore[reportInconsistentConstructor] - Self is WorkflowLoop
        self, timers: TimerSource, now_us: int
    ) -> None:
        # The native half took both arguments when it was made.
        del timers, now_us

    def is_running(self) -> bool:
        """Whether workflow code of this run is being stepped."""
        return _native.current_loop() is self

    def is_closed(self) -> bool:
        """Whether the run is over or has left the cache."""
        return self.dead

    def call_soon_threadsafe(
        self,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """The same as `call_soon`; from another thread it is refused."""
        if not self.is_running() and not self.dead:
            raise refusal(
                "Scheduling on a workflow's loop from outside",
                "Send the workflow a signal instead.",
            )
        return self.call_soon(callback, *args, context=context)

    def get_task_factory(self) -> None:
        """None: tasks of a workflow are asyncio's own."""

    def get_exception_handler(self) -> _ExceptionHandler | None:
        """The handler that workflow code has set, if any."""
        return self._exception_handler

    def set_exception_handler(self, handler: _ExceptionHandler | None) -> None:
        """Sets what is told of errors that nobody awaits; None for the log."""
        if handler is not None and not callable(handler):
            raise TypeError(f"the exception handler must be callable or None, not {handler!r}")
        self._exception_handler = handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Logs an error that nobody awaited: once, and not again in replays."""
        if self.dead or self.replaying:
            return
        lines = [str(context.get("message") or "Unhandled exception in workflow code")]
        lines += [
            f"{key}: {value!r}"
            for key, value in sorted(context.items())
            if key not in {"message", "exception"}
        ]
        logger.error("\n".join(lines), exc_info=context.get("exception"))

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Tells the handler of an error, and never raises one itself."""
        if self.dead:
            return
        handler = self._exception_handler
        # A handler is workflow code: the collector, which finds errors at any time, may not run
        # it in the middle of the host's.
        if handler is None or not self.is_running():
            self.default_exception_handler(context)
            return
        try:
            handler(self, context)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.default_exception_handler(
                {
                    "message": "Unhandled error in exception handler",
                    "exception": error,
                    "context": context,
                }
            )

    async def shutdown_asyncgens(self) -> None:
        """Closes every asynchronous generator that was begun and not finished, oldest first."""
        closing = [generator.aclose() for generator in self.generators()]
        if not closing:
            return
        outcomes = await asyncio.gather(*closing, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                self.call_exception_handler(
                    {
                        "message": "an error occurred while closing an asynchronous generator",
                        "exception": outcome,
                    }
                )

    def __repr__(self) -> str:
        state = "dead" if self.dead else "running" if self.is_running() else "resting"
        return f"<WorkflowLoop {state}>"


class _ProbeLoop:
    """Steps one task by hand, to see what CPython's tasks schedule."""

    def __init__(self) -> None:
        self.scheduled: list[Callable[..., object]] = []

    def call_soon(self, callback: Any, *_args: Any, context: Any = None) -> Any:
        del context
        self.scheduled.append(callback)

    def get_debug(self) -> bool:
        return False


def _learn_task_callbacks() -> None:
    """Shows the native loop the two callbacks that only C code schedules.

    For these it makes no handle. Without them (a pure Python `Task`) it is only slower.
    """
    probe_loop = _ProbeLoop()
    loop: Any = probe_loop
    future: asyncio.Future[None] = asyncio.Future(loop=loop)

    async def probe() -> None:
        await future

    task = asyncio.Task(probe(), loop=loop)
    step = loop.scheduled.pop()
    step()
    future.set_result(None)
    wakeup = loop.scheduled.pop()
    _native.learn_task_callbacks(step, wakeup)
    wakeup(future)
    task.result()


_learn_task_callbacks()
