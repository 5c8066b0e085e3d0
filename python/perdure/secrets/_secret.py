"""A reference to a secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from perdure import _runtime
from perdure.activity._context import reveal
from perdure.errors import NondeterminismError

__all__ = ["Secret"]

Value = TypeVar("Value", str, bytes)


# Without slots: `Secret[str](…)` sets an attribute, which is refused as `typing` expects it.
@dataclass(frozen=True)
class Secret(Generic[Value]):
    """The name of a secret, to be passed where its value is needed: `key: Secret[str]`.

    Only the name travels and is recorded. The value is asked of the worker's `secrets` inside an
    activity, and what the activity gives back must not hold it.
    """

    name: str
    """What the worker's provider knows it by; this is no secret."""

    def reveal(self) -> Value:
        """The value, inside an activity.

        Raises:
            NondeterminismError: This is workflow code: whatever it knows is recorded.
            SecretNotFoundError: The worker's provider has no such secret.
            RuntimeError: No activity is running here, or it runs in a process of its own.
        """
        if _runtime.current() is not None:
            raise NondeterminismError(
                f"workflow code must not know the secret {self.name!r}, since what it does is "
                "recorded: pass the Secret to an activity, and reveal it there"
            )
        return cast("Value", reveal(self.name))
