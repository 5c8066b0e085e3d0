"""Puts creation order into asyncio: the name `set`, `as_completed` and `all_tasks`."""

from __future__ import annotations

import asyncio
import sys
from asyncio import taskgroups, tasks
from typing import TYPE_CHECKING, Any, cast

from perdure._core import _native
from perdure.instance._completions import Completions
from perdure.instance._in_place import replace_in_place
from perdure.instance._ordered import OrderedSet, workflow_set

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType

__all__ = ["install_order"]

# The functions whose sets this mends, by the name `set` that they look up.
_SET_USERS: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("asyncio.wait", cast("Any", tasks).wait),
    ("asyncio.tasks._wait", cast("Any", tasks)._wait),
    ("asyncio.TaskGroup", taskgroups.TaskGroup.__init__),
)


def _check_set_users() -> None:
    """A later Python that builds its sets otherwise must be looked at, not trusted."""
    for name, function in _SET_USERS:
        code: CodeType = function.__code__
        if "set" not in code.co_names:
            raise ImportError(
                f"Python {sys.version.split()[0]}: {name} does not call `set` any more, so its "
                "order inside workflows is unknown. Use a Python that this release names, or "
                "update perdure."
            )


def _all_tasks(original: Callable[..., Any], loop: Any = None) -> Any:
    current: Any = _native.current_loop()
    if current is None or (loop is not None and loop is not current):
        return original(loop)
    return OrderedSet([task for task in current.tasks() if not task.done()])


def _as_completed(
    original: Callable[..., Any], fs: Iterable[Any], *, timeout: float | None = None
) -> Any:
    if _native.current_loop() is None:
        return original(fs, timeout=timeout)
    return Completions(fs, timeout)


def _replace(name: str, substitute: Callable[..., Any]) -> None:
    """In place where it is written in Python; later Pythons have some of them in C."""
    function = getattr(tasks, name)
    try:
        replace_in_place(function, substitute)
    except TypeError:

        def stand_in(*args: Any, **options: Any) -> Any:
            return substitute(function, *args, **options)

        stand_in.__name__ = stand_in.__qualname__ = name
        stand_in.__module__ = "asyncio.tasks"
        stand_in.__doc__ = function.__doc__
        setattr(tasks, name, stand_in)
        setattr(asyncio, name, stand_in)


def install_order() -> None:
    """Mends asyncio. The caller sees to it that this happens once."""
    _check_set_users()
    for module in (tasks, taskgroups):
        vars(module)["set"] = workflow_set
    _replace("all_tasks", _all_tasks)
    _replace("as_completed", _as_completed)
