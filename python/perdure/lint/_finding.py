"""What the linter says: rules, and the places where code breaks them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding", "LintWarning", "Rule"]


class LintWarning(UserWarning):
    """A finding about a workflow that is just being defined."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that workflow code must not do."""

    code: str
    """`PRD2` and three digits; the first of them is the family."""
    name: str
    summary: str
    """What is wrong with it, as a sentence."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One place that breaks a rule."""

    path: str
    line: int
    column: int
    """From 1 on, in characters."""
    end_line: int
    end_column: int
    code: str
    message: str
    fix: str
    """What to write instead."""
    function: str
    """The function it stands in; empty where the file cannot be read at all."""
    workflow: str
    """A workflow that reaches the function."""
