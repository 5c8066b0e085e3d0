"""`mock_activity`: stands in for an activity on a worker, and keeps what it was called with."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Generic, ParamSpec, TypeAlias, TypeGuard, TypeVar, cast, overload

from perdure.activity._context import Info, info
from perdure.activity._definition import ActivityDefinition
from perdure.activity._reference import ActivityReference

__all__ = ["ActivityMock", "mock_activity"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Raised: TypeAlias = "BaseException | type[BaseException]"


class ActivityMock(ActivityDefinition[Parameters, Result], Generic[Parameters, Result]):
    """An activity for `Worker(activities=[…])` in the place of the real one."""

    return_value: Result
    """What it returns, unless `side_effect` says otherwise; None by default."""
    side_effect: (
        Raised | Callable[Parameters, Result | Awaitable[Result]] | Iterable[Result | Raised] | None
    )
    """What it does instead; see `mock_activity`. May be changed between calls."""

    def __init__(self, original: ActivityDefinition[Parameters, Result]) -> None:
        async def answer(*arguments: Any) -> Any:
            return await self._answer(arguments)

        answer.__name__ = original.__name__
        answer.__qualname__ = original.__qualname__
        answer.__doc__ = original.__doc__
        # Arguments that do not fit the real activity do not fit its mock.
        cast("Any", answer).__signature__ = original.signature
        super().__init__(answer, original.reference)
        self.calls: list[tuple[Any, ...]] = []
        """The arguments of each attempt, in order."""
        self.infos: list[Info] = []
        """What `activity.info()` said in each."""
        self._answers: tuple[Any, Iterator[Any]] | None = None

    async def _answer(self, arguments: tuple[Any, ...]) -> Any:
        self.calls.append(arguments)
        self.infos.append(info())
        effect: Any = self.side_effect
        if effect is None:
            return self.return_value
        if _is_raised(effect):
            raise effect
        if callable(effect):
            result = effect(*arguments)
            return await result if inspect.isawaitable(result) else result
        answer = next(self._iterated(effect), _NOTHING)
        if answer is _NOTHING:
            raise AssertionError(f"the mock of {self.name} has no answer to call {len(self.calls)}")
        if _is_raised(answer):
            raise answer
        return answer

    def _iterated(self, effect: Iterable[Any]) -> Iterator[Any]:
        """One iterator for each iterable that is given."""
        if self._answers is None or self._answers[0] is not effect:
            self._answers = effect, iter(effect)
        return self._answers[1]


_NOTHING = object()


def _is_raised(value: object) -> TypeGuard[BaseException | type[BaseException]]:
    return isinstance(value, BaseException) or (
        isinstance(value, type) and issubclass(value, BaseException)
    )


@overload
def mock_activity(
    activity: ActivityDefinition[Parameters, Result],
    /,
    *,
    return_value: Result | None = None,
    side_effect: Raised
    | Callable[Parameters, Result | Awaitable[Result]]
    | Iterable[Result | Raised]
    | None = None,
) -> ActivityMock[Parameters, Result]: ...
@overload
def mock_activity(
    activity: str, /, *, return_value: Any = None, side_effect: Any = None
) -> ActivityMock[..., Any]: ...
def mock_activity(
    activity: Any, /, *, return_value: Any = None, side_effect: Any = None
) -> ActivityMock[Any, Any]:
    """Stands in for an activity on a worker; the workflow's code stays as it is.

    ```python
    charged = mock_activity(charge, side_effect=[ConnectionError("down"), "paid"])
    async with Worker(env.client, workflows=[checkout], activities=[charged]):
        await env.client.execute_workflow(checkout, "o-1")
    assert charged.calls == [("o-1", 300), ("o-1", 300)]
    ```

    Args:
        activity: The activity, or its registered name.
        return_value: What every call returns; None by default.
        side_effect: What it does instead: an exception is raised; a function, async or not, is
            called with the arguments; of an iterable, each call returns, or raises, the next.
            None by default.

    Raises:
        TypeError: It is an activity of a service, which no worker of this process stands in for.
    """
    if isinstance(activity, str):
        original: ActivityDefinition[..., Any] = ActivityDefinition(
            _any_arguments, ActivityReference(activity)
        )
    else:
        original = cast("ActivityDefinition[..., Any]", activity)
    if original.reference.service is not None:
        raise TypeError(
            f"{original!r} belongs to a service: give the service a worker that stands in for it"
        )
    mock: ActivityMock[..., Any] = ActivityMock(original)
    mock.return_value = return_value
    mock.side_effect = side_effect
    return mock


def _any_arguments(*_arguments: Any) -> None:
    """What is only known by name takes whatever comes."""
