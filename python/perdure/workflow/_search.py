"""What a run is found by, and what it says of itself to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from perdure import _runtime

if TYPE_CHECKING:
    from perdure.search import SearchAttributes

__all__ = ["memo", "upsert_memo", "upsert_search_attributes"]


def upsert_search_attributes(attributes: SearchAttributes) -> None:
    """Changes what the run is found by; names that are not given stay as they are.

    `info().search_attributes` has the new values at once.

    Args:
        attributes: Values by name or `SearchAttributeKey`; None takes a name away.

    Raises:
        EncodeError: A name or a value is none that can be searched for.
    """
    runtime = _runtime.require("workflow.upsert_search_attributes")
    runtime.visibility.set_attributes(attributes)


def upsert_memo(entries: Mapping[str, Any]) -> None:
    """Changes what the run says of itself; keys that are not given stay as they are.

    Args:
        entries: Values by key; None takes a key away.

    Raises:
        EncodeError: A value cannot travel.
    """
    _runtime.require("workflow.upsert_memo").visibility.set_memo(entries)


def memo() -> dict[str, Any]:
    """What the run says of itself, as plain values; a copy."""
    return _runtime.require("workflow.memo").visibility.memo()
