"""Code of a run that may look at its state and not change it: queries and validators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from perdure.instance._loop import WorkflowLoop

__all__ = ["read"]


def read(loop: WorkflowLoop, scope: str, callback: Callable[..., Any], *arguments: Any) -> Any:
    """Calls it, with random streams of its own: no replay draws what it draws."""
    streams = loop.random_streams
    loop.random_streams = streams and streams.scoped(scope)
    try:
        return loop.inside_reading(callback, *arguments)
    finally:
        loop.random_streams = streams
