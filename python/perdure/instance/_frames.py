"""Whose code is asking: the nearest function that belongs neither to Perdure nor to the stdlib."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["Site", "is_user_file", "user_frame", "user_site"]


class Site(NamedTuple):
    """A place in user code."""

    file: str
    line: int
    function: str


def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple(sorted({f"{paths['stdlib']}/", f"{paths['platstdlib']}/"}))


def _package_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple(sorted({f"{paths['purelib']}/", f"{paths['platlib']}/"}))


_STANDARD_LIBRARY = _library_folders()
_INSTALLED_PACKAGES = _package_folders()
_PERDURE = f"{Path(__file__).parent.parent}/"
_HOSTS = frozenset({f"{_PERDURE}worker/_host.py", f"{_PERDURE}instance/_replay.py"})
"""What steps instances: whoever called that has nothing to do with the run."""
_known_files: dict[str, bool] = {}


def is_user_file(file: str) -> bool:
    """Whether code of this file is neither Perdure's nor the standard library's."""
    known = _known_files.get(file)
    if known is None:
        inside_library = file.startswith(_STANDARD_LIBRARY) and not file.startswith(
            _INSTALLED_PACKAGES
        )
        known = not (file.startswith(("<frozen ", _PERDURE)) or inside_library)
        _known_files[file] = known
    return known


def user_frame() -> FrameType | None:
    """The nearest frame of user code above the caller; None when there is none in the workflow."""
    frame: FrameType | None = sys._getframe(1)
    known = _known_files
    while frame is not None:
        file = frame.f_code.co_filename
        # Every recorded command passes here: a look-up for each frame, a call only for new files.
        of_user = known.get(file)
        if of_user or (of_user is None and is_user_file(file)):
            return frame
        if file in _HOSTS:
            return None
        frame = frame.f_back
    return None


def user_site() -> Site:
    """Where the nearest user code is now; empty when there is none."""
    frame = user_frame()
    if frame is None:
        return Site("", 0, "")
    return Site(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname)
