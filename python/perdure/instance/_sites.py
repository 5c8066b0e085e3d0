"""Where in workflow code a command was issued, with a hash of the function around it."""

from __future__ import annotations

import hashlib
import inspect
import textwrap
from typing import TYPE_CHECKING

from perdure._core import CallSite
from perdure.instance._frames import user_frame

if TYPE_CHECKING:
    from types import CodeType

__all__ = ["current_site", "source_hash"]

_NOWHERE = CallSite("", 0, "", 0)
_sites: dict[tuple[CodeType, int], CallSite] = {}
_MAXIMUM_SITES = 10_000
"""Places remembered: code that makes code would otherwise fill the memory."""


def current_site() -> CallSite:
    """The nearest line of user code; an empty site when there is none."""
    frame = user_frame()
    if frame is None:
        return _NOWHERE
    key = (frame.f_code, frame.f_lineno)
    site = _sites.get(key)
    if site is None:
        if len(_sites) >= _MAXIMUM_SITES:
            _sites.clear()
        site = _sites[key] = _make(*key)
    return site


def _make(code: CodeType, line: int) -> CallSite:
    try:
        source = textwrap.dedent(inspect.getsource(code))
    except (OSError, TypeError):
        source = ""
    return CallSite(code.co_filename, line, code.co_qualname, _hash_of_dedented(source))


def source_hash(block: str) -> int:
    """The hash that sites record of a function's lines: it tells whether they have changed."""
    return _hash_of_dedented(textwrap.dedent(block))


def _hash_of_dedented(source: str) -> int:
    return int.from_bytes(hashlib.blake2b(source.encode(), digest_size=8).digest(), "big")
