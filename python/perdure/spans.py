"""Spans of time as users give them."""

from __future__ import annotations

from datetime import timedelta

__all__ = ["check_span", "microseconds", "optional_microseconds"]

_MICROSECOND = timedelta(microseconds=1)


def check_span(name: str, value: object) -> None:
    """Looks whether an option is a span of time, or None for no limit.

    Args:
        name: The option's name, for the error.
        value: What was given.

    Raises:
        TypeError: It is something else, such as a number.
    """
    if value is None or isinstance(value, timedelta):
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    example = value if is_number else 30
    raise TypeError(f"{name} is a timedelta, such as timedelta(seconds={example}), not {value!r}")


def microseconds(span: timedelta) -> int:
    """The span as the core takes it."""
    return span // _MICROSECOND


def optional_microseconds(span: timedelta | None) -> int | None:
    """The same, where None is no limit."""
    return None if span is None else microseconds(span)
