"""The run's randomness: one stream for each (function, verb), so that code may grow.

A stream is named by the nearest function of user code and the verb it calls, never by line or
code hash: an added call or comment shifts no other stream. Handlers and queries get streams of
their own by another `scope`.
"""

from __future__ import annotations

import random
import re

from perdure.instance._frames import user_frame

__all__ = ["RandomStreams"]

# Comprehensions have a frame of their own up to Python 3.11 and none from 3.12 on.
_COMPREHENSION = re.compile(r"\.<locals>\.<(?:listcomp|setcomp|dictcomp|genexpr)>")


class RandomStreams:
    """All random streams of one run, made as they are asked for."""

    def __init__(self, seed: str, scope: str = "") -> None:
        self._seed = seed
        self._scope = scope
        self._streams: dict[tuple[str, str], random.Random] = {}

    def stream(self, function: str, verb: str) -> random.Random:
        """The stream of this function and verb, where it stands now."""
        key = (function, verb)
        found = self._streams.get(key)
        if found is None:
            found = random.Random(self._seed_of(function, verb))
            self._streams[key] = found
        return found

    def caller_stream(self, verb: str) -> random.Random:
        """The stream of the user function that is calling."""
        frame = user_frame()
        name = "" if frame is None else _COMPREHENSION.sub("", frame.f_code.co_qualname)
        return self.stream(name, verb)

    def reseed(self, seed: object) -> None:
        """What `random.seed` does inside a workflow: every stream begins again from there."""
        self._seed = f"{self._seed}\0{seed!r}"
        self._streams.clear()

    def begin_again(self, seed: str) -> None:
        """Every stream goes on from another seed, also where code holds it already."""
        self._seed = seed
        for (function, verb), stream in self._streams.items():
            stream.seed(self._seed_of(function, verb))

    def _seed_of(self, function: str, verb: str) -> str:
        return f"{self._seed}\0{self._scope}\0{function}\0{verb}"

    def scoped(self, scope: str) -> RandomStreams:
        """Fresh streams for a handler or a query; this run's own do not move."""
        return RandomStreams(self._seed, scope)
