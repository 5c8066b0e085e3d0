"""Activities in a process of their own: only names and encoded values cross."""

from __future__ import annotations

import importlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from perdure._core import encode
from perdure.activity._definition import ActivityDefinition
from perdure.convert import decode_arguments

__all__ = ["new_pool", "run_by_name"]


def new_pool(processes: int) -> ProcessPoolExecutor:
    """A pool whose processes start fresh: a fork of a process with threads may hang."""
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))


def run_by_name(module: str, qualified_name: str, arguments: bytes) -> bytes:
    """Runs a sync activity, found by its name, in this process; gives its encoded result."""
    found: Any = importlib.import_module(module)
    for part in qualified_name.split("."):
        found = getattr(found, part)
    definition: ActivityDefinition[..., Any] = found
    values = decode_arguments(definition.reference.parameter_types, arguments)
    return encode(definition.fn(*values))
