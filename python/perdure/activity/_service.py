"""Activities of a service in another language or process, declared by typed stubs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NoReturn, ParamSpec, TypeVar, Unpack, overload

from perdure.activity._definition import ActivityDefinition, DefinitionDecorator, reference_of
from perdure.activity._options import ActivityOptionsFields
from perdure.errors import ApplicationError

__all__ = ["Service", "service"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Service:
    """A named set of activities that some worker hosts.

    ```python
    goaudit = activity.service("goaudit")

    @goaudit.activity
    async def analyze(path: str) -> FileReport:
        raise NotImplementedError
    ```

    The body never runs. `...` would do too, but mypy's strict mode calls a body that returns
    nothing an error, and `raise` is what both checkers take.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @overload
    def activity(
        self, fn: Callable[Parameters, Coroutine[Any, Any, Result]], /
    ) -> ActivityDefinition[Parameters, Result]: ...
    @overload
    def activity(
        self, fn: Callable[Parameters, Result], /
    ) -> ActivityDefinition[Parameters, Result]: ...
    @overload
    def activity(
        self,
        /,
        *,
        name: str | None = None,
        errors: Sequence[type[ApplicationError]] = (),
        **options: Unpack[ActivityOptionsFields],
    ) -> DefinitionDecorator: ...
    def activity(
        self,
        fn: Any = None,
        /,
        *,
        name: str | None = None,
        errors: Sequence[type[ApplicationError]] = (),
        **options: Unpack[ActivityOptionsFields],
    ) -> Any:
        """Declares one activity of the service by a stub; the stub's body never runs.

        Args:
            fn: The stub: its signature gives the types.
            name: The name in the service; the stub's name by default.
            errors: Errors that callers get as their own classes.
            **options: Defaults for calls of this activity, as in `ActivityOptions`.
        """

        def decorate(stub: Callable[..., Any]) -> ActivityDefinition[Any, Any]:
            reference = reference_of(
                stub,
                name=name,
                service=self.name,
                errors=errors,
                options=options,
            )
            return ActivityDefinition(self._refuse(stub, reference.name), reference)

        return decorate if fn is None else decorate(fn)

    def _refuse(self, stub: Callable[..., Any], name: str) -> Callable[..., NoReturn]:
        @functools.wraps(stub)
        def refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
            raise RuntimeError(
                f"{self.name}.{name} runs in another process: call it from a workflow"
            )

        return refuse


def service(name: str) -> Service:
    """The service of that name; see `Service`."""
    return Service(name)
