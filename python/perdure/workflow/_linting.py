"""The linter's findings as warnings, when a workflow is defined.

Only in Python's development mode (`-X dev`) or where `PERDURE_LINT` is set to something but 0: to
read a file of 400 lines takes 20 to 40 ms, the linter itself another 25, and every worker and
every process of its pool would spend them at each start, with nobody there to read the warnings.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from perdure.lint import Finding

__all__ = ["look_at"]

_VARIABLE = "PERDURE_LINT"


def look_at(workflow: str, fn: Callable[..., Any]) -> None:
    """Warns of what is wrong with a workflow of that name, if it is asked for."""
    if os.environ.get(_VARIABLE, "1" if sys.flags.dev_mode else "0") in {"", "0"}:
        return
    code = getattr(inspect.unwrap(fn), "__code__", None)
    if code is None:
        return
    from perdure.lint import LintWarning

    for finding in _findings(code.co_filename):
        if finding.workflow == workflow:
            text = f"{finding.code} {finding.message}: {finding.fix}"
            warnings.warn_explicit(text, LintWarning, finding.path, finding.line)


@functools.cache
def _findings(path: str) -> list[Finding]:
    from pathlib import Path

    from perdure.lint import lint_file

    try:
        return lint_file(Path(path))
    except OSError:
        # Typed at a prompt, or out of an archive: there is no file to read.
        return []
