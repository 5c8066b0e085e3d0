"""The one table of rules, and the families that look for them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from perdure.lint._finding import Finding, Rule
from perdure.lint._reach import Code
from perdure.lint.rules import (
    blocking,
    chance,
    clocks,
    coroutines,
    order,
    outside,
    state,
)

__all__ = ["FAMILIES", "RULES", "UNREADABLE"]

UNREADABLE = Rule("PRD2000", "unreadable", "The file is no valid Python.")

Check = Callable[[Code, ast.AST], Iterator[Finding]]
FAMILIES: tuple[Check, ...] = (
    clocks.check,
    chance.check,
    order.check,
    outside.check,
    blocking.check,
    coroutines.check,
    state.check,
)

RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in (
        UNREADABLE,
        *clocks.RULES,
        *chance.RULES,
        *order.RULES,
        *outside.RULES,
        *blocking.RULES,
        *coroutines.RULES,
        *state.RULES,
    )
}
