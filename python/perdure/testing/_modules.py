"""The workflows of modules that are named."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from perdure.workflow._definition import WorkflowDefinition, definition_of

__all__ = ["workflows_of"]


def workflows_of(modules: Sequence[str]) -> dict[str, WorkflowDefinition[..., Any]]:
    """What the modules define or import, by registered name.

    Raises:
        ImportError: One of them cannot be imported.
    """
    found: dict[str, WorkflowDefinition[..., Any]] = {}
    for name in modules:
        for value in vars(importlib.import_module(name)).values():
            with_definition = isinstance(value, WorkflowDefinition | type)
            try:
                definition = definition_of(value) if with_definition else None
            except TypeError:
                continue
            if definition is not None:
                found[definition.name] = definition
    return found
