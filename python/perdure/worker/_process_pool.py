"""Activities in a process of their own: only names and encoded values cross."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import Any

from perdure._core import encode
from perdure.activity._definition import ActivityDefinition
from perdure.convert import decode_arguments

__all__ = ["new_pool", "run_by_name"]


def new_pool(processes: int) -> ProcessPoolExecutor:
    """A pool whose processes start fresh: a fork of a process with threads may hang."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_the_worker)


def _end_with_the_worker() -> None:
    """Ends this process when the worker's is killed: it would wait for its next call for ever."""
    worker = multiprocessing.parent_process()
    if worker is not None:
        threading.Thread(target=_await_end, args=(worker.sentinel,), daemon=True).start()


def _await_end(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def run_by_name(module: str, qualified_name: str, arguments: bytes) -> bytes:
    """Runs a sync activity, found by its name, in this process; gives its encoded result."""
    found: Any = importlib.import_module(module)
    for part in qualified_name.split("."):
        found = getattr(found, part)
    definition: ActivityDefinition[..., Any] = found
    values = decode_arguments(definition.reference.parameter_types, arguments)
    return encode(definition.fn(*values))
