"""`@workflow.defn`: a coroutine function, or a class with one `@workflow.run` method."""

from __future__ import annotations

import copy
import inspect
import typing
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast, overload

from perdure.versioning import VersioningBehavior
from perdure.workflow import _linting

if TYPE_CHECKING:
    from perdure._interceptor import Interceptor

__all__ = ["WorkflowDefinition", "definition_of", "defn", "run"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Class = TypeVar("Class", bound=type)
Function = TypeVar("Function", bound=Callable[..., Coroutine[Any, Any, Any]])

_RUN_MARK = "__perdure_run__"
_DEFINITION = "__perdure_definition__"


class WorkflowDefinition(Generic[Parameters, Result]):
    """A workflow: its registered name, its types, and how to make an instance of it.

    For a function it also stands in for the function, so that a definition can be passed to
    clients and workers by the function's own name.
    """

    def __init__(
        self,
        name: str,
        fn: Callable[..., Coroutine[Any, Any, Any]],
        cls: type | None,
        versioning_behavior: VersioningBehavior | None = None,
    ) -> None:
        hints = typing.get_type_hints(fn)
        signature = inspect.signature(fn)
        parameters = list(signature.parameters.values())[1 if cls is not None else 0 :]
        self.name = name
        self.fn = fn
        self.cls = cls
        """The class that holds state and handlers; None for a function."""
        self.interceptors: tuple[Interceptor, ...] = ()
        """What stands around its runs."""
        self.versioning_behavior = versioning_behavior
        """What becomes of a run when its workers get another version; None: as the worker says."""
        self.parameter_types = tuple(hints.get(each.name, Any) for each in parameters)
        self.result_type: Any = hints.get("return", Any)
        self.signature = signature.replace(parameters=parameters)
        self._stand_in_for(cls or fn)

    def _stand_in_for(self, target: Any) -> None:
        self.__doc__ = target.__doc__
        self.__name__ = target.__name__
        self.__qualname__ = target.__qualname__
        self.__module__ = self.fn.__module__
        self.__wrapped__ = self.fn

    def __call__(
        self, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Coroutine[Any, Any, Result]:
        """The plain coroutine: an ordinary call, neither started nor recorded."""
        return self.fn(*args, **kwargs)

    def begin(self) -> tuple[object, Callable[..., Coroutine[Any, Any, Any]]]:
        """Makes the instance (`__init__` first); gives it and its `run`."""
        if self.cls is None:
            return self.fn, self.fn
        instance = self.cls()
        return instance, partial(self.fn, instance)

    def intercepted(
        self, interceptors: tuple[Interceptor, ...]
    ) -> WorkflowDefinition[Parameters, Result]:
        """The same workflow with something around its runs."""
        if not interceptors:
            return self
        same = copy.copy(self)
        same.interceptors = interceptors
        return same

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

    def __repr__(self) -> str:
        return f"<workflow {self.name}>"


class DefinitionDecorator(typing.Protocol):
    """What `defn(name=…)` returns."""

    @overload
    def __call__(self, target: Class, /) -> Class: ...
    @overload
    def __call__(
        self, target: Callable[Parameters, Coroutine[Any, Any, Result]], /
    ) -> WorkflowDefinition[Parameters, Result]: ...


@overload
def defn(target: Class, /) -> Class: ...
@overload
def defn(
    target: Callable[Parameters, Coroutine[Any, Any, Result]], /
) -> WorkflowDefinition[Parameters, Result]: ...
@overload
def defn(
    *, name: str | None = None, versioning_behavior: VersioningBehavior | None = None
) -> DefinitionDecorator: ...
def defn(
    target: Any = None,
    /,
    *,
    name: str | None = None,
    versioning_behavior: VersioningBehavior | None = None,
) -> Any:
    """Makes a coroutine function, or a class with a `@workflow.run` method, a workflow.

    Args:
        target: The function or class. A class is returned unchanged but for its definition.
        name: The registered name; the function's or class's name by default.
        versioning_behavior: Whether its runs stay on the version of the workers that they began
            on; as the worker's `deployment_config` says by default.

    Raises:
        TypeError: Not a coroutine function, or a class without exactly one `@workflow.run`.
    """

    def decorate(value: Any) -> Any:
        if not inspect.isclass(value):
            if not inspect.iscoroutinefunction(value):
                raise TypeError(f"{value!r} is no coroutine function: write `async def`")
            _linting.look_at(name or value.__name__, value)
            registered = name or value.__name__
            return cast("Any", WorkflowDefinition(registered, value, None, versioning_behavior))
        marked = [each for each in vars(value).values() if getattr(each, _RUN_MARK, False)]
        if len(marked) != 1:
            raise TypeError(
                f"{value.__qualname__} has {len(marked)} methods marked @workflow.run: mark one"
            )
        _linting.look_at(name or value.__name__, marked[0])
        registered = name or value.__name__
        method: Callable[..., Coroutine[Any, Any, Any]] = marked[0]
        definition: WorkflowDefinition[..., Any] = WorkflowDefinition(
            registered, method, value, versioning_behavior
        )
        setattr(value, _DEFINITION, definition)
        return value

    return decorate if target is None else decorate(target)


def run(fn: Function, /) -> Function:
    """Marks the method of a workflow class that is the workflow.

    Raises:
        TypeError: Not a coroutine function.
    """
    if not inspect.iscoroutinefunction(fn):
        raise TypeError(f"{fn!r} is no coroutine function: write `async def`")
    setattr(fn, _RUN_MARK, True)
    return fn


def definition_of(target: Any) -> WorkflowDefinition[..., Any]:
    """The definition behind what users pass: a decorated function or class, or its run method.

    Raises:
        TypeError: It is no workflow.
    """
    if isinstance(target, WorkflowDefinition):
        return cast("WorkflowDefinition[..., Any]", target)
    owner = _owner_of_run(target) if getattr(target, _RUN_MARK, False) else target
    definition: Any = getattr(owner, _DEFINITION, None)
    if definition is None:
        raise TypeError(f"{target!r} is no workflow: decorate it with @workflow.defn")
    return cast("WorkflowDefinition[..., Any]", definition)


def _owner_of_run(method: Any) -> Any:
    """The class of a `Class.run` reference, found by its qualified name."""
    owner: Any = inspect.getmodule(method)
    closure = getattr(method, "__globals__", {})
    for part in method.__qualname__.split(".")[:-1]:
        if part == "<locals>":
            return None
        owner = getattr(owner, part, None) or closure.get(part)
    return owner
