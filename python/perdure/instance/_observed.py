"""An instance that notes what its code asks for, to explain a mismatch that was already found."""

from __future__ import annotations

import traceback
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from perdure.instance._frames import Site, is_user_file, user_site
from perdure.instance._instance import Instance
from perdure.instance._noted import NOWHERE, Asked, Noted, plain_value, sent_values
from perdure.instance._observed_children import ObservedChildren

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from types import FrameType

    from perdure._core import ActivityPlan, CallSite, Failure
    from perdure.activity._reference import ActivityReference
    from perdure.instance._instance import FindWorkflow

__all__ = ["ObservedInstance"]


class ObservedInstance(Instance):
    """Slower than the plain instance: each call goes through a coroutine of its own."""

    def __init__(self, find_workflow: FindWorkflow, run_id: str, now_us: int) -> None:
        super().__init__(find_workflow, run_id, now_us)
        self.observe_calls()
        self.noted = Noted()
        self._raised_at = NOWHERE

    def call_activity(
        self, reference: ActivityReference, arguments: tuple[Any, ...], options: Any
    ) -> Coroutine[Any, Any, Any]:
        """The call, noted when it is scheduled."""
        call = super().call_activity(reference, arguments, options)
        return _NotedCall(call, self.noted, reference, sent_values(arguments))

    def call_plan(self, plan: ActivityPlan, arguments: tuple[Any, ...]) -> Any:
        """The call, noted when it is scheduled."""
        call = super().call_plan(plan, arguments)
        return _NotedCall(call, self.noted, plan.reference, sent_values(arguments))

    def patched(self, id: str, deprecated: bool) -> bool:
        """Which branch, noted if the question is refused: an answer need be no command."""
        before = self.noted.last
        self.noted.command("record_patch", user_site(), id=id)
        answer = super().patched(id, deprecated)
        self.noted.last = before
        return answer

    def start_timer(self, fire_at_us: int) -> int:
        """The timer, noted."""
        self.noted.command("start_timer", user_site())
        return super().start_timer(fire_at_us)

    def complete(self, result: bytes) -> None:
        """The end, noted."""
        # What has returned has no line any more.
        self.noted.command("complete_run", NOWHERE, result=plain_value(result))
        super().complete(result)

    def fail(self, failure: Failure) -> None:
        """The end, noted."""
        kind, message = _type_of(failure), failure.message
        self.noted.command("fail_run", self._raised_at, type=kind, message=message)
        super().fail(failure)

    def complete_update(self, event_n: int, result: bytes, hint: Any) -> None:
        """The end of an update, noted."""
        self.noted.command("complete_update", NOWHERE, result=plain_value(result))
        super().complete_update(event_n, result, hint)

    def fail_update(self, event_n: int, failure: Failure) -> None:
        """The end of an update, noted."""
        kind, message = _type_of(failure), failure.message
        self.noted.command("fail_update", NOWHERE, type=kind, message=message)
        super().fail_update(event_n, failure)

    def evict(self) -> None:
        """The end of the instance; where its code waits is noted first."""
        main = self._main
        if main is not None and not main.done():
            self.noted.waits_at = _innermost(_stack_of(main.get_coro()))
        super().evict()

    def _new_children(self, task_queue: str) -> ObservedChildren:
        return ObservedChildren(self, self.loop, task_queue, self.noted)

    def _raised(self, error: BaseException) -> None:
        frames = traceback.walk_tb(error.__traceback__)
        self._raised_at = _innermost(frames)
        super()._raised(error)

    def _site(self) -> CallSite:
        site = super()._site()
        last = self.noted.last
        if last is not None:
            # The machine asks at a mismatch, where the frames are still those of the call.
            place = Site(site.file, site.line, site.function)
            self.noted.last = Asked(last.kind, last.fields, place)
        return site


class _NotedCall(Coroutine[Any, Any, Any]):
    """A call that notes itself at its first step, which is what schedules it."""

    def __init__(self, call: Any, noted: Noted, reference: Any, arguments: Any) -> None:
        self._call = call
        self._noted = noted
        self._reference = reference
        self._arguments = arguments
        self._begun = False

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            name, service = self._reference.name, self._reference.service
            fields = {"name": name, "service": service, "arguments": self._arguments}
            self._noted.command("schedule_activity", user_site(), **fields)

    def send(self, value: Any, /) -> Any:
        """A step."""
        self._begin()
        return self._call.send(value)

    def throw(self, *error: Any) -> Any:
        """A step into which an exception is thrown."""
        return self._call.throw(*error)

    def close(self) -> None:
        """The end of the coroutine."""
        self._call.close()

    def request_cancel(self) -> None:
        """Asks the worker to cancel, and goes on waiting."""
        self._call.request_cancel()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self

    def __iter__(self) -> _NotedCall:
        return self

    def __next__(self) -> Any:
        return self.send(None)


def _innermost(frames: Iterable[tuple[FrameType, int]]) -> Site:
    """The last of the frames that is of user code."""
    site = NOWHERE
    for frame, line in frames:
        if is_user_file(frame.f_code.co_filename):
            site = Site(frame.f_code.co_filename, line, frame.f_code.co_qualname)
    return site


def _stack_of(coroutine: Any) -> Iterator[tuple[FrameType, int]]:
    """The frames of what a coroutine awaits, outermost first."""
    while coroutine is not None:
        frame: FrameType | None = getattr(coroutine, "cr_frame", None)
        if frame is not None:
            yield frame, frame.f_lineno
        coroutine = getattr(coroutine, "cr_await", None)


def _type_of(failure: Failure) -> str:
    if failure.kind == "application":
        return failure.type_name
    call = failure.activity_call
    return failure.kind if call is None else call[0]
