"""The deterministic event loop: `core_rs/py/src/event_loop`, `clock.rs`, `guard.rs`, `hold.rs`."""

from asyncio import Future, Task, TimerHandle
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Protocol, Self, TypeVar, TypeVarTuple

from perdure._core._instance import InstanceCore

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")

class TimerSource(Protocol):
    def start_timer(self, fire_at_us: int, /) -> int: ...
    def cancel_timer(self, timer_id: int, /) -> None: ...

class Handle:
    """A scheduled callback; `when()` is the loop time at which it is due."""

    def cancel(self) -> None:
        """Takes the callback back; a timer that has not fired is cancelled with it."""

    def cancelled(self) -> bool: ...
    def when(self) -> float: ...
    def get_context(self) -> Context | None: ...

class LoopCore:
    """The native half of `WorkflowLoop`; what asyncio asks of a loop is documented there.

    Its handles are `Handle`, typed as what asyncio promises.
    """

    def __new__(cls, timers: TimerSource, now_us: int) -> Self: ...
    def time(self) -> float:
        """Seconds since the run began, in the run's own time."""

    def call_soon(
        self,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> TimerHandle: ...
    def call_later(
        self,
        delay: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> TimerHandle: ...
    def call_at(
        self,
        when: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> TimerHandle: ...
    def create_future(self) -> Future[Any]: ...
    def create_task(
        self,
        coro: Generator[Any, None, _Result] | Coroutine[Any, Any, _Result],
        *,
        name: str | None = None,
        **options: Any,
    ) -> Task[_Result]: ...
    def get_debug(self) -> bool: ...
    def set_now(self, now_us: int) -> None:
        """Moves the run's clock. The loop's own time never steps back."""

    def fire_timer(self, id: int) -> bool:
        """Runs a durable timer's callback at the next `run_until_idle`; False if not pending."""

    def run_until_idle(self, budget_us: int | None = None) -> bool:
        """Runs what is ready until nothing is; False when the budget was used up first."""

    def inside(
        self, callback: Callable[[*_Arguments], _Result], *arguments: *_Arguments
    ) -> _Result:
        """Calls `callback(*arguments)` as the run's own code, in the run's root context."""

    def inside_reading(self, callback: Callable[..., Any], *arguments: Any) -> Any: ...
    def resolve_in_turn(self, waiting: list[Future[Any]]) -> int:
        """Resolves the futures with None, oldest first, each to idle, until the list is empty."""

    def creation_number(self, task: object) -> int | None:
        """The number of a task in the order of creation; None for anything else."""

    def tasks(self) -> list[Task[Any]]:
        """The tasks that still exist, done or not, oldest first."""

    def generators(self) -> list[AsyncGenerator[Any, Any]]:
        """The asynchronous generators begun and not finished, oldest first."""

    def kill(self) -> None:
        """Marks the run dead: nothing can be scheduled any more and no command issued."""

    def release(self) -> None:
        """Lets go of every object it holds."""

    replaying: bool
    @property
    def now_us(self) -> int:
        """The recorded instant that the workflow sees as now."""

    @property
    def pending_timers(self) -> int: ...
    @property
    def is_idle(self) -> bool: ...
    @property
    def dead(self) -> bool: ...

class Hold:
    """The stretches for which one thread's loop belongs to somebody, numbered."""

    def __new__(cls, thread_id: int) -> Self: ...
    def enter(self, holder: InstanceCore, *, reads: bool) -> None:
        """The holder's code is about to have the loop. Called on the thread itself."""

    def leave(self) -> bool:
        """The holder has given the loop back; says whether it was interrupted meanwhile."""

    def held(self) -> tuple[int, float, Any] | None:
        """Who holds the loop now: its number, its seconds so far, and the holder."""

    def interrupt(self, number: int, exception_class: type[BaseException], /) -> bool:
        """Raises the class in the thread, if that stretch still lasts; says whether it does.

        Whatever the code makes of it, its turn goes no further than the event being delivered.
        """

def current_loop() -> LoopCore | None:
    """The loop of the run that this thread is stepping, or None outside workflows."""

def learn_task_callbacks(step: object, wakeup: object) -> bool:
    """Learns the two callbacks that only C code schedules; False if they are not C's."""

def substitute_clocks() -> None:
    """Puts the run's clocks in the place of the process's own, once a process."""

def substitute(
    original: Callable[..., Any],
    inside: Callable[..., Any],
    module: str,
    name: str,
) -> Callable[..., Any]:
    """A C function that calls `inside` in workflows and `original` elsewhere."""

def install_guard(events: set[str], refuse: Callable[[str, tuple[Any, ...]], None]) -> None:
    """Installs the audit hook: `refuse` is called for these events of workflow code."""
