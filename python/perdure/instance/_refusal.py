"""What workflow code hears when it asks for something that a replay could not repeat."""

from __future__ import annotations

from perdure.errors import NondeterminismError
from perdure.instance._frames import user_site

__all__ = ["refusal"]


def refusal(what: str, instead: str) -> NondeterminismError:
    """The error for `what`, at the line of user code that asked, with what to write `instead`."""
    site = user_site()
    return NondeterminismError(
        f"{what} is not allowed in workflow code, because a replay could not repeat it. {instead}",
        file=site.file,
        line=site.line,
        function=site.function,
    )
