"""Everything that makes a process deterministic inside workflows, installed once."""

from __future__ import annotations

import threading

from perdure.instance._asyncio_order import install_order
from perdure.instance._guard import install_guard
from perdure.instance._substitution import install_substitutions

__all__ = ["install_determinism"]

_lock = threading.Lock()
_installed = False


def install_determinism() -> None:
    """Mends asyncio's order, substitutes clocks and randomness, installs the guard.

    The first worker of a process calls it, before it steps any run; later calls do nothing.
    Outside workflows everything goes on as before.
    """
    global _installed  # noqa: PLW0603 - a process is changed once
    with _lock:
        if _installed:
            return
        install_order()
        install_substitutions()
        install_guard()
        _installed = True
