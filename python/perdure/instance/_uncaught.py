"""What an error that workflow code did not catch means."""

from __future__ import annotations

import asyncio
from typing import cast

from perdure.errors import FailureError

__all__ = ["is_failure"]


def is_failure(error: BaseException) -> bool:
    """Whether an uncaught error fails the run or the update; any other parks it (design law 7)."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return all(is_failure(each) for each in group.exceptions)
    return isinstance(error, FailureError | asyncio.TimeoutError | TimeoutError)
