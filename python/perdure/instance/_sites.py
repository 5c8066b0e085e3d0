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

__all__ = ["current_site"]

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
    digest = hashlib.blake2b(source.encode(), digest_size=8).digest()
    return CallSite(code.co_filename, line, code.co_qualname, int.from_bytes(digest, "big"))
