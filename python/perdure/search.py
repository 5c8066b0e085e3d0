"""Search attributes: names with the types of their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeAlias, TypeVar

__all__ = ["SearchAttributeKey", "SearchAttributes"]

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class SearchAttributeKey(Generic[Value]):
    """The name of a search attribute and the type of its values."""

    name: str
    """What queries call it."""
    kind: str
    """`keyword`, `int`, `double`, `bool`, `datetime_us` or `keyword_list`."""

    @staticmethod
    def for_keyword(name: str) -> SearchAttributeKey[str]:
        """A text, compared as a whole."""
        return SearchAttributeKey(name, "keyword")

    @staticmethod
    def for_int(name: str) -> SearchAttributeKey[int]:
        """A whole number of 64 bits."""
        return SearchAttributeKey(name, "int")

    @staticmethod
    def for_float(name: str) -> SearchAttributeKey[float]:
        """A floating-point number."""
        return SearchAttributeKey(name, "double")

    @staticmethod
    def for_bool(name: str) -> SearchAttributeKey[bool]:
        """A truth value."""
        return SearchAttributeKey(name, "bool")

    @staticmethod
    def for_datetime(name: str) -> SearchAttributeKey[datetime]:
        """An instant, with its time zone."""
        return SearchAttributeKey(name, "datetime_us")

    @staticmethod
    def for_keyword_list(name: str) -> SearchAttributeKey[Sequence[str]]:
        """Several texts, each of which finds the run."""
        return SearchAttributeKey(name, "keyword_list")


SearchAttributes: TypeAlias = Mapping[str | SearchAttributeKey[Any], Any]
"""Values by name or by key; under a name, the value says the type."""
