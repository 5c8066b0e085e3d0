"""A run that ends and goes on in another, with an empty history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

from perdure import _runtime

__all__ = ["ContinueAsNewOptions", "continue_as_new"]


@dataclass(frozen=True, slots=True)
class ContinueAsNewOptions:
    """What of the next run differs from this one; None is as in this run."""

    task_queue: str | None = None
    run_timeout: timedelta | None = None
    memo: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None


def continue_as_new(
    *arguments: Any,
    args: Sequence[Any] = (),
    workflow: Any = None,
    task_queue: str | None = None,
    run_timeout: timedelta | None = None,
    memo: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> NoReturn:
    """Ends this run and goes on in another, of the same workflow id, with an empty history.

    It raises `errors.ContinueAsNew`, which is no `Exception`, so that `except Exception` lets it
    pass; `finally` blocks run. The run ends when it has left the workflow's main function, or a
    handler. Activities still at work are told to stop, and what they answer reaches nobody.

    Args:
        *arguments: What the next run is called with.
        args: Further arguments; none by default.
        workflow: A workflow function, a class's run method, or a registered name; this workflow
            by default.
        task_queue: Who serves it; this run's queue by default.
        run_timeout: The longest the next run may take; as in this run by default.
        memo: Values for people; as in this run by default.
        headers: Texts that travel along; as in this run by default.

    Raises:
        ContinueAsNew: Always, unless what is given is wrong.
        EncodeError: An argument cannot travel.
    """
    options = ContinueAsNewOptions(task_queue, run_timeout, memo, headers)
    runtime = _runtime.require("workflow.continue_as_new")
    runtime.continue_as_new(workflow, (*arguments, *args), options)
