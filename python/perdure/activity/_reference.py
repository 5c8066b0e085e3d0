"""What a workflow needs to know of an activity to call it: no code, only its name and types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from perdure.activity._options import ActivityOptions
from perdure.errors import ApplicationError

__all__ = ["ActivityReference"]


@dataclass(frozen=True, slots=True, eq=False)
class ActivityReference:
    """An activity by name, with the types of its arguments and result."""

    name: str
    """The registered name."""
    service: str | None = None
    """The service that hosts it; None for an activity of the run's own task queue."""
    parameter_types: Sequence[Any] = ()
    """Types of the positional parameters; `Any` where nothing is declared."""
    result_type: Any = Any
    """The type of the result; `Any` decodes to plain values."""
    errors: Sequence[type[ApplicationError]] = ()
    """Errors that are raised in the workflow as their own classes."""
    options: ActivityOptions = field(default_factory=ActivityOptions)
    """The defaults of this activity's calls."""
    definition: Any = field(default=None, repr=False)
    """Its code, where that is known: what a local activity runs."""
    is_step: bool = False
    """Whether it is a step: code that no worker registers; False by default."""
    compiled: dict[ActivityOptions, Any] = field(default_factory=dict[ActivityOptions, Any])
    """What instances made of it, by options: kept here so that a call is one look-up."""
