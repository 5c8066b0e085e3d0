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
import functools
import logging
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
    from types import ModuleType

    from perdure.instance._random import RandomStreams

__all__ = ["install_substitutions"]

_RANDOM_VERBS = (
    "betavariate", "binomialvariate", "choice", "choices", "expovariate", "gammavariate", "gauss",
    "getrandbits", "lognormvariate", "normalvariate", "paretovariate", "randbytes", "randint",
    "random", "randrange", "sample", "shuffle", "triangular", "uniform", "vonmisesvariate",
    "weibullvariate",
)  # fmt: skip
_UUID1_EPOCH_OFFSET = 0x01B21DD213814000
_SECRET = "Make secrets in an activity: what is recorded in history is no secret."


def _streams() -> RandomStreams:
    """The random streams of the current run."""
    loop: Any = _native.current_loop()
    streams: RandomStreams | None = loop.random_streams
    if streams is None:
        raise refusal("Randomness before the run has a seed", "Draw inside the workflow.")
    return streams


def _random_verb(verb: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def inside(*args: Any, **options: Any) -> Any:
        return getattr(_streams().caller_stream(verb), verb)(*args, **options)

    return _native.substitute(original, inside, "random", verb)


def _substitute_random() -> None:
    for verb in _RANDOM_VERBS:
        original = getattr(random, verb, None)
        if original is not None:
            setattr(random, verb, _random_verb(verb, original))

    def seed(a: Any = None, version: int = 2) -> None:
        del version
        _streams().reseed(a)

    random.seed = _native.substitute(random.seed, seed, "random", "seed")
    for name, what in (
        ("getstate", "Saving the global random state"),
        ("setstate", "Restoring the global random state"),
    ):
        _refuse_inside(random, name, what, "Use workflow.random(name).")
    _substitute_unseeded_generators()


def _substitute_unseeded_generators() -> None:
    """`random.Random()` without a seed takes one from the run."""
    original = random.Random.seed

    @functools.wraps(original)
    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        if a is None and _native.current_loop() is not None:
            a = _streams().caller_stream("Random").getrandbits(128)
        original(self, a, version)

    # Through the class, so that every generator sees it, whoever imported it when.
    setattr(random.Random, "seed", seed)  # noqa: B010


def _substitute_uuid() -> None:
    def uuid4(original: Callable[[], uuid.UUID]) -> uuid.UUID:
        if _native.current_loop() is None:
            return original()
        return uuid.UUID(bytes=_streams().caller_stream("uuid4").randbytes(16), version=4)

    def uuid1(
        original: Callable[..., uuid.UUID], node: int | None = None, clock_seq: int | None = None
    ) -> uuid.UUID:
        if _native.current_loop() is None:
            return original(node, clock_seq)
        return _uuid1(node, clock_seq)

    replace_in_place(uuid.uuid4, uuid4)
    replace_in_place(uuid.uuid1, uuid1)


def _uuid1(node: int | None, clock_seq: int | None) -> uuid.UUID:
    """The run's time; node and sequence of its own stream."""
    stream = _streams().caller_stream("uuid1")
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


def _refuse_inside(module: ModuleType, name: str, what: str, instead: str) -> None:
    original: Callable[..., Any] = getattr(module, name)

    def inside(*args: Any, **options: Any) -> Any:
        if guarded():
            raise refusal(what, instead)
        return original(*args, **options)

    setattr(module, name, _native.substitute(original, inside, module.__name__, name))


def _refuse_threads() -> None:
    """`Thread.start` is a method, so it stays a function; the rest are builtins."""
    instead = "Make the function an activity (a plain `def` runs in a thread) and await that."

    def start(original: Callable[..., Any], thread: threading.Thread) -> None:
        if _native.current_loop() is not None and guarded():
            raise refusal("Starting a thread", instead)
        original(thread)

    replace_in_place(threading.Thread.start, start)
    _refuse_inside(_thread, "start_new_thread", "Starting a thread", instead)


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


def _mute_the_evicted() -> None:
    """What the `finally` blocks of a run that leaves the cache log is no news: it happens again."""
    original = logging.Logger.handle

    @functools.wraps(original)
    def handle(self: logging.Logger, record: logging.LogRecord) -> None:
        loop = _native.current_loop()
        if loop is None or not loop.dead:
            original(self, record)

    # Through the class, which every logger of the standard library ends in.
    setattr(logging.Logger, "handle", handle)  # noqa: B010


def install_substitutions() -> None:
    """Puts every substitute into its place. The caller sees to it that this happens once."""
    _native.substitute_clocks()
    _substitute_random()
    _substitute_uuid()
    _refuse_inside(time, "sleep", "time.sleep", "Write `await asyncio.sleep(…)`: a durable timer.")
    _refuse_inside(os, "urandom", "os.urandom", _SECRET)
    _refuse_threads()
    _refuse_nested_loops()
    _mute_the_evicted()
    # `secrets` and `random.SystemRandom` draw from this name.
    _refuse_inside(random, "_urandom", "Randomness of the operating system (secrets)", _SECRET)
