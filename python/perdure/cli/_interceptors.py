"""The interceptors that a project names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure import Interceptor
from perdure.cli._exit import CommandError
from perdure.cli._program import import_object

if TYPE_CHECKING:
    from perdure.cli._configuration import Configuration

__all__ = ["interceptors_of"]


def interceptors_of(configuration: Configuration) -> list[Interceptor]:
    """Those that the configuration calls `module:object`; a class is made an object of.

    Raises:
        CommandError: There is none of that name.
    """
    found: list[Interceptor] = []
    for name in configuration.interceptors:
        value: Any = import_object(name, configuration.directory, "interceptor")
        if isinstance(value, type):
            value = value()
        if not isinstance(value, Interceptor):
            target, _, attribute = name.rpartition(":")
            raise CommandError(f"{target} has no Interceptor called {attribute!r}")
        found.append(value)
    return found
