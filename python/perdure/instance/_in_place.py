"""Changes a Python function where it is, so that names imported earlier are covered."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["replace_in_place"]

_replacements: dict[str, Callable[..., Any]] = {}


def replace_in_place(
    function: Callable[..., Any], substitute: Callable[..., Any]
) -> Callable[..., Any]:
    """Makes `function(…)` call `substitute(original, …)`; gives the original.

    The function object stays, with its name, signature and documentation; only its code
    changes. `original` is a new function with the old code.
    """
    if not isinstance(function, types.FunctionType):
        raise TypeError(f"{function!r} is not written in Python: replace it where it lives")
    if function.__code__.co_freevars:
        raise TypeError(f"{function!r} is a closure: it cannot be replaced in place")
    original = types.FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    original.__kwdefaults__ = function.__kwdefaults__
    original.__qualname__ = function.__qualname__
    original.__module__ = function.__module__

    key = f"_perdure_{function.__module__}.{function.__qualname__}"
    _replacements[key] = lambda *args, **options: substitute(original, *args, **options)
    function.__globals__[key] = _replacements[key]
    forwarder = _forwarder(key)
    function.__code__ = forwarder.replace(
        co_name=function.__code__.co_name,
        co_qualname=function.__code__.co_qualname,
        co_filename=__file__,
    )
    # Defaults are the original's business: the forwarder passes on exactly what it was given.
    function.__defaults__ = None
    function.__kwdefaults__ = None
    # Where `inspect.signature` looks.
    function.__dict__["__wrapped__"] = original
    return original


def _forwarder(key: str) -> types.CodeType:
    source = f"def forward(*args, **options):\n    return globals()[{key!r}](*args, **options)\n"
    namespace: dict[str, Any] = {}
    exec(compile(source, __file__, "exec"), namespace)  # noqa: S102 - our own constant source
    code: types.CodeType = namespace["forward"].__code__
    return code
