"""A scheduled activity that workflow code can await, look at and cancel."""

from __future__ import annotations

import asyncio
from typing import TypeAlias, TypeVar

__all__ = ["ActivityHandle"]

Result = TypeVar("Result")

ActivityHandle: TypeAlias = asyncio.Task[Result]
"""A task that completes with the activity; `cancel()` cancels the activity."""
