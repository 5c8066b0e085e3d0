"""Deterministic by substitution: clocks, randomness and ids answer from the run.

Inside a workflow `time.time`, `random.random`, `uuid.uuid4` and their like answer from the run's
clock and seed; outside they behave as ever. Functions written in Python are changed in place, so
that a name imported earlier is covered too. C functions can only be replaced where they live, so
`from time import time` before the first worker is not covered: the linter and the strict mode
of the testing tools see that.
"""

from __future__ import annotations

import _thread
import asyncio
import os
import random
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from perdure._core import _native
from perdure.instance._guard import guarded
from perdure.instance._in_place import replace_in_place
from perdure.instance._refusal import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from perdure.instance._random import RandomStreams

__all__ = ["install_substitutions"]

_RANDOM_VERBS = (
    "betavariate", "binomialvariate", "choice", "choices", "expovariate", "gammavariate", "gauss",
    "getrandbits", "lognormvariate", "normalvariate", "paretovariate", "randbytes", "randint",
    "random", "randrange", "sample", "shuffle", "triangular", "uniform", "vonmisesvariate",
    "weibullvariate",
)  # fmt: skip
_UUID1_EPOCH_OFFSET = 0x01B21DD213814000
_THREAD = "Make the function an activity (a plain `def` runs in a thread) and await that."
_SECRET = "Make secrets in an activity: what is recorded in history is no secret."


def _streams() -> RandomStreams | None:
    """The random streams of the current run; None outside workflows."""
    loop: Any = _native.current_loop()
    if loop is None:
        return None
    streams: RandomStreams | None = loop.random_streams
    if streams is None:
        raise refusal("Randomness in a run that has no seed", "Give the loop random_streams.")
    return streams


def _random_verb(verb: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def substitute(*args: Any, **options: Any) -> Any:
        streams = _streams()
        if streams is None:
            return original(*args, **options)
        return getattr(streams.caller_stream(verb), verb)(*args, **options)

    return _dressed(substitute, original, verb)


def _dressed(
    substitute: Callable[..., Any], original: Callable[..., Any], name: str
) -> Callable[..., Any]:
    """Makes the substitute look like the original in tracebacks, help and pickles."""
    substitute.__name__ = name
    substitute.__qualname__ = name
    substitute.__module__ = original.__module__ or "random"
    substitute.__doc__ = original.__doc__
    return substitute


def _substitute_random() -> None:
    for verb in _RANDOM_VERBS:
        original = getattr(random, verb, None)
        if original is not None:
            setattr(random, verb, _random_verb(verb, original))
    original_seed = random.seed
    original_getstate = random.getstate
    original_setstate = random.setstate

    def seed(a: Any = None, version: int = 2) -> None:
        streams = _streams()
        if streams is None:
            original_seed(a, version)
        else:
            streams.reseed(a)

    def getstate() -> Any:
        if _native.current_loop() is not None and guarded():
            raise refusal("Saving the global random state", "Use workflow.random(name).")
        return original_getstate()

    def setstate(state: Any) -> None:
        if _native.current_loop() is not None and guarded():
            raise refusal("Restoring the global random state", "Use workflow.random(name).")
        original_setstate(state)

    random.seed = seed
    random.getstate = getstate
    random.setstate = setstate
    _substitute_unseeded_generators()


def _substitute_unseeded_generators() -> None:
    """`random.Random()` without a seed takes one from the run."""

    original = random.Random.seed

    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        if a is None:
            streams = _streams()
            if streams is not None:
                a = streams.caller_stream("Random").getrandbits(128)
        original(self, a, version)

    # Through the class, so that every generator sees it, whoever imported it when.
    setattr(random.Random, "seed", _dressed(seed, original, "seed"))  # noqa: B010


def _substitute_uuid() -> None:
    def uuid4(original: Callable[[], uuid.UUID]) -> uuid.UUID:
        streams = _streams()
        if streams is None:
            return original()
        return uuid.UUID(bytes=streams.caller_stream("uuid4").randbytes(16), version=4)

    def uuid1(
        original: Callable[..., uuid.UUID], node: int | None = None, clock_seq: int | None = None
    ) -> uuid.UUID:
        streams = _streams()
        if streams is None:
            return original(node, clock_seq)
        stream = streams.caller_stream("uuid1")
        if node is None:
            # The multicast bit says that the node is no network card.
            node = stream.getrandbits(48) | (1 << 40)
        if clock_seq is None:
            clock_seq = stream.getrandbits(14)
        ticks = time.time_ns() // 100 + _UUID1_EPOCH_OFFSET
        fields = (
            ticks & 0xFFFFFFFF,
            (ticks >> 32) & 0xFFFF,
            (ticks >> 48) & 0x0FFF,
            (clock_seq >> 8) & 0x3F,
            clock_seq & 0xFF,
            node,
        )
        return uuid.UUID(fields=fields, version=1)

    replace_in_place(uuid.uuid4, uuid4)
    replace_in_place(uuid.uuid1, uuid1)


def _refuse_inside(module: Any, name: str, what: str, instead: str) -> None:
    original: Callable[..., Any] = getattr(module, name)

    def substitute(*args: Any, **options: Any) -> Any:
        if _native.current_loop() is not None and guarded():
            raise refusal(what, instead)
        return original(*args, **options)

    setattr(module, name, _dressed(substitute, original, name))


def _refuse_nested_loops() -> None:
    """`asyncio.run` and its kin, named for what they are instead of for the socket they open."""

    def refuse(original: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if _native.current_loop() is None or not guarded():
            return original(*args, **options)
        for argument in args:
            if asyncio.iscoroutine(argument):
                argument.close()
        raise refusal("Another event loop inside the workflow", "Await the coroutine instead.")

    for function in (asyncio.run, asyncio.Runner.run, asyncio.new_event_loop):
        replace_in_place(function, refuse)


def install_substitutions() -> None:
    """Puts every substitute into its place. The caller sees to it that this happens once."""
    _native.substitute_clocks()
    _substitute_random()
    _substitute_uuid()
    _refuse_inside(
        time, "sleep", "time.sleep", "Write `await asyncio.sleep(…)`: a durable timer."
    )
    _refuse_inside(os, "urandom", "os.urandom", _SECRET)
    for module, name in (
        (threading.Thread, "start"),
        (threading, "_start_new_thread"),
        (threading, "_start_joinable_thread"),
        (_thread, "start_new_thread"),
    ):
        if hasattr(module, name):
            _refuse_inside(module, name, "Starting a thread", _THREAD)
    _refuse_nested_loops()
    # `secrets` and `random.SystemRandom` draw from this name.
    _refuse_inside(random, "_urandom", "Randomness of the operating system (secrets)", _SECRET)
