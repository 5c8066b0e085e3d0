"""`@activity.defn`: an ordinary function that workflows call as if it were local."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, Unpack, cast, overload

from perdure import _runtime
from perdure._core import ActivityCallable
from perdure.activity._options import ActivityOptions, ActivityOptionsFields
from perdure.activity._reference import ActivityReference
from perdure.errors import ApplicationError

__all__ = ["ActivityDefinition", "DefinitionDecorator", "defn"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class ActivityDefinition(ActivityCallable, Generic[Parameters, Result]):
    """An activity: called inside a workflow it is scheduled and recorded, elsewhere it just runs.

    Calling it always gives something to await, for a sync `def` too; the plain function is `fn`.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reference: ActivityReference,
        *,
        process_pool: bool = False,
        max_concurrent: int | None = None,
    ) -> None:
        self.fn = fn
        self.reference = reference
        self.process_pool = process_pool
        """Whether a sync function runs in a process pool instead of a thread pool."""
        self.max_concurrent = max_concurrent
        """Most attempts of it that one worker runs at once; None for no limit of its own."""
        self.is_async = inspect.iscoroutinefunction(fn)
        """Whether the function is a coroutine function."""
        self.signature = inspect.signature(fn)
        self.__doc__ = fn.__doc__
        self.__name__ = getattr(fn, "__name__", reference.name)
        self.__qualname__ = getattr(fn, "__qualname__", reference.name)
        self.__module__ = fn.__module__
        self.__wrapped__ = fn

    @property
    def name(self) -> str:
        """The registered name."""
        return self.reference.name

    if TYPE_CHECKING:
        # Native: a plain call in a workflow passes through no Python frame.
        def __call__(
            self, *args: Parameters.args, **kwargs: Parameters.kwargs
        ) -> Coroutine[Any, Any, Result]: ...

    def _call(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Result]:
        """Every other call: outside of workflows, with keywords, in a run that has ended."""
        runtime = _runtime.current()
        if runtime is None:
            return self._run(*args, **kwargs)
        reference = self.reference
        positional = args if not kwargs else self.positional(*args, **kwargs)
        return runtime.call_activity(reference, positional, reference.options)

    def options(
        self, **changes: Unpack[ActivityOptionsFields]
    ) -> ActivityDefinition[Parameters, Result]:
        """This activity with other options: `charge.options(heartbeat_timeout=…)(order)`."""
        options = self.reference.options.with_fields(changes)
        return type(self)(
            self.fn,
            replace(self.reference, options=options),
            process_pool=self.process_pool,
            max_concurrent=self.max_concurrent,
        )

    def positional(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The arguments as they travel: positional, with defaults filled in.

        Raises:
            TypeError: They do not fit the signature.
        """
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.kwargs:
            names = ", ".join(bound.kwargs)
            raise TypeError(f"{self.name}: keyword-only parameters cannot travel: {names}")
        return bound.args

    async def _run(self, *args: Any, **kwargs: Any) -> Result:
        result = self.fn(*args, **kwargs)
        if inspect.isawaitable(result):
            return cast("Result", await result)
        return cast("Result", result)

    def __repr__(self) -> str:
        service = f"{self.reference.service}." if self.reference.service else ""
        return f"<activity {service}{self.name}>"


class DefinitionDecorator(typing.Protocol):
    """What `defn(…)` with options returns."""

    @overload
    def __call__(
        self, fn: Callable[Parameters, Coroutine[Any, Any, Result]], /
    ) -> ActivityDefinition[Parameters, Result]: ...
    @overload
    def __call__(
        self, fn: Callable[Parameters, Result], /
    ) -> ActivityDefinition[Parameters, Result]: ...


@overload
def defn(
    fn: Callable[Parameters, Coroutine[Any, Any, Result]], /
) -> ActivityDefinition[Parameters, Result]: ...
@overload
def defn(fn: Callable[Parameters, Result], /) -> ActivityDefinition[Parameters, Result]: ...
@overload
def defn(
    *,
    name: str | None = None,
    errors: Sequence[type[ApplicationError]] = (),
    process_pool: bool = False,
    max_concurrent: int | None = None,
    **options: Unpack[ActivityOptionsFields],
) -> DefinitionDecorator: ...
def defn(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    errors: Sequence[type[ApplicationError]] = (),
    process_pool: bool = False,
    max_concurrent: int | None = None,
    **options: Unpack[ActivityOptionsFields],
) -> Any:
    """Makes a function an activity.

    Args:
        fn: The function, `async def` or `def`. A `def` runs in a thread pool.
        name: The registered name; the function's name by default.
        errors: Errors that callers get as their own classes, not wrapped in `ActivityError`.
        process_pool: Run a `def` in a process pool: for work bound by the processor. False by
            default; the function must then be importable by name.
        max_concurrent: Most attempts of it that a worker runs at once; those above it wait, and
            hold up no other activity. No limit of its own by default.
        **options: Defaults for calls of this activity, as in `ActivityOptions`.

    Raises:
        TypeError: The function cannot be an activity: a generator, or keyword-only parameters
            without defaults.
        ValueError: `max_concurrent` is less than 1.
    """
    if max_concurrent is not None and max_concurrent < 1:
        raise ValueError("max_concurrent must be at least 1, or None for no limit")

    def decorate(function: Callable[..., Any]) -> ActivityDefinition[Any, Any]:
        reference = reference_of(function, name=name, errors=errors, options=options)
        return ActivityDefinition(
            function, reference, process_pool=process_pool, max_concurrent=max_concurrent
        )

    return decorate if fn is None else decorate(fn)


def reference_of(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    service: str | None = None,
    errors: Sequence[type[ApplicationError]] = (),
    options: ActivityOptionsFields | None = None,
    is_step: bool = False,
) -> ActivityReference:
    """Reads name and types off a function's signature.

    Raises:
        TypeError: The function cannot be an activity.
    """
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function.__qualname__} is a generator: an activity returns one value")
    hints = typing.get_type_hints(function)
    parameter_types: list[Any] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            raise TypeError(
                f"{function.__qualname__}: arguments travel by position, "
                f"so that {parameter.name!r} cannot be keyword-only"
            )
        parameter_types.append(hints.get(parameter.name, Any))
    return ActivityReference(
        name=name if name is not None else function.__name__,
        service=service,
        parameter_types=tuple(parameter_types),
        result_type=hints.get("return", Any),
        errors=tuple(errors),
        options=ActivityOptions().with_fields(options or {}),
        is_step=is_step,
    )
