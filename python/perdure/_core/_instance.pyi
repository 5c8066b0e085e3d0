"""The native half of a workflow instance: `core_rs/py/src/instance`."""

from collections.abc import Coroutine, Generator
from typing import Any, Self, final

from perdure._core._convert import Failure, Shape
from perdure._core._loop import LoopCore
from perdure.converter._stack import CodecStack
from perdure.errors import NondeterminismError

@final
class CallSite:
    """A place in workflow code."""

    def __new__(cls, file: str, line: int, function: str, source_hash: int) -> CallSite: ...
    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def function(self) -> str: ...

@final
class ActivityPlan:
    """An activity with one set of options, ready to be called."""

    def __new__(
        cls,
        *,
        reference: Any,
        name: str,
        service: str | None,
        result: Shape,
        task_queue: str | None,
        timeouts_us: tuple[int | None, int | None, int | None, int | None],
        retry: tuple[int, float, int, int, list[str], float],
        cancellation_type: str,
        priority: tuple[int | None, str | None, float | None],
        rate_limits: list[tuple[str, int, int, int]],
        headers: list[tuple[str, str]],
        local: tuple[int, bool] | None = None,
        session: int | None = None,
    ) -> ActivityPlan: ...
    @property
    def reference(self) -> Any: ...

@final
class ActivityCall:
    """The coroutine of one activity call."""

    def __await__(self) -> Generator[Any, Any, Any]: ...
    def __iter__(self) -> ActivityCall: ...
    def __next__(self) -> Any: ...
    def send(self, value: Any, /) -> Any: ...
    def throw(self, kind: Any, value: Any = None, traceback: Any = None, /) -> Any: ...
    def close(self) -> None: ...
    def request_cancel(self) -> None:
        """Asks the worker to cancel, and goes on waiting."""

class ActivityCallable:
    """Called in a workflow, it gives the coroutine of the call; elsewhere, what `_call` gives."""

    def __new__(cls, *arguments: Any, **options: Any) -> Self: ...

class InstanceCore:
    """Delivers activations, takes commands, resolves futures."""

    def __new__(cls, *arguments: Any, **options: Any) -> Self: ...
    @property
    def now_us(self) -> int: ...
    @property
    def fault_error(self) -> NondeterminismError | None: ...
    def set_loop(self, event_loop: LoopCore) -> None: ...
    def stop(self) -> None: ...
    def observe_calls(self) -> None: ...
    def set_conditions(self, present: bool) -> None: ...
    def drive(self, budget_us: int | None = None) -> bool:
        """Delivers what the machine has, each to idle; False when the budget was used up first."""
    def call_activity(
        self, reference: Any, arguments: tuple[Any, ...], options: Any
    ) -> Coroutine[Any, Any, Any]:
        """The coroutine of one call: arguments are encoded now, scheduled at the first step."""
    def reference_of(self, number: int) -> Any:
        """Of an activity whose call still waits; None when its code took it back."""
    def call_plan(self, plan: ActivityPlan, arguments: tuple[Any, ...]) -> ActivityCall: ...
    def patched(self, id: str, deprecated: bool) -> bool:
        """Whether the run takes the new branch of a patch."""
    def start_timer(self, fire_at_us: int) -> int: ...
    def cancel_timer(self, timer_id: int) -> None: ...
    def complete(self, result: bytes) -> None: ...
    def fail(self, failure: Failure) -> None: ...
    def close_as_new(self, arguments: bytes, options: dict[str, Any]) -> None: ...
    def history_size(self) -> tuple[int, int, bool]: ...
    def failure_before(self) -> Failure | None: ...
    def complete_update(self, event_n: int, result: bytes, hint: Any) -> None: ...
    def fail_update(self, event_n: int, failure: Failure) -> None: ...
    def reject_update(self, failure: Failure) -> None: ...
    def end_cancelled(self, details: bytes | None = None) -> None: ...
    def is_replaying(self) -> bool: ...
    def release(self) -> None: ...

def start_child(
    instance: InstanceCore, site: CallSite, reference: Any, fields: dict[str, Any]
) -> tuple[int, str, str]:
    """Starts a child; gives the command's number, the child's run and its workflow id."""

def cancel_child(instance: InstanceCore, command_n: int) -> None:
    """Asks a child to cancel itself."""

def set_visibility(
    instance: InstanceCore,
    *,
    attributes: dict[str, tuple[str, Any] | None] | None = None,
    memo: dict[str, bytes | None] | None = None,
) -> None:
    """Changes what the run is found by, or its memo."""

def signal_external(
    instance: InstanceCore, site: CallSite, reference: Any, fields: dict[str, Any]
) -> int:
    """Signals another run; gives the command's number."""

def cancel_external(instance: InstanceCore, site: CallSite, fields: dict[str, Any]) -> int:
    """Asks another run to cancel itself; gives the command's number."""

def decode_history(text: str, codec: CodecStack) -> str:
    """An exported history with its payloads decoded, as far as the codec can.

    Raises:
        StoreDamagedError: A line is wrong.
    """

@final
class RecordedHistory:
    """The turns of one run, encoded, to be replayed with no engine behind them."""

    @staticmethod
    def from_json(text: str) -> RecordedHistory:
        """Reads an exported history.

        Raises:
            StoreDamagedError: A line is wrong.
        """
    @property
    def run_id(self) -> str: ...
    @property
    def batches(self) -> list[bytes]: ...
    def prefix(self, turns: int) -> RecordedHistory: ...
    def with_batches(self, batches: list[bytes]) -> RecordedHistory: ...
    def lend(self, instance: InstanceCore) -> int:
        """Gives the instance a machine that replays it; gives the number of records.

        Raises:
            StoreDamagedError: It is no whole history of this run.
        """
    def take_back(self, instance: InstanceCore) -> int: ...
