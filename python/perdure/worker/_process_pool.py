"""Activities in a process of their own: only names and encoded values cross."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait
from multiprocessing.reduction import ForkingPickler
from typing import Any

from perdure._claims import add_converter, converters
from perdure._core import encode
from perdure.activity._definition import ActivityDefinition
from perdure.convert import decode_arguments
from perdure.converter import DataConverter, PayloadConverter
from perdure.errors import ApplicationError

__all__ = ["new_pool", "run_by_name"]


def new_pool(processes: int) -> ProcessPoolExecutor:
    """A pool whose processes start fresh: a fork of a process with threads may hang.

    Raises:
        ApplicationError: A payload converter cannot be pickled.
    """
    return ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(_sendable(converters()),),
    )


def _sendable(converters: tuple[PayloadConverter, ...]) -> tuple[PayloadConverter, ...]:
    for each in converters:
        try:
            ForkingPickler.dumps(each)
        except Exception as error:
            raise ApplicationError(
                f"the payload converter {type(each).__qualname__} cannot go to the processes of "
                f"activities: {error}",
                type="UnpicklableConverter",
                non_retryable=True,
            ) from error
    return converters


def _begin(converters: Sequence[PayloadConverter]) -> None:
    """Converts as the worker does, and ends when that is killed, or it would wait for ever."""
    for each in converters:
        add_converter(DataConverter(payload_converter=each))
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
